"""The base of everything that this package raises on purpose, and what all its parts raise."""

from __future__ import annotations

from typing import ClassVar


class SpiketwinError(Exception):
    """Base of all errors of this package.

    Attributes
    ----------
    exit_status:
        Status with which a command ends that is broken off by this error: 1 where a target or a
        tool broke down on the way; 2 where the call could not be carried out at all.
    """

    exit_status: ClassVar[int] = 1


class TargetError(SpiketwinError):
    """A target cannot be had: unknown address, missing package or tool, no such port."""

    exit_status = 2


class ToolMissing(TargetError):
    """A tool of a build is not usable here; the message names the command that mends it."""
