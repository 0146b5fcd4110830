"""Simulated targets: their descriptions, and their URL handlers for pyserial.

`TARGETS` describes them to `connect` (`spiketwin.host.registered`), which opens a target as a
typed value. Any other program can open them by address: with this package in
``serial.protocol_handler_packages``, pyserial finds ``protocol_NAME`` in it when it opens
``NAME://…``.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Final

from spiketwin.host.kinds import (
    PARAMS_OPTION,
    SILENT_TERMINAL,
    TERMINAL_PATIENCE,
    Target,
    TargetKind,
)
from spiketwin.host.transport import Transport

LEVEL: Final = "level"
CLOCK: Final = "clock"
CYCLES_PER_BIT: Final = "cycles_per_bit"
FAMILY: Final = "family"
IMAGE: Final = "from"
POWER_UP: Final = "power_up"
"""Options that the address of a target can have."""

_RTL_OPTIONS: Final = (PARAMS_OPTION, LEVEL, CYCLES_PER_BIT, CLOCK, POWER_UP)
_NO_LINE: Final = "its bytes take no time: leave it out, or take {}"
_OF_RTL: Final = _NO_LINE.format("rtl+pty: or rtl:?level=pins, which simulate the line")
_OF_NETLIST: Final = _NO_LINE.format("netlist:?level=pins, which simulates the line")


def _opened_by(module: str) -> Callable[[Target], Transport]:
    """Return a function that opens a target by a module's `open_target`, imported only then."""

    def open_target(target: Target) -> Transport:
        opened: Transport = import_module(f"{__name__}.{module}").open_target(target)
        return opened

    return open_target


def _at_pins(default_level: str) -> Callable[[Target], bool]:
    """Return a predicate that says whether the line of a target is simulated."""
    return lambda target: (
        target.options.get(LEVEL, default_level) == "pins" or IMAGE in target.options
    )


MODEL: Final = TargetKind(
    "model",
    _opened_by("protocol_model"),
    origin="computed",
    options=(PARAMS_OPTION, CLOCK),
    why_no_line=_OF_RTL,
)

RTL: Final = TargetKind(
    "rtl",
    _opened_by("protocol_rtl"),
    origin="simulated",
    options=_RTL_OPTIONS,
    has_line=_at_pins("bytes"),
    extra="rtl",
    why_no_line=_OF_RTL,
)

RTL_TERMINAL: Final = TargetKind(
    "rtl+pty",
    _opened_by("terminal"),
    origin="simulated",
    options=_RTL_OPTIONS,
    has_line=_at_pins("pins"),
    patience=TERMINAL_PATIENCE,
    extra="rtl",
    advice=SILENT_TERMINAL,
    why_no_line=_OF_RTL,
)

NETLIST: Final = TargetKind(
    "netlist",
    _opened_by("protocol_netlist"),
    origin="simulated",
    options=(*_RTL_OPTIONS, FAMILY, IMAGE),
    has_line=_at_pins("bytes"),
    extra="boards",
    why_no_line=_OF_NETLIST,
)

TARGETS: Final = (MODEL, RTL, RTL_TERMINAL, NETLIST)
