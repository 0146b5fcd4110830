"""``spiketwin bench``: the project's own performance figures."""

from __future__ import annotations

from pathlib import Path
from typing import Final, cast

import click
from rich.console import Console
from rich.table import Table

from spiketwin.cosim import bench as figures_of
from spiketwin.host.cli import options

_EXPLAINED: Final = (
    ("core", "row_synapses_per_cycle", "synapses a cycle, rows of a burst of eight, full"),
    ("core", "column_synapses_per_cycle", "synapses a cycle, columns of a burst of eight, full"),
    ("core", "ncx_cycles_per_tick", "cycles a tick, ncx, learning, 2 % of sources active"),
    ("rtl", "cycles_per_second", "cycles a second of rtl: through the host library, full"),
    ("rtl", "ratio_to_bare_verilator", "the same, to a bare Verilator loop on the same RTL"),
    ("rtl", "ticks_per_second", "ticks a second of rtl:, learning, 2 % active, full"),
    ("cocotb", "cycles_per_second", "cycles a second of the core's testbench, all state compared"),
    ("model", "ticks_per_second", "ticks a second of the model, learning, 2 % active"),
    ("model", "ticks_per_second_as_target", "ticks a second of model: through the host library"),
    ("model", "ratio_to_rtl", "ticks a second, model to rtl:, full"),
    ("link", "upload_fraction_of_line_rate", "payload of a weight upload, of the line rate, pins"),
    ("link", "stream_fraction_of_line_rate", "payload of an output stream, of the line rate, pins"),
)


@click.command()
@options.json_file
def bench(json_file: Path | None) -> None:
    """Measure the project's own performance on this machine.

    Counts of cycles are exact and the same everywhere. What takes time is measured in turns with
    what it is compared to, so the ratios hold where the seconds do not. A busy machine spoils
    both: run nothing else.

    \b
    spiketwin bench
    spiketwin bench --json figures.json
    """  # noqa: D301
    console = Console()
    with console.status("", spinner="dots") as status:
        figures = figures_of.measure(lambda part: status.update(f"Measuring {part}"))
    table = Table("figure", "value", "what it is")
    for group, name, meaning in _EXPLAINED:
        value = figures[group][name]
        for size, number in value.items() if isinstance(value, dict) else (("", value),):
            label = f"{group}.{name}" + (f".{size}" if size else "")
            table.add_row(label, _readable(cast(float, number)), meaning)
    console.print(table)
    if json_file is not None:
        options.write_json(json_file, figures)


def _readable(number: float) -> str:
    return f"{number:,.0f}" if number >= 1000 else f"{number:.3g}"
