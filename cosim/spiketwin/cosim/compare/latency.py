"""What the time that a core takes does to its spikes: when each leaves, and how that is judged.

At a fixed tick period tick t is due at cycle ``t · period`` of the run. It begins then, or when the
tick before is over if that is later: a core that falls behind makes up for it as soon as it can.
Ideally a spike of tick t leaves when tick t is due. The questions are those that PyCARL asks
of a chip (Balaji et al., *PyCARL: A PyNN Interface for Hardware-Software Co-Simulation of Spiking
Neural Network*, IJCNN 2020): latency, disorder, distortion of the intervals between spikes. Its
chips delay spikes on their way through a shared interconnect; here it is the core that is late, and
the definitions are put for that.

All times are in cycles, counted from the cycle at which the first tick is due, and begins.
"""

from __future__ import annotations

import numpy as np

from spiketwin.host.elements import IntArray


def tick_begins(cycles: IntArray, period: int) -> IntArray:
    """Cycle at which each tick begins: ``max(t · period, begin[t - 1] + cycles[t - 1])``.

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
    busy = np.cumsum(cycles) - cycles  # of all ticks before
    due = period * np.arange(cycles.size)
    # The last tick before that began on time is the one whose beginning leads to the latest time.
    begins: IntArray = busy + np.maximum.accumulate(due - busy)
    return begins


def missed_deadlines(begins: IntArray, period: int) -> int:
    """Ticks that begin later than they are due; the first never does.

    Parameters
    ----------
    begins:
        Shape (ticks,), of `tick_begins`.
    period:
        The period that they were made with.
    """
    return int(np.count_nonzero(begins > period * np.arange(begins.size)))


def latencies(spikes: IntArray, left: IntArray, period: int) -> IntArray:
    """Cycles from when a spike was due, with its tick, until it left.

    Parameters
    ----------
    spikes:
        Shape (m, 2): (tick, neuron).
    left:
        Shape (m,): when each left.
    period:
        Cycles from tick to tick.

    Returns
    -------
    array
        Shape (m,), 0 or more. A spike that takes `period` or more is *late*: who counts the spikes
        of each tick while it lasts counts it in a later one.
    """
    return left - period * spikes[:, 0]


def interval_distortions(spikes: IntArray, left: IntArray, period: int) -> IntArray:
    """Cycles by which each interval between spikes differs from the ideal one.

    PyCARL's distortion of the inter-spike interval: for each neuron, from spike to spike, how much
    longer or shorter the interval is than the ideal one. Where spikes are missing or extra,
    intervals are those between spikes that are not.

    Parameters
    ----------
    spikes:
        Shape (m, 2): (tick, neuron), none twice, in any order.
    left:
        Shape (m,): when each left.
    period:
        Cycles from tick to tick.

    Returns
    -------
    array
        Shape (m - neurons that fire,), 0 or more; neuron by neuron.
    """
    order = np.lexsort((spikes[:, 0], spikes[:, 1]))
    neuron = spikes[order, 1]
    late = latencies(spikes, left, period)[order]
    distortions: IntArray = np.abs(np.diff(late))[np.diff(neuron) == 0]
    return distortions


def out_of_order(ticks: IntArray, times: IntArray) -> IntArray:
    """Numbers of what comes after something of a later tick.

    PyCARL's spike disorder, counted as the spikes at whose arrival something has come already that
    was to come after them. One core puts out its spikes tick by tick, so among themselves they are
    always in order. Who hears the axon events as well hears, from a core that lags by a tick, the
    answer to an event after the next event.

    Parameters
    ----------
    ticks, times:
        Shape (m,): the tick that each belongs to, and when it came; in any order.

    Returns
    -------
    array
        Shape (k,), ascending. What comes in the same cycle is in order.
    """
    if not ticks.size:
        return np.empty(0, np.int64)
    order = np.argsort(ticks, kind="stable")
    # The earliest of each and all that follow, and so of all later ticks than mine.
    earliest = np.minimum.accumulate(times[order][::-1])[::-1]
    later = np.searchsorted(ticks[order], ticks, side="right")
    earliest = np.append(earliest, times.max())
    return np.flatnonzero(times > earliest[later])
