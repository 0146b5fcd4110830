"""The walk through the table of projections: the rows of active sources, the columns of neurons.

::

    active sources ─► their projections ─► fields ─► first word ─► rows that wait ─► blocks

A row is prepared while the ones before it stream, and takes no longer to prepare than
`schedule.LEAST_WALKED` cycles, so that rows follow each other without a gap.
"""

from __future__ import annotations

from typing import Final

from amaranth.hdl import Module, Mux, Shape, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from spiketwin.hdl.gateware.core.pipeline import Delay, saturated
from spiketwin.hdl.gateware.core.state_memory import READ_LATENCY
from spiketwin.hdl.gateware.core.vectors import vectors
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.projections import FIELDS, ProjectionKind
from spiketwin.hdl.spec.registers import Space
from spiketwin.hdl.spec.variables import LAYOUT, WALK_FIRST_BITS

_READ: Final = 2 * READ_LATENCY
"""Cycles from a number within a walk to the fields of its projection: two memories."""

_SUMMED: Final = _READ + 3
"""Cycles from a number within a walk to the first word: operands, product, sum."""

_WAITING: Final = 2
"""Most rows that are prepared or wait."""


def row_layout(params: CoreParams) -> data.StructLayout:
    """Return the layout of a row or column: its blocks, one after the other.

    Fields
    ------
    index:
        The source or the neuron.
    first, repeats:
        Whether the row is the first one of its source, and this an axon that spikes once more.
    word, stride:
        Address of the first block, and what lies between two of them.
    group, groups:
        Number of the group of neurons or sources of the first block; number of blocks.
    relay_first, relay_count:
        With relays: first relay of the source, and number; 0 but for the first row of a source.
    constant, added, added_less:
        Whether the row is that of a constant projection; what it then adds to the currents of
        neurons, and of those that are active sources of it themselves.
    sparse:
        With sparse rows: whether the row is one.
    rule:
        With rules: that of the projection.
    """
    p = params
    # A sum that is farther away from its range than this saturates in any case.
    added = Shape(p.i_syn_width + 2, signed=True)
    return data.StructLayout(
        {
            "index": bits_for(p.n_sources - 1),
            "first": 1,
            "repeats": 1,
            "word": p.weight_address_width,
            "stride": p.weight_address_width,
            "group": bits_for(p.column_groups - 1),
            "groups": p.source_group_width,
            "constant": 1,
            "added": added,
            "added_less": added,
            **({"sparse": 1} if p.has_sparse else {}),
            **(
                {"relay_first": p.relay_width, "relay_count": p.relay_delay_width}
                if p.n_relays
                else {}
            ),
            **({"rule": p.rule_width} if p.has_rules else {}),
        }
    )


def _ready(params: CoreParams) -> int:
    """Return the cycles from a number within a walk to a prepared row.

    That of a sparse projection is looked up where the sum says.
    """
    return _SUMMED + (READ_LATENCY if params.has_sparse else 0)


