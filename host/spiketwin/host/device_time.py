"""How long a run takes on hardware: computed from its bytes and cycles, to the clock cycle.

Without losses the bytes of a run, and the order in which requests and answers follow each other,
depend on the program alone (`link`), and the device reports the cycles of every tick. So its time
on hardware of any clock and any rate of the line follows from what passed, whatever target it was
that answered, on whatever computer, and whatever else that did meanwhile:

- The host begins a request when it has the answers that it waits for in lockstep.
- Each direction of the line carries one byte after the other, 10 bits each.
- The gateware of the link works on one request at a time, for so many cycles as its instructions
  take (the numbers below, which the tests hold to the RTL).
- A tick begins when the one before is over, its `RUN` has come, and the output queue has room; at a
  fixed tick period, when it is due.
- `FETCH` answers when its words are there, or the run is over.

All times are whole clock cycles, from the moment at which the host hands over the first request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np

from spiketwin.hdl.spec.protocol import (
    BITS_PER_BYTE,
    MAX_CYCLES_PER_BIT,
    MAX_FETCH_WORDS,
    MIN_CYCLES_PER_BIT,
    SPIKE_CYCLE_BITS,
    WORD_BYTES,
    Opcode,
    Word,
)
from spiketwin.hdl.spec.text import shown
from spiketwin.host.account import Account
from spiketwin.host.elements import IntArray
from spiketwin.host.errors import InvalidInput
from spiketwin.host.summaries import CycleLatencySummary, DeviceTimeSummary
from spiketwin.host.words import count, of_kind, report_spikes

RATE_TOLERANCE: Final = 0.02
"""How far the rate that a clock makes may be from the one asked for."""

LONGEST_ROUND_TRIP: Final = 10.0
"""Seconds; no adapter and no operating system takes longer."""

PARTS: Final = ("adapter", "wire_out", "queue", "core", "wire_back")
"""What the latency of a spike is made of, named as in the ledger."""

# --- cycles of the link's gateware ---------------------------------------------------------------

_WORK: Final = {Opcode.RUN: 295, Opcode.READ: 514, Opcode.WRITE: 670, Opcode.STOP: 331}
"""Cycles from a whole frame to the first byte of its answer, where nothing else counts."""

_OTHER_WORK: Final = 335
_READ_WORK: Final = 83
"""Further cycles for each counter read."""

_EVENTS_WORK: Final = 495
_EVENT_WORK: Final = 168
"""Further cycles for each event."""

_SAME_TICK_WORK: Final = 80
"""The same, of one in the tick of the event before it in the request."""

_FETCH_FIRST_LOOK: Final = 196
_LOOK: Final = 51
"""Cycles until `FETCH` looks whether its words are there, and between two looks."""

_FETCH_ANSWER: Final = 91
_WORD_WORK: Final = 21
"""From the look that finds them to the answer's first byte, and what each word adds."""

_BUILD: Final = 64
"""Of all these, what is done in the slot of the answer, which must be free: not of `FETCH`."""

_FETCH_BUILD: Final = 56
_RUN_AHEAD: Final = 73
"""Cycles before its answer's first byte at which `RUN` has started the ticks."""

_RELEASE: Final = 20
"""Cycles from an answer that is complete until the next frame is looked at."""

_SLOT_BYTE_CYCLES: Final = 2
"""A byte of an answer where there is no line that it waits for."""


def cycles_per_bit(clock_hz: int, baud: int) -> int:
    """Clock cycles that a bit takes on a device of this clock at the rate nearest to `baud`.

    Raises `InvalidInput` where the rate is off by more than 2 %.
    """
    if isinstance(baud, bool) or not isinstance(baud, int | np.integer):
        raise InvalidInput(f"baud must be an integer, not {shown(baud)}")
    cycles = round(clock_hz / int(baud)) if baud > 0 else 0
    if not MIN_CYCLES_PER_BIT <= cycles <= MAX_CYCLES_PER_BIT:
        low, high = clock_hz // MAX_CYCLES_PER_BIT + 1, clock_hz // MIN_CYCLES_PER_BIT
        raise InvalidInput(
            f"baud must be in {low}…{high} at a clock of {clock_hz} Hz, not {shown(baud)}"
        )
    if abs(clock_hz / cycles - baud) > baud * RATE_TOLERANCE:
        slower, faster = clock_hz // (cycles + 1), clock_hz // max(cycles - 1, MIN_CYCLES_PER_BIT)
        raise InvalidInput(
            f"a clock of {clock_hz} Hz cannot make {baud} baud: the nearest is "
            f"{round(clock_hz / cycles)}, its neighbours {slower} and {faster}"
        )
    return cycles


