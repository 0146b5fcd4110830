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
    in parts of `part_lanes`. A vector that is not `written` is written by the link alone.

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


class ElementPort(wiring.Signature):
    """Access of the link to one element of a vector.

    Members
    -------
    owned:
        The link has the memory, and the unit's access is ignored.
    shown:
        A cycle after `owned`, whether what comes out matters: a unit has the memory, or the link
        wants an element of it.
    element:
        The element to read or write.
    value:
        The value to write; 0 while nothing is written.
    write_stb, clear_stb:
        Write the element; write all lanes of its word.
    stored:
        The element, `READ_LATENCY` cycles later; 0 where it is not shown.
    """

    def __init__(self, shape: Shape, size: int) -> None:
        super().__init__(
            {
                "owned": Out(1),
                "shown": Out(1),
                "element": Out(range(size)),
                "value": Out(shape),
                "write_stb": Out(1),
                "clear_stb": Out(1),
                "stored": In(shape),
            }
        )


class StateMemory(wiring.Component):
    """A vector.

    Parameters
    ----------
    port:
        The access of its unit.

    Members
    -------
    unit:
        The unit's access.
    link:
        The link's access.
    """

    def __init__(self, port: StatePort) -> None:
        self.port = port
        self.lanes = port.lanes
        super().__init__(
            {
                "unit": In(port),
                "link": In(ElementPort(port.element, port.size)),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        port, unit, link = self.port, self.unit, self.link
        word_shape = data.ArrayLayout(port.element, port.lanes)
        depth = port.size // port.lanes
        is_large = depth >= _BLOCK_DEPTH or depth * word_shape.size >= _BLOCK_BITS
        attributes = {"ram_style": "block"} if is_large else {}
        memory: Memory = Memory(shape=word_shape, depth=depth, init=[], attrs=attributes)
        m.submodules.memory = memory
        read, write = memory.read_port(), memory.write_port(granularity=1)
        lane_bits, part_bits = exact_log2(port.lanes), exact_log2(port.part_lanes)
        lane, word = link.element[:lane_bits], link.element[lane_bits:]
        # A cycle late, and of its own: nothing waits here for what all memories hang on.
        linked = Signal()
        m.d.sync += linked.eq(link.owned)
        part = Mux(linked, lane[part_bits:], unit.part)
        m.d.comb += [read.addr.eq(Mux(link.owned, word, unit.r_address)), write.addr.eq(word)]
        for k in range(self.lanes):
            m.d.comb += write.en[k].eq(link.clear_stb | link.write_stb & (lane == k))
            m.d.comb += write.data[k].eq(link.value)
        if port.written:
            with m.If(~link.owned):
                m.d.comb += [write.addr.eq(unit.w_address), write.en.eq(unit.w_en)]
            # Link and unit each give 0 while they do not write, so an or does instead of a choice.
            for k in range(self.lanes):
                m.d.comb += write.data[k].eq(link.value | unit.w_data[k])
        with m.If(link.shown):
            m.d.sync += unit.r_data.eq(read.data)
        with m.Else():
            m.d.sync += unit.r_data.eq(0)
        # A unit never takes part of a word while the link does: they share the way out.
        part_width = len(unit.r_part.as_value())
        whole = Value.cast(unit.r_data)
        parts = [whole.word_select(k, part_width) for k in range(port.lanes // port.part_lanes)]
        m.d.comb += [
            unit.r_part.eq(Array(parts)[part]),
            link.stored.eq(unit.r_part[lane[:part_bits]]),
        ]
        return m
