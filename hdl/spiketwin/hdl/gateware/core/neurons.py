"""*Update*: `neuron_lanes` neurons a cycle decay, integrate, fire and adapt.

Stage by stage, from the cycle in which a group is issued::

     1                                            address of v
     3  decay of v begins (3 cycles)              address of i_syn and bias
     4                                            address of trace_post
     5  current + bias; decay of i_syn begins     address of threshold and theta
     6  decayed v + current + bias; decay of trace_post begins
     7  held to v_floor and to the width          address of v_reset and refractory parameters
        threshold + theta
     8  less threshold + theta: its sign is the decision; i_syn written
     9  new v, refractory count, bumps
    10  spikes leave; v, refractory count and trace_post written; decay of theta begins
    13  theta written

Memories are read as late as their values are used: an address that waits takes fewer registers
than a value. No element that is used is read while it is written, as groups ascend and every memory
is written at least three stages after it is read.
"""

from __future__ import annotations

from amaranth.hdl import Const, Module, Mux, Shape, Signal, Value, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from spiketwin.hdl.gateware.core import decay
from spiketwin.hdl.gateware.core.pipeline import Delay, above, bump, capped, part_enables
from spiketwin.hdl.gateware.core.state_memory import READ_LATENCY, StatePort
from spiketwin.hdl.spec import schedule
from spiketwin.hdl.spec.arithmetic import DECAY_BITS
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.registers import Space

SPIKES = schedule.SPIKE_LATENCY
DECISION = SPIKES - 1
"""Stages in which spikes leave, and in which it is known who fires."""

READ_STAGES = {
    Space.V: DECISION - 3 - decay.DECAY_LATENCY - READ_LATENCY,
    Space.I_SYN: DECISION - 4 - READ_LATENCY,
    Space.BIAS: DECISION - 4 - READ_LATENCY,
    Space.TRACE_POST: DECISION - decay.DECAY_LATENCY - READ_LATENCY,
    Space.THRESHOLD: DECISION - 2 - READ_LATENCY,
    Space.THETA: DECISION - 2 - READ_LATENCY,
    Space.V_RESET: DECISION - READ_LATENCY,
    Space.REFRAC_TICKS: DECISION - READ_LATENCY,
    Space.REFRAC_COUNT: DECISION - READ_LATENCY,
}
WRITE_STAGES = {
    Space.I_SYN: READ_STAGES[Space.I_SYN] + READ_LATENCY + decay.DECAY_LATENCY,
    Space.V: SPIKES,
    Space.REFRAC_COUNT: SPIKES,
    Space.TRACE_POST: SPIKES,
    Space.THETA: SPIKES + decay.DECAY_LATENCY,
}
"""Stages in which addresses, and data to write, are at the ports of the memories."""


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


