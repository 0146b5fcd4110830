"""The layout of the rows of a sparse projection: blocks that have a synapse for each lane.

Lane k of a block leads to a neuron whose number is k modulo `lanes`, so a row has as many blocks as
the lane with the most synapses has. Places that are left over have a weight of 0. So that few are,
neurons change places within their group of `lanes` (`evened`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from spiketwin.host.elements import IntArray


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of a part of a sparse projection, one for each source of its groups.

    Attributes
    ----------
    pattern:
        Shape (k, 2), ascending: source and neuron of each synapse, by their places in the part.
    sources, neurons:
        Shapes (sources,) and (neurons,): the number in the core of each.
    lanes:
        Lanes of the core.
    """

    pattern: IntArray
    sources: IntArray
    neurons: IntArray
    lanes: int

    @property
    def source(self) -> IntArray:
        """Shape (k,): the number in the core of the source of each synapse."""
        source: IntArray = self.sources[self.pattern[:, 0]]
        return source

    @property
    def neuron(self) -> IntArray:
        """Shape (k,): the number in the core of the neuron of each synapse."""
        neuron: IntArray = self.neurons[self.pattern[:, 1]]
        return neuron

    @cached_property
    def _list(self) -> IntArray:
        """Shape (k,): row and lane of each synapse as one number, ``row · lanes + lane``."""
        row = self.source - self.sources[0] // self.lanes * self.lanes
        numbers: IntArray = row * self.lanes + self.neuron % self.lanes
        return numbers

    @cached_property
    def _lengths(self) -> IntArray:
        """Shape (rows · lanes,): the number of synapses of each lane of each row."""
        groups = self.sources[-1] // self.lanes - self.sources[0] // self.lanes + 1
        return np.bincount(self._list, minlength=int(groups) * self.lanes**2)

    @property
    def blocks(self) -> IntArray:
        """Shape (rows,): the number of blocks of each row."""
        blocks: IntArray = self._lengths.reshape(-1, self.lanes).max(axis=1)
        return blocks

    @property
    def first_block(self) -> IntArray:
        """Shape (rows,): the blocks of all rows before each."""
        return np.cumsum(self.blocks) - self.blocks

    @property
    def words(self) -> int:
        """Words of each weight bank that they take."""
        return int(self.blocks.sum())

    @cached_property
    def places(self) -> IntArray:
        """Shape (k,): the element that each synapse is, from the first word of all rows on."""
        order = np.argsort(self._list, kind="stable")
        begins = np.cumsum(self._lengths) - self._lengths
        within = np.empty(len(order), np.int64)
        within[order] = np.arange(len(order)) - begins[self._list[order]]
        word = self.first_block[self._list // self.lanes] + within
        places: IntArray = word * self.lanes + (self.source + self.neuron) % self.lanes
        return places


def evened(neurons: IntArray, synapses: IntArray, lanes: int) -> IntArray:
    """Return the numbers of neurons, so placed within their groups that rows have few blocks.

    The neurons of a group take its lanes one after the other, those with the most synapses first.
    Each takes the lane that has the least in its rows already, counted as the sum of the squares of
    the synapses that a row has there, by which the longest lanes of a row count most. The sums are
    whole numbers, so every computer finds the same.

    Parameters
    ----------
    neurons:
        Shape (neurons,): the number in the core of each.
    synapses:
        Shape (k, 2): row and neuron of each synapse, the neuron by its place in `neurons`.
    lanes:
        Lanes of the core.
    """
    row, neuron = synapses[np.argsort(synapses[:, 1], kind="stable")].T
    counts = np.bincount(neuron, minlength=len(neurons))
    ends = np.cumsum(counts)
    groups = neurons // lanes
    free = {group: list(range(lanes)) for group in groups.tolist()}
    taken = np.zeros((int(row.max(initial=-1)) + 1, lanes), np.int64)
    placed = np.empty_like(neurons)
    for k in np.lexsort((-counts, groups)).tolist():
        rows = row[ends[k] - counts[k] : ends[k]]
        left = free[int(groups[k])]
        lane = left.pop(int((taken[rows] ** 2).sum(axis=0)[left].argmin()))
        taken[rows, lane] += 1
        placed[k] = groups[k] * lanes + lane
    return placed
