"""``spiketwin demo``: handwritten digits, learned on several targets that are compared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from spiketwin.cosim.demo.compare import COMPARED, Comparison, compare
from spiketwin.cosim.demo.digits import Digits, load
from spiketwin.cosim.demo.lesson import lesson
from spiketwin.cosim.demo.plots import PICTURES, save_all
from spiketwin.cosim.demo.recipe import RECIPE
from spiketwin.cosim.demo.run import SIZES, Record, learn, run
from spiketwin.host import connect
from spiketwin.host.cli import live, options
from spiketwin.host.targets import origin


@click.command(
    epilog="\b\n"
    "spiketwin demo\n"
    "spiketwin demo --images 100 --on model:\n"
    "spiketwin demo --live --on model:\n"
    "spiketwin demo --images 50 --on rtl: --on netlist:\n"
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
@options.line
@live.option
@options.json_file
@click.option(
    "--output",
    type=options.OutputFolder(),
    default=Path("spiketwin-demo"),
    show_default=True,
    help="Folder for the pictures.",
)
def demo(
    urls: tuple[str, ...],
    seed: int,
    images: int | None,
    baud: int | None,
    retries: int,
    is_live: bool,
    json_file: Path | None,
    output: Path,
) -> None:
    """Learn handwritten digits on the model and on the RTL, and prove the two equal.

    The network learns on each target by itself, from random weights. Every spike, weight, state
    variable and cycle is compared. Exits with status 1 if anything differs.
    """
    options.check_distinct(
        {"--json": json_file}, {f"a picture, {name},": output / name for name in PICTURES}, urls
    )
    rates = options.rates(urls, baud)
    console = options.console()
    output.mkdir(parents=True, exist_ok=True)
    digits = load()
    if images is not None:
        digits = digits.first(images)
    screen = live.terminal() if is_live else None
    records = {
        name: _learn(name, url, digits, seed, rate, retries, console)
        if screen is None
        else _learn_live(name, url, digits, seed, rate, retries, screen)
        for name, url, rate in zip(options.told_apart(urls), urls, rates, strict=True)
    }
    (first_name, first), *others = records.items()
    comparisons = [compare(first, record, (first_name, name)) for name, record in others]

    outputs = options.Outputs()
    outputs.json(json_file, _report(digits, records, comparisons))
    pictures = outputs.attempt(lambda: save_all(records, output))
    console.print(_table(records))
    for path in pictures or ():
        console.print(f"picture  {path}", soft_wrap=True, markup=False)
    outputs.check()
    _verdict(console, comparisons)


def _learn(
    name: str, url: str, digits: Digits, seed: int, baud: int | None, retries: int, console: Console
) -> Record:
    with options.progress_bar(console, "images") as bar:
        task = bar.add_task(f"{name} connecting", total=None)
        return run(
            url,
            digits,
            seed=seed,
            baud=baud,
            retries=retries,
            progress=lambda phase, done, total: bar.update(
                task, description=f"{name} {phase}", completed=done, total=total
            ),
        )


def _learn_live(
    name: str, url: str, digits: Digits, seed: int, baud: int | None, retries: int, console: Console
) -> Record:
    with options.stages(console) as stage:
        stage(f"{name} connecting")
        core = connect(url, params=SIZES, baud=baud, retries=retries)
    phases = RECIPE.phases(digits, seed)
    with core:
        view, watch = lesson(core, name, RECIPE.taught(), phases)
        with live.drawn(view, console):
            return learn(core, RECIPE.network(seed), phases, RECIPE.ticks, watch=watch)


def _table(records: dict[str, Record]) -> Table:
    """One column a target, which stays readable where a terminal is narrow."""
    table = Table(
        title="Handwritten digits, learned on the core",
        box=SIMPLE_HEAD,
        collapse_padding=True,
        pad_edge=False,
    )
    table.add_column("", overflow="fold")
    for name in records:
        table.add_column(f"{name}\n{origin(name)}", justify="right", overflow="fold")
    figures: dict[str, Callable[[Record], str]] = {
        "accuracy": lambda record: f"{100 * record.accuracy():.2f} %",
        "ticks": lambda record: f"{record.ticks:,}",
        "spikes": lambda record: f"{len(record.spikes):,}",
        "cycles": lambda record: f"{record.cycles.sum():,}",
        "cycles a tick": lambda record: f"{record.cycles.mean():.1f}",
        "seconds (measured)": lambda record: f"{record.seconds:.1f}",
        "ticks a second (measured)": lambda record: f"{record.ticks / record.seconds:,.0f}",
    }
    for title, text in figures.items():
        table.add_row(title, *map(text, records.values()))
    return table


def _report(
    digits: Digits, records: dict[str, Record], comparisons: list[Comparison]
) -> dict[str, Any]:
    """Figures as JSON; where one target alone was run, nothing is said of comparing."""
    report: dict[str, Any] = {
        "dataset": {"train": len(digits.train), "test": len(digits.test)},
        "targets": {name: _figures(name, record) for name, record in records.items()},
    }
    if comparisons:
        report["compared"] = {
            name: sum(getattr(comparison, name) for comparison in comparisons)
            for name in ("ticks", "spikes", "weights")
        }
        report["equal"] = {
            name: all(name not in comparison.differences for comparison in comparisons)
            for name in COMPARED
        }
    return report


def _figures(name: str, record: Record) -> dict[str, float]:
    """Figures of one target; the model has no clock, so no cycles are counted on it."""
    figures = {
        "accuracy": record.accuracy(),
        "ticks": record.ticks,
        "seconds": record.seconds,
    }
    if origin(name) != "computed":
        cycles = int(record.cycles.sum())
        figures |= {"cycles": cycles, "cycles_per_second": cycles / record.seconds}
    return figures


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
