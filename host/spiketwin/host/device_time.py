"""The time that a run takes on hardware, computed from its bytes and cycles, to the clock cycle.

Without losses the bytes of a run, and the order of its requests and answers, depend on the program
alone (`link`), and the device reports the cycles of every tick. So the time of the run on hardware,
at any clock and any rate of the line, can be computed from the requests and answers, whichever
target gave them and however fast the computer was:

- The host begins a request when it has the answers for which the sliding window makes it wait.
- Each direction of the line carries one byte after the other, 10 bits each.
- The gateware of the link works on one request at a time, for as many cycles as its instructions
  take (the constants below, which tests compare with the RTL).
- A tick begins when the one before is over, its `RUN` has come, and the output queue has room; at a
  fixed tick period, when it is due.
- The device answers `FETCH` when the words asked for are there, or the run is over.

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
"""Largest relative difference between the rate that a clock makes and the one asked for."""

LONGEST_ROUND_TRIP: Final = 10.0
"""Seconds; no adapter and no operating system takes longer."""

PARTS: Final = ("adapter", "wire_out", "queue", "core", "wire_back")
"""Parts of the latency of a spike, named as in the ledger."""

# --- cycles of the link's gateware ---------------------------------------------------------------

_WORK: Final = {Opcode.RUN: 268, Opcode.READ: 541, Opcode.WRITE: 670, Opcode.STOP: 296}
"""Cycles from the last byte of a request to the first byte of its answer, by opcode."""

_OTHER_WORK: Final = 302
"""The same, for the opcodes without numbers of their own."""

_READ_WORK: Final = 83
"""Further cycles of `READ` for each counter read."""

_EVENTS_WORK: Final = 425
_EVENT_WORK: Final = 157
"""Further cycles of `EVENTS` for each event."""

_SAME_TICK_WORK: Final = 72
"""Further cycles for an event in the same tick as the one before it in the request."""

_BIASES_WORK: Final = 477
_BIAS_WORK: Final = 190
_SAME_TICK_BIAS_WORK: Final = 200
"""The same three for `BIASES`."""

_FETCH_FIRST_LOOK: Final = 178
_LOOK: Final = 51
"""Cycles until `FETCH` first checks whether its words are there, and between two checks."""

_FETCH_ANSWER: Final = 84
_WORD_WORK: Final = 21
"""Cycles from the check that finds the words to the first byte of the answer, and for each word."""

_PROBED_WORD_WORK: Final = 4
"""Cycles for each word in a core with probes."""

_BUILD: Final = 61
"""Cycles among these that write the answer into its slot, which must be free; not for `FETCH`."""

_FETCH_BUILD: Final = 49
"""The same, for `FETCH`, without its words."""

_RUN_AHEAD: Final = 70
"""Cycles by which `RUN` starts the ticks before the first byte of its answer."""

_RELEASE: Final = 13
"""Cycles from a complete answer until the gateware decodes the next frame."""

_SLOT_BYTE_CYCLES: Final = 2
"""Cycles that a byte of an answer takes without a line."""


def cycles_per_bit(clock_hz: int, baud: int) -> int:
    """Return the clock cycles of a bit at the rate nearest to `baud` that a clock can make.

    Raises `InvalidInput` if that rate is off by more than 2 %.
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
        Clock of the hardware in Hz.
    baud:
        Bits per second of the line, as this clock makes them; None without a line.
    cycles:
        Clock cycles from handing over the first request until the host has the last answer, summed
        over all calls.
    busy:
        Cycles in which ``wire_out``, ``wire_back``, ``link`` (its gateware) and ``core`` are busy;
        they overlap.
    bytes_out, bytes_in:
        Bytes of all requests, and of all answers.
    ticks:
        Ticks executed.
    spikes:
        By part (`PARTS`), shape (m,): cycles that each spike spent in it, from handing over the
        request with the events of its tick until the host has the answer with the spike. ``queue``
        is all other waiting: for other frames, other ticks, the gateware of the link.
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
        """Compute the time of a run that consists of any number of calls.

        Parameters
        ----------
        accounts:
            The accounts of the calls, in order.
        clock_hz:
            Clock of the hardware in Hz.
        bit_cycles:
            Clock cycles that a bit takes on the line; 0 without a line.
        round_trip:
            Seconds that host and adapter add to every answer.
        """
        replays = [_Replay(each, bit_cycles, round(round_trip * clock_hz)) for each in accounts]
        names = ("wire_out", "wire_back", "link", "core")
        return cls(
            clock_hz=clock_hz,
            baud=round(clock_hz / bit_cycles) if bit_cycles else None,
            cycles=sum(each.cycles for each in replays),
            busy={name: sum(each.busy[name] for each in replays) for name in names},
            bytes_out=sum(int(each.requests["bytes_out"].sum()) for each in accounts),
            bytes_in=sum(int(each.requests["bytes_in"].sum()) for each in accounts),
            ticks=sum(len(each.cycles) for each in accounts),
            spikes={
                name: np.concatenate([np.empty(0, np.int64), *(e.spikes[name] for e in replays)])
                for name in PARTS
            },
        )

    @property
    def seconds(self) -> float:
        """Seconds that the run takes."""
        return self.cycles / self.clock_hz

    @property
    def latency(self) -> IntArray:
        """Shape (m,): cycles from spike in to spike out, for each spike."""
        latency: IntArray = np.sum(list(self.spikes.values()), axis=0)
        return latency

    @property
    def wire_seconds(self) -> float:
        """Seconds in which bytes are on the line, summed over both directions."""
        return (self.busy["wire_out"] + self.busy["wire_back"]) / self.clock_hz

    @property
    def limited_by(self) -> str:
        """The part that is busy for longest: ``wire_out``, ``wire_back``, ``link`` or ``core``."""
        return max(self.busy, key=lambda name: self.busy[name])

    def summary(self) -> DeviceTimeSummary:
        """Return the summary that commands write."""
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
        """Return the summary as values that JSON can hold."""
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

    Times are clock cycles since the first request of the call was handed over.

    Parameters
    ----------
    account:
        The account of the call.
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
        """Times at which the words were taken from the queue."""

    def start(self, until: int, time: int) -> None:
        """Let the ticks before `until` start from `time` on."""
        self._started.append((until, time))

    def over(self) -> int:
        """Return the time at which all started ticks are over."""
        self._execute(self._started[-1][0] if self._started else 0)
        return self._free

    def there(self, word: int) -> int:
        """Return the time at which the word with this number is in the queue."""
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
    """Return the cycle within its tick at which each word is in the queue, shape (words,)."""
    words, tick = account.words, account.tick_of_word
    offsets = np.zeros(len(words), np.int64)
    update_cycles = np.zeros(len(account.cycles), np.int64)
    update, end = of_kind(words, Word.UPDATE), of_kind(words, Word.END)
    update_cycles[tick[update]] = count(words[update])
    offsets[update] = count(words[update])
    offsets[end] = count(words[end])
    spikes = report_spikes(words)
    offsets[spikes] = update_cycles[tick[spikes]] + (words[spikes] & ((1 << SPIKE_CYCLE_BITS) - 1))
    # Probes are reported in the last cycles of a tick, one word after the other.
    for kind in (Word.PROBE, Word.DIGEST_LOW, Word.DIGEST_HIGH):
        found = of_kind(words, kind)
        offsets[found] = account.cycles[tick[found]]
    return offsets


