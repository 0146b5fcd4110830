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

With `decay_shift` currents are read a cycle earlier and divided in that cycle, with two receptors
a cycle earlier yet, in which the two are added. They are written in the same stage as without.

Memories are read as late as possible, since delaying an address takes fewer registers than delaying
a value. There are no read-during-write hazards: groups ascend, and every memory is written at least
three stages after it is read.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from spiketwin.hdl.gateware.core import decay
from spiketwin.hdl.gateware.core.pipeline import Delay, above, bump, capped, part_enables
from spiketwin.hdl.gateware.core.profiles import Constants, TableWrites
from spiketwin.hdl.gateware.core.register_file import RegisterValues
from spiketwin.hdl.gateware.core.state_memory import READ_LATENCY, StatePort
from spiketwin.hdl.gateware.core.vectors import vectors
from spiketwin.hdl.spec import schedule
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.registers import Space

SPIKES = schedule.SPIKE_LATENCY
DECISION = SPIKES - 1
DRIVEN = DECISION - 4
"""Stages in which spikes leave, in which it is decided which neurons fire, and in which what the
currents add is there."""

WRITE_STAGES = {
    Space.I_SYN: DRIVEN + decay.DECAY_LATENCY,
    Space.I_INH: DRIVEN + decay.DECAY_LATENCY,
    Space.V: SPIKES,
    Space.REFRAC_COUNT: SPIKES,
    Space.TRACE_POST: SPIKES,
    Space.THETA: SPIKES + decay.DECAY_LATENCY,
}
"""Stages in which addresses and data to write are at the ports of the memories."""

SETTINGS: Final = (
    "v_decay", "v_floor", "i_syn_decay", "reset_subtract", "theta_decay", "theta_bump",
    "trace_post_decay", "trace_post_bump", "trace_post_replace", "v_decay_shift",
    "i_syn_decay_shift", "theta_decay_shift", "trace_post_decay_shift", "i_syn_shift",
    "i_inh_decay", "i_inh_decay_shift",
)  # fmt: skip
"""The registers that *Update* uses."""


def read_stages(params: CoreParams) -> dict[Space, int]:
    """Return the stages in which the addresses of what is read are at the ports of the memories.

    *Update* uses the vectors that are named here; the link alone uses any other vector of neurons.
    """
    return {
        **({Space.PROFILE: 0} if params.has_profiles else {}),
        Space.V: DECISION - 3 - decay.DECAY_LATENCY - READ_LATENCY,
        Space.I_SYN: DRIVEN - _current_stages(params) - READ_LATENCY,
        Space.I_INH: DRIVEN - _current_stages(params) - READ_LATENCY,
        Space.BIAS: DRIVEN - READ_LATENCY,
        Space.TRACE_POST: DECISION - decay.DECAY_LATENCY - READ_LATENCY,
        Space.THRESHOLD: DECISION - 2 - READ_LATENCY,
        Space.THETA: DECISION - 2 - READ_LATENCY,
        Space.V_RESET: DECISION - READ_LATENCY,
        Space.REFRAC_TICKS: DECISION - READ_LATENCY,
        Space.REFRAC_COUNT: DECISION - READ_LATENCY,
    }


def _current_stages(params: CoreParams) -> int:
    """Return the stages in which currents are divided and added to one another."""
    return params.decay_shift + params.has_two_receptors


def ports(params: CoreParams) -> dict[Space, StatePort]:
    """Return the ports of the vectors that *Update* uses."""
    return {space: port for space, port in vectors(params).items() if space in read_stages(params)}


