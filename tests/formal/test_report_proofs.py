"""Every tick that is not muted is reported as the specification has it, and no word is lost."""

from typing import Any

import pytest
from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib.wiring import In
from support.benches import Bench, implies
from support.provers import Refuted, prove_by_induction
from support.rungs import bulk_but
from support.seeded import Bug, named, replaced

from spiketwin.hdl.gateware.core.reports import Reports
from spiketwin.hdl.gateware.core.streams import Queue
from spiketwin.hdl.spec import schedule
from spiketwin.hdl.spec.params import DIGEST_WORDS, CoreParams, preset
from spiketwin.hdl.spec.protocol import (
    SPIKE_CYCLE_BITS,
    SPIKE_MASK_BITS,
    WORD_COUNT_BITS,
    Word,
)

CYCLES = 3
"""Cycles after which nothing of before counts."""

SIZES = ["tiny", "tiny,digest_rounds=1,probe_ranges=1"]
IDLE, ROWS, UPDATE = range(3)
"""Parts of a tick, as far as they tell what may be reported."""


class AnyQueue(Queue):
    """Stands in for a `Queue`, of which only the level counts; that it keeps its entries is proved.

    It takes an entry while it has fewer than `depth`, and two more, which have left its memory when
    it is nearly full.
    """

    level: Signal

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        came, left = self.write.valid & self.write.ready, self.read.valid & self.read.ready
        m.d.comb += [
            self.write.ready.eq(self.level < self.depth + 2),
            self.read.valid.eq(self.level > 0),
            self.read.payload.eq(self.write.payload),
        ]
        m.d.sync += self.level.eq(self.level + came - left)
        return m


def bench(size: str, bug: Bug | None = None) -> Bench:
    """Ticks come and report at any time what a tick may report; the host takes words, or not."""
    b, p = Bench(), preset(size)
    unit: Any = Reports
    made = replaced(unit, Queue=AnyQueue) if bug is None else bug.seeded(unit, Queue=AnyQueue)
    r = b.unit(made(p))
    inputs = {"words.ready": r.words.ready} | {
        name: getattr(r, name)
        for name, member in r.signature.members.items()
        if member.flow is In
    }  # fmt: skip
    for name, port in inputs.items():
        free = b.fixed(name) if name == "digest_en" else b.free(name, port.shape())
        b.m.d.comb += port.eq(free)
    optional = (
        "digest_en", "digest_low_stb", "digest_high_stb", "digest_value", "probe_stb",
        "probe_word", "reserved",
    )  # fmt: skip
    i = {name: inputs.get(name, Const(0, 32)) for name in (*inputs, *optional)}
    part, ends = comes_in_order(b, p, r, i)
    reports(b, r, i)
    counts(b, r, i)
    loses_nothing(b, p, r, i, (part, ends))
    return b


def comes_in_order(b: Bench, p: CoreParams, r: Any, i: dict[str, Any]) -> tuple[Any, Any]:
    """Assume what the controller keeps to; return the part of the tick, and the digests to come."""
    part, digests = Signal(2, name="part"), Signal(2, name="digests_left")
    b.shown |= {"part": part, "digests_left": digests}
    spikes, idle = i["spike_mask"] != 0, (part == IDLE)
    b.assume(implies(i["start_stb"], idle & ~i["muted_stb"] & ~i["restart_stb"]))
    b.assume(implies(i["muted_stb"], idle & r.muted_due & ~i["restart_stb"] & (digests == 0)))
    b.assume(implies(i["restart_stb"], idle & (digests == 0)))
    b.assume(implies(i["update_stb"], (part == ROWS) & ~spikes & (digests == 0)))
    b.assume(implies(spikes | i["probe_stb"] | i["end_stb"], part == UPDATE))
    b.assume(i["probe_stb"] + spikes + i["end_stb"] <= 1)
    b.assume(i["digest_low_stb"] == (digests == DIGEST_WORDS))
    b.assume(i["digest_high_stb"] == (digests == 1))
    told = i["end_stb"] & i["digest_en"] & ~r.muted
    b.m.d.sync += digests.eq(Mux(told, DIGEST_WORDS, Mux(digests == 0, 0, digests - 1)))
    with b.m.If(i["start_stb"]):
        b.m.d.sync += part.eq(ROWS)
    with b.m.Elif(i["update_stb"]):
        b.m.d.sync += part.eq(UPDATE)
    with b.m.Elif(i["end_stb"]):
        b.m.d.sync += part.eq(IDLE)
    b.check("part_is_one", (part <= UPDATE) & (digests <= DIGEST_WORDS * i["digest_en"]))
    return part, digests


