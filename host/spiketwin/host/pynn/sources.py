"""The spikes of sources, which the host makes: given ones, and those of Poisson processes.

A spike at a time that is not on the grid is delivered with the next tick, and recorded as given.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spiketwin.host.elements import IntArray
from spiketwin.host.errors import InvalidInput
from spiketwin.host.pynn import cells

Reals = NDArray[np.float64]

_BLOCK: Final = 1000
"""Ticks whose Poisson spikes are drawn together, so that they do not depend on how runs are cut."""


class Spikes(NamedTuple):
    """Spikes of a population of sources: tick on the grid, index, and time in ms as given."""

    ticks: IntArray
    members: IntArray
    times: Reals

    def between(self, begin: int, end: int) -> Spikes:
        """Return those of the ticks from `begin` on before `end`."""
        return self.of((self.ticks >= begin) & (self.ticks < end))

    def without(self, others: Spikes) -> Spikes:
        """Return those whose cell and time are not among others."""
        known = set(zip(others.members.tolist(), others.times.tolist(), strict=True))
        own = zip(self.members.tolist(), self.times.tolist(), strict=True)
        return self.of(np.array([each not in known for each in own], bool))

    def of(self, chosen: NDArray[Any]) -> Spikes:
        """Return those that are chosen, by a mask or by indices."""
        return Spikes(self.ticks[chosen], self.members[chosen], self.times[chosen])


def is_given(population: Any) -> bool:
    """Return whether the spikes of a population of sources are given and not drawn."""
    return isinstance(population.celltype, cells.SpikeSourceArray)


def joined(parts: list[Spikes]) -> Spikes:
    """Return the spikes of all parts, in their order."""
    none = Spikes(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float64))
    return Spikes(*map(np.concatenate, zip(none, *parts, strict=True)))


def made(population: Any, state: Any, begin: int, end: int) -> Spikes:
    """Return the spikes of a population of sources in the ticks from `begin` on before `end`.

    Parameters
    ----------
    population:
        A population of SpikeSourceArray or SpikeSourcePoisson.
    state:
        The state of the simulator.
    begin, end:
        Ticks; a spike at time s is one of tick s / dt, rounded up.
    """
    if is_given(population):
        return _given(population, state).between(begin, end)
    parts = [
        _drawn(population, state, block) for block in range(begin // _BLOCK, -(-end // _BLOCK))
    ]
    return joined(parts).between(begin, end)


def moved(population: Any, state: Any) -> Reals:
    """Return by how many ms each given spike is delivered later than its time says."""
    if not is_given(population):
        return np.empty(0)
    given = _given(population, state)
    late: Reals = given.ticks * state.dt - given.times
    return late


def _given(population: Any, state: Any) -> Spikes:
    trains = [np.asarray(each.value, float) for each in population.parameter("spike_times")]
    members = np.repeat(np.arange(len(trains)), [len(train) for train in trains])
    times = np.concatenate([*trains, np.empty(0)])
    if np.any(times < 0) or not np.all(np.isfinite(times)):
        raise InvalidInput(
            f"spike_times of {population.label} must be finite times from 0 on, not "
            f"{times[~(times >= 0) | ~np.isfinite(times)][0]}"
        )
    order = np.lexsort((members, times))
    return Spikes(state.ticks(times), members.astype(np.int64), times).of(order)


def _drawn(population: Any, state: Any, block: int) -> Spikes:
    """Return the Poisson spikes of a block of ticks, which end with each tick."""
    seed = (state.options.rng_seed, state.resets, int(population.first_id), block)
    rng = np.random.default_rng(seed)
    rates = population.parameter("rate")
    if np.any(rates < 0) or not np.all(np.isfinite(rates)):
        raise InvalidInput(f"rate of {population.label} must be 0 Hz or more, not {rates.min()}")
    counts = rng.poisson(rates * (_BLOCK * state.dt / 1000.0))
    members = np.repeat(np.arange(population.size), counts)
    ticks = block * _BLOCK + rng.integers(0, _BLOCK, members.size) + 1
    times = ticks * state.dt
    begins = population.parameter("start")[members]
    ends = begins + population.parameter("duration")[members]
    order = np.lexsort((members, ticks))
    spikes = Spikes(ticks, members.astype(np.int64), times).of(order)
    return spikes.of(((times > begins) & (times <= ends))[order])
