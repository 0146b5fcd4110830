"""``spiketwin demo``: handwritten digits, learned on several targets that are compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from spiketwin.cosim.demo.compare import COMPARED, Comparison, compare
from spiketwin.cosim.demo.digits import Digits, load
from spiketwin.cosim.demo.plots import save_all
from spiketwin.cosim.demo.run import Record, run
from spiketwin.host.cli import options


@click.command(
    epilog="\b\n"
    "spiketwin demo\n"
    "spiketwin demo --images 100 --on model:\n"
    "spiketwin demo --on model: --on /dev/ttyUSB1 --json demo.json"
)
@click.option(
    "--on",
    "urls",
    multiple=True,
    default=("model:", "rtl:"),
    show_default=True,
    metavar="URL",
    help="Target to learn on; give several to compare them with the first.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, (1 << 32) - 1),
    default=0,
    show_default=True,
    help="Seed of the first weights, the order of the images and the stochastic rounding.",
)
@click.option(
    "--images",
    type=click.IntRange(min=1),
    help="Take only so many images to train and to test, for a quick look.",
)
@options.json_file
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("spiketwin-demo"),
    show_default=True,
    help="Folder for the pictures.",
)
def demo(
    urls: tuple[str, ...], seed: int, images: int | None, json_file: Path | None, output: Path
) -> None:
    """Learn handwritten digits on the model and on the RTL, and prove the two equal.

    The network learns on each target by itself, from random weights. Every spike, weight, state
    variable and cycle is compared. Exits with status 1 if anything differs.
    """
    console = Console()
    output.mkdir(parents=True, exist_ok=True)
    digits = load()
    if images is not None:
        digits = digits.first(images)
    records = {
        name: _learn(console, name, url, digits, seed)
        for name, url in zip(_names(urls), urls, strict=True)
    }
    (first_name, first), *others = records.items()
    comparisons = [compare(first, record, (first_name, name)) for name, record in others]

    console.print(_table(records))
    for path in save_all(records, output):
        console.print(f"picture  {path}", soft_wrap=True, markup=False)
    if json_file is not None:
        options.write_json(json_file, _report(digits, records, comparisons))
    _verdict(console, comparisons)


def _names(urls: tuple[str, ...]) -> list[str]:
    """Names of the targets: their addresses, told apart where the same one is given again."""
    return [
        url if url not in urls[:index] else f"{url} ({urls[:index].count(url) + 1})"
        for index, url in enumerate(urls)
    ]


def _learn(console: Console, name: str, url: str, digits: Digits, seed: int) -> Record:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("images"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(f"{name} connecting", total=None)
        return run(
            url,
            digits,
            seed=seed,
            progress=lambda phase, done, total: progress.update(
                task, description=f"{name} {phase}", completed=done, total=total
            ),
        )


def _table(records: dict[str, Record]) -> Table:
    table = Table(
        title="Handwritten digits, learned on the core",
        box=SIMPLE_HEAD,
        collapse_padding=True,
        pad_edge=False,
    )
    table.add_column("target", no_wrap=True)
    for column in ("accuracy", "ticks", "spikes", "cycles", "a tick", "seconds", "ticks/s"):
        table.add_column(column, justify="right", no_wrap=True)
    for name, record in records.items():
        cycles = int(record.cycles.sum())
        table.add_row(
            name,
            f"{100 * record.accuracy():.2f} %",
            f"{record.ticks:,}",
            f"{len(record.spikes):,}",
            f"{cycles:,}",
            f"{cycles / record.ticks:.1f}",
            f"{record.seconds:.1f}",
            f"{record.ticks / record.seconds:,.0f}",
        )
    return table


def _report(
    digits: Digits, records: dict[str, Record], comparisons: list[Comparison]
) -> dict[str, Any]:
    """Figures as JSON; `equal` is null where only one target was run."""
    targets = {}
    for name, record in records.items():
        cycles = int(record.cycles.sum())
        targets[name] = {
            "accuracy": record.accuracy(),
            "ticks": record.ticks,
            "seconds": record.seconds,
            "cycles": cycles,
            "cycles_per_second": cycles / record.seconds,
        }
    return {
        "dataset": {"train": len(digits.train), "test": len(digits.test)},
        "targets": targets,
        "compared": {
            name: sum(getattr(comparison, name) for comparison in comparisons)
            for name in ("ticks", "spikes", "weights")
        },
        "equal": {
            name: all(name not in comparison.differences for comparison in comparisons)
            if comparisons
            else None
            for name in COMPARED
        },
    }


def _verdict(console: Console, comparisons: list[Comparison]) -> None:
    """Say whether the targets are equal; exit with status 1 if not."""
    differences = [text for each in comparisons for text in each.differences.values()]
    for text in differences:
        console.print(f"DIFFERENT  {text}", style="bold red", markup=False, soft_wrap=True)
    if differences:
        raise click.exceptions.Exit(1)
    if not comparisons:
        console.print("Nothing to compare with: give --on twice.")
    for each in comparisons:
        console.print(
            f"EQUAL  {each.spikes:,} spikes, {each.weights:,} weights, all state, and the cycles "
            f"of {each.ticks:,} ticks and of each spike",
            style="bold green",
            soft_wrap=True,
        )
