"""Probes report each element of each range once and in order, packed as `probes.packed` has it."""

from typing import Any

import pytest
from amaranth.hdl import Cat, Const, Mux, Signal
from support.benches import Bench, implies
from support.provers import Refuted, prove_by_induction
from support.seeded import Bug, named
from support.stand_ins import chosen

from spiketwin.hdl.gateware.core.probes import LATENCY, Probes
from spiketwin.hdl.gateware.core.state_memory import READ_LATENCY
from spiketwin.hdl.spec import schedule
from spiketwin.hdl.spec.params import preset
from spiketwin.hdl.spec.probes import (
    MOST_NIBBLES,
    NIBBLE_BITS,
    WORD_NIBBLES,
    element_nibbles,
    probed,
)

CYCLES = LATENCY + 3
"""Cycles after which nothing of before counts."""

RANGE, DRAIN, READ = 1, 2, 3
"""The states of the unit but rest, in the order in which it names them."""


def bench(size: str, unit: Any = Probes) -> Bench:
    """Ticks end and report at any time, ranges and values may be anything."""
    b, p = Bench(), preset(size)
    probes = b.unit(unit(p))
    due(b, probes)
    nibbles, starts = ranges(b, probes)
    packed(b, probes, nibbles, starts)
    return b


def due(b: Bench, probes: Any) -> None:
    """Every tick of the period reports, from the first one after the period was written."""
    period, words = b.free("period", 16), b.free("words", 16)
    written, ends = b.free("period_stb"), b.free("tick_end_stb")
    b.m.d.comb += [
        probes.probe_period.eq(period),
        probes.probe_words.eq(words),
        probes.period_stb.eq(written),
        probes.tick_end_stb.eq(ends),
    ]
    b.assume(implies(~b.past(written), period == b.past(period)))
    left = Signal(16, name="ticks_left")
    with b.m.If(written):
        b.m.d.sync += left.eq(0)
    with b.m.Elif(ends):
        again = Mux(period == 0, 0, period - 1)
        b.m.d.sync += left.eq(Mux(left == 0, again, left - 1))
    b.tell("ticks_left", left)
    own = b.inner("left", 16)
    b.check("counts", implies((period != 0) & ~b.past(written), own == left))
    b.check("is_due", implies(~b.past(written), probes.due == ((left == 0) & (period != 0))))
    b.check("reserves", probes.reserved == Mux(probes.due, words, 0))


def ranges(b: Bench, probes: Any) -> tuple[Any, Any]:
    """Every element of every range is read, one a cycle, in as many cycles as `schedule` has.

    Returns the nibbles of the element whose value comes, and whether a report starts.
    """
    p, m = probes.params, b.m
    starts = b.free("start_stb")
    m.d.comb += probes.start_stb.eq(starts)
    of: dict[str, list[Any]] = {}
    for name in ("probe_space", "probe_first", "probe_count"):
        port = getattr(probes, name)
        of[name] = [b.fixed(f"{name}_{k}", len(port.r_part[0])) for k in range(p.probe_ranges)]
        read = b.past(chosen(m, of[name], port.r_address), READ_LATENCY)
        m.d.comb += port.r_part[0].eq(read)
    # What the place in the report is, from the cycles that have passed since it began.
    passed = Signal(10, name="passed")
    b.shown["passed"] = passed
    reports = b.tell("reports", passed != 0)
    b.assume(implies(starts, ~reports))
    lengths = [schedule.PROBE_RANGE + count for count in of["probe_count"]]
    begins = [
        b.tell(f"begins_{k}", (1 + sum(lengths[:k], Const(0, 10)))[:10])
        for k in range(p.probe_ranges + 1)
    ]
    last = b.tell("last", begins[-1] + schedule.PROBE - 1)
    m.d.sync += passed.eq(Mux(starts, 1, Mux(reports & (passed != last), passed + 1, 0)))
    b.check("passes", passed <= last)
    b.check("is_over", probes.over == (reports & (passed == last)))
    number = b.tell("range", sum(passed >= each for each in begins[1:-1]))
    begun = b.tell("begun", chosen(m, begins[:-1], number))
    place = b.tell("place", passed - begun - schedule.PROBE_RANGE)
    drains = b.tell("drains", passed >= begins[-1])
    reads = b.tell("reads", reports & ~drains & (passed >= begun + schedule.PROBE_RANGE))
    element = chosen(m, of["probe_first"], number) + place
    space = chosen(m, of["probe_space"], number)
    right = (probes.space == space) & (probes.element == element[: len(probes.element)])
    b.check("reads_the_element", implies(reads, probes.reading & right))
    known = probed(p).items()
    nibbles = b.tell(
        "nibbles_of_it",
        sum(Mux(space == number, element_nibbles(array, p), 0) for number, array in known),
    )
    cycle = Mux(drains, passed - begins[-1], passed - begun)
    count = chosen(m, of["probe_count"], number)
    in_registers(b, (reports, drains, reads), (number, cycle, count - place))
    b.check("has_elements", implies(reads, (place >= 0) & (place < count)))
    late = [Mux(reads, nibbles, 0)]
    for k in range(LATENCY):
        late.append(b.past(late[-1]))
        b.check(f"nibbles_{k + 1}", b.inner(f"nibbles_{k + 1}", 3) == late[-1])
    waits = b.tell("flushes", drains & (passed == begins[-1] + LATENCY))
    b.check("flushes_last", implies(waits, Cat(*late[:LATENCY]) == 0))
    b.check("rests", implies(~reports | (drains & (cycle > LATENCY)), Cat(*late) == 0))
    return (b.tell("nibbles_now", late[-1]), waits), starts


