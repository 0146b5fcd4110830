"""A list of active sources gives every one that was pushed once, in ascending order."""

from typing import Any

import pytest
from amaranth.hdl import Signal
from support.benches import Bench, implies
from support.provers import Refuted, prove
from support.rungs import bulk_but
from support.seeded import Bug, named

from spiketwin.hdl.gateware.core.sources import ActiveList, entry_layout

LATENCY = 4
"""Most cycles from a rewind, or from a source that is used up, until the next one is shown."""


def bench(unit: Any, lanes: int, groups: int) -> Bench:
    """Follow any one source through lists of any groups, read at any pace, any number of times."""
    b = Bench()
    m, listed = b.m, b.unit(unit(lanes, groups))
    layout = entry_layout(lanes, groups)
    entry, push = b.free("entry", layout), b.free("push_stb")
    empty, rewind, take = b.free("empty_stb"), b.free("rewind_stb"), b.free("take_stb")
    followed = b.fixed("followed", range(lanes * groups))
    m.d.comb += [
        listed.push_stb.eq(push),
        listed.entry.eq(entry),
        listed.empty_stb.eq(empty),
        listed.rewind_stb.eq(rewind),
        listed.take_stb.eq(take),
    ]
    valid, source = b.tell("valid", listed.valid), b.tell("source", listed.source)
    # Groups come in ascending order; then the list is read, and is emptied before the next one.
    reading, pushed, some = Signal(name="reading"), Signal(name="pushed"), Signal()
    last = Signal(range(groups), name="last_group")
    b.assume(implies(push, ~reading & ~empty & (entry.mask != 0) & (entry.group < groups)))
    b.assume(implies(push & some, entry.group > last))
    b.assume(implies(take, valid & reading & ~rewind))
    b.assume(implies(empty, rewind))
    b.assume(implies(b.first, empty))
    with m.If(push):
        m.d.sync += [some.eq(1), last.eq(entry.group)]
        with m.If(entry.group == followed // lanes):
            m.d.sync += pushed.eq((entry.mask >> (followed % lanes))[0])
    with m.If(rewind):
        m.d.sync += reading.eq(~empty)
    with m.If(empty):
        m.d.sync += [some.eq(0), pushed.eq(0)]
    given, any_before, before = Signal(name="given"), Signal(), Signal(range(lanes * groups))
    rest = Signal(range(LATENCY + 2), name="rest")
    with m.If(rewind):
        m.d.sync += [given.eq(0), any_before.eq(0), rest.eq(0)]
    with m.Elif(take):
        m.d.sync += [given.eq(given | (source == followed)), any_before.eq(1), before.eq(source)]
        m.d.sync += rest.eq(0)
    with m.Elif(rest <= LATENCY):
        m.d.sync += rest.eq(rest + 1)
    shown = reading & valid
    b.check("ascending", implies(shown & any_before, source > before))
    b.check("none_made_up", implies(shown & (source == followed), pushed & ~given))
    over = reading & ~valid & (rest >= LATENCY)
    b.check("none_lost", implies(over, pushed == given))
    return b


BUGS = [
    Bug("the highest source of a group comes first", "for k in reversed(range(len(mask)))",
        "for k in range(len(mask))"),
    Bug("a source comes again and again", "head.mask.eq(head.mask & (head.mask - 1))",
        "head.mask.eq(head.mask)"),
    Bug("the last group is left out", "(head.mask == 0) & (position != self.count)",
        "(head.mask == 0) & (position + 1 != self.count)"),
    Bug("a group is lost as it is fetched", "with m.If(~fetching):\n                m.d.sync",
        "with m.If(1):\n                m.d.sync"),
    Bug("a list is not emptied", "with m.If(self.empty_stb):", "with m.If(0):"),
    Bug("a list begins where the last one ended", "[position.eq(0), fetching.eq(0)",
        "[fetching.eq(0)"),
]  # fmt: skip


@pytest.mark.parametrize("groups", bulk_but([2], [2, 4]))
def test_a_list_gives_every_source_once_in_ascending_order(groups: int) -> None:
    prove(bench(ActiveList, 2, groups))


@pytest.mark.parametrize("bug", bulk_but(BUGS[:2], BUGS), ids=named)
def test_a_seeded_bug_is_found(bug: Bug) -> None:
    with pytest.raises(Refuted, match="does not hold in cycle"):
        prove(bench(bug.seeded(ActiveList), 2, 2))