@dataclass(frozen=True, eq=False)
class DeviceTime:
    """The time of a run on hardware.

    Attributes
    ----------
    clock_hz:
        Clock of the hardware, in which cycles are counted.
    baud:
        Rate that its line makes of this clock, in bits per second; None without a line.
    cycles:
        From the first request handed over to the last answer with the host, of all calls.
    busy:
        Cycles of them in which ``wire_out``, ``wire_back``, ``link`` (its gateware) and ``core``
        are busy; they work at the same time.
    bytes_out, bytes_in:
        Bytes of all requests, and of all answers.
    ticks:
        Ticks executed.
    spikes:
        By part (`PARTS`), shape (m,): cycles that each spike spent in it, from the request with
        the events of its tick handed over until its answer is with the host. ``queue`` is whatever
        else it waits for: other frames, other ticks, the gateware of the link.
    """

    clock_hz: int
    baud: int | None
    cycles: int
    busy: dict[str, int]
    bytes_out: int
    bytes_in: int
    ticks: int
    spikes: dict[str, IntArray]

    @classmethod
    def of(
        cls,
        accounts: Sequence[Account],
        clock_hz: int,
        bit_cycles: int,
        round_trip: float = 0.0,
    ) -> Self:
        """Compute the time of a run that is made of any number of calls.

        Parameters
        ----------
        accounts:
            Of the calls.
        clock_hz:
            Clock of the hardware.
        bit_cycles:
            Clock cycles that a bit takes on its line; 0 without one.
        round_trip:
            Seconds that host and adapter add to every answer.
        """
        played = [_Played(each, bit_cycles, round(round_trip * clock_hz)) for each in accounts]
        names = ("wire_out", "wire_back", "link", "core")
        return cls(
            clock_hz=clock_hz,
            baud=round(clock_hz / bit_cycles) if bit_cycles else None,
            cycles=sum(each.cycles for each in played),
            busy={name: sum(each.busy[name] for each in played) for name in names},
            bytes_out=sum(int(each.requests["bytes_out"].sum()) for each in accounts),
            bytes_in=sum(int(each.requests["bytes_in"].sum()) for each in accounts),
            ticks=sum(len(each.cycles) for each in accounts),
            spikes={
                name: np.concatenate([np.empty(0, np.int64), *(e.spikes[name] for e in played)])
                for name in PARTS
            },
        )

    @property
    def seconds(self) -> float:
        """Seconds of the run."""
        return self.cycles / self.clock_hz

    @property
    def latency(self) -> IntArray:
        """Shape (m,): cycles from spike in to spike out of each spike."""
        latency: IntArray = np.sum(list(self.spikes.values()), axis=0)
        return latency

    @property
    def wire_seconds(self) -> float:
        """Seconds in which bytes are on the line, both directions added up."""
        return (self.busy["wire_out"] + self.busy["wire_back"]) / self.clock_hz

    @property
    def limited_by(self) -> str:
        """What is busy for longest: ``wire_out``, ``wire_back``, ``link`` or ``core``."""
        return max(self.busy, key=lambda name: self.busy[name])

    def summary(self) -> DeviceTimeSummary:
        """Sum the time up, as commands write it."""
        return DeviceTimeSummary(
            clock_hz=self.clock_hz,
            baud=self.baud,
            cycles=self.cycles,
            seconds=self.seconds,
            bytes_out=self.bytes_out,
            bytes_in=self.bytes_in,
            busy_cycles=self.busy,
            spike_latency=self._latency_summary(),
        )

    def as_json(self) -> dict[str, Any]:
        """Return the summary as JSON has it."""
        return self.summary().as_json()

    def _latency_summary(self) -> CycleLatencySummary | None:
        latency = self.latency
        if latency.size == 0:
            return None
        return CycleLatencySummary(
            least_cycles=int(latency.min()),
            median_cycles=float(np.median(latency)),
            most_cycles=int(latency.max()),
            median_seconds=float(np.median(latency)) / self.clock_hz,
            mean_cycles=float(latency.mean()),
            mean_parts={name: float(each.mean()) for name, each in self.spikes.items()},
        )


