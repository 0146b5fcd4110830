"""The lane pipeline does to every synapse and current what the specification says, in its cycle."""

from typing import Any

import pytest
from amaranth.hdl import Cat, Mux, Signal, Value, signed
from support.benches import Bench, implies
from support.provers import Refuted, prove_by_induction
from support.rungs import bulk_but
from support.seeded import Bug, named

from spiketwin.hdl.gateware.core import weights
from spiketwin.hdl.gateware.core.currents import Currents
from spiketwin.hdl.gateware.core.noise import Noise
from spiketwin.hdl.gateware.core.synapses import WEIGHT_WRITE_STAGE, Synapses
from spiketwin.hdl.spec import arithmetic as a
from spiketwin.hdl.spec.params import CoreParams, preset

ISSUED = WEIGHT_WRITE_STAGE - weights.WRITE_LATENCY
"""Cycles from a block until its words leave for the memory of weights."""

IN_LANES = weights.READ_LATENCY
"""Cycles from a block until its words come."""

CURRENTS = 5
"""Cycles from a block until its currents are written."""

CYCLES = ISSUED + 3
"""Cycles after which nothing of before is left in the pipeline, nor in what the bench remembers."""


def bench(unit: Any, size: str) -> Bench:
    """Blocks in any order, with any words, traces and currents, strobes and changing gains."""
    b, params = Bench(), preset(size)
    m, synapses = b.m, b.unit(unit(params))
    issue, learn = b.free("issue"), b.free("learn_en")
    for name in weights.BlockAddress(params).members:
        value = b.free(name, getattr(synapses.block, name).shape())
        m.d.comb += getattr(synapses.block, name).eq(value)
        late = getattr(synapses.write, name)
        b.check(f"{name}_of_the_block", implies(b.age(8) >= ISSUED, late == b.past(value, ISSUED)))
    group, index = b.free("group", synapses.group.shape()), b.free("spiked", synapses.index.shape())
    key = [b.free(f"key_{k}", 16) for k in range(2)]
    m.d.comb += [
        synapses.issue.eq(issue),
        synapses.learn_en.eq(learn),
        synapses.group.eq(group),
        synapses.index.eq(index),
        Cat(*synapses.key).eq(Cat(*key)),
        synapses.gain_stb.eq(b.free("gain_stb")),
        synapses.offset_stb.eq(b.free("offset_stb")),
        synapses.value.eq(b.free("value", 32)),
    ]
    b.check("learns_in_time", synapses.w_en == b.past(issue & learn, ISSUED))
    row = b.past(issue & ~synapses.block.column, CURRENTS)
    b.check("adds_in_time", synapses.i_w_en == row)
    groups = group[: len(synapses.i_write)]
    b.check("reads_its_currents", synapses.i_read == b.past(groups, 2))
    b.check("writes_its_currents", synapses.i_write == b.past(groups, CURRENTS))
    rounding = same_noise(b, synapses, params)
    bounds = [b.fixed(name, signed(params.weight_width)) for name in ("w_min", "w_max")]
    m.d.comb += [synapses.settings.w_min.eq(bounds[0]), synapses.settings.w_max.eq(bounds[1])]
    for lane in range(params.lanes):
        word = b.free(f"word_{lane}", weights.synapse_layout(params))
        m.d.comb += synapses.words[lane].eq(word)
        change = changed_by(b, synapses, lane, rounding[lane])
        learned(b, synapses, lane, word, change, bounds)
        added(b, synapses, lane, word, row)
    return b


def same_noise(b: Bench, synapses: Any, params: CoreParams) -> Any:
    """The bits of a unit of noise that is given the same, in the stage in which they are used."""
    noise: Any = Noise(params)
    b.m.submodules.same_noise = noise
    stochastic = b.fixed("stochastic")
    b.m.d.comb += [
        synapses.settings.stochastic.eq(stochastic),
        noise.stochastic.eq(stochastic),
        Cat(*noise.key).eq(Cat(*synapses.key)),
        noise.spiked.eq(synapses.index),
        noise.group.eq(synapses.group),
    ]
    return noise.bits


