"""The lane pipeline: what *Deliver* and *Learn* do to `lanes` synapses a cycle.

Stage by stage, from the cycle in which a block is issued::

    0  address of the weights and of the traces
    1  memories read                       noise: indices spread
    2  registers                           noise: round 1     address of the currents
    3  trace and gain of the pass          noise: round 2     memory read
    4  trace x gain, or table of window    noise: round 3     register
       current + weight                                       (rows)
    5  + offset + noise, cut off                              currents written
    6  weight + step
    7  held to w_min … w_max
    8  rotated back; written

Where the words of the synapses say to which current they add (`currents`), it is read in stage 4,
where the words are in their lanes, and added to in stage 6. With rules a current may be made by the
changed weight, which is there in stage 7, so that all of what rows do to currents is done then.
"""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import Any, Final, NamedTuple

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from spiketwin.hdl.gateware.core import noise, weights
from spiketwin.hdl.gateware.core.currents import Currents, current_members
from spiketwin.hdl.gateware.core.pipeline import Delay, delay_line, saturated
from spiketwin.hdl.gateware.core.profiles import Table, TableWrites
from spiketwin.hdl.gateware.core.register_file import RegisterValues
from spiketwin.hdl.spec import arithmetic as a
from spiketwin.hdl.spec.params import WINDOW_BYTE, CoreParams
from spiketwin.hdl.spec.registers import Space

SETTINGS: Final = ("stochastic", "w_min", "w_max")
"""The registers that the pipeline uses all the time; gains and offsets come through `value`. With
rules all of these are columns of their table, and the rule travels with the block."""

WEIGHT_WRITE_STAGE = 8
"""Stage in which address and data of weights are at the port of their memory."""

_STEP_WIDTH = a.OFFSET_WIDTH + 2
"""Bits of gain · trace + offset: both terms fit `OFFSET_WIDTH` bits (the gain term by 16 + 16 - 8)
and the noise is added on top."""


def window_writes(params: CoreParams) -> wiring.Signature:
    """Return the signature of what the link writes to the tables of windows.

    Members
    -------
    element, value, write_stb:
        An element is written.
    """
    return wiring.Signature(
        {
            "element": Out(range(params.n_rules * params.window_entries)),
            "value": Out(signed(a.OFFSET_WIDTH)),
            "write_stb": Out(1),
        }
    )


