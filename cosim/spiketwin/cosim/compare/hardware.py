"""One network in software and in hardware: latency of spikes, and ticks per second.

A target plays the network twice: *tick by tick*, where the host waits for the spikes of each tick
before it sends the events of the next, as in a closed loop with the outside world, and *streamed*,
as one run. The time of hardware for both follows from bytes and cycles, at any rate of the line and
any clock (`spiketwin.host.device_time`); that of software and boards is measured.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from spiketwin.cosim.compare.case import Case
from spiketwin.cosim.compare.equality import unequal_runs
from spiketwin.cosim.compare.subject import Subject
from spiketwin.hdl.spec.protocol import BITS_PER_BYTE
from spiketwin.hdl.spec.results import Result
from spiketwin.host import Core
from spiketwin.host.account import Account
from spiketwin.host.device_time import DeviceTime, cycles_per_bit
from spiketwin.host.errors import InvalidInput
from spiketwin.host.ledger import Ledger
from spiketwin.host.progress import Progress, Steps
from spiketwin.host.spikes import Run
from spiketwin.host.summaries import CycleLatencySummary
from spiketwin.host.targets import origin

CHECK: Final = 0.005
"""Largest relative error of the time of the wires against bytes × 10 ÷ baud."""


@dataclass(frozen=True, eq=False)
class TimedPlay:
    """The play of a case on a target, and the time that it took.

    Attributes
    ----------
    name:
        Name of the target.
    origin:
        Origin of its spikes and cycles (`spiketwin.host.targets.origin`).
    asked:
        Rate that its line was set to; None for the unchanged one.
    stepped, streamed:
        Ledger of the time, tick by tick and as one run.
    run:
        The streamed run.
    line_bytes:
        All bytes that the link counted in the streamed run, in both directions.
    """

    name: str
    origin: str
    asked: int | None
    stepped: Ledger
    streamed: Ledger
    run: Run
    line_bytes: int

    @property
    def simulated(self) -> bool:
        """Whether the device is simulated, and reports its own time."""
        return self.streamed.accounts[-1].line.simulated

    @property
    def clock_hz(self) -> int:
        """Clock that the device reports, in hertz."""
        return self.streamed.accounts[-1].line.clock_hz

    @property
    def ticks(self) -> int:
        """Number of ticks, of each of the two plays."""
        return len(self.run.cycles)

    def equals(self, other: TimedPlay) -> bool:
        """Return whether both plays had the same spikes in the same cycles."""
        return not unequal_runs(self.run, other.run)


def play(subject: Subject, case: Case, progress: Progress, asked: int | None = None) -> TimedPlay:
    """Play a case on a target, tick by tick and then as one run.

    Parameters
    ----------
    subject, case:
        The target, and the case that it plays.
    progress:
        Called with a description, ticks done, and ticks.
    asked:
        Rate to set its line to, in bits per second; None to leave it.

    Raises
    ------
    SpiketwinError
        As the methods of the core.
    """
    core = subject.core
    if asked is not None and asked != core.link.baud:
        core.set_baud(asked)
    stepped = _stepped(core, case, functools.partial(progress, f"{subject.name} tick by tick"))
    core.program(case.network)
    before = core.statistics.bytes_sent + core.statistics.bytes_received
    run = core.run(
        case.spikes,
        case.ticks,
        progress=functools.partial(progress, f"{subject.name} streamed"),
    )
    after = core.statistics.bytes_sent + core.statistics.bytes_received
    return TimedPlay(
        subject.name, origin(subject.url), asked, stepped, run.ledger, run, after - before
    )


def _stepped(core: Core, case: Case, progress: Steps) -> Ledger:
    core.program(case.network)
    accounts: list[Account] = []
    edges = np.searchsorted(case.spikes[:, 0], np.arange(case.ticks + 1))
    for tick in range(case.ticks):
        events = case.spikes[edges[tick] : edges[tick + 1]] - (tick, 0)
        accounts += core.run(events, 1).accounts
        progress(tick + 1, case.ticks)
    return Ledger.of(accounts)


@dataclass(frozen=True, eq=False)
class HardwarePoint(Result):
    """The network on hardware of one clock, behind a line of one rate; all of it is computed.

    Attributes
    ----------
    asked_baud:
        Rate that was requested, in bits per second; the clock makes one within 2 % of it.
    stepped, streamed:
        The time it takes, tick by tick and as one run.
    line_bytes:
        Bytes that passed in the latter, as the link counted them.
    """

    json_keys = (
        "clock_hz", "asked_baud", "baud", "cycles_per_bit", "spike_latency",
        "spike_latency_streamed", "ticks_per_second", "ticks_per_second_tick_by_tick", "seconds",
        "seconds_tick_by_tick", "bytes_out", "bytes_in", "busy_cycles", "limited_by",
        "wire_seconds", "wire_error",
    )  # fmt: skip

    asked_baud: int
    stepped: DeviceTime
    streamed: DeviceTime
    line_bytes: int

    @property
    def clock_hz(self) -> int:
        """Clock of the hardware."""
        return self.streamed.clock_hz

    @property
    def baud(self) -> int | None:
        """Rate that the clock makes."""
        return self.streamed.baud

    @property
    def cycles_per_bit(self) -> int:
        """Clock cycles that a bit takes."""
        return cycles_per_bit(self.clock_hz, self.asked_baud)

    @property
    def spike_latency(self) -> CycleLatencySummary | None:
        """Times from spike in to spike out, tick by tick; null without spikes."""
        return self.stepped.summary().spike_latency

    @property
    def spike_latency_streamed(self) -> CycleLatencySummary | None:
        """Times from spike in to spike out of the streamed run; null without spikes."""
        return self.streamed.summary().spike_latency

    @property
    def ticks_per_second(self) -> float:
        """Ticks in a second of the streamed run."""
        return self.streamed.ticks / self.streamed.seconds

    @property
    def ticks_per_second_tick_by_tick(self) -> float:
        """Ticks in a second, tick by tick."""
        return self.stepped.ticks / self.stepped.seconds

    @property
    def seconds(self) -> float:
        """Seconds of the streamed run."""
        return self.streamed.seconds

    @property
    def seconds_tick_by_tick(self) -> float:
        """Seconds of all ticks, tick by tick."""
        return self.stepped.seconds

    @property
    def bytes_out(self) -> int:
        """Bytes of all requests of the streamed run."""
        return self.streamed.bytes_out

    @property
    def bytes_in(self) -> int:
        """Bytes of all answers of the streamed run."""
        return self.streamed.bytes_in

    @property
    def busy_cycles(self) -> dict[str, int]:
        """Cycles in which ``wire_out``, ``wire_back``, ``link`` and ``core`` are busy, streamed."""
        return self.streamed.busy

    @property
    def limited_by(self) -> str:
        """Which of these is busy for longest."""
        return self.streamed.limited_by

    @property
    def wire_seconds(self) -> float:
        """Seconds in which bytes of the streamed run are on the line."""
        return self.streamed.wire_seconds

    @property
    def wire_error(self) -> float:
        """Share by which the time of the wires is off from bytes × 10 ÷ baud.

        The bytes are those that the link counted, and the rate is the one that the clock makes.
        """
        expected = self.line_bytes * BITS_PER_BYTE * self.cycles_per_bit / self.clock_hz
        return self.streamed.wire_seconds / expected - 1


@dataclass(frozen=True)
class MeasuredTime(Result):
    """The time that a target took.

    Attributes
    ----------
    target:
        Its address.
    baud:
        Rate of its line; null without a line.
    median_latency_seconds:
        Median from spike in to spike out, tick by tick, on the wall; null for a simulation.
    ticks_per_second, seconds:
        Ticks per second and time of the streamed run; for a simulation, in its own time.
    """

    target: str
    baud: int | None
    median_latency_seconds: float | None
    ticks_per_second: float
    seconds: float


@dataclass(frozen=True)
class MeasuredBesideComputed(MeasuredTime):
    """The time that a target took, and the computed time for its clock and line.

    Attributes
    ----------
    computed_median_latency_seconds:
        Median from spike in to spike out, tick by tick, as computed; null without spikes.
    computed_seconds:
        Time of the streamed run, as computed.
    """

    computed_median_latency_seconds: float | None
    computed_seconds: float


@dataclass(frozen=True)
class LineLimit(Result):
    """The rate from which on the line no longer limits hardware of one clock.

    Attributes
    ----------
    clock_hz:
        Clock of the hardware.
    line_limits_below_baud:
        Rate below which one direction of the line is busy for longer than all else, streamed.
    """

    clock_hz: int
    line_limits_below_baud: float


@dataclass(frozen=True, eq=False)
class Study(Result):
    """Software and hardware side by side.

    Attributes
    ----------
    played:
        Plays of each target, at each rate that its line was set to.
    points:
        The hardware, computed from the first play: clock by clock, with ascending rates.
    round_trip_seconds:
        Seconds that host and adapter add to every answer there.
    """

    json_keys = (
        "ticks", "spikes", "equal", "wires_agree", "round_trip_seconds", "software", "points",
        "beside", "limits",
    )  # fmt: skip

    played: list[TimedPlay]
    points: list[HardwarePoint]
    round_trip_seconds: float

    @property
    def ticks(self) -> int:
        """Ticks that were played, each time."""
        return self.played[0].ticks

    @property
    def spikes(self) -> int:
        """Spikes that were fired, each time."""
        return len(self.played[0].run.spikes)

    @property
    def clocks(self) -> list[int]:
        """Clocks of the points, ascending."""
        return sorted({point.clock_hz for point in self.points})

    @property
    def equal(self) -> bool:
        """Whether all targets had the same spikes in the same cycles."""
        return all(each.equals(self.played[0]) for each in self.played)

    @property
    def wires_agree(self) -> bool:
        """Whether the time of the wires is bytes × 10 ÷ baud, within 0.5 %, at all points."""
        return all(abs(point.wire_error) <= CHECK for point in self.points)

    @property
    def in_software(self) -> list[TimedPlay]:
        """Targets whose wall time is the time of software: the model."""
        return [each for each in self.played if each.origin == "computed"]

    @property
    def with_line(self) -> list[TimedPlay]:
        """Targets with a line of a rate, whose own time stands beside the computed one."""
        return [each for each in self.played if each.streamed.baud is not None]

    @property
    def software(self) -> list[MeasuredTime]:
        """The model: targets whose wall time is the time of software."""
        return [MeasuredTime(**_measured(each)) for each in self.in_software]

    @property
    def beside(self) -> list[MeasuredBesideComputed]:
        """Targets with a line, at each rate, beside what is computed for them."""
        return [
            MeasuredBesideComputed(**_measured(each), **_computed(each)) for each in self.with_line
        ]

    @property
    def limits(self) -> list[LineLimit]:
        """The rate, for each clock, from which on the line does not limit the streamed run."""
        return [LineLimit(clock, self.line_limits_below(clock)) for clock in self.clocks]

    def of_clock(self, clock_hz: int) -> list[HardwarePoint]:
        """Return the points of a clock, with ascending rates."""
        return [point for point in self.points if point.clock_hz == clock_hz]

    def line_limits_below(self, clock_hz: int) -> float:
        """Return the rate below which one direction of the line is busiest of all, streamed."""
        time = self.of_clock(clock_hz)[0].streamed
        others = max(time.busy["core"], time.busy["link"])
        return BITS_PER_BYTE * max(time.bytes_out, time.bytes_in) * clock_hz / others


def seconds_of(played: TimedPlay) -> float:
    """Return the seconds of the streamed run: device time if simulated, else wall time."""
    ledger = played.streamed
    return ledger.device_seconds if played.simulated else ledger.wall_seconds


def median_latency(played: TimedPlay) -> float | None:
    """Return the median seconds from spike in to spike out, tick by tick, in wall time.

    The result is None without spikes, and for simulated targets.
    """
    latency = played.stepped.latency
    return float(np.median(latency)) if latency.size and not played.simulated else None


def _measured(played: TimedPlay) -> dict[str, Any]:
    return {
        "target": played.name,
        "baud": played.streamed.baud,
        "median_latency_seconds": median_latency(played),
        "ticks_per_second": played.ticks / seconds_of(played),
        "seconds": seconds_of(played),
    }


def _computed(played: TimedPlay) -> dict[str, Any]:
    there = played.stepped.on_hardware().latency
    clock = played.clock_hz
    return {
        "computed_median_latency_seconds": float(np.median(there)) / clock if there.size else None,
        "computed_seconds": played.streamed.on_hardware().seconds,
    }


def study(
    played: list[TimedPlay],
    clocks: Sequence[int],
    rates: Sequence[int],
    round_trip: float | None,
) -> Study:
    """Compute the time that hardware with these clocks and line rates would take.

    Parameters
    ----------
    played:
        Plays of the targets.
    clocks, rates:
        Clocks in hertz, and rates in bits per second.
    round_trip:
        Seconds that host and adapter add to every answer; if None, as measured on the first target
        that runs in real time behind a line, and 0 without one.

    Raises
    ------
    InvalidInput
        A clock cannot make a rate, or an argument is out of range.
    """
    if round_trip is None:
        measured = (each.streamed.accounts[-1].line.adapter_seconds for each in played)
        round_trip = next((each for each in measured if each is not None), 0.0)
    first = played[0]
    points = [
        HardwarePoint(
            rate,
            first.stepped.on_hardware(rate, clock, round_trip),
            first.streamed.on_hardware(rate, clock, round_trip),
            first.line_bytes,
        )
        for clock in sorted(set(clocks))
        for rate in sorted(set(rates))
    ]
    return Study(played, points, round_trip)


def makes(clock_hz: int, baud: int) -> bool:
    """Return whether a clock makes a rate within 2 %."""
    try:
        cycles_per_bit(clock_hz, baud)
    except InvalidInput:
        return False
    return True
