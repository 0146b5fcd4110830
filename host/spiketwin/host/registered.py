"""The kinds of targets that packages have registered, in this package and in others.

A package registers by an entry point of the group ``spiketwin.targets``, whose value is the name of
a package of URL handlers for pyserial (``protocol_NAME.py``). That alone makes `connect` find
``NAME://…``. The package may also describe its targets in a tuple `TARGETS` of `TargetKind`; such
targets are opened without pyserial, and are named in messages and help.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Final

import serial

from spiketwin.host.errors import TargetError, warn
from spiketwin.host.kinds import TargetKind

GROUP: Final = "spiketwin.targets"
"""Group of the entry points."""


@cache
def registered_kinds() -> dict[str, TargetKind]:
    """Return all registered kinds, by scheme; of several with the same scheme, the first.

    Leaves out a package that cannot be imported, with a `SpiketwinWarning`. Raises `TargetError` if
    a package offers anything that is not a `TargetKind`.
    """
    kinds: dict[str, TargetKind] = {}
    for package in _packages():
        try:
            found = getattr(import_module(package), "TARGETS", ())
        except Exception as error:  # a foreign package may raise any exception
            warn(f"the targets of {package} are left out: {type(error).__name__}: {error}")
            continue
        for kind in found:
            if not isinstance(kind, TargetKind):
                raise TargetError(f"TARGETS of {package} has {kind!r}, which is no TargetKind")
            kinds.setdefault(kind.scheme, kind)
    return kinds


def register_handlers() -> None:
    """Add the URL handlers of all registered packages to pyserial."""
    known = serial.protocol_handler_packages
    known += [package for package in _packages() if package not in known]


def all_targets() -> str:
    """Return the list of all targets, as text for messages and help."""
    return (
        f"{', '.join(f'{scheme}:' for scheme in registered_kinds())}, a serial port "
        "(`spiketwin devices` lists them), socket://host:port or replay:FILE"
    )


@cache
def _packages() -> tuple[str, ...]:
    return tuple(entry.value for entry in entry_points(group=GROUP))
