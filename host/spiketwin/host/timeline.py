"""When what happened during a run, as the host saw it: its own laps, and the span of each request.

The host does one thing at a time, so its laps follow each other without a gap. A lap costs one look
at the clock, a few to a request and none to a tick, which is why they are always taken.
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
    """What the host does in a lap."""

    ENCODE = 0
    """Decides what to ask for, and makes frames of it."""
    WRITE = 1
    """Hands bytes to the port."""
    READ = 2
    """Waits at the port until bytes come."""
    DECODE = 3
    """Makes results of bytes."""


LAP: Final = np.dtype(
    [
        ("activity", "u1"), ("begin", "f8"), ("end", "f8"), ("bytes", "i8"),
        ("device_begin", "f8"), ("device_end", "f8"), ("worked", "f8"),
    ]
)  # fmt: skip
"""A lap: seconds since the run began, and the bytes written or read at its end; the same in the
time of the device, and the seconds that it worked. Where it is not simulated, its time is that of
the host, and it works all the time."""

SPAN: Final = np.dtype(
    [
        ("opcode", "u1"), ("queued", "f8"), ("sent", "f8"), ("answered", "f8"),
        ("bytes_out", "i8"), ("bytes_in", "i8"), ("taken", "i8"),
    ]
)  # fmt: skip
"""A request: seconds since the run began at which its frame was begun, was with the port, and its
result was taken, the bytes of both frames, and how many results were taken when it was begun."""


@dataclass(frozen=True)
class Simulation:
    """What a simulated device tells of its time.

    Attributes
    ----------
    clock:
        Gives the seconds of the device since its power-up.
    byte_seconds:
        Gives the seconds of the device that a byte takes on its line; 0 if it has none.
    worked:
        Gives the seconds on the wall that the simulation has been at work; None if it works
        whenever the host is at the port, and never else.
    """

    clock: Callable[[], float]
    byte_seconds: Callable[[], float]
    worked: Callable[[], float] | None


@dataclass(frozen=True, eq=False)
class Timeline:
    """A run in time.

    Attributes
    ----------
    laps:
        Shape (k,), of `LAP`: what the host did, without a gap from 0 to the end of the run.
    requests:
        Shape (r,), of `SPAN`, in the order in which they were sent and answered.
    """

    laps: NDArray[np.void]
    requests: NDArray[np.void]

    @property
    def seconds(self) -> float:
        """Wall time of the run."""
        return float(self.laps["end"][-1])

    def of(self, activity: Activity) -> NDArray[np.void]:
        """The laps of one activity."""
        laps: NDArray[np.void] = self.laps[self.laps["activity"] == activity]
        return laps


_OF_LAP, _OF_REQUEST, _OF_ANSWER = 3, 4, 2
"""Numbers noted of each."""


class Stopwatch:
    """Takes the times of a run while it goes on.

    Parameters
    ----------
    simulation:
        Where the device has a time of its own.
    """

    def __init__(self, simulation: Simulation | None) -> None:
        self._simulation = simulation
        self._clocks: list[float] = []
        self._worked: list[float] = []
        if simulation is not None:
            self._look_at(simulation)
        self._begin = self._now = perf_counter()
        # Rows joined, as millions of tuples would keep the collector of garbage at work.
        self._laps: list[float] = []
        self._begun: list[float] = []
        self._sent: list[float] = []
        self._answered: list[float] = []

    def lap(self, activity: Activity, octets: int = 0) -> None:
        """End a lap: what was done since the one before, and the bytes that passed."""
        self._now = now = perf_counter()
        self._laps += activity, now, octets
        if self._simulation is not None:
            self._look_at(self._simulation)

    def _look_at(self, simulation: Simulation) -> None:
        self._clocks.append(simulation.clock())
        if simulation.worked is not None:
            self._worked.append(simulation.worked())

    def begin_request(self, opcode: Opcode, payload_bytes: int) -> None:
        """Note that a request is being made, since the last lap ended."""
        self._begun += opcode, self._now, payload_bytes, len(self._answered) // _OF_ANSWER

    def sent(self, octets: int) -> None:
        """End a lap: the port was handed so many bytes, all requests that were made till then."""
        self.lap(Activity.WRITE, octets)
        self._sent += [self._now] * (len(self._begun) // _OF_REQUEST - len(self._sent))

    def answered(self, result_bytes: int) -> None:
        """End a lap: the result of the oldest request was taken."""
        self.lap(Activity.DECODE)
        self._answered += self._now, result_bytes

    def stop(self) -> None:
        """Take no more times, and let go of the device."""
        self._simulation = None

    def timeline(self) -> Timeline:
        """Give all of it, of a run that came to its end."""
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
    """Give each column of rows of so many numbers that were joined; whole ones are below 2**53."""
    return list(np.array(joined, np.float64).reshape(-1, number).T)


def _table(dtype: np.dtype[np.void], *columns: Any) -> NDArray[np.void]:
    table = np.empty(len(columns[0]), dtype)
    for name, column in zip(dtype.names or (), columns, strict=True):
        table[name] = column
    return table


@dataclass(frozen=True)
class Line:
    """What is known of the way to a device.

    Attributes
    ----------
    byte_seconds:
        Seconds of the device that a byte takes on the line; 0 where bytes travel at no rate.
    adapter_seconds:
        Seconds of a round trip that adapter and operating system take; None where what answers
        does not live in real time, or not behind a line: a simulation, a socket.
    clock_hz:
        Clock of the core.
    simulated:
        Whether the device is simulated, and tells of its time.
    """

    byte_seconds: float
    adapter_seconds: float | None
    clock_hz: int
    simulated: bool

    @property
    def baud(self) -> int | None:
        """Bits per second of the line; None where there is none."""
        return round(BITS_PER_BYTE / self.byte_seconds) if self.byte_seconds else None
