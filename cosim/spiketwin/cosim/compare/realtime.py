"""A core in real time: a stimulus that cannot wait, and the run that comes of it.

Whatever plays to a core in real time, a sensor or another chip, does so whether the core keeps up
or not. The events of a tick come when the tick is due. While the core lags, they wait in its queue;
those that find the queue full are lost. What is lost follows from the cycles of the ticks before,
so a run is found tick by tick on the target itself, free-running, with the cycles it says it took.
Then the same events are played once more at the fixed period, which has to come to the same, but
for ticks that are held up (docs/tick.md).

The link is left out of it: events are queued ahead, and spikes leave when the core puts them out.
What the link makes of the period is counted by itself (`waits`, `muted`, `held_cycles` of `Live`).
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
    """What a core did in real time.

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

    Raises `InvalidInput` for a case whose state is cleared on the way, which takes a host that
    stops the run, and otherwise as the methods of the core.
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
        What `free_run` gave for both.
    progress:
        Called with (ticks done, ticks) as each run goes on.

    Raises
    ------
    NotReproducible
        At the fixed period the core did something else than free-running with the same events.
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
    """Return the cycles by which rows were held up in a run at a fixed period.

    It must equal the free run in all else, and where it was not muted; None if it does not.
    """
    reported = ~timed.muted
    spoken = reported[free.spikes[:, 0]]
    held = np.where(reported, timed.cycles - free.cycles, 0)
    same = (
        np.array_equal(timed.spikes, free.spikes[spoken])
        and bool((held >= 0).all())
        and np.array_equal((timed.update_cycles - free.update_cycles)[reported], held[reported])
        and np.array_equal(timed.spike_cycles - free.spike_cycles[spoken], held[timed.spikes[:, 0]])
    )
    return int(held.sum()) if same else None


class _Queue:
    """The events that wait in the queue of a core, as the ticks of a period go on."""

    def __init__(self, period: int, depth: int) -> None:
        self._period = period
        self._depth = depth
        self._end = 0
        self._waiting = 0
        self._ticks: deque[tuple[int, int]] = deque()  # when each began, and its events

    def room(self, tick: int) -> int:
        """Events that find room when a tick is due, if all before it are executed."""
        while self._ticks and self._ticks[0][0] <= tick * self._period:
            self._waiting -= self._ticks.popleft()[1]
        return self._depth - self._waiting

    def execute(self, tick: int, events: int, cycles: int) -> None:
        """Count a tick with its events in."""
        begin = max(tick * self._period, self._end)
        self._end = begin + cycles
        self._waiting += events
        self._ticks.append((begin, events))


def _loses(case: Case, period: int, depth: int, cycles: IntArray) -> bool:
    """Return whether any event finds the queue full if the ticks take so long."""
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
    """Find out which events are lost; give the others, and the run with them."""
    # first[t]: number of the first event of tick t or later.
    first = np.searchsorted(case.spikes[:, 0], np.arange(case.ticks + 1))
    queue = _Queue(period, depth)
    core.program(case.network)
    taken: list[IntArray] = []
    parts: list[Run] = []
    tick = 0
    while tick < case.ticks:
        room = queue.room(tick)
        # All ticks whose events fit even if none leaves the queue meanwhile, and one at least.
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