def changed_by(b: Bench, synapses: Any, lane: int, rounding: Value) -> Value:
    """By what a weight changes, with a gain and an offset that hold from their strobes on."""
    m, p = b.m, synapses.params
    trace = b.free(f"trace_{lane}", p.trace_width)
    m.d.comb += synapses.trace[lane].eq(trace)
    # The gains of the lanes begin differently, and the same product is to be formed.
    init = 0 if p.single_port_weights else lane
    gain = Signal(signed(a.GAIN_WIDTH), name=f"gain_{lane}", init=init, reset_less=True)
    offset = Signal(signed(a.OFFSET_WIDTH), name=f"offset_{lane}")
    with m.If(synapses.gain_stb):
        m.d.sync += gain.eq(synapses.value)
    with m.If(synapses.offset_stb):
        m.d.sync += offset.eq(synapses.value)
    arrived = Signal(p.trace_width, name=f"arrived_{lane}", reset_less=True)
    shape = signed(a.GAIN_WIDTH + p.trace_width)
    product = Signal(shape, name=f"product_{lane}", reset_less=True)
    m.d.sync += [arrived.eq(trace), product.eq(arrived * gain)]
    step = (product >> (p.trace_width + a.GAIN_BITS - a.STEP_BITS)) + offset
    change: Value = b.tell(f"change_{lane}", (step + rounding) >> a.STEP_BITS)
    return change


def learned(
    b: Bench, synapses: Any, lane: int, word: Any, change: Value, bounds: list[Any]
) -> None:
    """A weight becomes what it is after a change, held to its bounds, of which `w_max` wins."""
    w_min, w_max = bounds
    moved = b.tell(f"moved_{lane}", word.weight + change)
    raised = b.tell(f"raised_{lane}", Mux(moved < w_min, w_min, moved))
    lowered = b.tell(f"lowered_{lane}", Mux(raised > w_max, w_max, raised))
    kept = b.tell(f"kept_{lane}", Mux(word.plastic, lowered, word.weight))
    found = synapses.w_words[lane]
    b.tell(f"written_{lane}", found.weight)
    late = ISSUED - IN_LANES
    right = (found.weight == b.past(kept, late)) & (found.plastic == b.past(word.plastic, late))
    b.check(f"learns_{lane}", implies(b.age(8) == 8, right))
    plastic_learns = synapses.w_en & found.plastic & (b.age(8) == 8)
    inside = (found.weight <= w_max) & ((found.weight >= w_min) | (w_min > w_max))
    b.check(f"in_bounds_{lane}", implies(plastic_learns, inside))


def added(b: Bench, synapses: Any, lane: int, word: Any, row: Value) -> None:
    """A current becomes its sum with the weight from before the change, which saturates."""
    width = synapses.params.i_syn_width
    current = b.free(f"current_{lane}", signed(width))
    b.m.d.comb += synapses.i_data[lane].eq(current)
    top = (1 << width - 1) - 1
    total = b.tell(f"total_{lane}", current + word.weight)
    held = b.tell(f"held_{lane}", Mux(total > top, top, Mux(total < -top - 1, -top - 1, total)))
    expected = Mux(row, b.past(held, CURRENTS - IN_LANES), 0)
    b.check(f"adds_{lane}", synapses.i_w_data[lane] == expected)


BUGS = [
    Bug("w_min wins where bounds cross", "Mux(settings.w_min > w_max, w_max, settings.w_min)",
        "settings.w_min"),
    Bug("a weight at the top passes it", "with m.Elif((w_max + moved) < 0)",
        "with m.Elif((w_max + moved) < -2)"),
    Bug("all synapses are plastic", "with m.If(~kept.plastic)", "with m.If(0)"),
    Bug("the noise is that of the group before", "hashed.group.eq(self.group)",
        "hashed.group.eq(self.group ^ 1)"),
    Bug("no offset", "(fraction + rule.offset + rounding)", "(fraction + rounding)"),
    Bug("nothing is learned where it should", "self.issue & self.learn_en, last",
        "self.issue, last"),
    Bug("the gain comes a cycle late", "with m.If(rule.gain_stb):\n            m.d.sync += gain",
        "with m.If(Delay(m, 'g', rule.gain_stb, 1)[1]):\n            m.d.sync += gain"),
    Bug("currents wrap around", "result = saturated(total, p.i_syn_width)",
        "result = total[: p.i_syn_width]", Currents),
    Bug("currents go to where they are read", "unit.i_write.eq(shared.group[_WRITTEN])",
        "unit.i_write.eq(shared.group[0])", Currents),
]  # fmt: skip

SIZES = [
    "tiny",
    "tiny,weight_width=7,trace_width=8,single_port_weights=1",
    "tiny,weight_width=16,i_syn_width=24",
    "tiny,n_neurons=16,weight_width=4,lanes=4",
]


@pytest.mark.parametrize("size", bulk_but(["tiny"], SIZES))
def test_synapses_learn_and_act_as_specified(size: str) -> None:
    prove_by_induction(bench(Synapses, size), CYCLES, cut=preset(size).lanes)


@pytest.mark.parametrize("bug", bulk_but(BUGS[1:2], BUGS), ids=named)
def test_a_seeded_bug_is_found(bug: Bug) -> None:
    with pytest.raises(Refuted, match="does not hold in cycle"):
        prove_by_induction(bench(bug.seeded(Synapses), "tiny"), CYCLES)
