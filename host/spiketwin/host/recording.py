"""Recordings of the bytes between host and device, and a transport that replays them.

A recording is text, one JSON object a line. The first line is about the line itself:

``{"recording": 1, "baud": 115200, "adapter_latency": 0.02, "has_line": true}``

and each further one is a burst of bytes, with the seconds since the first line and its receiver:

``{"at": 0.00213, "to": "device", "bytes": "0004010203…"}``

The host's decisions depend only on the answers and on which deadlines passed. So a transport that
delivers the same bursts in the same order makes the host send the same bytes again, without any
waiting; a difference means that the program or its arguments are not those of the recording.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from cobs import cobs

from spiketwin.hdl.spec.protocol import Opcode
from spiketwin.hdl.spec.text import shown
from spiketwin.host.errors import RecordingError, ReplayMismatch
from spiketwin.host.frames import DELIMITER
from spiketwin.host.inputs import bounded_lines, open_regular
from spiketwin.host.paths import path_of
from spiketwin.host.replacing import replacing
from spiketwin.host.transport import POLL, Transport, WrappedTransport

VERSION: Final = 1
_TO_DEVICE: Final = "device"
_TO_HOST: Final = "host"
_OPCODE: Final = 2
_MOST_BYTES: Final = 1 << 29
_LONGEST: Final = 1e9
"""Seconds of the longest session, thirty years; a float still resolves microseconds there."""

_MOST_BAUD: Final = (1 << 32) - 1
_OVERDUE: Final = 3600.0
"""Seconds by which time advances when the recording has ended, so that every deadline passes."""


@contextmanager
def recording(transport: Transport, path: Path) -> Iterator[Transport]:
    """Yield a transport that passes all bytes to `transport` and records them.

    The file appears at the end of the block. Raises `OSError` if it cannot be written.
    """
    with replacing(path) as file:
        yield Recorder(transport, file)


class Recorder(WrappedTransport):
    """A transport that passes all bytes to another one, and records them in a file."""

    def __init__(self, inner: Transport, file: IO[bytes]) -> None:
        super().__init__(inner)
        self._file = file
        self._seconds = inner.clock or time.monotonic
        self._begin = self._seconds()
        self._note(
            recording=VERSION,
            baud=inner.baudrate,
            adapter_latency=inner.adapter_latency,
            has_line=inner.has_line,
        )

    def read(self, size: int = 1, /) -> bytes:
        """Read up to `size` bytes."""
        data = self.inner.read(size)
        if data:
            self._note_bytes(_TO_HOST, data)
        return data

    def write(self, data: bytes, /) -> int | None:
        """Write bytes."""
        # Recorded before they are written: a port that fails does not say how many it took.
        self._note_bytes(_TO_DEVICE, data)
        return self.inner.write(data)

    def _note_bytes(self, to: str, data: bytes) -> None:
        self._note(at=round(self._seconds() - self._begin, 6), to=to, bytes=data.hex())

    def _note(self, **values: Any) -> None:
        self._file.write((json.dumps(values) + "\n").encode())


@dataclass(frozen=True, slots=True)
class Burst:
    """A burst: bytes that passed together in one direction.

    Attributes
    ----------
    at:
        Seconds since the recording began.
    to_device:
        Whether the bytes went to the device.
    data:
        The bytes, at least one.
    """

    at: float
    to_device: bool
    data: bytes


@dataclass(frozen=True)
class Recording:
    """A recorded session.

    Attributes
    ----------
    baud, adapter_latency, has_line:
        Properties of the transport that was recorded.
    bursts:
        All bursts, in order.
    """

    baud: int
    adapter_latency: float
    has_line: bool
    bursts: tuple[Burst, ...]

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Recording:
        """Return the recording in a file.

        Raises
        ------
        RecordingError
            The file cannot be read, or a line is not as this module writes it; the message names
            the line.
        InvalidInput
            `path` is not a path.
        """
        whole = path_of(path, "path")
        try:
            with open_regular(whole, _MOST_BYTES, RecordingError) as file:
                return cls._read(whole, bounded_lines(file, whole, _MOST_BYTES, RecordingError))
        except OSError as error:
            raise RecordingError(f"{whole} cannot be read: {error.strerror}") from error

    @classmethod
    def _read(cls, path: Path, lines: Iterator[str]) -> Recording:
        head = _object(path, 1, next(lines, "{}"))
        if head.get("recording") != VERSION:
            raise RecordingError(
                f'{path}, line 1, must begin a recording, {{"recording": {VERSION}, …}}: record '
                "the session again with this release"
            )
        baud = _field(
            path,
            1,
            head,
            "baud",
            int,
            lambda v: 0 < v <= _MOST_BAUD,
            f"a positive integer up to {_MOST_BAUD}",
        )
        latency = _field(
            path, 1, head, "adapter_latency", float, lambda v: 0 <= v <= _OVERDUE,
            f"seconds, 0…{_OVERDUE:.0f}",
        )  # fmt: skip
        has_line = _field(path, 1, head, "has_line", bool, lambda _: True, "true or false")
        bursts, last = [], 0.0
        for number, line in enumerate(lines, start=2):
            bursts.append(_burst(path, number, _object(path, number, line), last))
            last = bursts[-1].at
        return cls(baud, latency, has_line, tuple(bursts))


def _object(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise RecordingError(
            f"{path}, line {number}, is no JSON ({error}): the file was cut short or altered. Take "
            "a whole copy of it, or record the session again"
        ) from error
    if not isinstance(values, dict):
        raise RecordingError(f"{path}, line {number}, must be a JSON object, not {shown(line)}")
    return values


def _burst(path: Path, number: int, values: dict[str, Any], last: float) -> Burst:
    at = _field(
        path, number, values, "at", float, lambda v: last <= v <= _LONGEST,
        f"seconds, not before the line above ({last})",
    )  # fmt: skip
    to = _field(
        path, number, values, "to", str, lambda v: v in (_TO_DEVICE, _TO_HOST),
        f'"{_TO_DEVICE}" or "{_TO_HOST}"',
    )  # fmt: skip
    text = _field(path, number, values, "bytes", str, _is_hex, "pairs of hexadecimal digits")
    return Burst(at, to == _TO_DEVICE, bytes.fromhex(text))


def _field(
    path: Path,
    number: int,
    values: dict[str, Any],
    name: str,
    kind: type,
    allowed: Callable[[Any], bool],
    what: str,
) -> Any:
    value = values.get(name)
    if kind is float and type(value) is int and abs(value) <= _LONGEST:
        value = float(value)
    if type(value) is not kind or not allowed(value):
        raise RecordingError(f"{path}, line {number}: {name} must be {what}, not {shown(value)}")
    return value


def _is_hex(text: str) -> bool:
    try:
        return len(bytes.fromhex(text)) > 0
    except ValueError:
        return False


class Replay(Transport):
    """A transport that answers as the device in a recording did, in a time of its own.

    Time stands still while the device answers, so no recorded answer is late. If the host reads
    where it sent bytes in the recording, it had given up waiting there: time advances to that
    moment, so that the same deadline passes. If the host then still waits, time advances in steps
    until it gives up as at any port.

    Parameters
    ----------
    session:
        The recording.
    """

    def __init__(self, session: Recording) -> None:
        self.baudrate = session.baud
        self.adapter_latency = session.adapter_latency
        self.has_line = session.has_line
        self._bursts = session.bursts
        self._next = 0
        self._now = 0.0
        self._patience = POLL
        """Seconds by which time advances while the host waits for bytes that never come."""
        self._taken = 0
        """Number of bytes of the current burst that have passed."""
        self._sent = bytearray()

    def clock(self) -> float:
        """Return the seconds since the recording began, up to the last bytes from the host."""
        return self._now

    @property
    def in_waiting(self) -> int:
        """Bytes that can be read at once: the rest of the current burst from the device."""
        burst = self._burst
        return 0 if burst is None or burst.to_device else len(burst.data) - self._taken

    def read(self, size: int = 1, /) -> bytes:
        """Read up to `size` bytes; where the host sent bytes in the recording, let time advance."""
        burst = self._burst
        if burst is None:
            self._now += _OVERDUE
            return b""
        if burst.to_device:
            # The host waits longer than in the recording; doubling steps soon reach its deadline.
            if self._now >= burst.at:
                self._now += self._patience
                self._patience *= 2
            self._now = max(self._now, burst.at)
            return b""
        data = burst.data[self._taken : self._taken + size]
        self._pass(len(data))
        return data

    def write(self, data: bytes, /) -> int:
        """Take bytes from the host; raise `ReplayMismatch` if they differ from the recording."""
        rest = data
        while rest:
            burst = self._burst
            expected = b"" if burst is None or not burst.to_device else burst.data[self._taken :]
            equal = _equal_bytes(expected, rest)
            self._sent += rest[:equal]
            if burst is None or equal < min(len(expected), len(rest)) or not expected:
                raise ReplayMismatch(self._difference(burst, expected[equal:], rest[equal:]))
            self._now = max(self._now, burst.at)
            self._patience = POLL
            self._pass(equal)
            rest = rest[equal:]
        return len(data)

    def close(self) -> None:
        """Do nothing: a replay holds no resources."""

    @property
    def _burst(self) -> Burst | None:
        return self._bursts[self._next] if self._next < len(self._bursts) else None

    def _pass(self, count: int) -> None:
        self._taken += count
        if self._taken == len(self._bursts[self._next].data):
            self._next += 1
            self._taken = 0

    def _difference(self, burst: Burst | None, expected: bytes, got: bytes) -> str:
        """Return a message that names the first byte that differs, and its request."""
        place = len(self._sent)
        number = len([frame for frame in bytes(self._sent).split(DELIMITER)[:-1] if frame]) + 1
        begun = bytes(self._sent).rpartition(DELIMITER)[2]
        request = f"request {number} ({_request_name(begun + got)})"
        if burst is None:
            return (
                f"the recording ends before byte {place}, in {request}: it is of a program that "
                "asked for less. Record the session again"
            )
        if not expected:
            return (
                f"byte {place} comes too early, in {request}: the recorded program waited for an "
                "answer here. Replay it with the same program, or record the session again"
            )
        recorded = _request_name(begun + expected)
        return (
            f"byte {place} is {got[0]:#04x}, in {request}, where the recorded program sent "
            f"{expected[0]:#04x}, in {recorded}: replay it with the same program and the same "
            "arguments, or record the session again"
        )


def _equal_bytes(one: bytes, other: bytes) -> int:
    """Return the length of the common prefix of two byte strings."""
    shorter = min(len(one), len(other))
    return next((i for i in range(shorter) if one[i] != other[i]), shorter)


def _request_name(stream: bytes) -> str:
    """Return the name of the request in the first frame of a stream."""
    try:
        body = cobs.decode(stream.lstrip(DELIMITER).partition(DELIMITER)[0])
        return Opcode(body[_OPCODE]).name
    except (cobs.DecodeError, IndexError, ValueError):
        return "no whole frame"
