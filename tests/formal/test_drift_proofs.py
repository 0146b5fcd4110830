"""A tick of drift passes for every rule once, and a block is given the drift of its rule."""

from typing import Any

import pytest
from amaranth.hdl import Mux, Signal, signed
from support.benches import Bench, implies
from support.provers import Refuted, prove_by_induction
from support.seeded import Bug, named, replaced
from support.stand_ins import Rules

from spiketwin.hdl.gateware.core.drifts import Drifts
from spiketwin.hdl.gateware.core.state_memory import READ_LATENCY
from spiketwin.hdl.spec import arithmetic as a
from spiketwin.hdl.spec import schedule
from spiketwin.hdl.spec.params import preset

SUMMED = READ_LATENCY + 2
"""Cycles from the first one of *Update* until the sum of the first rule is written."""

CYCLES = SUMMED + 2
"""Cycles after which nothing of before counts."""

SIZES = ["tiny,n_projections=2,weight_depth=64,n_rules=8,window_bits=8"]


def bench(size: str, bug: Bug | None = None) -> Bench:
    """Follow any rule, through ticks that come at any time and blocks of any rule."""
    b, p = Bench(), preset(size)
    m, rules = b.m, Rules(b, p)
    unit: Any = Drifts
    names = {"Table": rules.table()}
    made = replaced(unit, **names) if bug is None else bug.seeded(unit, **names)
    drifts = b.unit(made(p))
    followed, starts = b.fixed("followed", p.rule_width), b.free("start_stb")
    rule = b.free("rule", p.rule_width)
    m.d.comb += [drifts.start_stb.eq(starts), drifts.rule.eq(rule)]
    memory = drifts.drift_sum
    total = Signal(signed(p.drift_width), name="drift_sum")
    b.shown["drift_sum"] = total
    read = Mux(memory.r_address == followed, total, b.free("other_sum", signed(p.drift_width)))
    m.d.comb += memory.r_part[0].eq(b.past(read, READ_LATENCY))
    # *Update* takes so many cycles at least.
    passed = Signal(range(schedule.NEURON_DRAIN + 1), name="passed")
    b.shown["passed"] = passed
    under_way = passed != 0
    b.assume(implies(starts, ~under_way))
    last = passed == schedule.NEURON_DRAIN - 1
    m.d.sync += passed.eq(Mux(starts, 1, Mux(under_way & ~last, passed + 1, 0)))
    number = b.tell("number", passed - SUMMED)
    writes = b.tell("sums", (number >= 0) & (number < p.n_rules) & under_way)
    b.check("sums_each_once", (drifts.summed_stb == writes) & (memory.w_en == writes))
    in_place = (drifts.summed_rule == number) & (memory.w_address == number)
    b.check("sums_in_order", implies(writes, in_place))
    top = (1 << p.drift_width - 1) - 1
    moved = b.tell("moved", total + rules.at("drift", followed))
    held = b.tell("held", Mux(moved > top, top, Mux(moved < -top - 1, -top - 1, moved)))
    own = b.tell("own", writes & (number == followed))
    right = (drifts.total == held) & (memory.w_data[0] == held)
    b.check("adds_the_drift", implies(own, right & (drifts.saturates == (held != moved))))
    b.check("saturates_alone", implies(drifts.saturates, writes))
    with m.If(own):
        m.d.sync += total.eq(held)
    # No block needs it while neurons are updated.
    free = ~under_way & ~b.past(under_way) & ~b.past(under_way, 2)
    given = drifts.drift == b.past(total, READ_LATENCY) >> a.STEP_BITS
    b.check("gives_the_drift", implies(free & (b.past(rule, READ_LATENCY) == followed), given))
    # What is in the registers of the unit.
    place = passed - 1
    busy = b.inner("busy", 1)
    b.check("is_busy", busy == under_way & (place < p.n_rules))
    number_before = b.inner("number_1", p.rule_width)
    b.check("is_at", implies(b.past(busy), number_before == b.past(place)))
    return b


BUGS = [
    Bug("the last rule has no drift", "busy.eq(number != p.n_rules - 1)",
        "busy.eq(number != p.n_rules - 2)"),
    Bug("sums wrap around", "self.total.eq(saturated(total, p.drift_width))",
        "self.total.eq(total)"),
    Bug("the drift is that of the next rule", "numbers[READ_LATENCY - 1], ",
        "numbers[READ_LATENCY - 2], "),
    Bug("a block is given what its rule drifts by", "self.drift.eq(memory.r_part[0] >> STEP_BITS)",
        "self.drift.eq(step >> STEP_BITS)"),
]  # fmt: skip


@pytest.mark.bulk
@pytest.mark.parametrize("size", SIZES)
def test_drift_passes_once_for_every_rule(size: str) -> None:
    prove_by_induction(bench(size), CYCLES)


@pytest.mark.bulk
@pytest.mark.parametrize("bug", BUGS, ids=named)
def test_a_seeded_bug_is_found(bug: Bug) -> None:
    with pytest.raises(Refuted, match="does not hold in cycle"):
        prove_by_induction(bench(SIZES[0], bug), 2 * schedule.NEURON_DRAIN)
