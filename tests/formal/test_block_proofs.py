"""A row or column has each of its blocks once, in order, and no other; each is a group of synapses.

So every synapse of a projection is in the row of its source once, and in the column of its neuron.
"""

from itertools import product
from typing import Any

import pytest
import z3
from amaranth.hdl import Const, Mux, Signal
from support.benches import Bench, implies
from support.provers import Refuted, prove_by_induction
from support.rungs import bulk_but
from support.seeded import Bug, named

from spiketwin.hdl.gateware.core.walked_blocks import WalkedBlocks
from spiketwin.hdl.gateware.core.walker import row_layout
from spiketwin.hdl.spec import schedule
from spiketwin.hdl.spec.params import preset
from spiketwin.hdl.spec.projections import Projection, ProjectionKind

CYCLES = 2
SIZES = [
    "tiny,n_projections=2,weight_depth=64",
    "tiny,n_projections=2,weight_depth=64,n_relays=32,max_delay=16,n_rules=2,sparse_rows=16",
]


def bench(unit: Any, size: str) -> Bench:
    """Any rows follow each other, at once or later."""
    b, p = Bench(), preset(size)
    m, blocks = b.m, b.unit(unit(p))
    layout = row_layout(p)
    row, take = b.free("row", layout), b.free("take_stb")
    columns = b.free("in_columns")
    streaming = Signal(name="streaming")
    held: Any = Signal(layout, name="held")
    done, of_columns = Signal(range(512), name="done"), Signal(name="of_columns")
    m.d.comb += [blocks.row.eq(row), blocks.take_stb.eq(take)]
    m.d.comb += [blocks.in_columns.eq(columns), blocks.streaming.eq(streaming)]
    least: Any = Const(schedule.LEAST_WALKED)
    if p.n_relays:
        relays = schedule.RELAY * held.relay_count
        least = Mux(relays > least, relays, least)
        b.assume(row.relay_count <= p.max_delay)
    cycles = b.tell("cycles", Mux(held.groups > least, held.groups, least))
    last = b.tell("last", streaming & (done == cycles - 1))
    b.assume(row.groups <= p.column_groups)
    b.assume(implies(take, ~streaming | last))
    b.assume(implies(streaming, columns == of_columns))
    with m.If(take):
        m.d.sync += [streaming.eq(1), held.eq(row), done.eq(0), of_columns.eq(columns)]
        b.assume(implies(take & streaming, columns == of_columns))
    with m.Elif(last):
        m.d.sync += streaming.eq(0)
    with m.Else():
        m.d.sync += done.eq(done + streaming)
    for name, signal in (("streaming", streaming), ("done", done)):
        b.shown[name] = signal
    b.check("in_range", implies(streaming, done < cycles))
    b.check("ends_in_time", implies(streaming, blocks.last == last))
    b.check("issues_its_blocks", blocks.issue == (streaming & (done < held.groups)))
    word = b.tell("word", held.word + done * held.stride)
    same = blocks.block.word == word[: len(blocks.block.word)]
    b.check("words", implies(streaming, same))
    group = (held.group + done)[: len(blocks.group)]
    b.check("groups", implies(streaming, blocks.group == group))
    b.check("column", implies(streaming, blocks.block.column == columns))
    index = blocks.index == held.index
    index &= blocks.block.index == held.index[: len(blocks.block.index)]
    b.check("index", implies(streaming, index))
    b.check("bumps_once", implies(streaming, blocks.bumps == (held.first & ~columns & (done == 0))))
    for name in ("constant", "added", "added_less", "sparse", "rule"):
        if name in layout.members:
            right = getattr(blocks, name) == getattr(held, name)
            b.check(f"{name}_of_the_row", implies(streaming, right))
    # What is in the registers.
    longest = max(p.column_groups, schedule.RELAY * p.max_delay)
    cycles_left = b.inner("cycles_left", range(longest + 1))
    blocks_left = b.inner("blocks_left", p.source_group_width)
    rest = Mux(held.groups > done, held.groups - done, 0)
    left = (cycles_left == cycles - done) & (blocks_left == rest)
    b.check("left", Mux(streaming, left, blocks_left == 0))
    b.check("stride", implies(streaming, b.inner("stride", p.weight_address_width) == held.stride))
    return b


