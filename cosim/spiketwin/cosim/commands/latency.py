"""``spiketwin latency``: one network in software and in hardware, over clocks and rates."""

from __future__ import annotations

import re
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Final

import click
import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from spiketwin.cosim.compare import comparison
from spiketwin.cosim.compare.case import Case
from spiketwin.cosim.compare.hardware import (
    CHECK,
    Study,
    TimedPlay,
    makes,
    median_latency,
    play,
    seconds_of,
    study,
)
from spiketwin.cosim.compare.subject import Subject
from spiketwin.hdl.spec.protocol import MAX_CLOCK_HZ, MIN_CYCLES_PER_BIT
from spiketwin.host import files
from spiketwin.host.cli import options, progress, stimulus
from spiketwin.host.cli.outcome import Outcome, end
from spiketwin.host.device_time import LONGEST_ROUND_TRIP, cycles_per_bit
from spiketwin.host.link import DEFAULT_RETRIES
from spiketwin.host.paths import readable
from spiketwin.host.targets import MAX_BAUD, MIN_BAUD, takes_baud

_RATES: Final = (115_200, 460_800, 1_000_000, 3_000_000, 12_500_000)
"""Default rates in bits per second; those that every clock makes are used."""

_MOST: Final = 100
_NUMBER: Final = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)([kM]?)")
_UNITS: Final = {"": 1, "k": 1_000, "M": 1_000_000}
_BUSY: Final = {
    "wire_out": "line out",
    "wire_back": "line back",
    "link": "gateware",
    "core": "core",
}


