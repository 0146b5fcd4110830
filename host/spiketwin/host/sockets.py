"""A socket as a transport that reads all that is there at once."""

from __future__ import annotations

import socket
from typing import Final

import serial

from spiketwin.host.transport import SerialTransport

_MOST_BYTES: Final = 1 << 16


class SocketTransport(SerialTransport):
    """pyserial's port of ``socket://``, which by itself counts at most one byte as waiting.

    Reads return as much as has come, however little was asked for last time, and small writes
    leave at once, so that a window of requests is under way together.

    Parameters
    ----------
    port:
        pyserial's port, open.
    """

    timeout: float | None = 0.0

    def __init__(self, port: serial.SerialBase) -> None:
        super().__init__(port, has_line=False)
        self._received = bytearray()
        same = socket.socket(fileno=port.fileno())
        try:
            same.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        finally:
            same.detach()

    @property
    def in_waiting(self) -> int:
        """Bytes that can be read without waiting."""
        self._take()
        return len(self._received)

    def read(self, size: int = 1, /) -> bytes:
        """Read up to `size` bytes; waits for one, no longer than `timeout`."""
        if not self._received:
            self.port.timeout = self.timeout
            self._received += self.port.read(1)
            self._take()
        data = bytes(self._received[:size])
        del self._received[:size]
        return data

    def _take(self) -> None:
        self.port.timeout = 0
        self._received += self.port.read(_MOST_BYTES)
