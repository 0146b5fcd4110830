"""Transports whose device runs in this process, which pyserial can open as well."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Final, Protocol, Self

import serial

from spiketwin.host.addresses import parse_as
from spiketwin.host.errors import TargetError
from spiketwin.host.kinds import Target, TargetKind
from spiketwin.host.transport import Transport

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_LONGEST_READ: Final = 1.0
_MOST_BYTES: Final = 1 << 16


class ByteDevice(Protocol):
    """A device in this process, as bytes that go in and come out."""

    def write(self, data: bytes) -> None:
        """Take bytes from the host."""

    def read(self, max_bytes: int, seconds: float) -> bytes:
        """Return bytes to the host, at most `max_bytes`.

        It returns at once if any are there, and after at most `seconds` if none come. A device
        that has no clock returns at once in any case.
        """

    def close(self) -> None:
        """Free the resources of the device; it is not used again."""


class InProcessSerial(serial.SerialBase, Transport):
    """A port whose device is made when it is opened and gone when it is closed.

    It is opened by a `Target` (`of`), or by pyserial with an address. Reading returns as soon as
    there are any bytes; without a timeout it returns after a second at the latest, so that nothing
    blocks for ever. Line settings are accepted and have no effect.
    """

    kind: ClassVar[TargetKind]
    """The scheme that addresses are parsed with."""

    has_line = False

    _target: Target | None = None
    _device: ByteDevice | None = None
    _pending: bytearray

    @classmethod
    def of(cls, target: Target) -> Self:
        """Open a target; raises as `make_device`."""
        port = cls(timeout=0)
        port._target = target
        port.open()
        return port

    @abstractmethod
    def make_device(self, target: Target) -> ByteDevice:
        """Make the device that a target means; raise `TargetError` if there is no such device."""

    def open(self) -> None:
        """Make the device; raise `SerialException` if the port is open or its address is wrong."""
        if self.is_open:
            raise serial.SerialException("the port is already open: close it first")
        if self._target is not None:
            self._device = self.make_device(self._target)
        elif self.port is None:
            raise serial.SerialException("the port has no URL: set `port` first")
        else:
            try:
                self._device = self.make_device(parse_as(self.kind, self.port))
            except TargetError as error:
                raise serial.SerialException(str(error)) from error
        self._pending = bytearray()
        self.is_open = True

    def close(self) -> None:
        """Close the port and discard its device."""
        if self._device is not None:
            self._device.close()
            self._device = None
        self.is_open = False

    @property
    def device(self) -> ByteDevice:
        """The device; raises `serial.PortNotOpenError` if the port is closed."""
        if self._device is None:
            raise serial.PortNotOpenError()
        return self._device

    @property
    def in_waiting(self) -> int:
        """Bytes that can be read at once."""
        self._pending += self.device.read(_MOST_BYTES, 0.0)
        return len(self._pending)

    def read(self, size: int = 1, /) -> bytes:
        """Read at most `size` bytes; fewer, or none, when no more are there."""
        device = self.device
        if not self._pending:
            # Take all that the device sends: a simulation that stops at each byte is slow.
            seconds = _LONGEST_READ if self.timeout is None else self.timeout
            self._pending += device.read(_MOST_BYTES, seconds)
        data = bytes(self._pending[:size])
        del self._pending[:size]
        return data

    def write(self, data: ReadableBuffer, /) -> int:
        """Write all bytes, and return their number."""
        octets = bytes(data)
        self.device.write(octets)
        return len(octets)

    def reset_input_buffer(self) -> None:
        """Drop the bytes that the device has sent."""
        self.device.read(_MOST_BYTES, 0.0)
        self._pending.clear()

    def reset_output_buffer(self) -> None:
        """Do nothing: written bytes reach the device at once."""

    def _ignore(self) -> None:
        """Do nothing: line settings have no meaning here."""

    _reconfigure_port = _update_rts_state = _update_dtr_state = _update_break_state = _ignore
