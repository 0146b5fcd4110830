"""Standard distances between two spike trains, computed by Elephant and PySpike.

Everything is in ticks. A train is an ascending array of the times at which one neuron fired, which
need not be whole ticks. The libraries come with the extra ``sweep``; they are imported when a
measure is used, which raises `ImportError` without them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spiketwin.host.elements import IntArray
from spiketwin.host.errors import InvalidInput

Train = IntArray | NDArray[np.float64]
Measure = Callable[[Train, Train], float]


def of_each_neuron(
    measure: Measure, ideal: Train, run: Train, n_neurons: int
) -> NDArray[np.float64]:
    """Return the distance of a run from the ideal network for each neuron.

    Parameters
    ----------
    measure:
        Distance of two trains, such as ``lambda a, b: van_rossum(a, b, tau=10.0)``.
    ideal, run:
        Shape (m, 2): (time, neuron), ascending by time.
    n_neurons:
        Number of neurons.

    Returns
    -------
    array
        Shape (n_neurons,).
    """
    trains = (
        [each[each[:, 1] == neuron, 0] for each in (ideal, run)] for neuron in range(n_neurons)
    )
    # Equal trains have distance 0: skip the libraries for these, which are the most.
    return np.array(
        [
            0.0 if np.array_equal(expected, found) else measure(expected, found)
            for expected, found in trains
        ]
    )


def van_rossum(a: Train, b: Train, tau: float) -> float:
    """Return the distance of the trains filtered by a decaying exponential (van Rossum 2001).

    It is computed by Elephant, in whose norm a single spike has distance 1 from an empty train (in
    the paper it is ``sqrt(1/2)``).

    Parameters
    ----------
    a, b:
        Trains.
    tau:
        Time constant in ticks, above 0.

    Raises
    ------
    InvalidInput
        `tau` is not above 0.
    """
    if not tau > 0:
        raise InvalidInput(f"tau must be above 0 ticks, not {tau}")
    from elephant.spike_train_dissimilarity import van_rossum_distance
    from quantities import ms

    return float(van_rossum_distance([_timed(a), _timed(b)], time_constant=tau * ms)[0, 1])


def victor_purpura(a: Train, b: Train, cost: float) -> float:
    """Return the least cost of turning one train into the other (Victor and Purpura 1996).

    To add or remove a spike costs 1, and to move it by a tick `cost`; Elephant computes it.

    Parameters
    ----------
    a, b:
        Trains.
    cost:
        Cost of a move by one tick, 0 or more.

    Raises
    ------
    InvalidInput
        `cost` is below 0.
    """
    if not cost >= 0:
        raise InvalidInput(f"cost must be 0 or more per tick, not {cost}")
    from elephant.spike_train_dissimilarity import victor_purpura_distance
    from quantities import ms

    return float(victor_purpura_distance([_timed(a), _timed(b)], cost_factor=cost / ms)[0, 1])


def isi_distance(a: Train, b: Train, ticks: float) -> float:
    """Return the mean relative difference of inter-spike intervals (Kreuz et al. 2007).

    Parameters
    ----------
    a, b:
        Trains.
    ticks:
        Length of the run.

    Returns
    -------
    float
        0…1, without a unit.
    """
    import pyspike

    return float(pyspike.isi_distance(_bounded(a, ticks), _bounded(b, ticks)))


def spike_distance(a: Train, b: Train, ticks: float) -> float:
    """Return the mean relative distance to the nearest spike (Kreuz et al. 2013).

    Parameters
    ----------
    a, b:
        Trains.
    ticks:
        Length of the run.

    Returns
    -------
    float
        0…1, without a unit.
    """
    import pyspike

    return float(pyspike.spike_distance(_bounded(a, ticks), _bounded(b, ticks)))


def _timed(train: Train) -> Any:
    """Return a train in the form of Elephant, with a unit of time: a tick counts as 1 ms."""
    from quantities import ms

    return np.asarray(train, np.float64) * ms


def _bounded(train: Train, ticks: float) -> Any:
    """Return a train in the form of PySpike, with its beginning and end."""
    import pyspike

    return pyspike.SpikeTrain(np.asarray(train, np.float64), [0.0, float(ticks)])
