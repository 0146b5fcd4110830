"""The lane pipeline: what *Deliver* and *Learn* do to `lanes` synapses a cycle.

Stage by stage, from the cycle in which a block is issued::

    0  address of the weights and of the traces
    1  memories read                       noise: indices spread
    2  registers                           noise: round 1     address of the currents
    3  trace and gain of the pass          noise: round 2     memory read
    4  trace x gain; words in lanes        noise: round 3     register
       current + weight                                       (rows)
    5  + offset + noise, cut off                              currents written
    6  weight + step
    7  held to w_min … w_max
    8  rotated back; written

In a core with sparse rows the words say to which group each lane adds, so the currents are read in
stage 4, where the words are in their lanes, and added to in stage 6. A sum is not in memory before
the fourth block behind it reads, so the three in between get it from the pipeline.
"""

from __future__ import annotations

from typing import Final

from amaranth.hdl import Const, Module, Mux, ShapeLike, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from spiketwin.hdl.gateware.core import noise, weights
from spiketwin.hdl.gateware.core.active_neurons import FLAGS_LATENCY
from spiketwin.hdl.gateware.core.pipeline import Delay, beyond, delay_line, saturated
from spiketwin.hdl.gateware.core.register_file import RegisterValues
from spiketwin.hdl.gateware.core.walker import row_layout
from spiketwin.hdl.spec import arithmetic as a
from spiketwin.hdl.spec import schedule
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.projections import CURRENT_CYCLES

SETTINGS: Final = ("stochastic", "w_min", "w_max")
"""The registers that the pipeline uses all the time; gains and offsets come through `value`."""

WEIGHT_WRITE_STAGE = 8
"""Stage in which address and data are at the port of the memory of weights."""

_STEP_WIDTH = a.OFFSET_WIDTH + 2
"""Bits of gain · trace + offset: both terms fit `OFFSET_WIDTH` bits (the gain term by 16 + 16 - 8)
and the noise is added on top."""


def current_stages(params: CoreParams) -> tuple[int, int]:
    """Return the stages in which currents are read, and written."""
    read = 2 + (schedule.SPARSE if params.has_sparse else 0)
    return read, read + CURRENT_CYCLES - 1


_WORDS_STAGE = weights.READ_LATENCY
"""Stage in which the words are in their lanes."""


