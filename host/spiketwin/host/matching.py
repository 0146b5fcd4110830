"""One-to-one matching of the spikes of a run with those of the ideal network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spiketwin.host.elements import IntArray


@dataclass(frozen=True)
class Match:
    """The matching of the spikes of a run with those of the ideal network, over all neurons.

    For each neuron, as many spikes as possible are paired one to one, the two of a pair at most one
    tick apart. *Missing* are ideal spikes without a partner, *extra* those of the run without one.
    Spikes at the same tick are those that both have in the very same tick, paired or not.

    Attributes
    ----------
    ideal, run:
        Numbers of spikes of the ideal network and of the run.
    same_tick, within_one_tick:
        Numbers of ideal spikes with one of the run at the same tick, or within one tick.
    """

    ideal: int
    run: int
    same_tick: int
    within_one_tick: int

    @property
    def missing(self) -> int:
        """Ideal spikes that have no partner in the run."""
        return self.ideal - self.within_one_tick

    @property
    def extra(self) -> int:
        """Spikes of the run that have no partner."""
        return self.run - self.within_one_tick

    @property
    def same_tick_share(self) -> float:
        """Share of the ideal spikes at the same tick; 1 if there are none."""
        return self.same_tick / self.ideal if self.ideal else 1.0

    @property
    def within_one_tick_share(self) -> float:
        """Share of the ideal spikes within one tick; 1 if there are none."""
        return self.within_one_tick / self.ideal if self.ideal else 1.0


def match(ideal: IntArray, run: IntArray) -> Match:
    """Match two lists of spikes, and return the counts.

    Parameters
    ----------
    ideal, run:
        Shape (m, 2): (tick, neuron), ascending, none twice.
    """
    expected, found = _keys(ideal, run)
    same = np.intersect1d(expected, found, assume_unique=True).size
    paired = _pairs(np.sort(expected).tolist(), np.sort(found).tolist())
    return Match(ideal=len(ideal), run=len(run), same_tick=same, within_one_tick=paired)


def _keys(ideal: IntArray, run: IntArray) -> tuple[IntArray, IntArray]:
    """Return a number for each spike: ticks apart within a neuron, and further between neurons."""
    span = 2 + max((int(each[:, 0].max()) for each in (ideal, run) if len(each)), default=0)
    return ideal[:, 1] * span + ideal[:, 0], run[:, 1] * span + run[:, 0]


def _pairs(expected: list[int], found: list[int]) -> int:
    """Return the most pairs at most 1 apart; for ascending numbers greedy matching is optimal."""
    pairs = i = j = 0
    while i < len(expected) and j < len(found):
        if abs(expected[i] - found[j]) <= 1:
            pairs, i, j = pairs + 1, i + 1, j + 1
        elif expected[i] < found[j]:
            i += 1
        else:
            j += 1
    return pairs


def parting_tick(ideal: IntArray, run: IntArray) -> int | None:
    """Return the first tick in which different neurons fired; None if there is none.

    Parameters are those of `match`.
    """
    shared = min(len(ideal), len(run))
    unequal = (ideal[:shared] != run[:shared]).any(axis=1)
    first = int(unequal.argmax()) if unequal.any() else shared
    return min((int(each[first, 0]) for each in (ideal, run) if first < len(each)), default=None)
