"""One trial: a network on a core, and its figures."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Final

from spiketwin.cosim.compare import hardware
from spiketwin.cosim.compare import subject as played
from spiketwin.cosim.compare.case import Case
from spiketwin.cosim.compare.sweep import SweepPoint, sweep
from spiketwin.cosim.explore.axes import CORE, HARDWARE, Point, Value
from spiketwin.cosim.explore.early import EarlyAnswers, answers
from spiketwin.cosim.explore.energy import STATIC_WATTS, EnergyAccount, account
from spiketwin.cosim.explore.objectives import KNOWN, TrialFigure
from spiketwin.cosim.explore.script import Script
from spiketwin.cosim.explore.subjects import Prepared, SearchSubject
from spiketwin.firmware.board import Board, board
from spiketwin.firmware.estimates.model import Estimate, estimate
from spiketwin.firmware.target import resolve
from spiketwin.hdl.spec.errors import SpiketwinError
from spiketwin.hdl.spec.params import DEFAULT_CLOCK_HZ, described
from spiketwin.host import Run, connect
from spiketwin.host.device_time import DeviceTime
from spiketwin.host.elements import IntArray
from spiketwin.host.errors import InvalidInput
from spiketwin.host.matching import match

BAUD: Final = 1_000_000
"""Rate of the line if neither it nor a board is named; every adapter makes it."""

STEPPED_TICKS: Final = 1_000
"""Most ticks that are played tick by tick, for the latency of their spikes."""

_MODEL: Final = "model:"


@dataclass(frozen=True)
class TrialOutcome:
    """The outcome of a trial.

    Attributes
    ----------
    figures:
        The figures that were asked for, by name; empty if the trial was refused.
    refused:
        Why there is no such core, or why it does not hold the network; None if there is.
    notes:
        Warnings that came up, each once.
    core:
        Sizes of the core, as ``--params`` takes them; None if there is none.
    is_given_up:
        Whether it was refused because it ended each process that ran it.
    """

    figures: dict[str, TrialFigure] = field(default_factory=dict)
    refused: str | None = None
    notes: tuple[str, ...] = ()
    core: str | None = None
    is_given_up: bool = False


def evaluate(subject: SearchSubject, point: Point, wanted: Sequence[str]) -> TrialOutcome:
    """Run a trial.

    Parameters
    ----------
    subject:
        What is explored.
    point:
        Its values by the names of axes, as `axes.checked` allows them.
    wanted:
        Names of the figures to find.

    Returns
    -------
    TrialOutcome
        What was found. A core that cannot be, or does not hold the network, is an outcome and no
        error.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            figures, core = _figures(subject, point, wanted)
        except SpiketwinError as error:
            return TrialOutcome(refused=str(error))
    notes = tuple(dict.fromkeys(str(each.message) for each in caught))
    return TrialOutcome(figures, notes=notes, core=core)


def _figures(
    subject: SearchSubject, point: Point, wanted: Sequence[str]
) -> tuple[dict[str, TrialFigure], str | None]:
    if isinstance(subject, Script) and subject.measures:
        found = subject.figures(point)
        missing = [name for name in wanted if name not in found]
        if missing:
            raise InvalidInput(
                f"trial() of {subject.path} gives no {missing[0]}, but {', '.join(found)}"
            )
        return {name: found[name] for name in wanted}, None
    trial = Trial(subject, point)
    figures = {
        name: TrialFigure(float(_FIGURES[name](trial)), KNOWN[name].origin) for name in wanted
    }
    return figures, described(trial.prepared.case.params)