# --- one call ------------------------------------------------------------------------------------


class _Ticks:
    """The ticks of a call as the core executes them, each as early as it can begin.

    Parameters
    ----------
    account:
        Of the call.
    """

    def __init__(self, account: Account) -> None:
        tick = account.tick_of_word
        self._cycles: list[int] = account.cycles.tolist()
        self._period = account.tick_period
        self._first_words: list[int] = np.searchsorted(tick, np.arange(len(self._cycles))).tolist()
        self._offsets: list[int] = _offsets(account).tolist()
        self._tick_of_word: list[int] = tick.tolist()
        self._most_queued = account.params.spike_queue_depth - account.params.max_words_per_tick
        self._begins: list[int] = []
        self._free = 0
        self._started: list[tuple[int, int]] = []
        self._step = 0
        self.popped: list[int] = []
        """When each word was taken from the queue."""

    def start(self, until: int, time: int) -> None:
        """Have the ticks before `until` started at a time."""
        self._started.append((until, time))

    def over(self) -> int:
        """When all ticks that were started are over."""
        self._execute(self._started[-1][0] if self._started else 0)
        return self._free

    def there(self, word: int) -> int:
        """When a word is in the queue."""
        tick = self._tick_of_word[word]
        self._execute(tick + 1)
        return self._begins[tick] + self._offsets[word]

    def _execute(self, until: int) -> None:
        begins, cycles, period = self._begins, self._cycles, self._period
        for tick in range(len(begins), until):
            while self._started[self._step][0] <= tick:
                self._step += 1
            begin = max(self._free, self._started[self._step][1])
            if period:
                begin = max(begin, (begins[0] if begins else begin) + tick * period)
            else:
                must_be_gone = self._first_words[tick] - self._most_queued
                if 0 < must_be_gone <= len(self.popped):
                    begin = max(begin, self.popped[must_be_gone - 1])
            begins.append(begin)
            self._free = begin + cycles[tick]


def _offsets(account: Account) -> IntArray:
    """Cycle of its tick at which each word is in the queue."""
    words, tick = account.words, account.tick_of_word
    offsets = np.zeros(len(words), np.int64)
    update_cycles = np.zeros(len(account.cycles), np.int64)
    update, end = of_kind(words, Word.UPDATE), of_kind(words, Word.END)
    update_cycles[tick[update]] = count(words[update])
    offsets[update] = count(words[update])
    offsets[end] = count(words[end])
    spikes = report_spikes(words)
    offsets[spikes] = update_cycles[tick[spikes]] + (words[spikes] & ((1 << SPIKE_CYCLE_BITS) - 1))
    digest = of_kind(words, Word.DIGEST_LOW) | of_kind(words, Word.DIGEST_HIGH)
    offsets[digest] = account.cycles[tick[digest]]
    return offsets


