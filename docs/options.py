"""What each option of a core takes of an FPGA: builds a core with it and one without."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Final

from spiketwin.firmware.board import Board, board, boards
from spiketwin.firmware.build import TimingMissed, build
from spiketwin.firmware.plan import plan
from spiketwin.firmware.target import resolve
from spiketwin.hdl.builds import BuildError
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
builds a small core with its link for a board, and the same core with each of its options, and
prints what each option adds to the core without it: LUTs, flip-flops, block RAMs and multipliers,
and the highest clock of each core. All figures are estimated after routing, the clock by static
timing analysis. Every core is routed for the clock of the board, which some of them may miss.

A core takes some minutes. What was built once is taken from where it lies, so a call that was
broken off goes on where it ended. Exits with status 1 if a tool failed.
"""

COLUMNS: Final = {
    "logic": "LUTs", "flip_flops": "flip-flops", "memory": "block RAMs", "dsp": "multipliers",
}  # fmt: skip


def cores() -> dict[str, tuple[str, str] | None]:
    """Return all cores to build: what each adds to which other; None for the base."""
    return {BASE: None, **{f"{without},{added}": (without, added) for without, added in OPTIONS}}


def takes(board: Board, core: str) -> tuple[dict[str, int], float | None]:
    """Build a core for a board: give its cells of each kind, and its highest clock in MHz.

    There is no clock where no open tool routes the board.
    """
    try:
        figures = build(plan(resolve(board), preset(core))).figures
    except TimingMissed as missed:
        figures = missed.build.figures
    return {kind: figures[kind]["used"] for kind in COLUMNS}, figures["fmax_mhz"]


def main(words: list[str]) -> int:
    """Build all, and write what was built so far after each core."""
    parser = argparse.ArgumentParser(
        prog="python docs/options.py",
        description=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="python docs/options.py --json docs/options.json && python docs/generate.py\n"
        "makes the table in docs/sizes.md anew.",
    )
    parser.add_argument(
        "--board", default="ulx3s_85f", choices=boards(),
        help="the board to build for (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="file for the figures")
    wanted = parser.parse_args(words)
    built: dict[str, Any] = {}
    for number, (core, adds) in enumerate(cores().items(), 1):
        print(f"{number} of {len(cores())}: {core}", flush=True)
        without, added = adds or (None, None)
        try:
            used, fmax_mhz = takes(board(wanted.board), core)
        except BuildError as error:
            print(error, file=sys.stderr)
            return 1
        less = built[without]["takes"] if without else None
        counts = (
            f"{used[kind] - less[kind]:+,} {title}" if less else f"{used[kind]:,} {title}"
            for kind, title in COLUMNS.items()
        )
        clock = f", {fmax_mhz:.1f} MHz" if fmax_mhz else ""
        print(f"  {', '.join(counts)}{clock} (estimated)", flush=True)
        built[core] = {"without": without, "added": added, "takes": used, "fmax_mhz": fmax_mhz}
        if wanted.json is not None:
            figures = {"board": wanted.board, "cores": built}
            wanted.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
