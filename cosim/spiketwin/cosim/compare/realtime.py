"""A core in real time: a stimulus that cannot wait, and the run that results from it.

A source of events in real time, a sensor or another chip, sends them whether or not the core keeps
up. The events of a tick arrive when the tick is due. While the core lags, they wait in its queue;
those that find the queue full are lost. The losses follow from the cycles of the ticks before, so
the run is first determined tick by tick on the target itself, free-running, with the cycles that it
reports. Then the remaining events are played once more at the fixed period, with the same result
except for the delays of ticks while events arrive (docs/tick.md).

The link is left out: events are queued ahead, and spikes leave when the core puts them out. The
effects of the link on timing are counted separately (`waits`, `muted`, `held_cycles` of `Live`).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from spiketwin.cosim.compare.case import Case
from spiketwin.cosim.compare.difference import NotReproducible
from spiketwin.cosim.compare.latency import missed_deadlines, tick_begins
from spiketwin.host import Core, Run
from spiketwin.host.elements import IntArray
from spiketwin.host.errors import InvalidInput
from spiketwin.host.progress import Steps
from spiketwin.host.runs import joined

_MOST_COUNTED = (1 << 16) - 1
"""A counter of the device stays at its largest value."""


@dataclass(frozen=True, eq=False)
class Live:
    """The run of a core in real time.

    Attributes
    ----------
    period:
        Cycles from tick to tick.
    events:
        Shape (k, 2): (tick, axon) of the events that found room in the queue.
    run:
        Spikes and cycles of all ticks.
    begins:
        Shape (ticks,): cycle at which each tick begins.
    muted:
        Ticks whose words the target dropped, as the host did not take them as fast as they came.
    waits:
        Ticks that began late beyond those that follow from the cycles: the target had nothing to
        do, as the host did not ask for them in time.
    held_cycles:
        Cycles that ticks took longer as an event came in while they looked for theirs.
    """

    period: int
    events: IntArray
    run: Run
    begins: IntArray
    muted: int
    waits: int
    held_cycles: int

    @property
    def left(self) -> IntArray:
        """Cycle at which each spike of `run` left, shape (m,)."""
        left: IntArray = self.begins[self.run.spikes[:, 0]] + self.run.spike_cycles
        return left


def free_run(core: Core, case: Case, progress: Steps | None = None) -> Run:
    """Run a case as fast as the core can, for the ideal spikes and the length of each tick.

    Raise `InvalidInput` for a case whose state is cleared on the way, for which the host would
    have to stop the run; other errors are those of the methods of the core.
    """
    if case.clear_every is not None:
        raise InvalidInput("state cannot be cleared in real time: take a case without clear_every")
    core.program(case.network)
    return core.run(case.spikes, case.ticks, progress=progress)


def live(core: Core, case: Case, period: int, free: Run, progress: Steps | None = None) -> Live:
    """Run a case in real time.

    Parameters
    ----------
    core, case:
        The core, which is programmed, and the case.
    period:
        Cycles from tick to tick, 1 or more.
    free:
        Result of `free_run` for both.
    progress:
        Called with (ticks done, ticks) as each run goes on.

    Raises
    ------
    NotReproducible
        At the fixed period the core behaved differently than free-running with the same events.
    SpiketwinError
        As the methods of the core.
    """
    depth = core.params.event_queue_depth
    events, run = case.spikes, free
    if _loses(case, period, depth, free.cycles):
        events, run = _played(core, case, period, depth, progress)
    core.program(case.network)
    timed = core.run(events, case.ticks, tick_period=period, progress=progress)
    held = _held_cycles(run, timed)
    if held is None:
        raise NotReproducible(
            f"at a tick period of {period} cycles the core did something else than free-running "
            f"with the same events ({timed.late_events} came late): run `spiketwin selftest` on it"
        )
    begins = tick_begins(run.cycles, period)
    waits = timed.missed_deadlines - min(missed_deadlines(begins, period), _MOST_COUNTED)
    return Live(period, events, run, begins, int(timed.muted.sum()), waits, held)


def _held_cycles(free: Run, timed: Run) -> int | None:
    """Return the cycles by which rows were delayed in a run at a fixed period.

    In all else, the timed run must equal the free run in all ticks that were not muted; None if
    it does not.
    """
    reported = ~timed.muted
    of_reported = reported[free.spikes[:, 0]]
    held = np.where(reported, timed.cycles - free.cycles, 0)
    same = (
        np.array_equal(timed.spikes, free.spikes[of_reported])
        and bool((held >= 0).all())
        and np.array_equal((timed.update_cycles - free.update_cycles)[reported], held[reported])
        and np.array_equal(
            timed.spike_cycles - free.spike_cycles[of_reported], held[timed.spikes[:, 0]]
        )
    )
    return int(held.sum()) if same else None


class _Queue:
    """A simulation of the event queue of a core over the ticks of a period."""

    def __init__(self, period: int, depth: int) -> None:
        self._period = period
        self._depth = depth
        self._end = 0
        self._waiting = 0
        self._ticks: deque[tuple[int, int]] = deque()  # when each began, and its events

    def room(self, tick: int) -> int:
        """Return the number of events that find room when a tick is due, after earlier ticks."""
        while self._ticks and self._ticks[0][0] <= tick * self._period:
            self._waiting -= self._ticks.popleft()[1]
        return self._depth - self._waiting

    def execute(self, tick: int, events: int, cycles: int) -> None:
        """Account for the execution of a tick with its events."""
        begin = max(tick * self._period, self._end)
        self._end = begin + cycles
        self._waiting += events
        self._ticks.append((begin, events))


def _loses(case: Case, period: int, depth: int, cycles: IntArray) -> bool:
    """Return whether any event finds the queue full, given the cycles of the ticks."""
    offered = np.bincount(case.spikes[:, 0], minlength=case.ticks)
    queue = _Queue(period, depth)
    for tick, (events, length) in enumerate(zip(offered.tolist(), cycles.tolist(), strict=True)):
        if events > queue.room(tick):
            return True
        queue.execute(tick, events, length)
    return False


def _played(
    core: Core, case: Case, period: int, depth: int, progress: Steps | None
) -> tuple[IntArray, Run]:
    """Find out which events are lost; return the others, and the run with them."""
    # first[t]: index of the first event of tick t or later.
    first = np.searchsorted(case.spikes[:, 0], np.arange(case.ticks + 1))
    queue = _Queue(period, depth)
    core.program(case.network)
    taken: list[IntArray] = []
    parts: list[Run] = []
    tick = 0
    while tick < case.ticks:
        room = queue.room(tick)
        # Run at least one tick, and all whose events fit even if none leaves the queue meanwhile.
        end = max(tick + 1, int(np.searchsorted(first, first[tick] + room, side="right")) - 1)
        events = case.spikes[first[tick] : min(first[end], first[tick] + room)]
        run = core.run(events - (tick, 0), end - tick)
        counts = np.bincount(events[:, 0] - tick, minlength=end - tick)
        for number, (count, cycles) in enumerate(
            zip(counts.tolist(), run.cycles.tolist(), strict=True)
        ):
            queue.room(tick + number)
            queue.execute(tick + number, count, cycles)
        taken.append(events)
        parts.append(run)
        tick = end
        if progress is not None:
            progress(tick, case.ticks)
    return np.concatenate(taken), joined(parts)