class _Played:
    """One call, played through request by request.

    Parameters
    ----------
    account:
        Of the call.
    bit_cycles, round_trip:
        Cycles of a bit on the line, 0 without one, and of host and adapter for each answer.

    Attributes
    ----------
    cycles, busy, spikes:
        As of `DeviceTime`.
    """

    def __init__(self, account: Account, bit_cycles: int, round_trip: int) -> None:
        self._account = account
        self._byte_cycles = BITS_PER_BYTE * bit_cycles
        self._round_trip = round_trip
        self._ticks = _Ticks(account)
        self._link_cycles = 0
        self._handed: list[int] = []
        self._got: list[int] = []
        self._play()
        requests = account.requests
        self.cycles = self._got[-1] if self._got else 0
        self.busy = {
            "wire_out": int(requests["bytes_out"].sum()) * self._byte_cycles,
            "wire_back": int(requests["bytes_in"].sum()) * self._byte_cycles,
            "link": self._link_cycles,
            "core": int(account.cycles.sum()),
        }
        self.spikes = self._spikes()

    def _play(self) -> None:
        requests, byte_cycles = self._account.requests, self._byte_cycles
        opcodes: list[int] = requests["opcode"].tolist()
        bytes_out: list[int] = requests["bytes_out"].tolist()
        bytes_in: list[int] = requests["bytes_in"].tolist()
        taken: list[int] = requests["taken"].tolist()
        works = self._works()
        steps, answers = iter(self._account.steps.tolist()), self._account.answers.tolist()
        first_fetch = int(self._account.fetch_rows[0]) if answers else len(opcodes)
        fetched, words = 0, 0
        handed = out_free = back_free = released = leaving = 0
        for row, opcode in enumerate(opcodes):
            handed = max(handed, self._got[taken[row] - 1] if taken[row] else 0)
            self._handed.append(handed)
            begin = max(handed, out_free)
            out_free = begin + bytes_out[row] * byte_cycles
            # What waits in the buffer is decoded a byte a cycle.
            whole = max(out_free, max(begin, released) + bytes_out[row])
            build = _BUILD
            if opcode == Opcode.FETCH and row >= first_fetch:
                number = answers[fetched]
                fetched += 1
                look = whole + _FETCH_FIRST_LOOK
                late = max(0, self._ready(words, number) - look)
                look += -(-late // _LOOK) * _LOOK
                ready = look + _FETCH_ANSWER - _FETCH_BUILD
                build = _FETCH_BUILD + number * _WORD_WORK
                first = max(ready, leaving)
                self._ticks.popped += [first + build - k * _WORD_WORK for k in range(number)][::-1]
                words += number
                self._link_cycles -= look - whole - _FETCH_FIRST_LOOK  # it waits for the core
            else:
                ready = whole + works[row] - build
                first = max(ready, leaving)
            if opcode == Opcode.RUN:
                self._ticks.start(next(steps), ready + _BUILD - _RUN_AHEAD)
            framed = first + build
            self._link_cycles += ready - whole + build
            released = framed + _RELEASE
            leaving = max(framed, back_free)
            back_free = leaving + bytes_in[row] * (byte_cycles or _SLOT_BYTE_CYCLES)
            self._got.append(back_free + self._round_trip)

    def _ready(self, words: int, number: int) -> int:
        """When an answer of so many words, behind those before, can be given."""
        if number < MAX_FETCH_WORDS and not self._account.tick_period:
            return self._ticks.over()
        return self._ticks.there(words + number - 1) if number else 0

    def _works(self) -> list[int]:
        """Cycles of the link's gateware on each request, what depends on the core aside."""
        account = self._account
        opcodes = account.requests["opcode"]
        works = np.full(len(opcodes), _OTHER_WORK, np.int64)
        for opcode, cycles in _WORK.items():
            works[opcodes == opcode] = cycles
        reads = opcodes == Opcode.READ
        results = account.requests["bytes_in"][reads] - _EMPTY_ANSWER
        works[reads] += results // WORD_BYTES * _READ_WORK
        for row, begin, end in zip(
            account.event_rows, np.append(0, account.blocks), account.blocks, strict=False
        ):
            ticks = account.event_ticks[begin:end]
            same = int(np.count_nonzero(np.diff(ticks) == 0))
            works[row] = _EVENTS_WORK + _EVENT_WORK * (len(ticks) - same) + _SAME_TICK_WORK * same
        listed: list[int] = works.tolist()
        return listed

    def _spikes(self) -> dict[str, IntArray]:
        account, requests = self._account, self._account.requests
        word = account.word_of_spike
        came = account.entrances[account.tick_of_word[word]]
        left = account.fetch_rows[account.fetch_of_word[word]]
        handed, got = np.array(self._handed, np.int64), np.array(self._got, np.int64)
        parts = {
            "adapter": np.full(len(word), self._round_trip, np.int64),
            "wire_out": requests["bytes_out"][came] * self._byte_cycles,
            "core": account.spike_cycles,
            "wire_back": requests["bytes_in"][left] * self._byte_cycles,
        }
        parts["queue"] = got[left] - handed[came] - sum(parts.values())
        return {name: parts[name] for name in PARTS}


_EMPTY_ANSWER: Final = 8
"""Bytes of the frame of an answer without a result."""
