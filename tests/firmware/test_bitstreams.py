"""Real bitstreams, compared with stored figures: no change makes them slower or larger unseen.

`python docs/boards.py icebreaker ulx3s_25f` and `python docs/digests.py` store the figures anew
where a change is worth it. A build comes out the same as long as its digest does, which is that of
the gateware, the tools and all else that shapes it: until one of them changes, the stored figures
are those of the build, and nothing is built.
"""

import importlib.util
import json
from typing import Any

import pytest
from support.checkout import ROOT

from spiketwin.firmware.board import board
from spiketwin.firmware.build import build
from spiketwin.firmware.plan import plan
from spiketwin.firmware.target import resolve

pytestmark = pytest.mark.bulk

DOCS = ROOT / "docs"
STORED: dict[str, Any] = json.loads((DOCS / "boards.json").read_text())

MORE_LOGIC = 0.02
"""A change of a line moves this much by the luck of the mapping."""

LESS_CLOCK = 0.10
"""And this much by the luck of the placement, of what the design was good for when stored. That is
asked for beside the board's own clock, which has to be met however little was lost."""


@pytest.mark.early
@pytest.mark.parametrize("name", ["icebreaker", "ulx3s_25f"])
def test_a_bitstream_is_as_fast_and_as_small_as_it_was(name: str) -> None:
    described = board(name)
    stored = STORED[f"{name} {described.params}"]
    planned = plan(resolve(described))
    if planned.digest == stored["digest"]:
        figures = stored
        assert figures["fmax_mhz"] >= figures["target_mhz"]
    else:
        made = build(planned)  # an error below the board's clock, whatever is stored
        figures = made.figures
        assert made.bitstream is not None
        assert made.bitstream.stat().st_size > 100_000
    assert figures["target_mhz"] == stored["target_mhz"]
    assert figures["fmax_mhz"] >= stored["fmax_mhz"] * (1 - LESS_CLOCK)
    assert figures["logic"]["used"] <= stored["logic"]["used"] * (1 + MORE_LOGIC)
    for kind in {"memory", "dsp", "spram"} & set(stored):
        assert figures[kind]["used"] <= stored[kind]["used"], kind


@pytest.mark.parametrize("unit", ["ECP5 full", "iCE40 up5k"])
def test_a_digest_takes_what_is_said(unit: str) -> None:
    spec = importlib.util.spec_from_file_location("digests", DOCS / "digests.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    stored = json.loads((DOCS / "digests.json").read_text())[unit][0]
    takes = script.takes(unit, 1)
    assert takes["luts"] <= stored["luts"] * (1 + MORE_LOGIC)
    assert takes["flip_flops"] <= stored["flip_flops"] * (1 + MORE_LOGIC)
    assert takes["block_rams"] == stored["block_rams"]