BUGS = [
    Bug("a row has a block too many", "blocks_left.eq(self.row.groups)",
        "blocks_left.eq(self.row.groups + 1)"),
    Bug("a short row ends with its blocks", "Mux(self.row.groups < least, least, self.row.groups)",
        "Mux(self.row.groups < 2, least, self.row.groups)"),
    Bug("the stride is that of the row before", "stride.eq(self.row.stride)",
        "stride.eq(Mux(self.streaming, stride, self.row.stride))"),
    Bug("a trace is bumped in each row", "self.row.first & ~self.in_columns", "~self.in_columns"),
    Bug("a row with relays leaves no time for them", "relays < least, least, relays",
        "relays < least, least, least"),
]  # fmt: skip


@pytest.mark.parametrize("size", bulk_but(SIZES[1:], SIZES))
def test_a_row_has_each_of_its_blocks_once(size: str) -> None:
    prove_by_induction(bench(WalkedBlocks, size), CYCLES)


@pytest.mark.parametrize("bug", bulk_but(BUGS[:1], BUGS), ids=named)
def test_a_seeded_bug_is_found(bug: Bug) -> None:
    with pytest.raises(Refuted, match="does not hold in cycle"):
        prove_by_induction(bench(bug.seeded(WalkedBlocks), SIZES[1]), 12)


def proved(claim: Any, *assumed: Any) -> bool:
    """Return whether the claim holds for all integers of which the others do."""
    solver = z3.Solver()
    solver.set("timeout", 20_000)
    solver.add(*assumed, z3.Not(claim))
    return bool(solver.check() == z3.unsat)


@pytest.mark.parametrize("lanes", [2, 4, 8])
def test_blocks_are_the_synapses_of_their_row_and_column(lanes: int) -> None:
    """For all integers: the words that the walk names are those of the synapses, each its own.

    Lane l of a row's block of target group t is neuron ``t · lanes + l``, and lane l of a column's
    block of source group s is source ``s · lanes + l``. The place is `Projection.place`.
    """
    i, j, other_i, other_j, k, lane = z3.Ints("source neuron other_source other_neuron block lane")
    fields = z3.Ints("first sources target targets base")
    first, sources, target, targets, base = fields
    table = (first >= 0, target >= 0, base >= 0, base % lanes == 0, k >= 0, lane >= 0, lane < lanes)

    def within(i: Any, j: Any) -> Any:
        rows = z3.And(i >= first * lanes, i < (first + sources) * lanes)
        return z3.And(rows, j >= target * lanes, j < (target + targets) * lanes)

    def place(i: Any, j: Any) -> Any:
        word = base + (j / lanes - target) * sources * lanes + i - first * lanes
        return word, (i + j) % lanes

    there = (*table, within(i, j))
    same = z3.And(i == other_i, j == other_j)
    (word, bank), (other_word, other_bank) = place(i, j), place(other_i, other_j)
    claim = z3.Implies(z3.And(word == other_word, bank == other_bank), same)
    assert proved(claim, *there, within(other_i, other_j))
    assert not proved(claim, *table, within(i, j))
    numbers = (1, 2, 1, 2, lanes)
    dense, whole = Projection(ProjectionKind.DENSE, *numbers), word * lanes + bank
    for at in product(range(lanes, 3 * lanes), repeat=2):
        named = zip((*fields, i, j), (*numbers, *at), strict=True)
        found = z3.simplify(z3.substitute(whole, *((a, z3.IntVal(n)) for a, n in named)))
        assert found.as_long() == dense.place(at[0], at[1], lanes)
    in_row = base + (i - first * lanes) + k * (sources * lanes)  # as `Walker` is proved to
    row = z3.And(word == in_row, k < targets)
    assert proved(row, *there, j == (target + k) * lanes + lane)
    in_column = base + (j / lanes - target) * sources * lanes + k * lanes
    column = z3.And(word == in_column + lane, k < sources)
    assert proved(column, *there, i == (first + k) * lanes + lane)
