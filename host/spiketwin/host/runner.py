"""Runs as a program of requests: events by credit, ticks, and the fetching of their words.

The events of a tick are queued before the `RUN` that covers it, so a run goes in steps of as many
ticks as the event queue holds events for, the next step being queued while the device works on the
last. So no event comes late, at a fixed tick period neither: should the host fall behind, the
device waits for it at the end of a step, and counts the deadlines that it misses meanwhile.

Several runs that follow each other are one program as well. What is to be done between two of them
(registers, a clear) needs a core at rest, so it is asked for when it is sure that the run before
has come to its end by then: because its last word is here, or because more words were asked for
than it can have. The events of the next run are queued while the last one is under way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final

import numpy as np

from spiketwin.hdl.spec.params import DIGEST_WORDS, LEAST_WORDS_PER_TICK
from spiketwin.hdl.spec.protocol import (
    MAX_EVENTS,
    MAX_FETCH_WORDS,
    REQUESTS,
    WORD_BYTES,
    Identity,
    Opcode,
)
from spiketwin.host.account import Account
from spiketwin.host.decoding import Decoded, are_good, decode_network
from spiketwin.host.errors import LinkError
from spiketwin.host.exchange import Request, arguments
from spiketwin.host.plan import Plan, Settings, Watch
from spiketwin.host.progress import Steps
from spiketwin.host.spikes import Run, Saturations
from spiketwin.host.timeline import Line, Stopwatch
from spiketwin.host.words import (
    Words,
    last_of_tick,
    split_at_last_tick,
    ticks_over,
    ticks_over_in,
)

ANY_WAIT: Final = (1 << 32) - 1
"""`FETCH` is asked to wait for its words, not for a time, or its answer would depend on timing."""

_NO_WORDS: Final[Words] = np.empty(0, np.uint32)
_OFFSETS: Final = 1 << 16
_ITEM_BYTES: Final = REQUESTS[Opcode.EVENTS].tail_size
_BLOCK_BYTES: Final = MAX_EVENTS * _ITEM_BYTES
_REAL_TIME_WAIT: Final = 0.05
"""Seconds that one `FETCH` may hold up what comes behind it, at a fixed tick period, where answers
depend on timing anyway: be it events, or the next host after this one has died."""

_WAITS_PER_STEP: Final = 16
"""More than two windows, so that at a fixed tick period half a step is left when they are over."""

_EMPTY_ANSWERS: Final = 16
"""So many answers without a word, beyond those that the waiting explains, are no run any more; a
window of requests may well find that the run is over."""


class Runner:
    """The program of one run, or of several that follow each other.

    Parameters
    ----------
    identity:
        Of the device.
    first_tick:
        The device's next tick.
    plan:
        The runs.
    settings:
        Of the core.
    known:
        Registers whose values are known.
    progress:
        Called with (ticks done, ticks in all) after every answer that brings some.
    watch:
        Called before that with the first of these ticks, and with what they put out: of several
        runs, of whole runs, one after the other.
    n_neurons:
        Neurons of the network; spikes of others are left out.
    calling_back:
        Gives the context in which `progress` and `watch` are called.

    Attributes
    ----------
    broken_off:
        Whether it has ended early: then what comes in is kept, and nobody is called.
    missed_deadlines, late_events, saturations:
        What is to be said of them in the result.
    plan:
        As given.
    ticks:
        Of all runs.
    answers:
        Output words so far, as the bytes of each answer.
    blocks:
        Events queued after each `EVENTS`.
    steps:
        Ticks started after each `RUN`.
    """

    def __init__(
        self,
        identity: Identity,
        first_tick: int,
        plan: Plan,
        settings: Settings,
        known: Mapping[str, int],
        progress: Steps | None,
        watch: Watch | None,
        n_neurons: int,
        calling_back: Callable[[], AbstractContextManager[None]],
    ) -> None:
        params, events, tick_period = identity.params, plan.events, plan.tick_period
        self.broken_off = False
        self.missed_deadlines = 0
        self.late_events = 0
        self.saturations: Saturations | None = None
        self.plan = plan
        self.ticks = plan.runs * plan.ticks
        self.answers: list[bytes] = []
        self.blocks: list[int] = []
        self.steps: list[int] = []
        self._params = params
        self._depth = params.event_queue_depth
        self._first_tick = first_tick
        self._run_ticks = plan.ticks
        self._event_ticks = np.ascontiguousarray(events[:, 0])
        # Less the tick that its block begins with, each is an item of `EVENTS`: offset and axon.
        self._items = events[:, 1] * _OFFSETS + self._event_ticks if len(events) else events
        self._ends = plan.ends()
        self._between = settings.between(plan, known)
        self._progress = progress
        self._watch = watch
        self._digests = plan.digests
        self._calling_back = calling_back
        self._n_neurons = n_neurons
        self._digest_words = DIGEST_WORDS if plan.digests else 0
        self._last = last_of_tick(plan.digests)
        self._unwatched = _NO_WORDS
        self._watched = 0
        self._most_words = settings.most_words
        self._tick_cycles = max(settings.most_cycles, tick_period)
        self._tick_period = tick_period
        self._longest_wait = max(1, min(ANY_WAIT, int(_REAL_TIME_WAIT * identity.clock_hz)))
        least_wait = min(tick_period, self._longest_wait) or ANY_WAIT
        self._most_empty = _EMPTY_ANSWERS + self._tick_cycles // least_wait
        self._empty = 0
        self._queued = 0
        self._finished = 0
        self._started = 0
        self._done = 0
        self._until = 0
        self._run = -1
        self._received = 0
        self._free_running_fetch = self._fetch_within(ANY_WAIT)
        self._fetches = 0
        self._answered = 0
        self._fetches_before = 0

    def program(self) -> Iterator[Request | None]:
        """Requests of the runs, each decided from the answers so far."""
        while self._done < self.ticks:
            until, events = self._affordable()
            if until > self._started:
                yield from self._queue(events)
                request = Request(Opcode.RUN, arguments(Opcode.RUN, until - self._started))
                # Before it is on its way: a line that fails has not told whether it got through.
                self._started = until
                self.steps.append(until)
                yield request
            elif self._words_asked_for() < self._words_expected():
                yield self._fetch()
                # Nothing else is to be decided as long as so many words are sure to come.
                for _ in range(self._fetches_due()):
                    yield self._fetch()
            elif self._started < self._until or self._until == self.ticks:
                yield None
            elif self._is_over():
                yield from self._next_run()
            elif (ahead := self._ahead()) > self._queued:
                yield from self._queue(ahead)
            else:
                yield None

    def _next_run(self) -> Iterator[Request]:
        """Go on to the next run, the one before being over when the device comes to this."""
        self._run += 1
        if self._run:
            self._finished = max(self._finished, self._ends[self._run - 1])
        self._until += self._run_ticks
        # What was asked for until now brings nothing of this run.
        self._fetches_before = self._fetches
        yield from self._between(self._run)

    def _is_over(self) -> bool:
        """Whether all that was started is over when the device has answered what it was asked."""
        ticks = self._ticks_under_way()
        if self._tick_period:
            return ticks == 0
        # At the end of a run the device answers with fewer words than it was asked for.
        return self._words_asked_for() >= ticks * self._most_words

    def _ticks_under_way(self) -> int:
        """Ticks started of the run that are not known to be over."""
        return self._started - max(self._done, self._until - self._run_ticks)

    def _words_asked_for(self) -> int:
        """Words of the run that were asked for, in as far as the answer has not come."""
        return MAX_FETCH_WORDS * (self._fetches - max(self._answered, self._fetches_before))

    def _affordable(self) -> tuple[int, int]:
        """Tick up to which the run can be started, and the events that can be queued by then."""
        nothing = self._started, self._queued
        if self._started == self._until:
            return nothing
        end = self._ends[self._run]
        if end - self._finished > self._depth:
            finished = min(int(self._event_ticks.searchsorted(self._done)), self._queued)
            self._finished = max(self._finished, finished)
        room = self._finished + self._depth
        if room >= end:
            return self._until, end
        # Small refills would cost a frame each: wait until half of the queue is free.
        if room - self._queued < self._depth // 2 and self._done < self._started:
            return nothing
        until = int(self._event_ticks[room])
        if until <= self._started:
            return nothing
        return until, int(self._event_ticks.searchsorted(until))

    def _ahead(self) -> int:
        """Events that can be queued of the next run, all of it, while this one is under way."""
        if self._tick_period:
            return self._queued
        end = self._ends[self._run + 1]
        return end if end - self._finished <= self._depth else self._queued

    def _queue(self, end: int) -> Iterator[Request]:
        """Requests that queue the events up to number `end`."""
        while self._queued < end:
            first, last = self._queued, end
            base = int(self._event_ticks[first])
            if int(self._event_ticks[end - 1]) - base >= _OFFSETS:
                last = int(self._event_ticks[:end].searchsorted(base + _OFFSETS))
            head = arguments(Opcode.EVENTS, self._first_tick + base)
            items = (self._items[first:last] - base).astype("<u4").tobytes()
            for begin in range(0, len(items), _BLOCK_BYTES):
                block = items[begin : begin + _BLOCK_BYTES]
                self._queued += len(block) // _ITEM_BYTES
                self.blocks.append(self._queued)
                yield Request(Opcode.EVENTS, head + block)

    def _words_expected(self) -> int:
        """Words still to come of the ticks started, as many a tick as there were so far."""
        ticks = self._ticks_under_way()
        if self._done == 0:
            return ticks * (LEAST_WORDS_PER_TICK + self._digest_words)
        return -(-ticks * self._received // self._done)

    def _fetches_due(self) -> int:
        """How often words can be asked for without a look at what came, once all is started."""
        if self._started < self._until or self._tick_period:
            return 0
        least = self._ticks_under_way() * (LEAST_WORDS_PER_TICK + self._digest_words)
        return max(0, least - self._words_asked_for()) // MAX_FETCH_WORDS

    def _fetch(self) -> Request:
        self._fetches += 1
        if self._tick_period == 0:
            return self._free_running_fetch
        # A window of these must leave time to queue what comes after the ticks started.
        wait = (self._started - self._done) * self._tick_period // _WAITS_PER_STEP
        return self._fetch_within(min(self._longest_wait, max(self._tick_period, wait)))

    def _fetch_within(self, wait: int) -> Request:
        """`FETCH` that is answered after so many cycles, if not before."""
        most_ticks = MAX_FETCH_WORDS // (LEAST_WORDS_PER_TICK + self._digest_words) + 1
        return Request(
            Opcode.FETCH,
            arguments(Opcode.FETCH, MAX_FETCH_WORDS, wait),
            result_bytes=WORD_BYTES * MAX_FETCH_WORDS,
            result_item_bytes=WORD_BYTES,
            cycles=min(min(self.ticks, most_ticks) * self._tick_cycles, wait),
            on_result=self._fetched,
        )

    def take(self, result: bytes) -> None:
        """Take the words of an answer."""
        self.answers.append(result)

    def _fetched(self, result: bytes) -> None:
        self.take(result)
        if self.broken_off:
            return
        self._answered += 1
        self._received += len(result) // WORD_BYTES
        self._empty = 0 if result else self._empty + 1
        if self._empty > self._most_empty:
            raise LinkError(
                f"the device reports nothing of the ticks it has yet to run ({self._done} of "
                f"{self.ticks} done): switch it off and on, and connect again"
            )
        done = ticks_over_in(result, self._last)
        if done > self._started - self._done:
            raise LinkError(
                f"the device reports {done} ticks where {self._started - self._done} are to come: "
                "switch it off and on, and connect again"
            )
        self._done += done
        if self._watch is not None:
            self._show(self._watch, result)
        if done and self._progress is not None:
            with self._calling_back():
                self._progress(self._done, self.ticks)

    def _show(self, watch: Watch, result: bytes) -> None:
        """Show what came in: the ticks of one run, or whole runs of several."""
        words = np.concatenate([self._unwatched, np.frombuffer(result, "<u4")])
        last = self._last
        while self._watched < self._done:
            ticks = self._run_ticks if self.plan.many else self._done - self._watched
            if self._watched + ticks > self._done:
                break
            ends = np.searchsorted(np.cumsum(ticks_over(words, last)), ticks)
            part = Run(*self._decoded(words[: ends + 1], ticks))
            words, first = words[ends + 1 :], self._watched
            self._watched += ticks
            with self._calling_back():
                watch(first, part)
        self._unwatched = words

    def _decoded(self, words: Words, ticks: int) -> Decoded:
        return decode_network(words, ticks, self._params, self._digests, self._n_neurons)

    def result(self, accounts: tuple[Account, ...] = ()) -> Run:
        """Decode what came in: of a run that was broken off, up to the last whole tick.

        Raises `LinkError` when the words do not add up to the run.
        """
        others: dict[str, Any] = {
            "missed_deadlines": self.missed_deadlines, "late_events": self.late_events,
            "saturations": self.saturations, "accounts": accounts,
        }  # fmt: skip
        octets, ticks = b"".join(self.answers), self.ticks
        words = np.frombuffer(octets, "<u4")
        if not self.broken_off and not self._digests and are_good(octets, ticks, self._params):
            return Run.undecoded(lambda: self._decoded(words, ticks), **others)
        if self.broken_off:
            words, _ = split_at_last_tick(words, self._last)
            ticks = int(ticks_over(words, self._last).sum())
            if ticks > self._started:
                raise LinkError(
                    f"the device reported {ticks} ticks where {self._started} were asked for: "
                    "switch it off and on, and connect again"
                )
        return Run(*self._decoded(words, ticks), **others)

    def account(self, stopwatch: Stopwatch, line: Line) -> Account:
        """Give what the ledger of the whole is drawn up from."""
        plan = self.plan
        return Account(
            stopwatch, line, self._params, self._n_neurons, plan.tick_period, self.ticks,
            plan.digests, plan.events[:, 0], self.blocks, self.steps, self.answers,
        )  # fmt: skip
