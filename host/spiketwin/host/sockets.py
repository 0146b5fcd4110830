"""A socket as a transport, which reads all waiting bytes at once."""

from __future__ import annotations

import socket
from typing import Final

import serial

from spiketwin.host.transport import SerialTransport

_MOST_BYTES: Final = 1 << 16


class SocketTransport(SerialTransport):
    """A port of ``socket://`` that knows how many bytes wait; pyserial alone counts at most one.

    The transport reads ahead: it takes all received bytes from the socket and keeps them for the
    next read. Small writes are sent at once (TCP_NODELAY), so that a whole window of requests is
    under way together.

    Parameters
    ----------
    port:
        An open port of pyserial.
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
        """Read up to `size` bytes; wait up to `timeout` seconds for the first one."""
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