def reports(b: Bench, r: Any, i: dict[str, Any]) -> None:
    """Each report is the word of the specification, a cycle later, and there is none else."""
    passed = Signal(WORD_COUNT_BITS, name="passed")
    muted = Signal(WORD_COUNT_BITS, name="muted_so_far")
    any_muted = Signal(name="any_muted")
    b.shown |= {"passed": passed, "muted_so_far": muted, "any_muted": any_muted}
    updated = Signal(name="updated")
    b.m.d.sync += [
        passed.eq(Mux(i["start_stb"], 0, passed + 1)),
        updated.eq(Mux(i["start_stb"], 0, updated | i["update_stb"])),
    ]
    ends_muted = i["end_stb"] & r.muted
    most = (1 << WORD_COUNT_BITS) - 1
    with b.m.If(i["restart_stb"] | i["muted_stb"]):
        b.m.d.sync += [muted.eq(0), any_muted.eq(0)]
    with b.m.Elif(ends_muted):
        b.m.d.sync += [muted.eq(Mux(muted == most, most, muted + 1)), any_muted.eq(1)]
    part, since = b.shown["part"], b.inner("_cycle", WORD_COUNT_BITS)
    b.check("is_updated", implies(part != IDLE, updated == (part == UPDATE)))
    b.shown["whole"] = whole = Signal(WORD_COUNT_BITS, name="whole")
    b.m.d.comb += whole.eq(passed + schedule.END)
    b.check("time_passes", since == Mux(updated, whole, passed))
    b.check("muted_are_known", b.inner("_muted_pending", WORD_COUNT_BITS) == muted)
    b.check("any_are_known", b.inner("_any_muted", 1) == any_muted)
    b.check("is_told_with_room", implies(r.muted_due, any_muted & r.room))
    b.check("is_muted", implies(b.past(i["start_stb"]), r.muted == ~b.past(r.room)))

    group: Any = i["spike_group"]
    at = Signal(SPIKE_CYCLE_BITS, name="at")
    b.m.d.comb += at.eq(group + schedule.SPIKE_LATENCY)
    spikes: Any = Cat(at, (i["spike_mask"] | Const(0, SPIKE_MASK_BITS))[:SPIKE_MASK_BITS], group)
    expected, comes = Signal(32, name="expected"), Signal(name="comes")
    b.shown |= {"expected": expected, "comes": comes}
    for strobe, word in (
        (i["muted_stb"], counted(Word.MUTED, muted)),
        (i["update_stb"] & ~r.muted, counted(Word.UPDATE, passed)),
        ((i["spike_mask"] != 0) & ~r.muted, spikes),
        (i["probe_stb"] & ~r.muted, counted(Word.PROBE, i["probe_word"])),
        (i["end_stb"] & ~r.muted, counted(Word.END, whole)),
        (i["digest_low_stb"], counted(Word.DIGEST_LOW, i["digest_value"][:16])),
        (i["digest_high_stb"], counted(Word.DIGEST_HIGH, i["digest_value"][16:])),
    ):
        with b.m.If(strobe):
            b.m.d.comb += [expected.eq(word), comes.eq(1)]
    written = b.inner("word_queue.write__payload", 32)
    b.check("is_a_word", b.inner("word_queue.write__valid", 1) == b.past(comes))
    b.check("is_the_word", implies(b.past(comes), written == b.past(expected)))


def counted(kind: Word, count: Any) -> Any:
    """Return the word of a kind with a count, as `protocol.count_word` does."""
    return Cat((count | Const(0, WORD_COUNT_BITS))[:WORD_COUNT_BITS], Const(kind, 3), Const(1))


def counts(b: Bench, r: Any, i: dict[str, Any]) -> None:
    """Counters count what they are named after, up to their largest value, from a restart on."""
    steps = {
        "missed_deadlines": i["missed_stb"],
        "late_events": i["late_event_stb"],
        "muted_ticks": i["end_stb"] & r.muted,
    }
    for name, step in steps.items():
        counter, total = getattr(r, name), Signal(getattr(r, name).shape(), name=f"{name}_so_far")
        most = (1 << len(counter)) - 1
        after = Mux(step & (total != most), total + 1, total)
        b.m.d.sync += total.eq(Mux(i["restart_stb"], 0, after))
        b.check(f"{name}_are_counted", counter == total)
    total = Signal(len(r.cycles), name="cycles_so_far")
    after = Mux(i["end_stb"], total + b.shown["whole"], total)
    b.m.d.sync += total.eq(Mux(i["restart_stb"], 0, after))
    b.check("cycles_are_counted", r.cycles == total)


