"""In memories of one port too every synapse reads as it was written last, from the wipe on."""

from typing import Any

import pytest
from amaranth.hdl import Mux, Signal, Value
from amaranth.utils import exact_log2
from support.benches import Bench, implies
from support.one_word import OneWord
from support.provers import Refuted, prove_by_induction
from support.rungs import bulk_but
from support.seeded import Bug, named, replaced
from support.stand_ins import chosen

from spiketwin.hdl.gateware.core.single_port_weights import SinglePortWeights
from spiketwin.hdl.gateware.core.weights import LINK_LATENCY, READ_LATENCY, synapse_layout
from spiketwin.hdl.spec.params import CoreParams, preset

SIZE = "tiny,weight_width=7,trace_width=8,single_port_weights=1"
WAIT = 3
"""Cycles after which what is written is in memory."""

CYCLES = LINK_LATENCY + 5
"""Cycles after which nothing of before counts."""


def bench(bug: Bug | None = None) -> Bench:
    """Any one synapse, to which rows, columns and the link write, and which they read."""
    b, p = Bench(), preset(SIZE)
    m, layout = b.m, synapse_layout(p)
    i, j = b.fixed("source", range(p.n_sources)), b.fixed("neuron", range(p.n_neurons))
    lane_bits = exact_log2(p.lanes)
    bank, half = (i + j)[:lane_bits], j[lane_bits]
    address = b.tell(
        "address", (j[lane_bits + 1 :] * p.n_sources + i)[: (p.bank_depth - 1).bit_length()]
    )
    words = [Signal(2 * layout.size, name=f"word_{k}") for k in range(p.lanes)]
    others = [b.free(f"other_{k}", 2 * layout.size) for k in range(p.lanes)]
    numbers = iter(range(p.lanes))

    def one_word(*, shape: Any, depth: int, init: Any) -> OneWord:
        k = next(numbers)
        return OneWord(
            shape, depth, here=bank == k, address=address, word=words[k], other=others[k]
        )

    unit: Any = SinglePortWeights
    names = {"Memory": one_word}
    memory = b.unit((replaced(unit, **names) if bug is None else bug.seeded(unit, **names))(p))
    link, phase = memory.link, b.free("phase")
    owned, w_en, stores = b.free("owned"), b.free("w_en"), b.free("store_stb")
    value = b.free("value", layout)
    m.d.comb += [memory.phase.eq(phase), memory.w_en.eq(w_en), link.owned.eq(owned)]
    m.d.comb += [link.store_stb.eq(stores), link.value.eq(value)]
    m.d.comb += [link.row.eq(b.free("row", range(p.n_sources)))]
    m.d.comb += [link.column.eq(b.free("column", range(p.n_neurons)))]
    for lane in range(p.lanes):
        m.d.comb += memory.w_words[lane].eq(b.free(f"written_{lane}", layout))
    read, write = (
        block(b, p, name, getattr(memory, name), (i, j, address)) for name in ("read", "write")
    )

    keeps_time(b, memory, write["same"])
    place = (i, j, bank, half, address)
    is_kept(b, memory, words, place, write)
    reads_it(b, memory, read, (i, j))
    return b


def keeps_time(b: Bench, memory: Any, is_same: Any) -> None:
    """Assume that phases alternate, and that what is written has one word until it is in memory."""
    w_en, stores, owned, phase = (b.shown[name] for name in ("w_en", "store_stb", "owned", "phase"))
    wiped = b.tell("wiped", memory.wiped)
    recent = [b.past(w_en | stores, k) for k in range(1, WAIT + 1)]
    any_recent = b.tell("any_recent", recent[0] | recent[1] | recent[2])
    # The buffer is emptied of the wipe before anything is written.
    is_open = b.tell("open", wiped & b.past(wiped) & b.past(wiped, 2) & b.past(wiped, 3))
    b.assume(implies(~is_open, ~(w_en | stores | owned)))
    rested = ~b.past(phase) & ~b.past(phase, 2)
    b.assume((phase == ~b.past(phase)) | (~phase & ~any_recent & ~rested))
    waits = recent[0] & ~phase  # in the buffer, and not leaving it
    b.assume(implies(w_en & waits, is_same))
    b.assume(implies(stores, owned & ~any_recent & ~w_en))
    b.assume(implies(w_en, ~owned))
    b.assume(implies(owned != b.past(owned), ~any_recent))


