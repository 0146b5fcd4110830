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
"""This package, and what stands between two functions of it."""


class SpiketwinWarning(UserWarning):
    """Legal, but almost surely a mistake; commands show it as a line on the terminal."""


def warn(text: str) -> None:
    """Warn (`SpiketwinWarning`) whoever called this package, with the line of theirs that did."""
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
    """Right in itself, but more than the connected core can hold; nothing was written."""

    exit_status = 2


class HalfWritten(SpiketwinError):
    """What a core needs for a run was not written to its end; the message says what mends it."""


class NetworkFileError(SpiketwinError, ValueError):
    """A file is no network of ours, is damaged, or is of another version."""

    exit_status = 2


class RecordingError(SpiketwinError, ValueError):
    """A file is no recorded session, or is damaged; the message names the line."""

    exit_status = 2


class LinkError(SpiketwinError):
    """The device cannot be talked to (any more)."""


class LinkTimeout(LinkError, TimeoutError):
    """The device did not answer, however often it was asked."""


class LinkLost(LinkError, ConnectionError):
    """The port is gone: unplugged, closed by the other side, or taken by another program."""


class CoreClosed(LinkError):
    """The core was closed at this end, by the program itself; the message says by what."""


class DeviceRestarted(LinkError):
    """The device lost power or was reset, and with it everything programmed."""


class IncompatibleDevice(LinkError):
    """What answers is of another release, or built from other tables."""


class ReplayMismatch(LinkError):
    """The host says something else than it did when the session was recorded."""


class Refused(LinkError):
    """The device refused a request.

    Attributes
    ----------
    opcode, status:
        The request and the reason.
    detail:
        What `STATUS_DOC` says it is for that reason.
    """

    def __init__(self, opcode: Opcode, status: Status, detail: int) -> None:
        super().__init__(
            f"the device refused {opcode.name}: {status.name} ({detail}). {STATUS_DOC[status]}"
        )
        self.opcode = opcode
        self.status = status
        self.detail = detail
