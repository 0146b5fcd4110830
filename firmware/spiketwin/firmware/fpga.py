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
        What Amaranth's platform calls it.
    nextpnr:
        Option that chooses it there; empty where there is no place and route.
    idcode:
        What JTAG reads from it; None if it has no such code, or none that is known.
    holds:
        How many cells of each kind it has, of an FPGA that no open tool routes.
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
        What it is called there.
    pins:
        All that a design may use.
    pll_pads:
        The pins of PLLs that take such a pin for themselves: a clock that comes in there goes to
        the PLL alone, and an input of another kind leaves no place for the PLL.
    speed:
        The speed grade, where nextpnr has to know it.
    """

    nextpnr: str
    pins: frozenset[str]
    pll_pads: frozenset[str] = frozenset()
    speed: str = ""

    def near(self, pin: str) -> str:
        """Give the names of pins that are most like a name that is none, for a message."""
        return ", ".join(get_close_matches(pin.upper(), sorted(self.pins), n=5, cutoff=0.3))

    def at_pll(self, clock: Any) -> bool:
        """Whether the port of a clock is at the pin of a PLL, which then takes it."""
        return not self.pll_pads.isdisjoint(pins(clock))


def pins(port: Any) -> list[str]:
    """Give the pins that a port of Amaranth is on."""
    wires = (port.p, port.n) if isinstance(port, io.DifferentialPort) else (port.io,)
    return [bit.name for wire in wires for bit in wire.metadata]


def known(platform: Any, what: str, choices: Collection[str]) -> str:
    """Give the package or the speed grade of a platform, which has to be one of those there are.

    Raises
    ------
    BoardError
        It is none of them.
    """
    found = getattr(platform, what)
    if not isinstance(found, str) or found not in choices:
        raise BoardError(
            f"the `{what}` {found!r} of the platform is none of an {platform.device}, as Amaranth "
            f"calls them: {', '.join(choices)}"
        )
    return found