def ports(params: CoreParams) -> dict[Space, StatePort]:
    """The vectors of one element a neuron, as *Update* uses them.

    Words have `neuron_lanes` elements, or `lanes` where synapses use the vector too.
    """
    p = params
    return {
        space: StatePort(
            shape,
            p.lanes if space in (Space.I_SYN, Space.TRACE_POST) else p.neuron_lanes,
            p.n_neurons,
            p.neuron_lanes,
            written=space in WRITE_STAGES,
        )
        for space, shape in element_shapes(p).items()
        if space is not Space.TRACE_PRE
    }


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
    issue:
        In, a group of `neuron_lanes` neurons enters. All do, one a cycle, from the first on.
    settings:
        In, registers.
    <space>:
        Access to each vector of `ports`.
    spike_group, spike_mask:
        Out, the neurons that fire; the mask is 0 when none does.
    v_saturates, theta_saturates:
        Out, with `saturation_counters`: lanes whose `v` or `theta` is cut to its width, in the
        cycle in which spikes leave.
    """

    def __init__(self, params: CoreParams) -> None:
        self.params = p = params
        super().__init__(
            {
                "issue": In(1),
                "settings": In(NeuronSettings(p)),
                **{space.name.lower(): Out(port) for space, port in ports(p).items()},
                "spike_group": Out(bits_for(p.neuron_groups - 1)),
                "spike_mask": Out(p.neuron_lanes),
                **(
                    {"v_saturates": Out(p.neuron_lanes), "theta_saturates": Out(p.neuron_lanes)}
                    if p.saturation_counters
                    else {}
                ),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        p = self.params
        issue = Delay(m, "issue", self.issue, max(WRITE_STAGES.values()))
        groups: dict[int, Signal] = {}
        for stage in sorted({*READ_STAGES.values(), *WRITE_STAGES.values()}):
            # Every stage counts for itself: groups under way are many, stages with ports few.
            groups[stage] = group = Signal(bits_for(p.neuron_groups - 1), name=f"group_{stage}")
            m.d.sync += group.eq(Mux(issue[stage], group + 1, 0))
        for space in ports(p):
            port = getattr(self, space.name.lower())
            part_bits = exact_log2(len(port.w_en) // p.neuron_lanes)
            group = groups[READ_STAGES[space]]
            part = Delay(m, f"part_{space.name.lower()}", group[:part_bits], READ_LATENCY)
            m.d.comb += [
                port.r_address.eq(group[part_bits:]),
                port.part.eq(part[READ_LATENCY]),
            ]
            if space in WRITE_STAGES:
                group = groups[WRITE_STAGES[space]]
                valid = issue[WRITE_STAGES[space]]
                m.d.comb += [
                    port.w_address.eq(group[part_bits:]),
                    port.w_en.eq(
                        part_enables(valid, group[:part_bits], 1 << part_bits, p.neuron_lanes)
                    ),
                ]
        m.d.comb += self.spike_group.eq(groups[SPIKES])
        for lane in range(p.neuron_lanes):
            self._neuron(m, lane, issue)
        return m

    def _decay(self, m: Module, name: str, lane: int, value: Value, code: Value) -> Value:
        m.submodules[f"{name}_{lane}"] = unit = decay.Decay(Shape.cast(value.shape()))
        m.d.comb += [unit.value.eq(value), unit.code.eq(code)]
        return unit.result

    def _neuron(self, m: Module, lane: int, issue: Delay) -> None:
        p, s = self.params, self.settings

        def signal(name: str, width: int, is_signed: bool = True) -> Signal:
            return Signal(Shape(width, is_signed), name=f"{name}_{lane}")

        def read(space: Space) -> Value:
            value: Value = getattr(self, space.name.lower()).r_part[lane]
            return value

        def write(space: Space, value: Value) -> None:
            word = getattr(self, space.name.lower()).w_data
            with m.If(issue[WRITE_STAGES[space]]):
                for k in range(lane, len(word), p.neuron_lanes):
                    m.d.comb += word[k].eq(value)

        current = read(Space.I_SYN)
        write(Space.I_SYN, self._decay(m, "decay_i", lane, current, s.i_syn_decay))
        decayed_v = self._decay(m, "decay_v", lane, read(Space.V), s.v_decay)

        # Stage 5 to 8: sum, floor and saturation, difference. What is subtracted from is kept
        # inverted, as a - b = ~(~a + b): an adder without inverters before it takes half the logic.
        drive = signal("drive", max(p.i_syn_width, p.v_width) + 1)
        total = signal("total_inverted", len(drive) + 1)
        v = signal("v_inverted", p.v_width)
        limit = signal("limit", max(p.v_width, p.theta_width + 1) + 1)
        difference = signal("difference", max(p.v_width, len(limit)) + 1)
        headroom = signal("headroom_inverted", len(total) + 1)
        m.d.comb += headroom.eq(total + s.v_floor)
        m.d.sync += [
            drive.eq(current + read(Space.BIAS)),
            total.eq(~(decayed_v + drive)),
            v.eq(~Mux(headroom < 0, capped(~total, p.v_width), s.v_floor)),
            limit.eq(read(Space.THRESHOLD) + read(Space.THETA)),
            difference.eq(~(v + limit)),
        ]

        # Stage 9: the decision. A neuron that is held keeps v, as v is not written.
        refrac_count = read(Space.REFRAC_COUNT)
        held = refrac_count != 0
        fires = ~held & ~difference[-1]
        below_limit = Delay(m, f"v_late_{lane}", ~v, 1)[1]
        after_spike = Mux(s.reset_subtract, capped(difference, p.v_width), read(Space.V_RESET))
        v_next = signal("v_next", p.v_width)
        v_moves = signal("v_moves", 1, False)
        refrac_next = signal("refrac_next", p.refrac_width, False)
        spike = signal("spike", 1, False)
        m.d.sync += [
            spike.eq(fires),
            v_next.eq(Mux(fires, after_spike, below_limit)),
            v_moves.eq(~held),
            refrac_next.eq(Mux(fires, read(Space.REFRAC_TICKS), refrac_count - held)),
        ]
        write(Space.V, v_next)
        write(Space.REFRAC_COUNT, refrac_next)
        m.d.comb += [
            self.v.w_en[lane].eq(issue[SPIKES] & v_moves),
            self.spike_mask[lane].eq(issue[SPIKES] & spike),
        ]

        # Stage 9 to 13: theta decays after its bump, trace_post before it.
        theta = Delay(m, f"theta_{lane}", read(Space.THETA), 2)[2]
        theta_bumped = Signal(p.theta_width, name=f"theta_bumped_{lane}", reset_less=True)
        too_much = bump(m, theta, s.theta_bump, replace=Const(0), spiked=fires, result=theta_bumped)
        if p.saturation_counters:
            # A sum that is set back to v_reset leaves nothing, and one that is held nothing new.
            cut = signal("cut", 1, False)
            v_saturates = signal("v_saturates", 1, False)
            theta_saturates = signal("theta_saturates", 1, False)
            late, far_above = Delay(m, f"cut_{lane}", cut, 1)[1], above(difference, p.v_width)
            m.d.sync += [
                cut.eq((headroom < 0) & above(~total, p.v_width)),
                v_saturates.eq(~held & Mux(fires, s.reset_subtract & (late | far_above), late)),
                theta_saturates.eq(too_much),
            ]
            m.d.comb += [
                self.v_saturates[lane].eq(issue[SPIKES] & v_saturates),
                self.theta_saturates[lane].eq(issue[SPIKES] & theta_saturates),
            ]
        write(Space.THETA, self._decay(m, "decay_theta", lane, theta_bumped, s.theta_decay))
        if p.learning:
            old = read(Space.TRACE_POST)
            trace = self._decay(m, "decay_trace", lane, old, s.trace_post_decay)
            new_trace = Signal(p.trace_width, name=f"new_trace_{lane}", reset_less=True)
            bump(
                m, trace, s.trace_post_bump, replace=s.trace_post_replace, spiked=fires,
                result=new_trace,
            )  # fmt: skip
            write(Space.TRACE_POST, new_trace)
