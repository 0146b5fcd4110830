"""The results of many runs that were made by one call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Self, overload

import numpy as np

from spiketwin.hdl.spec.text import shown
from spiketwin.host.elements import IntArray
from spiketwin.host.errors import InvalidInput
from spiketwin.host.ledger import Ledger
from spiketwin.host.spikes import Run, Saturations


def joined(parts: Sequence[Run]) -> Run:
    """Return consecutive runs of a core joined to one; ticks count on from run to run."""
    lengths = [len(part.cycles) for part in parts]
    begins: list[int] = np.cumsum([0, *lengths])[:-1].tolist()
    spikes = [part.spikes + (begin, 0) for begin, part in zip(begins, parts, strict=True)]
    digests = [part.digests for part in parts if part.digests is not None]
    rows = [part.probe_ticks + begin for begin, part in zip(begins, parts, strict=True)]
    probed = set.intersection(*(set(part.probes) for part in parts)) if parts else set[str]()
    return Run(
        spikes=np.concatenate([np.empty((0, 2), np.int64), *spikes]),
        spike_cycles=_concatenated([part.spike_cycles for part in parts]),
        cycles=_concatenated([part.cycles for part in parts]),
        update_cycles=_concatenated([part.update_cycles for part in parts]),
        muted=np.concatenate([np.empty(0, np.bool_), *(part.muted for part in parts)]),
        digests=np.concatenate(digests) if digests else None,
        probes={name: np.concatenate([part.probes[name] for part in parts]) for name in probed},
        probe_ticks=_concatenated(rows),
        missed_deadlines=sum(part.missed_deadlines for part in parts),
        late_events=sum(part.late_events for part in parts),
        saturations=Saturations.of([part.saturations for part in parts]),
        accounts=tuple(account for part in parts for account in part.accounts),
    )


def _concatenated(parts: list[IntArray]) -> IntArray:
    return np.concatenate([np.empty(0, np.int64), *parts])


@dataclass(frozen=True, eq=False)
class Runs(Sequence[Run]):
    """The results of consecutive runs: a sequence with one `Run` for each.

    The arrays of this class hold all runs together, so that no loop over the runs is needed.

    Attributes
    ----------
    ticks:
        Ticks of each run.
    whole:
        All runs as a single one, whose ticks count on from run to run.
    """

    ticks: int
    whole: Run

    @classmethod
    def of_whole(cls, ticks: int, part: Run) -> Self:
        """Return the runs that came to their end, given the part of a call that was broken off."""
        length = len(part.cycles) // ticks * ticks
        spikes = int(np.searchsorted(part.spikes[:, 0], length))
        return cls(
            ticks,
            replace(
                part,
                spikes=part.spikes[:spikes],
                spike_cycles=part.spike_cycles[:spikes],
                cycles=part.cycles[:length],
                update_cycles=part.update_cycles[:length],
                muted=part.muted[:length],
                digests=None if part.digests is None else part.digests[:length],
            ),
        )

    def __len__(self) -> int:
        """Return the number of runs."""
        return len(self.whole.cycles) // self.ticks

    @overload
    def __getitem__(self, index: int) -> Run: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Run]: ...
    def __getitem__(self, index: int | slice) -> Run | Sequence[Run]:
        """Return one run, or a list of runs; ticks count from the beginning of each run."""
        if isinstance(index, slice):
            return [self._run(number) for number in range(len(self))[index]]
        return self._run(range(len(self))[index])

    def __iter__(self) -> Iterator[Run]:
        return map(self._run, range(len(self)))

    def _run(self, number: int) -> Run:
        whole, first = self.whole, number * self.ticks
        begin, end = self._bounds[number]
        part = slice(first, first + self.ticks)
        return Run(
            whole.spikes[begin:end] - (first, 0),
            whole.spike_cycles[begin:end],
            whole.cycles[part],
            whole.update_cycles[part],
            whole.muted[part],
            digests=None if whole.digests is None else whole.digests[part],
        )

    @cached_property
    def _bounds(self) -> list[tuple[int, int]]:
        """Indices at which the spikes of each run begin and end."""
        begins = np.arange(len(self) + 1) * self.ticks
        return list(pairwise(np.searchsorted(self.whole.spikes[:, 0], begins).tolist()))

    @property
    def spikes(self) -> IntArray:
        """Shape (m, 3): (run, tick, neuron), ascending."""
        run, tick = np.divmod(self.whole.spikes[:, 0], self.ticks)
        return np.stack([run, tick, self.whole.spikes[:, 1]], axis=1)

    @property
    def cycles(self) -> IntArray:
        """Shape (runs, ticks): cycles of each tick."""
        return self.whole.cycles.reshape(len(self), self.ticks)

    @property
    def ledger(self) -> Ledger:
        """The latency ledger of all runs together (`Run.ledger`)."""
        return self.whole.ledger

    def counts(self, n_neurons: int) -> IntArray:
        """Return the number of spikes of each neuron in each run, shape (runs, n_neurons).

        Raises `InvalidInput` if a neuron from `n_neurons` on has fired.
        """
        if isinstance(n_neurons, bool) or not isinstance(n_neurons, int | np.integer):
            raise InvalidInput(f"n_neurons must be an integer, not {shown(n_neurons)}")
        if n_neurons < 0:
            raise InvalidInput(f"n_neurons must be 0 or more, not {n_neurons}")
        run, neuron = self.whole.spikes[:, 0] // self.ticks, self.whole.spikes[:, 1]
        if neuron.size and neuron.max() >= n_neurons:
            raise InvalidInput(
                f"n_neurons must be above {neuron.max()}, which has fired, not {shown(n_neurons)}"
            )
        counts = np.bincount(run * n_neurons + neuron, minlength=len(self) * n_neurons)
        return counts.reshape(len(self), n_neurons)
