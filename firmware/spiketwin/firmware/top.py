"""The top module of a bitstream: a device on the pins of a board, with its clock and its reset."""

from __future__ import annotations

from math import ceil
from typing import Any, Final

from amaranth.hdl import ClockDomain, ClockSignal, Elaboratable, Module, Signal
from amaranth.lib import io
from amaranth.lib.cdc import ResetSynchronizer

from spiketwin.firmware.plan import Plan
from spiketwin.hdl.gateware.top import PinsTop

RESET_SECONDS: Final = 15e-6
"""Time from configuration to the first clock cycle of the core: the block RAM of an iCE40 reads as
zeros for some 3 µs (icestorm issue 76)."""


class BoardTop(Elaboratable):
    """A device on the UART of a board."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.pins = PinsTop(plan.params, plan.clock_hz, plan.build, plan.cycles_per_bit)

    def elaborate(self, platform: Any) -> Module:
        """Return the module for a board."""
        m = Module()
        m.domains.sync = ClockDomain(reset_less=not self.plan.target.family.reset)
        m.submodules.clocking = _Clocking(self.plan)
        m.submodules.device = self.pins
        uart = platform.request("uart", 0, dir="-")
        m.submodules.rx = rx = io.Buffer(io.Direction.Input, uart.rx)
        m.submodules.tx = tx = io.Buffer(io.Direction.Output, uart.tx)
        m.d.comb += [self.pins.rx.eq(rx.i), tx.o.eq(self.pins.tx)]
        return m


class _Clocking(Elaboratable):
    """The driver of the domain ``sync``, held in reset until clock and memories can be relied on.

    If the domain has no reset, its clock is stopped for that time instead.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        pll, target = self.plan.pll, self.plan.target
        # The tools derive the constraint of this clock from the constraint of the pin and the PLL.
        clock, locked = Signal(), Signal()
        pad = platform.request(platform.default_clk, dir="-")
        pll.instantiate(m, pad, target.package, clock, locked)

        m.domains.start = ClockDomain(local=True)
        m.d.comb += ClockSignal("start").eq(clock)
        m.submodules.unlocked = ResetSynchronizer(~locked, domain="start")
        cycles = ceil(RESET_SECONDS * pll.hz)
        cycles_left = Signal(range(cycles + 1), init=cycles)
        held = Signal(init=1)
        m.d.start += held.eq(cycles_left != 0)
        target.family.start(m, clock, held)
        with m.If(cycles_left != 0):
            m.d.start += cycles_left.eq(cycles_left - 1)
        return m
