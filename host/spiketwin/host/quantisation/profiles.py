"""Profiles for neurons whose losses a tick are real numbers: at most as many as a core has."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spiketwin.hdl.spec.arithmetic import DECAY_AT_ONCE, DECAY_BITS, shifted_decay_code
from spiketwin.hdl.spec.params import N_PROFILES
from spiketwin.host.elements import IntArray
from spiketwin.host.quantisation.meant import Meant, Reals

_MOST: Final = N_PROFILES[-1]
_ROUNDS: Final = 30
"""Rounds in which neurons choose among so many profiles; they settle long before."""


@dataclass(frozen=True, eq=False)
class Profiles:
    """The profiles of a network.

    Attributes
    ----------
    v_tau, i_syn_tau:
        Shape (profiles,): time constants in ticks.
    reset_subtract:
        Shape (profiles,).
    of_neurons:
        Shape (n_neurons,): the profile of each neuron.
    """

    v_tau: Reals
    i_syn_tau: Reals
    reset_subtract: NDArray[np.bool_]
    of_neurons: IntArray


def profiles_of(meant: Meant) -> Profiles:
    """Return profiles for the losses of all neurons.

    Where there are more different ones than a core has profiles, near ones share one, which has the
    geometric mean of their losses.
    """
    losses = np.stack([meant.gather("v_loss"), meant.gather("i_loss")], axis=1)
    subtracts = meant.gather("reset_subtract").astype(bool)
    kinds = [np.flatnonzero(subtracts == kind) for kind in (False, True)]
    different = [np.unique(losses[members], axis=0) for members in kinds]
    counts = _shares([len(each) for each in different])
    of_neurons = np.zeros(len(losses), np.int64)
    rows: list[tuple[float, float, bool]] = []
    for kind, members in enumerate(kinds):
        if not len(members):
            continue
        centres, chosen = _gathered(losses[members], counts[kind])
        of_neurons[members] = len(rows) + chosen
        rows += [(float(v), float(i), bool(kind)) for v, i in centres]
    taus = np.array([[_tau(v), _tau(i)] for v, i, _ in rows])
    flags = np.array([flag for *_, flag in rows])
    return Profiles(taus[:, 0], taus[:, 1], flags, of_neurons)


def held_loss(tau: float, shifts: bool = True) -> float:
    """Return the part of a value that a core takes away in a tick, with shifts of decays or not."""
    code, shift = shifted_decay_code(tau, shifts)
    return 1.0 if code == DECAY_AT_ONCE else code / (1 << DECAY_BITS + shift)


def _tau(loss: float) -> float:
    """Return the time constant in ticks with which this part is lost in a tick."""
    if loss in (0.0, 1.0):
        return math.inf if loss == 0.0 else 0.0
    return -1.0 / math.log1p(-loss)


def _shares(wanted: list[int]) -> list[int]:
    """Return how many of all profiles each kind of neurons gets, at least 1 where it wants any."""
    shares = list(wanted)
    while sum(shares) > _MOST:
        shares[shares.index(max(shares))] -= 1
    return shares


def _gathered(losses: Reals, count: int) -> tuple[Reals, IntArray]:
    """Return `count` centres of losses, shape (count, 2), and the centre that each belongs to.

    Centres begin far from each other, and then move to the means of their members (Lloyd 1982).
    """
    different, places, many = np.unique(losses, axis=0, return_inverse=True, return_counts=True)
    places = places.reshape(-1)
    if len(different) <= count:
        return different, places
    # No loss at all is far from any other.
    logs = np.log(np.maximum(different, 1e-9))
    centres = logs[:1]
    while len(centres) < count:
        apart = _distances(logs, centres).min(axis=1)
        centres = np.vstack([centres, logs[apart.argmax()]])
    for _ in range(_ROUNDS):
        nearest = _distances(logs, centres).argmin(axis=1)
        for number in range(count):
            mine = nearest == number
            if mine.any():
                centres[number] = np.average(logs[mine], axis=0, weights=many[mine])
    nearest = _distances(logs, centres).argmin(axis=1)
    means = np.exp(centres)
    means[means <= 1e-9 * (1 + 1e-6)] = 0.0
    return np.minimum(means, 1.0), nearest[places]


def _distances(points: Reals, centres: Reals) -> Reals:
    distances: Reals = ((points[:, None] - centres[None]) ** 2).sum(axis=2)
    return distances