class Numbers(click.ParamType[tuple[int, ...]]):
    """Whole numbers separated by commas, with ``k`` and ``M`` for thousands and millions.

    Parameters
    ----------
    least, most:
        Smallest and largest number allowed.
    """

    name = "numbers"

    def __init__(self, least: int, most: int) -> None:
        self._least = least
        self._most = most

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Return the numbers, ascending; fail if the text has none, or too many."""
        numbers = set()
        for part in str(value).split(","):
            found = _NUMBER.fullmatch(part.strip())
            number = float(found[1]) * _UNITS[found[2]] if found else -1.0
            if not self._least <= number <= self._most or number != round(number):
                self.fail(
                    f"{part!r} must be a whole number in {self._least}…{self._most}, such as "
                    "115200, 50M or 12.5M",
                    param,
                    ctx,
                )
            numbers.add(round(number))
        if len(numbers) > _MOST:
            self.fail(f"these are more than {_MOST}: give fewer", param, ctx)
        return tuple(sorted(numbers))


@click.command(
    epilog="\b\n"
    "spiketwin latency net.npz\n"
    "spiketwin latency net.npz --on model: --on rtl: --clock 50M,100M --plot latency.png\n"
    "spiketwin latency net.npz --baud 115200,1M,3M --round-trip 0.001 --json latency.json\n"
    "spiketwin latency net.npz --on model: --on /dev/ttyUSB1 --baud 115200,1M"
)
@click.argument("net", type=options.InputFile())
@click.option(
    "--on",
    "urls",
    multiple=True,
    default=("model:",),
    show_default=True,
    metavar="URL",
    help=f"Target, as often as you like: {options.TARGETS}. The hardware is computed from what the "
    "first one does; a line there is stands beside it, at each rate.",
)
@click.option(
    "--baud",
    "rates",
    type=Numbers(MIN_BAUD, MAX_BAUD),
    metavar="RATES",
    help="Rates of the line, such as 115200,1M,3M. Default: "
    f"{','.join(map(str, _RATES))}, as far as the clocks make them.",
)
@click.option(
    "--clock",
    "clocks",
    type=Numbers(1, MAX_CLOCK_HZ),
    metavar="CLOCKS",
    help="Clocks of the hardware in hertz, such as 50M,100M. Default: that of the first target.",
)
@click.option(
    "--round-trip",
    type=click.FloatRange(0.0, LONGEST_ROUND_TRIP),
    metavar="SECONDS",
    help="What host and adapter add to every answer. Default: as measured on a board that is among "
    "the targets, else 0, the hardware by itself.",
)
@stimulus.spike_file
@stimulus.ticks
@options.sizes("Default: those of the devices there are, else the least that hold the network.")
@click.option(
    "--retries",
    type=click.IntRange(min=0),
    default=DEFAULT_RETRIES,
    show_default=True,
    help="Times that a device is asked again before it counts as silent.",
)
@options.json_file
@click.option(
    "--plot", type=options.OutputFile(".png"), metavar="FILE", help="Draw the curves as PNG."
)
def latency(
    net: Path,
    urls: tuple[str, ...],
    rates: tuple[int, ...] | None,
    clocks: tuple[int, ...] | None,
    round_trip: float | None,
    spike_file: Path | None,
    ticks: int | None,
    params: str | None,
    retries: int,
    json_file: Path | None,
    plot: Path | None,
) -> None:
    """Compare the latencies of software and hardware for the network in the file NET.

    Each target plays the network twice, tick by tick, the host waiting for the spikes of each, and
    streamed, as one run. What hardware takes follows from bytes and cycles, to the clock cycle, for
    every clock and every rate of the line; what the model takes on this computer is measured. A
    target with a line, simulated or of a board, is played at each rate, and its own time stands
    beside the computed one.

    Exits with status 1 if targets differ in spikes or cycles, or if the time of the wires is not
    bytes × 10 ÷ baud, within 0.5 %.
    """
    options.check_distinct(
        {"--json": json_file, "--plot": plot}, {"NET": net, "--spikes": spike_file}, urls
    )
    if plot is not None:
        import_module("matplotlib")  # fail before the run if it is missing
    network, saved = files.load(net)
    chosen = stimulus.chosen(saved, network.n_axons, spike_file, ticks)
    chosen = stimulus.without_biases(chosen, "latency")
    console = options.console()
    sizes = network.core_params()
    devices = dict(zip(options.told_apart(urls), urls, strict=True))
    with (
        options.needing(sizes),
        comparison.subjects(devices, params, sizes, None, retries) as subjects,
    ):
        clocks = clocks or (subjects[0].core.identity.clock_hz,)
        for clock, rate in product(clocks, rates or ()):
            cycles_per_bit(clock, rate)  # fail before the run if a clock cannot make a rate
        case = Case.of(network, subjects[0].core.params, chosen.spikes, chosen.ticks)
        played = _played(console, subjects, case, clocks, rates)
    found = study(played, clocks, rates or _made_by(clocks), round_trip)
    outputs = options.Outputs()
    outputs.json(json_file, found)
    if plot is not None:
        curve = import_module("spiketwin.cosim.compare.hardware_curve")
        title = f"{readable(net.name)}: {chosen.ticks:,} ticks in software and in hardware"
        outputs.write(plot, lambda file: curve.save(file, found, title))
    _say(console, found)
    outputs.check()
    end(all(each.passed for each in _outcomes(found)))


def _made_by(clocks: tuple[int, ...]) -> tuple[int, ...]:
    """Return the default rates that all clocks make; else the fastest of the slowest clock."""
    made = tuple(rate for rate in _RATES if all(makes(clock, rate) for clock in clocks))
    return made or (min(clocks) // MIN_CYCLES_PER_BIT,)


def _played(
    console: Console,
    subjects: list[Subject],
    case: Case,
    clocks: tuple[int, ...],
    rates: tuple[int, ...] | None,
) -> list[TimedPlay]:
    played = []
    with progress.shown(console, "ticks") as display:
        for subject in subjects:
            own = subject.core.identity.clock_hz
            lines: tuple[int | None, ...] = (None,)
            if takes_baud(subject.url):
                lines = rates or _made_by((*clocks, own))
            played += [play(subject, case, display, rate) for rate in lines]
    return played


# --- output --------------------------------------------------------------------------------------


def _say(console: Console, found: Study) -> None:
    if found.in_software:
        console.print(_software_table(found))
    console.print(_hardware_table(found))
    if found.with_line:
        console.print(_beside_table(found))
    for clock in found.clocks:
        limit, fastest = found.line_limits_below(clock), clock // MIN_CYCLES_PER_BIT
        where = (
            f"below {limit:,.0f} baud; above, the gateware of the link or the core does."
            if limit <= fastest
            else f"at every rate that this clock makes, up to {fastest:,} baud."
        )
        console.print(
            f"At {clock / 1e6:g} MHz the line limits the streamed run {where}", soft_wrap=True
        )
    for outcome in _outcomes(found):
        outcome.say(console)


def _outcomes(found: Study) -> list[Outcome]:
    """Return whether the time of the wires is as expected, and whether targets are equal."""
    largest = max(abs(point.wire_error) for point in found.points)
    off = f"time of the wires off from bytes × 10 ÷ baud by {100 * largest:.3f} % at most"
    bound = f"within {100 * CHECK:g} %" if found.wires_agree else f"more than {100 * CHECK:g} %"
    outcomes = [Outcome(found.wires_agree, "CHECK", (f"{off}: {bound}",))]
    names = list(dict.fromkeys(each.name for each in found.played))
    if len(names) > 1:
        word = "EQUAL" if found.equal else "DIFFERENT"
        outcomes.append(Outcome(found.equal, word, (f"{', '.join(names)}: spikes and cycles",)))
    return outcomes


def _software_table(found: Study) -> Table:
    table = Table(
        "target", title="In software, measured on this computer", box=SIMPLE_HEAD, pad_edge=False
    )
    for heading in ("spike in to out,\ntick by tick, median", "ticks/s\nby tick", "\nstreamed"):
        table.add_column(heading, justify="right")
    for each in found.in_software:
        by_tick = each.ticks / each.stepped.wall_seconds
        streamed = each.ticks / seconds_of(each)
        table.add_row(each.name, _time(median_latency(each)), f"{by_tick:,.0f}", f"{streamed:,.0f}")
    return table


def _hardware_table(found: Study) -> Table:
    trip = found.round_trip_seconds
    host = f", {_time(trip)} of host and adapter an answer" if trip else ""
    table = Table(
        title=f"In hardware, computed to the clock cycle{host}", box=SIMPLE_HEAD, pad_edge=False
    )
    for heading in (
        "clock\nMHz", "line\nbaud", "spike in\nto out", "\ncycles", "ticks/s\nby tick",
        "\nstreamed",
    ):  # fmt: skip
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("limited\nby", no_wrap=True)
    for point in found.points:
        took, clock = point.stepped.latency, point.clock_hz
        median = float(np.median(took)) if took.size else None
        table.add_row(
            f"{clock / 1e6:g}",
            f"{point.streamed.baud:,}",
            _time(None if median is None else median / clock),
            "–" if median is None else f"{median:,.0f}",
            f"{point.stepped.ticks / point.stepped.seconds:,.0f}",
            f"{point.streamed.ticks / point.streamed.seconds:,.0f}",
            _BUSY[point.streamed.limited_by],
        )
    return table


def _beside_table(found: Study) -> Table:
    table = Table(
        title="Targets with a line, beside what is computed for them",
        box=SIMPLE_HEAD, pad_edge=False,
    )  # fmt: skip
    table.add_column("target", overflow="fold")
    headings = ["line\nbaud", "the run\ntook", "\ncomputed", "\noff by"]
    boards = not all(each.simulated for each in found.with_line)
    if boards:
        headings += ["spike in\nto out", "\ncomputed"]
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for each in found.with_line:
        took, there = seconds_of(each), each.streamed.on_hardware().seconds
        cells = [f"{each.streamed.baud:,}", _time(took), _time(there)]
        cells.append(f"{100 * (took / there - 1):+.2f} %")
        if boards:
            latency = each.stepped.on_hardware().latency
            computed = float(np.median(latency)) / each.clock_hz if latency.size else None
            cells += [_time(median_latency(each)), _time(computed)]
        table.add_row(f"{each.name} ({'simulated' if each.simulated else 'measured'})", *cells)
    return table


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    if seconds >= 1:
        return f"{seconds:,.3f} s"
    return f"{1e3 * seconds:,.3f} ms" if seconds >= 1e-3 else f"{1e6 * seconds:,.2f} µs"