class Trial:
    """All that is known of one point; everything is found when it is first asked for.

    Parameters
    ----------
    subject, point:
        What is explored, and the point.
    """

    def __init__(self, subject: SearchSubject, point: Point) -> None:
        self._subject = subject
        self._point = point

    @property
    def prepared(self) -> Prepared:
        """The network on its core."""
        return self._ran[0]

    @property
    def run(self) -> Run:
        """Its run on the model, as fast as the core can."""
        return self._ran[1]

    @cached_property
    def _ran(self) -> tuple[Prepared, Run]:
        own = {name: v for name, v in self._point.items() if name not in (*CORE, *HARDWARE)}
        sizes = {name: v for name, v in self._point.items() if name in CORE}
        return _ran(self._subject, tuple(own.items()), tuple(sizes.items()))

    @cached_property
    def board(self) -> Board | None:
        """The board of the point, if it names one."""
        return board(str(self._point["board"])) if "board" in self._point else None

    @property
    def clock_hz(self) -> int:
        """The clock of the point, or of its board."""
        if "clock" in self._point:
            return int(self._point["clock"])
        return self.board.clock_hz if self.board else DEFAULT_CLOCK_HZ

    @property
    def baud(self) -> int:
        """The rate of the point, or the fastest one of its board."""
        if "baud" in self._point:
            return int(self._point["baud"])
        return self.board.max_baud(self.clock_hz) if self.board else BAUD

    @cached_property
    def streamed(self) -> DeviceTime:
        """The time of the run on hardware, streamed."""
        return self.run.ledger.on_hardware(self.baud, self.clock_hz, 0.0)

    @cached_property
    def latencies(self) -> IntArray:
        """Cycles from spike in to spike out, tick by tick, in the first `STEPPED_TICKS`."""
        case = self.prepared.case
        ticks = min(case.ticks, STEPPED_TICKS)
        spikes = case.spikes[case.spikes[:, 0] < ticks]
        with _on_model(case) as subject:
            play = hardware.play(subject, replace(case, spikes=spikes, ticks=ticks), _no_progress)
        found = play.stepped.on_hardware(self.baud, self.clock_hz, 0.0).latency
        if not found.size:
            raise InvalidInput(f"no spike in {ticks:,} ticks, so there is no latency")
        return found

    @cached_property
    def in_real_time(self) -> SweepPoint:
        """The run at the tick period of the point."""
        if "tick_period" not in self._point:
            raise InvalidInput("there is no tick period: give --vary tick_period=CYCLES")
        case, task = self.prepared.case, self.prepared.task
        judge = None if task is None else task.accuracy
        period = int(self._point["tick_period"])
        with _on_model(case) as subject:
            found = sweep(
                subject, case, [period], _no_progress,
                clock_hz=self.clock_hz, judge=judge, distances=False,
            )  # fmt: skip
        return found.points[0]

    @cached_property
    def energy(self) -> EnergyAccount:
        """The energy account of the run."""
        return account(self.prepared.case, self.run)

    @cached_property
    def estimate(self) -> Estimate:
        """What the core takes of its board."""
        if self.board is None:
            raise InvalidInput("there is no board: give --vary board=NAME, or --fits NAME")
        return estimate(self.prepared.case.params, self.board.name)

    def accuracy(self) -> float:
        """Return the share of right answers; in time, if there is a tick period."""
        task = self.prepared.task
        if task is None:
            raise InvalidInput("there is no accuracy: this network is no task")
        if self.answers is not None:
            return self.answers.accuracy(task.labels)
        if "tick_period" in self._point:
            return self.in_real_time.accuracy or 0.0
        return task.accuracy(self.run.spikes)

    @cached_property
    def answers(self) -> EarlyAnswers | None:
        """The answers as soon as each is sure; None without a margin."""
        task, margin = self.prepared.task, self.prepared.margin
        if task is None or margin is None:
            return None
        if "tick_period" in self._point:
            raise InvalidInput("margin and tick_period cannot both be varied: the host stops a run")
        return answers(task, self.run.spikes, margin)

    def answer_ticks(self) -> float:
        """Return the mean ticks until an answer is sure, or those of an image and its pause."""
        if self.prepared.task is None:
            raise InvalidInput("there are no answers: this network is no task")
        if self.answers is None:
            return self.prepared.task.ticks_per_image
        return float(self.answers.ticks.mean())

    def within_a_tick(self) -> float:
        """Return the share of ideal spikes with one of the run within a tick, in open loop."""
        opened = self.prepared.case.open_loop()
        with _on_model(opened) as subject:
            run = subject.begin(opened).to(opened.ticks)
        return match(opened.run_ideal().spikes, run.spikes).within_one_tick_share

    def bit_budget(self) -> float:
        """Return the bits of a weight, times the ticks of an answer, or of the whole run."""
        case = self.prepared.case
        ticks = case.ticks if self.prepared.task is None else self.answer_ticks()
        return case.params.weight_width * ticks

    def static_energy(self) -> float:
        """Return what the FPGA takes in a tick with its clock standing still, in joules."""
        device = "" if self.board is None else resolve(self.board).device.name
        if device not in STATIC_WATTS:
            raise InvalidInput(
                f"the static power of {device or 'no board'} is not known, only that of "
                f"{', '.join(STATIC_WATTS)}"
            )
        return STATIC_WATTS[device] * self.streamed.seconds / self.streamed.ticks

    def line_bytes(self) -> float:
        """Return the bytes on the line, in both directions, a tick."""
        return (self.streamed.bytes_out + self.streamed.bytes_in) / self.streamed.ticks


