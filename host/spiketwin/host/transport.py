"""Transports: the bytes to and from one device, and what is known of the way there.

A transport offers what the link uses of a serial port, and says by its attributes what else the
device behind it can do. `SerialTransport` makes one of any port of pyserial; a target of another
kind brings a transport of its own (docs/targets.md).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Final, Protocol

from spiketwin.hdl.spec.protocol import DEFAULT_BAUD
from spiketwin.host.plan import Plan
from spiketwin.host.timeline import Simulation

PORT_LATENCY: Final = 0.02
"""Seconds that the adapter of a serial port and the operating system may sit on bytes."""

POLL: Final = 0.005
"""Seconds after which a read returns empty-handed so that the deadline is looked at."""


class RunApart(Protocol):
    """Carries out runs that do not depend on each other on several threads."""

    def __call__(self, plan: Plan, threads: int, report: Callable[[int], None]) -> bytes:
        """Carry out the runs of a plan and return the output words of all of them, in order.

        The device is then as if it had carried out one run after the other. Where `report` raises
        an exception, the device is as it was before the first run.

        Parameters
        ----------
        plan:
            The runs.
        threads:
            Most threads that the runs may be spread over.
        report:
            Called now and then with the number of runs that are done.
        """
        ...


class Transport(ABC):
    """Bytes to and from one device.

    A transport has to read, to write and to close. All else has a default that suits a device
    behind a serial port; a capability that is None is one that the device lacks.

    Attributes
    ----------
    timeout:
        Seconds that `read` waits for the first byte; None is without end.
    baudrate:
        Bits per second of the line, as far as there is one.
    has_line:
        Whether bytes travel at `baudrate`, and `Core.set_baud` changes it.
    adapter_latency:
        Seconds that bytes may be under way beside the time that they take on the line.
    clock:
        Returns the seconds in which the deadlines of the link are measured, for a device that lives
        in a time of its own; None for one that lives in the time of this computer.
    simulation:
        The time of a simulated device, for the ledger of a run.
    saturations:
        Returns the counters of what saturated (`spec.registers.SATURATIONS`), for a device that
        counts them although its core is built without these counters.
    run_apart:
        Carries out independent runs on several threads.
    """

    timeout: float | None = 0.0
    baudrate: int = DEFAULT_BAUD
    has_line: bool = True
    adapter_latency: float = PORT_LATENCY
    clock: Callable[[], float] | None = None
    simulation: Simulation | None = None
    saturations: Callable[[], dict[str, int]] | None = None
    run_apart: RunApart | None = None

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
        """Give back what the transport holds; it is not used again."""


class SerialTransport(Transport):
    """A port of pyserial as a transport.

    Parameters
    ----------
    port:
        The port, open. Any of pyserial's classes will do.
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
    """A transport that passes everything on to another one; for classes that change a part of it.

    It lacks `run_apart`, because the runs that are carried out this way do not pass any transport.

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
