"""`Device`: what answers at the other end of the link, with any core behind it.

The device is infinitely fast compared with the link, and no time passes between requests: whenever
a request arrives, the ticks of a run are executed as far as the output queue has room for their
words. That holds for a fixed tick period, too, so that no tick is muted because the link is slow.
Between two runs, on the other hand, any request that is not itself part of a run takes longer than
all periods: a run that follows without a new tick period is late from its first tick to its last.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from spiketwin.cosim.device.core import DeviceCore
from spiketwin.cosim.device.elements import (
    check_pending,
    check_registers,
    check_values,
    pack,
    refuse_first,
    unpack,
)
from spiketwin.cosim.device.link import Link, Refused
from spiketwin.hdl.spec.protocol import (
    MAX_ELEMENT_BYTES,
    MAX_FETCH_WORDS,
    MIN_CYCLES_PER_BIT,
    REQUESTS,
    Identity,
    Opcode,
    Request,
    Status,
)
from spiketwin.hdl.spec.registers import (
    ADDRESS_COLUMN_BITS,
    READ_DURING_RUN,
    ClearMask,
    Space,
    SpaceFormat,
    counters,
    registers,
    space_formats,
)

_TOP32: Final = (1 << 32) - 1
_OF_RUNS: Final = (Opcode.EVENTS, Opcode.RUN, Opcode.FETCH)
_NO_EVENT: Final = -1


class Device:
    """A device on the link, in this process: bytes in, bytes out, no thread and no clock.

    Parameters
    ----------
    core:
        What is behind the protocol; as it is after a power cycle.
    clock_hz:
        Clock frequency that the device reports.
    build:
        Name of what it was built from, which it reports as well.
    """

    def __init__(self, core: DeviceCore, clock_hz: int, build: str) -> None:
        self._behind = core
        self._params = core.params
        self._formats = space_formats(self._params)
        self._registers = registers(self._params)
        self._identity = Identity.of(self._params, clock_hz, build).pack()
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
        self._start()

    def power_cycle(self) -> None:
        """Lose everything: memory, state, registers, session, and bytes under way."""
        self._behind.power_cycle()
        self._start()

    def receive(self, data: bytes) -> None:
        """Take bytes from the host."""
        self._link.receive(data)

    def drain(self, max_bytes: int) -> bytes:
        """Hand over at most `max_bytes` of the bytes to the host."""
        data = bytes(self._link.output[:max_bytes])
        del self._link.output[:max_bytes]
        return data

    @property
    def waiting(self) -> int:
        """Bytes to the host that wait to be drained."""
        return len(self._link.output)

    def _start(self) -> None:
        self._link = Link(self._params.link_slots, self._identify, self._execute)
        self._last_event = _NO_EVENT

    @property
    def _running(self) -> bool:
        return self._behind.tick < self._behind.run_until

    @property
    def _free(self) -> int:
        """Events for which there is room."""
        return self._params.event_queue_depth - self._behind.events_queued

    # --- requests -------------------------------------------------------------------------------

    def _identify(self, arguments: bytes) -> bytes:
        _check_length(REQUESTS[Opcode.IDENTIFY], arguments)
        return self._identity

    def _execute(self, number: int, arguments: bytes) -> bytes:
        # How far a run comes depends on what is asked, not on when: requests that do not tell of it
        # advance only as far as they have to, which is soon done.
        if number not in _OF_RUNS:
            self._behind.advance()
            if not self._running:
                self._behind.fall_behind()
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
        self._behind.reset()
        self._last_event = _NO_EVENT
        return b""

    def _clear(self, mask: int) -> bytes:
        self._refuse_while_running()
        if mask & ~sum(ClearMask):
            raise Refused(Status.BAD_VALUE, 0)
        self._behind.clear(ClearMask(mask))
        return b""

    def _read(self, space: int, start: int, count: int) -> bytes:
        elements = self._space(space)
        if elements.space not in READ_DURING_RUN:
            self._refuse_while_running()
        index = _index(elements, start, count)
        if elements.space is Space.COUNTER:
            values = np.array(self._counters(), np.int64)[index : index + count]
        else:
            values = self._behind.read(elements.space, index, count)
        return pack(elements, values)

    def _write(self, space: int, start: int, count: int, data: bytes) -> bytes:
        elements = self._space(space)
        if not elements.writable:
            raise Refused(Status.READ_ONLY, space)
        self._refuse_while_running()
        index = _index(elements, start, count)
        if len(data) != elements.byte_length(count):
            raise Refused(Status.BAD_LENGTH, REQUESTS[Opcode.WRITE].argument_bytes + len(data))
        values = unpack(elements, count, data)
        if elements.space is Space.REGISTER:
            values = check_registers(self._params, self._registers[index : index + count], values)
        elif elements.space is Space.PENDING:
            check_pending(self._behind, index, values)
        else:
            check_values(elements, values)
        self._behind.write(elements.space, index, values)
        return b""

    def _events(self, tick: int, data: bytes) -> bytes:
        items = np.frombuffer(data, "<u2").reshape(-1, 2).astype(np.int64)
        ticks, axons = tick + items[:, 0], items[:, 1]
        if self._behind.real_time or len(items) > self._free:
            self._behind.advance()
        if len(items) > self._free:
            raise Refused(Status.QUEUE_FULL, self._free)
        keys = ticks << 16 | axons
        refuse_first(
            (Status.BAD_VALUE, (axons >= self._params.n_axons) | (ticks > _TOP32)),
            (Status.BAD_ORDER, np.diff(keys, prepend=self._last_event) <= 0),
            (Status.LATE, ticks < (0 if self._behind.real_time else self._behind.run_until)),
        )
        if len(items):
            self._last_event = int(keys[-1])
            self._behind.queue(ticks, axons)
        return b""

    def _run(self, ticks: int) -> bytes:
        until = self._behind.run_until + ticks
        if ticks == 0 or until > _TOP32:
            raise Refused(Status.BAD_VALUE, 0)
        self._behind.run_to(until)
        return b""

    def _fetch(self, words: int, wait_cycles: int) -> bytes:
        del wait_cycles  # never to be waited for: there are enough words or the run is over
        if not 1 <= words <= MAX_FETCH_WORDS:
            raise Refused(Status.BAD_VALUE, 0)
        return self._behind.take(words)

    def _stop(self) -> bytes:
        self._behind.stop()
        self._last_event = _NO_EVENT
        return self._behind.tick.to_bytes(4, "little")

    def _set_baud(self, cycles_per_bit: int) -> bytes:
        if cycles_per_bit < MIN_CYCLES_PER_BIT:
            raise Refused(Status.BAD_VALUE, 0)
        return b""

    def _refuse_while_running(self) -> None:
        if self._running:
            raise Refused(Status.BUSY, self._behind.tick)

    def _space(self, number: int) -> SpaceFormat:
        try:
            return self._formats[Space(number)]
        except (ValueError, KeyError):
            raise Refused(Status.BAD_SPACE, number) from None

    def _counters(self) -> list[int]:
        values = self._behind.counters()
        cycles = values.pop("cycles")
        values |= {
            "cycles_low": cycles & _TOP32,
            "cycles_high": cycles >> 32,
            "frame_errors": self._link.frame_errors,
            "rx_overflows": 0,
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
