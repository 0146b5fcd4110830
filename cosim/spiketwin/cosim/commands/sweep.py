"""``spiketwin sweep``: a network in real time, from keeping up to falling behind."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from spiketwin.cosim.commands import played
from spiketwin.cosim.commands.played import Played
from spiketwin.cosim.compare import comparison
from spiketwin.cosim.compare.case import Case
from spiketwin.cosim.compare.comparison import FLOAT
from spiketwin.cosim.compare.subject import Subject
from spiketwin.cosim.compare.sweep import Judge, Sweep, SweepPoint, SweepResult
from spiketwin.cosim.compare.sweep import sweep as sweep_target
from spiketwin.cosim.demo.tasks import TASKS
from spiketwin.hdl.spec.installation import install_command
from spiketwin.host.cli import options, progress, stimulus
from spiketwin.host.cli.outcome import Outcome, end
from spiketwin.host.paths import readable
from spiketwin.host.progress import Progress
from spiketwin.host.targets import origin

_MOST_CYCLES: Final = (1 << 32) - 1
_MOST_PERIODS: Final = 1000
_PART: Final = re.compile(r"([0-9]{1,20})(?::([0-9]{1,20}):([0-9]{1,20}))?")
_MEASURED_BY: Final = ("elephant", "pyspike")


def tick_periods(text: str) -> tuple[int, ...]:
    """Read tick periods in cycles: ``200,400,800``, or ``100:1000:100``, first, last and step.

    Return them in ascending order; raise `click.BadParameter` if there are none, or too many.
    """
    periods: set[int] = set()
    for part in text.split(","):
        found = _PART.fullmatch(part.strip())
        if found is None:
            raise click.BadParameter(
                f"{part!r} must be a number of cycles, or FIRST:LAST:STEP: 200,400 or 100:1000:100"
            )
        first, last, step = int(found[1]), int(found[2] or found[1]), int(found[3] or 1)
        if not (1 <= first <= last <= _MOST_CYCLES and step >= 1):
            raise click.BadParameter(
                f"{part!r}: periods must ascend within 1…{_MOST_CYCLES} cycles, by 1 or more"
            )
        periods.update(range(first, last + 1, step)[: _MOST_PERIODS + 1])
    if len(periods) > _MOST_PERIODS:
        raise click.BadParameter(f"these are more than {_MOST_PERIODS} periods: take a larger step")
    return tuple(sorted(periods))


@click.command(
    epilog="\b\n"
    "spiketwin sweep net.npz --on rtl: --tick-period 200,400,800 --clock 25000000\n"
    "spiketwin sweep --preset chain --on rtl: --tick-period 200:2000:200 --plot curve.png\n"
    "spiketwin sweep --preset digits --on model: --on rtl: --tick-period 250:1000:50"
)
@played.net
@click.option(
    "--on",
    "urls",
    multiple=True,
    required=True,
    metavar="URL",
    help=f"Target: {options.TARGETS}. With several, all must do the same.",
)
@click.option(
    "--tick-period",
    "periods",
    type=tick_periods,
    required=True,
    metavar="CYCLES",
    help="Run in real time at each of these tick periods: 200,400 or FIRST:LAST:STEP.",
)
@click.option(
    "--clock",
    "clock_hz",
    type=click.IntRange(1, _MOST_CYCLES),
    metavar="HZ",
    help="Clock by which the cycles of --tick-period are time. Default: the target's.",
)
@played.arguments
@click.option(
    "--plot",
    type=options.OutputFile(".png"),
    metavar="FILE",
    help="Draw the curve over the tick periods as PNG.",
)
@options.json_file
def sweep(
    net: Path | None,
    urls: tuple[str, ...],
    periods: tuple[int, ...],
    clock_hz: int | None,
    preset_name: str | None,
    spike_file: Path | None,
    ticks: int | None,
    params: str | None,
    baud: int | None,
    retries: int,
    plot: Path | None,
    json_file: Path | None,
) -> None:
    """Run the network in the file NET in real time, and say what latency does to its spikes.

    At each tick period every target is held against its own spikes, free-running: latency, order,
    intervals, what is lost, and how right the answers of the network are if it has a task, as
    --preset digits has.

    Exits with status 1 if two targets do not do the same.
    """
    options.check_distinct(
        {"--json": json_file, "--plot": plot}, {"NET": net, "--spikes": spike_file}, urls
    )
    if FLOAT in urls:
        raise click.UsageError(
            f"--on {FLOAT} takes no time: each target is held against its own spikes, free-running"
        )
    devices = dict(zip(options.told_apart(urls), urls, strict=True))
    options.rates(urls, baud)
    if plot is not None:
        import_module("matplotlib")  # fail before the run if it is missing
    console = options.console()
    what = played.played(net, preset_name, spike_file, ticks)
    if what.stimulus is not None:
        stimulus.without_biases(what.stimulus, "sweep")
    judge = None
    if preset_name in TASKS:
        what, judge = _task(console, preset_name, ticks)
    with (
        options.needing(what.sizes),
        comparison.subjects(devices, params, what.sizes, baud, retries) as subjects,
        progress.shown(console) as display,
    ):
        case = what.on(subjects[0].core.params)
        found = swept(subjects, case, periods, display, clock_hz, judge)
    outputs = options.Outputs()
    write(outputs, found, played.name(net, preset_name), plot, json_file)
    say(console, found)
    outputs.check()
    end(found.equal)


def _task(console: Console, name: str, ticks: int | None) -> tuple[Played, Judge]:
    """Return a preset that is a task, and the judge of its answers."""
    with progress.shown(console) as display:
        display.stage(f"the network of {name} learns")
        task = TASKS[name]()
    if ticks is not None:
        task = task.first(ticks)
    case = task.case
    return Played(case.params, lambda sizes: replace(case, params=sizes)), task.accuracy


def swept(
    subjects: Sequence[Subject],
    case: Case,
    periods: Sequence[int],
    progress: Progress,
    clock_hz: int | None,
    judge: Judge | None,
) -> SweepResult:
    """Run a case at all periods on all targets.

    Parameters and errors are those of `spiketwin.cosim.compare.sweep.sweep`. Distances are
    measured if their libraries are installed.
    """
    distances = not _missing()
    found = {
        subject.name: sweep_target(
            subject, case, periods, progress, clock_hz=clock_hz, judge=judge, distances=distances
        )
        for subject in subjects
    }
    return SweepResult(found)


def _missing() -> list[str]:
    return [name for name in _MEASURED_BY if find_spec(name) is None]


def say(console: Console, found: SweepResult) -> None:
    """Print the tables of the first target, and whether the other targets equal it."""
    (first, swept), *others = found.targets.items()
    console.print(_time_table(swept, first), _spike_table(swept))
    if swept.accuracy is not None or swept.points[0].distances is not None:
        console.print(_distance_table(swept))
    console.print(_regions(swept), soft_wrap=True)
    if missing := _missing():
        console.print(
            f"No distances of spike trains: {' and '.join(missing)} are not installed. Run: "
            f"{install_command('sweep')}",
            soft_wrap=True,
            markup=False,
        )
    for name, each in found.targets.items():
        _say_what_the_link_did(console, name, each)
    for name, other in others:
        _say_whether_equal(console, first, swept, name, other)


def write(
    outputs: options.Outputs,
    found: SweepResult,
    played: str,
    plot: Path | None,
    json_file: Path | None,
) -> None:
    """Write the curve of the first target and the result, if they are wanted.

    `played` names what was run. Raises `ImportError` without matplotlib.
    """
    (first, swept), *_ = found.targets.items()
    if plot is not None:
        from spiketwin.cosim.compare import curve

        title = f"{readable(played)} on {readable(first)} ({origin(first)})"
        outputs.write(plot, lambda file: curve.save(file, swept, title))
    outputs.json(json_file, found)


# --- output ------------------------------------------------------------------------------------


def _table(found: Sweep, title: str, columns: dict[str, list[str]]) -> Table:
    table = Table(title=title, box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    table.add_column("period,\ncycles", justify="right")
    for heading in columns:
        table.add_column(heading, justify="right")
    for row, point in enumerate(found.points):
        table.add_row(f"{point.tick_period:,}", *(cells[row] for cells in columns.values()))
    return table


def _time_table(found: Sweep, name: str) -> Table:
    def cells(point: SweepPoint) -> dict[str, str]:
        return {
            "\nµs": f"{found.microseconds(point.tick_period):.4g}",
            "load\n%": f"{100 * point.utilisation:.1f}",
            "ticks a\nsecond": f"{point.ticks_per_second:,.0f}",
            "ticks\nlate": f"{point.missed_deadlines:,}",
            "latency, µs:\nmean": f"{found.microseconds(point.latency_mean):,.2f}",
            "\nlongest": f"{found.microseconds(point.latency_max):,.2f}",
            "intervals\noff by µs": (f"{found.microseconds(point.interval_distortion_mean):,.2f}"),
        }

    title = f"{name} in real time, at {found.clock_hz / 1e6:g} MHz ({origin(name)})"
    return _table(found, title, _columns([cells(point) for point in found.points]))


def _spike_table(found: Sweep) -> Table:
    def cells(point: SweepPoint) -> dict[str, str]:
        return {
            "events\ndropped": f"{point.dropped_events:,}",
            "spikes\nfired": f"{point.spikes:,}",
            "\nlate": f"{point.late_spikes:,}",
            "out of\norder": f"{point.disordered_spikes:,}",
            "\nmissing": f"{point.missing_spikes:,}",
            "\nextra": f"{point.extra_spikes:,}",
        }

    meant = f"{found.ticks:,} ticks, {found.events:,} axon events, {found.spikes:,} spikes meant"
    return _table(found, meant, _columns([cells(point) for point in found.points]))


def _distance_table(found: Sweep) -> Table:
    def cells(point: SweepPoint) -> dict[str, str]:
        texts = {}
        if (distances := point.distances) is not None:
            texts = {
                "\nvan Rossum": f"{distances.van_rossum:.3g}",
                "\nVictor-Purpura": f"{distances.victor_purpura:.3g}",
                "\nISI": f"{distances.isi:.3f}",
                "\nSPIKE": f"{distances.spike:.3f}",
            }
        if point.accuracy is not None:
            texts["right\nanswers"] = f"{100 * point.accuracy:.2f} %"
        return texts

    title = "How far from what is meant"
    if found.accuracy is not None:
        title += f", {100 * found.accuracy:.2f} % right answers"
    return _table(found, title, _columns([cells(point) for point in found.points]))


def _columns(rows: list[dict[str, str]]) -> dict[str, list[str]]:
    return {heading: [row[heading] for row in rows] for heading in rows[0]}


def _regions(found: Sweep) -> str:
    keeps, falls = found.keeps_up_from, found.falls_behind_below
    return (
        f"Keeps up from {keeps:,} cycles on ({found.microseconds(keeps):,.4g} µs): no tick begins "
        f"late. Falls behind below {falls:,.1f} ({found.microseconds(falls):,.4g} µs), the mean of "
        "a tick."
    )


def _say_what_the_link_did(console: Console, name: str, found: Sweep) -> None:
    """Print the periods at which host and link influenced a target."""
    for figure, what in (
        ("waits", "waited for the host, and began further ticks late"),
        ("muted_ticks", "dropped words that the host did not take in time"),
        ("held_cycles", "held ticks up for some cycles as events came in"),
    ):
        periods = [f"{point.tick_period:,}" for point in found.points if getattr(point, figure)]
        if periods:
            console.print(
                f"{name}: at {', '.join(periods)} cycles the target {what}. This is the link's "
                "doing, and not in the figures above.",
                soft_wrap=True,
                markup=False,
            )


def _say_whether_equal(console: Console, first: str, swept: Sweep, name: str, other: Sweep) -> None:
    unequal = [
        mine.tick_period
        for mine, theirs in zip(swept.points, other.points, strict=True)
        if mine != theirs
    ]
    if unequal:
        at = ", ".join(f"{each:,}" for each in unequal)
        sentence = (
            f"{first} and {name} at tick periods of {at} cycles: `spiketwin compare` finds the "
            "first difference"
        )
        Outcome(False, "DIFFERENT", (sentence,)).say(console)
    else:
        sentence = f"{first} and {name}: all of this, at {len(swept.points)} tick periods"
        Outcome(True, "EQUAL", (sentence,)).say(console)
