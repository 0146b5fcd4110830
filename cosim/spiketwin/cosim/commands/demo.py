"""``spiketwin demo``: handwritten digits, learned on several targets that are compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from spiketwin.cosim.demo.compare import DemoComparison, compare
from spiketwin.cosim.demo.lesson import lesson
from spiketwin.cosim.demo.plots import PICTURES, save_all
from spiketwin.cosim.demo.result import DemoResult
from spiketwin.cosim.demo.run import SIZES, Record, learn
from spiketwin.cosim.digits.encoding import load
from spiketwin.cosim.digits.recipe import RECIPE, Phase, parted
from spiketwin.host import connect
from spiketwin.host.cli import live, options, progress
from spiketwin.host.cli.outcome import Outcome, end
from spiketwin.host.targets import origin

_ON: Final = ("model:", "rtl:?level=core")
_PART_ON: Final = "rtl:"
_PART: Final = 40
"""Images, each shown twice: about three seconds of simulation that includes the link."""


@dataclass(frozen=True)
class _Target:
    """A target, the phases that it is shown, and the rate of its line."""

    url: str
    phases: tuple[Phase, ...]
    baud: int | None


@click.command(
    epilog="\b\n"
    "spiketwin demo\n"
    "spiketwin demo --images 100 --on model:\n"
    "spiketwin demo --live --on model:\n"
    "spiketwin demo --images 50 --on rtl: --on netlist:\n"
    "spiketwin demo --on model: --part-on rtl:?level=pins --part 5\n"
    "spiketwin demo --on model: --on /dev/ttyUSB1 --json demo.json"
)
@click.option(
    "--on",
    "urls",
    multiple=True,
    metavar="URL",
    help="Target to learn on; give several to compare them with the first. "
    f"Default: {' and '.join(_ON)}.",
)
@click.option(
    "--part-on",
    "part_url",
    metavar="URL",
    help="Target to learn only the first images on, compared like the others. "
    f"Default: {_PART_ON}, through the gateware of the link; none where --on is given.",
)
@click.option(
    "--part",
    type=click.IntRange(min=1),
    help=f"Images of the first pass that --part-on learns. Default: {_PART}.",
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
    part_url: str | None,
    part: int | None,
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
    variable and cycle is compared. The RTL that learns it all is that of the core alone; a part is
    learned through the gateware of the link as well. Exits with status 1 if anything differs.
    """
    if part_url is None:
        part_url = "" if urls else _PART_ON
    if not part_url and part is not None:
        raise click.UsageError(
            f"--part {part} would have no effect: name the target that is to learn only so many "
            "images by --part-on, or leave it out"
        )
    part = _PART if part is None else part
    urls = (*(urls or _ON), *filter(None, (part_url,)))
    options.check_distinct(
        {"--json": json_file}, {f"a picture, {name},": output / name for name in PICTURES}, urls
    )
    rates = options.rates(urls, baud)
    console = options.console()
    output.mkdir(parents=True, exist_ok=True)
    digits = load()
    if images is not None:
        digits = digits.first(images)
    targets = _targets(urls, RECIPE.phases(digits, seed), rates, part if part_url else None)
    screen = live.terminal() if is_live else None
    records = {
        name: _learn(name, target, seed, retries, console)
        if screen is None
        else _learn_live(name, target, seed, retries, screen)
        for name, target in zip(options.told_apart(urls), targets, strict=True)
    }
    comparisons = _compare(records)
    outputs = options.Outputs()
    outputs.json(json_file, DemoResult.of(digits, records, comparisons))
    whole = {name: record for name, record in records.items() if record.is_whole}
    pictures = outputs.attempt(lambda: save_all(whole, output))
    console.print(_table(records))
    for path in pictures or ():
        console.print(f"picture  {path}", soft_wrap=True, markup=False)
    outputs.check()
    _end(console, records, comparisons)


def _targets(
    urls: Sequence[str],
    phases: tuple[Phase, ...],
    rates: Sequence[int | None],
    part: int | None,
) -> list[_Target]:
    """Return the targets; with `part`, the last one is shown only so many images."""
    shown = [phases] * len(urls)
    if part is not None:
        phases = parted(phases, part)
        shown = [*[phases] * (len(urls) - 1), phases[:1]]
    return list(map(_Target, urls, shown, rates))


def _learn(name: str, target: _Target, seed: int, retries: int, console: Console) -> Record:
    with progress.shown(console, "images") as display:
        display(f"{name} connecting", 0, None)
        with connect(target.url, params=SIZES, baud=target.baud, retries=retries) as core:
            return learn(
                core,
                RECIPE.network(seed),
                target.phases,
                RECIPE.ticks,
                progress=lambda phase, done, total: display(f"{name} {phase}", done, total),
            )


def _learn_live(name: str, target: _Target, seed: int, retries: int, console: Console) -> Record:
    with progress.shown(console) as display:
        display.stage(f"{name} connecting")
        core = connect(target.url, params=SIZES, baud=target.baud, retries=retries)
    with core:
        view, watch = lesson(core, name, RECIPE.taught(), target.phases)
        with live.drawn(view, console):
            return learn(core, RECIPE.network(seed), target.phases, RECIPE.ticks, watch=watch)


def _compare(records: dict[str, Record]) -> dict[str, DemoComparison]:
    """Compare the first record with all others; return the results by their names."""
    (first_name, first), *others = records.items()
    return {name: compare(first, record, (first_name, name)) for name, record in others}


def _table(records: dict[str, Record]) -> Table:
    """Return a table with one column per target, which fits a narrow terminal."""
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
        "presentations": lambda record: f"{record.presentations:,}",
        "accuracy": lambda record: f"{100 * record.accuracy():.2f} %" if record.is_whole else "–",
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


def _end(
    console: Console, records: dict[str, Record], comparisons: dict[str, DemoComparison]
) -> None:
    """Print whether the targets are equal; exit with status 1 if they are not."""
    outcomes = [
        Outcome(False, "DIFFERENT", (text,))
        for each in comparisons.values()
        for text in each.differences.values()
    ]
    if not outcomes:
        outcomes = [
            Outcome(True, "EQUAL", (_equality(name, each, records),))
            for name, each in comparisons.items()
        ]
    for outcome in outcomes:
        outcome.say(console)
    end(all(each.passed for each in outcomes))
    if not outcomes:
        console.print("Nothing to compare with: give --on twice.")


def _equality(name: str, found: DemoComparison, records: dict[str, Record]) -> str:
    """Return a sentence about what is equal on a target and on the first one."""
    first_name, first = next(iter(records.items()))
    return (
        f"{found.spikes:,} spikes, {found.weights:,} weights, all state, and the cycles "
        f"of {found.ticks:,} ticks and of each spike, on {first_name} and {name}"
        f"{_ran(name, records[name], first)}"
    )


def _ran(name: str, record: Record, first: Record) -> str:
    """Return how much a target that ran a part ran, and whether its link is gateware."""
    if record.is_whole:
        return ""
    link = ", through the gateware of the link" if _has_link(name) else ""
    shown = f"{record.presentations:,} of {first.presentations:,} presentations"
    return f", which ran the first {shown}{link}"


def _has_link(name: str) -> bool:
    return origin(name) != "computed" and "level=core" not in name
