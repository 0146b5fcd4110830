"""A memory that is deeper than a block RAM: parts with a register each, and a multiplexer behind.

Left to synthesis, the multiplexer lies between block RAMs all over an FPGA and the first register,
and their slow outputs and long wires limit the clock. Here every part has its register beside it.
"""

from __future__ import annotations

from amaranth.hdl import Array, Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

PART_DEPTH = 2048
"""Least words of a part: those of a block RAM that is 9 bits wide."""

MOST_PARTS = 16
"""Most parts, so that the text of a very large memory stays short."""


def part_depth(depth: int) -> int:
    """Return the words of each part of a memory, a power of two."""
    part = PART_DEPTH
    while part * MOST_PARTS < depth:
        part *= 2
    return part


class DeepMemory(wiring.Component):
    """A memory with a read port and a write port.

    Members
    -------
    r_address, r_word:
        Address of a word; the word, two cycles later.
    w_address, w_word, w_en:
        Write a word.
    """

    r_address: Signal
    w_address: Signal
    w_en: Signal

    def __init__(self, shape: data.Layout, depth: int) -> None:
        self.shape, self.depth = shape, depth
        address = bits_for(depth - 1)
        super().__init__(
            {
                "r_address": In(address),
                "r_word": Out(shape),
                "w_address": In(address),
                "w_word": In(shape),
                "w_en": In(1),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        part = part_depth(self.depth)
        low = exact_log2(part)
        words: list[Value] = []
        for number in range(-(-self.depth // part)):
            depth = min(part, self.depth - number * part)
            memory: Memory = Memory(shape=self.shape, depth=depth, init=[])
            m.submodules[f"part_{number}"] = memory
            read, write = memory.read_port(), memory.write_port()
            word = Signal(self.shape, name=f"word_{number}")
            m.d.comb += [
                read.addr.eq(self.r_address[:low]),
                write.addr.eq(self.w_address[:low]),
                write.data.eq(self.w_word),
                write.en.eq(self.w_en & (self.w_address[low:] == number)),
            ]
            m.d.sync += word.eq(read.data)
            words.append(word.as_value())
        chosen, late = (Signal(len(self.r_address) - low, name=n) for n in ("chosen", "late"))
        m.d.sync += [chosen.eq(self.r_address[low:]), late.eq(chosen)]
        m.d.comb += self.r_word.eq(Array(words)[late])
        return m
