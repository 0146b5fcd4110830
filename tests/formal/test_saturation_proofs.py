"""Counters of saturations count every lane of every cycle, up to their largest value."""

from typing import Any

import pytest
from amaranth.hdl import Const, Mux, Signal
from support.benches import Bench, implies
from support.provers import Refuted, prove_by_induction
from support.seeded import Bug, named

from spiketwin.hdl.gateware.core.saturations import SaturationCounters
from spiketwin.hdl.spec.params import preset
from spiketwin.hdl.spec.registers import SATURATIONS

CYCLES = 2
"""Cycles after which nothing of before counts."""

SIZES = ["tiny,saturation_counters=1", "tiny,saturation_counters=1,learning=0"]


def bench(size: str, unit: Any = SaturationCounters) -> Bench:
    """Anything happens in any lanes, and counters are cleared at any time."""
    b = Bench()
    counters = b.unit(unit(preset(size)))
    clears = b.free("clear_stb")
    b.m.d.comb += counters.clear_stb.eq(clears)
    for counter in SATURATIONS:
        name, most = counter.name, (1 << counter.width) - 1
        happened: Any = Const(0)
        if lanes := counters.lanes[name]:
            watched = b.free(f"{name}_lanes", lanes)
            b.m.d.comb += getattr(counters, f"{name}_lanes").eq(watched)
            happened = sum(watched)
        # The counters observe what happens two cycles late.
        late = b.past(happened)
        total = Signal(counter.width, name=f"{name}_so_far")
        after = total + late
        b.m.d.sync += total.eq(Mux(clears, 0, Mux(after > most, most, after)))
        b.tell(f"{name}_so_far", total)
        b.check(name, getattr(counters, name) == total)
        b.check(f"{name}_grows", implies(~b.past(clears), total >= b.past(total)))
    return b


BUGS = [
    Bug("only one lane counts", "happened.eq(sum(getattr(self, f\"{counter.name}_lanes\")))",
        "happened.eq(getattr(self, f\"{counter.name}_lanes\").any())"),
    Bug("a clear keeps what happens now", "count.eq(0)", "count.eq(happened)"),
    Bug("counters of rules are not cleared", "with m.If(self.clear_stb):",
        "with m.If(self.clear_stb & (lanes != self.lanes[\"weight_saturations\"])):"),
]  # fmt: skip


@pytest.mark.bulk
@pytest.mark.parametrize("size", SIZES)
def test_all_that_saturates_is_counted(size: str) -> None:
    prove_by_induction(bench(size), CYCLES)


@pytest.mark.bulk
@pytest.mark.parametrize("bug", BUGS, ids=named)
def test_a_seeded_bug_is_found(bug: Bug) -> None:
    with pytest.raises(Refuted, match="does not hold in cycle"):
        prove_by_induction(bench(SIZES[0], bug.seeded(SaturationCounters)), 6)
