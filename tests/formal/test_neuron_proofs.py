"""*Update* does to every neuron what the specification says, in its cycle and at its place.

The decays, which are proved by themselves, give any results here; what they are given is checked.
"""

from functools import partial
from typing import Any

import pytest
from amaranth.hdl import Cat, Const, Mux, Shape, Signal
from amaranth.utils import exact_log2
from support.benches import Bench, implies
from support.provers import Refuted, prove_by_induction
from support.rungs import bulk_but
from support.seeded import Bug, named, replaced
from support.stand_ins import AnyDecays, Profiles

from spiketwin.hdl.gateware.core.decay import DECAY_LATENCY
from spiketwin.hdl.gateware.core.neurons import SETTINGS, WRITE_STAGES, Neurons, ports, read_stages
from spiketwin.hdl.gateware.core.register_file import RegisterValues
from spiketwin.hdl.gateware.core.state_memory import READ_LATENCY
from spiketwin.hdl.spec import schedule
from spiketwin.hdl.spec.params import preset
from spiketwin.hdl.spec.registers import Space

SPIKES = schedule.SPIKE_LATENCY
DECIDED = SPIKES - 1
"""Stage in which all that the decision needs is there."""

LAST = max(WRITE_STAGES.values())
CYCLES = LAST + 2
"""Cycles after which nothing of before is left in the pipeline, nor in what the bench remembers."""

DECAYS = {"i_syn": 5, "i_inh": 5, "v": 3, "theta": 10, "trace_post": 6}
"""The stage in which a value begins to decay."""


def bench(size: str, bug: Bug | None = None) -> Bench:
    """Groups enter one a cycle, with pauses at will; what is read is anything in any cycle."""
    b, p = Bench(), preset(size)
    shapes = {space.name.lower(): port.element for space, port in ports(p).items()}
    cases = [
        (f"{name}_{lane}", shapes[name])
        for lane in range(p.neuron_lanes)
        for name in DECAYS
        if name in shapes
    ]
    decays, profiles = AnyDecays(b, cases), Profiles(b, p)
    names = {"decay": decays.module(), "Constants": profiles.constants()}
    unit: Any = Neurons
    neurons = b.unit((replaced(unit, **names) if bug is None else bug.seeded(unit, **names))(p))
    issue = b.free("issue")
    b.m.d.comb += neurons.issue.eq(issue)
    number = Signal(8, name="number")
    b.m.d.sync += number.eq(Mux(issue, number + 1, 0))
    b.tell("group", number)
    for name in RegisterValues(p, SETTINGS).members:
        setting = getattr(neurons.settings, name)
        b.m.d.comb += setting.eq(b.fixed(name, setting.shape()))
    for space in ports(p):
        port = getattr(neurons, space.name.lower())
        for lane in range(p.neuron_lanes):
            value = b.free(f"{space.name.lower()}_{lane}", ports(p)[space].element)
            b.m.d.comb += port.r_part[lane].eq(value)
    addressed(b, neurons, issue, number)
    for lane in range(p.neuron_lanes):
        neuron = Neuron(b, neurons, (decays, profiles), lane)
        for name in DECAYS:
            if name in shapes:
                neuron.check_decay(name)
        neuron.check()
    return b


