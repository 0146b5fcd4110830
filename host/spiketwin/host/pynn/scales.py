"""The scales: how many units of a core a millivolt and a weight of each neuron are.

Between two spikes of its inputs a neuron obeys exactly, over a tick h (Rotter and Diesmann 1999),

    v(t + h) = v(t)·e^(-h/tau_m) + P21·i(t) + (tau_m/cm)·(1 - e^(-h/tau_m))·I

with v above rest, the synaptic current i and a current I that is constant. A core computes this if
its weights are those of the script times P21, the *step* that a current makes in a tick.

A bias is a whole number, and the potential settles at a large multiple of it, so its rounding would
be felt. As a potential decays towards 0 from anywhere, what is rounded off only moves where it
settles: by as much the 0 of the potential is moved from rest, to the *origin* of the neuron.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spiketwin.hdl.spec.arithmetic import DECAY_AT_ONCE, DECAY_BITS, shifted_decay_code
from spiketwin.hdl.spec.registers import limits
from spiketwin.host.elements import IntArray
from spiketwin.host.errors import InvalidNetwork
from spiketwin.host.pynn.blocks import Block, Pairs
from spiketwin.host.pynn.model import Model, Neurons

Reals = NDArray[np.float64]

HEADROOM: Final = 4.0
"""How much farther than to its threshold a potential can get before it saturates."""

_CURRENT_ROOM: Final = 1 << 22
"""Units that all weights of a neuron may add up to: a half of a current of 24 bits."""

_MOST_SHIFT: Final = 8
"""The largest `i_syn_shift` that is of use: weights are then finer than potentials by 256."""

_UNBOUNDED: Final = 20.0
"""mV from rest within which a neuron that never fires is expected, unless it is driven farther."""

EVERYTHING: Final = slice(None)
"""All neurons."""

_FAR: Final = 4096.0
"""Most units by which an origin is moved; a neuron that hardly decays keeps its rounded bias."""

_DIGITS: Final = 6
"""Digits of units behind the point that are more than what double precision rounds."""

_SIGNIFICANT: Final = 5
"""Bits of a scale below its highest one: the others are 0, which costs 3 % at most."""

_NEVER: Final = 1000.0
"""mV above rest from which on a threshold counts as one of a neuron that never fires."""


@dataclass(frozen=True, eq=False)
class Scales:
    """The scales of a network on a core.

    Attributes
    ----------
    per_mv:
        Shape (n,): units of the potential in a mV, numbers of few significant bits.
    shift:
        `i_syn_shift`: a unit of the potential is ``2**shift`` units of a current.
    step:
        Shape (n, 2): mV that each current makes in a tick for each nA; 1 where synapses act at
        once.
    per_na:
        Shape (n,): units of a bias for each nA of a current that is constant.
    lost:
        Shape (n,): share of the potential that decays in a tick, as the core has it.
    origin:
        Shape (n,): units above rest, a whole number, of a potential that the core has as 0.
    rest:
        Shape (n,): potential of rest in mV.
    has_shifts:
        Whether decays have shifts.
    """

    per_mv: Reals
    shift: int
    step: Reals
    per_na: Reals
    lost: Reals
    origin: Reals
    rest: Reals
    has_shifts: bool

    def units(self, mv: Reals, neurons: IntArray | slice = EVERYTHING) -> Reals:
        """Return potentials of some neurons, in mV, as units that are not rounded."""
        above: Reals = self.per_mv[neurons] * (mv - self.rest[neurons])
        return above - self.origin[neurons]

    def mv(self, units: IntArray, neurons: IntArray | slice = EVERYTHING) -> Reals:
        """Return potentials of some neurons in mV."""
        above: Reals = (units + self.origin[neurons]) / self.per_mv[neurons]
        return above + self.rest[neurons]

    def bias(self, na: Reals, neurons: IntArray | slice = EVERYTHING) -> IntArray:
        """Return the biases of some neurons for constant currents in nA."""
        exact = self.per_na[neurons] * na - self.lost[neurons] * self.origin[neurons]
        return np.rint(np.round(exact, _DIGITS)).astype(np.int64)

    @property
    def weight_units(self) -> Reals:
        """Units of a weight for each nA, or mV where synapses act at once, shape (n, 2)."""
        units: Reals = self.per_mv[:, None] * self.step * 2.0**self.shift
        return units


def never_fires(neurons: Neurons) -> NDArray[np.bool_]:
    """Return which neurons have a threshold beyond all potentials."""
    return neurons.v_thresh - neurons.v_rest > _NEVER


def steps(neurons: Neurons, dt: float) -> Reals:
    """Return P21 of both currents of each neuron, in mV for each nA, shape (n, 2)."""
    tau_m, cm = neurons.tau_m[:, None], neurons.cm[:, None]
    tau_s = np.where(neurons.jumps[:, None], 1.0, neurons.tau_syn)
    equal = np.isclose(tau_m, tau_s, rtol=1e-9, atol=0)
    apart = np.where(equal, 1.0, tau_m - tau_s)
    step = tau_m * tau_s / (cm * apart) * (np.exp(-dt / tau_m) - np.exp(-dt / tau_s))
    step = np.where(equal, dt / cm * np.exp(-dt / tau_m), step)
    made: Reals = np.where(neurons.jumps[:, None], 1.0, step)
    return made


def lost_in_a_tick(taus: Reals, has_shifts: bool) -> Reals:
    """Return the share that a core takes off in a tick, for time constants in ticks."""
    unique, place = np.unique(taus, return_inverse=True)
    codes = [shifted_decay_code(float(tau), has_shifts) for tau in unique]
    share = [
        1.0 if code == DECAY_AT_ONCE else code / 2.0 ** (DECAY_BITS + shift)
        for code, shift in codes
    ]
    lost: Reals = np.array(share)[place.reshape(np.shape(taus))]
    return lost


def scaled(
    model: Model, v_width: int, weight_width: int, has_shifts: bool, before: Scales | None
) -> Scales:
    """Return the scales with which a network has the finest values that fit.

    Those of before stay if all values fit them, so that the state of a run is kept to the bit.

    Parameters
    ----------
    model:
        The network.
    v_width, weight_width:
        Bits of potentials and of weights.
    has_shifts:
        Whether the core has shifts of decays and currents (`CoreParams.decay_shift`).
    before:
        The scales of the same neurons so far; None at the first run.
    """
    neurons = model.neurons
    step = steps(neurons, model.dt)
    lost = lost_in_a_tick(neurons.tau_m / model.dt, has_shifts)
    top = limits(v_width, signed=True)[1] + 1
    most_v = _round_units(top / (HEADROOM * _reach(neurons)))
    largest, sums = _weights(model, step)
    most_weight = limits(weight_width, signed=True)[1]
    per_mv, shift = _fitting(
        model, most_v, largest, sums, most_weight, _MOST_SHIFT if has_shifts else 0
    )
    if before is not None:
        fits_v = bool((before.per_mv <= most_v).all())
        units = before.per_mv * largest * 2.0**before.shift
        if fits_v and bool((units <= most_weight).all()):
            per_mv, shift = before.per_mv, before.shift
    per_na = per_mv * neurons.tau_m / neurons.cm * lost
    return Scales(
        per_mv, shift, step, per_na, lost, _origins(per_na * neurons.i_offset, lost),
        neurons.v_rest, has_shifts,
    )  # fmt: skip


def _origins(biases: Reals, lost: Reals) -> Reals:
    """Return the origins with which whole biases make potentials settle where they are to."""
    rounded_off = np.round(biases - np.rint(biases), _DIGITS)
    return np.where(lost * _FAR > 0.5, np.rint(rounded_off / lost), 0.0)


def _fitting(
    model: Model, most_v: Reals, largest: Reals, sums: Reals, most_weight: int, most_shift: int
) -> tuple[Reals, int]:
    """Return units in a mV, and the shift, of a network at its first run."""
    with np.errstate(divide="ignore"):
        finest = np.minimum(most_weight / largest, _CURRENT_ROOM / sums)
    # The product of both scales is what roundings of currents depend on, so it is to be the finest.
    ratio = float((finest / most_v).min())
    shift = int(np.clip(np.ceil(np.log2(ratio)), 0, most_shift)) if np.isfinite(ratio) else 0
    per_mv = np.minimum(most_v, _round_units(np.minimum(finest, 2.0**40) / 2.0**shift))
    for block in model.blocks:
        if block.pairs is not None:
            _check_alike(model, block.projection, block.targets)
            part = slice(block.targets.start, block.targets.stop)
            per_mv[part] = per_mv[part].min()
    return per_mv, shift


def _reach(neurons: Neurons) -> Reals:
    """Return how far from rest the potential of each neuron is by its parameters, in mV."""
    apart = [neurons.v_reset, neurons.v]
    driven = np.abs(neurons.tau_m / neurons.cm * neurons.i_offset)
    limit = np.abs(neurons.v_thresh - neurons.v_rest)
    far = [np.where(never_fires(neurons), np.maximum(driven, _UNBOUNDED), limit)]
    far += [np.abs(each - neurons.v_rest) for each in apart]
    farthest: Reals = np.max(far, axis=0)
    return np.maximum(farthest, 1.0)


def _weights(model: Model, step: Reals) -> tuple[Reals, Reals]:
    """Return the largest weight of each neuron in mV a tick, and the sum of all of them."""
    largest, sums = np.zeros(len(step)), np.zeros(len(step))
    for block in model.blocks:
        size = np.abs(block.weight)
        if block.pairs is not None:
            size = np.maximum(size, max(abs(block.pairs.w_min), abs(block.pairs.w_max)))
        target = block.targets.start + block.post
        size = size * np.abs(step[target, int(block.inhibitory)])
        np.maximum.at(largest, target, size)
        np.add.at(sums, target, size)
    return largest, sums


def _check_alike(model: Model, projection: object, targets: range) -> None:
    """Raise `InvalidNetwork` if neurons differ whose weights learn by one rule."""
    neurons, part = model.neurons, slice(targets.start, targets.stop)
    for name in ("tau_m", "cm", "tau_syn"):
        values = getattr(neurons, name)[part]
        if np.any(values != values[0]):
            raise InvalidNetwork(
                f"{projection}: its neurons differ in {name}, and weights that learn by one rule "
                "of a core have one scale: give all the same, or make a population for each"
            )


def _round_units(values: Reals) -> Reals:
    """Return the next lower numbers of few significant bits, by which whole mV stay whole."""
    unit = 2.0 ** (np.floor(np.log2(values)) - _SIGNIFICANT)
    made: Reals = np.floor(values / unit) * unit
    return made


def bounds(pairs: Pairs, units: float) -> tuple[int, int]:
    """Return the bounds of weights that learn in units, none of which is beyond those meant."""
    low = math.ceil(round(pairs.w_min * units, _DIGITS))
    return low, max(low, math.floor(round(pairs.w_max * units, _DIGITS)))


def whole_weights(block: Block, units: Reals) -> Reals:
    """Return the weights of synapses in whole units, given the units in 1 for each synapse.

    Those that learn and are meant to be within their bounds are so in units, too.
    """
    whole: Reals = np.rint(block.weight * units)
    if block.pairs is None or not len(units):
        return whole
    meant = (block.weight >= block.pairs.w_min) & (block.weight <= block.pairs.w_max)
    return np.where(meant, np.clip(whole, *bounds(block.pairs, float(units[0]))), whole)


def thresholds(neurons: Neurons, scales: Scales) -> IntArray:
    """Return the thresholds in units: the least potential that is not below that of the script."""
    return np.ceil(np.round(scales.units(neurons.v_thresh), _DIGITS)).astype(np.int64)


def resets(neurons: Neurons, scales: Scales) -> IntArray:
    """Return the potentials after a spike in units."""
    return np.rint(scales.units(neurons.v_reset)).astype(np.int64)
