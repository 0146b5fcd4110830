"""Requests that no method of a host sends, and their answers."""

from __future__ import annotations

import struct

from spiketwin.cosim.serial.inprocess import InProcessSerial
from spiketwin.cosim.testbenches.requests import framed, unframed
from spiketwin.hdl.spec.protocol import Opcode
from spiketwin.hdl.spec.registers import Space


class Talk:
    """Requests, one after the other, of a session that a `Core` has left open."""

    def __init__(self, port: InProcessSerial) -> None:
        self._port, self._seq = port, 0
        self._session = 0

    def open(self) -> None:
        """Begin a session."""
        identity = self._asked(bytes([0, 0, Opcode.IDENTIFY]))
        self._session, self._seq = (identity[0] + 1) % 256, 0
        self._asked(bytes([self._session, 0, Opcode.OPEN]))

    def ask(self, opcode: Opcode, arguments: bytes = b"") -> bytes:
        """Return the answer to a request."""
        answer = self._asked(bytes([self._session, self._seq, opcode]) + arguments)
        self._seq = (self._seq + 1) % 256
        return answer

    def _asked(self, body: bytes) -> bytes:
        self._port.write(framed(body))
        return unframed(self._port.read(1 << 16)[:-1])


def place(space: Space, first: int) -> bytes:
    """Return the address of elements of a space as a request has it."""
    return struct.pack("<BI", space, first)


def block(space: Space, first: int, count: int) -> bytes:
    """Return the address and the number of elements of a space as `READ` has them."""
    return place(space, first) + struct.pack("<H", count)
