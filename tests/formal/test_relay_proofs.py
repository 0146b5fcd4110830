"""A relay is active exactly in the tick that its delay says, and the ring keeps it until then."""

from typing import Any

import pytest
from amaranth.hdl import Cat, Elaboratable, Module, Mux, Signal, Value
from amaranth.utils import exact_log2
from support.benches import Bench, implies
from support.provers import Refuted, prove_by_induction
from support.rungs import bulk_but
from support.seeded import Bug, named, replaced

from spiketwin.hdl.gateware.core.relays import Relays
from spiketwin.hdl.gateware.core.sources import entry_layout
from spiketwin.hdl.gateware.core.state_memory import READ_LATENCY
from spiketwin.hdl.spec import schedule
from spiketwin.hdl.spec.params import RELAY_WORD, preset

SIZE = "tiny,n_projections=2,weight_depth=64,n_relays=64,max_delay=4"
WRITTEN = READ_LATENCY
"""Cycles from the last one of a relay until its flag is written."""

CYCLES = 7
"""Cycles after which nothing of before counts."""


class AnyList(Elaboratable):
    """Stands in for the list of the active relays, which is proved by itself."""

    def __init__(self, groups: int, seen: dict[str, Signal]) -> None:
        layout = entry_layout(RELAY_WORD, groups)
        self.empty_stb, self.rewind_stb, self.push_stb = Signal(), Signal(), Signal()
        self.take_stb, self.valid, self.count = Signal(), Signal(), Signal()
        self.source: Any = Signal(range(RELAY_WORD * groups))
        self.entry: Any = Signal(layout)
        self._seen = seen

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.d.comb += [
            self._seen["push"].eq(self.push_stb),
            self._seen["mask"].eq(self.entry.mask),
            self._seen["group"].eq(self.entry.group),
            self._seen["empty"].eq(self.empty_stb & self.rewind_stb),
        ]
        return m


def bench(bug: Bug | None = None) -> Bench:
    """Follow any one relay, and its flag in the words of one of the ticks that the ring has."""
    b, p = Bench(), preset(SIZE)
    seen = {
        name: Signal(width, name=f"list_{name}")
        for name, width in (("push", 1), ("mask", RELAY_WORD), ("group", 8), ("empty", 1))
    }
    names = {"ActiveList": lambda lanes, groups: AnyList(groups, seen)}
    unit: Any = Relays
    relays = b.unit((replaced(unit, **names) if bug is None else bug.seeded(unit, **names))(p))
    tick, start = b.free("tick", 32), b.free("start_stb")
    sets, first = b.free("set_stb"), b.free("first", len(relays.first))
    count = b.free("count", len(relays.count))
    b.m.d.comb += [
        relays.tick.eq(tick),
        relays.start_stb.eq(start),
        relays.set_stb.eq(sets),
        relays.first.eq(first),
        relays.count.eq(count),
    ]
    ticks = exact_log2(p.max_delay)
    followed, slot = b.fixed("followed", range(p.n_relays)), b.fixed("slot", ticks)
    delay = b.fixed("delay", len(relays.relay_delay.r_part[0]))
    place = Cat(followed[exact_log2(RELAY_WORD) :], slot)[: len(relays.relay_ring.r_address)]
    word = ring(b, relays, place)
    flag = b.tell("flag", word.bit_select(followed[: exact_log2(RELAY_WORD)], 1))

    # The delay of the relay is read wherever it is addressed.
    asked = b.past(relays.relay_delay.r_address == followed, READ_LATENCY)
    read = b.free("delay_read", len(delay))
    b.assume(implies(asked, read == delay))
    b.m.d.comb += relays.relay_delay.r_part[0].eq(read)

    rest, scan, scans = one_at_a_time(b, relays)
    due = b.tell("due", (tick[:ticks] + delay)[:ticks] == slot)
    own = b.tell("own", sets & (followed >= first) & (followed < first + count) & due)
    # What is scanned of the tick comes in the last cycles of the scan, a word in each.
    number = Mux(scan <= scans - 1, scans - 1 - scan, scans)
    comes = b.tell("comes", (scan != 0) & (number < p.relay_words))
    group = followed[exact_log2(RELAY_WORD) :]
    taken = b.tell("taken", comes & (number == group) & (tick[:ticks] == slot))
    wanted, late = Signal(name="wanted"), Signal(8, name="late")
    with b.m.If(taken):
        b.m.d.sync += wanted.eq(0)
    with b.m.If(own):
        b.m.d.sync += wanted.eq(1)
    in_time = schedule.RELAY * (followed - first + 1) + WRITTEN
    b.m.d.sync += late.eq(Mux(own, in_time, Mux(late == 0, 0, late - 1)))
    b.shown["wanted"], b.shown["late"] = wanted, late
    bit = followed[: exact_log2(RELAY_WORD)]
    b.check("is_kept", Mux(late == 0, flag == wanted, wanted))
    b.check("of_its_tick", implies(late != 0, due & wanted))
    b.check("none_made_up", implies(flag, wanted))
    b.check("pushed_in_order", implies(comes, seen["group"] == number))
    b.check("pushed_alone", implies(seen["push"], comes) & (seen["empty"] == start))
    b.check("active", implies(taken & seen["push"], seen["mask"].bit_select(bit, 1) == wanted))
    b.check("none_lost", implies(taken & wanted, seen["push"]))
    registers(b, relays, (first, count, sets, rest), (scan, scans), (followed, late))
    return b


