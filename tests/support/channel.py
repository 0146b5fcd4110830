"""A faulty line between a host and a device, as a transport in simulated time.

The line carries whole bursts in order, each for as long as its bytes take at the baud rate. Each
byte meets a fault with a given probability, of one of several kinds. Faults come from a seed, so
that a failing test can be repeated. A device can be made to restart, hang or vanish at a given
byte.
"""

from __future__ import annotations

import heapq
import math
import random
import sys
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from serial import SerialException

from spiketwin.hdl.spec.protocol import BITS_PER_BYTE
from spiketwin.host.transport import Transport

FAULTS: Final = ("flip", "drop", "double", "cut", "repeat", "delay")
"""Kinds of faults, in this order: a bit flips; a byte is lost; a byte comes twice; the rest of the
burst is lost; the burst so far comes twice; the rest of the burst comes late."""


class DevicePort(Protocol):
    """The interface that the line needs of the device's port."""

    timeout: float | None

    def read(self, size: int = 1, /) -> bytes:
        """Read the waiting bytes, or wait up to `timeout` seconds for one."""
        ...

    def write(self, data: bytes, /) -> int | None:
        """Write bytes."""
        ...

    def close(self) -> None:
        """Close the port."""
        ...


class _Direction:
    """The bytes under way in one direction: bursts, each with the time of its arrival."""

    def __init__(self) -> None:
        self.bursts: deque[tuple[float, bytes]] = deque()
        self._free = 0.0

    def send(self, data: bytes, now: float, seconds: float) -> None:
        """Send a burst, which takes `seconds` once the bursts before it have arrived."""
        self._free = max(now, self._free) + seconds
        self.bursts.append((self._free, data))

    def arrived(self, now: float) -> bytes:
        """Remove and return the bytes that have arrived by `now`."""
        data = bytearray()
        while self.bursts and self.bursts[0][0] <= now:
            data += self.bursts.popleft()[1]
        return bytes(data)

    @property
    def next_arrival(self) -> float:
        """Time at which the next burst arrives; infinite if none is under way."""
        return self.bursts[0][0] if self.bursts else math.inf

    @property
    def last_arrival(self) -> float:
        """Time at which the last burst under way arrives; 0 if none is under way."""
        return self.bursts[-1][0] if self.bursts else 0.0


class FaultyChannel(Transport):
    """The host's end of a faulty line, with the interface of a pyserial port.

    Parameters
    ----------
    port:
        The device's end.
    seed:
        Seed of the faults.
    error_rate:
        Probability of a fault per byte, in both directions; may be changed at any time.
    faults:
        Kinds of faults, out of `FAULTS`, that happen with equal probability.
    baudrate:
        Bits per second of the line.
    delay:
        Seconds by which a delayed burst is late.

    Attributes
    ----------
    now:
        Simulated seconds since the line was made.
    injected:
        Number of faults so far.
    cut_off_until:
        Time until which all bytes in either direction are lost; ``math.inf`` is a device that
        hangs.
    """

    adapter_latency = 0.0

    def __init__(
        self,
        port: DevicePort,
        *,
        seed: int,
        error_rate: float = 0.0,
        faults: Sequence[str] = FAULTS,
        baudrate: int = 1_000_000,
        delay: float = 0.01,
    ) -> None:
        self.timeout: float | None = 0.0
        self.baudrate = baudrate
        self.error_rate = error_rate
        self.now = 0.0
        self.injected = 0
        self.cut_off_until = 0.0
        self._port = port
        self._faults = faults
        self._delay = delay
        self._random = random.Random(seed)
        self._to_device = _Direction()
        self._to_host = _Direction()
        self._received = bytearray()
        self._sent = 0
        self._actions: list[tuple[int, int, Callable[[], None]]] = []
        self._unplugged = False

    def clock(self) -> float:
        """Return the simulated seconds, in which the host's deadlines are measured."""
        return self.now

    def at_byte(self, number: int, action: Callable[[], None]) -> None:
        """Call `action` once the host has sent `number` bytes, even in the middle of a burst."""
        heapq.heappush(self._actions, (number, len(self._actions), action))

    def unplug(self) -> None:
        """Make every further call fail like that of an unplugged adapter."""
        self._unplugged = True

    @property
    def in_waiting(self) -> int:
        """Bytes that can be read at once."""
        self._check()
        self._advance(self.now)
        return len(self._received)

    def read(self, size: int = 1, /) -> bytes:
        """Read up to `size` bytes; time advances until some arrive, at most by `timeout`."""
        self._check()
        end = self.now + (self.timeout or 0.0)
        self._advance(self.now)
        while not self._received and self.now < end:
            coming = min(self._to_device.next_arrival, self._to_host.next_arrival)
            self._advance(min(end, max(coming, self.now)))
        data = bytes(self._received[:size])
        del self._received[:size]
        return data

    def write(self, data: bytes, /) -> int:
        """Send bytes to the device; return their number."""
        self._check()
        start = 0
        while self._actions and self._actions[0][0] <= self._sent + len(data):
            number, _, action = heapq.heappop(self._actions)
            place = max(start, number - self._sent)
            self._send(self._to_device, data[start:place])
            self._advance(max(self.now, self._to_device.last_arrival))
            action()
            start = place
        self._send(self._to_device, data[start:])
        self._sent += len(data)
        return len(data)

    def close(self) -> None:
        """Close the device's end."""
        self._port.close()

    def _check(self) -> None:
        if self._unplugged:
            raise SerialException("device disconnected")

    def _advance(self, end: float) -> None:
        """Advance the time to `end`, and deliver the bytes that arrive by then."""
        self._port.timeout = end - self.now
        self.now = end
        arrived = self._to_device.arrived(end)
        if arrived:
            self._port.write(arrived)
        while answer := self._port.read(1 << 16):
            self._port.timeout = 0.0
            self._send(self._to_host, answer)
        self._received += self._to_host.arrived(end)

    def _send(self, direction: _Direction, data: bytes) -> None:
        """Send bytes over the line, with the faults that they meet."""
        if self.now < self.cut_off_until:
            return
        byte_time = BITS_PER_BYTE / self.baudrate
        burst = bytearray()
        place = 0
        while (gap := self._sound_bytes()) < len(data) - place:
            place += gap
            burst += data[place - gap : place]
            self.injected += 1
            fault = self._random.choice(self._faults)
            if fault == "cut":
                place = len(data)
                break
            if fault == "flip":
                burst.append(data[place] ^ 1 << self._random.randrange(8))
            elif fault == "double":
                burst += data[place : place + 1] * 2
            elif fault == "repeat":
                burst += burst + data[place : place + 1]
            elif fault == "delay":
                direction.send(bytes(burst), self.now, len(burst) * byte_time + self._delay)
                burst = bytearray(data[place : place + 1])
            place += 1
        burst += data[place:]
        if burst:
            direction.send(bytes(burst), self.now, len(burst) * byte_time)

    def _sound_bytes(self) -> int:
        """Return the number of bytes before the next fault, which is geometrically distributed.

        The distribution has no memory, so it may be drawn again for each burst.
        """
        if self.error_rate <= 0.0:
            return sys.maxsize
        return int(math.log(1.0 - self._random.random()) / math.log1p(-self.error_rate))