def addressed(b: Bench, neurons: Any, issue: Any, number: Any) -> None:
    """Each vector is read and written in its stage, at the place of the group that is there."""
    p = neurons.params
    arrived = b.age(LAST + 1) > LAST
    for space, stage in read_stages(p).items():
        if space not in ports(p):
            continue
        port, name = getattr(neurons, space.name.lower()), space.name.lower()
        bits = exact_log2(len(port.w_en) // p.neuron_lanes)
        enters, group = b.past(issue, stage), b.past(number, stage)
        b.check(
            f"{name}_address",
            implies(enters, port.r_address == (group >> bits)[: len(port.r_address)]),
        )
        late = b.past(group, READ_LATENCY)
        part = late[:bits] if bits else Const(0)
        b.check(f"{name}_part", implies(b.past(enters, READ_LATENCY), port.part == part))
        if space not in WRITE_STAGES:
            continue
        stage = WRITE_STAGES[space]
        enters, group = b.past(issue, stage), b.past(number, stage)
        b.check(
            f"{name}_written_at",
            implies(enters, port.w_address == (group >> bits)[: len(port.w_address)]),
        )
        if space is Space.V:
            continue  # not of neurons that are held
        place = group[:bits] if bits else Const(0)
        ones = Const((1 << p.neuron_lanes) - 1, len(port.w_en)) << place * p.neuron_lanes
        b.check(f"{name}_enables", implies(arrived, port.w_en == Mux(enters, ones, 0)))
    group = b.past(number, SPIKES)[: len(neurons.spike_group)]
    b.check("spikes_of_the_group", implies(b.past(issue, SPIKES), neurons.spike_group == group))


class Neuron:
    """A neuron of a group, as `oracle.Oracle` updates it."""

    def __init__(
        self, b: Bench, neurons: Any, parts: tuple[AnyDecays, Profiles], lane: int
    ) -> None:
        self.b, self.unit, self.lane = b, neurons, lane
        self.decays, self.profiles = parts
        self.params = neurons.params
        self.arrived = b.age(LAST + 1) > LAST
        self._decide()

    def read(self, name: str, stage: int) -> Any:
        """Return what was read of a vector, in a stage after it came."""
        space = Space[name.upper()]
        value = self.b.shown[f"{name}_{self.lane}"]
        late = self.b.past(value, stage - read_stages(self.params)[space] - READ_LATENCY)
        return late

    def constant(self, name: str, stage: int) -> Any:
        """Return a register, or what the profile of the neuron that is in a stage says."""
        if name in self.profiles.columns:
            return self.profiles.at(name, self.read("profile", stage))
        return self.b.shown.get(name, Const(0))

    def decayed(self, name: str, stage: int) -> Any:
        result = self.decays.result[f"{name}_{self.lane}"]
        return self.b.past(result, stage - DECAYS[name] - DECAY_LATENCY)

    def check_decay(self, name: str) -> None:
        """A decay is given a value, and a cycle later the constants of that value's neuron."""
        stage = DECAYS[name]
        value, code, shift, leak = self.decays.given[f"{name}_{self.lane}"]
        expected = self.b.past(self.theta) if name == "theta" else self.read(name, stage)
        label = f"{name}_{self.lane}_decay"
        self.b.check(f"{label}s", implies(self.arrived, value == expected))
        right = code == self.constant(f"{name}_decay", stage + 1)
        right &= shift == self.constant(f"{name}_decay_shift", stage + 1)
        if name == "v":
            right &= leak == self.constant("linear_leak", stage + 1)
        self.b.check(f"{label}_code", implies(self.arrived, right))

    def drive(self) -> Any:
        """Return what the currents and the bias add."""
        parts = [self.read("i_syn", DECIDED)]
        parts += [self.read("i_inh", DECIDED)] if self.params.has_two_receptors else []
        if self.params.decay_shift:
            shift = self.b.shown["i_syn_shift"]
            half = Signal(16, name="half")
            self.b.m.d.comb += half.eq((Const(1, 16) << shift) >> 1)
            parts = [(part + half) >> shift for part in parts]
        return sum(parts, start=self.read("bias", DECIDED))

    def _decide(self) -> None:
        """Find what becomes of v, the refractory count, theta and the trace, as all is there."""
        b, p, lane = self.b, self.params, self.lane
        read = partial(self.read, stage=DECIDED)
        constant = partial(self.constant, stage=DECIDED)
        total = b.tell(f"total_{lane}", self.decayed("v", DECIDED) + self.drive())
        floor = constant("v_floor")
        raised = b.tell(f"raised_{lane}", Mux(total < floor, floor, total))
        v = self._held(f"v_next_{lane}", raised, Shape(p.v_width, signed=True))
        limit = b.tell(f"limit_{lane}", read("threshold") + read("theta"))
        refractory = read("refrac_count") != 0
        self.fires = b.tell(f"fires_{lane}", ~refractory & (v >= limit))
        self.held = b.tell(f"held_{lane}", refractory & (constant("refrac_integrates") == 0))
        subtracts = constant("reset_subtract")
        reset_to = b.tell(f"reset_to_{lane}", Mux(subtracts, v - limit, read("v_reset")))
        after_spike = self._held(f"v_reset_to_{lane}", reset_to, v.shape())
        self.v = Mux(self.fires, after_spike, v)
        cut_again = subtracts & ((raised > v) | (reset_to > after_spike))
        self.v_saturates = ~self.held & Mux(self.fires, cut_again, raised > v)
        self.refrac_count = Mux(self.fires, read("refrac_ticks"), read("refrac_count") - refractory)
        self.theta, self.theta_saturates = self._bumped("theta", read("theta"), Const(0))
        if p.learning:
            replace = constant("trace_post_replace")
            self.trace, _ = self._bumped("trace_post", self.decayed("trace_post", DECIDED), replace)

    def _held(self, name: str, value: Any, shape: Shape) -> Any:
        """Return a value as it saturates at a shape."""
        least, most = (
            (-1 << shape.width - 1, (1 << shape.width - 1) - 1)
            if shape.signed
            else (0, (1 << shape.width) - 1)
        )
        held = Signal(shape)
        self.b.m.d.comb += held.eq(Mux(value > most, most, Mux(value < least, least, value)))
        return self.b.tell(name, held)

    def _bumped(self, name: str, old: Any, replace: Any) -> tuple[Any, Any]:
        """Return a value after the bump of a spike, if there is one, and whether that saturates."""
        total = self.b.tell(
            f"{name}_bumped_{self.lane}",
            Mux(replace, 0, old) + self.constant(f"{name}_bump", DECIDED),
        )
        bumped = self._held(f"{name}_next_{self.lane}", total, Shape(len(old)))
        return Mux(self.fires, bumped, old), self.fires & (total > bumped)

    def check(self) -> None:
        """All is written in its stage, and nothing else."""
        b, unit, lane = self.b, self.unit, self.lane
        written = {
            "i_syn": lambda: self.decayed("i_syn", 8),
            "i_inh": lambda: self.decayed("i_inh", 8),
            "v": lambda: b.past(self.v),
            "refrac_count": lambda: b.past(self.refrac_count),
            "trace_post": lambda: b.past(self.trace),
            "theta": lambda: self.decayed("theta", 13),
        }
        for space, stage in WRITE_STAGES.items():
            name = space.name.lower()
            if space not in ports(self.params):
                continue
            port, enters = getattr(unit, name), b.past(b.shown["issue"], stage)
            places = range(lane, len(port.w_data), self.params.neuron_lanes)
            data = b.tell(f"{name}_writes_{lane}", port.w_data[lane])
            b.check(
                f"{name}_{lane}_in_all_parts", Cat(*(port.w_data[k] == data for k in places)).all()
            )
            b.check(f"{name}_{lane}_is_0_else", implies(self.arrived & ~enters, data == 0))
            writes = port.w_en[lane] if space is Space.V else enters
            expected = b.tell(f"{name}_specified_{lane}", written[name]())
            b.check(f"{name}_{lane}_as_specified", implies(self.arrived & writes, data == expected))
        enters = b.past(b.shown["issue"], SPIKES)
        moves = unit.v.w_en[lane] == (enters & ~b.past(self.held))
        spikes = unit.spike_mask[lane] == (enters & b.past(self.fires))
        b.check(f"held_{lane}_keeps_v", implies(self.arrived, moves))
        b.check(f"spikes_{lane}", implies(self.arrived, spikes))
        if self.params.saturation_counters:
            for name in ("v_saturates", "theta_saturates"):
                right = getattr(unit, name)[lane] == (enters & b.past(getattr(self, name)))
                b.check(f"{name}_{lane}_told", implies(self.arrived, right))


NARROW = "tiny,neuron_lanes=1,v_width=10,i_syn_width=9,theta_width=8,trace_width=8"
BUGS = [
    (Bug("v_floor does not hold", "Mux(headroom < 0, ", "Mux(1, "), ""),
    (Bug("a neuron fires only above its limit", "fires.eq(~refractory & ~difference[-1])",
         "fires.eq(~refractory & ~difference[-1] & difference.any())"), ""),
    (Bug("a refractory neuron fires", "fires.eq(~refractory & ", "fires.eq("), ""),
    (Bug("theta of the next group counts", "_LATENCY - READ_LATENCY,\n        Space.THRESHOLD",
         "_LATENCY - READ_LATENCY + 1,\n        Space.THRESHOLD"), ""),
    (Bug("a sum that is reset counts as cut", "Mux(fires, after_spike, late)", "late"),
     "saturation_counters=1"),
    (Bug("a half is not rounded", "part[0], value", "Const(0, 1), value"), "decay_shift=1"),
    (Bug("a neuron is never held in a core with profiles",
         'self.constants.at(DECISION, "refrac_integrates")', "1"), "n_profiles=2"),
    (Bug("the bump of another profile counts", 'self.constants.at(DECISION, "theta_bump")',
         'self.constants.at(DECISION + 1, "theta_bump")'), "n_profiles=2"),
    (Bug("theta decays before its bump", 'self._decay("decay_theta", SPIKES, theta_bumped,',
         'self._decay("decay_theta", SPIKES, theta,'), ""),
]  # fmt: skip
SIZES = [
    NARROW,
    "tiny",
    "tiny,n_profiles=2,saturation_counters=1",
    f"{NARROW},decay_shift=1,receptors=2",
    "tiny,neuron_lanes=1,receptors=2,n_profiles=2",
    "tiny,lanes=4,n_neurons=16,neuron_lanes=1,learning=0",
]


@pytest.mark.parametrize("size", bulk_but(SIZES[:1], SIZES))
def test_neurons_are_updated_as_specified(size: str) -> None:
    prove_by_induction(bench(size), CYCLES)


@pytest.mark.parametrize(("bug", "options"), bulk_but(BUGS[:1], BUGS), ids=named)
def test_a_seeded_bug_is_found(bug: Bug, options: str) -> None:
    with pytest.raises(Refuted, match="does not hold in cycle"):
        prove_by_induction(bench(",".join(filter(None, [NARROW, options])), bug), CYCLES)
