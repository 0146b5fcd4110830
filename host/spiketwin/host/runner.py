"""Runs as a program of requests, which queue events, start ticks and fetch their output words.

Events use credit-based flow control: the host knows the depth of the event queue and counts the
events that ticks have consumed, and never sends more than fit. The events of a tick are queued
before the `RUN` that starts it, so a run proceeds in steps: a step has as many ticks as the queue
holds events for, and the next step is queued while the device works on the current one. So no event
comes late, even at a fixed tick period: if the host falls behind, the device waits at the end of a
step, and counts the deadlines that it misses.

Several consecutive runs are one program as well. The requests between two runs (registers, a clear)
need a core at rest, so they are sent only when the run before is certain to be over by the time
they are executed: its last word has come in, or more words were asked for than it can have. The
events of the next run are queued while the current one is under way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final

import numpy as np

from spiketwin.hdl.spec import schedule
from spiketwin.hdl.spec.params import DIGEST_WORDS, LEAST_WORDS_PER_TICK
from spiketwin.hdl.spec.protocol import MAX_FETCH_WORDS, WORD_BYTES, Identity, Opcode, Word
from spiketwin.host.account import Account
from spiketwin.host.decoding import Decoded, are_good, decode_network
from spiketwin.host.elements import IntArray
from spiketwin.host.errors import LinkError
from spiketwin.host.event_queue import EventQueue
from spiketwin.host.exchange import Request, arguments
from spiketwin.host.plan import Plan, Settings, Watch
from spiketwin.host.progress import Steps
from spiketwin.host.spikes import Run, Saturations
from spiketwin.host.timeline import Line, Stopwatch
from spiketwin.host.words import (
    Words,
    last_of_tick,
    of_kind,
    split_at_last_tick,
    ticks_over,
    ticks_over_in,
)

ANY_WAIT: Final = (1 << 32) - 1
"""Wait of a `FETCH` without a time limit, so that its answer does not depend on timing."""

_NO_WORDS: Final[Words] = np.empty(0, np.uint32)
_REAL_TIME_WAIT: Final = 0.05
"""Most seconds that a `FETCH` may wait, and delay later requests, at a fixed tick period. There
answers depend on timing anyway, and events, or a new host after a crash, must not wait long."""

_WAITS_PER_STEP: Final = 16
"""Waits of a `FETCH` in a step, at a fixed tick period: more than two windows of requests, so that
half a step is left when those of one window are over."""

WORDS_AT_ONCE: Final = 1 << 16
"""Words that are fetched at once, where that can be done: milliseconds of the model."""

_MANY_WORDS: Final = 1 << 12
"""Words from which on that pays: for fewer, requests are under way while earlier ones execute."""

_EMPTY_ANSWERS: Final = 16
"""Most empty answers in a row, beyond those that waiting explains, of a device that works. A whole
window of requests may be answered empty at the end of a run."""


class Runner:
    """The program of requests of one run, or of several consecutive ones.

    Parameters
    ----------
    identity:
        Identity of the device.
    first_tick:
        Number of the device's next tick.
    plan:
        The plan of the runs.
    settings:
        Settings of the core.
    known:
        Registers whose values are known: name to value.
    progress:
        Called with (ticks done, all ticks) after every answer that ends a tick.
    watch:
        Called before `progress` with the number of the first tick that has ended since the last
        call, and with the output of these ticks; with whole runs, one by one, if the plan says so.
    numbers:
        Number in the network of each neuron of the core; spikes of those with -1 are left out.
    calling_back:
        Function that returns the context in which `progress` and `watch` are called.
    fetch:
        Function that fetches many output words at once (`Transport.fetch`), if there is one.

    Attributes
    ----------
    broken_off:
        Whether the program has ended early: later words are kept, but `progress` and `watch` are
        not called.
    missed_deadlines, late_events, saturations:
        Values of these attributes in the result.
    plan:
        The plan of the runs.
    ticks:
        Number of ticks of all runs.
    answers:
        Output words so far, as the bytes of each answer.
    blocks:
        Events queued up to and including each request that queues some.
    steps:
        Ticks started up to and including each `RUN`.
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
        numbers: IntArray,
        calling_back: Callable[[], AbstractContextManager[None]],
        fetch: Callable[[int], bytes] | None,
    ) -> None:
        params, tick_period = identity.params, plan.tick_period
        self.broken_off = False
        self.missed_deadlines = self.late_events = 0
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
        self._events = EventQueue(plan.events, plan.biases)
        self._event_ticks = self._events.ticks
        self._ends = plan.ends()
        self._between = settings.between(plan, known)
        self._progress = progress
        self._watch = watch
        self._digests = plan.digests
        self._calling_back = calling_back
        self._numbers = numbers
        self._least_words = LEAST_WORDS_PER_TICK + (DIGEST_WORDS if plan.digests else 0)
        self._probes = plan.probes
        self._last = last_of_tick(plan.digests)
        self._unwatched = _NO_WORDS
        self._watched = 0
        self._most_words = settings.most_words + (plan.probes.words if plan.probes else 0)
        longest = schedule.most_cycles(params, self._events.most_extra())
        self._tick_cycles = max(longest, tick_period)
        self._tick_period = tick_period
        self._longest_wait = max(1, min(ANY_WAIT, int(_REAL_TIME_WAIT * identity.clock_hz)))
        least_wait = min(tick_period, self._longest_wait) or ANY_WAIT
        self._most_empty = _EMPTY_ANSWERS + self._tick_cycles // least_wait
        self._empty = 0
        self._queued = 0
        self._finished = 0
        self._started = 0
        self._done = 0
        self._until = self._received = 0
        self._run = -1
        self._free_running_fetch = self._fetch_within(ANY_WAIT)
        self._fetches = 0
        self._answered = 0
        self._fetches_before = 0
        self._at_once = None if tick_period else fetch
        self._runs_answered = 0

    def program(self) -> Iterator[Request | None]:
        """Yield the requests of the runs, each decided from the answers so far."""
        while self._done < self.ticks:
            until, events = self._within_credit()
            if until > self._started:
                yield from self._queue(events)
                request = self._start(until - self._started)
                # Recorded before it is sent: a line that fails does not say whether it arrived.
                self._started = until
                self.steps.append(until)
                yield request
            elif self._at_once is not None and self._words_expected() >= _MANY_WORDS:
                # What does not pass the link must not overtake what does.
                if self._runs_answered == len(self.steps) and self._fetches == self._answered:
                    self._fetches += 1
                    self._fetched(self._at_once(WORDS_AT_ONCE))
                yield None
            elif self._words_asked_for() < self._words_expected():
                yield self._fetch()
                # At least this many words will come, so these fetches need no further decision.
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

    def _start(self, ticks: int) -> Request:
        """Return the request that starts so many ticks."""

        def answered(_: bytes) -> None:
            self._runs_answered += 1

        return Request(Opcode.RUN, arguments(Opcode.RUN, ticks), on_result=answered)

    def _next_run(self) -> Iterator[Request]:
        """Yield the requests before the next run; the run before is over when they are executed."""
        self._run += 1
        if self._run:
            self._finished = max(self._finished, self._ends[self._run - 1])
        self._until += self._run_ticks
        # Earlier fetches bring no words of this run.
        self._fetches_before = self._fetches
        yield from self._between(self._run)

    def _is_over(self) -> bool:
        """Return whether all started ticks are over once all requests so far are answered."""
        ticks = self._ticks_under_way()
        if self._tick_period:
            return ticks == 0
        # At the end of a run the device answers with fewer words than it was asked for.
        return self._words_asked_for() >= ticks * self._most_words

    def _ticks_under_way(self) -> int:
        """Return the number of started ticks of the current run that are not known to be over."""
        return self._started - max(self._done, self._until - self._run_ticks)

    def _words_asked_for(self) -> int:
        """Return the most words that the outstanding fetches of the current run can bring."""
        return MAX_FETCH_WORDS * (self._fetches - max(self._answered, self._fetches_before))

    def _within_credit(self) -> tuple[int, int]:
        """Return the tick up to which the run can be started, and the events to queue before."""
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
        """Return the events to queue if all of the next run fit now; else those queued already."""
        if self._tick_period:
            return self._queued
        end = self._ends[self._run + 1]
        return end if end - self._finished <= self._depth else self._queued

    def _queue(self, end: int) -> Iterator[Request]:
        """Yield the requests that queue the events up to number `end`."""
        for queued, request in self._events.requests(self._queued, end, self._first_tick):
            self._queued = queued
            self.blocks.append(queued)
            yield request

    def _words_expected(self) -> int:
        """Return the expected words of the started ticks, by the mean of the ticks so far."""
        ticks = self._ticks_under_way()
        if self._done == 0:
            return self._least(ticks)
        return -(-ticks * self._received // self._done)

    def _fetches_due(self) -> int:
        """Return how many fetches can be sent without a decision, once all ticks are started."""
        if self._started < self._until or self._tick_period:
            return 0
        least = self._least(self._ticks_under_way())
        return max(0, least - self._words_asked_for()) // MAX_FETCH_WORDS

    def _least(self, ticks: int) -> int:
        """Return the least words of so many ticks, none of which is muted."""
        reports = self._probes.words * (ticks // self._probes.period) if self._probes else 0
        return ticks * self._least_words + reports

    def _fetch(self) -> Request:
        self._fetches += 1
        if self._tick_period == 0:
            return self._free_running_fetch
        # A window of these must leave time to queue the events after the started ticks.
        wait = (self._started - self._done) * self._tick_period // _WAITS_PER_STEP
        return self._fetch_within(min(self._longest_wait, max(self._tick_period, wait)))

    def _fetch_within(self, wait: int) -> Request:
        """Return the `FETCH` that the device answers after at most `wait` cycles."""
        most_ticks = MAX_FETCH_WORDS // self._least_words + 1
        return Request(
            Opcode.FETCH,
            arguments(Opcode.FETCH, MAX_FETCH_WORDS, wait),
            result_bytes=WORD_BYTES * MAX_FETCH_WORDS,
            result_item_bytes=WORD_BYTES,
            cycles=min(min(self.ticks, most_ticks) * self._tick_cycles, wait),
            on_result=self._fetched,
        )

    def take(self, result: bytes) -> None:
        """Keep the words of an answer."""
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
        """Call `watch` with the ticks that ended, or with whole runs if the plan says so."""
        words = np.concatenate([self._unwatched, np.frombuffer(result, "<u4")])
        last = self._last
        while self._watched < self._done:
            ticks = self._run_ticks if self.plan.many else self._done - self._watched
            if self._watched + ticks > self._done:
                break
            ends = np.searchsorted(np.cumsum(ticks_over(words, last)), ticks)
            part = Run(*self._decoded(words[: ends + 1], ticks, self._watched))
            words, first = words[ends + 1 :], self._watched
            self._watched += ticks
            with self._calling_back():
                watch(first, part)
        self._unwatched = words

    def _decoded(self, words: Words, ticks: int, first: int) -> Decoded:
        others = words[~of_kind(words, Word.PROBE)] if self._probes else words
        decoded = decode_network(others, ticks, self._params, self._digests, self._numbers)
        if self._probes is None:
            return decoded
        probes, rows = self._probes.decoded(words, decoded.muted, first)
        return decoded._replace(probes=probes, probe_ticks=rows)

    def result(self, accounts: tuple[Account, ...] = ()) -> Run:
        """Return the result; of a run that was broken off, up to the last whole tick.

        Raises `LinkError` if the words do not add up to the run.
        """
        others: dict[str, Any] = {
            "missed_deadlines": self.missed_deadlines, "late_events": self.late_events,
            "saturations": self.saturations, "accounts": accounts,
        }  # fmt: skip
        octets, ticks = b"".join(self.answers), self.ticks
        words = np.frombuffer(octets, "<u4")
        is_plain = not (self.broken_off or self._digests or self._probes)
        if is_plain and are_good(octets, ticks, self._params):
            return Run.undecoded(lambda: self._decoded(words, ticks, 0), **others)
        if self.broken_off:
            words, _ = split_at_last_tick(words, self._last)
            ticks = int(ticks_over(words, self._last).sum())
            if ticks > self._started:
                raise LinkError(
                    f"the device reported {ticks} ticks where {self._started} were asked for: "
                    "switch it off and on, and connect again"
                )
        return Run(*self._decoded(words, ticks, 0), **others)

    def account(self, stopwatch: Stopwatch, line: Line) -> Account:
        """Return the account of the call, from which its ledger is computed."""
        plan = self.plan
        return Account(
            stopwatch, line, self._params, self._numbers, plan.tick_period, self.ticks,
            plan.digests, self._event_ticks, self.blocks, self.steps, self.answers,
        )  # fmt: skip
