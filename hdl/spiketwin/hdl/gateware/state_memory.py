"""One vector of state or parameters, several elements to a word, open to its unit and the link."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Shape
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

READ_LATENCY = 2
"""Cycles from an address to its word: block RAM is slow to come out, so a register follows it."""


class StateMemory(wiring.Component):
    """`size` elements, `lanes` to a word; element n is lane ``n mod lanes`` of word ``n ÷ lanes``.

    Members
    -------
    r_address, r_data:
        A word, `READ_LATENCY` cycles after its address.
    w_address, w_data, w_en:
        Write lanes of a word.
    link:
        In, the link has the memory; the members above are ignored. All that follow belong to it.
    element:
        In, the element to read or write.
    value:
        In, what to write.
    write_stb, clear_stb:
        In, write the element; write 0 to all lanes of its word.
    stored:
        Out, the element, one cycle after its word has come out.
    """

    def __init__(self, shape: Shape, lanes: int, size: int) -> None:
        self.word = data.ArrayLayout(shape, lanes)
        self.lanes = lanes
        self.depth = size // lanes
        address = bits_for(self.depth - 1)
        super().__init__(
            {
                "r_address": In(address),
                "r_data": Out(self.word),
                "w_address": In(address),
                "w_data": In(self.word),
                "w_en": In(lanes),
                "link": In(1),
                "element": In(range(size)),
                "value": In(shape),
                "write_stb": In(1),
                "clear_stb": In(1),
                "stored": Out(shape),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        memory: Memory = Memory(shape=self.word, depth=self.depth, init=[])
        m.submodules.memory = memory
        read, write = memory.read_port(), memory.write_port(granularity=1)
        lane_bits = exact_log2(self.lanes)
        lane, word = self.element[:lane_bits], self.element[lane_bits:]
        m.d.comb += read.addr.eq(Mux(self.link, word, self.r_address))
        with m.If(self.link):
            m.d.comb += write.addr.eq(word)
            for k in range(self.lanes):
                m.d.comb += [
                    write.data[k].eq(Mux(self.clear_stb, 0, self.value)),
                    write.en[k].eq(self.clear_stb | self.write_stb & (lane == k)),
                ]
        with m.Else():
            m.d.comb += [
                write.addr.eq(self.w_address),
                write.data.eq(self.w_data),
                write.en.eq(self.w_en),
            ]
        m.d.sync += [self.r_data.eq(read.data), self.stored.eq(self.r_data[lane])]
        return m
