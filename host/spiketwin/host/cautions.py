"""Warnings of networks that are legal but almost surely a mistake.

They are given where a network is programmed, sized or rounded. Each is a `SpiketwinWarning` that
names the values concerned, how many there are, and what would help.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.registers import limits
from spiketwin.host import sums
from spiketwin.host.elements import IntArray
from spiketwin.host.errors import warn

if TYPE_CHECKING:
    from spiketwin.host.network import Network

LOST_SHARE: Final = 0.05
"""Share of the weights that rounding may make 0 without a warning. Of normally distributed weights
2 % are lost at 8 bits."""


def warn_of_widths(reach: sums.Reach, given: Collection[str]) -> None:
    """Warn of sums of a network that no core is wide enough for.

    Parameters
    ----------
    reach:
        How far the sums get.
    given:
        Sizes that the caller has chosen; sums whose width is among them are left out.
    """
    most = {"i_syn": np.abs(reach.i_syn).max(axis=1), "v": reach.v, "theta": reach.theta}
    found = [
        text
        for name, values in most.items()
        if f"{name}_width" not in given
        and (text := _beyond(name, int(values.max()), int(values.argmax())))
    ]
    if found:
        warn(
            f"{'; '.join(found)}. Time constants (v_tau, i_syn_tau, theta_tau) that are shorter, "
            "or weights that are smaller, hold it. What saturates in a run is counted "
            "(`Run.saturations`)"
        )


def warn_of_repeats(events: IntArray, net: Network) -> None:
    """Warn of an axon that events name several times in a tick, and that counts once after a delay.

    Parameters
    ----------
    events:
        Shape (k, 2): (tick, axon).
    net:
        The network that they are for.
    """
    unique, counts = np.unique(events, axis=0, return_counts=True)
    again = unique[counts > 1]
    late = np.zeros(net.n_sources, bool)
    for each in net.projections:
        if each.delay:
            late[each.source.sources.start : each.source.sources.stop] = True
    again = again[late[again[:, 1]]]
    if len(again):
        tick, axon = again[0].tolist()
        warn(
            f"axon {axon} is named several times in tick {tick}, and arrives once where a "
            f"projection has a delay; so do {len(again) - 1:,} others: name each once in a tick, "
            "or give each time an axon of its own"
        )


def _beyond(name: str, value: int, neuron: int) -> str:
    top = limits(sums.WIDEST, signed=name != "theta")[1]
    if value <= top:
        return ""
    far = "without limit" if value >= sums.UNBOUNDED else f"to {value:,}"
    return f"{name}[{neuron}] can grow {far}, and stays at {top:,} in {sums.WIDEST} bits"


def warn_of(net: Network, params: CoreParams) -> None:
    """Warn of what will go wrong with a network on a core of these sizes, which it fits."""
    for text in (*_bounds(net), *_sums(net, params)):
        warn(text)


def warn_of_rounding(real: NDArray[np.floating[Any]], whole: NDArray[np.integer[Any]]) -> None:
    """Warn of weights that became 0 as they were rounded to whole units.

    Parameters
    ----------
    real, whole:
        The weights before and after rounding, in units of the core; both of the same shape.
    """
    there = int(np.count_nonzero(real))
    lost = int(np.count_nonzero((real != 0) & (whole == 0)))
    if lost > LOST_SHARE * there:
        largest, typical = np.abs(real).max(), np.median(np.abs(real[real != 0]))
        warn(
            f"rounding makes {lost:,} of {there:,} weights ({lost / there:.0%}) 0: the largest is "
            f"{largest:.4g} units and half of them are below {typical:.2g}. Clip the few largest, "
            "scale up, and take a wider weight_width (16 bits at most) if the largest then does "
            "not fit"
        )


def _bounds(net: Network) -> Iterator[str]:
    if not net.learns or not (net.learn_pre or net.learn_post):
        return
    for rule in sorted({block.rule for block in net.blocks if block.learns}):
        w_min, w_max = (int(net.held(name)[rule]) for name in ("w_min", "w_max"))
        if w_min == w_max:
            yield (
                f"w_min and w_max are both {w_max}, so every plastic weight becomes {w_max} at its "
                "first step: set the bounds between which weights are to learn"
            )
            continue
        ruled = [block for block in net.blocks if block.rule == rule]
        start = np.concatenate([block.weights[block.plastic] for block in ruled])
        outside = int(((start < w_min) | (start > w_max)).sum())
        if outside:
            yield (
                f"{outside:,} of {start.size:,} plastic weights begin outside w_min…w_max "
                f"({w_min}…{w_max}) and jump there at their first step: set wider bounds, or "
                "other weights"
            )


def _sums(net: Network, params: CoreParams) -> Iterator[str]:
    helps = "take a core with wider state (`Network.core_params`)"
    added = sums.in_one_tick(net)
    low, high = limits(params.i_syn_width, signed=True)
    beyond = np.flatnonzero((added[:, 0] < low) | (added[:, 1] > high))
    if beyond.size:
        j = int(beyond[0])
        yield (
            f"i_syn of {beyond.size:,} neurons can saturate within a tick: all sources of neuron "
            f"{j} together add up to {added[j, 0]:,}…{added[j, 1]:,}, and i_syn_width "
            f"{params.i_syn_width} holds {low:,}…{high:,}. {helps[0].upper()}{helps[1:]}"
        )
    top = limits(params.v_width, signed=True)[1]
    threshold = net.threshold.astype(np.int64)
    fires = threshold < top  # a neuron with the highest threshold is meant to be silent
    yield from _never_fires(net, params, top)
    raised = threshold + net.of_neurons("theta_bump")
    dead = np.flatnonzero(fires & (raised > top))
    if dead.size:
        j = int(dead[0])
        yield (
            f"{dead.size:,} neurons cannot fire again before theta has decayed: after a spike, "
            f"threshold[{j}] + theta_bump is {raised[j]:,}, and v_width {params.v_width} holds "
            f"{top:,}. {helps[0].upper()}{helps[1:]}, or set a smaller threshold or theta_bump"
        )
    most = threshold - 1 + added[:, 1] + net.bias
    lost = np.flatnonzero(fires & (most > top) & net.of_neurons("reset_subtract"))
    if lost.size:
        j = int(lost[0])
        yield (
            f"{lost.size:,} neurons can lose what reset_subtract is to keep: with all its sources "
            f"active, v[{j}] gets to {most[j]:,} in a tick, and v_width {params.v_width} holds "
            f"{top:,}. {helps[0].upper()}{helps[1:]}"
        )


def _never_fires(net: Network, params: CoreParams, top: int) -> Iterator[str]:
    never = net.threshold == sums.NEVER_FIRES
    if not never.any():
        return
    reach = sums.reach(net, params.decay_shift).v
    can = np.flatnonzero(never & (reach > top))
    if can.size:
        j = int(can[0])
        far = "without limit" if reach[j] >= sums.UNBOUNDED else f"to {reach[j] - 1:,}"
        yield (
            f"{can.size:,} neurons that never fire can do so: v[{j}] can grow {far}, and fires at "
            f"{top:,}, the most that v_width {params.v_width} holds. Take a core with wider state "
            "(`Network.core_params`), or a shorter v_tau"
        )
