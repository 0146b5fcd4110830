"""One vector of state or parameters, several elements to a word, open to its unit and the link."""

from __future__ import annotations

from amaranth.hdl import Array, Module, Mux, Shape, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

READ_LATENCY = 2
"""Cycles from an address to its word: block RAM is slow to come out, so a register follows it."""


_BLOCK_DEPTH, _BLOCK_BITS = 128, 4096
"""Words, or bits, from which on a memory is block RAM: tools make such ones of logic too."""


class StatePort(wiring.Signature):
    """Access of a unit to a vector of `size` elements, `lanes` to a word.

    Element n is lane ``n mod lanes`` of word ``n ÷ lanes``. A unit narrower than the word takes it
    in parts of `part_lanes`. What is not `written` is the link's alone to write.

    Members
    -------
    r_address, r_data:
        A word, `READ_LATENCY` cycles after its address.
    part, r_part:
        The part of `r_data` that is wanted, and that part, in the same cycle.
    w_address, w_data, w_en:
        Write lanes of a word; the data are 0 where nothing is written.
    """

    def __init__(
        self, shape: Shape, lanes: int, size: int, part_lanes: int, *, written: bool = True
    ) -> None:
        self.element = shape
        self.lanes = lanes
        self.size = size
        self.part_lanes = part_lanes
        self.written = written
        word = data.ArrayLayout(shape, lanes)
        address = bits_for(size // lanes - 1)
        super().__init__(
            {
                "r_address": Out(address),
                "r_data": In(word),
                "part": Out(bits_for(lanes // part_lanes - 1)),
                "r_part": In(data.ArrayLayout(shape, part_lanes)),
                "w_address": Out(address),
                "w_data": Out(word),
                "w_en": Out(lanes),
            }
        )


class StateMemory(wiring.Component):
    """A vector.

    Parameters
    ----------
    port:
        What its unit sees of it.

    Members
    -------
    unit:
        The unit's access.
    link:
        In, the link has the memory, and `unit` is ignored. All that follow belong to it.
    shown:
        In, a cycle after `link`, whether what comes out matters: a unit has the memory, or the link
        wants an element of it.
    element:
        In, the element to read or write.
    value:
        In, what to write; else 0.
    write_stb, clear_stb:
        In, write the element; write all lanes of its word.
    stored:
        Out, the element, `READ_LATENCY` cycles later; 0 where it is not shown.
    """

    def __init__(self, port: StatePort) -> None:
        self.port = port
        self.lanes = port.lanes
        super().__init__(
            {
                "unit": In(port),
                "link": In(1),
                "shown": In(1),
                "element": In(range(port.size)),
                "value": In(port.element),
                "write_stb": In(1),
                "clear_stb": In(1),
                "stored": Out(port.element),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        port, unit = self.port, self.unit
        word_shape = data.ArrayLayout(port.element, port.lanes)
        depth = port.size // port.lanes
        is_large = depth >= _BLOCK_DEPTH or depth * word_shape.size >= _BLOCK_BITS
        attributes = {"ram_style": "block"} if is_large else {}
        memory: Memory = Memory(shape=word_shape, depth=depth, init=[], attrs=attributes)
        m.submodules.memory = memory
        read, write = memory.read_port(), memory.write_port(granularity=1)
        lane_bits, part_bits = exact_log2(port.lanes), exact_log2(port.part_lanes)
        lane, word = self.element[:lane_bits], self.element[lane_bits:]
        # A cycle late, and of its own: nothing waits here for what all memories hang on.
        linked = Signal()
        m.d.sync += linked.eq(self.link)
        part = Mux(linked, lane[part_bits:], unit.part)
        m.d.comb += [read.addr.eq(Mux(self.link, word, unit.r_address)), write.addr.eq(word)]
        for k in range(self.lanes):
            m.d.comb += write.en[k].eq(self.clear_stb | self.write_stb & (lane == k))
            m.d.comb += write.data[k].eq(self.value)
        if port.written:
            with m.If(~self.link):
                m.d.comb += [write.addr.eq(unit.w_address), write.en.eq(unit.w_en)]
            # Of link and unit the one that does not write gives 0: an or is less than a choice.
            for k in range(self.lanes):
                m.d.comb += write.data[k].eq(self.value | unit.w_data[k])
        with m.If(self.shown):
            m.d.sync += unit.r_data.eq(read.data)
        with m.Else():
            m.d.sync += unit.r_data.eq(0)
        # A unit never takes part of a word while the link does: they share the way out.
        part_width = len(unit.r_part.as_value())
        whole = Value.cast(unit.r_data)
        parts = [whole.word_select(k, part_width) for k in range(port.lanes // port.part_lanes)]
        m.d.comb += [
            unit.r_part.eq(Array(parts)[part]),
            self.stored.eq(unit.r_part[lane[:part_bits]]),
        ]
        return m
