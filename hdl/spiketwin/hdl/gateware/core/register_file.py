"""The registers of `spec.registers`: all of them in a memory, and most in flip-flops as well."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Module, Mux, Shape, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from spiketwin.hdl.gateware.core.fetches import FETCHED
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.registers import registers


class RegisterPort(wiring.Signature):
    """Access of the link to the registers.

    Members
    -------
    address, value, write_stb:
        Write a register.
    stored:
        A cycle later, the register at `address`, extended to 32 bits, unless a register was
        fetched in that cycle.
    """

    def __init__(self, params: CoreParams) -> None:
        super().__init__(
            {
                "address": Out(range(len(registers(params)))),
                "value": Out(32),
                "write_stb": Out(1),
                "stored": In(32),
            }
        )


class RegisterValues(wiring.Signature):
    """The values of the named registers, as far as a core of these sizes has them."""

    def __init__(self, params: CoreParams, names: Sequence[str]) -> None:
        widths = {r.name: Shape(r.width(params), r.signed) for r in registers(params)}
        super().__init__({name: Out(widths[name]) for name in names if name in widths})


class RegisterFile(wiring.Component):
    """All registers of a core. They outlive a reset of the clock domain, as memories do.

    Members
    -------
    <name>:
        Out, each register that is not in `FETCHED`.
    link:
        Access of the link.
    <name>_stb:
        In, fetch this register of `FETCHED`.
    fetched:
        Out, a cycle later, the register that was fetched, extended to 32 bits.
    """

    def __init__(self, params: CoreParams) -> None:
        self.table = registers(params)
        held = [r.name for r in self.table if r.name not in FETCHED]
        super().__init__(
            {
                **RegisterValues(params, held).members,
                **{f"{r.name}_stb": In(1) for r in self.table if r.name in FETCHED},
                "link": In(RegisterPort(params)),
                "fetched": Out(32),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        # The link reads from the memory, which has all registers as they were written: a
        # multiplexer of all flip-flops would take as much logic as they do.
        copies: Memory = Memory(shape=32, depth=len(self.table), init=[])
        m.submodules.copies = copies
        read, write = copies.read_port(), copies.write_port()
        link = self.link
        place: Value = link.address
        for address, register in enumerate(self.table):
            is_addressed = link.write_stb & (link.address == address)
            if register.name in FETCHED:
                place = Mux(getattr(self, f"{register.name}_stb"), address, place)
            else:
                # Only a register without a reset can be moved into a multiplier block.
                held = Signal.like(getattr(self, register.name), reset_less=True)
                m.d.comb += getattr(self, register.name).eq(held)
                with m.If(is_addressed):
                    m.d.sync += held.eq(link.value)
        m.d.comb += [
            read.addr.eq(place),
            write.addr.eq(link.address),
            write.data.eq(link.value),
            write.en.eq(link.write_stb),
            link.stored.eq(read.data),
            self.fetched.eq(read.data),
        ]
        return m
