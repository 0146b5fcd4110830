"""The memory of one vector of state or parameters, which its unit and the link share."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Module, Mux, Shape, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory, ReadPort, WritePort
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
    If the lanes of a word have memories of their own (`scattered`), another unit can read and write
    each at an address of its own (`LaneAddresses`).

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
        probed: bool = False, scattered: bool = False,
    ) -> None:  # fmt: skip
        self.element = shape
        self.lanes = lanes
        self.size = size
        self.part_lanes = part_lanes
        self.written = written
        self.probed = probed
        self.scattered = scattered
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


class LaneAddresses(wiring.Signature):
    """Addresses of words that differ from lane to lane.

    Members
    -------
    en:
        These addresses count, and not those of `StatePort`.
    r_address, w_address:
        For each lane the address to read, and to write.
    """

    def __init__(self, port: StatePort) -> None:
        addresses = data.ArrayLayout(bits_for(port.size // port.lanes - 1), port.lanes)
        super().__init__({"en": Out(1), "r_address": Out(addresses), "w_address": Out(addresses)})


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
    scatter:
        If the vector is `scattered`, addresses of each lane for the unit.
    """

    def __init__(self, port: StatePort) -> None:
        self.port = port
        self.lanes = port.lanes
        super().__init__(
            {
                "unit": In(port),
                "link": In(ElementPort(port.element, port.size)),
                **({"scatter": In(LaneAddresses(port))} if port.scattered else {}),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        port, unit, link = self.port, self.unit, self.link
        lane_bits, part_bits = exact_log2(port.lanes), exact_log2(port.part_lanes)
        lane, word = link.element[:lane_bits], link.element[lane_bits:]
        # A registered copy for this memory alone, as `owned` has a large fan-out.
        linked = Signal()
        m.d.sync += linked.eq(link.owned)
        selected = lane
        if port.probed:
            selected = Delay(m, "lane", lane, READ_LATENCY)[READ_LATENCY]
        part = Mux(linked, selected[part_bits:], unit.part)
        lanes_at_once = 1 if port.scattered else self.lanes
        words: list[Value] = []
        for first in range(0, self.lanes, lanes_at_once):
            read, write = self._memory(m, first, lanes_at_once)
            r_address, w_address = unit.r_address, unit.w_address
            if port.scattered:
                scatter = self.scatter
                r_address = Mux(scatter.en, scatter.r_address[first], r_address)
                w_address = Mux(scatter.en, scatter.w_address[first], w_address)
            m.d.comb += [read.addr.eq(Mux(link.owned, word, r_address)), write.addr.eq(word)]
            members = range(first, first + lanes_at_once)
            for k, member in enumerate(members):
                m.d.comb += write.en[k].eq(link.clear_stb | link.write_stb & (lane == member))
                m.d.comb += write.data[k].eq(link.value)
            if port.written:
                with m.If(~link.owned):
                    m.d.comb += write.addr.eq(w_address)
                    m.d.comb += write.en.eq(unit.w_en[first : members.stop])
                # The data of link and unit are 0 while they do not write, so an OR replaces a
                # multiplexer.
                for k, member in enumerate(members):
                    m.d.comb += write.data[k].eq(link.value | unit.w_data[member])
            words.append(Value.cast(read.data))
        with m.If(link.shown):
            m.d.sync += unit.r_data.eq(Cat(*words))
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

    def _memory(self, m: Module, first: int, lanes: int) -> tuple[ReadPort, WritePort]:
        """Return the ports of a memory of so many lanes, from one on."""
        port = self.port
        shape, depth = data.ArrayLayout(port.element, lanes), max(2, port.size // port.lanes)
        is_large = depth >= _BLOCK_DEPTH or depth * shape.size >= _BLOCK_BITS
        attributes = {"ram_style": "block"} if is_large else {}
        memory: Memory = Memory(shape=shape, depth=depth, init=[], attrs=attributes)
        m.submodules[f"memory_{first}" if port.scattered else "memory"] = memory
        return memory.read_port(), memory.write_port(granularity=1)
