"""`ModelDevice`: what answers at the other end of the link, with the model for a core.

The device is infinitely fast compared with the link, and no time passes between requests: whenever
a request arrives, the ticks of a run are executed as far as the output queue has room for their
words. That holds for a fixed tick period, too, so that no tick is muted because the link is slow;
`ModelDevice.pass_ticks` is there to let that happen. Between two runs, on the other hand, any
request that is not itself part of a run takes longer than all periods: a run that follows without
a new tick period is late from its first tick to its last.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from spiketwin.cosim.compilation import told
from spiketwin.cosim.model.core import ModelCore, Run
from spiketwin.cosim.model.link import Link, Refused
from spiketwin.cosim.model.memory import Memory, pack, refuse_first, unpack
from spiketwin.cosim.model.words import Words, count_word, words_of
from spiketwin.hdl.spec.params import DEFAULT_CLOCK_HZ, CoreParams
from spiketwin.hdl.spec.protocol import (
    MAX_ELEMENT_BYTES,
    MAX_FETCH_WORDS,
    MIN_CYCLES_PER_BIT,
    REQUESTS,
    WORD_BYTES,
    Identity,
    Opcode,
    Request,
    Status,
    Word,
)
from spiketwin.hdl.spec.registers import (
    ADDRESS_COLUMN_BITS,
    READ_DURING_RUN,
    ClearMask,
    Space,
    SpaceFormat,
    counters,
    space_formats,
)

_TOP32: Final = (1 << 32) - 1
_OF_RUNS: Final = (Opcode.EVENTS, Opcode.RUN, Opcode.FETCH)
_OVERDUE: Final = 1 << 62
"""Cycles behind which no run catches up."""


class ModelDevice:
    """A device on the link, in this process: bytes in, bytes out, no thread and no clock.

    Parameters
    ----------
    params:
        Sizes of its core.
    clock_hz:
        Clock frequency that it reports.
    """

    _event_tick: npt.NDArray[np.int64]
    _event_axon: npt.NDArray[np.int32]

    def __init__(self, params: CoreParams, clock_hz: int = DEFAULT_CLOCK_HZ) -> None:
        self._params = params
        self._formats = space_formats(params)
        self._identity = Identity.of(params, clock_hz, "model").pack()
        self._requests: dict[Opcode, Callable[..., bytes]] = {
            Opcode.RESET: self._reset,
            Opcode.CLEAR: self._clear,
            Opcode.READ: self._read,
            Opcode.WRITE: self._write,
            Opcode.EVENTS: self._events,
            Opcode.RUN: self._run,
            Opcode.FETCH: self._fetch,
            Opcode.STOP: self._stop,
            Opcode.SET_BAUD: self._set_baud,
        }
        self.power_cycle()
        with told("the model"):
            self._compile()

    def power_cycle(self) -> None:
        """Lose everything: memory, state, registers, session, and bytes under way."""
        self._core = ModelCore(self._params)
        self._memory = Memory(self._core)
        self._link = Link(self._params.link_slots, self._identify, self._execute)
        self._begin()

    def receive(self, data: bytes) -> None:
        """Take bytes from the host."""
        self._link.receive(data)

    def drain(self, max_bytes: int) -> bytes:
        """Hand over at most `max_bytes` of the bytes to the host."""
        data = bytes(self._link.output[:max_bytes])
        del self._link.output[:max_bytes]
        return data

    @property
    def core(self) -> ModelCore:
        """The model behind the link."""
        return self._core

    @property
    def waiting(self) -> int:
        """Bytes to the host that wait to be drained."""
        return len(self._link.output)

    def pass_ticks(self, ticks: int) -> None:
        """Let the time of up to `ticks` ticks of a run at a fixed tick period pass.

        Ticks for whose words the output queue has no room are muted.
        """
        end = min(self._core.tick + ticks, self._run_until)
        self._advance(end)
        while self._real_time and self._core.tick < end:
            run = self._run_core(end, room=self._params.spike_queue_depth)
            self._muted += run.cycles.size
            self._muted_ticks += run.cycles.size

    # --- the run --------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Everything but the core and the link as after a reset."""
        self._drop_events()
        self._words = bytearray()
        self._run_until = 0
        self._lag = 0
        self._on_grid = False
        self._muted = 0
        self._cycles = 0
        self._missed_deadlines = 0
        self._late_events = 0
        self._muted_ticks = 0

    @property
    def _real_time(self) -> bool:
        return self._core.register["tick_period"] > 0

    @property
    def _running(self) -> bool:
        return self._core.tick < self._run_until

    def _advance(self, end: int) -> None:
        """Execute the ticks before `end`, as far as the output queue has room."""
        depth, most_words = self._params.spike_queue_depth, self._params.max_words_per_tick
        while (room := depth - len(self._words) // WORD_BYTES) >= most_words:
            if self._muted and (self._core.tick < end or not self._running):
                # Among the words of the next tick, or on its own when the run is over.
                self._put(count_word(Word.MUTED, [self._muted]))
                self._muted = 0
                self._execute_ticks(min(end, self._core.tick + 1), room)
            elif self._core.tick < end:
                self._execute_ticks(end, room)
            else:
                break
        self._drop_late_events()

    def _execute_ticks(self, end: int, room: int) -> None:
        first = self._core.tick
        self._put(words_of(self._params, first, self._run_core(end, room)))

    def _compile(self) -> None:
        """Have what executes ticks compiled now, not in the first run, which may be timed."""
        self._core.run((), 0)

    def _run_core(self, end: int, room: int) -> Run:
        self._drop_late_events()
        run, taken = self._core.advance(
            self._event_tick, self._event_axon, end - self._core.tick, room
        )
        self._event_tick, self._event_axon = self._event_tick[taken:], self._event_axon[taken:]
        self._cycles += int(run.cycles.sum())
        if self._real_time:
            period = self._core.register["tick_period"]
            self._on_grid |= run.cycles.size > 0
            for cycles in run.cycles.tolist():
                self._missed_deadlines += self._lag > 0
                self._lag = max(0, self._lag + cycles - period)
        return run

    def _put(self, words: Words) -> None:
        self._words += words.astype("<u4").tobytes()

    def _drop_events(self) -> None:
        """Empty the event queue; the next event follows none."""
        self._event_tick = np.empty(0, np.int64)
        self._event_axon = np.empty(0, np.int32)
        self._last_event = -1

    def _drop_late_events(self) -> None:
        late = int(np.searchsorted(self._event_tick, self._core.tick))
        self._late_events += late
        self._event_tick, self._event_axon = self._event_tick[late:], self._event_axon[late:]

    # --- requests -------------------------------------------------------------------------------

    def _identify(self, arguments: bytes) -> bytes:
        _check_length(REQUESTS[Opcode.IDENTIFY], arguments)
        return self._identity

    def _execute(self, number: int, arguments: bytes) -> bytes:
        if number != Opcode.FETCH:
            self._advance(self._run_until)
        if number not in _OF_RUNS and self._on_grid and not self._running:
            self._lag = _OVERDUE
        try:
            opcode = Opcode(number)
        except ValueError:
            raise Refused(Status.BAD_OPCODE, number) from None
        request = REQUESTS[opcode]
        _check_length(request, arguments)
        values, place = [], 0
        for field in request.arguments:
            values.append(int.from_bytes(arguments[place : place + field.size], "little"))
            place += field.size
        tail = [arguments[place:]] if request.tail else []
        return self._requests[opcode](*values, *tail)

    def _reset(self) -> bytes:
        self._core.reset()
        self._begin()
        return b""

    def _clear(self, mask: int) -> bytes:
        self._refuse_while_running()
        if mask & ~sum(ClearMask):
            raise Refused(Status.BAD_VALUE, 0)
        self._core.clear(ClearMask(mask))
        return b""

    def _read(self, space: int, start: int, count: int) -> bytes:
        elements = self._space(space)
        if elements.space not in READ_DURING_RUN:
            self._refuse_while_running()
        index = _index(elements, start, count)
        if elements.space is Space.COUNTER:
            values = np.array(self._counters(), np.int64)[index : index + count]
        else:
            values = self._memory.read(elements.space, index, count)
        return pack(elements, values)

    def _write(self, space: int, start: int, count: int, data: bytes) -> bytes:
        elements = self._space(space)
        if not elements.writable:
            raise Refused(Status.READ_ONLY, space)
        self._refuse_while_running()
        index = _index(elements, start, count)
        if len(data) != elements.byte_length(count):
            raise Refused(Status.BAD_LENGTH, REQUESTS[Opcode.WRITE].argument_bytes + len(data))
        self._memory.write(elements.space, index, unpack(elements, count, data))
        tick_period = list(self._core.register).index("tick_period")
        if elements.space is Space.REGISTER and index <= tick_period < index + count:
            self._lag, self._on_grid = 0, False
        return b""

    def _events(self, tick: int, data: bytes) -> bytes:
        items = np.frombuffer(data, "<u2").reshape(-1, 2)
        ticks = tick + items[:, 0].astype(np.int64)
        axons = items[:, 1].astype(np.int32)
        free = self._params.event_queue_depth - self._event_tick.size
        if len(items) > free:
            raise Refused(Status.QUEUE_FULL, free)
        keys = ticks << 16 | axons
        refuse_first(
            (Status.BAD_VALUE, (axons >= self._params.n_axons) | (ticks > _TOP32)),
            (Status.BAD_ORDER, np.diff(keys, prepend=self._last_event) <= 0),
            (Status.LATE, ticks < (0 if self._real_time else self._run_until)),
        )
        if len(items):
            self._last_event = int(keys[-1])
        self._event_tick = np.concatenate([self._event_tick, ticks])
        self._event_axon = np.concatenate([self._event_axon, axons])
        self._drop_late_events()
        return b""

    def _run(self, ticks: int) -> bytes:
        if ticks == 0 or self._run_until + ticks > _TOP32:
            raise Refused(Status.BAD_VALUE, 0)
        if self._core.register.get("digest_en"):
            with told("the model with digests"):
                self._compile()
        self._run_until += ticks
        return b""

    def _fetch(self, words: int, wait_cycles: int) -> bytes:
        del wait_cycles  # never to be waited for: there are enough words or the run is over
        if not 1 <= words <= MAX_FETCH_WORDS:
            raise Refused(Status.BAD_VALUE, 0)
        size = words * WORD_BYTES
        if len(self._words) < size:
            # Only now, for speed: how far a run comes depends on what is taken, not on when.
            self._advance(self._run_until)
        taken = bytes(self._words[:size])
        del self._words[:size]
        return taken

    def _stop(self) -> bytes:
        self._run_until = self._core.tick
        self._drop_events()
        return self._core.tick.to_bytes(4, "little")

    def _set_baud(self, cycles_per_bit: int) -> bytes:
        if cycles_per_bit < MIN_CYCLES_PER_BIT:
            raise Refused(Status.BAD_VALUE, 0)
        return b""

    def _refuse_while_running(self) -> None:
        if self._running:
            raise Refused(Status.BUSY, self._core.tick)

    def _space(self, number: int) -> SpaceFormat:
        try:
            return self._formats[Space(number)]
        except (ValueError, KeyError):
            raise Refused(Status.BAD_SPACE, number) from None

    def _counters(self) -> list[int]:
        values = {
            "tick": self._core.tick,
            "run_until": self._run_until,
            "cycles_low": self._cycles & _TOP32,
            "cycles_high": self._cycles >> 32,
            "missed_deadlines": self._missed_deadlines,
            "late_events": self._late_events,
            "muted_ticks": self._muted_ticks,
            "pending_groups": len(self._memory.pending_entries()),
            "events_queued": self._event_tick.size,
            "words_queued": len(self._words) // WORD_BYTES,
            "frame_errors": self._link.frame_errors,
            "rx_overflows": 0,
            **self._core.saturations,
        }
        return [min(values[c.name], (1 << c.width) - 1) for c in counters(self._params)]


def _check_length(request: Request, arguments: bytes) -> None:
    """Refuse arguments of a length that no request has; the tail of `WRITE` is checked with it."""
    tail = len(arguments) - request.argument_bytes
    whole = tail % request.tail_size == 0 if request.tail_size else tail == 0 or request.tail
    if tail < 0 or not whole:
        raise Refused(Status.BAD_LENGTH, len(arguments))


def _index(elements: SpaceFormat, start: int, count: int) -> int:
    """Place of the element with address `start`; refuses a block that is not there or too long."""
    row, column = divmod(start, 1 << ADDRESS_COLUMN_BITS)
    index = row * elements.columns + column
    if (
        count == 0
        or elements.byte_length(count) > MAX_ELEMENT_BYTES
        or column >= elements.columns
        or index + count > elements.size
    ):
        raise Refused(Status.BAD_RANGE, start)
    return index
