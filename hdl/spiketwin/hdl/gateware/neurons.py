"""*Update*: `neuron_lanes` neurons a cycle decay, integrate, fire and adapt.

Stage by stage, from the cycle in which a group is issued::

     0  address of all memories
     1  memories read
     2  registers
     3  decay of v, i_syn, trace_post begins (4 cycles)     threshold + theta, current + bias
     6  decayed v + current + bias; currents written
     7  held to v_floor and to the width
     8  less threshold + theta: its sign is the decision
     9  new v, refractory count, bumps
    10  spikes leave; trace_post written; decay of theta begins (4 cycles)
    14  v, refractory count and theta written
"""

from __future__ import annotations

from amaranth.hdl import Array, Const, Module, Mux, Shape, Signal, Value, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from spiketwin.hdl.gateware import decay, state_memory
from spiketwin.hdl.gateware.pipeline import Delay, bumped, saturated, sub_word_enables
from spiketwin.hdl.spec.arithmetic import DECAY_BITS
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.registers import Space

READ = state_memory.READ_LATENCY
CURRENT_WRITE = READ + decay.DECAY_LATENCY
SPIKES = CURRENT_WRITE + 4
"""Stage in which spikes leave: sum, floor, difference, decision."""

STATE_WRITE = SPIKES + decay.DECAY_LATENCY

NARROW_SPACES = (
    Space.THRESHOLD,
    Space.V_RESET,
    Space.REFRAC_TICKS,
    Space.BIAS,
    Space.V,
    Space.REFRAC_COUNT,
    Space.THETA,
)
"""Memories with `neuron_lanes` elements to a word; those the lanes use too have `lanes`."""

WRITTEN_LATE = (Space.V, Space.REFRAC_COUNT, Space.THETA)


def element_shapes(params: CoreParams) -> dict[Space, Shape]:
    """Shape of the elements of every vector in the core."""
    p = params
    v, refrac = signed(p.v_width), unsigned(p.refrac_width)
    shapes = {
        Space.THRESHOLD: v,
        Space.V_RESET: v,
        Space.REFRAC_TICKS: refrac,
        Space.BIAS: v,
        Space.V: v,
        Space.I_SYN: signed(p.i_syn_width),
        Space.REFRAC_COUNT: refrac,
        Space.THETA: unsigned(p.theta_width),
    }
    if p.learning:
        shapes[Space.TRACE_POST] = unsigned(p.trace_width)
        shapes[Space.TRACE_PRE] = unsigned(p.trace_width)
    return shapes


class NeuronSettings(wiring.Signature):
    """Registers that *Update* uses; names as in `spec.registers`."""

    def __init__(self, params: CoreParams) -> None:
        p = params
        members = {
            "v_decay": Out(DECAY_BITS),
            "v_floor": Out(signed(p.v_width)),
            "i_syn_decay": Out(DECAY_BITS),
            "reset_subtract": Out(1),
            "theta_decay": Out(DECAY_BITS),
            "theta_bump": Out(p.theta_width),
        }
        if p.learning:
            members |= {
                "trace_post_decay": Out(DECAY_BITS),
                "trace_post_bump": Out(p.trace_width),
                "trace_post_replace": Out(1),
            }
        super().__init__(members)


