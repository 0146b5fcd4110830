"""The registers of `spec.registers`: a copy of all in a memory, and a signal for most."""

from __future__ import annotations

from typing import Final

from amaranth.hdl import Module, Mux, Shape, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.registers import registers

FETCHED: Final = (
    "tick_period", "seed", "pre_gain", "pre_offset", "post_gain", "post_offset",
)  # fmt: skip
"""Registers that are in the memory alone: each is wanted at one moment of a tick, and taken from
there then. Flip-flops for all, and a choice among them, would be as much logic as a pipeline."""


class RegisterFile(wiring.Component):
    """All registers. They outlive a reset of the clock domain, as memories do.

    Members
    -------
    <name>:
        Out, each register but those of `FETCHED`.
    address, value, write_stb:
        In, write one.
    <name>_stb:
        In, fetch that one of `FETCHED`.
    stored:
        Out, a cycle later, the one fetched, or if there is none the one at `address`. Extended to
        32 bits.
    """

    def __init__(self, params: CoreParams) -> None:
        self.table = registers(params)
        self.held = [r for r in self.table if r.name not in FETCHED]
        super().__init__(
            {
                **{r.name: Out(Shape(r.width(params), r.signed)) for r in self.held},
                **{f"{r.name}_stb": In(1) for r in self.table if r.name in FETCHED},
                "address": In(range(len(self.table))),
                "value": In(32),
                "write_stb": In(1),
                "stored": Out(32),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        # What is read back is the copy, as written: to choose among the registers themselves would
        # take as much logic as they do.
        copies: Memory = Memory(shape=32, depth=len(self.table), init=[])
        m.submodules.copies = copies
        read, write = copies.read_port(), copies.write_port()
        place: Value = self.address
        for address, register in enumerate(self.table):
            is_addressed = self.write_stb & (self.address == address)
            if register.name in FETCHED:
                place = Mux(getattr(self, f"{register.name}_stb"), address, place)
            else:
                # Without a reset it can be the register in a multiplier.
                held = Signal.like(getattr(self, register.name), reset_less=True)
                m.d.comb += getattr(self, register.name).eq(held)
                with m.If(is_addressed):
                    m.d.sync += held.eq(self.value)
        m.d.comb += [
            read.addr.eq(place),
            write.addr.eq(self.address),
            write.data.eq(self.value),
            write.en.eq(self.write_stb),
            self.stored.eq(read.data),
        ]
        return m
