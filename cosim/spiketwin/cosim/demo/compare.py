"""Two records of the same demo, compared exactly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from spiketwin.cosim.demo.run import Record
from spiketwin.host.elements import IntArray

COMPARED: Final = ("spikes", "weights", "state", "cycles")
"""What is compared: spikes with their ticks; weights and state after each phase; cycles of each
tick, and the cycle in it at which each spike left."""


@dataclass(frozen=True)
class Comparison:
    """What was compared, and what was found.

    Attributes
    ----------
    ticks, spikes, weights:
        How much was compared: ticks, spikes of the first record, and weights read from each.
    differences:
        For what differs (one of `COMPARED`), the first difference in words.
    """

    ticks: int
    spikes: int
    weights: int
    differences: dict[str, str]


def compare(first: Record, second: Record, names: tuple[str, str]) -> Comparison:
    """Compare all that two targets did, as far as both of them went.

    Parameters
    ----------
    first, second:
        Records of the same recipe, digits and seed; of one of them maybe the first phases alone.
    names:
        What to call the two.
    """
    shared = min(len(first.phases), len(second.phases))
    first, second = first.until(shared), second.until(shared)
    found = {
        "spikes": _spikes(first, second),
        "weights": _weights(first, second),
        "state": _state(first, second),
        "cycles": _cycles(first, second),
    }
    return Comparison(
        ticks=first.ticks,
        spikes=len(first.spikes),
        weights=sum(weights.size for weights in first.weights),
        differences={
            name: f"{d.what}: {d.a} on {names[0]}, {d.b} on {names[1]}"
            for name, d in found.items()
            if d is not None
        },
    )


@dataclass(frozen=True)
class _Difference:
    """The first place where two records differ, and their values there."""

    what: str
    a: object
    b: object


def _spikes(first: Record, second: Record) -> _Difference | None:
    if np.array_equal(first.spikes, second.spikes):
        return None
    shared = min(len(first.spikes), len(second.spikes))
    unequal = (first.spikes[:shared] != second.spikes[:shared]).any(axis=1)
    index = int(unequal.argmax()) if unequal.any() else shared
    tick = min(int(r.spikes[index, 0]) for r in (first, second) if index < len(r.spikes))
    a, b = (r.spikes[r.spikes[:, 0] == tick, 1].tolist() for r in (first, second))
    return _Difference(f"neurons that fired in {first.where(tick)}", a, b)


def _weights(first: Record, second: Record) -> _Difference | None:
    for phase, a, b in zip(first.phases, first.weights, second.weights, strict=True):
        if (index := _first_unequal(a, b)) is not None:
            what = f"weight of source {index[0]} to neuron {index[1]} after {phase.name}"
            return _Difference(what, a[index], b[index])
    return None


def _state(first: Record, second: Record) -> _Difference | None:
    for phase, a, b in zip(first.phases, first.state, second.state, strict=True):
        for name in a:
            if (index := _first_unequal(a[name], b[name])) is not None:
                what = f"{name}[{index[0]}] after {phase.name}"
                return _Difference(what, a[name][index], b[name][index])
    return None


def _cycles(first: Record, second: Record) -> _Difference | None:
    if (index := _first_unequal(first.cycles, second.cycles)) is not None:
        what = f"cycles of {first.where(index[0])}"
        return _Difference(what, first.cycles[index], second.cycles[index])
    # Where the spikes themselves differ, there is no telling which cycle belongs to which.
    if not np.array_equal(first.spikes, second.spikes):
        return None
    if (index := _first_unequal(first.spike_cycles, second.spike_cycles)) is not None:
        tick, neuron = first.spikes[index]
        what = f"cycle at which the spike of neuron {neuron} left in {first.where(int(tick))}"
        return _Difference(what, first.spike_cycles[index], second.spike_cycles[index])
    return None


def _first_unequal(a: IntArray, b: IntArray) -> tuple[int, ...] | None:
    unequal = np.argwhere(a != b)
    return tuple(int(i) for i in unequal[0]) if len(unequal) else None
