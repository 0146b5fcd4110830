"""The events of a plan in the order in which a device queues them, and the requests that do it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from spiketwin.hdl.spec.protocol import MAX_BIASES, MAX_EVENTS, REQUESTS, Opcode
from spiketwin.host.elements import IntArray
from spiketwin.host.exchange import Request, arguments

_OFFSETS: Final = 1 << 16
_MOST: Final = {Opcode.EVENTS: MAX_EVENTS, Opcode.BIASES: MAX_BIASES}


class EventQueue:
    """Axon events and bias events in one order: by their ticks, and in a tick bias events first.

    Parameters
    ----------
    events:
        Shape (k, 2): axon events (tick, axon), ascending.
    biases:
        Shape (m, 3): bias events (tick, neuron, bias), ascending by tick.

    Attributes
    ----------
    ticks:
        Shape (k + m,): tick of each event, ascending.
    """

    def __init__(self, events: IntArray, biases: IntArray) -> None:
        self.ticks = np.ascontiguousarray(events[:, 0])
        numbers = events[:, 1]
        self._of_biases = np.zeros(len(events), np.bool_)
        self._values = np.zeros(0, np.int64)
        if len(biases):
            # Sorting is stable, so biases stay in front of the axon events of their tick.
            order = np.argsort(np.concatenate([biases[:, 0], self.ticks]), kind="stable")
            self.ticks = np.concatenate([biases[:, 0], self.ticks])[order]
            numbers = np.concatenate([biases[:, 1], numbers])[order]
            self._of_biases = order < len(biases)
            self._values = np.concatenate([biases[:, 2], np.zeros(len(events), np.int64)])[order]
        self._again = (np.diff(self.ticks, prepend=-1) == 0) & (np.diff(numbers, prepend=-1) == 0)
        # Minus the first tick of its block, each is the head of an item: offset and number.
        self._items = numbers * _OFFSETS + self.ticks
        self._ends = np.append(np.flatnonzero(np.diff(self._of_biases)) + 1, len(self.ticks))

    def most_extra(self) -> int:
        """Return the most events of one tick that name an axon again, or a bias."""
        _, counts = np.unique(self.ticks[self._again | self._of_biases], return_counts=True)
        return int(counts.max(initial=0))

    def requests(self, first: int, end: int, first_tick: int) -> Iterator[tuple[int, Request]]:
        """Yield the requests that queue the events from number `first` up to number `end`.

        Each comes with the number of events up to and including it. Tick 0 of the events is the
        device's tick `first_tick`.
        """
        while first < end:
            base = int(self.ticks[first])
            last = min(end, int(self._ends[np.searchsorted(self._ends, first, side="right")]))
            if int(self.ticks[last - 1]) - base >= _OFFSETS:
                last = int(self.ticks[:last].searchsorted(base + _OFFSETS))
            opcode = Opcode.BIASES if self._of_biases[first] else Opcode.EVENTS
            head = arguments(opcode, first_tick + base)
            words = (self._items[first:last] - base)[:, None]
            if opcode is Opcode.BIASES:
                words = np.stack([words[:, 0], self._values[first:last] % (1 << 32)], axis=1)
            items = words.astype("<u4").tobytes()
            item_bytes = REQUESTS[opcode].tail_size
            block_bytes = _MOST[opcode] * item_bytes
            for begin in range(0, len(items), block_bytes):
                block = items[begin : begin + block_bytes]
                first += len(block) // item_bytes
                yield first, Request(opcode, head + block)
