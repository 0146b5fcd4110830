"""The base of all errors of this package, and the errors that several of its parts raise."""

from __future__ import annotations

from typing import ClassVar


class SpiketwinError(Exception):
    """Base of all errors of this package.

    Attributes
    ----------
    exit_status:
        Exit status of a command that this error ends: 1 if a target or a tool broke down on the
        way; 2 if the command could not be carried out at all.
    """

    exit_status: ClassVar[int] = 1


class TargetError(SpiketwinError):
    """A target is not available: unknown address, missing package or tool, no such port."""

    exit_status = 2


class ToolMissing(TargetError):
    """A tool of a build is not usable here; the message names the command that mends it."""
