"""The times of a run as the host saw them: laps of the host, and the span of each request.

A lap is a stretch of time in which the host does one thing, such as waiting at the port. The host
does one thing at a time, so laps follow each other without a gap. A lap costs one reading of the
clock; there are a few laps for each request and none for each tick, so they are always taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from time import perf_counter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spiketwin.hdl.spec.protocol import BITS_PER_BYTE, REPLY_HEADER, REQUEST_HEADER, Opcode
from spiketwin.host.frames import frame_bytes


class Activity(IntEnum):
    """The activity of the host in a lap."""

    ENCODE = 0
    """The host decides on requests and encodes them."""
    WRITE = 1
    """The host hands bytes to the port."""
    READ = 2
    """The host waits at the port for bytes."""
    DECODE = 3
    """The host decodes bytes into results."""


LAP: Final = np.dtype(
    [
        ("activity", "u1"), ("begin", "f8"), ("end", "f8"), ("bytes", "i8"),
        ("device_begin", "f8"), ("device_end", "f8"), ("worked", "f8"),
    ]
)  # fmt: skip
"""Type of a lap: its begin and end in seconds since the run began, the bytes written or read at its
end, its begin and end in the time of the device, and the seconds that the device was at work in it.
A device that is not simulated shares the time of the host and is always at work."""

SPAN: Final = np.dtype(
    [
        ("opcode", "u1"), ("queued", "f8"), ("sent", "f8"), ("answered", "f8"),
        ("bytes_out", "i8"), ("bytes_in", "i8"), ("taken", "i8"),
    ]
)  # fmt: skip
"""Type of the span of a request: the seconds since the run began at which its frame was begun, was
handed to the port, and its result was taken; the bytes of both frames; and the number of results
that had been taken when its frame was begun."""


@dataclass(frozen=True)
class Simulation:
    """The time of a simulated device.

    Attributes
    ----------
    clock:
        Function that returns the seconds since power-up, in the time of the device.
    byte_seconds:
        Function that returns the seconds, in the time of the device, that a byte takes on its line;
        0 without a line.
    worked:
        Function that returns the wall time in seconds that the simulation has been at work; None if
        it works exactly while the host is at the port.
    """

    clock: Callable[[], float]
    byte_seconds: Callable[[], float]
    worked: Callable[[], float] | None


@dataclass(frozen=True, eq=False)
class Timeline:
    """The timeline of a run.

    Attributes
    ----------
    laps:
        Shape (k,), of type `LAP`: the laps of the host, without a gap from 0 to the end of the run.
    requests:
        Shape (r,), of type `SPAN`: the requests, in the order in which they were sent and answered.
    """

    laps: NDArray[np.void]
    requests: NDArray[np.void]

    @property
    def seconds(self) -> float:
        """Wall time of the run in seconds."""
        return float(self.laps["end"][-1])

    def of(self, activity: Activity) -> NDArray[np.void]:
        """Return the laps of one activity."""
        laps: NDArray[np.void] = self.laps[self.laps["activity"] == activity]
        return laps


_OF_LAP, _OF_REQUEST, _OF_ANSWER = 3, 4, 2
"""Columns that are kept of each lap, request and answer."""


class Stopwatch:
    """Records the times of a run while it goes on.

    Parameters
    ----------
    simulation:
        Time of the device, if it is simulated; otherwise None.
    """

    def __init__(self, simulation: Simulation | None) -> None:
        self._simulation = simulation
        self._clocks: list[float] = []
        self._worked: list[float] = []
        if simulation is not None:
            self._look_at(simulation)
        self._begin = self._now = perf_counter()
        # Rows are stored flat: millions of tuples would keep the garbage collector busy.
        self._laps: list[float] = []
        self._begun: list[float] = []
        self._sent: list[float] = []
        self._answered: list[float] = []

    def lap(self, activity: Activity, octets: int = 0) -> None:
        """End a lap, with the activity since the last one and the bytes that passed."""
        self._now = now = perf_counter()
        self._laps += activity, now, octets
        if self._simulation is not None:
            self._look_at(self._simulation)

    def _look_at(self, simulation: Simulation) -> None:
        self._clocks.append(simulation.clock())
        if simulation.worked is not None:
            self._worked.append(simulation.worked())

    def begin_request(self, opcode: Opcode, payload_bytes: int) -> None:
        """Record that a request has been under construction since the last lap ended."""
        self._begun += opcode, self._now, payload_bytes, len(self._answered) // _OF_ANSWER

    def sent(self, octets: int) -> None:
        """End a lap: the port was handed `octets` bytes, with all requests made so far."""
        self.lap(Activity.WRITE, octets)
        self._sent += [self._now] * (len(self._begun) // _OF_REQUEST - len(self._sent))

    def answered(self, result_bytes: int) -> None:
        """End a lap: the result of the oldest unanswered request was taken."""
        self.lap(Activity.DECODE)
        self._answered += self._now, result_bytes

    def stop(self) -> None:
        """Record no more device times, and drop the reference to the device."""
        self._simulation = None

    def timeline(self) -> Timeline:
        """Return the timeline of a run that came to its end."""
        activities, ends, octets = _columns(self._laps, _OF_LAP)
        opcodes, queued, payloads, taken = _columns(self._begun, _OF_REQUEST)
        answered, results = _columns(self._answered, _OF_ANSWER)
        ends = ends - self._begin
        begins = np.concatenate([[0.0], ends[:-1]])
        device_begins, device_ends, worked = begins, ends, ends - begins
        if self._clocks:
            clocks = np.array(self._clocks) - self._clocks[0]
            device_begins, device_ends = clocks[:-1], clocks[1:]
        if self._worked:
            worked = np.diff(self._worked)
        return Timeline(
            _table(LAP, activities, begins, ends, octets, device_begins, device_ends, worked),
            _table(
                SPAN, opcodes, queued - self._begin, np.array(self._sent) - self._begin,
                answered - self._begin, payloads + frame_bytes(REQUEST_HEADER),
                results + frame_bytes(REPLY_HEADER), taken,
            ),
        )  # fmt: skip


def _columns(joined: Sequence[float], number: int) -> list[NDArray[np.float64]]:
    """Return the columns of a flat list of rows of `number` numbers, exact up to 2**53."""
    return list(np.array(joined, np.float64).reshape(-1, number).T)


def _table(dtype: np.dtype[np.void], *columns: Any) -> NDArray[np.void]:
    table = np.empty(len(columns[0]), dtype)
    for name, column in zip(dtype.names or (), columns, strict=True):
        table[name] = column
    return table


@dataclass(frozen=True)
class Line:
    """The times of the line to a device, as far as they are known.

    Attributes
    ----------
    byte_seconds:
        Seconds, in the time of the device, that a byte takes on the line; 0 without a line.
    adapter_seconds:
        Seconds of a round trip that adapter and operating system take; None if the device is
        simulated or has no line, as at a socket.
    clock_hz:
        Clock of the core in Hz.
    simulated:
        Whether the device is simulated and reports its own time.
    """

    byte_seconds: float
    adapter_seconds: float | None
    clock_hz: int
    simulated: bool

    @property
    def baud(self) -> int | None:
        """Bits per second of the line; None without a line."""
        return round(BITS_PER_BYTE / self.byte_seconds) if self.byte_seconds else None
