"""Everything that can go wrong at the host, under one base: `SpiketwinError`."""

from __future__ import annotations

import sys
import warnings
from typing import Final

from spiketwin.hdl.spec.errors import SpiketwinError, TargetError, ToolMissing
from spiketwin.hdl.spec.protocol import STATUS_DOC, Opcode, Status

__all__ = [
    "CoreClosed",
    "DeviceRestarted",
    "DoesNotFit",
    "EventFileError",
    "HalfWritten",
    "IncompatibleDevice",
    "InvalidInput",
    "InvalidNetwork",
    "LinkError",
    "LinkLost",
    "LinkTimeout",
    "NetworkFileError",
    "RecordingError",
    "Refused",
    "ReplayMismatch",
    "SpiketwinError",
    "SpiketwinWarning",
    "TargetError",
    "ToolMissing",
    "warn",
]

_NOT_CALLERS: Final = ("spiketwin", "contextlib", "functools")
"""Packages whose frames are skipped when the caller is looked for: this one, and wrappers in it."""


class SpiketwinWarning(UserWarning):
    """A legal value is almost surely a mistake; commands show the warning as a line."""


def warn(text: str) -> None:
    """Issue a `SpiketwinWarning` at the line of the program that called this package."""
    frame, level = sys._getframe(1), 2
    while frame.f_back and str(frame.f_globals.get("__name__")).partition(".")[0] in _NOT_CALLERS:
        frame, level = frame.f_back, level + 1
    warnings.warn(text, SpiketwinWarning, stacklevel=level)


class InvalidNetwork(SpiketwinError, ValueError):
    """A network contradicts itself or leaves the range of every core."""

    exit_status = 2


class InvalidInput(SpiketwinError, ValueError):
    """An argument of a call is wrong; nothing was sent."""

    exit_status = 2


class DoesNotFit(SpiketwinError, ValueError):
    """A valid network or value is more than the connected core can hold; nothing was written."""

    exit_status = 2


class HalfWritten(SpiketwinError):
    """A memory that a run needs was not written completely; the message says what to do."""


class NetworkFileError(SpiketwinError, ValueError):
    """A file is not a network file, is damaged, or has another version."""

    exit_status = 2


class EventFileError(SpiketwinError, ValueError):
    """A file holds no events that can be read, or is damaged; the message says what and where."""

    exit_status = 2


class RecordingError(SpiketwinError, ValueError):
    """A file is not a recorded session, or is damaged; the message names the line."""

    exit_status = 2


class LinkError(SpiketwinError):
    """The device cannot be reached, or no longer be reached."""


class LinkTimeout(LinkError, TimeoutError):
    """The device did not answer in any of the tries."""


class LinkLost(LinkError, ConnectionError):
    """The port is gone: unplugged, closed by the other side, or taken by another program."""


class CoreClosed(LinkError):
    """The program itself closed the core; the message says by which call."""


class DeviceRestarted(LinkError):
    """The device lost power or was reset, and has lost everything that was programmed."""


class IncompatibleDevice(LinkError):
    """The device is of another release, or built from other tables."""


class ReplayMismatch(LinkError):
    """The host sends other bytes than it did when the session was recorded."""


class Refused(LinkError):
    """The device refused a request.

    Attributes
    ----------
    opcode, status:
        Opcode of the request, and the reason.
    detail:
        A number whose meaning depends on the reason (`STATUS_DOC`).
    """

    def __init__(self, opcode: Opcode, status: Status, detail: int) -> None:
        super().__init__(
            f"the device refused {opcode.name}: {status.name} ({detail}). {STATUS_DOC[status]}"
        )
        self.opcode = opcode
        self.status = status
        self.detail = detail
