"""What *Deliver* does to the currents of neurons: a read-modify-write of four cycles.

A block adds the weights of its synapses, a constant, or what is due. Each lane adds to a current of
its own neuron: to `i_syn`, to `i_inh` with two receptors, or to the ring of one of them if its
synapse has a delay. The current is read so that it comes together with the weight. Where the words
of the synapses say to which current they add, it is read when they are in their lanes; with rules,
when the weight is about to be changed, as the changed one may act.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from amaranth.hdl import Cat, Const, Module, Mux, ShapeLike, Signal, Value, signed
from amaranth.lib import data
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from spiketwin.hdl.gateware.core import weights
from spiketwin.hdl.gateware.core.active_neurons import FLAGS_LATENCY
from spiketwin.hdl.gateware.core.pipeline import Delay, beyond, saturated
from spiketwin.hdl.gateware.core.walker import row_layout
from spiketwin.hdl.spec import schedule
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.projections import CURRENT_CYCLES

if TYPE_CHECKING:
    from spiketwin.hdl.gateware.core.synapses import Synapses

_WORDS_STAGE = weights.READ_LATENCY
"""Stage in which the words are in their lanes."""

_WRITTEN = CURRENT_CYCLES - 1
"""Stages from reading a current to writing it, and from it to the last that may be forwarded."""


def current_stages(params: CoreParams) -> tuple[int, int]:
    """Return the stages in which currents are read, and written."""
    read = 2 + schedule.row_drain(params) - schedule.ROW_DRAIN
    return read, read + _WRITTEN


def current_members(params: CoreParams) -> dict[str, Any]:
    """Return the members of `Synapses` through which it adds to currents."""
    p, lanes = params, params.lanes
    currents = data.ArrayLayout(signed(p.i_syn_width), lanes)
    address: ShapeLike = bits_for(p.row_groups - 1)
    if p.has_sparse:
        address = data.ArrayLayout(address, lanes)
    members = {
        "i_read": Out(address),
        "i_data": In(currents),
        "i_write": Out(address),
        "i_w_data": Out(currents),
        "i_w_en": Out(lanes if p.has_two_receptors or p.has_synapse_delays else 1),
    }
    if p.has_projections:
        added = row_layout(p)["added"].shape
        members |= {"taken_stb": In(1), "constant": In(1), "active": In(lanes)}
        members |= {"added": In(added), "added_less": In(added)}
    if p.has_sparse:
        members["sparse"] = In(1)
    if p.has_two_receptors:
        members |= {"i_inh_en": In(1), "i_inh_data": In(currents), "i_inh_w_en": Out(lanes)}
    if p.has_synapse_delays:
        ring = data.ArrayLayout(bits_for(p.ring_size // lanes - 1), lanes)
        members |= {"due": In(1), "tick": In(p.synapse_delay_width)}
        members |= {"ring_read": Out(ring), "ring_write": Out(ring), "ring_w_data": Out(currents)}
        members |= {"i_ring_data": In(currents), "ring_w_en": Out(lanes)}
    if p.has_two_rings:
        members |= {"due_inhibitory": In(1), "i_inh_ring_data": In(currents)}
        members |= {"inh_ring_w_en": Out(lanes)}
    if p.saturation_counters:
        members["i_syn_saturates"] = Out(lanes)
    return members


@dataclass(frozen=True)
class Place:
    """Where a lane adds, from the stage in which its current is read on.

    Attributes
    ----------
    group:
        The group of its neuron.
    slot, is_late:
        With synapse delays: place in the ring, and whether it adds to the ring.
    """

    group: Delay
    slot: Delay | None = None
    is_late: Delay | None = None

    def is_as(self, before: int) -> Value:
        """Return whether the block so many stages before adds there too, in the stage behind."""
        same: Value = self.group[1] == self.group[1 + before]
        for part in (self.slot, self.is_late):
            if part is not None:
                same &= part[1] == part[1 + before]
        return same


class Currents:
    """The stages of the lane pipeline that add to currents; they use the ports of `Synapses`."""

    def __init__(self, m: Module, unit: Synapses) -> None:
        self._m, self._unit, self._params = m, unit, unit.params
        p = self._params
        self._read_stage, self._write_stage = current_stages(p)
        is_row = unit.issue & ~unit.block.column
        # With sparse rows a block may follow at once that adds to the same neuron.
        self._row = Delay(m, "row", is_row, self._write_stage + p.has_sparse)
        if p.has_synapse_delays:
            self._due = Delay(m, "due", unit.due, self._write_stage)

    def build(self) -> None:
        """Add the stages to the module."""
        p, m, unit = self._params, self._m, self._unit
        group = Delay(m, "place", unit.group, self._read_stage)[self._read_stage]
        group = group[: bits_for(p.row_groups - 1)]
        shared = Place(Delay(m, "read_place", group, _WRITTEN + p.has_sparse))
        if not p.has_sparse:
            m.d.comb += [unit.i_read.eq(shared.group[0]), unit.i_write.eq(shared.group[_WRITTEN])]
        added = self._added() if p.has_projections else [word.weight for word in unit.words]
        for lane in range(p.lanes):
            place = self._place(lane, group) if p.words_address_currents else shared
            self._add(lane, added[lane], place)

    def _place(self, lane: int, group: Value) -> Place:
        """Return where the word of a lane says that it adds, and address it."""
        p, m, unit = self._params, self._m, self._unit
        stage, length = self._read_stage, _WRITTEN + p.has_sparse
        late = stage - _WORDS_STAGE
        word = weights.synapse_layout(p)(
            Delay(m, f"addressing_{lane}", unit.words[lane].as_value(), late)[late]
        )
        if p.has_sparse:
            # The last row may have been sparse when what is due is added.
            is_sparse = unit.sparse & ~unit.due if p.has_synapse_delays else unit.sparse
            sparse = Delay(m, f"sparse_{lane}", is_sparse, stage)[stage]
            group = Mux(sparse, word.sparse_target, group)[: len(group)]
        groups = Delay(m, f"place_{lane}", group, length)
        if p.has_sparse:
            m.d.comb += [unit.i_read[lane].eq(groups[0]), unit.i_write[lane].eq(groups[_WRITTEN])]
        if not p.has_synapse_delays:
            return Place(groups)
        # Behind constants, and behind what is due, there are words of any synapses.
        others = Delay(m, f"others_{lane}", unit.constant | unit.due, stage)[stage]
        delay = Mux(others, 0, word.synapse_delay)
        slot = (unit.tick + delay)[: p.synapse_delay_width]
        slots = Delay(m, f"slot_{lane}", slot, length)
        m.d.comb += [
            unit.ring_read[lane].eq(Cat(slots[0], groups[0])),
            unit.ring_write[lane].eq(Cat(slots[_WRITTEN], groups[_WRITTEN])),
        ]
        return Place(groups, slots, Delay(m, f"late_{lane}", delay != 0, length))

    def _add(self, lane: int, added: Value, place: Place) -> None:
        """Add to a current of a lane, a stage before the result is written."""
        p, m, unit = self._params, self._m, self._unit
        adding = self._write_stage - 1
        inhibits = self._inhibits(added, adding)
        length = _WRITTEN if p.has_sparse else 1
        inhibited = Delay(m, f"inhibited_{lane}", inhibits, length)
        current: Value = unit.i_data[lane]
        if p.has_two_receptors:
            current = Mux(inhibits, unit.i_inh_data[lane], current)
        if place.is_late is not None:
            on_its_way: Value = unit.i_ring_data[lane]
            if p.has_two_receptors:
                on_its_way = Mux(inhibits, unit.i_inh_ring_data[lane], on_its_way)
            current = Mux(place.is_late[_WRITTEN - 1], on_its_way, current)
            added = Mux(self._due[adding], on_its_way, added)
        total = Signal(signed(max(p.i_syn_width, len(added)) + 1), name=f"current_{lane}")
        result = saturated(total, p.i_syn_width)
        if p.has_sparse:
            results = Delay(m, f"result_{lane}", result, _WRITTEN - 1)
            for before in reversed(range(1, _WRITTEN + 1)):  # the last one counts
                hit = Signal(name=f"hit_{lane}_{before}")
                adds = self._row[self._read_stage + 1 + before]
                m.d.sync += hit.eq(adds & place.is_as(before))
                same = hit & (inhibited[0] == inhibited[before])
                current = Mux(same, results[before - 1], current)
        m.d.sync += total.eq(current + added)
        self._write(lane, total, result, place, inhibited[1])

    def _inhibits(self, added: Value, adding: int) -> Value:
        """Return whether a lane adds to the second current."""
        p, m, unit = self._params, self._m, self._unit
        if not p.has_two_receptors:
            return Const(0)
        inhibits: Value = added[-1] & unit.i_inh_en
        if p.has_synapse_delays:
            due = Delay(m, "due_inhibitory", unit.due_inhibitory, adding)[adding]
            inhibits = Mux(self._due[adding], due, inhibits)
        return inhibits

    def _write(
        self, lane: int, total: Signal, result: Value, place: Place, inhibited: Value
    ) -> None:
        """Write the result of a lane."""
        p, m, unit = self._params, self._m, self._unit
        writes = self._row[self._write_stage]
        is_late: Value = Const(0) if place.is_late is None else place.is_late[_WRITTEN]
        with m.If(writes):
            m.d.comb += unit.i_w_data[lane].eq(result)
            if p.saturation_counters:
                m.d.comb += unit.i_syn_saturates[lane].eq(beyond(total, p.i_syn_width))
        if len(unit.i_w_en) > 1:
            m.d.comb += unit.i_w_en[lane].eq(writes & ~is_late & ~inhibited)
        elif lane == 0:
            m.d.comb += unit.i_w_en.eq(writes)
        if p.has_two_receptors:
            m.d.comb += unit.i_inh_w_en[lane].eq(writes & ~is_late & inhibited)
        if p.has_synapse_delays:
            # What is due is taken off the ring.
            due = self._due[self._write_stage]
            ring_en = writes & (is_late | due)
            m.d.comb += [
                unit.ring_w_data[lane].eq(Mux(ring_en & ~due, result, 0)),
                unit.ring_w_en[lane].eq(ring_en & ~inhibited),
            ]
            if p.has_two_receptors:
                m.d.comb += unit.inh_ring_w_en[lane].eq(ring_en & inhibited)

    def _added(self) -> list[Value]:
        """Return what each lane adds, in the stage of adding.

        That is its weight, or that of constant projections.
        """
        m, unit, stage = self._m, self._unit, self._write_stage - 1
        constant = Delay(m, "constant", unit.constant, stage)[stage]
        taken = Delay(m, "taken", unit.taken_stb, stage - 1)[stage - 1]
        later = stage - 1 - FLAGS_LATENCY
        active = Delay(m, "active", unit.active, later)[later]
        # The blocks of the row before are still on their way when the next one is taken.
        every, less = Signal.like(unit.added), Signal.like(unit.added_less)
        with m.If(taken):
            m.d.sync += [every.eq(unit.added), less.eq(unit.added_less)]
        added: list[Value] = []
        for lane, word in enumerate(unit.words):
            same = Signal.like(unit.added, name=f"constant_{lane}")
            m.d.sync += same.eq(Mux(active[lane], less, every))
            late = stage - _WORDS_STAGE
            weight = Delay(m, f"weight_{lane}", word.weight, late)[late]
            if unit.changed:
                weight = unit.changed[lane]
            added.append(Mux(constant, same, weight))
        return added
