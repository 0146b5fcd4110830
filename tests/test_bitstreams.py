"""Real bitstreams, compared with stored figures: no change makes them slower or larger unseen.

`python docs/boards.py icebreaker ulx3s_25f` stores the figures anew where a change is worth it.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from spiketwin.firmware.board import board
from spiketwin.firmware.build import build

STORED: dict[str, Any] = json.loads(
    (Path(__file__).resolve().parent.parent / "docs/boards.json").read_text()
)

MORE_LOGIC = 0.02
"""A change of a line moves this much by the luck of the mapping."""

LESS_CLOCK = 0.10
"""And this much by the luck of the placement, of what the design was good for when stored. That is
asked for beside the board's own clock, which has to be met however little was lost."""


@pytest.mark.parametrize("name", ["icebreaker", "ulx3s_25f"])
def test_a_bitstream_is_as_fast_and_as_small_as_it_was(name: str) -> None:
    described = board(name)
    stored = STORED[f"{name} {described.params}"]
    made = build(described)  # an error below the board's clock, whatever is stored
    figures = made.figures
    assert made.bitstream is not None
    assert made.bitstream.stat().st_size > 100_000
    assert figures["target_mhz"] == stored["target_mhz"]
    assert figures["fmax_mhz"] >= stored["fmax_mhz"] * (1 - LESS_CLOCK)
    assert figures["logic"]["used"] <= stored["logic"]["used"] * (1 + MORE_LOGIC)
    for kind in {"memory", "dsp", "spram"} & set(stored):
        assert figures[kind]["used"] <= stored[kind]["used"], kind
