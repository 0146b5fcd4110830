"""A run of a network that is meant, in double precision: nothing is rounded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spiketwin.host.elements import IntArray
from spiketwin.host.quantisation.meant import Meant, Reals
from spiketwin.host.stimuli import checked_events


@dataclass(frozen=True, eq=False)
class FloatRun:
    """The behaviour of a network in double precision.

    Attributes
    ----------
    spikes:
        Shape (m, 2): (tick, neuron), ascending, in the ticks of a core.
    v:
        Shape (n_neurons,): the potential after the last tick.
    """

    spikes: IntArray
    v: Reals


def run_floating(meant: Meant, spikes: ArrayLike, ticks: int) -> FloatRun:
    """Run a network that is meant, from its start.

    Parameters
    ----------
    meant:
        The network.
    spikes:
        Shape (k, 2): (tick, axon). An axon that is named several times counts as often.
    ticks:
        Number of ticks.

    Raises
    ------
    InvalidInput
        An event is out of the range of ticks and axons, or `ticks` is no number of ticks.
    """
    arriving = _counts(meant, spikes, ticks)
    loss, lost = meant.gather("v_loss"), meant.gather("i_loss")
    steady = loss * meant.gather("rest") + meant.gather("drift")
    threshold, v_reset = meant.gather("threshold"), meant.gather("v_reset")
    subtracts = meant.gather("reset_subtract").astype(bool)
    lag, i_start = meant.gather("lag"), meant.gather("i_start")
    v, i = np.zeros(meant.n_neurons), np.zeros(meant.n_neurons)
    fired = np.zeros((ticks, meant.n_neurons), bool)
    for tick in range(ticks):
        i = np.where(lag == tick, i + i_start, i)
        for each in meant.projections:
            sent = tick - each.delay
            if each.source:
                place = meant.places[each.source]
                active = fired[sent - 1, place.start : place.stop] if sent > 0 else None
            else:
                stop = each.first + len(each.weights)
                active = arriving[sent, each.first : stop] if sent >= 0 else None
            if active is not None and active.any():
                target = meant.places[each.target]
                rows = np.flatnonzero(active)
                i[target.start : target.stop] += active[rows].astype(float) @ each.weights[rows]
        free = lag <= tick
        v = np.where(free, (1 - loss) * v + i + steady, v)
        i = (1 - lost) * i
        fired[tick] = free & (v > threshold)
        after = np.where(subtracts, v - np.where(np.isfinite(threshold), threshold, 0), v_reset)
        v = np.where(fired[tick], after, v)
    return FloatRun(np.argwhere(fired), v)


def _counts(meant: Meant, spikes: ArrayLike, ticks: int) -> NDArray[np.int64]:
    """Return how often each axon is named in each tick, shape (ticks, n_axons)."""
    events = checked_events(spikes, ticks, meant.n_axons)
    counts = np.zeros((ticks, meant.n_axons), np.int64)
    np.add.at(counts, tuple(events.T), 1)
    return counts