def one_at_a_time(b: Bench, relays: Any) -> tuple[Any, Any, int]:
    """Assume one thing at a time: a scan, or the relays of a source after those of another.

    Returns in how many cycles the relays of a source are set, or the words of a tick taken off, and
    how many cycles that takes at first.
    """
    p = relays.params
    tick, start, sets = (b.shown[name] for name in ("tick", "start_stb", "set_stb"))
    first, count = b.shown["first"], b.shown["count"]
    rest = Signal(8, name="rest")
    scan = Signal(8, name="scan")
    scans = p.relay_words + READ_LATENCY
    b.m.d.sync += rest.eq(Mux(sets, schedule.RELAY * count, Mux(rest == 0, 0, rest - 1)))
    b.m.d.sync += scan.eq(Mux(start, scans, Mux(scan == 0, 0, scan - 1)))
    b.shown["rest"], b.shown["scan"] = rest, scan
    free_for = Cat(*(b.past(rest != 0, k) for k in range(1, WRITTEN + 1))).any()
    b.assume(implies(sets, (rest <= 1) & (scan == 0) & ~start & (count > 0)))
    b.assume(implies(sets, (count <= p.max_delay) & (first + count <= p.n_relays)))
    quiet = (rest == 0) & ~free_for & (scan == 0)
    b.assume(implies(start, quiet & ~b.first))
    same_tick = tick == b.past(tick)
    b.assume(same_tick | (quiet & ~start & ~sets & ~b.past(start)))
    return rest, scan, scans


def ring(b: Bench, relays: Any, place: Any) -> Any:
    """Return the word of the ring at a place, of which a read that collides gives anything."""
    port = relays.relay_ring
    word = Signal(RELAY_WORD, name="word_of_ring")
    writes = port.w_en & (port.w_address == place)
    known = (port.r_address == place) & ~writes
    found = Signal(RELAY_WORD)
    b.m.d.comb += found.eq(Mux(known, word, b.free("other_words", RELAY_WORD)))
    b.m.d.comb += port.r_part[0].eq(b.past(found, READ_LATENCY))
    with b.m.If(writes):
        b.m.d.sync += word.eq(Value.cast(port.w_data[0]))
    return word


def registers(b: Bench, relays: Any, source: Any, scans: Any, followed: Any) -> None:
    """What is in the registers while the relays of a source are set, and in a scan."""
    first, count, sets, rest = source
    last = Signal(8)  # behind the last relay of the source
    with b.m.If(sets):
        b.m.d.sync += last.eq(first + count)
    left, cycle = b.inner("left", len(relays.count)), b.inner("cycle", range(schedule.RELAY))
    b.check("left", left == (rest + schedule.RELAY - 1) >> exact_log2(schedule.RELAY))
    b.check("cycle", implies(rest != 0, cycle == (-rest)[: len(cycle)]))
    now = b.tell("now", relays.relay_delay.r_address)
    b.check("there_are_as_many", last <= relays.params.n_relays)
    b.check("in_turn", implies(rest != 0, now + left == last))
    number, late = followed
    phase = (rest - 1)[: len(cycle)] + 1
    right = (number >= now) & (late == schedule.RELAY * (number - now) + phase + WRITTEN)
    b.check("its_turn_comes", implies(late > WRITTEN, (rest != 0) & (number < last) & right))
    awaited = (rest != 0) & (number >= now) & (number < last) & b.shown["due"]
    b.check("its_turn_is_known", implies(awaited, late > WRITTEN))
    b.check("one_thing", (rest == 0) | (scans[0] == 0))
    scan, most = scans
    word = Mux(scan == most, 1, Mux(scan == most - 1, 2, 0))
    b.check("scans", (b.inner("scanning", 1) == (scan == most)) & (b.inner("word", 2) == word))
    b.check("scan_in_range", (scan <= most) & (rest <= schedule.RELAY * relays.params.max_delay))


BUGS = [
    Bug("a delay counts from the next tick on", "exact_log2(p.max_delay)] + delay.r_part[0]",
        "exact_log2(p.max_delay)] + delay.r_part[0] + 1"),
    Bug("a relay clears the others of its word", "ring.w_data[0].eq(ring.r_part[0] | ",
        "ring.w_data[0].eq("),
    Bug("a word is not taken off", "[ring.w_address.eq(base + late), ring.w_en.eq(1)]",
        "[ring.w_address.eq(base + late), ring.w_en.eq(late != 1)]"),
    Bug("the last relay of a source is left out", "left.eq(self.count)", "left.eq(self.count - 1)"),
    Bug("relays of both words are in the first", "(relay >> exact_log2(RELAY_WORD))",
        "(relay >> 6)"),
]  # fmt: skip


def test_a_relay_is_active_in_its_tick() -> None:
    prove_by_induction(bench(), CYCLES)


@pytest.mark.parametrize("bug", bulk_but(BUGS[:1], BUGS), ids=named)
def test_a_seeded_bug_is_found(bug: Bug) -> None:
    with pytest.raises(Refuted, match="does not hold in cycle"):
        prove_by_induction(bench(bug), 24)
