"""``spiketwin build``: the bitstream of a core for a board."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any, Final

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from spiketwin.firmware.board import board, boards
from spiketwin.firmware.build import Build, TimingMissed
from spiketwin.firmware.build import build as build_core
from spiketwin.firmware.errors import BoardError, ClockError
from spiketwin.firmware.family import VendorProject
from spiketwin.firmware.figures import BuildFigures
from spiketwin.firmware.plan import plan
from spiketwin.firmware.target import ResolvedBoard, resolve
from spiketwin.hdl.spec.params import PRESETS, CoreParams
from spiketwin.host.cli import options, progress
from spiketwin.host.replacing import replacing

_LEAST_MHZ: Final = 0.001
_MOST_MHZ: Final = 100_000.0
"""Range of clocks in MHz that a call may request; the PLL of a board makes far fewer."""

_BOARD_FILE: Final = "spiketwin.board_file"

KINDS: Final = {
    "logic": "logic cells",
    "flip_flops": "flip-flops",
    "memory": "block RAMs",
    "dsp": "multipliers",
    "spram": "single-port RAMs",
}
"""Resources of an FPGA, by their names in the figures."""


class _Clock(click.FloatRange):
    """A range of floats that excludes `nan`."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        found = float(super().convert(value, param, ctx))
        if math.isnan(found):
            self.fail(f"{value!r} is no number")
        return found


def _board(text: str) -> ResolvedBoard:
    """Return the board with this name or in this file, if a core can be built for it."""
    found = board(text)
    try:
        target = resolve(found)
    except BoardError as error:
        raise BoardError(f"{text}: {error}") from error
    click.get_current_context().meta[_BOARD_FILE] = Path(text) if text.endswith(".py") else None
    return target


def board_file() -> Path | None:
    """Return the file that describes the board of the call; None for one of ours."""
    found: Path | None = click.get_current_context().meta[_BOARD_FILE]
    return found


on_board = click.option(
    "--board",
    "wanted",
    required=True,
    type=options.read_by(_board),
    metavar="BOARD",
    help="Name of a board, or a Python file that describes one, which is run (docs/boards.md).",
)
of_size = click.option(
    "--params",
    type=options.SIZES,
    metavar="SIZES",
    help=f"The core: a reference size ({', '.join(PRESETS)}), and fields that differ from it: "
    "full,lanes=4. Default: what fits the board.",
)


def _known() -> str:
    """Return the list of boards, as a paragraph that click leaves as it is."""
    lines = [
        f"  {known.name:18}{known.title:36}{known.clock_hz / 1e6:3g} MHz  {known.params}"
        for known in boards().values()
    ]
    return "\b\nboards, each with the core that fits it and its clock:\n" + "\n".join(lines)


@click.command(
    epilog=f"{_known()}\n\n\b\n"
    "spiketwin build --board icebreaker\n"
    "spiketwin build --board ulx3s_85f --params full,lanes=4 --clock 60 --json figures.json\n"
    "spiketwin build --board ./my_board.py"
)
@on_board
@of_size
@click.option(
    "--clock",
    "clock_mhz",
    type=_Clock(_LEAST_MHZ, _MOST_MHZ),
    metavar="MHZ",
    help="Clock of the core. Default: the board's.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0, max=(1 << 31) - 1),
    default=1,
    show_default=True,
    help="Seed of the placement: another one gives another timing.",
)
@click.option(
    "--netlist",
    "keep_netlist",
    is_flag=True,
    help="Also keep what was placed and routed, to simulate it (docs/boards.md).",
)
@click.option(
    "--out",
    type=options.OutputFolder(),
    metavar="DIR",
    help="Folder to copy everything to: bitstream, pins, reports and logs.",
)
@options.json_file
def build(
    wanted: ResolvedBoard,
    params: CoreParams | None,
    clock_mhz: float | None,
    seed: int,
    keep_netlist: bool,
    out: Path | None,
    json_file: Path | None,
) -> None:
    """Build the bitstream of a core for a board, with open tools alone.

    For an Artix-7 it is a project for Vivado instead, which has to be run on it, and an estimate of
    what it uses. What was built once is taken from where it lies. Exits with status 1 if the core
    does not fit or is slower than its clock.
    """
    options.check_distinct({"--json": json_file}, {"--board": board_file()})
    flow = wanted.family.flow
    if keep_netlist and isinstance(flow, VendorProject):
        raise click.UsageError(f"--netlist: no open tool routes a {wanted.family.title} FPGA")
    console = options.console()
    clock_hz = round(clock_mhz * 1e6) if clock_mhz else None
    missed = None
    try:
        made = built(console, wanted, params, clock_hz, seed, keep_netlist=keep_netlist)
    except TimingMissed as error:
        made, missed = error.build, error
    outputs = options.Outputs()
    outputs.json(json_file, BuildFigures.of(made.figures))
    if out is not None:
        outputs.attempt(lambda: _copy(made.folder, out))
    console.print(_table(made))
    outputs.check()
    folder = out or made.folder
    if missed is not None:
        raise missed
    if made.bitstream is not None:
        _say(console, f"bitstream  {folder / made.bitstream.name}")
    elif isinstance(flow, VendorProject):
        _say(console, f"project    {folder}: there run {flow.command}")
    _say(console, f"pins       {folder / 'pins.json'}")
    if wanted.board.notes:
        _say(console, wanted.board.notes)


def _copy(made: Path, out: Path) -> None:
    """Copy all files of a build into a folder, each whole or not at all."""
    for source in [path for path in made.rglob("*") if path.is_file()]:
        copy = out / source.relative_to(made)
        copy.parent.mkdir(parents=True, exist_ok=True)
        with source.open("rb") as file, replacing(copy) as written:
            shutil.copyfileobj(file, written)


def built(
    console: Console,
    wanted: ResolvedBoard,
    params: CoreParams | None,
    clock_hz: int | None = None,
    seed: int = 1,
    *,
    keep_netlist: bool = False,
) -> Build:
    """Build a core and report each stage; an impossible clock or board is a wrong call."""
    # Amaranth detects some errors in a board only when it builds for it.
    faults = {ClockError: "--clock", BoardError: "--board"}
    with options.blamed_on(faults), progress.shown(console) as display:
        planned = plan(wanted, params, clock_hz=clock_hz, seed=seed, keep_netlist=keep_netlist)
        return build_core(planned, display.stage)


def _table(made: Build) -> Table:
    figures = made.figures
    table = Table(title=f"{figures['board']}", box=SIMPLE_HEAD, pad_edge=False)
    for column in ("", "used", "of", "%"):
        table.add_column(column, justify="right" if column else "left")
    for kind, title in KINDS.items():
        if kind in figures:
            used, available = figures[kind]["used"], figures[kind]["available"]
            table.add_row(title, f"{used:,}", f"{available:,}", f"{100 * used / available:.0f}")
    table.add_row("clock, MHz", f"{figures['target_mhz']:.4g}", "", "")
    if figures["fmax_mhz"] is not None:
        table.add_row("good for, MHz", f"{figures['fmax_mhz']:.4g}", "", "")
    table.add_row("fastest line, baud", f"{figures['max_baud']:,}", "", "")
    table.caption = figures["origin"]
    return table


def _say(console: Console, line: str) -> None:
    console.print(line, soft_wrap=True, markup=False, highlight=False)
