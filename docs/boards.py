"""Builds for every board and stores the figures of docs/boards.md: ``python docs/boards.py``.

It takes about three quarters of an hour, as one is built after the other; names of boards as
arguments build for those alone, and leave what is stored of the others as it is. Exits with status
1 if a core does not fit or misses its clock. Afterwards run ``python docs/generate.py``, which
makes the tables of the figures.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, Final

from spiketwin.firmware.board import board, boards
from spiketwin.firmware.build import TimingMissed, build
from spiketwin.firmware.plan import plan
from spiketwin.firmware.target import resolve
from spiketwin.hdl.builds import BuildError
from spiketwin.hdl.spec.params import preset

FIGURES: Final = Path(__file__).with_name("boards.json")

PATTERNS: Final = (
    "layers,n_neurons=400,theta_width=18,n_projections=2,weight_depth=39232,n_relays=0,max_delay=0"
)
"""Sizes of 784 axons to 400 neurons that learn, and inhibit each other by one constant projection:
the larger network of Diehl and Cook (Frontiers in Computational Neuroscience 9:99, 2015)."""

EXTRA: Final[dict[str, dict[str, float]]] = {
    "ulx3s_25f": {"ncx": 95},
    "ulx3s_85f": {"layers": 60, "layers,learning=0": 70, "pynn": 50, PATTERNS: 60},
}
"""Sizes that are built beside the board's own, each with its clock in MHz: for the comparison with
NeuroCoreX, and for networks of layers."""


def main(names: list[str]) -> int:
    """Build, and store the figures of each build as soon as it is done."""
    status = 0
    for name in names or boards():
        own = board(name)
        for params, mhz in {own.params: own.clock_hz / 1e6, **EXTRA.get(name, {})}.items():
            target = resolve(replace(own, clock_hz=round(mhz * 1e6)))
            print(f"{name} {params}", flush=True)
            planned = plan(target, preset(params))
            try:
                figures = build(planned, print).figures
            except TimingMissed as missed:
                print(missed, file=sys.stderr)
                figures, status = missed.build.figures, 1
            except BuildError as error:
                print(error, file=sys.stderr)
                status = 1
                continue
            _store(f"{name} {params}", _stamped(planned.digest, figures))
    return status


def _stamped(digest: str, figures: dict[str, Any]) -> dict[str, Any]:
    """Say when figures were found, and of which sources and tools: they hold as long as those."""
    return {"date": date.today().isoformat(), "digest": digest, **figures}


def _store(key: str, figures: dict[str, Any]) -> None:
    stored = json.loads(FIGURES.read_text()) if FIGURES.is_file() else {}
    stored[key] = figures
    FIGURES.write_text(json.dumps(dict(sorted(stored.items())), indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
