"""Bounds of the sums of a network, from its weights, decays and thresholds alone.

They are bounds, not predictions: they hold for any stimulus, so they count every source as active
in every tick. Firing limits `v`: a sum that makes the neuron fire is replaced by `v_reset`, so `v`
has to be as wide as the limit that it is compared with, and no wider.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from spiketwin.hdl.spec.arithmetic import (
    DECAY_AT_ONCE,
    DECAY_BITS,
    DECAY_NONE,
    shifted_decay_code,
)
from spiketwin.hdl.spec.registers import limits
from spiketwin.host.elements import IntArray

if TYPE_CHECKING:
    from spiketwin.host.network import Network

UNBOUNDED: Final = 1 << 40
"""Value that stands for an unbounded sum; it is far beyond every width."""

WIDEST: Final = 24
"""Most bits of `v`, `i_syn` and `theta`."""

_INTERVALS: Final = 256
"""Intervals between spikes, up to this many ticks, that are examined one by one."""


@dataclass(frozen=True)
class Reach:
    """Bounds of the sums of a network.

    Attributes
    ----------
    i_syn:
        Shape (n_neurons, 2): least and greatest value.
    v:
        Shape (n_neurons,): greatest value that has to be represented; it includes the limit at
        which a neuron fires if `v` can reach it. `v_floor` and `v_reset` bound `v` from below.
    theta:
        Shape (n_neurons,): greatest value.
    """

    i_syn: IntArray
    v: IntArray
    theta: IntArray


def in_one_tick(net: Network) -> IntArray:
    """Return the least and the most that a tick adds to each `i_syn`, shape (n_neurons, 2).

    The least is the sum of all inhibition, the most that of all excitation. A plastic weight counts
    with its start weight or its bound, whichever is more extreme.
    """
    added = np.zeros((net.n_neurons, 2), np.int64)
    for block in net.blocks:
        least, most = block.weights.astype(np.int64), block.weights.astype(np.int64)
        if block.learns:
            least = np.where(block.plastic, np.minimum(least, net.w_min), least)
            most = np.where(block.plastic, np.maximum(most, net.w_max), most)
        _, columns = block.pairs.place
        added[columns, 0] += np.minimum(least, 0).sum(axis=0)
        added[columns, 1] += np.maximum(most, 0).sum(axis=0)
    return added


def reach(net: Network, shifts: bool) -> Reach:
    """Return bounds of the sums of a validated network that starts at rest, for any stimulus.

    `shifts` is whether the core has the shifts of decays (`CoreParams.decay_shift`).

    `i_syn` is bounded by the fixed point of its decay with all sources active in every tick. `v` is
    bounded by the fixed point of its own decay, and by the limit at which its neuron fires. `theta`
    is bounded by its decay between spikes, and by the `v` that is reached in that time: a neuron
    whose `v` cannot reach threshold plus `theta` does not fire again.
    """
    added = in_one_tick(net)
    i_code = shifted_decay_code(net.i_syn_tau, shifts)
    i_syn = np.stack([-settled(-added[:, 0], *i_code), settled(added[:, 1], *i_code)], axis=1)
    # i_syn saturates at its widest, so more cannot act on v.
    most = np.minimum(i_syn[:, 1], limits(WIDEST, signed=True)[1])
    drive = (most + (1 << net.i_syn_shift >> 1) >> net.i_syn_shift) + net.bias
    code, threshold = shifted_decay_code(net.v_tau, shifts), net.threshold.astype(np.int64)
    begin = np.maximum(net.v_reset, net.v_floor).astype(np.int64)
    free = np.maximum(settled(np.maximum(drive, 0), *code), np.maximum(begin, 0))
    theta = _theta(net, drive, begin, free, shifts)
    limit = threshold + decayed(theta, *shifted_decay_code(net.theta_tau, shifts))
    if not net.reset_subtract:
        return Reach(i_syn, np.minimum(free, limit), theta)
    # With reset by subtraction, v after a spike grows with the drive beyond the threshold.
    kept = np.maximum(limit - 1, settled(np.maximum(drive - threshold, 0), *code))
    v = decayed(np.maximum(kept, 0), *code) + drive
    # Subtracting a negative threshold adds to v.
    return Reach(i_syn, np.where(threshold < 0, v, np.minimum(free, v)), theta)


def settled(added: IntArray, code: int, shift: int = 0) -> IntArray:
    """Return the limit of a value that starts at 0, decays, and grows by `added` in every tick.

    `added` is 0 or more. The limit is the least value whose decay in a tick is at least `added`.
    """
    if code == DECAY_NONE:
        return np.where(added > 0, UNBOUNDED, 0)
    if code == DECAY_AT_ONCE:
        return added
    bits = DECAY_BITS + shift
    balanced = -(-((added << bits) - (1 << bits - 1)) // code)
    return np.minimum(np.where(added > 1, balanced, added), UNBOUNDED)


def decayed(values: IntArray, code: int, shift: int = 0) -> IntArray:
    """Return values of 0 or more after one tick of decay (`arithmetic.decay`)."""
    if code == DECAY_NONE:
        return values
    if code == DECAY_AT_ONCE:
        return np.zeros_like(values)
    bits = DECAY_BITS + shift
    lost = (values * code + (1 << bits - 1)) >> bits
    left: IntArray = np.maximum(values - np.maximum(lost, 1), 0)
    return left


def _theta(
    net: Network, drive: IntArray, begin: IntArray, free: IntArray, shifts: bool
) -> IntArray:
    """Return the greatest `theta` of each neuron, right after a spike."""
    bump, (code, shift) = net.theta_bump, shifted_decay_code(net.theta_tau, shifts)
    threshold, waits = net.threshold.astype(np.int64), net.refrac_ticks.astype(np.int64)
    room = free - threshold  # greatest theta with which the neuron can still fire
    if bump == 0:
        return np.zeros_like(free)
    if code == DECAY_NONE:
        before = np.where(free >= UNBOUNDED, UNBOUNDED, room)
    elif net.reset_subtract:
        # Some v is left after a spike, so a neuron may fire right after its refractory period.
        before = np.minimum(_balanced(bump, waits + 1, code, shift), room)
    else:
        v_code, v = shifted_decay_code(net.v_tau, shifts), begin
        before = np.zeros_like(free)
        for ticks in range(1, _INTERVALS):
            v = np.maximum(np.sign(v) * decayed(np.abs(v), *v_code) + drive, net.v_floor)
            v = np.minimum(v, UNBOUNDED)
            held = _balanced(bump, waits + ticks, code, shift)
            before = np.maximum(before, np.minimum(held, v - threshold))
        # All longer intervals at once: theta decreases with the interval.
        before = np.maximum(before, np.minimum(held, room))
    return np.where(room >= 0, np.minimum(np.maximum(before, 0) + bump, UNBOUNDED), 0)


def _balanced(bump: int, ticks: IntArray, code: int, shift: int) -> IntArray:
    """Return a bound of `theta` before a spike of a neuron that fires every `ticks` ticks.

    A tick of decay leaves at most ``(1 - code / 2**(16 + shift)) · theta + 1 / 2``, and takes 1 at
    least.
    """
    whole = 1 << DECAY_BITS + shift
    left = (1.0 - code / whole) ** ticks
    most = bump * left / (1.0 - left) + whole / (2 * code)
    return np.where(ticks >= bump, 0, np.minimum(np.ceil(most), UNBOUNDED).astype(np.int64))
