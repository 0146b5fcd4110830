"""A sliding window of the latest output of a core, and sums over all of its output."""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spiketwin.host.elements import IntArray
from spiketwin.host.spikes import Run

KEPT_TICKS: Final = 1024
"""Number of ticks that are kept, as many as the widest terminal shows."""


class Recent(NamedTuple):
    """The output of the latest ticks.

    Attributes
    ----------
    first:
        Number of the first of these ticks.
    spikes:
        Shape (m, 2): (tick, neuron), ticks counted from `first`.
    muted:
        Shape (ticks,), bool: ticks whose spikes were dropped.
    """

    first: int
    spikes: IntArray
    muted: NDArray[np.bool_]


class Window:
    """A sliding window of the output of a core, to which consecutive parts are added.

    Attributes
    ----------
    n_neurons:
        Number of neurons.
    ticks, spikes, cycles, muted_ticks:
        Sums over all parts so far; cycles are those of the ticks that were not muted.
    """

    def __init__(self, n_neurons: int) -> None:
        self.n_neurons = n_neurons
        self.ticks = 0
        self.spikes = 0
        self.cycles = 0
        self.muted_ticks = 0
        self._parts: deque[tuple[int, Run]] = deque()

    def add(self, part: Run) -> None:
        """Add the output of the next ticks, which `part` counts from 0."""
        self._parts.append((self.ticks, part))
        self.ticks += len(part.cycles)
        self.spikes += len(part.spikes)
        self.cycles += int(part.cycles.sum())
        self.muted_ticks += int(part.muted.sum())
        while len(self._parts) > 1 and self._parts[1][0] <= self.ticks - KEPT_TICKS:
            self._parts.popleft()

    def since(self, first: int) -> Recent:
        """Return the output of the ticks from `first` on, which must be in the window."""
        muted = np.zeros(max(0, self.ticks - first), np.bool_)
        spikes = [np.empty((0, 2), np.int64)]
        for begin, part in self._parts:
            skipped = max(0, first - begin)
            at = begin + skipped - first
            rest = part.muted[skipped:]
            muted[at : at + len(rest)] = rest
            of_part = part.spikes[np.searchsorted(part.spikes[:, 0], skipped) :]
            spikes.append(of_part + (begin - first, 0))
        return Recent(first, np.concatenate(spikes), muted)
