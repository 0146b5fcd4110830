"""A core inside a module of one's own, in Amaranth: ``python examples/beside.py beside.v``.

The module is one's own: a light that stays on for a while after the core was spoken to. It can be
built by any platform of Amaranth, or be written as Verilog, as here.
"""

import sys
from pathlib import Path
from typing import Any

from amaranth.back import verilog
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spiketwin.hdl.gateware.top import PinsTop
from spiketwin.hdl.spec.params import preset

HOLD = 20_000
"""Cycles that the light stays on."""


class Beside(wiring.Component):
    """A core on its UART, and a light."""

    def __init__(self) -> None:
        super().__init__({"rx": In(1), "tx": Out(1), "light": Out(1)})

    def elaborate(self, _platform: object) -> Module:
        """Build it."""
        port: Any = self
        m = Module()
        m.submodules.core = core = PinsTop(
            preset("tiny"), clock_hz=100_000_000, build="model", cycles_per_bit=4
        )
        m.d.comb += [core.rx.eq(port.rx), port.tx.eq(core.tx)]

        left = Signal(range(HOLD + 1))
        m.d.comb += port.light.eq(left != 0)
        with m.If(~port.rx):
            m.d.sync += left.eq(HOLD)
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
        return m


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(verilog.convert(Beside(), name="beside"), encoding="ascii")
