"""Bounds of the sums of a network, from its weights, decays and thresholds alone.

They are bounds, not predictions: they hold for any stimulus that names no axon twice in a tick, so
they count every source as active in every tick. Firing limits `v`: a sum that makes the neuron fire
is replaced by `v_reset`, so `v` has to be as wide as the limit that it is compared with, and no
wider.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import ArrayLike

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

NEVER_FIRES: Final = limits(WIDEST, signed=True)[1]
"""Threshold of a neuron that never fires. It stands for the highest of any core."""

_INTERVALS: Final = 256
"""Intervals between spikes, up to this many ticks, that are examined one by one."""


@dataclass(frozen=True)
class Reach:
    """Bounds of the sums of a network.

    Attributes
    ----------
    i_syn:
        Shape (n_neurons, 2): least and greatest value; the least is that of `i_inh` in a network
        that has it.
    v:
        Shape (n_neurons,): greatest value that has to be represented; it includes the limit at
        which a neuron fires if `v` can reach it, and is above what a neuron reaches that never
        fires. `v_floor` and `v_reset` bound `v` from below.
    theta:
        Shape (n_neurons,): greatest value.
    """

    i_syn: IntArray
    v: IntArray
    theta: IntArray


def in_one_tick(net: Network) -> IntArray:
    """Return the least and the most that a tick adds to each `i_syn`, shape (n_neurons, 2).

    The least is the sum of all inhibition, the most that of all excitation. A plastic weight counts
    with its start weight or its bound, whichever is more extreme, and a constant one with all
    sources, as unused neurons that share a group get it from all.
    """
    added = np.zeros((net.n_neurons, 2), np.int64)
    for block in net.blocks:
        if block.constant is not None:
            sign = int(block.constant > 0)
            added[block.target.neurons, sign] += block.constant * len(block.source)
            continue
        least, most = block.weights.astype(np.int64), block.weights.astype(np.int64)
        if block.learns:
            w_min, w_max = (net.held(name)[block.rule] for name in ("w_min", "w_max"))
            least = np.where(block.plastic, np.minimum(least, w_min), least)
            most = np.where(block.plastic, np.maximum(most, w_max), most)
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
    excited = _codes(net, "i_syn_tau", shifts)
    inhibited = _codes(net, "i_inh_tau", shifts) if net.i_inh_en else excited
    i_syn = np.stack([-settled(-added[:, 0], *inhibited), settled(added[:, 1], *excited)], axis=1)
    # i_syn saturates at its widest, so more cannot act on v.
    most = np.minimum(i_syn[:, 1], limits(WIDEST, signed=True)[1])
    drive = (most + (1 << net.i_syn_shift >> 1) >> net.i_syn_shift) + net.bias
    loss = (*_codes(net, "v_tau", shifts), net.of_neurons("linear_leak"))
    threshold = net.threshold.astype(np.int64)
    begin = np.maximum(net.v_reset, net.of_neurons("v_floor")).astype(np.int64)
    free = np.maximum(settled(np.maximum(drive, 0), *loss), np.maximum(begin, 0))
    theta = _theta(net, drive, begin, free, shifts)
    limit = threshold + decayed(theta, *_codes(net, "theta_tau", shifts))
    # With reset by subtraction, v after a spike grows with the drive beyond the threshold.
    kept = np.maximum(limit - 1, settled(np.maximum(drive - threshold, 0), *loss))
    v = decayed(np.maximum(kept, 0), *loss) + drive
    # Subtracting a negative threshold adds to v.
    subtracted = np.where(threshold < 0, v, np.minimum(free, v))
    reset = np.where(net.of_neurons("reset_subtract"), subtracted, np.minimum(free, limit))
    # A neuron that integrates in its refractory time does not fire in it, but then at once.
    integrates = net.of_neurons("refrac_integrates") & (net.refrac_ticks > 0)
    waited = np.maximum(reset, begin) + net.refrac_ticks * np.maximum(drive, 0)
    most_v = np.where(integrates, np.maximum(np.minimum(free, waited), reset), reset)
    return Reach(i_syn, np.where(threshold == NEVER_FIRES, free + 1, most_v), theta)


def _codes(net: Network, name: str, shifts: bool) -> tuple[IntArray, IntArray]:
    """Return the decay code of every neuron, and its shift, shape (n_neurons,)."""
    held = [shifted_decay_code(float(tau), shifts) for tau in net.held(name)]
    codes, places = np.array(held, np.int64)[net.profile].T
    return codes, places


def settled(
    added: IntArray, code: ArrayLike, shift: ArrayLike = 0, leak: ArrayLike = 0
) -> IntArray:
    """Return the limit of a value that starts at 0, decays, and grows by `added` in every tick.

    `added` is 0 or more. The limit is the least value whose decay in a tick is at least `added`.
    A `leak` above 0 takes so many units instead.
    """
    codes, leaks, bits = np.asarray(code), np.asarray(leak), DECAY_BITS + np.asarray(shift)
    one = np.int64(1)
    balanced = -(-((added << bits) - (one << bits - 1)) // np.maximum(codes, 1))
    bound = np.where(added > 1, balanced, added)
    bound = np.where(codes == DECAY_AT_ONCE, added, bound)
    endless = np.where(leaks > 0, added > leaks, (codes == DECAY_NONE) & (added > 0))
    bound = np.where(leaks > 0, added, bound)
    limit: IntArray = np.where(endless, UNBOUNDED, np.minimum(bound, UNBOUNDED))
    return limit


def decayed(
    values: IntArray, code: ArrayLike, shift: ArrayLike = 0, leak: ArrayLike = 0
) -> IntArray:
    """Return values of 0 or more after one tick (`arithmetic.decay`, `arithmetic.leak`)."""
    codes, leaks, bits = np.asarray(code), np.asarray(leak), DECAY_BITS + np.asarray(shift)
    lost = np.maximum((values * codes + (np.int64(1) << bits - 1)) >> bits, 1)
    lost = np.where(codes == DECAY_NONE, 0, np.where(codes == DECAY_AT_ONCE, values, lost))
    left: IntArray = np.maximum(values - np.where(leaks > 0, leaks, lost), 0)
    return left


def _theta(
    net: Network, drive: IntArray, begin: IntArray, free: IntArray, shifts: bool
) -> IntArray:
    """Return the greatest `theta` of each neuron, right after a spike."""
    bump, (code, shift) = net.of_neurons("theta_bump"), _codes(net, "theta_tau", shifts)
    threshold, waits = net.threshold.astype(np.int64), net.refrac_ticks.astype(np.int64)
    room = free - threshold  # greatest theta with which the neuron can still fire
    if not bump.any():
        return np.zeros_like(free)
    endless = np.where(free >= UNBOUNDED, UNBOUNDED, room)
    # Some v is left after a spike that subtracts, and v may grow in the refractory period, so a
    # neuron may fire right after it.
    at_once = np.minimum(_balanced(bump, waits + 1, code, shift), room)
    ready = net.of_neurons("reset_subtract") | net.of_neurons("refrac_integrates")
    loss = (*_codes(net, "v_tau", shifts), net.of_neurons("linear_leak"))
    v, floor, before = begin, net.of_neurons("v_floor"), np.zeros_like(free)
    for ticks in range(1, _INTERVALS if not ready.all() else 2):
        v = np.maximum(np.sign(v) * decayed(np.abs(v), *loss) + drive, floor)
        v = np.minimum(v, UNBOUNDED)
        held = _balanced(bump, waits + ticks, code, shift)
        before = np.maximum(before, np.minimum(held, v - threshold))
    # All longer intervals at once: theta decreases with the interval.
    before = np.maximum(before, np.minimum(held, room))
    before = np.where(code == DECAY_NONE, endless, np.where(ready, at_once, before))
    grown = np.minimum(np.maximum(before, 0) + bump, UNBOUNDED)
    return np.where((room >= 0) & (bump > 0), grown, 0)


def _balanced(bump: IntArray, ticks: IntArray, code: IntArray, shift: IntArray) -> IntArray:
    """Return a bound of `theta` before a spike of a neuron that fires every `ticks` ticks.

    A tick of decay leaves at most ``(1 - code / 2**(16 + shift)) · theta + 1 / 2``, and takes 1 at
    least. Without decay there is no such bound, and what is returned is none.
    """
    whole, decaying = np.int64(1) << DECAY_BITS + shift, np.maximum(code, 1)
    left = (1.0 - decaying / whole) ** ticks
    most = bump * left / (1.0 - left) + whole / (2 * decaying)
    return np.where(ticks >= bump, 0, np.minimum(np.ceil(most), UNBOUNDED).astype(np.int64))
