"""Rows, columns and the link read of every synapse what was written to it last.

The banks are memories that may return anything where a read and a write collide.
"""

from typing import Any

import pytest
from amaranth.hdl import Mux, Signal, Value
from amaranth.utils import exact_log2
from support.benches import Bench, implies
from support.one_word import OneWord
from support.provers import Refuted, prove_by_induction
from support.rungs import bulk_but
from support.seeded import Bug, named, replaced

from spiketwin.hdl.gateware.core.weights import (
    LINK_LATENCY,
    READ_LATENCY,
    WeightMemory,
    synapse_layout,
)
from spiketwin.hdl.spec.params import CoreParams, preset

CYCLES = LINK_LATENCY + 4
"""Cycles after which nothing of before counts."""


def bench(size: str, bug: Bug | None = None) -> Bench:
    """Any one synapse, to which rows, columns and the link write, and which they read."""
    b, p = Bench(), preset(size)
    m, layout = b.m, synapse_layout(p)
    i, j = b.fixed("source", range(p.n_sources)), b.fixed("neuron", range(p.n_neurons))
    b.assume((i < p.n_sources) & (j < p.n_neurons))
    lane_bits = exact_log2(p.lanes)
    bank, address = (i + j)[:lane_bits], (j >> lane_bits) * p.n_sources + i
    words = [Signal(layout, name=f"word_{k}") for k in range(p.lanes)]
    others = [b.free(f"other_{k}", layout) for k in range(p.lanes)]
    numbers = iter(range(p.lanes))

    def one_word(*, shape: Any, depth: int, init: Any) -> OneWord:
        number = next(numbers)
        return OneWord(
            shape, depth, here=bank == number, address=address,
            word=words[number], other=others[number],
        )  # fmt: skip

    unit: Any = WeightMemory
    changed = replaced(unit, Memory=one_word) if bug is None else bug.seeded(unit, Memory=one_word)
    memory = b.unit(changed(p))
    link, owned = memory.link, b.free("owned")
    reads, writes = (blocks(b, p, name, getattr(memory, name), i, j) for name in ("read", "write"))
    w_en, store = b.free("w_en"), b.free("store_stb")
    m.d.comb += [memory.w_en.eq(w_en), link.owned.eq(owned), link.store_stb.eq(store)]
    m.d.comb += [link.row.eq(b.free("row", range(p.n_sources)))]
    m.d.comb += [link.column.eq(b.free("column", range(p.n_neurons)))]
    b.assume((link.row < p.n_sources) & (link.column < p.n_neurons))
    m.d.comb += [link.value.eq(b.free("value", layout))]
    for lane in range(p.lanes):
        m.d.comb += memory.w_words[lane].eq(b.free(f"written_{lane}", layout))
    # The link takes the memory when no block is on its way there.
    b.assume(~(owned & b.past(w_en)))
    b.assume(~(store & b.first))  # a place comes a cycle before its value

    # What was written last, `last`, is in memory two cycles after a block and one after the link.
    named_by_link = b.past((link.row == i) & (link.column == j))
    stores = b.tell("stores", owned & store & named_by_link)
    arrives = b.tell("arrives", b.past(w_en & (writes[0] | writes[1])) & ~owned)
    lanes = [Value.cast(memory.w_words[k]) for k in range(p.lanes)]
    in_row, in_column = (chosen(b, lanes, x[:lane_bits]) for x in (j, i))
    block = b.past(Mux(writes[0], in_row, in_column))
    last = Signal(layout, name="last")
    with m.If(stores):
        m.d.sync += last.eq(link.value)
    with m.Elif(arrives):
        m.d.sync += Value.cast(last).eq(block)
    for number, word in enumerate(words):
        same = Value.cast(word) == Value.cast(last)
        b.check(f"kept_in_bank_{number}", implies(bank == number, same))

    check_reads(b, memory, reads, (i, j), last, stores | arrives)
    return b


