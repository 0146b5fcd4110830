"""Scales: how many units of a core make one unit of what is meant, for each neuron.

The scale of a neuron stands at its column of weights, its threshold, reset and bias, so it can
differ from neuron to neuron as long as nothing learns. Currents are finer than potentials by
``2**i_syn_shift``, which is of the whole network.
"""

from __future__ import annotations

import math
from typing import Final, Literal, NamedTuple

import numpy as np

from spiketwin.hdl.spec.arithmetic import MAX_DECAY_SHIFT
from spiketwin.host.quantisation.meant import Meant, Reals
from spiketwin.host.sums import WIDEST

Scales = Literal["neuron", "layer", "network"]
"""What has a scale of its own."""

SCALES: Final[tuple[Scales, ...]] = ("neuron", "layer", "network")

HEADROOM: Final = 4
"""The range of `v` is so many times the threshold, the reset and a rest below 0: inhibition goes
below, and a tick above."""

_MARGIN: Final = 1.02
"""Room for what decays leave by rounding in the potential of a neuron that never fires."""

_ENDLESS: Final = 256
"""Ticks with all sources active that the potential of an integrator without leak has room for."""


class Chosen(NamedTuple):
    """Scales of the neurons, shape (n_neurons,), and the shift of all currents."""

    scales: Reals
    i_syn_shift: int


def scales_of(meant: Meant, weight_width: int, v_width: int, per: Scales) -> Chosen:
    """Return the finest scales with which weights and potentials fit these widths."""
    most_weight = float((1 << weight_width - 1) - 1)
    by_v = _by_potential(meant, v_width)
    largest, whole = _weights(meant)
    by_v = _shared(meant, by_v, per)
    fits = largest > 0
    room = float(np.median(most_weight / (by_v[fits] * largest[fits]))) if fits.any() else 1.0
    shift = min(max(0, math.floor(math.log2(room))), MAX_DECAY_SHIFT)
    fine = float(1 << shift)
    most_current = float((1 << WIDEST - 1) - 1)
    with np.errstate(divide="ignore"):
        by_weight = np.where(fits, most_weight / (fine * largest), np.inf)
        by_sum = np.where(whole > 0, most_current / (fine * whole), np.inf)
    scales = np.minimum(by_v, np.minimum(by_weight, by_sum))
    return Chosen(_shared(meant, scales, per), shift)


def _weights(meant: Meant) -> tuple[Reals, Reals]:
    """Return the largest weight of each neuron, and the sum of all, as magnitudes."""
    largest, whole = np.zeros(meant.n_neurons), np.zeros(meant.n_neurons)
    for each in meant.projections:
        place = meant.places[each.target]
        part = slice(place.start, place.stop)
        if each.weights.size:
            largest[part] = np.maximum(largest[part], np.abs(each.weights).max(axis=0))
            whole[part] += np.abs(each.weights).sum(axis=0)
    return largest, whole


def _by_potential(meant: Meant, v_width: int) -> Reals:
    """Return the scales with which the potentials fit, whatever the weights."""
    top = float((1 << v_width - 1) - 1)
    threshold = meant.gather("threshold")
    fires = np.isfinite(threshold)
    rest, drift = meant.gather("rest"), meant.gather("drift")
    steps = np.abs(meant.gather("v_loss") * rest) + np.abs(drift)
    extent = np.abs(np.where(fires, threshold, 0.0))
    # A neuron that fires stays below its threshold, however far above that it would rest.
    for each in (np.abs(meant.gather("v_reset")), -rest, steps):
        extent = np.maximum(extent, each)
    driven = _driven(meant)
    extent = np.where(fires, HEADROOM * extent, _MARGIN * driven)
    # A neuron that nothing moves fits at any scale.
    return top / np.where(extent > 0, extent, 1.0)


def _driven(meant: Meant) -> Reals:
    """Return the most that each potential gets to, with all sources active in every tick."""
    above, below = np.zeros(meant.n_neurons), np.zeros(meant.n_neurons)
    for each in meant.projections:
        place = meant.places[each.target]
        above[place.start : place.stop] += np.maximum(each.weights, 0).sum(axis=0)
        below[place.start : place.stop] -= np.minimum(each.weights, 0).sum(axis=0)
    v_loss, i_loss = meant.gather("v_loss"), meant.gather("i_loss")
    most = np.maximum(above, below) / np.maximum(i_loss, 1 / _ENDLESS)
    most += np.abs(meant.gather("drift"))
    driven: Reals = most / np.maximum(v_loss, 1 / _ENDLESS) + np.abs(meant.gather("rest"))
    return driven


def _shared(meant: Meant, scales: Reals, per: Scales) -> Reals:
    """Return the least scale of each layer, or of all, where these have one."""
    if per == "neuron":
        return scales
    shared = scales.copy()
    parts = [slice(p.start, p.stop) for p in meant.places.values()] if per == "layer" else [...]
    for part in parts:
        shared[part] = scales[part].min()
    return shared
