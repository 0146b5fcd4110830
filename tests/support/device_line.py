"""A line to the device of a model, on which a test sends each request by hand."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from spiketwin.cosim.model.device import ModelDevice
from spiketwin.hdl.spec.params import CoreParams, preset
from spiketwin.hdl.spec.protocol import (
    MAX_FETCH_WORDS,
    Opcode,
    Status,
    Word,
    counted,
)
from spiketwin.hdl.spec.registers import (
    COUNTERS,
    Space,
    registers,
    space_formats,
)
from spiketwin.host.frames import FrameDecoder, encode

TINY = preset("tiny")
MAX_U32 = (1 << 32) - 1


class Reply(NamedTuple):
    session: int
    seq: int
    opcode: int
    status: Status
    result: bytes

    @property
    def detail(self) -> int:
        assert len(self.result) == 4
        return int.from_bytes(self.result, "little")


class Line:
    """A line to a device; it sends exactly the requests that a test asks for, and never resends."""

    def __init__(self, params: CoreParams = TINY) -> None:
        self.params = params
        self.device = ModelDevice(params)
        self.session = 0
        self.seq = 0
        assert self.open(1).status is Status.OK

    def replies(self) -> list[Reply]:
        bodies = FrameDecoder().feed(self.device.drain(1 << 20))
        return [Reply(b[0], b[1], b[2], Status(b[3]), b[4:]) for b in bodies]

    def send(self, session: int, seq: int, opcode: int, arguments: bytes = b"") -> Reply:
        self.device.receive(encode(bytes((session, seq, opcode)) + arguments))
        (reply,) = self.replies()
        assert (reply.seq, reply.opcode) == (seq, opcode)
        return reply

    def open(self, session: int) -> Reply:
        reply = self.send(session, 0, Opcode.OPEN)
        if reply.status is Status.OK:
            self.session, self.seq = session, 0
        return reply

    def ask(self, opcode: int, arguments: bytes = b"") -> Reply:
        reply = self.send(self.session, self.seq, opcode, arguments)
        assert reply.session == self.session
        self.seq = (self.seq + 1) % 256
        return reply

    def ok(self, opcode: int, arguments: bytes = b"") -> bytes:
        reply = self.ask(opcode, arguments)
        assert reply.status is Status.OK, reply
        return reply.result

    def refused(self, opcode: int, arguments: bytes = b"") -> tuple[Status, int]:
        before = self.counters() if opcode not in (Opcode.EVENTS, Opcode.BIASES) else {}
        reply = self.ask(opcode, arguments)
        assert reply.status is not Status.OK
        if before:
            assert self.counters() == before
        return reply.status, reply.detail

    def counters(self) -> dict[str, int]:
        data = self.ok(Opcode.READ, block(Space.COUNTER, 0, len(COUNTERS)))
        values = struct.unpack(f"<{len(COUNTERS)}I", data)
        return dict(zip((c.name for c in COUNTERS), values, strict=True))

    def write(self, space: Space, start: int, values: Iterable[int]) -> None:
        listed = list(values)
        form = space_formats(self.params)[space]
        head = place(space, start) + counted(form, len(listed))
        self.ok(Opcode.WRITE, head + elements(space, listed))

    def read(self, space: Space, start: int, count: int) -> list[int]:
        data = self.ok(Opcode.READ, block(space, start, count))
        form = space_formats(self.params)[space]
        kind = "i" if form.signed else "u"
        return [int(v) for v in np.frombuffer(data, f"<{kind}{form.element_bytes}")]

    def set(self, name: str, value: int) -> None:
        names = [r.name for r in registers(self.params)]
        self.write(Space.REGISTER, names.index(name), [value])

    def fetch(self, words: int = MAX_FETCH_WORDS) -> list[int]:
        data = self.ok(Opcode.FETCH, struct.pack("<BI", words, 0))
        return list(struct.unpack(f"<{len(data) // 4}I", data))

    def fetch_all(self) -> list[int]:
        """Return the words of all fetches up to one that is not full: the run is then over."""
        words: list[int] = []
        while len(more := self.fetch()) == MAX_FETCH_WORDS:
            words += more
        return words + more


def place(space: int, start: int) -> bytes:
    return struct.pack("<BI", space, start)


def block(space: int, start: int, count: int) -> bytes:
    return place(space, start) + struct.pack("<H", count)


def elements(space: Space, values: list[int]) -> bytes:
    form = space_formats(TINY)[space]
    if form.packed:
        return np.packbits(np.array(values, np.uint8), bitorder="little").tobytes()
    return b"".join((v & MAX_U32).to_bytes(4, "little")[: form.element_bytes] for v in values)


def events(tick: int, *pairs: tuple[int, int]) -> bytes:
    return struct.pack("<I", tick) + b"".join(struct.pack("<HH", *pair) for pair in pairs)


def biases(tick: int, *rows: tuple[int, int, int]) -> bytes:
    return struct.pack("<I", tick) + b"".join(struct.pack("<HHi", *row) for row in rows)


def run(ticks: int) -> bytes:
    return struct.pack("<I", ticks)


def at(row: int, column: int) -> int:
    return row << 16 | column


def word(kind: Word, count: int) -> int:
    return 1 << 31 | kind << 28 | count


def quiet(line: Line) -> None:
    """Set all thresholds so high that no neuron fires."""
    line.write(Space.THRESHOLD, 0, [32767] * line.params.n_neurons)
