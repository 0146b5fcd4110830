"""Measures of the lateness of spikes: latency, distortion of intervals, disorder.

The questions are those that PyCARL asks of a chip (Balaji et al., *PyCARL: A PyNN Interface for
Hardware-Software Co-Simulation of Spiking Neural Network*, IJCNN 2020). Its chips delay spikes in a
shared interconnect; the definitions here take the times of any spikes that should have been at
their ticks.

Times are in cycles, with so many cycles a tick, and may be in ticks with a period of 1.
"""

from __future__ import annotations

import numpy as np

from spiketwin.host.elements import IntArray


def latencies(spikes: IntArray, left: IntArray, period: int) -> IntArray:
    """Return the cycles from the due time of each spike's tick until the spike left.

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
        Shape (m,), 0 or more. A spike with `period` or more is *late*: a receiver that counts
        spikes period by period counts it in a later one.
    """
    return left - period * spikes[:, 0]


def interval_distortions(spikes: IntArray, left: IntArray, period: int) -> IntArray:
    """Return the cycles by which each inter-spike interval differs from the ideal one.

    This is PyCARL's distortion of the inter-spike interval: for each neuron and pair of successive
    spikes, how much longer or shorter the interval is than the ideal one. Pass only spikes that
    are neither missing nor extra.

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
    """Return the indices of items that arrive after an item of a later tick.

    This is PyCARL's spike disorder, counted as the spikes that arrive after an item that should
    follow them. One core puts out its spikes tick by tick, so among themselves they are always in
    order. But a receiver that also observes the axon events observes, from a core that lags by a
    tick, the answer to an event after the next event.

    Parameters
    ----------
    ticks, times:
        Shape (m,): the tick that each item belongs to, and the cycle of its arrival; in any order.

    Returns
    -------
    array
        Shape (k,), ascending. Items that arrive in the same cycle are in order.
    """
    if not ticks.size:
        return np.empty(0, np.int64)
    order = np.argsort(ticks, kind="stable")
    # The earliest arrival of each item and all that follow it: a suffix minimum.
    earliest = np.minimum.accumulate(times[order][::-1])[::-1]
    later = np.searchsorted(ticks[order], ticks, side="right")
    earliest = np.append(earliest, times.max())
    return np.flatnonzero(times > earliest[later])
