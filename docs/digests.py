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

from spiketwin.firmware.family import families
from spiketwin.firmware.synthesis import synthesis
from spiketwin.hdl.gateware.core.digest import Digest
from spiketwin.hdl.spec.params import MAX_DIGEST_ROUNDS, preset

FIGURES: Final = Path(__file__).with_name("digests.json")

UNITS: Final = {
    "ECP5 full": ("ecp5", "full"),
    "Artix-7 full": ("xc7", "full"),
    "iCE40 up5k": ("ice40", "up5k"),
}
"""What is mapped, by its name in the figures: to which family, with the sizes of which core."""


def takes(unit: str, rounds: int) -> dict[str, int]:
    """Map a unit: give its LUTs, flip-flops and block RAMs."""
    name, core = UNITS[unit]
    family = families()[name]
    digest = Digest(preset(f"{core},digest_rounds={rounds}"))
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "digest.il").write_text(convert(digest, name="Digest", emit_src=False))
        writes = ["tee -q -o cells.json stat -json"]
        synthesis(family, "digest.il", "Digest", writes).run(folder)
        design = json.loads((folder / "cells.json").read_text())["design"]
    used = family.count(design["num_cells_by_type"])
    return {
        "luts": used["logic"],
        "flip_flops": used["flip_flops"],
        "block_rams": used["memory"],
    }


def main() -> None:
    """Map all, and store what they take."""
    rounds = range(1, MAX_DIGEST_ROUNDS + 1)
    figures = {unit: [takes(unit, count) for count in rounds] for unit in UNITS}
    FIGURES.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
