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

Where the words of the synapses say to which current they add (`currents`), it is read in stage 4,
where the words are in their lanes, and added to in stage 6.
"""

from __future__ import annotations

from typing import Final

from amaranth.hdl import Const, Module, Mux, ShapeLike, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from spiketwin.hdl.gateware.core import noise, weights
from spiketwin.hdl.gateware.core.currents import Currents
from spiketwin.hdl.gateware.core.pipeline import Delay, delay_line
from spiketwin.hdl.gateware.core.register_file import RegisterValues
from spiketwin.hdl.gateware.core.walker import row_layout
from spiketwin.hdl.spec import arithmetic as a
from spiketwin.hdl.spec.params import CoreParams

SETTINGS: Final = ("stochastic", "w_min", "w_max")
"""The registers that the pipeline uses all the time; gains and offsets come through `value`."""

WEIGHT_WRITE_STAGE = 8
"""Stage in which address and data are at the port of the memory of weights."""

_STEP_WIDTH = a.OFFSET_WIDTH + 2
"""Bits of gain · trace + offset: both terms fit `OFFSET_WIDTH` bits (the gain term by 16 + 16 - 8)
and the noise is added on top."""


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
    due, due_inhibitory, tick:
        In, with synapse delays: the block is one of the currents that are due, and with two
        receptors of the second ones; the number of the tick.
    i_read, i_data, i_write, i_w_data, i_w_en:
        Access to the memory of currents; without `i_w_en`, `i_w_data` is 0. With two receptors
        `i_w_en` has a bit for each lane, and so it has with synapse delays. With sparse rows there
        are addresses for each lane.
    i_inh_en, i_inh_data, i_inh_w_en:
        With two receptors: In, whether weights below 0 add to the second current; access to its
        memory, which has addresses and data to write in common with the first.
    ring_read, ring_write, ring_w_data, i_ring_data, ring_w_en, i_inh_ring_data, inh_ring_w_en:
        With synapse delays: access to the rings of both currents, which have addresses and data to
        write in common.
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
            "i_w_en": Out(lanes if p.has_two_receptors or p.has_synapse_delays else 1),
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
        if p.has_synapse_delays:
            address = bits_for(p.ring_size // lanes - 1)
            members |= {
                "due": In(1),
                "tick": In(p.synapse_delay_width),
                "ring_read": Out(data.ArrayLayout(address, lanes)),
                "ring_write": Out(data.ArrayLayout(address, lanes)),
                "ring_w_data": Out(currents),
                "i_ring_data": In(currents),
                "ring_w_en": Out(lanes),
            }
            if p.has_two_receptors:
                members |= {
                    "due_inhibitory": In(1),
                    "i_inh_ring_data": In(currents),
                    "inh_ring_w_en": Out(lanes),
                }
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
        Currents(m, self).build()
        if self.params.learning:
            self._learn(m)
        return m

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
        if p.has_synapse_delays:
            m.d.sync += result.synapse_delay.eq(kept.synapse_delay)
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