class _Replay:
    """A replay of one call on hardware, request by request.

    Parameters
    ----------
    account:
        The account of the call.
    bit_cycles:
        Cycles of a bit on the line; 0 without a line.
    round_trip:
        Cycles that host and adapter add to each answer.

    Attributes
    ----------
    cycles, busy, spikes:
        As in `DeviceTime`.
    """

    def __init__(self, account: Account, bit_cycles: int, round_trip: int) -> None:
        self._account = account
        self._byte_cycles = BITS_PER_BYTE * bit_cycles
        self._word_work = _PROBED_WORD_WORK if account.params.probe_ranges else _WORD_WORK
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
            # Bytes that have waited in the buffer are decoded at one byte a cycle.
            whole = max(out_free, max(begin, released) + bytes_out[row])
            build = _BUILD
            if opcode == Opcode.FETCH and row >= first_fetch:
                number = answers[fetched]
                fetched += 1
                look = whole + _FETCH_FIRST_LOOK
                late = max(0, self._ready(words, number) - look)
                look += -(-late // _LOOK) * _LOOK
                ready = look + _FETCH_ANSWER - _FETCH_BUILD
                build = _FETCH_BUILD + number * self._word_work
                first = max(ready, leaving)
                self._ticks.popped += range(
                    first + build - (number - 1) * self._word_work,
                    first + build + 1,
                    self._word_work,
                )
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
        """Return the time at which `number` words, after the first `words`, can be sent."""
        if number < MAX_FETCH_WORDS and not self._account.tick_period:
            return self._ticks.over()
        return self._ticks.there(words + number - 1) if number else 0

    def _works(self) -> list[int]:
        """Return the cycles of the link's gateware for each request, without waits for the core."""
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
            whole, first, again = _EVENTS_WORK, _EVENT_WORK, _SAME_TICK_WORK
            if opcodes[row] == Opcode.BIASES:
                whole, first, again = _BIASES_WORK, _BIAS_WORK, _SAME_TICK_BIAS_WORK
            works[row] = whole + first * (len(ticks) - same) + again * same
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
"""Bytes of the frame of an answer that has no result."""
