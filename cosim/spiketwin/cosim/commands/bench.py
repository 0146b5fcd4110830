"""``spiketwin bench``: the project's own performance figures."""

from __future__ import annotations

from pathlib import Path
from typing import Final, cast

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from spiketwin.cosim import bench as figures_of
from spiketwin.cosim.bench import Figures
from spiketwin.host.cli import options

_SIMULATED: Final = "simulated"
_MEASURED: Final = "measured"
_COMPUTED: Final = "computed"

SHOWN: Final = {
    "core": (
        ("row_synapses_per_cycle", "synapses a cycle, 8 rows, full", _SIMULATED),
        ("column_synapses_per_cycle", "synapses a cycle, 8 columns, full", _SIMULATED),
        ("ncx_cycles_per_tick", "cycles a tick, 2 % active, ncx", _SIMULATED),
    ),
    "rtl": (
        ("cycles_per_second", "cycles a second, full", _MEASURED),
        ("ratio_to_bare_verilator", "the same, to a bare Verilator loop", _MEASURED),
        ("ticks_per_second", "ticks a second, 2 % active, full", _MEASURED),
    ),
    "netlist": (("cycles_per_second", "cycles a second, ECP5, digits", _MEASURED),),
    "cocotb": (("cycles_per_second", "cycles a second, one await a tick, ncx", _MEASURED),),
    "model": (
        ("ticks_per_second", "ticks a second, 2 % active", _MEASURED),
        ("ticks_per_second_as_target", "ticks a second by the link, 2 % active", _MEASURED),
        ("ratio_to_rtl", "ticks a second, to those of rtl:, full", _MEASURED),
    ),
    "link": (
        ("upload_fraction_of_line_rate", "weights in an upload, of the line rate", _SIMULATED),
        ("stream_fraction_of_line_rate", "words in a stream, of the line rate", _SIMULATED),
    ),
    "demo": (("worst_accuracy_of_five_seeds", "accuracy on model:, worst of 5 seeds", _COMPUTED),),
}
"""By group: the figures, what they are called in the table, and how they come about."""


@click.command(epilog="\b\nspiketwin bench\nspiketwin bench --json bench.json")
@options.json_file
def bench(json_file: Path | None) -> None:
    """Measure the project's own performance on this machine.

    Counts of cycles are exact and the same everywhere. What takes time is measured in turns with
    what it is compared to, so the ratios hold where the seconds do not. A busy machine spoils
    both: run nothing else.
    """
    console = Console()
    with options.stages(console) as report:
        figures = figures_of.measure(report)
    console.print(_table(figures))
    if json_file is not None:
        options.write_json(json_file, figures)


def _table(figures: Figures) -> Table:
    table = Table("figure", "origin", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("value", justify="right")
    for group, shown in SHOWN.items():
        table.add_row(f"[bold]{group}")
        for name, title, origin in shown:
            value = figures[group][name]
            for size, number in value.items() if isinstance(value, dict) else (("", value),):
                label = f"  {title}, {size}" if size else f"  {title}"
                table.add_row(label, origin, _readable(cast(float, number)))
    return table


def _readable(number: float) -> str:
    return f"{number:,.0f}" if number >= 1000 else f"{number:.3g}"