class Synapses(wiring.Component):
    """The pipeline of *Deliver* (rows) and *Learn* (columns).

    Members
    -------
    issue, block:
        In, a block of synapses enters.
    group:
        In, the number of the block: of its word of currents in a row, of its word of source traces
        in a column.
    index:
        In, the source of the row or the neuron of the column.
    read, words, write, w_en, w_words:
        Access to the memory of weights (`weights.WeightSignature`).
    taken_stb, constant, added, added_less, active:
        In, with projections: the next row begins with the next cycle; whether the block is one of a
        constant projection, and what this adds (`walker.row_layout`); the lanes whose neurons are
        active sources, `active_neurons.FLAGS_LATENCY` cycles after the block.
    sparse:
        In, with sparse rows: the block is one of them.
    i_read, i_data, i_write, i_w_data, i_w_en:
        Access to the memory of currents; without `i_w_en`, `i_w_data` is 0. With two receptors
        `i_w_en` has a bit for each lane, and with sparse rows there are addresses for each.
    i_inh_en, i_inh_data, i_inh_w_en:
        With two receptors: In, whether weights below 0 add to the second current; access to its
        memory, which has addresses and data to write in common with the first.
    trace:
        In, the traces of the block: `trace_post` in rows, `trace_pre` in columns,
        `state_memory.READ_LATENCY` cycles after the block is issued.
    learn_en:
        In, whether the rule of the pass under way is applied.
    gain_stb, offset_stb, value:
        In, `value` is the gain, or the offset, of the rule from now on.
    settings:
        In, the registers `SETTINGS`: rounding and bounds.
    key:
        In, the key of the noise.
    i_syn_saturates:
        Out, with `saturation_counters`: lanes whose current is cut to its width as it is written.
    once, weight_saturates:
        With `saturation_counters`: In, the block is issued for the last time, if it is issued
        twice; Out, lanes whose step a bound cuts short.
    """

    def __init__(self, params: CoreParams) -> None:
        self.params = p = params
        lanes = p.lanes
        words = data.ArrayLayout(weights.synapse_layout(p), lanes)
        currents = data.ArrayLayout(signed(p.i_syn_width), lanes)
        group = bits_for(p.column_groups - 1)
        current_address: ShapeLike = bits_for(p.row_groups - 1)
        if p.has_sparse:
            current_address = data.ArrayLayout(current_address, lanes)
        members = {
            "issue": In(1),
            "block": In(weights.BlockAddress(p)),
            "group": In(group),
            "index": In(range(p.n_sources)),
            "read": Out(weights.BlockAddress(p)),
            "words": In(words),
            "i_read": Out(current_address),
            "i_data": In(currents),
            "i_write": Out(current_address),
            "i_w_data": Out(currents),
            "i_w_en": Out(lanes if p.has_two_receptors else 1),
        }
        if p.has_projections:
            added = row_layout(p)["added"].shape
            members |= {
                "taken_stb": In(1),
                "constant": In(1),
                "added": In(added),
                "added_less": In(added),
                "active": In(lanes),
            }
        if p.has_sparse:
            members["sparse"] = In(1)
        if p.has_two_receptors:
            members |= {"i_inh_en": In(1), "i_inh_data": In(currents), "i_inh_w_en": Out(lanes)}
        if p.learning:
            members |= {
                "write": Out(weights.BlockAddress(p)),
                "w_en": Out(1),
                "w_words": Out(words),
                "trace": In(data.ArrayLayout(p.trace_width, lanes)),
                "learn_en": In(1),
                "gain_stb": In(1),
                "offset_stb": In(1),
                "value": In(32),
                "settings": In(RegisterValues(p, SETTINGS)),
                "key": In(data.ArrayLayout(16, 2)),
            }
        if p.saturation_counters:
            members["i_syn_saturates"] = Out(lanes)
            if p.learning:
                members |= {"once": In(1), "weight_saturates": Out(lanes)}
        super().__init__(members)

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        for name in weights.BlockAddress(self.params).members:
            m.d.comb += getattr(self.read, name).eq(getattr(self.block, name))
        self._deliver(m)
        if self.params.learning:
            self._learn(m)
        return m

    def _deliver(self, m: Module) -> None:
        """Add weights to currents: a read-modify-write of four cycles.

        A row has at least four groups, so there is no read-modify-write hazard between rows. With
        projections the table sees to that (`spec.projections.collide`), or with sparse rows what
        is not in memory yet is forwarded.
        """
        p = self.params
        _, write = current_stages(p)
        row = Delay(m, "row", self.issue & ~self.block.column, write + p.has_sparse)
        groups = self._groups(m)
        added = self._added(m) if p.has_projections else [word.weight for word in self.words]
        if not p.has_two_receptors:
            m.d.comb += self.i_w_en.eq(row[write])
        for lane in range(p.lanes):
            late = write - 1 - _WORDS_STAGE
            adds = Delay(m, f"added_{lane}", added[lane], late)[late]
            self._add(m, lane, adds, row, groups[lane if p.has_sparse else 0])

    def _add(self, m: Module, lane: int, added: Value, row: Delay, group: Delay) -> None:
        """Add to the current of a lane."""
        p = self.params
        writes = row[current_stages(p)[1]]
        total = Signal(signed(max(p.i_syn_width, len(added)) + 1), name=f"current_{lane}")
        result = saturated(total, p.i_syn_width)
        current: Value = self.i_data[lane]
        inhibited: Delay | None = None
        if p.has_two_receptors:
            inhibits = added[-1] & self.i_inh_en
            length = CURRENT_CYCLES - 1 if p.has_sparse else 1
            inhibited = Delay(m, f"inhibited_{lane}", inhibits, length)
            current = Mux(inhibits, self.i_inh_data[lane], current)
            m.d.comb += [
                self.i_w_en[lane].eq(writes & ~inhibited[1]),
                self.i_inh_w_en[lane].eq(writes & inhibited[1]),
            ]
        if p.has_sparse:
            results = Delay(m, f"result_{lane}", result, CURRENT_CYCLES - 2)
            current = self._forwarded(m, lane, current, results, group, row, inhibited)
        m.d.sync += total.eq(current + added)
        with m.If(writes):
            m.d.comb += self.i_w_data[lane].eq(result)
            if p.saturation_counters:
                m.d.comb += self.i_syn_saturates[lane].eq(beyond(total, p.i_syn_width))

    def _groups(self, m: Module) -> list[Delay]:
        """Address the currents; return the group of each lane, from the stage of reading on.

        All lanes have the same one, but in sparse rows.
        """
        p = self.params
        read, write = current_stages(p)
        bits = bits_for(p.row_groups - 1)
        group = Delay(m, "place", self.group[:bits], read)[read]
        if not p.has_sparse:
            groups = Delay(m, "read_place", group, write - read)
            m.d.comb += [self.i_read.eq(groups[0]), self.i_write.eq(groups[write - read])]
            return [groups]
        sparse = Delay(m, "sparse", self.sparse, read)[read]
        scattered = list[Delay]()
        for lane, word in enumerate(self.words):
            own = Mux(sparse, word.sparse_target, group)
            groups = Delay(m, f"place_{lane}", own[:bits], write - read + 1)
            m.d.comb += [
                self.i_read[lane].eq(groups[0]),
                self.i_write[lane].eq(groups[write - read]),
            ]
            scattered.append(groups)
        return scattered

    def _forwarded(
        self, m: Module, lane: int, current: Value, results: Delay, group: Delay, row: Delay,
        inhibited: Delay | None,
    ) -> Value:  # fmt: skip
        """Return what a lane adds to: the current from memory, or what a block before has left.

        Parameters
        ----------
        m, lane, current:
            The module, the number of the lane, and the current from memory.
        results:
            What the blocks one, two and three before have left.
        group:
            The group of the lane, from the stage in which its current is read on.
        row:
            Whether the block is one of a row, from its issue on.
        inhibited:
            With two receptors: whether the lane adds to the second current, from its adding on.
        """
        read, _ = current_stages(self.params)
        for age in reversed(range(1, CURRENT_CYCLES)):  # the last one before counts
            hit = Signal(name=f"hit_{lane}_{age}")
            m.d.sync += hit.eq(row[read + 1 + age] & (group[1] == group[1 + age]))
            same: Value = hit
            if inhibited is not None:
                same = hit & (inhibited[0] == inhibited[age])
            current = Mux(same, results[age - 1], current)
        return current

    def _added(self, m: Module) -> list[Value]:
        """Return, in stage 4, what each lane adds: its weight, or that of constant projections."""
        constant = Delay(m, "constant", self.constant, 4)[4]
        taken = Delay(m, "taken", self.taken_stb, 3)[3]
        active = Delay(m, "active", self.active, 3 - FLAGS_LATENCY)[3 - FLAGS_LATENCY]
        # The blocks of the row before are still on their way when the next one is taken.
        every, less = Signal.like(self.added), Signal.like(self.added_less)
        with m.If(taken):
            m.d.sync += [every.eq(self.added), less.eq(self.added_less)]
        added: list[Value] = []
        for lane, word in enumerate(self.words):
            same = Signal.like(self.added, name=f"constant_{lane}")
            m.d.sync += same.eq(Mux(active[lane], less, every))
            added.append(Mux(constant, same, word.weight))
        return added

    def _learn(self, m: Module) -> None:
        p = self.params
        m.submodules.noise = hashed = noise.Noise(p)
        m.d.comb += [
            hashed.key.eq(self.key),
            hashed.stochastic.eq(self.settings.stochastic),
            hashed.spiked.eq(self.index),
            hashed.group.eq(self.group),
        ]
        # The address of the block is delayed along with its words, for the write.
        last = WEIGHT_WRITE_STAGE - weights.WRITE_LATENCY
        learning = Delay(m, "learning", self.issue & self.learn_en, last)
        for name in weights.BlockAddress(p).members:
            value, late = getattr(self.block, name), f"block_{name}"
            is_wide = name == "word"
            m.d.comb += getattr(self.write, name).eq(
                delay_line(m, late, value, last) if is_wide else Delay(m, late, value, last)[last]
            )
        m.d.comb += self.w_en.eq(learning[last])
        # If the bounds cross, w_max wins.
        settings, w_max = self.settings, self.settings.w_max
        w_min = Signal.like(settings.w_min)
        m.d.sync += w_min.eq(Mux(settings.w_min > w_max, w_max, settings.w_min))
        offset = Signal(signed(a.OFFSET_WIDTH))
        with m.If(self.offset_stb):
            m.d.sync += offset.eq(self.value)
        once = Delay(m, "once", self.once, last)[last] if p.saturation_counters else Const(1)
        for lane in range(p.lanes):
            change = self._change(m, lane, offset, hashed.bits[lane])
            self._change_weight(m, lane, change, w_min, once)

    def _change(self, m: Module, lane: int, offset: Value, rounding: Value) -> Signal:
        """Stages 3 to 5: gain · trace + offset + rounding, truncated to whole weight units."""
        p = self.params
        # Multipliers have registers at inputs and output. They lie far apart, so each lane has its
        # own copy of the gain (register duplication). The copies differ in their initial values,
        # which are never used, so that synthesis does not merge them. In a small FPGA the copies
        # are to be the registers in the multiplier blocks, which begin with 0.
        trace = Signal(p.trace_width, name=f"trace_{lane}", reset_less=True)
        init = 0 if p.single_port_weights else lane
        gain = Signal(signed(a.GAIN_WIDTH), name=f"gain_{lane}", init=init, reset_less=True)
        # Only a register without a reset can be moved into the multiplier block.
        product = Signal(
            signed(a.GAIN_WIDTH + p.trace_width), name=f"product_{lane}", reset_less=True
        )
        change = Signal(signed(_STEP_WIDTH - a.STEP_BITS), name=f"change_{lane}")
        fraction = product >> (p.trace_width + a.GAIN_BITS - a.STEP_BITS)
        with m.If(self.gain_stb):
            m.d.sync += gain.eq(self.value)
        m.d.sync += [
            trace.eq(self.trace[lane]),
            product.eq(trace * gain),
            change.eq((fraction + offset + rounding) >> a.STEP_BITS),
        ]
        return change

    def _change_weight(
        self, m: Module, lane: int, change: Value, w_min: Value, once: Value
    ) -> None:
        """Stages 6 and 7: add the change to the weight, and hold the weight to its bounds."""
        p, w_max = self.params, self.settings.w_max
        word = Delay(m, f"word_{lane}", self.words[lane].as_value(), 3)
        weight = weights.synapse_layout(p)(word[1]).weight
        moved = Signal(signed(max(p.weight_width, len(change)) + 1), name=f"inverted_{lane}")
        m.d.sync += moved.eq(~(weight + change))
        kept = weights.synapse_layout(p)(word[2])
        result = Signal(weights.synapse_layout(p), name=f"result_{lane}")
        m.d.sync += result.plastic.eq(kept.plastic)
        if p.has_sparse:
            m.d.sync += result.sparse_target.eq(kept.sparse_target)
        with m.If(~kept.plastic):
            m.d.sync += result.weight.eq(kept.weight)
        # a - b - 1 is a + ~b: with the inverted weight no adder has inverters at its inputs.
        with m.Elif((w_max + moved) < 0):
            m.d.sync += result.weight.eq(w_max)
        with m.Elif((w_min + moved) >= 0):
            m.d.sync += result.weight.eq(w_min)
        with m.Else():
            m.d.sync += result.weight.eq(~moved)
        m.d.comb += self.w_words[lane].eq(result)
        if p.saturation_counters:
            cut = Signal(name=f"weight_cut_{lane}")
            to_top, to_bottom = w_max + moved, w_min + moved
            # A difference of -1 is a weight that reaches w_max exactly, and is not cut.
            passes_top = (to_top < 0) & ~to_top.all()
            m.d.sync += cut.eq(kept.plastic & (passes_top | (to_bottom >= 0)))
            m.d.comb += self.weight_saturates[lane].eq(self.w_en & once & cut)
