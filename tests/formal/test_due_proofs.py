"""Currents that are due are named once for each group, those of the first receptor first."""

from typing import Any

import pytest
from amaranth.hdl import Mux, Signal
from support.benches import Bench, implies
from support.provers import Refuted, prove
from support.seeded import Bug, named

from spiketwin.hdl.gateware.core.due_blocks import DueBlocks
from spiketwin.hdl.spec.params import preset

DELAYS = "tiny,n_projections=2,weight_depth=64,synapse_delay_width=2"
SIZES = [DELAYS, f"{DELAYS},receptors=2"]


def bench(size: str, unit: Any = DueBlocks) -> Bench:
    """Blocks are named from any start on, also from one that comes while others are named."""
    b, p = Bench(), preset(size)
    due = b.unit(unit(p))
    starts = b.free("start_stb")
    b.m.d.comb += due.start_stb.eq(starts)
    blocks = p.receptors * p.row_groups
    number = Signal(range(blocks + 1), name="number", init=blocks)
    b.shown["number"] = number
    b.m.d.sync += number.eq(Mux(starts, 0, Mux(number == blocks, blocks, number + 1)))
    names = number != blocks
    b.check("names_so_many", due.issue == names)
    b.check("names_all_in_order", implies(names, due.group == number % p.row_groups))
    if p.has_two_receptors:
        b.check("the_first_comes_first", implies(names, due.inhibitory == (number >= p.row_groups)))
    return b


BUGS = [
    Bug("a start goes on with the group of before", "self.issue.eq(1), self.group.eq(0)",
        "self.issue.eq(1)"),
    Bug("a start that comes while blocks are named goes on with them", "with m.Elif(self.issue):",
        "with m.If(self.issue):"),
    Bug("a start goes on with the second current", "m.d.sync += self.inhibitory.eq(0)", "pass"),
    Bug("there is no second current", "self.issue.eq(~self.inhibitory)", "self.issue.eq(0)"),
    Bug("the last group is left out", "self.params.row_groups - 1\n        with",
        "self.params.row_groups - 2\n        with"),
]  # fmt: skip


@pytest.mark.parametrize("size", SIZES)
def test_every_current_that_is_due_is_named_once(size: str) -> None:
    prove(bench(size))


@pytest.mark.parametrize("bug", BUGS, ids=named)
def test_a_seeded_bug_is_found(bug: Bug) -> None:
    with pytest.raises(Refuted, match="does not hold in cycle"):
        prove(bench(SIZES[1], bug.seeded(DueBlocks)))
