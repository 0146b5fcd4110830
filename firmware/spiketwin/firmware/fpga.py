"""One FPGA: its name, its package and its pins."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from amaranth.lib import io

from spiketwin.firmware.errors import BoardError


@dataclass(frozen=True)
class Device:
    """One FPGA of a family.

    Attributes
    ----------
    name:
        Name of the FPGA in Amaranth's platforms.
    nextpnr:
        Option of nextpnr that chooses the FPGA; empty if no open tool routes it.
    idcode:
        Code that the FPGA returns over JTAG; None if it has no such code, or it is not known.
    holds:
        Number of its memories of each kind, and of all its cells if no open tool routes it.
    """

    name: str
    nextpnr: str = ""
    idcode: int | None = None
    holds: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Package:
    """One package of an FPGA.

    Attributes
    ----------
    nextpnr:
        Name of the package in nextpnr.
    pins:
        All pins that a design may use.
    pll_pads:
        The pins that share their place with a PLL: a clock at such a pin goes to the PLL alone, and
        any other input there leaves no place for the PLL.
    speed:
        The speed grade, if nextpnr has to know it.
    """

    nextpnr: str
    pins: frozenset[str]
    pll_pads: frozenset[str] = frozenset()
    speed: str = ""

    def near(self, pin: str) -> str:
        """Return text with the names of pins most like a wrong name, for an error message."""
        return ", ".join(get_close_matches(pin.upper(), sorted(self.pins), n=5, cutoff=0.3))

    def at_pll(self, clock: Any) -> bool:
        """Return whether the port of a clock is at a pin that shares its place with a PLL."""
        return not self.pll_pads.isdisjoint(pins(clock))


def pins(port: Any) -> list[str]:
    """Return the names of the pins of an Amaranth port."""
    wires = (port.p, port.n) if isinstance(port, io.DifferentialPort) else (port.io,)
    return [bit.name for wire in wires for bit in wire.metadata]


def known(platform: Any, what: str, choices: Collection[str]) -> str:
    """Return the package or the speed grade of a platform, after a check that it is a known one.

    Raises
    ------
    BoardError
        The platform has none of the choices.
    """
    found = getattr(platform, what)
    if not isinstance(found, str) or found not in choices:
        raise BoardError(
            f"the `{what}` {found!r} of the platform is none of an {platform.device}, as Amaranth "
            f"calls them: {', '.join(choices)}"
        )
    return found