class Walker(wiring.Component):
    """The unit that takes active sources, or neurons that fired, and prepares their rows.

    Members
    -------
    walk_stb, in_columns:
        In, begin; whether columns of neurons are wanted, and not rows of sources.
    skip_stb:
        In, no source is active, so that all axons of the tick were handled.
    real_time:
        In, ticks have a period, so that axon events may be on their way.
    axon_due, axons_settled, axon, axon_repeats, take_axon_stb:
        The active axons (`sources.AxonEvents`).
    neuron_valid, neuron, take_neuron_stb:
        The neurons that fired (`sources.ActiveList`).
    relay_valid, relay, take_relay_stb:
        With relays: those that are active (`relays.Relays`).
    tick_end_stb, axons_over:
        In, the tick ends; Out, all axons of the tick were handled.
    valid, row, take_stb:
        Out, a row waits, and which; In, it is used up.
    over:
        Out, the last row of this walk was used up.
    counted, sweep_stb:
        Out, constant projections have active sources; In, prepare their rows.
    <array>:
        Access to the arrays of `variables.LAYOUT`, except the delays of relays.
    """

    def __init__(self, params: CoreParams) -> None:
        self.params = p = params
        ports = vectors(p)
        # The unit of relays alone uses the delays.
        self._arrays = {
            array.name: array.space
            for array in LAYOUT
            if array.space in ports and array.space is not Space.RELAY_DELAY
        }
        super().__init__(
            {
                "walk_stb": In(1),
                "in_columns": In(1),
                "skip_stb": In(1),
                "real_time": In(1),
                "axon_due": In(1),
                "axons_settled": In(1),
                "axon": In(bits_for(p.n_axons - 1)),
                **({"axon_repeats": In(1)} if p.learning else {}),
                "take_axon_stb": Out(1),
                "neuron_valid": In(1),
                "neuron": In(range(p.n_neurons)),
                "take_neuron_stb": Out(1),
                "tick_end_stb": In(1),
                "axons_over": Out(1),
                "valid": Out(1),
                "row": Out(row_layout(p)),
                "take_stb": In(1),
                "over": Out(1),
                "counted": Out(1),
                "sweep_stb": In(1),
                **{name: Out(ports[space]) for name, space in self._arrays.items()},
                **(
                    {
                        "relay_valid": In(1),
                        "relay": In(range(p.n_relays)),
                        "take_relay_stb": Out(1),
                    }
                    if p.n_relays
                    else {}
                ),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        p = self.params
        self._index = Signal(range(p.n_sources))
        self._place = Signal(WALK_FIRST_BITS)
        self._emit = Signal()  # a row begins to be prepared
        self._first = Signal()  # it is the first one of its source
        self._empty = Signal()  # its source has no projection, and it no block
        self._again = Signal()  # the source is the axon of the row before, once more
        self._repeats = Signal()  # it has to wait for the weights of the one before
        self._sweeps = Signal()  # it is that of a constant projection
        self._counted = Signal(p.n_projections)  # constant projections with active sources
        m.d.comb += self.counted.eq(self._counted.any())
        self._begun = Signal(range(_WAITING + 1))  # rows that are prepared or wait
        self._room = Signal()  # one more may begin
        m.d.comb += self._room.eq(self._begun != _WAITING)
        self._walk(m)
        self._wait(m, self._prepare(m), self._placed)
        with m.If(self.skip_stb):
            m.d.sync += self.axons_over.eq(1)
        with m.If(self.tick_end_stb):
            m.d.sync += self.axons_over.eq(0)
        return m

    def _walk(self, m: Module) -> None:
        """Take one source after the other, and go through its projections."""
        reading = Signal(range(READ_LATENCY + 1))
        m.d.comb += self._repeats.eq(self._again & self._first)
        with m.FSM() as walking:
            with m.State("REST"):
                with m.If(self.walk_stb):
                    m.next = "TAKE"
                with m.If(self.sweep_stb):
                    m.next = "FIND"
            with m.State("TAKE"):
                m.d.sync += reading.eq(READ_LATENCY - 1)
                self._take(m)
            with m.State("READ"):
                m.d.sync += reading.eq(reading - 1)
                with m.If(reading == 0):
                    m.next = "FIRST"
            self._follow(m)
            self._sweep(m)
        m.d.comb += self.over.eq(walking.ongoing("REST") & (self._begun == 0))

    def _take(self, m: Module) -> None:
        """Take the next axon, or neuron, or relay; rest if there is none."""
        p = self.params
        taken = Signal(3)  # axon, neuron, relay
        with m.If(self.axon_due):
            m.d.comb += [self.take_axon_stb.eq(1), taken.eq(1)]
            m.d.sync += self._index.eq(self.axon)
        with m.Elif(self.real_time & ~self.axons_settled & ~self.axons_over):
            pass  # an event has just arrived
        with m.Elif(self.neuron_valid):
            m.d.comb += [self.take_neuron_stb.eq(1), taken.eq(2)]
            source = self.neuron + p.n_axons
            m.d.sync += self._index.eq(Mux(self.in_columns, self.neuron, source))
        if p.n_relays:
            with m.Elif(self.relay_valid & ~self.in_columns):
                m.d.comb += [self.take_relay_stb.eq(1), taken.eq(4)]
                m.d.sync += self._index.eq(self.relay + (p.n_axons + p.n_neurons))
        with m.Else():
            m.d.sync += self.axons_over.eq(1)
            m.next = "REST"
        with m.If(taken.any()):
            m.next = "READ"
            m.d.sync += self._again.eq(self.axon_repeats & taken[0] if p.learning else 0)
        with m.If(taken[1:].any()):
            m.d.sync += self.axons_over.eq(1)

    def _follow(self, m: Module) -> None:
        """Begin a row for each projection of the source, as there is room."""
        group = self._index >> exact_log2(self.params.lanes)
        rows, columns = self.row_projections, self.column_projections
        walk = Mux(self.in_columns, columns.r_part[0], rows.r_part[0])
        m.d.comb += [rows.r_address.eq(group), columns.r_address.eq(group)]
        left = Signal(len(walk) - WALK_FIRST_BITS)
        after = Signal(WALK_FIRST_BITS)
        with m.State("FIRST"):
            m.d.comb += [
                self._place.eq(walk[:WALK_FIRST_BITS]),
                self._first.eq(1),
                self._empty.eq(walk[WALK_FIRST_BITS:] == 0),
                self._emit.eq(self._room),
            ]
            m.d.sync += [left.eq(walk[WALK_FIRST_BITS:] - 1), after.eq(self._place + 1)]
            with m.If(self._room):
                m.next = "NEXT"
                with m.If(walk[WALK_FIRST_BITS + 1 :] == 0):
                    m.next = "TAKE"
        with m.State("NEXT"):
            m.d.comb += [self._place.eq(after), self._emit.eq(self._room)]
            with m.If(self._room):
                m.d.sync += [left.eq(left - 1), after.eq(after + 1)]
                with m.If(left == 1):
                    m.next = "TAKE"

    def _sweep(self, m: Module) -> None:
        """Begin a row for each constant projection that has active sources, in their order."""
        found = Signal(WALK_FIRST_BITS)
        with m.State("FIND"):
            for k in reversed(range(self.params.n_projections)):
                with m.If(self._counted[k]):
                    m.d.sync += found.eq(k)
            m.next = "SWEEP"
            with m.If(~self.counted):
                m.next = "REST"
        with m.State("SWEEP"):
            m.d.comb += [self._place.eq(found), self._sweeps.eq(1), self._emit.eq(self._room)]
            with m.If(self._room):
                m.d.sync += self._counted.bit_select(found, 1).eq(0)
                m.next = "FIND"

    def _prepare(self, m: Module) -> Signal:
        """Look up the fields of a projection, and find the first block of the row or column.

        Source and pass cannot change while a row is prepared, so only what belongs to the row
        itself is delayed: the next source is taken when the row has read its fields.
        """
        ready = _ready(self.params)
        self._late = {
            name: Delay(m, name, value, ready)
            for name, value in {
                "emitted": self._emit,
                "index": self._index,
                "first": self._first,
                "repeats": self._repeats,
                "empty": self._empty,
                "sweeps": self._sweeps,
            }.items()
        }
        fields, number = self._look_up(m)
        prepared = Signal(row_layout(self.params))
        self._sum(m, fields, number, prepared)
        self._keep(m, fields, prepared)
        m.d.comb += [
            prepared.index.eq(self._late["index"][ready]),
            prepared.first.eq(self._late["first"][ready]),
            prepared.repeats.eq(self._late["repeats"][ready]),
            prepared.constant.eq(self._late["sweeps"][ready]),
        ]
        if self.params.n_relays:
            self._keep_relays(m, prepared)
        self._placed = self._late["emitted"][ready]
        return prepared

    def _look_up(self, m: Module) -> tuple[dict[str, Value], Value]:
        """Return the fields of the projection, by name, and earlier its number."""
        order = self.column_order
        place = Delay(m, "place", self._place, READ_LATENCY)[READ_LATENCY]
        number = Mux(self.in_columns, order.r_part[0], place)
        m.d.comb += order.r_address.eq(self._place)
        built = [name for name in FIELDS if name in self._arrays]
        for name in built:
            m.d.comb += getattr(self, name).r_address.eq(number)
        fields = {name.removeprefix("projection_"): getattr(self, name).r_part[0] for name in built}
        return fields, number

    def _sum(self, m: Module, fields: dict[str, Value], number: Value, prepared: Signal) -> None:
        """Find the first word, or what a constant projection adds: a product, and sums.

        Operands are the row within the projection; the group of the column and its length; or the
        number of active sources and their weight.
        """
        p, lane_bits = self.params, exact_log2(self.params.lanes)
        index, sweeps = self._late["index"][_READ], self._late["sweeps"][_READ]
        is_constant = fields["kind"] == ProjectionKind.CONSTANT
        begins = self._late["emitted"][_READ] & ~self._late["empty"][_READ] & ~sweeps
        count = self._count(m, number, begins & is_constant)
        weight, sources = fields["weight"], fields["sources"]
        row = Signal(range(p.n_sources))
        factor = Signal(max(p.target_group_width, len(count)), reset_less=True)
        length = Signal(signed(max(p.source_group_width + 1, len(weight))), reset_less=True)
        group = ((index >> lane_bits) - fields["target"])[: p.target_group_width]
        m.d.sync += [
            row.eq(index - (fields["source"] << lane_bits)),
            factor.eq(Mux(sweeps, count, group)),
            length.eq(Mux(sweeps, weight, sources)),
        ]
        product = Signal(signed(len(factor) + len(length)), reset_less=True)
        late_row = Signal.like(row)
        m.d.sync += [product.eq(factor * length), late_row.eq(row)]
        offset = Signal(p.projection_base_width)
        added, added_less = Signal.like(prepared.added), Signal.like(prepared.added_less)
        less = Delay(m, "weight", Mux(fields["itself"], 0, weight), 2)[2]
        m.d.sync += [
            offset.eq(Mux(self.in_columns, product << lane_bits, late_row)),
            added.eq(saturated(product, len(added))),
            added_less.eq(saturated(product - less, len(added))),
        ]
        word = Delay(m, "base", fields["base"], _SUMMED - _READ)[_SUMMED - _READ] + offset
        for name, value in {"word": word, "added": added, "added_less": added_less}.items():
            field = getattr(prepared, name)
            late = _ready(p) - _SUMMED
            m.d.comb += field.eq(Delay(m, f"{name}_summed", value[: len(field)], late)[late])
        if p.has_sparse:
            for array in (self.sparse_first, self.sparse_blocks):
                m.d.comb += array.r_address.eq(word)

    def _keep(self, m: Module, fields: dict[str, Value], prepared: Signal) -> None:
        """Keep what needs no computing until the sums are there."""
        source, sources, target, targets = (
            fields[name] for name in ("source", "sources", "target", "targets")
        )
        empty, sweeps = self._late["empty"][_READ], self._late["sweeps"][_READ]
        # The row of a constant projection has no block; its spikes are delivered in a sweep.
        has_no_block = empty | ((fields["kind"] == ProjectionKind.CONSTANT) & ~sweeps)
        stride = sources << exact_log2(self.params.lanes)
        kept = {
            "stride": Mux(self.in_columns, self.params.lanes, stride),
            "group": Mux(self.in_columns, source, target),
            "groups": Mux(has_no_block, 0, Mux(self.in_columns, sources, targets)),
            **({"rule": fields["rule"]} if self.params.has_rules else {}),
        }
        if self.params.has_sparse:
            kept["sparse"] = (fields["kind"] == ProjectionKind.SPARSE) & ~empty
        late = _ready(self.params) - _READ
        for name, value in kept.items():
            field = getattr(prepared, name)
            m.d.comb += field.eq(Delay(m, name, value[: len(field)], late)[late])
        if self.params.has_sparse:
            with m.If(prepared.sparse):
                m.d.comb += [
                    prepared.word.eq(self.sparse_first.r_part[0]),
                    prepared.groups.eq(self.sparse_blocks.r_part[0]),
                    prepared.stride.eq(1),
                ]

    def _keep_relays(self, m: Module, prepared: Signal) -> None:
        """Keep the relays of a source for its first row."""
        of_source = self._first & ~self.in_columns
        kept = {
            "relay_first": self.relay_first.r_part[0],
            "relay_count": Mux(of_source, self.relay_count.r_part[0], 0),
        }
        for name, value in kept.items():
            late = _ready(self.params)
            m.d.comb += [
                getattr(self, name).r_address.eq(self._index),
                getattr(prepared, name).eq(Delay(m, name, value, late)[late]),
            ]

    def _count(self, m: Module, number: Value, counts: Value) -> Value:
        """Count the active sources of each constant projection; return the count of this one.

        A count of a projection whose flag in `_counted` is not set is left from an earlier tick.
        """
        p = self.params
        # A tick of a fixed period may have any number of events. More saturate any current, too,
        # and a projection that leaves out the source itself, of neurons alone, has no more.
        most = max(1 << p.i_syn_width, p.n_neurons)
        memory: Memory = Memory(shape=range(most + 1), depth=p.n_projections, init=[])
        m.submodules.counts = memory
        read, write = memory.read_port(), memory.write_port()
        count = Signal(range(most + 1))
        late = Delay(m, "counted", number[: len(read.addr)], READ_LATENCY)[READ_LATENCY]
        m.d.sync += count.eq(read.data)
        m.d.comb += [
            read.addr.eq(number),
            write.addr.eq(late),
            write.data.eq(Mux(self._counted.bit_select(late, 1), count + (count != most), 1)),
            write.en.eq(counts),
        ]
        with m.If(counts):
            m.d.sync += self._counted.bit_select(late, 1).eq(1)
        return count

    def _wait(self, m: Module, prepared: Signal, placed: Value) -> None:
        """Keep up to two rows until they are taken."""
        second = Signal(row_layout(self.params))
        second_valid = Signal()
        m.d.sync += self._begun.eq(self._begun + self._emit - self.take_stb)
        with m.If(self.take_stb | ~self.valid):
            m.d.sync += [
                self.valid.eq(placed | second_valid),
                self.row.eq(Mux(second_valid, second, prepared)),
                second_valid.eq(placed & second_valid),
            ]
            with m.If(placed):
                m.d.sync += second.eq(prepared)
        with m.Elif(placed):
            m.d.sync += [second.eq(prepared), second_valid.eq(1)]
