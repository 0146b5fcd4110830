"""Access of the link to the core: one element at a time while it is idle, *Clear*, and reset."""

from __future__ import annotations

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from spiketwin.hdl.gateware.core.interface import MemoryPort
from spiketwin.hdl.gateware.core.records import RecordPort, record_spaces
from spiketwin.hdl.gateware.core.register_file import RegisterPort
from spiketwin.hdl.gateware.core.sources import ListPort
from spiketwin.hdl.gateware.core.state_memory import ElementPort
from spiketwin.hdl.gateware.core.vectors import vectors
from spiketwin.hdl.gateware.core.weights import LINK_LATENCY, SynapsePort, synapse_layout
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.probes import MOST_NIBBLES, NIBBLE_BITS, element_nibbles, probed
from spiketwin.hdl.spec.registers import (
    PENDING_MASK_BITS,
    ClearMask,
    Space,
    registers,
    space_formats,
)
from spiketwin.hdl.spec.variables import BY_SPACE

ACCESS_CYCLES = LINK_LATENCY + 3
"""Cycles until an element reaches the link: those of the slowest memory and of two registers."""


class Access(wiring.Component):
    """The unit that carries out what the link asks of single elements, and of all state at once.

    Members
    -------
    memory, idle, stop, clear_stb, clear_mask, reset_stb:
        As in `interface.CoreSignature`.
    free:
        In, the controller is idle.
    fetching:
        In, a register is being fetched for the tick, so that the link has to wait.
    clearing:
        Out, state is being cleared: no tick may begin.
    clear_pending:
        Out, the list of the neurons that fired is to be emptied.
    restart_stb:
        Out, a cycle after `reset_stb`: set the counters to 0 and empty the queues.
    drop_events_stb:
        Out, with `restart_stb`, and while the core is stopped and idle: empty the queue of events.
    period_stb:
        Out, the register `tick_period` is written.
    registers:
        Access to the registers.
    records.<space>:
        Access to each other space of records, if there are any.
    vectors.<space>:
        Access to each vector (`vectors.vectors`).
    weights:
        Access to the synapses.
    any_plastic:
        Out, with learning: at least one synapse is plastic.
    pending:
        Access to the list of the neurons that fired.
    pending_groups:
        In, the number of entries in that list.
    probe_period_stb:
        Out, with probes: the register `probe_period` is written.
    probe_reading, probe_space, probe_element, probe_value:
        With probes: In, they read state through the ports of the link; the space and the element;
        Out, its value (`probes.Probes`).
    """

    def __init__(self, params: CoreParams) -> None:
        self.params = p = params
        self.ports = vectors(p)
        ways = {s.name.lower(): Out(ElementPort(v.element, v.size)) for s, v in self.ports.items()}
        self.record_spaces = record_spaces(p)
        probes = {
            "probe_period_stb": Out(1),
            "probe_reading": In(1),
            "probe_space": In(8),
            "probe_element": In(p.probe_first_width),
            "probe_value": Out(MOST_NIBBLES * NIBBLE_BITS),
        }  # fmt: skip
        tables = {s.name.lower(): Out(RecordPort(form)) for s, form in self.record_spaces.items()}
        super().__init__(
            {
                "memory": In(MemoryPort(p)),
                "idle": Out(1),
                "stop": In(1),
                "clear_stb": In(1),
                "clear_mask": In(len(ClearMask)),
                "reset_stb": In(1),
                "free": In(1),
                "fetching": In(1),
                "clearing": Out(1),
                "clear_pending": Out(1),
                "restart_stb": Out(1),
                "drop_events_stb": Out(1),
                "period_stb": Out(1),
                "registers": Out(RegisterPort(p)),
                **({"records": Out(wiring.Signature(tables))} if tables else {}),
                "vectors": Out(wiring.Signature(ways)),
                "weights": Out(SynapsePort(p)),
                **({"any_plastic": Out(1)} if p.learning else {}),
                "pending": Out(ListPort(p.neuron_lanes, p.neuron_groups)),
                "pending_groups": In(range(p.neuron_groups + 1)),
                **(probes if p.probe_ranges else {}),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        p, memory = self.params, self.memory
        # These come a cycle late, straight from flip-flops, because of their large fan-out.
        self._owned = Signal()
        m.d.sync += [
            self.restart_stb.eq(self.reset_stb),
            self.drop_events_stb.eq(self.reset_stb | (self.stop & self.idle)),
            self.idle.eq(self.free & ~self.clear_stb),
            self._owned.eq(self.free | self.clear_stb | self.clearing),
        ]
        self._probing = Signal()
        if p.probe_ranges:
            m.d.sync += self._probing.eq(self.probe_reading)
        words = max(port.size // port.lanes for port in self.ports.values())
        sweep = max(p.neuron_groups, p.column_groups, words, len(registers(p)))
        self._clear_word = Signal(range(sweep))
        self._clear_mask = Signal(len(ClearMask))
        self._resetting = Signal()  # the registers are set to 0 as well
        # Strobes and addresses are pipelined: they reach the memories a cycle late.
        self._nearly, self._store = Signal(), Signal()
        self._value = Signal(32)  # to store; else 0
        with m.If(memory.valid & memory.write & ~self.clearing):
            m.d.sync += self._value.eq(memory.w_data)
        with m.Else():
            m.d.sync += self._value.eq(0)
        self._handshake(m)
        self._registers(m)
        self._records(m)
        self._vectors(m)
        self._synapses(m)
        self._pending(m)
        self._clear(m, sweep)
        self._answer(m)
        if p.probe_ranges:
            self._probe(m)
        return m

    def _addressed(self, space: Space) -> Value:
        return Value.cast(self.memory.space == space)

    def _handshake(self, m: Module) -> None:
        memory = self.memory
        cycle = Signal(range(ACCESS_CYCLES + 1))
        last = Signal()
        m.d.comb += [
            last.eq(cycle == ACCESS_CYCLES),
            memory.done.eq(last),
            self._nearly.eq(cycle == ACCESS_CYCLES - 1),
            self._store.eq(memory.valid & memory.write & self._nearly),
        ]
        with m.If(last | ~memory.valid | self.fetching):
            m.d.sync += cycle.eq(0)
        with m.Else():
            m.d.sync += cycle.eq(cycle + 1)

    def _registers(self, m: Module) -> None:
        port = self.registers
        names = [register.name for register in registers(self.params)]
        element = Signal.like(self.memory.column)
        stores = self._store & self._addressed(Space.REGISTER)
        m.d.sync += [
            element.eq(Mux(self.clearing, self._clear_word, self.memory.column)),
            port.write_stb.eq(stores | self._resetting),
        ]
        m.d.comb += [
            port.address.eq(element),
            port.value.eq(self._value),
            self.period_stb.eq(port.write_stb & (element == names.index("tick_period"))),
        ]
        if self.params.probe_ranges:
            is_period = element == names.index("probe_period")
            m.d.comb += self.probe_period_stb.eq(port.write_stb & is_period)

    def _records(self, m: Module) -> None:
        for space in self.record_spaces:
            port = getattr(self.records, space.name.lower())
            m.d.comb += port.value.eq(self._value)
            m.d.sync += [
                port.row.eq(self.memory.row),
                port.column.eq(self.memory.column),
                port.write_stb.eq(self._store & self._addressed(space)),
            ]

    def _vectors(self, m: Module) -> None:
        for space, vector in self.ports.items():
            port = getattr(self.vectors, space.name.lower())
            lane_bits = exact_log2(vector.lanes)
            element = Mux(self.clearing, self._clear_word << lane_bits, self.memory.column)
            owned: Value = self._owned
            shown: Value = ~self._owned | self._addressed(space)
            if vector.probed:
                owned = self._owned | self._probing
                element = Mux(self.probe_reading, self.probe_element, element)
                shown = Mux(self.probe_reading, self.probe_space == space, shown)
            m.d.comb += [port.owned.eq(owned), port.value.eq(self._value)]
            m.d.sync += [
                port.shown.eq(shown),
                port.write_stb.eq(self._store & self._addressed(space)),
                port.element.eq(element),
            ]
            group = BY_SPACE[space].clear
            if group is not None:
                m.d.sync += port.clear_stb.eq(self.clearing & self._clear_mask[exact_log2(group)])

    def _synapses(self, m: Module) -> None:
        p, memory, port = self.params, self.memory, self.weights
        # Weight and flag share a word: a read-modify-write keeps the one that is not written.
        m.d.comb += [
            port.owned.eq(self._owned),
            port.row.eq(memory.row),
            port.column.eq(memory.column),
            port.value.eq(port.stored),
        ]
        spaces = self._spaces_of_synapses()
        for space in spaces:
            with m.If(self._addressed(space)):
                m.d.comb += getattr(port.value, space.name.lower()).eq(memory.w_data)
        addressed = reduce(or_, (self._addressed(space) for space in spaces))
        m.d.sync += port.store_stb.eq(self._store & addressed)
        if p.learning:
            # The number of flags that are set; if none is, *Learn* has nothing to do. Unless they
            # are wiped at a reset of the clock domain, flags outlive it, and so does their number.
            synapses = space_formats(p)[Space.PLASTIC].size
            plastic_count = Signal(range(synapses + 1), reset_less=not p.single_port_weights)
            is_set, was_set = port.value.plastic, port.stored.plastic
            with m.If(port.store_stb & (is_set != was_set)):
                m.d.sync += plastic_count.eq(plastic_count + Mux(was_set, -1, 1))
            m.d.sync += self.any_plastic.eq(plastic_count != 0)

    def _spaces_of_synapses(self) -> list[Space]:
        return [Space[name.upper()] for name in synapse_layout(self.params).members]

    def _pending(self, m: Module) -> None:
        memory, port = self.memory, self.pending
        m.d.comb += [
            port.owned.eq(self._owned),
            port.place.eq(memory.column),
            port.entry.mask.eq(memory.w_data[:PENDING_MASK_BITS]),
            port.entry.group.eq(memory.w_data[PENDING_MASK_BITS:]),
        ]
        m.d.sync += port.store_stb.eq(self._store & self._addressed(Space.PENDING))

    def _clear(self, m: Module, sweep: int) -> None:
        """Go over all words of the vectors, and over all registers in a reset."""
        with m.If(self.clear_stb):
            m.d.sync += [
                self.clearing.eq(1),
                self._clear_word.eq(0),
                self._clear_mask.eq(self.clear_mask),
                self._resetting.eq(self.reset_stb),
            ]
        with m.Elif(self.clearing):
            m.d.sync += self._clear_word.eq(self._clear_word + 1)
            with m.If(self._clear_word == sweep - 1):
                m.d.sync += [self.clearing.eq(0), self._resetting.eq(0)]
        pending = self._clear_mask[exact_log2(ClearMask.PENDING)]
        m.d.comb += self.clear_pending.eq(self.clearing & pending)

    def _answer(self, m: Module) -> None:
        """Gather the outputs of all memories into the answer: an AND-OR multiplexer.

        Outputs that are not addressed are 0. Four vectors share a pipeline register, so that each
        bit of it takes a single look-up table. While units use the vectors, these outputs are not
        0, but then the link reads registers alone.
        """
        memory, pending = self.memory, self.pending.stored
        entry = pending.mask | (pending.group << PENDING_MASK_BITS)
        stored = {
            Space.REGISTER: self.registers.stored,
            **{
                space: getattr(self.records, space.name.lower()).stored
                for space in self.record_spaces
            },
            **{
                space: getattr(self.weights.stored, space.name.lower())
                for space in self._spaces_of_synapses()
            },
            Space.PENDING: Mux(memory.column < self.pending_groups, entry, 0),
        }
        others = [Mux(self._addressed(space), value, 0) for space, value in stored.items()]
        parts = [rest := Signal(signed(32), name="rest")]
        m.d.sync += rest.eq(reduce(or_, others))
        elements = [getattr(self.vectors, space.name.lower()).stored for space in self.ports]
        for k in range(0, len(elements), 4):
            parts.append(part := Signal(signed(32), name=f"part_{k}"))
            with m.If(self._addressed(Space.REGISTER)):
                m.d.sync += part.eq(0)
            with m.Else():
                m.d.sync += part.eq(reduce(or_, elements[k : k + 4]))
        # The answer stays until the next element, even if a register is fetched meanwhile.
        with m.If(self._nearly):
            m.d.sync += memory.r_data.eq(reduce(or_, parts))

    def _probe(self, m: Module) -> None:
        """Extend the element that a probe reads to whole nibbles; all other vectors are 0."""
        extended = []
        for space, array in probed(self.params).items():
            stored = getattr(self.vectors, space.name.lower()).stored
            missing = element_nibbles(array, self.params) * NIBBLE_BITS - len(stored)
            sign = stored[-1] if array.signed else Const(0)
            extended.append(Cat(stored, sign.replicate(missing)))
        m.d.sync += self.probe_value.eq(reduce(or_, extended))