class Neurons(wiring.Component):
    """The pipeline of *Update*.

    Members
    -------
    issue, group:
        In, a group of `neuron_lanes` neurons enters.
    settings:
        In, registers.
    r_group:
        Out, address of the narrow memories.
    <space>:
        In, for each narrow memory its word, `state_memory.READ_LATENCY` after the address.
    w_group, w_en, w_v, w_refrac_count, w_theta:
        Out, new state.
    r_wide, i_syn, trace_post:
        Out, address of the memories with `lanes` elements; In, their words.
    i_write, i_w_data, i_w_en, trace_write, trace_w_data, trace_w_en:
        Out, new currents and traces.
    spike_group, spike_mask:
        Out, the neurons that fire; the mask is 0 when none does.
    """

    def __init__(self, params: CoreParams) -> None:
        self.params = p = params
        self.shapes = element_shapes(p)
        lanes = p.neuron_lanes
        group = bits_for(p.neuron_groups - 1)
        wide = bits_for(p.row_groups - 1)
        members = {
            "issue": In(1),
            "group": In(group),
            "settings": In(NeuronSettings(p)),
            "r_group": Out(group),
            **{
                space.name.lower(): In(data.ArrayLayout(self.shapes[space], lanes))
                for space in NARROW_SPACES
            },
            "w_group": Out(group),
            "w_en": Out(lanes),
            **{
                f"w_{space.name.lower()}": Out(data.ArrayLayout(self.shapes[space], lanes))
                for space in WRITTEN_LATE
            },
            "r_wide": Out(wide),
            "i_syn": In(data.ArrayLayout(self.shapes[Space.I_SYN], p.lanes)),
            "i_write": Out(wide),
            "i_w_data": Out(data.ArrayLayout(self.shapes[Space.I_SYN], p.lanes)),
            "i_w_en": Out(p.lanes),
            "spike_group": Out(group),
            "spike_mask": Out(lanes),
        }
        if p.learning:
            trace = self.shapes[Space.TRACE_POST]
            members |= {
                "trace_post": In(data.ArrayLayout(trace, p.lanes)),
                "trace_write": Out(wide),
                "trace_w_data": Out(data.ArrayLayout(trace, p.lanes)),
                "trace_w_en": Out(p.lanes),
            }
        super().__init__(members)

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        p = self.params
        lanes = p.neuron_lanes
        sub_bits = exact_log2(p.lanes // lanes)
        issue = Delay(m, "issue", self.issue, STATE_WRITE)
        group = Delay(m, "group", self.group, STATE_WRITE)
        m.d.comb += [
            self.r_group.eq(self.group),
            self.r_wide.eq(self.group >> sub_bits),
            self.w_group.eq(group[STATE_WRITE]),
            self.w_en.eq(issue[STATE_WRITE].replicate(lanes)),
            self.i_write.eq(group[CURRENT_WRITE] >> sub_bits),
            self.i_w_en.eq(sub_word_enables(issue, group, CURRENT_WRITE, sub_bits, lanes)),
            self.spike_group.eq(group[SPIKES]),
        ]
        if p.learning:
            m.d.comb += [
                self.trace_write.eq(group[SPIKES] >> sub_bits),
                self.trace_w_en.eq(sub_word_enables(issue, group, SPIKES, sub_bits, lanes)),
            ]
        sub = group[READ][:sub_bits]
        for lane in range(lanes):
            self._neuron(m, lane, sub, issue[SPIKES])
        return m

    def _decay(self, m: Module, name: str, lane: int, value: Value, code: Value) -> Value:
        m.submodules[f"{name}_{lane}"] = unit = decay.Decay(Shape.cast(value.shape()))
        m.d.comb += [unit.value.eq(value), unit.code.eq(code)]
        return unit.result

    def _neuron(self, m: Module, lane: int, sub: Value, valid: Value) -> None:
        p, s = self.params, self.settings
        lanes = p.neuron_lanes

        def tapped(space: Space, stages: int) -> Delay:
            """A word's element; tap k is stage READ + k."""
            name = space.name.lower()
            return Delay(m, f"{name}_{lane}", getattr(self, name)[lane], stages)

        def signal(name: str, width: int, is_signed: bool = True) -> Signal:
            return Signal(Shape(width, is_signed), name=f"{name}_{lane}")

        current = signal("current", p.i_syn_width)
        m.d.comb += current.eq(_element(self.i_syn, sub, lane, lanes))
        decayed_v = self._decay(m, "decay_v", lane, self.v[lane], s.v_decay)
        decayed_i = self._decay(m, "decay_i", lane, current, s.i_syn_decay)
        for k in range(lane, p.lanes, lanes):
            m.d.comb += self.i_w_data[k].eq(decayed_i)

        v_old = tapped(Space.V, 7)
        v_reset = tapped(Space.V_RESET, 7)
        refrac_ticks = tapped(Space.REFRAC_TICKS, 7)
        refrac_count = tapped(Space.REFRAC_COUNT, 7)
        theta = tapped(Space.THETA, 7)

        # Stage 2 to 6: what is added to v, and what v is compared with.
        drive = signal("drive", max(p.i_syn_width, p.v_width) + 1)
        limit = signal("limit", max(p.v_width, p.theta_width + 1) + 1)
        m.d.sync += [
            drive.eq(current + self.bias[lane]),
            limit.eq(self.threshold[lane] + theta[0]),
        ]
        drive_late = Delay(m, f"drive_{lane}", drive, 3)
        limit_late = Delay(m, f"limit_{lane}", limit, 5)

        # Stage 6, 7, 8: sum, floor and saturation, difference.
        total = signal("total", len(drive) + 1)
        v = signal("v_new", p.v_width)
        difference = signal("difference", max(p.v_width, len(limit)) + 1)
        floored = Mux(total < s.v_floor, s.v_floor, total)
        m.d.sync += [
            total.eq(decayed_v + drive_late[3]),
            v.eq(saturated(floored, p.v_width)),
            difference.eq(v - limit_late[5]),
        ]
        v_late = Delay(m, f"v_late_{lane}", v, 1)[1]

        # Stage 9: the decision.
        held = refrac_count[7] != 0
        fires = ~held & ~difference[-1]
        after_spike = Mux(s.reset_subtract, saturated(difference, p.v_width), v_reset[7])
        v_next = signal("v_next", p.v_width)
        refrac_next = signal("refrac_next", p.refrac_width, False)
        theta_next = signal("theta_next", p.theta_width, False)
        spike = signal("spike", 1, False)
        m.d.sync += [
            spike.eq(fires),
            v_next.eq(Mux(fires, after_spike, Mux(held, v_old[7], v_late))),
            refrac_next.eq(Mux(fires, refrac_ticks[7], refrac_count[7] - held)),
            theta_next.eq(Mux(fires, bumped(theta[7], s.theta_bump, Const(0)), theta[7])),
        ]
        m.d.comb += self.spike_mask[lane].eq(spike & valid)

        # Stage 10 to 14: theta decays after its bump.
        decayed_theta = self._decay(m, "decay_theta", lane, theta_next, s.theta_decay)
        m.d.comb += [
            self.w_v[lane].eq(Delay(m, f"v_write_{lane}", v_next, 4)[4]),
            self.w_refrac_count[lane].eq(Delay(m, f"refrac_write_{lane}", refrac_next, 4)[4]),
            self.w_theta[lane].eq(decayed_theta),
        ]
        if p.learning:
            old_trace = signal("old_trace", p.trace_width, False)
            m.d.comb += old_trace.eq(_element(self.trace_post, sub, lane, lanes))
            decayed_trace = self._decay(m, "decay_trace", lane, old_trace, s.trace_post_decay)
            trace = Delay(m, f"trace_{lane}", decayed_trace, 3)[3]
            new_trace = signal("new_trace", p.trace_width, False)
            with_bump = bumped(trace, s.trace_post_bump, s.trace_post_replace)
            m.d.sync += new_trace.eq(Mux(fires, with_bump, trace))
            for k in range(lane, p.lanes, lanes):
                m.d.comb += self.trace_w_data[k].eq(new_trace)


def _element(word: data.View, sub: Value, lane: int, lanes: int) -> Value:
    """Element `lane` of sub-word `sub` of a wide word."""
    choices = [word[k] for k in range(lane, len(word), lanes)]
    return Value.cast(Array(choices)[sub])
