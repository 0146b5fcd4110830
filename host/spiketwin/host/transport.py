"""Transports: they carry the bytes to and from one device, and describe the way there.

A transport offers the part of a serial port's interface that the link uses. Its attributes say
what else the device behind it can do. `SerialTransport` makes one of any port of pyserial; a target
of another kind brings a transport of its own (docs/targets.md).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Final, Protocol

from spiketwin.hdl.spec.protocol import DEFAULT_BAUD
from spiketwin.host.plan import Plan
from spiketwin.host.timeline import Simulation

PORT_LATENCY: Final = 0.02
"""Seconds for which the adapter of a serial port and the operating system may hold back bytes."""

POLL: Final = 0.005
"""Seconds after which a read returns without bytes, so that the deadline is checked."""


class RunApart(Protocol):
    """A function that executes independent runs on several threads."""

    def __call__(self, plan: Plan, threads: int, report: Callable[[int], None]) -> bytes:
        """Execute the runs of a plan and return the output words of all of them, in order.

        The device ends in the state of executing one run after the other. If `report` raises an
        exception, the device is as it was before the first run.

        Parameters
        ----------
        plan:
            The runs.
        threads:
            Most threads that the runs may be spread over.
        report:
            Function that is called repeatedly with the number of runs that are done.
        """
        ...


class Transport(ABC):
    """A way for bytes to and from one device.

    A subclass has to read, write and close. All other attributes have defaults that suit a device
    behind a serial port; an attribute that is None is a capability that the device lacks.

    Attributes
    ----------
    timeout:
        Seconds that `read` waits for the first byte; None is without limit.
    baudrate:
        Bits per second of the line, if there is one.
    has_line:
        Whether bytes travel at `baudrate`, and `Core.set_baud` changes it.
    adapter_latency:
        Seconds that bytes may be under way in addition to their time on the line.
    clock:
        Function that returns the seconds in which the deadlines of the link are measured, for a
        device with a time of its own; None for a device in the time of this computer.
    simulation:
        The time of a simulated device, for the ledger of a run.
    saturations:
        Function that returns the counters of saturations (`spec.registers.SATURATIONS`), for a
        device that counts them although its core is built without these counters.
    run_apart:
        Function that executes independent runs on several threads.
    fetch:
        Function that returns up to so many output words of a free-running core, as `FETCH` would
        bring them with many requests; fewer if all ticks that were started are over, or if the
        words of the next one would be more. For a device in this process.
    """

    timeout: float | None = 0.0
    baudrate: int = DEFAULT_BAUD
    has_line: bool = True
    adapter_latency: float = PORT_LATENCY
    clock: Callable[[], float] | None = None
    simulation: Simulation | None = None
    saturations: Callable[[], dict[str, int]] | None = None
    run_apart: RunApart | None = None
    fetch: Callable[[int], bytes] | None = None

    @property
    @abstractmethod
    def in_waiting(self) -> int:
        """Bytes that can be read without waiting."""

    @abstractmethod
    def read(self, size: int = 1, /) -> bytes:
        """Read up to `size` bytes, waiting for the first one no longer than `timeout`."""

    @abstractmethod
    def write(self, data: bytes, /) -> int | None:
        """Write bytes."""

    @abstractmethod
    def close(self) -> None:
        """Release the resources of the transport, which is not used again."""


class SerialTransport(Transport):
    """A port of pyserial as a transport.

    Parameters
    ----------
    port:
        An open port, of any of pyserial's classes.
    has_line:
        Whether bytes travel at the rate of the port. They do not behind a pseudo-terminal.
    """

    def __init__(self, port: Any, has_line: bool = True) -> None:
        self.port = port
        self.has_line = has_line

    @property
    def timeout(self) -> float | None:
        """Seconds that `read` waits for the first byte."""
        seconds: float | None = self.port.timeout
        return seconds

    @timeout.setter
    def timeout(self, seconds: float | None) -> None:
        self.port.timeout = seconds

    @property
    def baudrate(self) -> int:
        """Bits per second."""
        return int(self.port.baudrate)

    @baudrate.setter
    def baudrate(self, baud: int) -> None:
        self.port.baudrate = baud

    @property
    def in_waiting(self) -> int:
        """Bytes that can be read without waiting."""
        return int(self.port.in_waiting)

    def read(self, size: int = 1, /) -> bytes:
        """Read up to `size` bytes."""
        data: bytes = self.port.read(size)
        return data

    def write(self, data: bytes, /) -> int | None:
        """Write bytes."""
        written: int | None = self.port.write(data)
        return written

    def close(self) -> None:
        """Close the port."""
        self.port.close()


class WrappedTransport(Transport):
    """A transport that passes everything on to another one, as a base for ones that change a part.

    It lacks `run_apart` and `fetch`, because what they do does not pass any transport.

    Parameters
    ----------
    inner:
        The transport that does the work. `close` closes it.
    """

    def __init__(self, inner: Transport) -> None:
        self.inner = inner
        self.has_line = inner.has_line
        self.adapter_latency = inner.adapter_latency
        self.clock = inner.clock
        self.simulation = inner.simulation
        self.saturations = inner.saturations

    @property
    def timeout(self) -> float | None:
        """Seconds that `read` waits for the first byte."""
        return self.inner.timeout

    @timeout.setter
    def timeout(self, seconds: float | None) -> None:
        self.inner.timeout = seconds

    @property
    def baudrate(self) -> int:
        """Bits per second."""
        return self.inner.baudrate

    @baudrate.setter
    def baudrate(self, baud: int) -> None:
        self.inner.baudrate = baud

    @property
    def in_waiting(self) -> int:
        """Bytes that can be read without waiting."""
        return self.inner.in_waiting

    def read(self, size: int = 1, /) -> bytes:
        """Read up to `size` bytes."""
        return self.inner.read(size)

    def write(self, data: bytes, /) -> int | None:
        """Write bytes."""
        return self.inner.write(data)

    def close(self) -> None:
        """Close the inner transport."""
        self.inner.close()
