"""Messages over a pipe, each with its length before it, and nothing read beyond one."""

from __future__ import annotations

import os
from typing import Final

_LENGTH_BYTES: Final = 8


class NoMore(Exception):
    """The other end of the pipe is closed."""


def read(pipe: int) -> bytes:
    """Return the next message; raise `NoMore` if there is none, or only a part of it."""
    return _read(pipe, int.from_bytes(_read(pipe, _LENGTH_BYTES), "little"))


def _read(pipe: int, length: int) -> bytes:
    octets = bytearray()
    while len(octets) < length:
        part = os.read(pipe, length - len(octets))
        if not part:
            raise NoMore
        octets += part
    return bytes(octets)


def write(pipe: int, message: bytes) -> None:
    """Write a message; raise `BrokenPipeError` if nobody reads it."""
    left = memoryview(len(message).to_bytes(_LENGTH_BYTES, "little") + message)
    while left:
        left = left[os.write(pipe, left) :]
