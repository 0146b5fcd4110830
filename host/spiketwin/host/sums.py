"""What the sums of a network can reach, from its weights, decays and thresholds alone.

Bounds, not predictions: they hold for any stimulus, so they count every source as active in every
tick. What `v` is worth is bounded by firing: a sum that fires and is set back to `v_reset` need
not be held, so `v` has to be as wide as what it is compared with, and no wider.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from spiketwin.hdl.spec.arithmetic import DECAY_AT_ONCE, DECAY_BITS, DECAY_NONE, decay_code
from spiketwin.hdl.spec.registers import limits
from spiketwin.host.elements import IntArray

if TYPE_CHECKING:
    from spiketwin.host.network import Network

UNBOUNDED: Final = 1 << 40
"""Stands for a sum that nothing holds: far beyond every width."""

WIDEST: Final = 24
"""Most bits of `v`, `i_syn` and `theta`."""

_INTERVALS: Final = 256
"""Lengths of the time from spike to spike that are looked at one by one."""


@dataclass(frozen=True)
class Reach:
    """How far each sum of a network can get.

    Attributes
    ----------
    i_syn:
        Shape (n_neurons, 2): least and most.
    v:
        Shape (n_neurons,): most that has to be told apart, the limit at which a neuron fires
        included if `v` can reach it. What is below is bounded by `v_floor` and `v_reset`.
    theta:
        Shape (n_neurons,): most.
    """

    i_syn: IntArray
    v: IntArray
    theta: IntArray


def in_one_tick(net: Network) -> IntArray:
    """Least and most that a tick adds to each `i_syn`: all inhibition, or all excitation.

    A plastic weight counts as the start weight or as its bound, whichever is further out. Shape
    (n_neurons, 2).
    """
    least, most = net.weights.astype(np.int64), net.weights.astype(np.int64)
    if net.plastic.any():
        least = np.where(net.plastic, np.minimum(least, net.w_min), least)
        most = np.where(net.plastic, np.maximum(most, net.w_max), most)
    sides = [np.minimum(least, 0).sum(axis=0), np.maximum(most, 0).sum(axis=0)]
    return np.stack(sides, axis=1, dtype=np.int64)


def reach(net: Network) -> Reach:
    """Bound the sums of a validated network, begun at rest, whatever its stimulus is.

    `i_syn` is the fixed point of its decay with all sources active in every tick. `v` is held to
    the same of its own decay, and to the limit at which its neuron fires. `theta` is held by its
    decay from spike to spike, and by what `v` reaches in that time: who is not reached fires no
    more.
    """
    added = in_one_tick(net)
    i_code = decay_code(net.i_syn_tau)
    i_syn = np.stack([-settled(-added[:, 0], i_code), settled(added[:, 1], i_code)], axis=1)
    # More than its widest cannot act, however much is added.
    drive = np.minimum(i_syn[:, 1], limits(WIDEST, signed=True)[1]) + net.bias
    code, threshold = decay_code(net.v_tau), net.threshold.astype(np.int64)
    begin = np.maximum(net.v_reset, net.v_floor).astype(np.int64)
    free = np.maximum(settled(np.maximum(drive, 0), code), np.maximum(begin, 0))
    theta = _theta(net, drive, begin, free)
    limit = threshold + decayed(theta, decay_code(net.theta_tau))
    if not net.reset_subtract:
        return Reach(i_syn, np.minimum(free, limit), theta)
    # What is left after a spike is the more the further the drive is above the threshold.
    kept = np.maximum(limit - 1, settled(np.maximum(drive - threshold, 0), code))
    v = decayed(np.maximum(kept, 0), code) + drive
    # Below 0, a threshold that is subtracted is added.
    return Reach(i_syn, np.where(threshold < 0, v, np.minimum(free, v)), theta)


def settled(added: IntArray, code: int) -> IntArray:
    """Give what a value that begins with 0 gets to if `added`, 0 or more, is added every tick.

    It is the least value of which a tick of decay takes at least as much as is added.
    """
    if code == DECAY_NONE:
        return np.where(added > 0, UNBOUNDED, 0)
    if code == DECAY_AT_ONCE:
        return added
    half = 1 << (DECAY_BITS - 1)
    balanced = -(-((added << DECAY_BITS) - half) // code)
    return np.minimum(np.where(added > 1, balanced, added), UNBOUNDED)


def decayed(values: IntArray, code: int) -> IntArray:
    """One tick of decay (`arithmetic.decay`) of values of 0 or more."""
    if code == DECAY_NONE:
        return values
    if code == DECAY_AT_ONCE:
        return np.zeros_like(values)
    lost = (values * code + (1 << (DECAY_BITS - 1))) >> DECAY_BITS
    left: IntArray = np.maximum(values - np.maximum(lost, 1), 0)
    return left


def _theta(net: Network, drive: IntArray, begin: IntArray, free: IntArray) -> IntArray:
    """Most that `theta` gets to, with its bump."""
    bump, code = net.theta_bump, decay_code(net.theta_tau)
    threshold, waits = net.threshold.astype(np.int64), net.refrac_ticks.astype(np.int64)
    room = free - threshold  # of theta, where the neuron can still fire
    if bump == 0:
        return np.zeros_like(free)
    if code == DECAY_NONE:
        before = np.where(free >= UNBOUNDED, UNBOUNDED, room)
    elif net.reset_subtract:
        # Something is left of the last spike, so a neuron can fire again as soon as it may.
        before = np.minimum(_balanced(bump, waits + 1, code), room)
    else:
        v_code, v = decay_code(net.v_tau), begin
        before = np.zeros_like(free)
        for ticks in range(1, _INTERVALS):
            v = np.maximum(np.sign(v) * decayed(np.abs(v), v_code) + drive, net.v_floor)
            v = np.minimum(v, UNBOUNDED)
            held = _balanced(bump, waits + ticks, code)
            before = np.maximum(before, np.minimum(held, v - threshold))
        # Of all longer times at once: theta is less the longer it takes.
        before = np.maximum(before, np.minimum(held, room))
    return np.where(room >= 0, np.minimum(np.maximum(before, 0) + bump, UNBOUNDED), 0)


def _balanced(bump: int, ticks: IntArray, code: int) -> IntArray:
    """Bound the `theta` before a spike of a neuron that fires every so many ticks.

    A tick of decay leaves at most ``(1 - code / 2**16) · theta + 1 / 2``, and takes 1 at least.
    """
    left = (1.0 - code / (1 << DECAY_BITS)) ** ticks
    most = bump * left / (1.0 - left) + (1 << DECAY_BITS) / (2 * code)
    return np.where(ticks >= bump, 0, np.minimum(np.ceil(most), UNBOUNDED).astype(np.int64))
