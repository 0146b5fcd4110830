"""What each option of a core takes of an FPGA: maps a core with it and one without."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any, Final

from spiketwin.firmware.family import Family, families
from spiketwin.firmware.synthesis import synthesis, synthesis_version
from spiketwin.hdl.builds import BuildError, built_once
from spiketwin.hdl.gateware import emit
from spiketwin.hdl.spec.params import preset

BASE: Final = "full,n_axons=64,n_neurons=64"
"""A small core with the usual lanes."""

TABLE: Final = "n_projections=8,weight_depth=1024"
"""A table of projections for just as many weights."""

OPTIONS: Final = (
    (BASE, "learning=0"),
    (BASE, "digest_rounds=1"),
    (BASE, "saturation_counters=1"),
    (BASE, "n_profiles=4"),
    (BASE, "decay_shift=1"),
    (BASE, "receptors=2"),
    (BASE, "probe_ranges=2"),
    (BASE, "bias_events=1"),
    (BASE, TABLE),
    (f"{BASE},{TABLE}", "sparse_rows=256"),
    (f"{BASE},{TABLE}", "n_relays=64,max_delay=16"),
    (f"{BASE},{TABLE}", "synapse_delay_width=3"),
    (f"{BASE},{TABLE}", "n_rules=4"),
    (f"{BASE},{TABLE},n_rules=4", "window_bits=8"),
)
"""The core without each option, and the sizes that add the option."""

HELP: Final = """
maps a small core with its link to a family of FPGAs, and the same core with each of its options,
and prints what each option adds to the core without it: LUTs, flip-flops, block RAMs and
multipliers. All figures are estimated by Yosys' mapping: nothing is placed, so there is no clock.

A core takes about a minute. What was mapped once is taken from where it lies, so a call that was
broken off goes on where it ended. Exits with status 1 if a tool failed.
"""

COLUMNS: Final = {
    "logic": "LUTs", "flip_flops": "flip-flops", "memory": "block RAMs", "dsp": "multipliers",
}  # fmt: skip


def cores() -> dict[str, tuple[str, str] | None]:
    """Return all cores to map: what each adds to which other; None for the base."""
    return {BASE: None, **{f"{without},{added}": (without, added) for without, added in OPTIONS}}


def takes(family: Family, core: str) -> dict[str, int]:
    """Map a core with its link: give its cells of each kind."""
    design = emit.rtlil("PinsTop", preset(core))
    call = synthesis(family, "core.il", "PinsTop", ["tee -q -o cells.json stat -json"])

    def make(folder: Path) -> None:
        (folder / "core.il").write_text(design)
        call.run(folder)

    shapes = (design, repr(call), synthesis_version())
    folder = built_once("mapped", hashlib.sha256("\n".join(shapes).encode()).hexdigest(), make)
    cells = json.loads((folder / "cells.json").read_text())["design"]["num_cells_by_type"]
    used = family.count(cells)
    return {kind: used[kind] for kind in COLUMNS}


def main(words: list[str]) -> int:
    """Map all, and write what was mapped so far after each core."""
    parser = argparse.ArgumentParser(
        prog="python docs/options.py",
        description=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="python docs/options.py --json docs/options.json && python docs/generate.py\n"
        "makes the table in docs/sizes.md anew.",
    )
    parser.add_argument(
        "--family", default="ecp5", choices=families(),
        help="the family of FPGAs to map to (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="file for the figures")
    wanted = parser.parse_args(words)
    mapped: dict[str, Any] = {}
    for number, (core, adds) in enumerate(cores().items(), 1):
        print(f"{number} of {len(cores())}: {core}", flush=True)
        without, added = adds or (None, None)
        try:
            used = takes(families()[wanted.family], core)
        except BuildError as error:
            print(error, file=sys.stderr)
            return 1
        less = mapped[without]["takes"] if without else None
        counts = (
            f"{used[kind] - less[kind]:+,} {title}" if less else f"{used[kind]:,} {title}"
            for kind, title in COLUMNS.items()
        )
        print(f"  {', '.join(counts)} (estimated)", flush=True)
        mapped[core] = {"without": without, "added": added, "takes": used}
        if wanted.json is not None:
            figures = {"family": wanted.family, "cores": mapped}
            wanted.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