@lru_cache(maxsize=4)
def _ran(
    subject: SearchSubject, own: tuple[tuple[str, Value], ...], sizes: tuple[tuple[str, Value], ...]
) -> tuple[Prepared, Run]:
    """Return a network and its run, which points that differ in their hardware alone share."""
    prepared = subject.prepared(dict(own), dict(sizes))
    case = prepared.case
    with _on_model(case) as found:
        return prepared, found.begin(case).to(case.ticks)


@contextmanager
def _on_model(case: Case) -> Iterator[played.Subject]:
    with connect(_MODEL, params=case.params) as core:
        yield played.Subject(_MODEL, _MODEL, core)


def _no_progress(what: str, done: int, total: int | None) -> None:
    """Show nothing: a trial is one of many."""


_FIGURES: Final[dict[str, Callable[[Trial], float]]] = {
    "accuracy": Trial.accuracy,
    "answer_ticks": Trial.answer_ticks,
    "within_a_tick": Trial.within_a_tick,
    "spike_latency": lambda trial: float(trial.latencies.mean()) / trial.clock_hz,
    "spike_latency_worst": lambda trial: int(trial.latencies.max()) / trial.clock_hz,
    "interval_distortion": lambda trial: (
        trial.in_real_time.interval_distortion_mean / trial.clock_hz
    ),
    "disorder": lambda trial: (
        trial.in_real_time.disordered_spikes / max(1, trial.in_real_time.spikes)
    ),
    "lost_events": lambda trial: (
        trial.in_real_time.dropped_events / max(1, len(trial.prepared.case.spikes))
    ),
    "ticks_per_second": lambda trial: trial.streamed.ticks / trial.streamed.seconds,
    "tick_cycles": lambda trial: float(trial.run.cycles.mean()),
    "line_bytes": Trial.line_bytes,
    "bit_budget": Trial.bit_budget,
    "static_energy": Trial.static_energy,
    "logic": lambda trial: trial.estimate.logic,
    "memory": lambda trial: trial.estimate.memory,
    "multipliers": lambda trial: trial.estimate.dsp,
    "max_clock": lambda trial: trial.estimate.max_clock_hz,
    "room": lambda trial: trial.estimate.room,
    "clock_room": lambda trial: trial.clock_hz / trial.estimate.max_clock_hz,
    "synaptic_events": lambda trial: (
        trial.energy.counts.synaptic_events / trial.energy.counts.ticks
    ),
    "energy": lambda trial: trial.energy.most / trial.energy.counts.ticks,
}
