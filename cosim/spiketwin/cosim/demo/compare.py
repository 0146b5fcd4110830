"""Exact comparison of two records of the same demo."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Final

from spiketwin.cosim.compare.equality import unequal_runs, unequal_state
from spiketwin.cosim.demo.run import Record

COMPARED: Final = ("spikes", "weights", "state", "cycles")
"""Aspects that are compared: spikes with their ticks; weights and state after each phase; cycles of
each tick, and the cycle in it at which each spike left."""


@dataclass(frozen=True)
class DemoComparison:
    """The amounts compared, and the differences found.

    Attributes
    ----------
    ticks, spikes, weights:
        Numbers of ticks, of spikes of the first record, and of weights read from each.
    differences:
        The first difference in words, for each of `COMPARED` that differs.
    """

    ticks: int
    spikes: int
    weights: int
    differences: dict[str, str]


def compare(first: Record, second: Record, names: tuple[str, str]) -> DemoComparison:
    """Compare all that two targets did, as far as both of them went.

    Parameters
    ----------
    first, second:
        Records of the same recipe, digits and seed; one may contain only the first phases.
    names:
        Names of the two targets.
    """
    shared = min(len(first.phases), len(second.phases))
    first, second = first.until(shared), second.until(shared)
    differences: dict[str, str] = {}
    for name, what, (a, b) in chain(_of_runs(first, second), _of_phases(first, second)):
        differences.setdefault(name, f"{what}: {a} on {names[0]}, {b} on {names[1]}")
    return DemoComparison(
        ticks=first.ticks,
        spikes=len(first.spikes),
        weights=sum(weights.size for weights in first.weights),
        differences={name: differences[name] for name in COMPARED if name in differences},
    )


def _of_runs(first: Record, second: Record) -> Iterator[tuple[str, str, tuple[object, object]]]:
    """Yield the differences in spikes and in cycles: which of them, where, and the two values."""
    found = unequal_runs(first.run, second.run)
    for field in ("spike", "cycles", "update_cycle", "spike_cycle"):
        if field not in found:
            continue
        tick, values = found[field].tick, found[field].values
        assert tick is not None
        where = first.where(tick)
        if field == "spike":
            fired = tuple(r.spikes[r.spikes[:, 0] == tick, 1].tolist() for r in (first, second))
            yield "spikes", f"neurons that fired in {where}", (fired[0], fired[1])
        elif field == "spike_cycle":
            (neuron,) = found[field].element
            yield "cycles", f"cycle at which the spike of neuron {neuron} left in {where}", values
        elif field == "update_cycle":
            yield "cycles", f"cycle at which Update began in {where}", values
        else:
            yield "cycles", f"cycles of {where}", values


def _of_phases(first: Record, second: Record) -> Iterator[tuple[str, str, tuple[object, object]]]:
    """Yield the differences in weights and state after each phase, as `_of_runs` does."""
    for number, phase in enumerate(first.phases):
        for found in unequal_state(first.held(number), second.held(number)).values():
            if found.field == "weight":
                source, neuron = found.element
                what = f"weight of source {source} to neuron {neuron}"
                yield "weights", f"{what} after {phase.name}", found.values
            else:
                yield "state", f"{found.field}[{found.element[0]}] after {phase.name}", found.values