def loses_nothing(
    b: Bench, p: CoreParams, r: Any, i: dict[str, Any], tick: tuple[Any, Any]
) -> None:
    """The queue takes every word, whatever the host takes of it.

    `owed` are the words that are sure to come, and `left` those that the tick may still have.
    """
    part, digests = tick
    digest_words = DIGEST_WORDS * i["digest_en"]
    groups = Signal(range(p.neuron_groups + 1), name="groups_left")
    probes = Signal(17, name="probes_left")
    b.shown |= {"groups_left": groups, "probes_left": probes}
    spikes = i["spike_mask"] != 0
    with b.m.If(i["start_stb"]):
        b.m.d.sync += [groups.eq(p.neuron_groups), probes.eq(i["reserved"])]
    with b.m.Else():
        b.m.d.sync += [groups.eq(groups - spikes), probes.eq(probes - i["probe_stb"])]
    b.assume(implies(spikes, groups > 0) & implies(i["probe_stb"], probes > 0))
    goes = (part != IDLE) & ~r.muted
    owed = b.tell("owed", Mux(goes & (part == UPDATE), 1 + digest_words, 0) + digests)
    ahead = Mux(part == ROWS, 2 + digest_words, 0)
    left = b.tell("left", Mux(goes, groups + probes + ahead, 0))
    level = b.tell("level", r.word_level)
    taken = Signal(signed(20), name="taken")
    written = b.tell("written", b.past(b.shown["comes"]))
    b.m.d.comb += taken.eq(level + written + owed)
    spare = b.inner("spare", Signal(range(-p.max_words_per_tick, most_free(p) + 1)).shape())
    charge = b.inner("_charge", Signal(range(3 + DIGEST_WORDS * (p.digest_rounds > 0))).shape())
    b.check("credits_are_right", spare - charge == most_free(p) - taken)
    b.check("room_is_left", spare - charge + p.max_words_per_tick + 1 >= left)
    b.check("nothing_is_lost", implies(written, level < p.spike_queue_depth + 2))


def most_free(p: CoreParams) -> int:
    """Return the words that may wait when a tick begins that is reported."""
    return p.spike_queue_depth - p.max_words_per_tick


BUGS = [
    Bug("a word takes no credit", "push(protocol.Word.MUTED)", "push(protocol.Word.MUTED, 0)"),
    Bug("the digest takes no credits", "charge=2 + digest_words", "charge=2"),
    Bug("a tick that has no room is reported", "self.muted.eq(~self.room)", "self.muted.eq(0)"),
    Bug("what is muted is told without room", "self._any_muted & self.room", "self._any_muted"),
    Bug("a restart keeps the credits that are used", "m.d.sync += spare.eq(most)", "pass"),
    Bug("the end is not in the cycles", "1 + schedule.END, 1", "1, 1"),
    Bug("spikes of a muted tick are told", "m.Elif((self.spike_mask != 0) & ~self.muted)",
        "m.Elif(self.spike_mask != 0)"),
    Bug("a counter counts twice", "total = counter + 1", "total = counter + 2"),
    Bug("muted ticks are told again", "self._muted_pending.eq(0), self._any_muted.eq(0)",
        "self._any_muted.eq(0)"),
    Bug("the time of a spike is that of its mask", "self.spike_group + schedule.SPIKE_LATENCY",
        "self.spike_mask + schedule.SPIKE_LATENCY"),
]  # fmt: skip


@pytest.mark.parametrize("size", bulk_but(SIZES[:1], SIZES))
def test_every_tick_is_reported_or_muted_and_nothing_is_lost(size: str) -> None:
    prove_by_induction(bench(size), CYCLES)


@pytest.mark.parametrize("bug", bulk_but(BUGS[:1], BUGS), ids=named)
def test_a_seeded_bug_is_found(bug: Bug) -> None:
    with pytest.raises(Refuted, match="does not hold in cycle"):
        prove_by_induction(bench(SIZES[1], bug), 12)
