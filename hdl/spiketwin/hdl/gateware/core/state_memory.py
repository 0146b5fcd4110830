"""The memory of one vector of state or parameters, which its unit and the link share."""

from __future__ import annotations

from amaranth.hdl import Array, Module, Mux, Shape, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from spiketwin.hdl.gateware.core.pipeline import Delay

READ_LATENCY = 2
"""Cycles from an address to its word: a register follows block RAM, whose output is slow."""


_BLOCK_DEPTH, _BLOCK_BITS = 128, 4096
"""Words, or bits, from which on a memory is forced into block RAM, as tools would use logic for
some of these."""


class StatePort(wiring.Signature):
    """Access of a unit to a vector of `size` elements, `lanes` to a word.

    Element n is lane ``n mod lanes`` of word ``n ÷ lanes``. A unit narrower than a word uses parts
    of `part_lanes` elements. If the unit does not write the vector (`written`), only the link does.
    If probes report the vector (`probed`), the link's port reads another element in every cycle.

    Members
    -------
    r_address, r_data:
        Address of a word; the word, `READ_LATENCY` cycles later.
    part, r_part:
        Number of a part of `r_data`; that part, in the same cycle.
    w_address, w_data, w_en:
        Write lanes of a word; the data of lanes that are not written are 0.
    """

    def __init__(
        self, shape: Shape, lanes: int, size: int, part_lanes: int, *, written: bool = True,
        probed: bool = False,
    ) -> None:  # fmt: skip
        self.element = shape
        self.lanes = lanes
        self.size = size
        self.part_lanes = part_lanes
        self.written = written
        self.probed = probed
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
        The link owns the memory, and the unit's access is ignored.
    shown:
        A cycle after `owned`, whether the output may be other than 0: the unit owns the memory, or
        the link addresses this vector.
    element:
        The element to read or write.
    value:
        The value to write; 0 while nothing is written.
    write_stb, clear_stb:
        Write the element; write all lanes of its word.
    stored:
        The element, `READ_LATENCY` cycles later; 0 unless `shown`.
    """

    def __init__(self, shape: Shape, size: int) -> None:
        super().__init__(
            {
                "owned": Out(1),
                "shown": Out(1),
                "element": Out(range(max(2, size))),  # Verilog has no signals of width 0
                "value": Out(shape),
                "write_stb": Out(1),
                "clear_stb": Out(1),
                "stored": In(shape),
            }
        )


class StateMemory(wiring.Component):
    """The memory of one vector.

    Parameters
    ----------
    port:
        Signature of the access of its unit.

    Members
    -------
    unit:
        Access of the unit.
    link:
        Access of the link.
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
        depth = max(2, port.size // port.lanes)
        is_large = depth >= _BLOCK_DEPTH or depth * word_shape.size >= _BLOCK_BITS
        attributes = {"ram_style": "block"} if is_large else {}
        memory: Memory = Memory(shape=word_shape, depth=depth, init=[], attrs=attributes)
        m.submodules.memory = memory
        read, write = memory.read_port(), memory.write_port(granularity=1)
        lane_bits, part_bits = exact_log2(port.lanes), exact_log2(port.part_lanes)
        lane, word = link.element[:lane_bits], link.element[lane_bits:]
        # A registered copy for this memory alone, as `owned` has a large fan-out.
        linked = Signal()
        m.d.sync += linked.eq(link.owned)
        selected = lane
        if port.probed:
            selected = Delay(m, "lane", lane, READ_LATENCY)[READ_LATENCY]
        part = Mux(linked, selected[part_bits:], unit.part)
        m.d.comb += [read.addr.eq(Mux(link.owned, word, unit.r_address)), write.addr.eq(word)]
        for k in range(self.lanes):
            m.d.comb += write.en[k].eq(link.clear_stb | link.write_stb & (lane == k))
            m.d.comb += write.data[k].eq(link.value)
        if port.written:
            with m.If(~link.owned):
                m.d.comb += [write.addr.eq(unit.w_address), write.en.eq(unit.w_en)]
            # The data of link and unit are 0 while they do not write, so an OR replaces a
            # multiplexer.
            for k in range(self.lanes):
                m.d.comb += write.data[k].eq(link.value | unit.w_data[k])
        with m.If(link.shown):
            m.d.sync += unit.r_data.eq(read.data)
        with m.Else():
            m.d.sync += unit.r_data.eq(0)
        # Unit and link never read at the same time, so they share the multiplexer of parts.
        part_width = len(unit.r_part.as_value())
        whole = Value.cast(unit.r_data)
        parts = [whole.word_select(k, part_width) for k in range(port.lanes // port.part_lanes)]
        m.d.comb += [
            unit.r_part.eq(Array(parts)[part]),
            link.stored.eq(unit.r_part[selected[:part_bits]]),
        ]
        return m
