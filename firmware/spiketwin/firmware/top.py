"""The whole of a bitstream: a device on the pins of a board, with its clock and its reset."""

from __future__ import annotations

from math import ceil
from typing import Any, Final

from amaranth.hdl import (
    ClockDomain,
    ClockSignal,
    Const,
    Elaboratable,
    Instance,
    Module,
    ResetSignal,
    Signal,
)
from amaranth.lib import io
from amaranth.lib.cdc import ResetSynchronizer

from spiketwin.firmware import clocks
from spiketwin.firmware.clocks import Ecp5Pll, Ice40Pll, Xc7Mmcm
from spiketwin.firmware.devices import device
from spiketwin.firmware.packages import package
from spiketwin.firmware.synthesis import Family
from spiketwin.hdl.gateware.top import PinsTop
from spiketwin.hdl.spec.params import CoreParams

DEFAULT_BAUD: Final = 115200
"""Rate of the line after power-up."""

_RESET_SECONDS: Final = 15e-6
"""An iCE40's block RAM reads as zeros for some 3 µs after configuration (icestorm issue 76)."""

Pll = Ice40Pll | Ecp5Pll | Xc7Mmcm


def pll(platform: Any, wanted_hz: int) -> Pll:
    """Choose the setting of a board's PLL for a clock.

    Raises
    ------
    ClockError
        Its PLL cannot make it.
    """
    input_hz = round(platform.default_clk_frequency)
    match device(platform).family:
        case Family.ECP5:
            return clocks.ecp5_pll(input_hz, wanted_hz)
        case Family.XC7:
            return clocks.xc7_mmcm(input_hz, wanted_hz)
        case Family.ICE40 | Family.ICE40_ULTRA_PLUS:
            return clocks.ice40_pll(input_hz, wanted_hz)


class BoardTop(Elaboratable):
    """A device on the UART of a board.

    Parameters
    ----------
    params, build:
        As of `Device`.
    pll:
        Setting of the PLL, whose frequency the device reports.
    """

    def __init__(self, params: CoreParams, build: str, pll: Pll) -> None:
        self.pll = pll
        self.clock_hz = round(pll.hz)
        self.cycles_per_bit = round(self.clock_hz / DEFAULT_BAUD)
        self.pins = PinsTop(params, self.clock_hz, build, self.cycles_per_bit)

    def elaborate(self, platform: Any) -> Module:
        """Build it for a board."""
        m = Module()
        # An ECP5 begins with every flip-flop at its initial value, and its clock can wait. A reset
        # would be a net to thousands of them through ordinary wires: the longest path of all.
        m.domains.sync = ClockDomain(reset_less=isinstance(self.pll, Ecp5Pll))
        m.submodules.clocking = _Clocking(self.pll)
        m.submodules.device = self.pins
        uart = platform.request("uart", 0, dir="-")
        m.submodules.rx = rx = io.Buffer(io.Direction.Input, uart.rx)
        m.submodules.tx = tx = io.Buffer(io.Direction.Output, uart.tx)
        m.d.comb += [self.pins.rx.eq(rx.i), tx.o.eq(self.pins.tx)]
        return m


