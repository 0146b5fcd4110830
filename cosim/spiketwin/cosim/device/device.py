"""`SoftwareDevice`: the device at the other end of the link, with any core behind it.

The device is infinitely fast compared with the link, and no time passes between requests: whenever
a request arrives, the ticks of a run are executed as far as the output queue has room for their
words. That holds for a fixed tick period as well, so that no tick is muted because the link is
slow. Between two runs, however, any request that is not itself part of a run is taken to last
longer than any period: unless the tick period is written anew, all ticks of the next run are late.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from spiketwin.cosim.device.core import EVENT_TICK_PLACE, DeviceCore, Elements
from spiketwin.cosim.device.elements import (
    RecordRanges,
    check_pending,
    check_values,
    pack,
    refuse_first,
    unpack,
)
from spiketwin.cosim.device.session import Refusal, Session
from spiketwin.hdl.spec.protocol import (
    COUNT_BYTES,
    MAX_ELEMENT_BYTES,
    MAX_FETCH_WORDS,
    MAX_SET_TICK,
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
    limits,
    space_formats,
)

_TOP32: Final = (1 << 32) - 1
_OF_RUNS: Final = frozenset(map(int, (Opcode.EVENTS, Opcode.BIASES, Opcode.RUN, Opcode.FETCH)))
_NO_EVENT: Final = -1
_BIAS_ITEM: Final = np.dtype([("offset", "<u2"), ("neuron", "<u2"), ("bias", "<i4")])
_CLEARABLE: Final = sum(ClearMask)


class SoftwareDevice:
    """A device on the link, in this process: bytes in, bytes out, no thread and no clock.

    Parameters
    ----------
    core:
        The core behind the protocol, in its state after a power cycle.
    clock_hz:
        Clock frequency that the device reports.
    build:
        Name of the build, which the device reports as well.
    """

    def __init__(self, core: DeviceCore, clock_hz: int, build: str) -> None:
        self._core = core
        self._params = core.params
        self._formats = space_formats(self._params)
        self._ranges = {
            space: RecordRanges(found) for space, found in self._formats.items() if found.record
        }
        self._identity = Identity.of(self._params, clock_hz, build).pack()
        requests: dict[Opcode, Callable[..., bytes]] = {
            Opcode.RESET: self._reset,
            Opcode.CLEAR: self._clear,
            Opcode.READ: self._read,
            Opcode.WRITE: self._write,
            Opcode.EVENTS: self._events,
            Opcode.RUN: self._run,
            Opcode.FETCH: self._fetch,
            Opcode.STOP: self._stop,
            Opcode.SET_BAUD: self._set_baud,
            Opcode.SET_TICK: self._set_tick,
            **({Opcode.BIASES: self._biases} if self._params.bias_events else {}),
        }
        self._requests = {
            int(opcode): (_ArgumentLayout(REQUESTS[opcode]), execute)
            for opcode, execute in requests.items()
        }
        self._start()

    def power_cycle(self) -> None:
        """Turn the power off and on: memory, state, registers, session and bytes are lost."""
        self._core.power_cycle()
        self._start()

    def receive(self, data: bytes) -> None:
        """Take bytes from the host."""
        self._session.receive(data)

    def drain(self, max_bytes: int) -> bytes:
        """Return at most `max_bytes` of the bytes to the host, and remove them."""
        data = bytes(self._session.output[:max_bytes])
        del self._session.output[:max_bytes]
        return data

    @property
    def waiting(self) -> int:
        """Bytes to the host that wait to be drained."""
        return len(self._session.output)

    def _start(self) -> None:
        self._session = Session(self._params.link_slots, self._identify, self._execute)
        self._forget_events()

    def _forget_events(self) -> None:
        """Let the next event be of any tick and axon, as the first one is."""
        self._last_event, self._first_bias_tick = _NO_EVENT, 0

    @property
    def _running(self) -> bool:
        return self._core.tick < self._core.run_until

    # --- requests -------------------------------------------------------------------------------

    def _identify(self, arguments: bytes) -> bytes:
        _ArgumentLayout(REQUESTS[Opcode.IDENTIFY]).values(arguments)
        return self._identity

    def _execute(self, number: int, arguments: bytes) -> bytes:
        # How far a run comes depends on which requests arrive, not on when. A request whose answer
        # does not show the progress of the run advances it no further than it needs to.
        if number not in _OF_RUNS:
            self._core.advance()
            if not self._running:
                self._core.fall_behind()
        found = self._requests.get(number)
        if found is None:
            raise Refusal(Status.BAD_OPCODE, number)
        form, execute = found
        return execute(*form.values(arguments))

    def _reset(self) -> bytes:
        self._core.reset()
        self._forget_events()
        return b""

    def _clear(self, mask: int) -> bytes:
        self._refuse_while_running()
        if mask & ~_CLEARABLE:
            raise Refusal(Status.BAD_VALUE, 0)
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
            values = self._core.read(elements.space, index, count)
        return pack(elements, values)

    def _write(self, space: int, start: int, data: bytes) -> bytes:
        elements = self._space(space)
        if not elements.writable:
            raise Refusal(Status.READ_ONLY, space)
        self._refuse_while_running()
        count = _number(elements, data)
        index = _index(elements, start, count)
        values = unpack(elements, count, _bytes(elements, count, data))
        if elements.record:
            values = self._ranges[elements.space].checked(index, values)
        elif elements.space is Space.PENDING:
            check_pending(self._core, index, values)
        else:
            check_values(elements, values)
        self._core.write(elements.space, index, values)
        return b""

    def _events(self, tick: int, data: bytes) -> bytes:
        items = np.frombuffer(data, "<u4")
        begin = self._begin_events(len(items))
        if len(items):
            # An item has the tick's offset below the axon; a key has the axon below the tick.
            keys = (items << 16 | items >> 16).astype(np.int64) + (tick << EVENT_TICK_PLACE)
            self._check_events(items, keys, begin)
            self._last_event = int(keys[-1])
            self._first_bias_tick = (self._last_event >> EVENT_TICK_PLACE) + 1
            self._core.queue(keys)
        return b""

    def _biases(self, tick: int, data: bytes) -> bytes:
        items, p = np.frombuffer(data, _BIAS_ITEM), self._params
        begin = self._begin_events(len(items))
        if len(items):
            neuron, bias = items["neuron"].astype(np.int64), items["bias"].astype(np.int64)
            ticks = tick + items["offset"].astype(np.int64)
            low, high = limits(p.v_width, signed=True)
            refuse_first(
                (
                    Status.BAD_VALUE,
                    (neuron >= p.n_neurons) | (bias < low) | (bias > high) | (ticks > _TOP32),
                ),
                (Status.BAD_ORDER, np.diff(ticks, prepend=self._first_bias_tick) < 0),
                (Status.LATE, ticks < begin),
            )
            self._first_bias_tick = int(ticks[-1])
            self._last_event = self._first_bias_tick << EVENT_TICK_PLACE
            self._core.queue_biases(np.stack([ticks, neuron, bias], axis=1))
        return b""

    def _begin_events(self, count: int) -> int:
        """Refuse more events than there is room for; return the first tick that may have some."""
        core, depth = self._core, self._params.event_queue_depth
        if core.real_time or count > depth - core.events_queued:
            core.advance()
        if count > depth - core.events_queued:
            raise Refusal(Status.QUEUE_FULL, depth - core.events_queued)
        return 0 if core.real_time else core.run_until

    def _check_events(self, items: npt.NDArray[np.uint32], keys: Elements, begin: int) -> None:
        """Refuse events that are malformed, or of ticks before `begin`."""
        first, last = int(keys[0]), int(keys[-1])
        # The usual case is quick: if the events ascend, checking the two ends is enough.
        if (
            first >= self._last_event
            and not np.count_nonzero(keys[1:] < keys[:-1])
            and begin <= first >> EVENT_TICK_PLACE
            and last >> EVENT_TICK_PLACE <= _TOP32
            and not np.count_nonzero(items >= self._params.n_axons << 16)
        ):
            return
        ticks = keys >> EVENT_TICK_PLACE
        refuse_first(
            (Status.BAD_VALUE, (items >> 16 >= self._params.n_axons) | (ticks > _TOP32)),
            (Status.BAD_ORDER, np.diff(keys, prepend=self._last_event) < 0),
            (Status.LATE, ticks < begin),
        )

    def _run(self, ticks: int) -> bytes:
        until = self._core.run_until + ticks
        if ticks == 0 or until > _TOP32:
            raise Refusal(Status.BAD_VALUE, 0)
        self._core.run_to(until)
        return b""

    def _fetch(self, words: int, wait_cycles: int) -> bytes:
        del wait_cycles  # no need to wait: either there are enough words or the run is over
        if not 1 <= words <= MAX_FETCH_WORDS:
            raise Refusal(Status.BAD_VALUE, 0)
        return self._core.take(words)

    def _stop(self) -> bytes:
        self._core.stop()
        self._forget_events()
        return self._core.tick.to_bytes(4, "little")

    def _set_baud(self, cycles_per_bit: int) -> bytes:
        if cycles_per_bit < MIN_CYCLES_PER_BIT:
            raise Refusal(Status.BAD_VALUE, 0)
        return b""

    def _set_tick(self, tick: int) -> bytes:
        self._refuse_while_running()
        if tick > MAX_SET_TICK:
            raise Refusal(Status.BAD_VALUE, 0)
        self._core.stop()
        self._forget_events()
        self._core.set_tick(tick)
        return b""

    def _refuse_while_running(self) -> None:
        if self._running:
            raise Refusal(Status.BUSY, self._core.tick)

    def _space(self, number: int) -> SpaceFormat:
        try:
            return self._formats[Space(number)]
        except (ValueError, KeyError):
            raise Refusal(Status.BAD_SPACE, number) from None

    def _counters(self) -> list[int]:
        values = self._core.counters()
        cycles = values.pop("cycles")
        values |= {
            "cycles_low": cycles & _TOP32,
            "cycles_high": cycles >> 32,
            "frame_errors": self._session.frame_errors,
            "rx_overflows": 0,
        }
        return [min(values[c.name], (1 << c.width) - 1) for c in counters(self._params)]


class _ArgumentLayout:
    """The layout of the arguments of a request."""

    def __init__(self, request: Request) -> None:
        self._fixed = request.layout
        self._tail = bool(request.tail)
        self._item = request.tail_size or 1

    def values(self, arguments: bytes) -> tuple[Any, ...]:
        """Return the fixed arguments, and the tail if there can be one.

        Arguments of a length that no such request has are refused. The items in the tail of
        `WRITE` are not checked here, as their size depends on the space.
        """
        fixed = self._fixed.size
        tail = len(arguments) - fixed
        if tail < 0 or (tail % self._item if self._tail else tail):
            raise Refusal(Status.BAD_LENGTH, len(arguments))
        if self._tail:
            return (*self._fixed.unpack_from(arguments), arguments[fixed:])
        return self._fixed.unpack(arguments)


def _number(elements: SpaceFormat, data: bytes) -> int:
    """Return the number of elements in a `WRITE`; refuse bytes that say none."""
    if elements.packed:
        if len(data) < COUNT_BYTES:
            raise _bad_length(data)
        return int.from_bytes(data[:COUNT_BYTES], "little")
    count, left = divmod(len(data), elements.element_bytes)
    if left:
        raise _bad_length(data)
    return count


def _bytes(elements: SpaceFormat, count: int, data: bytes) -> bytes:
    """Return the bytes of so many elements in a `WRITE`; refuse fewer and more."""
    octets = data[COUNT_BYTES:] if elements.packed else data
    if len(octets) != elements.byte_length(count):
        raise _bad_length(data)
    return octets


def _bad_length(data: bytes) -> Refusal:
    """Return the refusal of a `WRITE` for these bytes behind its arguments."""
    return Refusal(Status.BAD_LENGTH, REQUESTS[Opcode.WRITE].argument_bytes + len(data))


def _index(elements: SpaceFormat, start: int, count: int) -> int:
    """Return the index of the element at `start`; refuse a block that is absent or too long."""
    row, column = divmod(start, 1 << ADDRESS_COLUMN_BITS)
    index = row * elements.columns + column
    if (
        count == 0
        or elements.byte_length(count) > MAX_ELEMENT_BYTES
        or column >= elements.columns
        or index + count > elements.size
    ):
        raise Refusal(Status.BAD_RANGE, start)
    return index
