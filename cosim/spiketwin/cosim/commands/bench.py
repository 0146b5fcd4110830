"""``spiketwin bench``: the project's own performance figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, cast

import click
from rich.box import SIMPLE_HEAD
from rich.table import Table

from spiketwin.cosim.trials import bench as figures_of
from spiketwin.cosim.trials import mutants
from spiketwin.cosim.trials.bench import Figures
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
    "rtl_core": (
        ("cycles_per_second", "cycles a second, level=core, full", _MEASURED),
        ("ratio_to_bare_verilator", "the same, to a bare Verilator loop", _MEASURED),
        ("ticks_per_second", "ticks a second, 2 % active, full", _MEASURED),
    ),
    "digest": (
        ("ticks", "ticks on model: and rtl:, tiny", _SIMULATED),
        ("equal_ticks", "ticks with equal digests", _SIMULATED),
        ("added_cycles_per_tick", "cycles a tick that digests add", _SIMULATED),
    ),
    "netlist": (("cycles_per_second", "cycles a second, ECP5, digits", _MEASURED),),
    "cocotb": (("cycles_per_second", "cycles a second, one await a tick, ncx", _MEASURED),),
    "model": (
        ("ticks_per_second", "ticks a second, 2 % active", _MEASURED),
        ("ticks_per_second_as_target", "ticks a second by the link, 2 % active", _MEASURED),
        ("ratio_to_rtl", "ticks a second, to those of rtl:, full", _MEASURED),
    ),
    "bulk": (
        ("ticks_per_second", "ticks a second, 256 neurons at 17 Hz", _MEASURED),
        ("ratio_to_kernel", "the same, to the model's kernel alone", _MEASURED),
    ),
    "host": (("run_to_read_counters", "time of run(1) to read_counters()", _MEASURED),),
    "batch": (
        ("runs_per_second", "runs of 2,000 ticks a second, full", _MEASURED),
        ("ratio_to_one_thread", "the same, to those of one thread", _MEASURED),
    ),
    "first_use": (
        ("seconds_to_first_tick", "seconds to the first tick, empty caches, full", _MEASURED),
    ),
    "link": (
        ("upload_fraction_of_line_rate", "weights in an upload, of the line rate", _SIMULATED),
        ("stream_fraction_of_line_rate", "words in a stream, of the line rate", _SIMULATED),
    ),
    "ledger": (
        (
            "share_of_wall_over_a_pseudo_terminal",
            "parts of the ledger, of wall time, rtl+pty:",
            _MEASURED,
        ),
        ("share_of_host_line_and_core", "host, line and core alone, of the same", _MEASURED),
    ),
    "demo": (
        ("worst_accuracy_of_five_seeds", "accuracy on model:, worst of 5 seeds", _COMPUTED),
        ("ticks_per_second", "ticks a second, 200 images", _MEASURED),
    ),
}
"""By group: the figures, what they are called in the table, and how they come about."""


@click.command(
    epilog="\b\n"
    "spiketwin bench\n"
    "spiketwin bench --json bench.json\n"
    "spiketwin bench --mutants --json mutants.json"
)
@click.option(
    "--mutants",
    "seeded",
    is_flag=True,
    help="Instead, break the gateware in twenty places, one at a time, and see whether "
    "`spiketwin compare` names each by tick, neuron or synapse, and field. Takes some minutes; "
    "status 1 if one is missed.",
)
@options.json_file
def bench(seeded: bool, json_file: Path | None) -> None:
    """Measure the project's own performance on this machine.

    Counts of cycles are exact and the same everywhere. What takes time is measured in turns with
    what it is compared to, so the ratios hold where the seconds do not. A busy machine spoils
    both: run nothing else.
    """
    console = options.console()
    measure, table = (mutants.measure, _mutants_table) if seeded else (figures_of.measure, _table)
    with options.stages(console) as report:
        figures = measure(report)
    outputs = options.Outputs()
    outputs.json(json_file, figures)
    console.print(table(figures))
    outputs.check()
    if seeded and figures["mutants"]["named"] != figures["mutants"]["seeded"]:
        raise click.exceptions.Exit(1)


def _table(figures: Figures) -> Table:
    table = Table("figure", "origin", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("value", justify="right")
    for group, shown in SHOWN.items():
        table.add_row(group, style="bold")
        for name, title, origin in shown:
            value = figures[group][name]
            for size, number in value.items() if isinstance(value, dict) else (("", value),):
                label = f"  {title}, {size}" if size else f"  {title}"
                table.add_row(label, origin, _readable(cast(float, number)))
    return table


def _mutants_table(figures: Figures) -> Table:
    group = figures["mutants"]
    table = Table("bug", "tick", "field", "source", "neuron", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("seconds", justify="right")
    for each in cast(list[dict[str, Any]], group["list"]):
        place = (
            "–" if each[n] is None else str(each[n]) for n in ("tick", "field", "source", "neuron")
        )
        style = None if each["named"] else "bold red"
        table.add_row(each["name"], *place, f"{each['seconds']:.2f}", style=style)
    table.caption = (
        f"{group['named']} of {group['seeded']} named (simulated), the slowest in "
        f"{group['slowest_seconds']:.2f} s (measured)"
    )
    return table


def _readable(number: float) -> str:
    return f"{number:,.0f}" if number >= 1000 else f"{number:.3g}"
