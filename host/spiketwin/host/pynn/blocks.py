"""Synapses in blocks: those of a projection from one population to another that are late alike.

A block has one synapse for each pair at most. Its spikes are `late` ticks later than without a
delay; each of its synapses can be some ticks later yet, as many as the core has, unless they learn,
as learning has to see a spike when it arrives.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spiketwin.host.elements import IntArray
from spiketwin.host.errors import InvalidNetwork

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Pairs:
    """Pair-based STDP, which is the same for all synapses of a block.

    Attributes
    ----------
    tau_plus, tau_minus:
        Time constants in ms.
    a_plus, a_minus:
        Changes by a pair at once, in the unit of the weight.
    w_min, w_max:
        Bounds of the weight.
    """

    tau_plus: float
    tau_minus: float
    a_plus: float
    a_minus: float
    w_min: float
    w_max: float


@dataclass(frozen=True, eq=False)
class Block:
    """Synapses from one population to another.

    Attributes
    ----------
    projection:
        The projection that they are of.
    rows:
        The connections of the projection that they are, if they learn.
    source:
        The population of their sources.
    targets:
        Numbers of the neurons of the population of their targets.
    pre, post:
        Indices in these populations.
    weight:
        Weights in nA, or in mV where synapses act at once.
    late:
        Ticks by which the spikes are late.
    later:
        Ticks by which the current of each synapse is later yet.
    inhibitory:
        Whether they lead to the inhibitory current.
    pairs:
        How they learn; None if they do not.
    """

    projection: Any
    rows: IntArray
    source: Any
    targets: range
    pre: IntArray
    post: IntArray
    weight: Reals
    late: int
    later: IntArray
    inhibitory: bool
    pairs: Pairs | None


def ticks_of(delays: Reals, dt: float) -> IntArray:
    """Return delays in whole ticks, rounded to nearest, and at least 1."""
    return np.maximum(np.rint(delays / dt), 1).astype(np.int64)


def blocks_of(
    state: Any, populations: tuple[Any, ...], jumps: NDArray[np.bool_], span: int
) -> tuple[Block, ...]:
    """Return all synapses of a simulation.

    Parameters
    ----------
    state:
        The state of the simulator.
    populations, jumps:
        The populations of neurons, and whether the synapses of each neuron act at once.
    span:
        Different delays that the synapses of a block may have.
    """
    firsts = np.cumsum([0, *(each.size for each in populations)])
    made = list[Block]()
    for projection in state.projections:
        sources, pre = _located(projection.pre, projection.held("pre"), state.populations)
        targets, post = _located(projection.post, projection.held("post"), state.populations)
        for s, t in np.unique(np.stack([sources, targets], axis=1), axis=0).tolist():
            rows = np.flatnonzero((sources == s) & (targets == t))
            source, target = state.populations[s], state.populations[t]
            _check_target(projection, target)
            first = int(firsts[populations.index(target)])
            # A spike that acts at once is a tick earlier than one that begins a current.
            arrives = ticks_of(projection.held("delay")[rows], state.dt) - int(jumps[first])
            neurons = range(first, first + target.size)
            made += _cut(projection, rows, source, neurons, (pre[rows], post[rows]), arrives, span)
    return tuple(made)


def _located(group: Any, members: IntArray, populations: list[Any]) -> tuple[IntArray, IntArray]:
    """Return population and index in it of members of a population, a view or an assembly."""
    ids = np.array(group.all_cells, np.int64)[members]
    firsts = np.array([int(each.first_id) for each in populations], np.int64)
    found = np.searchsorted(firsts, ids, side="right") - 1
    return found, ids - firsts[found]


def _check_target(projection: Any, target: Any) -> None:
    kind = type(target.celltype).__name__
    if kind == "IF_curr_alpha":
        raise InvalidNetwork(
            f"{projection.label}: IF_curr_alpha cannot have synapses on a core, whose currents "
            "decay exponentially and do not rise first: IF_curr_exp would do instead"
        )


def _cut(
    projection: Any,
    rows: IntArray,
    source: Any,
    neurons: range,
    pairs: tuple[IntArray, IntArray],
    arrives: IntArray,
    span: int,
) -> Iterator[Block]:
    """Yield the blocks of the connections from one population to another."""
    pre, post = pairs
    weight = projection.held("weight")[rows]
    learning = _pairs(projection, rows) if projection.learns else None
    span = 1 if learning else span
    least = int(arrives.min())
    late = least + (arrives - least) // span * span
    inhibitory = projection.receptor_type == "inhibitory"
    for base in np.unique(late).tolist():
        chosen = np.flatnonzero(late == base)
        key = np.stack([pre[chosen], post[chosen], arrives[chosen] - base], axis=1)
        unique, place = np.unique(key, axis=0, return_inverse=True)
        if learning and len(unique) < len(key):
            raise InvalidNetwork(
                f"{projection.label}: several synapses that learn lead from one cell to one other "
                "with the same delay, and a projection of a core has one: make a Projection for "
                "each"
            )
        sums = np.bincount(place.reshape(-1), weight[chosen], len(unique)).astype(float)
        where = rows[chosen][np.argsort(place.reshape(-1), kind="stable")] if learning else rows[:0]
        for layer in _layers(unique[:, :2]):
            i, j, later = unique[layer].T
            yield Block(
                projection, where[layer] if learning else where, source, neurons, i, j,
                sums[layer], base, later, inhibitory, learning,
            )  # fmt: skip


def _layers(pairs: IntArray) -> Iterator[IntArray]:
    """Yield indices of pairs such that none comes twice; the pairs ascend."""
    begins = np.ones(len(pairs), bool)
    begins[1:] = (pairs[1:] != pairs[:-1]).any(axis=1)
    number = np.arange(len(pairs))
    same = number - np.maximum.accumulate(np.where(begins, number, 0))
    for layer in range(int(same.max(initial=0)) + 1):
        yield np.flatnonzero(same == layer)


def _pairs(projection: Any, rows: IntArray) -> Pairs:
    """Return how connections learn; raise `InvalidNetwork` if they differ in it."""
    values = {}
    for name in ("tau_plus", "tau_minus", "A_plus", "A_minus", "w_min", "w_max"):
        held = np.unique(projection.held(name)[rows])
        if held.size > 1:
            raise InvalidNetwork(
                f"{projection.label}: {name} must be the same for all connections, as they share "
                f"a rule of the core, not {held[0]:g} to {held[-1]:g}: make a Projection for each"
            )
        values[name] = float(held[0])
    return Pairs(
        values["tau_plus"], values["tau_minus"],
        values["A_plus"] * values["w_max"], values["A_minus"] * values["w_max"],
        values["w_min"], values["w_max"],
    )  # fmt: skip