class _Clocking(Elaboratable):
    """Drives the domain ``sync``, in reset until its clock is good and memories can be read.

    If the domain has no reset, its clock begins then.
    """

    def __init__(self, pll: Pll) -> None:
        self.pll = pll

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        # The tools derive the constraint of this clock from that of the pin and the PLL.
        clock, locked = Signal(), Signal()
        pad = platform.request(platform.default_clk, dir="-")
        housing = package(platform)
        match self.pll:
            case Ice40Pll() if housing is not None and housing.at_pll(pad):
                # It takes the pin itself: an input buffer beside it would take the PLL's place.
                _ice40(m, "SB_PLL40_PAD", self.pll, {"i_PACKAGEPIN": pad.io}, clock, locked)
            case Ice40Pll():
                m.submodules.pad = buffer = io.Buffer(io.Direction.Input, pad)
                source = {"i_REFERENCECLK": buffer.i}
                _ice40(m, "SB_PLL40_CORE", self.pll, source, clock, locked)
            case Ecp5Pll():
                m.submodules.pad = buffer = io.Buffer(io.Direction.Input, pad)
                _ecp5(m, self.pll, buffer.i, clock, locked)
            case Xc7Mmcm():
                m.submodules.pad = buffer = io.Buffer(io.Direction.Input, pad)
                _xc7(m, self.pll, buffer.i, clock, locked)

        m.domains.start = ClockDomain(local=True)
        m.d.comb += ClockSignal("start").eq(clock)
        m.submodules.unlocked = ResetSynchronizer(~locked, domain="start")
        cycles = ceil(_RESET_SECONDS * self.pll.hz)
        cycles_left = Signal(range(cycles + 1), init=cycles)
        held = Signal(init=1)
        m.d.start += held.eq(cycles_left != 0)
        if isinstance(self.pll, Ecp5Pll):
            m.submodules.gate = Instance(
                "DCCA", i_CLKI=clock, i_CE=~held, o_CLKO=ClockSignal("sync")
            )
        else:
            m.d.comb += [ClockSignal("sync").eq(clock), ResetSignal("sync").eq(held)]
        with m.If(cycles_left != 0):
            m.d.start += cycles_left.eq(cycles_left - 1)
        return m


def _ice40(
    m: Module,
    kind: str,
    pll: Ice40Pll,
    source: dict[str, Any],
    clock: Signal,
    locked: Signal,
) -> None:
    m.submodules.pll = Instance(
        kind,
        p_FEEDBACK_PATH="SIMPLE",
        p_DIVR=Const(pll.divr, 4),
        p_DIVF=Const(pll.divf, 7),
        p_DIVQ=Const(pll.divq, 3),
        p_FILTER_RANGE=Const(pll.filter_range, 3),
        i_RESETB=Const(1),
        i_BYPASS=Const(0),
        o_PLLOUTGLOBAL=clock,
        o_LOCK=locked,
        **source,
    )


def _ecp5(m: Module, pll: Ecp5Pll, source: Signal, clock: Signal, locked: Signal) -> None:
    feedback = Signal()
    m.submodules.pll = Instance(
        "EHXPLLL",
        # The analogue settings of Lattice's own generator.
        a_ICP_CURRENT="12",
        a_LPF_RESISTOR="8",
        a_MFG_ENABLE_FILTEROPAMP="1",
        a_MFG_GMCREF_SEL="2",
        p_FEEDBK_PATH="CLKOP",
        p_CLKI_DIV=pll.input_divider,
        p_CLKFB_DIV=1,
        p_CLKOP_ENABLE="ENABLED",
        p_CLKOP_DIV=pll.factor,
        p_CLKOP_CPHASE=pll.factor - 1,
        p_CLKOS_ENABLE="ENABLED",
        p_CLKOS_DIV=pll.output_divider,
        p_CLKOS_CPHASE=pll.output_divider - 1,
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


def _xc7(m: Module, pll: Xc7Mmcm, source: Signal, clock: Signal, locked: Signal) -> None:
    feedback, output = Signal(), Signal()
    m.submodules.mmcm = Instance(
        "MMCME2_BASE",
        p_CLKIN1_PERIOD=1e9 / float(pll.hz * pll.output_divider / pll.factor * pll.input_divider),
        p_DIVCLK_DIVIDE=pll.input_divider,
        p_CLKFBOUT_MULT_F=float(pll.factor),
        p_CLKOUT0_DIVIDE_F=float(pll.output_divider),
        i_CLKIN1=source,
        i_CLKFBIN=feedback,
        i_RST=Const(0),
        i_PWRDWN=Const(0),
        o_CLKFBOUT=feedback,
        o_CLKOUT0=output,
        o_LOCKED=locked,
    )
    m.submodules.global_clock = Instance("BUFG", i_I=output, o_O=clock)