def check_reads(
    b: Bench, memory: Any, reads: Any, place: tuple[Value, Value], last: Any, collides: Value
) -> None:
    """Whatever reads the synapse in a cycle in which it is not written reads what it was last."""
    i, j = place
    link, p = memory.link, memory.params
    lane_bits = exact_log2(p.lanes)
    found = [Value.cast(memory.words[k]) for k in range(p.lanes)]
    for name, is_read, across in (("row", reads[0], j), ("column", reads[1], i)):
        then = b.past(is_read & ~link.owned & ~collides, READ_LATENCY)
        b.tell(f"reads_{name}", then)
        right = chosen(b, found, across[:lane_bits]) == b.past(last, READ_LATENCY)
        b.check(f"{name}_reads_the_last", implies(then, right))
    steady = asks = link.owned & (link.row == i) & (link.column == j)
    for k in range(1, LINK_LATENCY + 1):
        steady &= b.past(asks, k)
    ago = LINK_LATENCY - 1  # the place goes through a register before the memory
    right = Value.cast(link.stored) == b.past(last, ago)
    b.check("link_reads_the_last", implies(steady & ~b.past(collides, ago), right))


def blocks(
    b: Bench, p: CoreParams, name: str, port: Any, i: Value, j: Value
) -> tuple[Value, Value]:
    """Let any block be addressed; return whether the row, or the column, of the synapse has it."""
    lane_bits = exact_log2(p.lanes)
    column = b.free(f"{name}_column")
    index = b.free(f"{name}_index", port.index.shape())
    word = b.free(f"{name}_word", port.word.shape())
    b.m.d.comb += [port.column.eq(column), port.index.eq(index), port.word.eq(word)]
    first = (j >> lane_bits) * p.n_sources
    # An index is that of the row's source or the column's neuron.
    b.assume(implies(column, word[:lane_bits] == 0))
    b.assume(implies(~column & (word == first + i), index == i[:lane_bits]))
    of_block = (word >> lane_bits) == (first + i) >> lane_bits
    in_row = b.tell(f"{name}_in_row", ~column & (word == first + i))
    in_column = b.tell(f"{name}_in_column", column & of_block & (index == j[:lane_bits]))
    return in_row, in_column


def chosen(b: Bench, words: list[Value], number: Value) -> Value:
    """The word with the number, which is fixed."""
    result = Signal(len(words[0]), name="chosen")
    with b.m.Switch(number):
        for k, word in enumerate(words):
            with b.m.Case(k):
                b.m.d.comb += result.eq(word)
    return result


BUGS = [
    Bug("a column begins in the wrong bank", "low = (bank - block.index)[:lane_bits]",
        "low = (bank + block.index + 1)[:lane_bits]"),
    Bug("words are rotated to banks as they are from them", "(-self.write.index)[:lane_bits])",
        "self.write.index[:lane_bits])"),
    Bug("the address of a write comes a cycle early", "memory.w_address.eq(w_address[bank])",
        "memory.w_address.eq(bank_address(self.write, bank))"),
    Bug("the rotation is that of the block behind", "for stage in range(READ_LATENCY - 1)",
        "for stage in range(READ_LATENCY - 2)"),
    Bug("the link writes to all banks", "link.store_stb & (link_bank == bank)", "link.store_stb"),
    Bug("the link's bank is that of its neuron", "link_bank.eq(link.row + link.column)",
        "link_bank.eq(link.column)"),
]  # fmt: skip


@pytest.mark.parametrize(
    "size", bulk_but(["tiny"], ["tiny", "tiny,n_neurons=16,lanes=4", "digits"])
)
def test_every_synapse_reads_as_it_was_written_last(size: str) -> None:
    prove_by_induction(bench(size), CYCLES)


@pytest.mark.parametrize("bug", bulk_but(BUGS[:2], BUGS), ids=named)
def test_a_seeded_bug_is_found(bug: Bug) -> None:
    with pytest.raises(Refuted, match="does not hold in cycle"):
        prove_by_induction(bench("tiny,n_neurons=16,lanes=4", bug), CYCLES)
