"""A queue gives out every entry once, in order, and stays still while nobody takes one.

It forgets all when its clock domain is reset, as those of the queues of events and words are.
"""

from functools import reduce
from operator import and_, or_
from typing import Any

import pytest
from amaranth.hdl import ResetInserter, Signal
from support.benches import Bench, implies
from support.provers import Refuted, prove
from support.rungs import bulk_but
from support.seeded import Bug, named

from spiketwin.hdl.gateware.core.streams import MemoryQueue, Queue

BEHIND = {"MemoryQueue": 1, "Queue": 2}
"""Entries that a queue holds behind its memory."""

LATENCY = 3
"""Most cycles from an entry that comes into an empty queue until it is shown."""


def bench(unit: Any, depth: int) -> Bench:
    """Follow one entry, chosen at will, on its way through a queue at whose ends all may happen."""
    b = Bench()
    m, queue = b.m, unit(2, depth)
    restarts = b.free("restart")
    b.unit(ResetInserter({"sync": restarts})(queue))
    write, read = queue.write, queue.read
    most = depth + BEHIND[unit.__name__]
    m.d.comb += [
        write.payload.eq(b.free("written", 2)),
        write.valid.eq(b.free("write")),
        read.ready.eq(b.free("ready")),
    ]
    taken = b.tell("taken", write.valid & write.ready)
    given = b.tell("given", read.valid & read.ready)
    held = b.shown["held"] = Signal(range(most + 2), name="held")
    m.d.sync += held.eq(held + taken - given)
    with m.If(restarts):
        m.d.sync += held.eq(0)

    follow = b.free("follow")
    following, ahead, value = Signal(), Signal(range(most + 2)), Signal(2)
    with m.If(taken & follow & ~following):
        m.d.sync += [following.eq(1), ahead.eq(held - given), value.eq(write.payload)]
    with m.Elif(following & given):
        m.d.sync += [ahead.eq(ahead - 1), following.eq(ahead != 0)]
    with m.If(restarts):
        m.d.sync += following.eq(0)

    b.check("none_too_many", held <= most)
    b.check("none_made_up", implies(read.valid, held != 0))
    b.check("none_lost", implies(following, ahead < held))
    in_turn = following & (ahead == 0) & read.valid
    b.check("in_order", implies(in_turn, read.payload == value))
    calm = ~reduce(or_, (b.past(taken | given | restarts, k) for k in range(1, LATENCY + 1)))
    b.check("takes_until_full", implies((held < depth) | (calm & (held < most)), write.ready))
    waiting = reduce(
        and_, (b.past((held != 0) & ~given & ~restarts, k) for k in range(1, LATENCY + 1))
    )
    b.check("shows", implies(waiting, read.valid))
    stalled = b.past(read.valid & ~read.ready & ~restarts)
    still = read.valid & (read.payload == b.past(read.payload))
    b.check("still_if_stalled", implies(stalled, still))
    if hasattr(queue, "level"):
        b.check("level", queue.level == held)
    return b


BUGS = [
    (Bug("takes one too many", "~same | (end[-1] == begin[-1])", "1"), MemoryQueue),
    (Bug("one word is never used", "~same | (end[-1] == begin[-1])",
         "(end - begin)[:-1] != self.depth - 1"), MemoryQueue),
    (Bug("reads on while stalled", "read_port.en.eq(read.ready | ~read.valid)",
         "read_port.en.eq(1)"), MemoryQueue),
    (Bug("gives what is not there", "read.valid.eq(some)", "read.valid.eq(1)"), MemoryQueue),
    (Bug("is overwritten while stalled", "entries.read.ready.eq(read.ready | ~read.valid)",
         "entries.read.ready.eq(1)"), Queue),
    (Bug("an entry is lost in the register", "read.valid.eq(entries.read.valid)",
         "read.valid.eq(entries.read.valid & ~read.valid)"), Queue),
    (Bug("a reset leaves an entry at the output", """with m.If(read_port.en):
            some = ~same | (end[-1] != begin[-1])
            m.d.sync += [begin.eq(begin + some), read.valid.eq(some)]""",
         """shown = Signal(reset_less=True)
        m.d.comb += read.valid.eq(shown)
        with m.If(read_port.en):
            some = ~same | (end[-1] != begin[-1])
            m.d.sync += [begin.eq(begin + some), shown.eq(some)]"""), MemoryQueue),
    (Bug("the level counts what is refused", "self.level + (write.valid & write.ready)",
         "self.level + write.valid"), Queue),
]  # fmt: skip


@pytest.mark.parametrize("depth", bulk_but([4], [4, 8]))
@pytest.mark.parametrize("unit", [MemoryQueue, Queue])
def test_a_queue_is_a_queue(unit: Any, depth: int) -> None:
    prove(bench(unit, depth))


@pytest.mark.parametrize(("bug", "unit"), bulk_but(BUGS[:2], BUGS), ids=named)
def test_a_seeded_bug_is_found(bug: Bug, unit: Any) -> None:
    with pytest.raises(Refuted, match="does not hold in cycle"):
        prove(bench(bug.seeded(unit), 4))
