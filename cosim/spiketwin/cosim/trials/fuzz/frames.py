"""Frames as inputs: requests of a host to a device, and answers of a device to a host."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from spiketwin.cosim.model.device import ModelDevice
from spiketwin.cosim.testbenches.requests import framed
from spiketwin.cosim.trials.fuzz.choices import EDGES, Choices, Unsound, mutated
from spiketwin.hdl.spec.params import DEFAULT_CLOCK_HZ, CoreParams, preset
from spiketwin.hdl.spec.protocol import (
    MAX_BODY,
    MAX_FETCH_WORDS,
    REPLY_HEADER,
    REQUESTS,
    Identity,
    Opcode,
    Status,
    counted,
)
from spiketwin.hdl.spec.registers import ADDRESS_COLUMN_BITS, SpaceFormat, space_formats
from spiketwin.host.core import Core
from spiketwin.host.frames import FrameDecoder
from spiketwin.host.link import Link
from spiketwin.host.network import Network
from spiketwin.host.transport import POLL, Transport

PARAMS: Final = replace(preset("tiny"), digest_rounds=3)
"""Sizes of the devices, with all options built, so that every space exists."""

_MOST_REQUESTS: Final = 12
_MOST_READS: Final = 20_000
"""Polls of a port after which the host counts as hanging: a correct one gives up long before."""


def _compiled(params: CoreParams) -> ModelDevice:
    """Return a device whose model is compiled with digests too: the time of an input is limited."""
    device = ModelDevice(params)
    device.core.register["digest_en"] = 1
    device.core.run((), 0)
    device.power_cycle()
    return device


class RequestStreams:
    """Streams of requests to a device, mostly in sequence and with correct checksums.

    Parameters
    ----------
    params:
        Sizes of the device.
    """

    def __init__(self, params: CoreParams = PARAMS) -> None:
        self._device = _compiled(params)
        self._identity = Identity.of(params, DEFAULT_CLOCK_HZ, "model").pack()
        self._formats = list(space_formats(params).values())

    def make(self, choices: Choices) -> bytes:
        """Make a stream of bytes."""
        stream = bytearray(framed(bytes((1, 0, Opcode.OPEN))))
        seq = 0
        for _ in range(1 + choices.below(_MOST_REQUESTS)):
            body = bytearray((1, seq)) + self._request(choices)
            fault = choices.below(24)
            if fault == 1:
                body = bytearray(mutated(bytes(body), choices))
            elif fault == 2:
                body[choices.below(2)] = choices.below(256)
            else:
                seq = (seq + 1) % 256
            frame = framed(bytes(body[:MAX_BODY]))
            stream += mutated(frame, choices) if fault == 3 else frame
        return bytes(stream)

    def feed(self, data: bytes) -> None:
        """Send the stream to a device, which must answer in whole frames, then identify itself."""
        device = self._device
        device.power_cycle()
        device.receive(data)
        answers = FrameDecoder()
        answers.feed(device.drain(device.waiting))
        device.receive(b"\0" + framed(bytes((0, 7, Opcode.IDENTIFY))))
        last = answers.feed(device.drain(device.waiting))
        expected = bytes((7, Opcode.IDENTIFY, Status.OK)) + self._identity
        if answers.bad or not last or last[-1][1:] != expected:
            raise Unsound("the device does not say any more who it is")

    def _request(self, choices: Choices) -> bytes:
        """Return opcode and arguments of a request, each of them legal or an edge case."""
        opcode = choices.of(
            (*Opcode, Opcode.WRITE, Opcode.WRITE, Opcode.EVENTS, Opcode.RUN, Opcode.FETCH)
        )
        if choices.once_in(32):
            opcode = choices.below(256)
        if opcode in (Opcode.READ, Opcode.WRITE) and not choices.once_in(8):
            fmt = choices.of(self._formats)
            row, column = choices.below(fmt.rows), choices.below(fmt.columns)
            count = 1 + choices.below(4)
            start = row << ADDRESS_COLUMN_BITS | column
            head = bytes((opcode, fmt.space)) + start.to_bytes(4, "little")
            if opcode == Opcode.READ:
                return head + count.to_bytes(2, "little")
            told = choices.below(9) if choices.once_in(8) else count
            return head + counted(fmt, told) + _elements(fmt, count, choices)
        body = bytes((opcode,))
        fields = REQUESTS[opcode].arguments if opcode in REQUESTS else ()
        for field in fields:
            value = choices.below(9) if choices.below(4) else choices.edge()
            body += (value % (1 << 8 * field.size)).to_bytes(field.size, "little")
        if opcode == Opcode.EVENTS:
            tick = 0
            for _ in range(choices.below(5)):
                tick += choices.below(2)
                body += tick.to_bytes(2, "little") + choices.below(9).to_bytes(2, "little")
        elif choices.once_in(16):
            body += choices.octets(choices.below(9))
        return body


def _elements(fmt: SpaceFormat, count: int, choices: Choices) -> bytes:
    low, high = fmt.limits()
    size = fmt.byte_length(count)
    if fmt.packed or fmt.record or choices.once_in(4):
        small = choices.of(EDGES).to_bytes(9, "little") + b"\0" * size
        return (small if choices.below(2) else choices.octets(size))[:size]
    each = size // count
    values = (choices.of((low, high, 0, 1, low // 2, high // 2)) for _ in range(count))
    return b"".join((value % (1 << 8 * each)).to_bytes(each, "little") for value in values)


class _Misanswering(Transport):
    """A transport with a correct device, whose answers are changed on the way, and virtual time."""

    has_line = False
    adapter_latency = 0.0

    def __init__(self, device: ModelDevice, choices: Choices) -> None:
        self.timeout: float | None = 0.0
        self.baudrate = 115200
        self._device = device
        self._choices = choices
        self._coming = bytearray()
        self._earlier = [b""]
        self._now = 0.0
        self._step = POLL
        self._reads = 0

    def clock(self) -> float:
        """Return virtual seconds, which pass faster with every poll that finds nothing."""
        return self._now

    @property
    def in_waiting(self) -> int:
        """Number of bytes that can be read."""
        return len(self._coming)

    def read(self, size: int = 1, /) -> bytes:
        """Return some of these bytes."""
        self._reads += 1
        if self._reads > _MOST_READS:
            raise Unsound(f"the host looked {self._reads} times for an answer and did not give up")
        data = bytes(self._coming[:size])
        del self._coming[:size]
        if data:
            self._step = POLL
        else:
            self._now += self._step
            self._step *= 2
        return data

    def write(self, data: bytes, /) -> int:
        """Pass the request to the device, and keep its answers, changed."""
        self._device.receive(data)
        for frame in self._device.drain(self._device.waiting).split(b"\0")[:-1]:
            self._coming += self._passed_on(frame + b"\0")
        return len(data)

    def close(self) -> None:
        """Do nothing: no resources are held."""

    def _passed_on(self, frame: bytes) -> bytes:
        """Return an answer as the host receives it, mostly unchanged."""
        choices = self._choices
        if not choices.left or choices.below(4):
            self._earlier.append(frame)
            return frame
        (body,) = FrameDecoder().feed(frame)
        match choices.below(10):
            case 0:
                return b""
            case 1:
                return frame + frame
            case 2:
                return choices.of(self._earlier)
            case 3:
                return mutated(frame, choices)
            case 4:
                refusal = (
                    bytes((choices.of(list(Status)),)) + choices.edge().to_bytes(9, "little")[:4]
                )
                return framed(body[: REPLY_HEADER - 1] + refusal)
            case 5:
                head = bytearray(body[:REPLY_HEADER])
                head[choices.below(REPLY_HEADER)] = choices.below(256)
                return framed(bytes(head) + body[REPLY_HEADER:])
            case 6:
                return framed(_other_words(body, choices))
            case 7:
                return framed(body[:REPLY_HEADER] + _other_identity(choices))
            case 8:
                return choices.octets(choices.below(64))
            case _:
                return framed(mutated(body, choices)[:MAX_BODY])


def _other_words(body: bytes, choices: Choices) -> bytes:
    """Put other numbers into a result, of the same length or of another."""
    result = bytearray(body[REPLY_HEADER:])
    for _ in range(1 + choices.below(4)):
        word = choices.of((0x80000001, 0x90000001, 0xA0000001, 0xAFFFFFFF, 0xB0000000, 0xC0000000))
        if choices.below(2):
            word = choices.edge() % (1 << 32)
        place = 4 * choices.below(len(result) // 4 + 1)
        result[place : place + 4 * choices.below(2)] = word.to_bytes(4, "little")
    return (body[:REPLY_HEADER] + bytes(result))[: REPLY_HEADER + 4 * MAX_FETCH_WORDS]


def _other_identity(choices: Choices) -> bytes:
    """Make an identity with correct digests, but another clock and any name."""
    build = "".join(chr(choices.below(128)) for _ in range(choices.below(17)))
    identity = Identity.of(PARAMS, choices.edge() % (1 << 32), build)
    if choices.once_in(4):
        identity = replace(identity, params=replace(PARAMS, n_axons=16))
    return identity.pack()


_NET: Final = Network.random(8, 8, seed=1)
_EVENTS: Final = [(0, 0), (1, 3), (1, 4), (6, 2)]


def _watch(first: int, part: object) -> None:
    del first, part


_CALLS: Final[tuple[Callable[[Core], object], ...]] = (
    lambda core: core.read_counters(),
    lambda core: core.read_state(),
    lambda core: core.read_weights(),
    lambda core: core.read_registers(),
    lambda core: core.read_plastic(),
    lambda core: core.run(_EVENTS, 8),
    lambda core: core.run(_EVENTS, 8, watch=_watch, digests=True),
    lambda core: core.run(_EVENTS, 8, tick_period=100),
    lambda core: core.write_state(v=1, pending=1),
    lambda core: core.set_baud(1_000_000),
    lambda core: core.clear(),
    lambda core: core.reset(),
    lambda core: core.program(_NET),
)


class AnswerStreams:
    """Streams of answers to a host that opens a device and does a few things with it."""

    def __init__(self) -> None:
        self._device = _compiled(PARAMS)

    def make(self, choices: Choices) -> bytes:
        """Make the bytes that decide how each answer is changed."""
        return choices.octets(choices.left)

    def feed(self, data: bytes) -> None:
        """Run a host against these answers; it must come to an end."""
        self._device.power_cycle()
        choices = Choices(data)
        calls = [choices.of(_CALLS) for _ in range(1 + choices.below(2))]
        with Core(Link(_Misanswering(self._device, choices), retries=2)) as core:
            for call in calls:
                call(core)
