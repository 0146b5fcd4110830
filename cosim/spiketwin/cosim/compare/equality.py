"""Equality of the behaviours of two targets, and the first difference in each field.

This module compares existing results and runs nothing again. `difference` runs the targets again,
and traces a difference found here to its cause.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from spiketwin.host import Run
from spiketwin.host.elements import IntArray
from spiketwin.host.matching import parting_tick

NO_SPIKE: Final = -1
"""The `spike_cycle` of a neuron that did not fire."""


@dataclass(frozen=True, eq=False)
class Behaviour:
    """The run of a target, and its contents after the run.

    Attributes
    ----------
    run:
        Spikes and cycles of the ticks that were run.
    held:
        All state as `Core.read_state` gives it, and ``weight``, shape (n_sources, n_neurons).
    """

    run: Run
    held: dict[str, IntArray]


@dataclass(frozen=True)
class Inequality:
    """The first place at which one field of two behaviours differs.

    Attributes
    ----------
    field:
        One of `spiketwin.cosim.compare.difference.FIELDS`.
    tick:
        The tick of the run; None for a field of the state, which is read after the run.
    element:
        The neuron, the source, or both of a synapse; empty for a field of the whole core.
    values:
        The value of that element in the first and in the second behaviour.
    """

    field: str
    tick: int | None
    element: tuple[int, ...]
    values: tuple[int, int]


def unequal_runs(a: Run, b: Run, cycles: bool = True) -> dict[str, Inequality]:
    """Return the first difference of each field in two runs of the same ticks, by field.

    Digests are compared if both runs have them, and cycles of spikes up to the first tick in
    which different neurons fired.

    Parameters
    ----------
    a, b:
        The two runs.
    cycles:
        Whether cycles are compared, which depend on the sizes of a core.
    """
    found = [_unequal_spikes(a, b)]
    if cycles:
        found += [
            _unequal_ticks("update_cycle", a.update_cycles, b.update_cycles),
            _unequal_ticks("cycles", a.cycles, b.cycles),
            _unequal_spike_cycles(a, b),
        ]
    if a.digests is not None and b.digests is not None:
        found.append(_unequal_ticks("digest", a.digests, b.digests))
    return {each.field: each for each in found if each is not None}


def unequal_state(a: Mapping[str, IntArray], b: Mapping[str, IntArray]) -> dict[str, Inequality]:
    """Return the first difference of each array in two states, by the array's name."""
    found = {}
    for field in a:
        place = first_unequal(a[field], b[field])
        if place is not None:
            values = int(a[field][place]), int(b[field][place])
            found[field] = Inequality(field, None, place, values)
    return found


def unequal(a: Behaviour, b: Behaviour, cycles: bool = True) -> dict[str, Inequality]:
    """Return the first difference of each field in two behaviours, runs before state.

    Parameters are those of `unequal_runs`.
    """
    return unequal_runs(a.run, b.run, cycles) | unequal_state(a.held, b.held)


def first_tick(found: Mapping[str, Inequality]) -> int | None:
    """Return the first tick in which anything differs; None if no tick of the run does."""
    return min((each.tick for each in found.values() if each.tick is not None), default=None)


def first_unequal(a: ArrayLike, b: ArrayLike) -> tuple[int, ...] | None:
    """Return the index of the first unequal element of two arrays of one shape, if any."""
    if np.array_equal(a, b):
        return None
    first: list[int] = np.argwhere(np.asarray(a) != np.asarray(b))[0].tolist()
    return tuple(first)


def _unequal_ticks(field: str, a: ArrayLike, b: ArrayLike) -> Inequality | None:
    """Compare a field that has one value in each tick."""
    place = first_unequal(a, b)
    if place is None:
        return None
    values = int(np.asarray(a)[place]), int(np.asarray(b)[place])
    return Inequality(field, place[0], (), values)


def _unequal_spikes(a: Run, b: Run) -> Inequality | None:
    """Return the first spike that only one of two runs has."""
    tick = parting_tick(a.spikes, b.spikes)
    if tick is None:
        return None
    fired, others = (set(run.spikes[run.spikes[:, 0] == tick, 1].tolist()) for run in (a, b))
    neuron = min(fired ^ others)
    return Inequality("spike", tick, (neuron,), (int(neuron in fired), int(neuron in others)))


def _unequal_spike_cycles(a: Run, b: Run) -> Inequality | None:
    """Compare the cycles at which spikes left, up to the first tick with different spikes."""
    shared = min(len(a.spikes), len(b.spikes))
    alike = (a.spikes[:shared] == b.spikes[:shared]).all(axis=1)
    shared = shared if alike.all() else int(alike.argmin())
    place = first_unequal(a.spike_cycles[:shared], b.spike_cycles[:shared])
    if place is None:
        return None
    tick, neuron = a.spikes[place].tolist()
    values = int(a.spike_cycles[place]), int(b.spike_cycles[place])
    return Inequality("spike_cycle", tick, (neuron,), values)
