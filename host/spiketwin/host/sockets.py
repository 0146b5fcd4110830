"""A socket as a port that reads all that is there at once."""

from __future__ import annotations

import socket
from typing import Final

import serial

_MOST_BYTES: Final = 1 << 16


class SocketPort:
    """A port before pyserial's of ``socket://``, which counts no more than one byte as waiting.

    Reads return as much as has come, however little was asked for last time, and small writes
    leave at once, so that a window of requests is under way together.

    Parameters
    ----------
    port:
        pyserial's port, open.
    """

    def __init__(self, port: serial.SerialBase) -> None:
        self._port = port
        self._received = bytearray()
        self.timeout: float | None = 0.0
        same = socket.socket(fileno=port.fileno())
        try:
            same.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        finally:
            same.detach()

    @property
    def baudrate(self) -> int:
        """Bits per second, which mean nothing here."""
        return self._port.baudrate

    @baudrate.setter
    def baudrate(self, baud: int) -> None:
        self._port.baudrate = baud

    @property
    def in_waiting(self) -> int:
        """Bytes that can be read without waiting."""
        self._take()
        return len(self._received)

    def read(self, size: int = 1, /) -> bytes:
        """Read up to `size` bytes; waits for one, no longer than `timeout`."""
        if not self._received:
            self._port.timeout = self.timeout
            self._received += self._port.read(1)
            self._take()
        data = bytes(self._received[:size])
        del self._received[:size]
        return data

    def write(self, data: bytes, /) -> int | None:
        """Write bytes."""
        return self._port.write(data)

    def close(self) -> None:
        """Close the socket."""
        self._port.close()

    def _take(self) -> None:
        self._port.timeout = 0
        self._received += self._port.read(_MOST_BYTES)
