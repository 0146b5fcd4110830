"""The registers of `spec.registers`, each a signal of its own width."""

from __future__ import annotations

from amaranth.hdl import Module, Shape, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.registers import registers


class RegisterFile(wiring.Component):
    """All registers, 0 after a reset.

    Members
    -------
    <name>:
        Out, each register.
    reset_stb:
        In, set all to 0.
    address, value, write_stb:
        In, write one.
    stored:
        Out, the one at `address`, extended to 32 bits, a cycle later.
    """

    def __init__(self, params: CoreParams) -> None:
        self.table = registers(params)
        super().__init__(
            {
                **{r.name: Out(Shape(r.width(params), r.signed)) for r in self.table},
                "reset_stb": In(1),
                "address": In(range(len(self.table))),
                "value": In(32),
                "write_stb": In(1),
                "stored": Out(32),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        with m.Switch(self.address):
            for address, register in enumerate(self.table):
                signal: Signal = getattr(self, register.name)
                with m.Case(address):
                    m.d.sync += self.stored.eq(signal)
                    with m.If(self.write_stb):
                        m.d.sync += signal.eq(self.value)
        with m.If(self.reset_stb):
            m.d.sync += [getattr(self, register.name).eq(0) for register in self.table]
        return m
