"""Artix-7 of AMD: a project for Vivado, and an estimate by Yosys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import Any, Final

from amaranth.hdl import Const, Instance, Module, Signal

from spiketwin.firmware.clocks import MHZ, Candidate, Pll, Range, around, nearest
from spiketwin.firmware.family import Family, VendorProject, input_buffer
from spiketwin.firmware.fpga import Device, Package

_DETECTOR: Final = Range(10 * MHZ, 450 * MHZ)
_OSCILLATOR: Final = Range(600 * MHZ, 1200 * MHZ)
_OUTPUT: Final = Range(4_690_000, 800 * MHZ)

_XC7A35T: Final = {"logic": 20_800, "memory": 50, "dsp": 90}
"""LUTs, block RAM of 36 kbit, DSPs (AMD DS180)."""


@dataclass(frozen=True, kw_only=True)
class Xc7Mmcm(Pll):
    """Setting of an MMCME2 of a 7-series FPGA, speed grade -1 (AMD DS181, UG472)."""

    input_divider: int
    factor: Fraction
    output_divider: Fraction

    def instantiate(
        self, m: Module, pad: Any, package: Package | None, clock: Signal, locked: Signal
    ) -> None:
        """Add an input buffer, an MMCME2, and a global clock buffer."""
        source = input_buffer(m, pad)
        input_hz = self.hz * self.output_divider / self.factor * self.input_divider
        feedback, output = Signal(), Signal()
        m.submodules.mmcm = Instance(
            "MMCME2_BASE",
            p_CLKIN1_PERIOD=1e9 / float(input_hz),
            p_DIVCLK_DIVIDE=self.input_divider,
            p_CLKFBOUT_MULT_F=float(self.factor),
            p_CLKOUT0_DIVIDE_F=float(self.output_divider),
            i_CLKIN1=source,
            i_CLKFBIN=feedback,
            i_RST=Const(0),
            i_PWRDWN=Const(0),
            o_CLKFBOUT=feedback,
            o_CLKOUT0=output,
            o_LOCKED=locked,
        )
        m.submodules.global_clock = Instance("BUFG", i_I=output, o_O=clock)


class _Xc7(Family):
    def pll(self, input_hz: int, wanted_hz: int) -> Xc7Mmcm:
        """Return the setting of an MMCME2.

        Its frequency is ``input · CLKFBOUT_MULT_F / DIVCLK_DIVIDE / CLKOUT0_DIVIDE_F``. The factor,
        2…64, and the output divider, 2…128, are multiples of one eighth.
        """
        return nearest(self.title, _settings(input_hz, wanted_hz), input_hz, wanted_hz)


def _settings(input_hz: int, wanted_hz: int) -> Iterator[Candidate[Xc7Mmcm]]:
    for input_divider in range(1, 107):
        detector = Fraction(input_hz, input_divider)
        if not _DETECTOR.holds(detector):
            continue
        least, most = (8 * hz / detector for hz in _OSCILLATOR)
        for eighths in range(max(16, ceil(least)), min(8 * 64, floor(most)) + 1):
            factor = Fraction(eighths, 8)
            oscillator = detector * factor
            for divider_eighths in around(8 * oscillator / wanted_hz, 8 * 128):
                output_divider = Fraction(divider_eighths, 8)
                setting = Xc7Mmcm(
                    input_divider=input_divider, factor=factor, output_divider=output_divider,
                    hz=oscillator / output_divider,
                )  # fmt: skip
                if output_divider >= 2 and _OUTPUT.holds(setting.hz):
                    yield Candidate(setting, detector, oscillator)


XC7: Final = _Xc7(
    name="xc7",
    title="7-series",
    # IDCODEs: AMD UG470.
    devices=tuple(
        Device(name, idcode=0x0362D093, holds=_XC7A35T) for name in ("xc7a35t", "xc7a35ti")
    ),
    synthesis="synth_xilinx -family xc7 -flatten",
    mapped={
        # LUTs that a cell takes; that two small LUTs can share one is not counted on.
        "logic": {
            **{f"LUT{inputs}": 1 for inputs in range(1, 7)},
            "RAM32M": 4, "RAM64M": 4, "RAM32X1D": 2, "RAM64X1D": 2, "RAM128X1D": 4, "RAM256X1D": 8,
            "RAM32X1S": 1, "RAM64X1S": 1, "SRL16E": 1, "SRLC32E": 1,
        },
        "flip_flops": {"FD*": 1},
        # Of 36 kbit.
        "memory": {"RAMB36E1": 1, "RAMB18E1": Fraction(1, 2)},
        "dsp": {"DSP48E1": 1},
    },
    block_ram=((1024, 36), (2048, 18), (4096, 9), (8192, 4), (16384, 2), (32768, 1)),
    flow=VendorProject("Vivado", "vivado -mode batch -source top.tcl"),
    written=(".tcl", ".v", ".xdc"),
)  # fmt: skip