def in_registers(b: Bench, now: tuple[Any, Any, Any], values: tuple[Any, Any, Any]) -> None:
    """What is in the registers that count ranges, cycles and elements."""
    (reports, drains, reads), (number, cycle, left) = now, values
    own = Mux(~reports, 0, Mux(drains, DRAIN, Mux(reads, READ, RANGE)))
    b.check("state", b.inner("fsm_state", 2) == own)
    b.check("number", implies(reports & ~drains, b.inner("number", 1) == number))
    b.check("cycle", implies(reports & ~reads, b.inner("cycle", 3) == cycle))
    b.check("elements_left", implies(reads, b.inner("elements_left", 5) == left))


def packed(b: Bench, probes: Any, nibbles: Any, starts: Any) -> None:
    """Any nibble of the report that is followed is in its word, at its place, and words end."""
    m, (count, flushes) = b.m, nibbles
    value = b.free("value", MOST_NIBBLES * NIBBLE_BITS)
    b.assume(implies(count != 0, value >> (count * NIBBLE_BITS) == 0))
    m.d.comb += probes.value.eq(value)
    followed = b.fixed("followed", 12)  # the nibble of the report
    total, words = Signal(13, name="nibbles_so_far"), Signal(12, name="words_so_far")
    left = Signal(16, name="words_left")
    known, nibble = Signal(name="known"), Signal(NIBBLE_BITS, name="nibble")
    for signal in (total, words, left, known, nibble):
        b.shown[signal.name] = signal
    # A report is shorter than the counters of the bench.
    b.assume(total + MOST_NIBBLES < (1 << 12) - 1)
    fill = b.tell("held_nibbles", total - words * WORD_NIBBLES)
    comes = b.tell("comes", (count != 0) & (total <= followed) & (followed < total + count))
    own = b.tell("own", value.word_select((followed - total)[:3], NIBBLE_BITS))
    nibble_now = b.tell("nibble_now", Mux(comes, own, nibble))
    is_known = known | comes
    whole = b.tell("is_whole", fill + count >= WORD_NIBBLES)
    ends = whole | (flushes & (fill != 0))
    with m.If(starts):
        m.d.sync += [total.eq(0), words.eq(0), left.eq(probes.probe_words), known.eq(0)]
    with m.Else():
        m.d.sync += [total.eq(total + count), words.eq(words + whole), known.eq(is_known)]
        m.d.sync += [nibble.eq(nibble_now), left.eq(left - (ends & (left != 0)))]
    b.check("reports_words", probes.word_stb == (ends & (left != 0)))
    within = b.tell("within", followed - words * WORD_NIBBLES)
    in_word = is_known & (within >= 0) & (within < WORD_NIBBLES)
    place = within[:3]
    found = b.tell("found", probes.word.word_select(place, NIBBLE_BITS))
    b.check("has_the_nibble", implies(probes.word_stb & in_word, found == nibble_now))
    beyond = (within >= 0) & (within < WORD_NIBBLES) & (followed >= total + count)
    b.check("rest_is_zero", implies(probes.word_stb & beyond, found == 0))
    held = b.inner("held", WORD_NIBBLES * NIBBLE_BITS)
    b.check("fill", (fill >= 0) & (fill < WORD_NIBBLES) & (b.inner("fill", 3) == fill))
    waits = known & (within >= 0) & (within < WORD_NIBBLES)
    b.check("holds", implies(waits, held.word_select(place, NIBBLE_BITS) == nibble))
    empty = (within >= 0) & (within < WORD_NIBBLES) & (followed >= total)
    b.check("holds_no_more", implies(empty, held.word_select(place, NIBBLE_BITS) == 0))
    b.check("knows", known == (followed < total))
    b.check("words_left", b.inner("words_left", 16) == left)


BUGS = [
    Bug("a range has an element more", "with m.If(elements_left == 1):",
        "with m.If(elements_left == 0):"),
    Bug("an empty range reports an element", "with m.If(self.probe_count.r_part[0] == 0):",
        "with m.If(0):"),
    Bug("ranges begin one too late", "self.element.eq(self.probe_first.r_part[0])",
        "self.element.eq(self.probe_first.r_part[0] + 1)"),
    Bug("the last word is not flushed", "(self._flush & (fill != 0))", "(self._flush & 0)"),
    Bug("what does not fit a word is lost", "Mux(is_whole, both >> WORD_COUNT_BITS, both)",
        "Mux(is_whole, 0, both)"),
    Bug("a word more than asked for", " & (words_left != 0)", ""),
    Bug("a tick more between reports", "Mux(left == 0, self.probe_period, left) - 1",
        "Mux(left == 0, self.probe_period + 1, left) - 1"),
]  # fmt: skip
SIZES = ["tiny,probe_ranges=2"]


@pytest.mark.bulk
@pytest.mark.parametrize("size", SIZES)
def test_every_element_is_reported_once(size: str) -> None:
    prove_by_induction(bench(size), CYCLES)


@pytest.mark.bulk
@pytest.mark.parametrize("bug", BUGS, ids=named)
def test_a_seeded_bug_is_found(bug: Bug) -> None:
    with pytest.raises(Refuted, match="does not hold in cycle"):
        prove_by_induction(bench(SIZES[0], bug.seeded(Probes)), 16)
