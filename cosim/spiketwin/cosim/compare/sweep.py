"""The effect of latency on a network, by tick period: from keeping up to falling behind.

A core in real time (`realtime`) is compared with the same core free-running, whose spikes are the
ideal ones, each at the due time of its tick. So only time makes a difference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spiketwin.cosim.compare import measures
from spiketwin.cosim.compare.case import Case
from spiketwin.cosim.compare.latency import missed_deadlines
from spiketwin.cosim.compare.realtime import Live, free_run, live
from spiketwin.cosim.compare.subject import Subject
from spiketwin.hdl.spec.results import Result
from spiketwin.host import Run
from spiketwin.host.elements import IntArray
from spiketwin.host.lateness import interval_distortions, latencies, out_of_order
from spiketwin.host.progress import Progress
from spiketwin.host.stimuli import checked_events

TAU_TICKS: Final = 10.0
"""Time constant of the van Rossum distances, in ticks."""

COST_PER_TICK: Final = 0.1
"""Cost of the Victor-Purpura distances: to move a spike by 20 ticks costs as much as to remove and
add one."""

Judge = Callable[[IntArray], float]
"""Accuracy of a task, by the spikes that were heard: shape (m, 2), (slot of a tick, neuron)."""


@dataclass(frozen=True)
class Distances(Result):
    """Mean distances from the ideal spike trains, over the neurons that fire.

    The time of a spike is the beginning of its tick, in periods; all distances are 0 if a core
    keeps up.

    Attributes
    ----------
    van_rossum, victor_purpura, isi, spike:
        The van Rossum, Victor-Purpura, ISI and SPIKE distances.
    """

    van_rossum: float
    victor_purpura: float
    isi: float
    spike: float


@dataclass(frozen=True)
class SweepPoint(Result):
    """The result of a core at one tick period; all times in cycles.

    The last three depend on the link to the target and on the host, all else on the core alone.
    Twins have equal points, as the last three are not compared.

    Attributes
    ----------
    tick_period:
        Cycles from tick to tick.
    utilisation:
        Mean cycles of a tick, in periods; above 1 the core falls behind for as long as it lasts.
    elapsed_cycles:
        Cycles from the beginning of the first tick to the end of the last one, or of its period.
    ticks_per_second:
        Ticks in a second of the clock by which cycles are time.
    missed_deadlines:
        Ticks that began late.
    dropped_events:
        Axon events that found the queue full.
    spikes:
        Spikes that were fired; the following are of them.
    late_spikes:
        Those that left after the period of their tick was over.
    disordered_spikes:
        Those that left after an axon event of a later tick had come.
    missing_spikes, extra_spikes:
        Ideal spikes that were not fired, in the same tick by the same neuron, and spikes that were
        fired and are not ideal.
    latency_mean, latency_max:
        Cycles from when a spike was due until it left, mean and maximum; 0 without spikes.
    interval_distortion_mean, interval_distortion_max:
        Cycles by which an interval between spikes of a neuron differs from the ideal one, mean and
        maximum; 0 without intervals.
    distances:
        Distances from the ideal spike trains; None without the libraries that measure them.
    accuracy:
        Share of the answers that were right, and there in time; None if the case is no task.
    waits, muted_ticks:
        Ticks that the target began late because it waited for the host, and ticks whose words it
        dropped because the host did not take them.
    held_cycles:
        Cycles that ticks took longer as an event came in while they looked for theirs.
    """

    tick_period: int
    utilisation: float
    elapsed_cycles: int
    ticks_per_second: float = field(compare=False)
    missed_deadlines: int
    dropped_events: int
    spikes: int
    late_spikes: int
    disordered_spikes: int
    missing_spikes: int
    extra_spikes: int
    latency_mean: float
    latency_max: int
    interval_distortion_mean: float
    interval_distortion_max: int
    distances: Distances | None
    accuracy: float | None
    waits: int = field(compare=False)
    muted_ticks: int = field(compare=False)
    held_cycles: int = field(compare=False)


@dataclass(frozen=True)
class Sweep(Result):
    """The results of a network on one core at several tick periods.

    Attributes
    ----------
    clock_hz:
        Clock by which cycles are seconds.
    ticks, events, spikes:
        Ticks, axon events, and spikes of the core free-running.
    falls_behind_below:
        Mean cycles of a tick, free-running: with a shorter period the core falls behind for good,
        or as soon as events are lost for it.
    keeps_up_from:
        Least period at which no deadline is missed.
    accuracy:
        Accuracy in the task, free-running; None if the case is no task.
    points:
        By tick period, ascending.
    """

    clock_hz: int
    ticks: int
    events: int
    spikes: int
    falls_behind_below: float
    keeps_up_from: int
    accuracy: float | None
    points: tuple[SweepPoint, ...]

    def values(self, name: str) -> NDArray[np.float64]:
        """Return one attribute of all points, shape (points,); NaN for None."""
        return np.array([getattr(point, name) for point in self.points], np.float64)

    def microseconds(self, cycles: float) -> float:
        """Turn cycles into microseconds."""
        return cycles / self.clock_hz * 1e6


@dataclass(frozen=True)
class SweepResult(Result):
    """The result of ``spiketwin sweep``.

    Attributes
    ----------
    ideal:
        Reference for the spikes of each target: ``free-running``, its own ones.
    van_rossum_tau_ticks, victor_purpura_cost_per_tick:
        Parameters of these two distances.
    targets:
        Results of each target, by its address.
    """

    json_keys = (
        "ideal", "van_rossum_tau_ticks", "victor_purpura_cost_per_tick", "equal", "targets",
    )  # fmt: skip

    targets: dict[str, Sweep]
    ideal: str = "free-running"
    van_rossum_tau_ticks: float = TAU_TICKS
    victor_purpura_cost_per_tick: float = COST_PER_TICK

    @property
    def equal(self) -> bool:
        """Whether all targets did the same at each period."""
        first, *others = self.targets.values()
        return all(each.points == first.points for each in others)


def sweep(
    subject: Subject,
    case: Case,
    periods: Sequence[int],
    progress: Progress,
    *,
    clock_hz: int | None = None,
    judge: Judge | None = None,
    distances: bool = True,
) -> Sweep:
    """Run a case in real time at several tick periods.

    Parameters
    ----------
    subject:
        The target.
    case:
        The case to play.
    periods:
        Cycles from tick to tick, each 1 or more.
    progress:
        Called as the work goes on.
    clock_hz:
        Clock that turns cycles into seconds; None for the one that the device reports.
    judge:
        Judge of the task, if the case is one.
    distances:
        Whether to measure `Distances`, which raises `ImportError` without the extra ``sweep``.

    Raises
    ------
    SpiketwinError
        As `realtime.live`.
    """
    case = replace(case, spikes=checked_events(case.spikes, case.ticks, case.network.n_axons))
    free = free_run(subject.core, case, partial(progress, f"{subject.name} free-running"))
    clock_hz = clock_hz or subject.core.identity.clock_hz
    points = []
    for period in sorted(set(periods)):
        report = partial(progress, f"{subject.name} at {period:,} cycles")
        found = live(subject.core, case, period, free, report)
        points.append(_judged(case, free, found, judge, distances, clock_hz))
    return Sweep(
        clock_hz=clock_hz,
        ticks=case.ticks,
        events=len(case.spikes),
        spikes=len(free.spikes),
        falls_behind_below=float(free.cycles.mean()),
        keeps_up_from=int(free.cycles[:-1].max(initial=1)),
        accuracy=judge and judge(free.spikes),
        points=tuple(points),
    )


def _judged(
    case: Case, free: Run, found: Live, judge: Judge | None, distances: bool, clock_hz: int
) -> SweepPoint:
    period, run = found.period, found.run
    spikes, left = run.spikes, found.left
    late = latencies(spikes, left, period)
    events = case.spikes
    both = np.concatenate([spikes[:, 0], events[:, 0]])
    times = np.concatenate([left, events[:, 0] * period])
    same = _shared(free.spikes, spikes)
    kept = _shared(spikes, free.spikes)
    distorted = interval_distortions(spikes[kept], left[kept], period)
    elapsed = max(int(found.begins[-1] + run.cycles[-1]), case.ticks * period)
    return SweepPoint(
        tick_period=period,
        utilisation=float(run.cycles.mean() / period),
        elapsed_cycles=elapsed,
        ticks_per_second=case.ticks * clock_hz / elapsed,
        missed_deadlines=missed_deadlines(found.begins, period),
        dropped_events=len(events) - len(found.events),
        spikes=len(spikes),
        late_spikes=int((late >= period).sum()),
        disordered_spikes=out_of_order(both, times).size,
        missing_spikes=int((~same).sum()),
        extra_spikes=int((~kept).sum()),
        latency_mean=_mean(late),
        latency_max=int(late.max(initial=0)),
        interval_distortion_mean=_mean(distorted),
        interval_distortion_max=int(distorted.max(initial=0)),
        distances=_distances(case, free, found) if distances else None,
        accuracy=judge and judge(np.stack([left // period, spikes[:, 1]], axis=1)),
        waits=found.waits,
        muted_ticks=found.muted,
        held_cycles=found.held_cycles,
    )


def _mean(values: IntArray) -> float:
    return float(values.mean()) if values.size else 0.0


def _shared(spikes: IntArray, others: IntArray) -> NDArray[np.bool_]:
    """Return for each spike whether it is among the others."""
    span = 1 + max((int(each[:, 1].max()) for each in (spikes, others) if len(each)), default=0)
    shared: NDArray[np.bool_] = np.isin(
        spikes[:, 0] * span + spikes[:, 1], others[:, 0] * span + others[:, 1]
    )
    return shared


def _distances(case: Case, free: Run, found: Live) -> Distances:
    """Return the distances of the spike trains of a run from the ideal ones, in periods."""
    spikes = found.run.spikes
    began = found.begins[spikes[:, 0]] / found.period
    end = max(case.ticks, found.begins[-1] / found.period)
    ideal = free.spikes
    firing, numbers = np.unique(np.concatenate([ideal[:, 1], spikes[:, 1]]), return_inverse=True)
    trains = (
        np.stack([ideal[:, 0], numbers[: len(ideal)]], axis=1),
        np.stack([began, numbers[len(ideal) :]], axis=1),
    )

    def mean(measure: measures.Measure) -> float:
        found = measures.of_each_neuron(measure, *trains, n_neurons=firing.size)
        return float(found.mean()) if firing.size else 0.0

    return Distances(
        van_rossum=mean(lambda a, b: measures.van_rossum(a, b, tau=TAU_TICKS)),
        victor_purpura=mean(lambda a, b: measures.victor_purpura(a, b, cost=COST_PER_TICK)),
        isi=mean(lambda a, b: measures.isi_distance(a, b, end)),
        spike=mean(lambda a, b: measures.spike_distance(a, b, end)),
    )
