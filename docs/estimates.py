"""Builds to which the model of estimates is fitted, and others that it is tested with."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from spiketwin.firmware.board import board
from spiketwin.firmware.build import TimingMissed, build
from spiketwin.firmware.estimates.design import Design
from spiketwin.firmware.estimates.model import BUILDS
from spiketwin.firmware.plan import plan
from spiketwin.firmware.target import resolve
from spiketwin.hdl.builds import BuildError
from spiketwin.hdl.spec.params import preset

SMALL: Final = "full,n_axons=64,n_neurons=64"
TINY: Final = "tiny,neuron_lanes=1,source_lanes=1,learning=0"
TABLE: Final = f"{SMALL},n_projections=8,weight_depth=1024"

FITTED: Final = (
    ("ulx3s_85f", SMALL),
    ("ulx3s_85f", f"{SMALL},digest_rounds=1"),
    ("ulx3s_85f", f"{SMALL},saturation_counters=1"),
    ("ulx3s_85f", f"{SMALL},n_profiles=4"),
    ("ulx3s_85f", f"{SMALL},decay_shift=1"),
    ("ulx3s_85f", f"{SMALL},probe_ranges=2"),
    ("ulx3s_85f", f"{SMALL},weight_width=4"),
    ("ulx3s_85f", f"{SMALL},lanes=2,neuron_lanes=1,source_lanes=1"),
    ("ulx3s_85f", TABLE),
    ("ulx3s_85f", f"{TABLE},sparse_rows=256"),
    ("ulx3s_85f", f"{TABLE},n_relays=64,max_delay=16"),
    ("ulx3s_85f", f"{TABLE},synapse_delay_width=3"),
    ("ulx3s_85f", f"{TABLE},n_rules=4"),
    ("ulx3s_85f", f"{TABLE},n_rules=4,window_bits=8"),
    ("ulx3s_25f", "digits"),
    ("ulx3s_85f", "full"),
    ("ulx3s_85f", "layers"),
    ("ulx3s_85f", "pynn"),
    ("ulx3s_85f", f"{SMALL},learning=0"),
    ("icebreaker", "up5k"),
    ("icebreaker", "up5k,weight_width=6"),
    ("icebreaker", "up5k,learning=0,lanes=4"),
    ("icebreaker", "up5k,learning=0,receptors=2"),
    ("icebreaker", "up5k,learning=0,decay_shift=1"),
    ("icebreaker", TINY),
    ("icebreaker", f"{TINY},decay_shift=1"),
    ("ice40_hx8k_b_evn", TINY),
    ("ice40_hx8k_b_evn", f"{TINY},n_axons=16,n_neurons=16"),
)
"""Boards and cores to whose builds the model is fitted."""

HELD_OUT: Final = (
    ("ulx3s_85f", f"{SMALL},lanes=4"),
    ("ulx3s_85f", f"{SMALL},lanes=4,weight_width=6"),
    ("ulx3s_85f", f"{SMALL},receptors=2"),
    ("ulx3s_85f", f"{SMALL},bias_events=1"),
    ("ulx3s_25f", "ncx"),
    ("ulx3s_85f", "layers,learning=0"),
    ("icebreaker", "up5k,learning=0"),
    ("icebreaker", f"{TINY},receptors=2"),
    ("ice40_hx8k_b_evn", f"{TINY},weight_width=4"),
)
"""Boards and cores whose builds the model is tested with."""

HELP: Final = """
builds the cores of this file, and writes what each takes to the file that estimates are fitted to.
A build takes some minutes. What was built once is taken from where it lies, so a call that was
broken off goes on where it ended. Exits with status 1 if a tool failed.
"""


def cores() -> Iterator[tuple[str, str, bool]]:
    """Give board and sizes of all cores, and whether each is held out."""
    yield from ((*each, False) for each in FITTED)
    yield from ((*each, True) for each in HELD_OUT)


def row(name: str, sizes: str, held_out: bool, figures: dict[str, Any]) -> dict[str, Any]:
    """Give what is stored of a build."""
    target, params = resolve(board(name)), preset(sizes)
    kinds = [kind for kind in ("logic", "memory", "dsp", "spram") if kind in figures]
    return {
        "board": name,
        "family": target.family.name,
        "params": asdict(params),
        "held_out": held_out,
        "used": {kind: figures[kind]["used"] for kind in kinds},
        "available": {kind: figures[kind]["available"] for kind in kinds},
        "fmax_mhz": figures["fmax_mhz"],
        "design": Design.of(params).as_json(),
    }


def main(words: list[str]) -> int:
    """Build all, and write what was built so far after each core."""
    parser = argparse.ArgumentParser(
        prog="python docs/estimates.py",
        description=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", type=Path, default=BUILDS, metavar="FILE", help="file to write")
    wanted = parser.parse_args(words)
    rows: list[dict[str, Any]] = []
    status = 0
    for name, sizes, held_out in cores():
        print(f"{name} {sizes}", flush=True)
        try:
            figures = build(plan(resolve(board(name)), preset(sizes))).figures
        except TimingMissed as missed:
            figures = missed.build.figures
        except BuildError as error:
            print(error, file=sys.stderr)
            status = 1
            continue
        rows.append(row(name, sizes, held_out, figures))
        wanted.json.write_text(json.dumps(rows) + "\n")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
