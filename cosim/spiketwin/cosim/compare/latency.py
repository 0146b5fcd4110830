"""The effect of execution time on ticks: when each one begins, and how many begin late.

At a fixed tick period, tick t is due at cycle ``t · period`` of the run. It begins then, or when
the tick before ends if that is later: a core that falls behind catches up as soon as it can.
Ideally a spike of tick t leaves when tick t is due. `spiketwin.host.lateness` has the measures of
how late spikes are.

All times are in cycles, counted from the cycle at which the first tick is due, and begins.
"""

from __future__ import annotations

import numpy as np

from spiketwin.host.elements import IntArray


def tick_begins(cycles: IntArray, period: int) -> IntArray:
    """Return the cycle at which each tick begins: ``max(t · period, begin[t-1] + cycles[t-1])``.

    Parameters
    ----------
    cycles:
        Shape (ticks,): cycles that each tick takes.
    period:
        Cycles from tick to tick, 1 or more.

    Returns
    -------
    array
        Shape (ticks,).
    """
    busy = np.cumsum(cycles) - cycles  # cycles of all ticks before
    due = period * np.arange(cycles.size)
    # Each tick follows the last one before it that began on time, which gives the latest begin.
    begins: IntArray = busy + np.maximum.accumulate(due - busy)
    return begins


def missed_deadlines(begins: IntArray, period: int) -> int:
    """Return the number of ticks that begin later than they are due; the first never does.

    Parameters
    ----------
    begins:
        Result of `tick_begins`, shape (ticks,).
    period:
        The period that was passed to `tick_begins`.
    """
    return int(np.count_nonzero(begins > period * np.arange(begins.size)))
