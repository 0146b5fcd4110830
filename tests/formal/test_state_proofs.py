"""Every element of a vector reads as it was written last, by its unit or by the link.

The memory may return anything where a read and a write collide.
"""

from typing import Any

import pytest
from amaranth.hdl import Const, Shape, Signal, Value, signed
from amaranth.lib import data
from amaranth.utils import exact_log2
from support.benches import Bench, implies
from support.one_word import OneWord
from support.provers import Refuted, prove_by_induction
from support.rungs import bulk_but
from support.seeded import Bug, named, replaced

from spiketwin.hdl.gateware.core.state_memory import READ_LATENCY, StateMemory, StatePort

CYCLES = READ_LATENCY + 3
"""Cycles after which nothing of before counts."""

SHAPE: Shape = signed(8)


def bench(lanes: int, part_lanes: int, probed: bool, bug: Bug | None = None) -> Bench:
    """Follow any one element, while unit and link read and write at any time."""
    b = Bench()
    size = 4 * lanes
    port = StatePort(SHAPE, lanes, size, part_lanes, probed=probed)
    element = b.fixed("followed", range(size))
    bits = exact_log2(lanes)
    lane, address = element[:bits] if bits else Const(0), element[bits:]
    layout = data.ArrayLayout(SHAPE, lanes)
    word, other = Signal(layout.size, name="word"), b.free("other", layout.size)

    def one_word(*, shape: Any, depth: int, init: Any, attrs: Any) -> OneWord:
        return OneWord(shape, depth, here=Const(1), address=address, word=word, other=other)

    unit: Any = StateMemory
    names = {"Memory": one_word}
    memory = b.unit((replaced(unit, **names) if bug is None else bug.seeded(unit, **names))(port))
    connected(b, memory)
    last, writes = kept(b, memory, word, (element, lane, address))
    reads_it(b, memory, (element, lane, address), (last, writes))
    return b


def connected(b: Bench, memory: Any) -> None:
    """Let unit and link do anything; a port that does not write gives 0."""
    m, own, link, lanes = b.m, memory.unit, memory.link, memory.lanes
    r_address, w_address = (
        b.free("r_address", len(own.r_address)),
        b.free("w_address", len(own.w_address)),
    )
    w_en, part = b.free("w_en", lanes), b.free("part", len(own.part))
    written = b.free("written", lanes * SHAPE.width)
    owned, shown = b.free("owned"), b.free("shown")
    place, value = b.free("element", len(link.element)), b.free("value", SHAPE)
    stores, clears = b.free("write_stb"), b.free("clear_stb")
    m.d.comb += [
        own.r_address.eq(r_address),
        own.w_address.eq(w_address),
        own.w_en.eq(w_en),
        own.part.eq(part),
        Value.cast(own.w_data).eq(written),
        link.owned.eq(owned),
        link.shown.eq(shown),
        link.element.eq(place),
        link.value.eq(value),
        link.write_stb.eq(stores),
        link.clear_stb.eq(clears),
    ]
    for k in range(lanes):
        b.assume(implies(~w_en[k] | owned, written.word_select(k, SHAPE.width) == 0))
    b.assume(implies(~owned | ~(stores | clears), value == 0))


def kept(b: Bench, memory: Any, word: Any, followed: Any) -> tuple[Any, Any]:
    """Return what was written last, and whether the word of the element is written now."""
    element, lane, address = followed
    m, own, link = b.m, memory.unit, memory.link
    bits, owned = exact_log2(memory.lanes), link.owned
    place, stores, clears = link.element, link.write_stb, link.clear_stb
    w_en, w_address, written = own.w_en, own.w_address, Value.cast(own.w_data)
    by_unit = ~owned & (w_en >> lane)[0] & (w_address == address)
    same_word = place[bits:] == address
    by_link = owned & ((stores & (place == element)) | (clears & same_word))
    last = Signal(SHAPE.width, name="last")
    b.shown["last"] = last
    with m.If(by_unit):
        m.d.sync += last.eq(written.word_select(lane, SHAPE.width))
    with m.Elif(by_link):
        m.d.sync += last.eq(link.value)
    b.check("is_kept", word.word_select(lane, SHAPE.width) == last)
    writes = (~owned & w_en.any() & (w_address == address)) | (
        owned & (stores | clears) & same_word
    )
    return last, writes


def reads_it(b: Bench, memory: Any, followed: Any, written: Any) -> None:
    """Whoever reads the element in a cycle in which its word is not written reads the last."""
    (element, lane, address), (last, writes) = followed, written
    own, link, port = memory.unit, memory.link, memory.port
    bits, of_part = exact_log2(port.lanes), exact_log2(port.part_lanes)
    owned, shown = link.owned, link.shown
    reads = b.past(~owned & (own.r_address == address) & ~writes, READ_LATENCY) & b.past(shown)
    found = Value.cast(own.r_data).word_select(lane, SHAPE.width)
    then = b.past(last, READ_LATENCY)
    b.check("unit_reads_the_last", implies(reads, found == then))
    parts = lane[of_part:] if bits > of_part else Const(0)
    within = lane[:of_part] if of_part else Const(0)
    in_part = Value.cast(own.r_part).word_select(within, SHAPE.width)
    b.check(
        "its_part_has_it", implies(reads & ~b.past(owned) & (own.part == parts), in_part == then)
    )
    asks = owned & (link.element == element)
    steady = asks & b.past(asks) if not port.probed else b.past(owned)
    answers = steady & b.past(asks & ~writes, READ_LATENCY) & b.past(shown)
    b.check("link_reads_the_last", implies(answers, link.stored.as_unsigned() == then))
    b.check("link_reads_0_else", implies(~b.past(shown) & ~b.first, link.stored == 0))


BUGS = [
    Bug("the link writes all lanes", "link.clear_stb | link.write_stb & (lane == member)",
        "link.clear_stb | link.write_stb"),
    Bug("a unit writes where the link is", "m.d.comb += write.addr.eq(w_address)\n", "pass\n"),
    Bug("the link reads where the unit does", "Mux(link.owned, word, r_address)", "r_address"),
    Bug("the link has the part of the unit", "Mux(linked, selected[part_bits:], unit.part)",
        "unit.part"),
    Bug("the lane is that of the next element",
        'Delay(m, "lane", lane, READ_LATENCY)[READ_LATENCY]',
        'Delay(m, "lane", lane, READ_LATENCY)[1]'),
]  # fmt: skip


@pytest.mark.parametrize("probed", [False, True])
@pytest.mark.parametrize(("lanes", "part_lanes"), bulk_but([(4, 2)], [(4, 4), (4, 2), (1, 1)]))
def test_every_element_reads_as_it_was_written_last(
    lanes: int, part_lanes: int, probed: bool
) -> None:
    prove_by_induction(bench(lanes, part_lanes, probed), CYCLES)


@pytest.mark.parametrize("bug", bulk_but(BUGS[:2], BUGS), ids=named)
def test_a_seeded_bug_is_found(bug: Bug) -> None:
    with pytest.raises(Refuted, match="does not hold in cycle"):
        prove_by_induction(bench(4, 2, True, bug), CYCLES + 4)
