"""Builds for every board and stores the figures of docs/boards.md: ``python docs/boards.py``.

It takes about three quarters of an hour, as one is built after the other; names of boards as
arguments build for those alone, and leave what is stored of the others as it is. Exits with status
1 if a core does not fit or misses its clock. Afterwards run ``python docs/generate.py``, which
makes the tables of the figures.
"""

from __future__ import annotations

import json
import sys
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

EXTRA: Final = {"ulx3s_25f": ("ncx",)}
"""Sizes that are built beside the board's own: for the comparison with NeuroCoreX."""


def main(names: list[str]) -> int:
    """Build, and store the figures of each build as soon as it is done."""
    status = 0
    for name in names or boards():
        target = resolve(board(name))
        for params in (target.board.params, *EXTRA.get(name, ())):
            print(f"{name} {params}", flush=True)
            try:
                figures = build(plan(target, preset(params)), print).figures
            except TimingMissed as missed:
                print(missed, file=sys.stderr)
                figures, status = missed.build.figures, 1
            except BuildError as error:
                print(error, file=sys.stderr)
                status = 1
                continue
            _store(f"{name} {params}", {"date": date.today().isoformat(), **figures})
    return status


def _store(key: str, figures: dict[str, Any]) -> None:
    stored = json.loads(FIGURES.read_text()) if FIGURES.is_file() else {}
    stored[key] = figures
    FIGURES.write_text(json.dumps(dict(sorted(stored.items())), indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