class _Rule(NamedTuple):
    """The constants of the rule of a block.

    Attributes
    ----------
    stochastic:
        Whether steps are rounded by noise, in stage 3.
    gain_stb, gain:
        The gain, in stage 2, where the strobe is 1; it stays until the next strobe.
    gain_shift:
        The exponent of the gain, in stage 4; None without rules.
    offset:
        The offset, in stage 4.
    w_min, w_max:
        The bounds of what is stored, in stage 6. If they cross, `w_max` wins, and is `w_min` as
        well.
    current_after:
        Whether currents are made by changed weights, in stage 7; None without rules.
    window_en:
        Whether steps are those of a window, in stage 4; None without windows.
    entries:
        What the table of the window has for each lane, in stage 4, as a fraction of a product.
    drifted:
        By what plastic weights act more than they are stored as, from stage 2 on, and `w_min` and
        `w_max` in stage 4; None without windows.
    """

    stochastic: Value
    gain_stb: Value
    gain: Value
    gain_shift: Value | None
    offset: Value
    w_min: Value
    w_max: Value
    current_after: Value | None
    window_en: Value | None = None
    entries: tuple[Value, ...] = ()
    drifted: tuple[Delay, Value, Value] | None = None


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
        Without rules: In, `value` is the gain, or the offset, of the rule from now on.
    settings:
        Without rules: In, the registers `SETTINGS`: rounding and bounds.
    rule, rules:
        With rules: In, the rule of the block; what is written to their table.
    history, drift, windows:
        With windows: In, the history of the sources of a block, as `trace`; by what plastic weights
        act more than they are stored as, as late; what the link writes to the tables.
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
        words = data.ArrayLayout(weights.synapse_layout(p), p.lanes)
        members = {
            "issue": In(1),
            "block": In(weights.BlockAddress(p)),
            "group": In(bits_for(p.column_groups - 1)),
            "index": In(range(p.n_sources)),
            "read": Out(weights.BlockAddress(p)),
            "words": In(words),
            **current_members(p),
        }
        if p.learning:
            members |= {
                "write": Out(weights.BlockAddress(p)),
                "w_en": Out(1),
                "w_words": Out(words),
                "trace": In(data.ArrayLayout(p.trace_width, p.lanes)),
                "learn_en": In(1),
                "key": In(data.ArrayLayout(16, 2)),
            }
            members |= (
                {"rule": In(p.rule_width), "rules": In(TableWrites(p, Space.RULE_TABLE))}
                if p.has_rules
                else {
                    "gain_stb": In(1),
                    "offset_stb": In(1),
                    "value": In(32),
                    "settings": In(RegisterValues(p, SETTINGS)),
                }
            )
            if p.window_bits:
                members |= {
                    "history": In(data.ArrayLayout(p.history_width, p.lanes)),
                    "drift": In(signed(p.weight_width)),
                    "windows": In(window_writes(p)),
                }
            if p.saturation_counters:
                members |= {"once": In(1), "weight_saturates": Out(p.lanes)}
        super().__init__(members)

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        for name in weights.BlockAddress(self.params).members:
            m.d.comb += getattr(self.read, name).eq(getattr(self.block, name))
        self.changed = list[Value]()  # with rules: the weights that may act, in stage 7
        if self.params.learning:
            self._learn(m)
        Currents(m, self).build()
        return m

    def _learn(self, m: Module) -> None:
        p = self.params
        rule = self._from_table(m) if p.has_rules else self._from_registers(m)
        m.submodules.noise = hashed = noise.Noise(p)
        m.d.comb += [
            hashed.key.eq(self.key),
            hashed.stochastic.eq(rule.stochastic),
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
        once = Delay(m, "once", self.once, last)[last] if p.saturation_counters else Const(1)
        for lane in range(p.lanes):
            change = self._change(m, lane, rule, hashed.bits[lane])
            before, after = self._change_weight(m, lane, change, rule, once)
            if rule.current_after is not None:
                takes = learning[last] & rule.current_after
                acts = Mux(takes, after.weight, before.weight)
                if rule.drifted is not None:
                    acts += Mux(before.plastic, rule.drifted[0][5], 0)
                self.changed.append(acts[: p.weight_width].as_signed())

    def _from_registers(self, m: Module) -> _Rule:
        """Return the only rule of a core."""
        settings, w_max = self.settings, self.settings.w_max
        w_min = Signal.like(settings.w_min)
        m.d.sync += w_min.eq(Mux(settings.w_min > w_max, w_max, settings.w_min))
        offset = Signal(signed(a.OFFSET_WIDTH))
        with m.If(self.offset_stb):
            m.d.sync += offset.eq(self.value)
        return _Rule(
            settings.stochastic, self.gain_stb, self.value, None, offset, w_min, w_max, None
        )

    def _from_table(self, m: Module) -> _Rule:
        """Return the rule of the block in each stage, from the table of rules."""
        table = Table(m, self.params, Space.RULE_TABLE, self.rules)
        number = Delay(m, "rule", self.rule, 6)

        def at(stage: int, name: str) -> Value:
            return table.held(name, number[stage - 1], name)

        # No block is in the pipeline when rows turn into columns.
        column = self.block.column
        looked_up = 2 if self.params.window_bits else 5
        low, high = at(looked_up, "w_min"), at(looked_up, "w_max")
        ordered = Signal.like(low, name="w_min"), Signal.like(high, name="w_max")
        m.d.sync += [ordered[0].eq(Mux(low > high, high, low)), ordered[1].eq(high)]
        w_min, w_max = tuple[Value, ...](ordered)
        window_en, entries, drifted = None, tuple[Value, ...](), None
        if self.params.window_bits:
            window = at(2, "window")
            drifted = self._drifted(m, w_min, w_max)
            w_min, w_max = (Delay(m, f"late_{b.name}", b, 2)[2] for b in drifted[1:])
            entries = tuple(self._entries(m, k, window) for k in range(self.params.lanes))
            window_en = Delay(m, "window_en", window != 0, 2)[2] & column
        return _Rule(
            stochastic=at(3, "stochastic"),
            gain_stb=Const(1),
            gain=Mux(column, at(2, "post_gain"), at(2, "pre_gain")),
            gain_shift=at(4, "gain_shift"),
            offset=Mux(column, at(4, "post_offset"), at(4, "pre_offset")),
            w_min=w_min,
            w_max=w_max,
            current_after=at(7, "current_after"),
            window_en=window_en,
            entries=entries,
            drifted=drifted,
        )

    def _drifted(self, m: Module, w_min: Value, w_max: Value) -> tuple[Delay, Signal, Signal]:
        """Return the drift of a block, from stage 2 on, and the bounds of its weights in stage 4.

        The bounds of what acts are those of stage 3.
        """
        p, drift = self.params, self.drift
        if p.has_sparse:  # whose synapses are never plastic
            drift = Mux(Delay(m, "drifts_not", self.sparse, 2)[2], 0, drift)
        late = Delay(m, "drift", drift, 5)
        low, high = Signal.like(w_min, name="low"), Signal.like(w_max, name="high")
        m.d.sync += [
            bound.eq(saturated(acting - late[1], p.weight_width))
            for bound, acting in ((low, w_min), (high, w_max))
        ]
        return late, low, high

    def _held(self, m: Module, lane: int, drifted: tuple[Delay, Value, Value]) -> Value:
        """Return the synapse of a lane in stage 4, held to its bounds if they have drifted."""
        word, (drift, low, high) = self.words[lane], drifted
        held = Signal.like(word, name=f"synapse_{lane}")
        m.d.comb += held.eq(word)
        with m.If(word.plastic & (drift[2] != 0)):
            with m.If(word.weight < low):
                m.d.comb += held.weight.eq(low)
            with m.Elif(word.weight > high):
                m.d.comb += held.weight.eq(high)
        return Value.cast(held)

    def _entries(self, m: Module, lane: int, window: Value) -> Signal:
        """Return, in stage 4, the sum of what the table of a window has for the past of a source.

        `window` is its number, in stage 2. Each lane has copies of the tables of its own.
        """
        p, found = self.params, list[Value]()
        number = (window - 1)[: p.rule_width]
        for byte in range(p.window_bits // WINDOW_BYTE):
            memory: Memory = Memory(
                shape=signed(a.OFFSET_WIDTH), depth=p.n_rules << WINDOW_BYTE, init=[],
                attrs={"ram_style": "block"},
            )  # fmt: skip
            m.submodules[f"window_{lane}_{byte}"] = memory
            write, read, place = memory.write_port(), memory.read_port(), self.windows.element
            # An element is the number of a window, the byte if there are two, and its value.
            of_value, of_window = place[:WINDOW_BYTE], place[-p.rule_width :]
            of_byte = place[WINDOW_BYTE : -p.rule_width]
            m.d.comb += [
                write.addr.eq(Cat(of_value, of_window)),
                write.data.eq(self.windows.value),
                write.en.eq(self.windows.write_stb & (of_byte == byte)),
                read.addr.eq(Cat(self.history[lane].word_select(byte, WINDOW_BYTE), number)),
            ]
            found.append(read.data)
        entries = Signal(signed(a.OFFSET_WIDTH + 1), name=f"entries_{lane}")
        m.d.sync += entries.eq(reduce(add, found))
        return entries

    def _change(self, m: Module, lane: int, rule: _Rule, rounding: Value) -> Signal:
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
        cut_off = p.trace_width + a.GAIN_BITS - a.STEP_BITS
        step_width, shifted = _STEP_WIDTH, Value.cast(product)
        if rule.window_en is not None:
            # The entries are as long as a product, so that both go the same way.
            shifted = Mux(rule.window_en, rule.entries[lane] << cut_off, product)
        if rule.gain_shift is not None:
            step_width, shifted = _STEP_WIDTH + a.MAX_GAIN_SHIFT, shifted << rule.gain_shift
        change = Signal(signed(step_width - a.STEP_BITS), name=f"change_{lane}")
        fraction = shifted >> cut_off
        with m.If(rule.gain_stb):
            m.d.sync += gain.eq(rule.gain)
        m.d.sync += [
            trace.eq(self.trace[lane]),
            product.eq(trace * gain),
            change.eq((fraction + rule.offset + rounding) >> a.STEP_BITS),
        ]
        return change

    def _change_weight(
        self, m: Module, lane: int, change: Value, rule: _Rule, once: Value
    ) -> tuple[Any, Any]:
        """Stages 6 and 7: add the change to the weight, and hold the weight to its bounds.

        Returns the synapse before and after, in stage 7.
        """
        p, w_min, w_max = self.params, rule.w_min, rule.w_max
        layout = weights.synapse_layout(p)
        word = Delay(m, f"word_{lane}", self.words[lane].as_value(), 3)
        if rule.drifted is not None:
            word = Delay(m, f"held_{lane}", self._held(m, lane, rule.drifted), 3)
        weight = layout(word[1]).weight
        moved = Signal(signed(max(p.weight_width, len(change)) + 1), name=f"inverted_{lane}")
        m.d.sync += moved.eq(~(weight + change))
        kept = layout(word[2])
        result = Signal(layout, name=f"result_{lane}")
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
        return layout(word[3]), result
