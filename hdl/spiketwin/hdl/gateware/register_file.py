"""The registers of `spec.registers`, each a signal of its own width."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Shape, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
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
        Out, the one at `address`, extended to 32 bits, two cycles later.
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
        # What is read back is a copy, as written: to choose among the registers themselves would
        # take as much logic as they do. A reset does not reach the copy, so none counts after it.
        copies: Memory = Memory(shape=32, depth=len(self.table), init=[])
        m.submodules.copies = copies
        read, write = copies.read_port(), copies.write_port()
        written = Signal(len(self.table))
        is_written = Signal()
        m.d.comb += [
            read.addr.eq(self.address),
            write.addr.eq(self.address),
            write.data.eq(self.value),
            write.en.eq(self.write_stb),
        ]
        with m.Switch(self.address):
            for address, register in enumerate(self.table):
                with m.Case(address):
                    m.d.sync += is_written.eq(written[address])
                    with m.If(self.write_stb):
                        m.d.sync += [
                            getattr(self, register.name).eq(self.value),
                            written[address].eq(1),
                        ]
        m.d.sync += self.stored.eq(Mux(is_written, read.data, 0))
        with m.If(self.reset_stb):
            m.d.sync += written.eq(0)
            m.d.sync += [getattr(self, register.name).eq(0) for register in self.table]
        return m