def is_kept(b: Bench, memory: Any, words: Any, place: Any, write: dict[str, Any]) -> None:
    """What was written last, `last`, is in memory from the next phase 1 on."""
    i, j, bank, half, address = place
    m, p, link = b.m, memory.params, memory.link
    layout, lane_bits = synapse_layout(p), exact_log2(p.lanes)
    w_en, stores, phase = (b.shown[name] for name in ("w_en", "store_stb", "phase"))
    wiped, any_recent = b.shown["wiped"], b.shown["any_recent"]
    named_by_link = b.past((link.row == i) & (link.column == j))
    by_link = b.tell("by_link", stores & named_by_link)
    by_unit = b.tell("by_unit", w_en & (write["row"] | write["column"]))
    lanes = [Value.cast(memory.w_words[k]) for k in range(p.lanes)]
    of_row = Mux(write["row"], chosen(m, lanes, j[:lane_bits]), chosen(m, lanes, i[:lane_bits]))
    waiting, due, last = (
        Signal(name="waiting"),
        Signal(layout.size),
        Signal(layout.size, name="last"),
    )
    with m.If(waiting & phase):
        m.d.sync += [last.eq(due), waiting.eq(0)]
    with m.If(by_link | by_unit):
        m.d.sync += [waiting.eq(1), due.eq(Mux(by_link, Value.cast(link.value), of_row))]
    b.shown["last"], b.shown["waiting"] = last, waiting
    found = chosen(m, words, bank).word_select(half, layout.size)
    b.tell("in_memory", found)
    b.check("is_kept", implies(wiped, found == last))
    cleared = b.inner("written", memory._address)
    b.check("is_wiped", implies(~wiped & (cleared.word > address), found == 0))
    b.check("begins_with_0", implies(~wiped, (last == 0) & ~waiting & (b.inner("filled", 2) == 3)))
    b.check(
        "waits_for_a_phase",
        implies(waiting, any_recent & b.shown["inner_filled"].bit_select(half, 1)),
    )
    buffered = [b.inner(f"w_word_{k}", 2 * layout.size) for k in range(p.lanes)]
    zeros = (buffered[0] == 0) & (buffered[1] == 0) & (cleared.column == 0)
    b.check("wipes_all", implies(~wiped, zeros & b.inner("in_bank", p.lanes).all()))
    b.check("empties", implies(b.shown["open"] & ~any_recent, b.shown["inner_filled"] == 0))


def reads_it(b: Bench, memory: Any, read: dict[str, Any], place: Any) -> None:
    """Whatever reads the synapse reads what was written last before it is addressed."""
    (i, j), m, p, link = place, b.m, memory.params, memory.link
    lane_bits = exact_log2(p.lanes)
    owned, phase, wiped = (b.shown[name] for name in ("owned", "phase", "wiped"))
    stores, any_recent, last = (b.shown[name] for name in ("store_stb", "any_recent", "last"))
    found_lanes = [Value.cast(memory.words[k]) for k in range(p.lanes)]
    alone = ~owned
    for k in range(1, READ_LATENCY + 2):
        alone &= ~b.past(owned, k)
    for name, across in (("row", j), ("column", i)):
        asked = read[name] & wiped
        at_phase_0 = b.past(asked & ~phase, READ_LATENCY) & b.past(phase, READ_LATENCY - 1)
        at_phase_0 &= alone
        again = asked & phase & read["same"] & b.past(~phase & wiped)
        at_phase_1 = b.past(again, READ_LATENCY) & alone
        lane = chosen(m, found_lanes, across[:lane_bits])
        then = b.past(last, READ_LATENCY)
        b.check(f"{name}_reads_the_last", implies(at_phase_0, lane == then))
        before = b.past(last, READ_LATENCY + 1)
        b.check(f"{name}_reads_on", implies(at_phase_1, lane == before))
    steady = owned & wiped & (link.row == i) & (link.column == j) & ~any_recent & ~stores
    for k in range(1, LINK_LATENCY + 1):
        steady &= b.past(owned & (link.row == i) & (link.column == j) & ~any_recent & ~stores, k)
    b.check("link_reads_the_last", implies(steady, Value.cast(link.stored) == last))


def block(b: Bench, p: CoreParams, name: str, port: Any, place: Any) -> dict[str, Any]:
    """Let any block be addressed.

    Returns whether the row, or the column, of the synapse has it, and whether it has the same word
    as the one before.
    """
    i, j, address = place
    lane_bits = exact_log2(p.lanes)
    column, index = b.free(f"{name}_column"), b.free(f"{name}_index", port.index.shape())
    word, half = b.free(f"{name}_word", port.word.shape()), b.free(f"{name}_half")
    b.m.d.comb += [port.column.eq(column), port.index.eq(index)]
    b.m.d.comb += [port.word.eq(word), port.half.eq(half)]
    b.assume(implies(column, word[:lane_bits] == 0))
    in_row = ~column & (word == address)
    b.assume(implies(in_row, index == i[:lane_bits]))
    in_column = column & (word[lane_bits:] == address[lane_bits:]) & (index == j[:lane_bits])
    own_half = half == j[lane_bits]
    same = (column == b.past(column)) & (index == b.past(index)) & (word == b.past(word))
    return {"row": in_row & own_half, "column": in_column & own_half, "same": same}


BUGS = [
    Bug("a half is that of the next block", "READ_LATENCY - 2)[READ_LATENCY - 2]",
        "READ_LATENCY - 2)[READ_LATENCY - 3]"),
    Bug("both halves are written", "Mux(writing & in_bank[bank], filled, 0)",
        "Mux(writing & in_bank[bank], 3, 0)"),
    Bug("the link writes to all banks", "self.w_en | (arriving.index == bank)", "1"),
    Bug("a word is written while another is read", "(self.phase | ~self.wiped)", "1"),
    Bug("a word is written in any cycle", "filled.any() & (self.phase | ~self.wiped)",
        "filled.any() | (self.phase | ~self.wiped)"),
    Bug("a word is kept in the wrong phase", "with m.If(self.phase | link.owned):",
        "with m.If(~self.phase | link.owned):"),
    Bug("a column begins in the wrong bank", "low = (bank - block.index)",
        "low = (bank + 1 - block.index)"),
]  # fmt: skip


def test_every_synapse_reads_as_it_was_written_last() -> None:
    prove_by_induction(bench(), CYCLES)


@pytest.mark.parametrize("bug", bulk_but(BUGS[:1], BUGS), ids=named)
def test_a_seeded_bug_is_found(bug: Bug) -> None:
    with pytest.raises(Refuted, match="does not hold in cycle"):
        prove_by_induction(bench(bug), CYCLES + 40)
