"""Axon events are due or late exactly when they are, and none is lost or used twice."""

from typing import Any

import pytest
from amaranth.hdl import Elaboratable, Module, Signal, Value
from amaranth.lib import stream
from support.benches import Bench, implies
from support.provers import Refuted, prove_by_induction
from support.seeded import Bug, named, replaced

from spiketwin.hdl.gateware.core.interface import event_layout
from spiketwin.hdl.gateware.core.sources import AxonEvents
from spiketwin.hdl.spec.params import preset

CYCLES = 4
"""Cycles after which nothing of before counts."""


class AnyQueue(Elaboratable):
    """Stands in for the queue, which is proved by itself: gives any events at any time."""

    def __init__(self, width: int, valid: Value, payload: Value) -> None:
        self.write: Any = stream.Signature(width).create()
        self.read: Any = stream.Signature(width).create()
        self._valid, self._payload = valid, payload

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.d.comb += [
            self.write.ready.eq(1),
            self.read.valid.eq(self._valid),
            self.read.payload.eq(self._payload),
        ]
        return m


def bench(bug: Bug | None = None) -> Bench:
    """Follow the event that is the oldest, while ticks, takes and resets come at any time."""
    b, params = Bench(), preset("tiny")
    m, layout = b.m, event_layout(params)
    came, event = b.free("came"), b.free("event", layout)
    queues: list[AnyQueue] = []

    def any_queue(width: int, depth: int) -> AnyQueue:
        queues.append(AnyQueue(width, came, Value.cast(event)))
        return queues[-1]

    unit: Any = AxonEvents
    names = {"MemoryQueue": any_queue}
    events = b.unit((replaced(unit, **names) if bug is None else bug.seeded(unit, **names))(params))
    tick, ends, over = b.free("tick", 32), b.free("tick_end_stb"), b.free("over")
    take, reset = b.free("take_stb"), b.free("reset_stb")
    m.d.comb += [
        events.tick.eq(tick),
        events.tick_end_stb.eq(ends),
        events.over.eq(over),
        events.take_stb.eq(take),
        events.reset_stb.eq(reset),
    ]
    due, late = b.tell("due", events.due), b.tell("late", events.late_stb)
    axon, settled = b.tell("axon", events.axon), b.tell("settled", events.settled)
    b.assume(implies(take, due))
    b.assume(b.first | (tick == (b.past(tick) + b.past(ends))[:32]))

    # The unit takes an event as soon as it has none.
    have = Signal(name="have")
    oldest: Any = Signal(layout, name="oldest")
    b.tell("has_one", have)
    gone = (due & take) | late
    with m.If(~have & came):
        m.d.sync += [have.eq(1), oldest.eq(event)]
    with m.Elif(gone):
        m.d.sync += have.eq(0)
    with m.If(reset):
        m.d.sync += have.eq(0)
    b.tell("oldest_tick", oldest.tick)
    head, full = b.inner("head", layout), b.inner("full", 1)
    same = (head.tick == ~oldest.tick) & (head.number == oldest.number)
    b.check("keeps_the_oldest", (full == have) & implies(have, same))
    is_now, is_gone = oldest.tick == tick, oldest.tick < tick
    b.check("due_if_now", implies(due, have & is_now & ~over & (axon == oldest.number)))
    b.check("late_if_past", implies(late, have & (is_gone | (is_now & over))))
    b.check("settled_if_final", implies(settled, (have & ~is_gone) | (~have & ~came)))
    calm = have & b.past(have & ~ends & ~reset) & ~b.past(gone)
    b.check("now_is_due", implies(calm & is_now & ~over, due))
    b.check("past_is_late", implies(calm & (is_gone | (is_now & over)), late))
    b.check("rests_settled", implies(calm & ~late, settled))
    return b


BUGS = [
    Bug("an event of the next tick is due", "matches.eq(apart[:-1].all())",
        "matches.eq(apart[1:-1].all())"),
    Bug("the tick that ends is compared", "compared.eq(full & ~self.tick_end_stb)",
        "compared.eq(full)"),
    Bug("an event that comes too late is due", "matches & ~self.over\n", "matches\n"),
    Bug("what is over is never late", "stale | (matches & over)", "stale"),
    Bug("an event is taken in before the last one is gone", "with m.If(~full):", "with m.If(1):"),
    Bug("a reset leaves the oldest event", "[full.eq(0), self.level.eq(0)]", "[self.level.eq(0)]"),
]  # fmt: skip


def test_events_are_due_or_late_when_they_are() -> None:
    prove_by_induction(bench(), CYCLES)


@pytest.mark.parametrize("bug", BUGS, ids=named)
def test_a_seeded_bug_is_found(bug: Bug) -> None:
    with pytest.raises(Refuted, match="does not hold in cycle"):
        prove_by_induction(bench(bug), CYCLES + 4)
