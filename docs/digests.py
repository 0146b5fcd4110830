"""Maps the unit that makes digests alone, and stores what it takes: ``python docs/digests.py``.

It takes about a minute. Afterwards run ``python docs/generate.py``, which makes the table in
docs/boards.md.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Final

from amaranth.back.rtlil import convert

from spiketwin.firmware import fitting
from spiketwin.firmware.synthesis import Family, synthesise
from spiketwin.hdl.gateware.core.digest import Digest
from spiketwin.hdl.spec.params import MAX_DIGEST_ROUNDS, preset

FIGURES: Final = Path(__file__).with_name("digests.json")

UNITS: Final = {
    "ECP5 full": (Family.ECP5, "full"),
    "Artix-7 full": (Family.XC7, "full"),
    "iCE40 up5k": (Family.ICE40_ULTRA_PLUS, "up5k"),
}
"""What is mapped, by its name in the figures: to which family, with the sizes of which core."""

_LUTS: Final = {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 4, "SB_LUT4": 1}
"""LUTs that a cell of an ECP5 or an iCE40 takes, those of carries and small memories included."""

_FLIP_FLOPS: Final = ("TRELLIS_FF", "SB_DFF", "FD")
_BLOCK_RAMS: Final = ("DP16KD", "SB_RAM40", "RAMB")


def takes(unit: str, rounds: int) -> dict[str, int]:
    """Map a unit: give its LUTs, flip-flops and block RAMs."""
    family, core = UNITS[unit]
    digest = Digest(preset(f"{core},digest_rounds={rounds}"))
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "digest.il").write_text(convert(digest, name="Digest", emit_src=False))
        writes = ["tee -q -o cells.json stat -json"]
        synthesise(family, "digest.il", "Digest", writes, folder, folder / "synthesis.log")
        design = json.loads((folder / "cells.json").read_text())["design"]
    cells: dict[str, int] = design["num_cells_by_type"]
    if family is Family.XC7:
        luts = fitting.xc7_uses(design)["logic"].used
    else:
        luts = sum(count * cells.get(cell, 0) for cell, count in _LUTS.items())
    return {
        "luts": luts,
        "flip_flops": _count(cells, _FLIP_FLOPS),
        "block_rams": _count(cells, _BLOCK_RAMS),
    }


def _count(cells: dict[str, int], kinds: tuple[str, ...]) -> int:
    return sum(count for cell, count in cells.items() if cell.startswith(kinds))


def main() -> None:
    """Map all, and store what they take."""
    rounds = range(1, MAX_DIGEST_ROUNDS + 1)
    figures = {unit: [takes(unit, count) for count in rounds] for unit in UNITS}
    FIGURES.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