class Neurons(wiring.Component):
    """The pipeline of *Update*.

    Members
    -------
    issue:
        In, a group of `neuron_lanes` neurons enters. All groups enter, one a cycle, from the first
        on.
    settings:
        In, the registers `SETTINGS`.
    profiles:
        In, in a core with profiles, what is written to their table.
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
                "settings": In(RegisterValues(p, SETTINGS)),
                **({"profiles": In(TableWrites(p, Space.PROFILE_TABLE))} if p.has_profiles else {}),
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
        reads = read_stages(p)
        for stage in sorted({*reads.values(), *WRITE_STAGES.values()}):
            # Each stage with a port counts groups for itself, which takes fewer registers than
            # delaying the number of the group through all stages.
            groups[stage] = group = Signal(bits_for(p.neuron_groups - 1), name=f"group_{stage}")
            m.d.sync += group.eq(Mux(issue[stage], group + 1, 0))
        for space in ports(p):
            port = getattr(self, space.name.lower())
            part_bits = exact_log2(len(port.w_en) // p.neuron_lanes)
            group = groups[reads[space]]
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
            _Lane(m, self, lane, issue).build()
        return m


class _Integrated(NamedTuple):
    """The results of integration for one neuron, in the stage before the decision.

    Attributes
    ----------
    difference:
        The potential minus threshold and theta.
    v_inverted:
        The inverted potential, a stage earlier.
    exceeds:
        Whether the sum was cut to the width of `v`, a stage earlier.
    """

    difference: Signal
    v_inverted: Signal
    exceeds: Value


class _Lane:
    """One lane of the pipeline, which reads, updates and writes one neuron a cycle."""

    def __init__(self, m: Module, unit: Neurons, lane: int, issue: Delay) -> None:
        self.m, self.unit, self.lane, self.issue = m, unit, lane, issue
        self.params, self.settings = unit.params, unit.settings
        self.constants = self._constants()
        self.subtracts = self.constants.at(DECISION, "reset_subtract")

    def build(self) -> None:
        """Add the logic of the lane."""
        held = Signal(name=f"held_{self.lane}")
        fires = Signal(name=f"fires_{self.lane}")
        integrated = self._integrate()
        self._decide(integrated, held, fires)
        theta_exceeds = self._adapt(fires)
        if self.params.saturation_counters:
            self._report_saturation(integrated, held, fires, theta_exceeds)

    def _constants(self) -> Constants:
        p, unit, writes = self.params, self.unit, None
        numbers: list[Value] = []
        if p.has_profiles:
            writes = unit.profiles
            last = max(WRITE_STAGES.values())
            late = Delay(self.m, f"number_{self.lane}", self._read(Space.PROFILE), last)
            numbers = [late[k] for k in range(last + 1)]
        return Constants(
            self.m, p, unit.settings, writes, f"neuron_{self.lane}",
            lambda stage: numbers[stage - READ_LATENCY],
        )  # fmt: skip

    def _signal(self, name: str, width: int, is_signed: bool = True) -> Signal:
        return Signal(Shape(width, is_signed), name=f"{name}_{self.lane}")

    def _read(self, space: Space) -> Value:
        value: Value = getattr(self.unit, space.name.lower()).r_part[self.lane]
        return value

    def _write(self, space: Space, value: Value) -> None:
        word = getattr(self.unit, space.name.lower()).w_data
        with self.m.If(self.issue[WRITE_STAGES[space]]):
            for k in range(self.lane, len(word), self.params.neuron_lanes):
                self.m.d.comb += word[k].eq(value)

    def _decay(self, name: str, stage: int, value: Value, register: str) -> Value:
        """Return a value of a stage, decayed as the constant of this name and its shift say."""
        p, late = self.params, stage + 1
        unit = decay.Decay(Shape.cast(value.shape()), shifts=p.decay_shift, varies=p.has_profiles)
        self.m.submodules[f"{name}_{self.lane}"] = unit
        self.m.d.comb += [
            unit.value.eq(value),
            unit.code.eq(self.constants.at(late, register)),
        ]
        if p.decay_shift:
            self.m.d.comb += unit.shift.eq(self.constants.at(late, f"{register}_shift"))
        if p.has_profiles and register == "v_decay":
            self.m.d.comb += unit.leak.eq(self.constants.at(late, "linear_leak"))
        return unit.result

    def _drive(self) -> Value:
        """Let the currents decay; return the sum of what they add to v and of the bias."""
        p, lane = self.params, self.lane
        bias = self._read(Space.BIAS)
        currents = {"i": Space.I_SYN} | ({"inh": Space.I_INH} if p.has_two_receptors else {})
        parts = []
        for name, space in currents.items():
            current = self._read(space)
            late = _current_stages(p)
            decaying = Delay(self.m, f"{name}_{lane}", current, late)[late]
            register = f"{space.name.lower()}_decay"
            self._write(space, self._decay(f"decay_{name}", DRIVEN, decaying, register))
            parts.append(self._divided(name, current) if p.decay_shift else current)
        if p.has_two_receptors:
            parts = [self._added(*parts)]
        return self._sum(parts[0], bias)

    def _divided(self, name: str, current: Value) -> Value:
        """Return what is left of a current, with the bit below its lowest, a stage later."""
        part = self._signal(f"part_of_{name}", len(current) + 1)
        whole = Cat(Const(0, 1), current).as_signed()
        self.m.d.sync += part.eq(whole >> self.settings.i_syn_shift)
        return part

    def _added(self, part: Value, other: Value) -> Value:
        """Return the sum of two parts, a stage later; one still has to be rounded, as they had."""
        both = self._signal("currents", len(part) + 1)
        if self.params.decay_shift:
            self.m.d.sync += both.eq(Cat(other[0], self._sum(part, other[1:].as_signed())))
        else:
            self.m.d.sync += both.eq(part + other)
        return both

    def _sum(self, part: Value, value: Value) -> Value:
        """Return a sum; the bit of a part below its lowest rounds, as the carry of the adder."""
        if not self.params.decay_shift:
            return part + value
        return (part + Cat(part[0], value).as_signed()) >> 1

    def _integrate(self) -> _Integrated:
        """Stages 5 to 8: sum, floor and saturation, difference; and the decay of the current.

        Minuends are kept inverted, as a - b = ~(~a + b): an adder without inverters at its inputs
        takes half the logic.
        """
        p = self.params
        driven = self._drive()
        begin = read_stages(p)[Space.V] + READ_LATENCY
        decayed_v = self._decay("decay_v", begin, self._read(Space.V), "v_decay")
        floor = self.constants.at(DECISION - 2, "v_floor")
        drive = self._signal("drive", max(p.i_syn_width + p.has_two_receptors, p.v_width) + 1)
        total = self._signal("total_inverted", len(drive) + 1)
        v = self._signal("v_inverted", p.v_width)
        limit = self._signal("limit", max(p.v_width, p.theta_width + 1) + 1)
        difference = self._signal("difference", max(p.v_width, len(limit)) + 1)
        headroom = self._signal("headroom_inverted", len(total) + 1)
        self.m.d.comb += headroom.eq(total + floor)
        self.m.d.sync += [
            drive.eq(driven),
            total.eq(~(decayed_v + drive)),
            v.eq(~Mux(headroom < 0, capped(~total, p.v_width), floor)),
            limit.eq(self._read(Space.THRESHOLD) + self._read(Space.THETA)),
            difference.eq(~(v + limit)),
        ]
        return _Integrated(difference, v, (headroom < 0) & above(~total, p.v_width))

    def _decide(self, integrated: _Integrated, held: Signal, fires: Signal) -> None:
        """Stage 9: reset or integration. A refractory neuron keeps v, which is not written."""
        m, p, unit = self.m, self.params, self.unit
        difference = integrated.difference
        refrac_count = self._read(Space.REFRAC_COUNT)
        refractory = held
        if p.has_profiles:
            refractory = Signal(name=f"refractory_{self.lane}")
            m.d.comb += [
                refractory.eq(refrac_count != 0),
                held.eq(refractory & ~self.constants.at(DECISION, "refrac_integrates")),
            ]
        else:
            m.d.comb += held.eq(refrac_count != 0)
        m.d.comb += fires.eq(~refractory & ~difference[-1])
        below_limit = Delay(m, f"v_late_{self.lane}", ~integrated.v_inverted, 1)[1]
        subtracts = self.subtracts
        after_spike = Mux(subtracts, capped(difference, p.v_width), self._read(Space.V_RESET))
        v_next = self._signal("v_next", p.v_width)
        v_moves = self._signal("v_moves", 1, False)
        refrac_next = self._signal("refrac_next", p.refrac_width, False)
        spike = self._signal("spike", 1, False)
        m.d.sync += [
            spike.eq(fires),
            v_next.eq(Mux(fires, after_spike, below_limit)),
            v_moves.eq(~held),
            refrac_next.eq(Mux(fires, self._read(Space.REFRAC_TICKS), refrac_count - refractory)),
        ]
        self._write(Space.V, v_next)
        self._write(Space.REFRAC_COUNT, refrac_next)
        m.d.comb += [
            unit.v.w_en[self.lane].eq(self.issue[SPIKES] & v_moves),
            unit.spike_mask[self.lane].eq(self.issue[SPIKES] & spike),
        ]

    def _adapt(self, fires: Signal) -> Value:
        """Stage 9 to 13: theta decays after its bump, trace_post before it.

        Returns whether theta exceeds its width.
        """
        m, p, lane = self.m, self.params, self.lane
        theta = Delay(m, f"theta_{lane}", self._read(Space.THETA), 2)[2]
        theta_bumped = Signal(p.theta_width, name=f"theta_bumped_{lane}", reset_less=True)
        by = self.constants.at(DECISION, "theta_bump")
        exceeds = bump(m, theta, by, replace=Const(0), spiked=fires, result=theta_bumped)
        self._write(Space.THETA, self._decay("decay_theta", SPIKES, theta_bumped, "theta_decay"))
        if p.learning:
            old = self._read(Space.TRACE_POST)
            begin = DECISION - decay.DECAY_LATENCY
            trace = self._decay("decay_trace", begin, old, "trace_post_decay")
            new_trace = Signal(p.trace_width, name=f"new_trace_{lane}", reset_less=True)
            bump(
                m, trace, self.constants.at(DECISION, "trace_post_bump"),
                replace=self.constants.at(DECISION, "trace_post_replace"), spiked=fires,
                result=new_trace,
            )  # fmt: skip
            self._write(Space.TRACE_POST, new_trace)
        return exceeds

    def _report_saturation(
        self, integrated: _Integrated, held: Signal, fires: Signal, theta_exceeds: Value
    ) -> None:
        """Report to the counters which values were cut to their widths.

        A sum does not count if the potential is reset to v_reset or the neuron is refractory, as
        nothing is then left of it.
        """
        m, unit = self.m, self.unit
        cut = self._signal("cut", 1, False)
        v_saturates = self._signal("v_saturates", 1, False)
        theta_saturates = self._signal("theta_saturates", 1, False)
        late = Delay(m, f"cut_{self.lane}", cut, 1)[1]
        far_above = above(integrated.difference, self.params.v_width)
        after_spike = self.subtracts & (late | far_above)
        m.d.sync += [
            cut.eq(integrated.exceeds),
            v_saturates.eq(~held & Mux(fires, after_spike, late)),
            theta_saturates.eq(theta_exceeds),
        ]
        m.d.comb += [
            unit.v_saturates[self.lane].eq(self.issue[SPIKES] & v_saturates),
            unit.theta_saturates[self.lane].eq(self.issue[SPIKES] & theta_saturates),
        ]
