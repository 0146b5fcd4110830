"""Random frames, most of them legal and some not, made from the tables of the protocol."""

from __future__ import annotations

import binascii
import random
import struct

from cobs import cobs

from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.protocol import (
    CRC_FINAL_XOR,
    CRC_INITIAL,
    MAX_BODY,
    REPLY_HEADER,
    Opcode,
    Status,
    counted,
    most_elements,
)
from spiketwin.hdl.spec.registers import ClearMask, Space, SpaceFormat, space_formats

_OF_TIME = ("tick_period",)
"""Registers that would make answers depend on the time between requests."""

_NOT_TAKEN = (Status.WRONG_SESSION, Status.WRONG_SEQUENCE)


def crc(body: bytes) -> bytes:
    """Return the CRC of a body, in the bytes in which it is sent."""
    return (binascii.crc_hqx(body, CRC_INITIAL) ^ CRC_FINAL_XOR).to_bytes(2, "big")


def framed(body: bytes) -> bytes:
    """Return the frame of a body, including the closing zero."""
    block: bytes = cobs.encode(body + crc(body))
    return block + b"\0"


def unframed(frame: bytes) -> bytes:
    """Return the body of a good frame without its closing zero; raise `ValueError` for another."""
    decoded: bytes = cobs.decode(frame)
    body, check = decoded[:-2], decoded[-2:]
    if check != crc(body):
        raise ValueError(f"wrong CRC in {frame.hex(' ')}")
    return body


class Requests:
    """A host that sends random requests, legal for the most part.

    Parameters
    ----------
    params:
        Sizes of the core that receives the requests.
    rng:
        Source of all random choices.
    session:
        The session that another host has left open; 0 after power-up.
    """

    def __init__(self, params: CoreParams, rng: random.Random, session: int = 0) -> None:
        self._formats = space_formats(params)
        self._params = params
        self._rng = rng
        self._session = session
        self._seq = 0
        self._tick = 0

    def body(self, opcode: int, arguments: bytes = b"") -> bytes:
        """Return the body of the next request."""
        return bytes([self._session, self._seq, opcode]) + arguments

    def open(self) -> bytes:
        """Return the body of the request that begins the next session."""
        return bytes([(self._session + 1) % 256, 0, Opcode.OPEN])

    def good(self, *, runs: bool) -> bytes:
        """Return the body of a request that only the state of the device can make illegal.

        With `runs` it may be one that starts a run.
        """
        rng = self._rng
        opcodes = [Opcode.READ, Opcode.WRITE, Opcode.WRITE, Opcode.CLEAR, Opcode.STOP, Opcode.RESET]
        if runs:
            opcodes += [Opcode.EVENTS, Opcode.RUN, Opcode.FETCH] * 2
        opcode = rng.choice(opcodes)
        match opcode:
            case Opcode.READ | Opcode.WRITE:
                return self.body(opcode, self._block(opcode))
            case Opcode.CLEAR:
                return self.body(opcode, bytes([rng.randrange(int(~ClearMask(0)) + 1)]))
            case Opcode.EVENTS:
                self._tick += rng.randrange(4)
                pairs = sorted(
                    (rng.randrange(9), rng.randrange(self._params.n_axons))
                    for _ in range(rng.randrange(12))
                )
                data = b"".join(struct.pack("<HH", *pair) for pair in pairs)
                return self.body(opcode, struct.pack("<I", self._tick) + data)
            case Opcode.RUN:
                return self.body(opcode, struct.pack("<I", rng.randrange(1, 12)))
            case Opcode.FETCH:
                return self.body(opcode, struct.pack("<BI", rng.randrange(1, 63), 0xFFFFFFFF))
        return self.body(opcode)

    def any(self, *, runs: bool) -> bytes:
        """Return the frame of a request, one in four of them damaged in some way."""
        rng = self._rng
        body = bytearray(self.good(runs=runs))
        fault = rng.randrange(28)
        if fault == 0:
            body[0] = rng.randrange(256)
        elif fault == 1:
            body[1] = (body[1] + rng.randrange(-9, 9)) % 256
        elif fault == 2:
            body[2] = rng.randrange(len(Opcode), 256)
        elif fault == 3:
            del body[rng.randrange(3, len(body) + 1) :]
        elif fault == 4:
            body += rng.randbytes(rng.randrange(1, 5))
        elif fault == 5 and len(body) > 4:
            body[rng.randrange(3, len(body))] ^= 1 << rng.randrange(8)
        frame = framed(bytes(body[:MAX_BODY]))
        if fault == 6:
            place = rng.randrange(len(frame) - 1)
            frame = frame[:place] + rng.randbytes(rng.randrange(3)) + frame[place + 1 :]
        return frame

    def follow(self, answers: bytes) -> None:
        """Learn the session and the next sequence number from answers."""
        for frame in answers.split(b"\0")[:-1]:
            session, seq, opcode, status = unframed(frame)[:REPLY_HEADER]
            if opcode == Opcode.OPEN and status == Status.OK and session != self._session:
                self._seq = 0
            elif seq == self._seq and opcode != Opcode.IDENTIFY and status not in _NOT_TAKEN:
                self._seq = (seq + 1) % 256
            if opcode == Opcode.RESET:
                self._tick = 0
            self._session = session

    def _block(self, opcode: Opcode) -> bytes:
        rng = self._rng
        fmt = rng.choice(list(self._formats.values()))
        row, column = rng.randrange(fmt.rows), rng.randrange(fmt.columns)
        if fmt.space is Space.PENDING:
            column = rng.choice((0, 0, 1))
        left = fmt.size - row * fmt.columns - column
        most = most_elements(fmt)
        count = rng.choice((1, min(left, most), rng.randint(1, min(left, most))))
        address = struct.pack("<BHH", fmt.space, column, row)
        if opcode == Opcode.READ:
            return address + struct.pack("<H", count)
        return (
            address + counted(fmt, count) + self._elements(fmt, row * fmt.columns + column, count)
        )

    def _elements(self, fmt: SpaceFormat, first: int, count: int) -> bytes:
        if fmt.packed:
            bits = self._rng.getrandbits(count)
            return bits.to_bytes(fmt.byte_length(count), "little")
        mask = (1 << 8 * fmt.element_bytes) - 1
        values = (self._value(fmt, first + k) & mask for k in range(count))
        return b"".join(value.to_bytes(fmt.element_bytes, "little") for value in values)

    def _value(self, fmt: SpaceFormat, index: int) -> int:
        """Return a value for an element, from its row-major index."""
        low, high = fmt.limits_at(index)
        if fmt.space is Space.REGISTER and fmt.record[index].name in _OF_TIME:
            return 0
        if fmt.space is Space.PENDING:
            low, high = 1, 3
        return self._rng.choice((low, high, self._rng.randint(low, high)))
