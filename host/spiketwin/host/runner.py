"""A run as a program of requests: events by credit, ticks, and the fetching of their words.

The events of a tick are queued before the `RUN` that covers it, so a run goes in steps of as many
ticks as the event queue holds events for, the next step being queued while the device works on the
last. So no event comes late, at a fixed tick period neither: should the host fall behind, the
device waits for it at the end of a step, and counts the deadlines that it misses meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Final

import numpy as np

from spiketwin.hdl.spec import schedule
from spiketwin.hdl.spec.params import DIGEST_WORDS
from spiketwin.hdl.spec.protocol import MAX_EVENTS, MAX_FETCH_WORDS, WORD_BYTES, Identity, Opcode
from spiketwin.host.elements import IntArray
from spiketwin.host.errors import LinkError
from spiketwin.host.exchange import Request, arguments
from spiketwin.host.spikes import Run, Saturations, decode
from spiketwin.host.words import Words, last_of_tick, of_network, split_at_last_tick, ticks_over

Progress = Callable[[int, int], None]
"""Called with (ticks done, ticks)."""

Watch = Callable[[int, Run], None]
"""Called with a tick of the run, and what the ticks from that one on put out."""

LEAST_WORDS_PER_TICK: Final = 2
"""*Update* and *end* are always reported."""

ANY_WAIT: Final = (1 << 32) - 1
"""`FETCH` is asked to wait for its words, not for a time, or its answer would depend on timing."""

_NO_WORDS: Final[Words] = np.empty(0, np.uint32)
_OFFSETS: Final = 1 << 16
_REAL_TIME_WAIT: Final = 0.05
"""Seconds that one `FETCH` may hold up what comes behind it, at a fixed tick period, where answers
depend on timing anyway: be it events, or the next host after this one has died."""

_WAITS_PER_STEP: Final = 16
"""More than two windows, so that at a fixed tick period half a step is left when they are over."""

_EMPTY_ANSWERS: Final = 16
"""So many answers without a word, beyond those that the waiting explains, are no run any more; a
window of requests may well find that the run is over."""


class Runner:
    """The program of one run.

    Parameters
    ----------
    identity:
        Of the device.
    first_tick:
        The device's next tick.
    events:
        Shape (k, 2), strictly ascending (tick, axon), ticks relative to the run.
    ticks:
        Length of the run.
    tick_period:
        In cycles; 0 is free-running.
    progress:
        Called with (ticks done, ticks) after every answer that brings some.
    watch:
        Called before that with the first of these ticks, and with what they put out.
    digests:
        Whether each tick reports its digest.
    n_neurons:
        Neurons of the network; spikes of others are left out.
    calling_back:
        Gives the context in which `progress` and `watch` are called.

    Attributes
    ----------
    broken_off:
        Whether the run has ended early: then what comes in is kept, and nobody is called.
    missed_deadlines, late_events, saturations:
        What is to be said of them in the result.
    ticks:
        As given.
    words:
        Output words so far, one array an answer.
    blocks:
        Events queued after each `EVENTS`.
    steps:
        Ticks started after each `RUN`.
    """

    def __init__(
        self,
        identity: Identity,
        first_tick: int,
        events: IntArray,
        ticks: int,
        tick_period: int,
        progress: Progress | None,
        watch: Watch | None,
        digests: bool,
        n_neurons: int,
        calling_back: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self.broken_off = False
        self.missed_deadlines = 0
        self.late_events = 0
        self.saturations: Saturations | None = None
        self.ticks = ticks
        self.words: list[Words] = []
        self.blocks: list[int] = []
        self.steps: list[int] = []
        self._params = identity.params
        self._depth = identity.params.event_queue_depth
        self._first_tick = first_tick
        self._events = events
        self._progress = progress
        self._watch = watch
        self._digests = digests
        self._calling_back = calling_back
        self._n_neurons = n_neurons
        self._least_words = LEAST_WORDS_PER_TICK + (DIGEST_WORDS if digests else 0)
        self._unfinished = _NO_WORDS
        self._tick_cycles = max(schedule.most_cycles(identity.params), tick_period)
        self._tick_period = tick_period
        self._longest_wait = max(1, min(ANY_WAIT, int(_REAL_TIME_WAIT * identity.clock_hz)))
        least_wait = min(tick_period, self._longest_wait) or ANY_WAIT
        self._most_empty = _EMPTY_ANSWERS + self._tick_cycles // least_wait
        self._empty = 0
        self._queued = 0
        self._started = 0
        self._done = 0
        self._received = 0
        self._requested = 0

    def program(self) -> Iterator[Request | None]:
        """Requests of the run, each decided from the answers so far."""
        while self._done < self.ticks:
            until, events = self._affordable()
            if until > self._started:
                yield from self._queue(events)
                request = Request(Opcode.RUN, arguments(Opcode.RUN, until - self._started))
                # Before it is on its way: a line that fails has not told whether it got through.
                self._started = until
                self.steps.append(until)
                yield request
            elif self._requested < self._words_expected():
                yield self._fetch()
            else:
                yield None

    def _affordable(self) -> tuple[int, int]:
        """Tick up to which the run can be started, and the events that can be queued by then."""
        ticks = self._events[:, 0]
        finished = min(int(np.searchsorted(ticks, self._done)), self._queued)
        room = finished + self._depth
        nothing = self._started, self._queued
        if room >= len(ticks):
            return self.ticks, len(ticks)
        # Small refills would cost a frame each: wait until half of the queue is free.
        if room - self._queued < self._depth // 2 and self._done < self._started:
            return nothing
        until = int(ticks[room])
        if until <= self._started:
            return nothing
        return until, int(np.searchsorted(ticks, until))

    def _queue(self, end: int) -> Iterator[Request]:
        """Requests that queue the events up to number `end`."""
        while self._queued < end:
            block = self._events[self._queued : min(end, self._queued + MAX_EVENTS)]
            base = int(block[0, 0])
            block = block[: int(np.searchsorted(block[:, 0], base + _OFFSETS))]
            items = np.stack([block[:, 0] - base, block[:, 1]], axis=1).astype("<u2").tobytes()
            head = arguments(Opcode.EVENTS, self._first_tick + base)
            self._queued += len(block)
            self.blocks.append(self._queued)
            yield Request(Opcode.EVENTS, head + items)

    def _words_expected(self) -> int:
        """Words still to come of the ticks started, as many a tick as there were so far."""
        ticks = self._started - self._done
        if self._done == 0:
            return ticks * self._least_words
        return -(-ticks * self._received // self._done)

    def _fetch(self) -> Request:
        count, wait = MAX_FETCH_WORDS, ANY_WAIT
        if self._tick_period > 0:
            # A window of these must leave time to queue what comes after the ticks started.
            wait = (self._started - self._done) * self._tick_period // _WAITS_PER_STEP
            wait = min(self._longest_wait, max(self._tick_period, wait))
        ticks = min(self.ticks - self._done, count // self._least_words + 1)
        self._requested += count
        return Request(
            Opcode.FETCH,
            arguments(Opcode.FETCH, count, wait),
            result_bytes=WORD_BYTES * count,
            result_item_bytes=WORD_BYTES,
            cycles=min(ticks * self._tick_cycles, wait),
            on_result=self._fetched,
        )

    def take(self, result: bytes) -> Words:
        """Take the words of an answer."""
        words = np.frombuffer(result, "<u4")
        words = of_network(words, self._n_neurons, self._params.neuron_lanes)
        self.words.append(words)
        return words

    def _fetched(self, result: bytes) -> None:
        words = self.take(result)
        if self.broken_off:
            return
        self._requested -= MAX_FETCH_WORDS
        self._received += len(words)
        self._empty = 0 if words.size else self._empty + 1
        if self._empty > self._most_empty:
            raise LinkError(
                f"the device reports nothing of the ticks it has yet to run ({self._done} of "
                f"{self.ticks} done): switch it off and on, and connect again"
            )
        last = last_of_tick(self._digests)
        done = int(ticks_over(words, last).sum())
        if done > self._started - self._done:
            raise LinkError(
                f"the device reports {done} ticks where {self._started - self._done} are to come: "
                "switch it off and on, and connect again"
            )
        first, self._done = self._done, self._done + done
        if self._watch is not None:
            words = np.concatenate([self._unfinished, words])
            over, self._unfinished = split_at_last_tick(words, last)
            if done:
                part = decode(over, done, self._params, self._digests)
                with self._calling_back():
                    self._watch(first, part)
        if done and self._progress is not None:
            with self._calling_back():
                self._progress(self._done, self.ticks)

    def result(self) -> Run:
        """Decode what came in: of a run that was broken off, up to the last whole tick.

        Raises `LinkError` when the words do not add up to the run.
        """
        words, ticks = np.concatenate([_NO_WORDS, *self.words]), self.ticks
        if self.broken_off:
            last = last_of_tick(self._digests)
            words, _ = split_at_last_tick(words, last)
            ticks = int(ticks_over(words, last).sum())
            if ticks > self._started:
                raise LinkError(
                    f"the device reported {ticks} ticks where {self._started} were asked for: "
                    "switch it off and on, and connect again"
                )
        run = decode(words, ticks, self._params, self._digests)
        return replace(
            run,
            missed_deadlines=self.missed_deadlines,
            late_events=self.late_events,
            saturations=self.saturations,
        )
