"""The account of one call of `Core.run`, from which its ledger and its device time are computed.

It also says which request, answer and tick each output word and each spike belongs to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.protocol import WORD_BYTES, Opcode
from spiketwin.host.decoding import Decoded, decode, order_in_network
from spiketwin.host.elements import IntArray
from spiketwin.host.timeline import Line, Stopwatch, Timeline
from spiketwin.host.words import Words, lanes_fired, of_network, report_spikes, tick_of

_QUEUEING: Final = (Opcode.EVENTS, Opcode.BIASES)
"""The requests that queue events."""


@dataclass(frozen=True, eq=False)
class Account:
    """The account of one call of `Core.run`, as the call left it.

    Attributes
    ----------
    stopwatch, line:
        The stopwatch that timed the call, and the times of the line to the device.
    params:
        Sizes of the core.
    numbers:
        Number in the network of each neuron of the core; -1 for those that it does not have.
    tick_period:
        Period of the ticks in cycles; 0 is free-running.
    ticks:
        Number of ticks that were executed.
    digests:
        Whether each tick reports its digest.
    event_ticks:
        Shape (k,): tick of each event, ascending.
    queued, started:
        Events queued up to and including each request that queues some, and ticks started
        likewise by each `RUN`.
    fetched:
        The answer to each `FETCH`.
    """

    stopwatch: Stopwatch
    line: Line
    params: CoreParams
    numbers: IntArray
    tick_period: int
    ticks: int
    digests: bool
    event_ticks: IntArray
    queued: Sequence[int]
    started: Sequence[int]
    fetched: Sequence[bytes]

    @property
    def cycles(self) -> IntArray:
        """Shape (ticks,): cycles of each tick."""
        return self._decoded.cycles

    @property
    def spike_cycles(self) -> IntArray:
        """Shape (m,): cycle within its tick at which each spike left, in the order of the run."""
        return self._decoded.spike_cycles[self._order]

    @cached_property
    def _decoded(self) -> Decoded:
        return decode(self.words, self.ticks, self.params, self.digests)

    @cached_property
    def _order(self) -> IntArray | slice:
        """Index by which the spikes of the words are in the order of the run."""
        ticks, neurons = self._decoded.spikes.T
        return order_in_network(np.stack([ticks, self.numbers[neurons]], axis=1), self.numbers)

    @cached_property
    def timeline(self) -> Timeline:
        """The times of what happened."""
        return self.stopwatch.timeline()

    @cached_property
    def blocks(self) -> IntArray:
        """Events queued up to and including each request that queues some, one for each."""
        return np.array(self.queued, np.int64)

    @cached_property
    def steps(self) -> IntArray:
        """Shape (number of `RUN`,): ticks started up to and including each `RUN`."""
        return np.array(self.started, np.int64)

    @cached_property
    def answers(self) -> IntArray:
        """Shape (number of `FETCH`,): output words in the answer to each `FETCH`."""
        return np.array([len(each) // WORD_BYTES for each in self.fetched], np.int64)

    @cached_property
    def words(self) -> Words:
        """All output words, without the spikes of neurons that the network does not have."""
        words = np.frombuffer(b"".join(self.fetched), "<u4")
        return of_network(words, self.numbers, self.params.neuron_lanes)

    @property
    def requests(self) -> NDArray[np.void]:
        """All requests of the call, as rows of type `timeline.SPAN`."""
        return self.timeline.requests

    @cached_property
    def event_rows(self) -> IntArray:
        """Rows of the requests that queued events."""
        return np.flatnonzero(np.isin(self.requests["opcode"], _QUEUEING))

    @cached_property
    def run_rows(self) -> IntArray:
        """Rows of the requests that started ticks."""
        return np.flatnonzero(self.requests["opcode"] == Opcode.RUN)

    @cached_property
    def fetch_rows(self) -> IntArray:
        """Rows of the requests that fetched words, one for each of `answers`."""
        # Earlier ones fetched the words that a broken run had left.
        return np.flatnonzero(self.requests["opcode"] == Opcode.FETCH)[-len(self.answers) :]

    @cached_property
    def fetch_of_word(self) -> IntArray:
        """Number of the answer that each word came in."""
        return np.repeat(np.arange(len(self.answers)), self.answers)

    @cached_property
    def tick_of_word(self) -> IntArray:
        """Tick that each word belongs to."""
        return tick_of(self.words)

    @cached_property
    def word_of_spike(self) -> IntArray:
        """Word that reported each spike, in the order of the run."""
        reports = np.flatnonzero(report_spikes(self.words))
        which, _ = lanes_fired(self.words[reports].astype(np.int64))
        return reports[which][self._order]

    @cached_property
    def entrances(self) -> IntArray:
        """Row of the request that brought the last event of each tick, or else started the tick."""
        ticks = np.arange(len(self.cycles))
        rows: IntArray = self.run_rows[np.searchsorted(self.steps, ticks, side="right")]
        events = np.searchsorted(self.event_ticks, ticks, side="right")
        has_events = np.bincount(self.event_ticks, minlength=len(ticks)) > 0
        block = np.searchsorted(self.blocks, events[has_events] - 1, side="right")
        rows[has_events] = self.event_rows[block]
        return rows
