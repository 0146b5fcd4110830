"""No synapse is read while a change of it is on its way to memory.

So no read of the block RAM of weights that counts collides with a write, and none comes before it:
it does not matter what a memory returns then. A block that is issued is read at once, and its
weights are at the port of their memory `WEIGHT_WRITE_STAGE` cycles later.
"""

from typing import Any

import pytest
from amaranth.hdl import Const, Mux, Signal, Value
from amaranth.utils import exact_log2
from support.benches import Bench, implies
from support.provers import Refuted, prove_by_induction
from support.rungs import bulk_but
from support.seeded import Bug, named
from support.ticks import Ticks, states

from spiketwin.hdl.gateware.core.controller import Controller
from spiketwin.hdl.gateware.core.synapses import WEIGHT_WRITE_STAGE
from spiketwin.hdl.gateware.core.walker import row_layout
from spiketwin.hdl.spec import schedule
from spiketwin.hdl.spec.params import preset

CYCLES = WEIGHT_WRITE_STAGE + 4
"""Cycles after which nothing of before counts."""

FREE = (
    "run_until", "stop", "set_tick_stb", "set_tick", "restart_stb", "due", "room", "muted_due",
    "clearing", "axon_due", "axons_settled", "neuron_valid", "any_fired", "learns", "axon_repeats",
    "bias_due", "probes_due", "probes_over", "row_valid", "rows_over", "row_repeats", "counted",
    "relays_active",
)  # fmt: skip
"""What may come to the controller at any time."""


def bench(size: str, controller: Any = Controller) -> Bench:
    """Any one synapse, of a core with a single matrix or one with projections."""
    b, p = Bench(), preset(size)
    ticks = b.unit(Ticks(controller, p))
    c = ticks.controller
    for name in FREE:
        if hasattr(c, name):
            port = getattr(c, name)
            b.m.d.comb += port.eq(b.free(name, port.shape()))
    b.m.d.comb += c.real_time.eq(b.fixed("real_time"))
    state = b.inner("controller.fsm_state", len(states(p)).bit_length())
    is_in = {name: state == number for name, number in states(p).items()}
    b.check("state_is_one", state < len(is_in))
    columns: Value = Const(0)
    for name in ("COLUMN_LEAD", "COLUMN_WAIT", "COLUMNS", "COLUMN_DRAIN"):
        columns = columns | is_in.get(name, Const(0))
    b.check("in_columns", c.in_columns == columns)
    used = b.tell("used", (walked if p.has_projections else of_matrix)(b, c, ticks.blocks))
    on_its_way: Value = Const(0)
    for k in range(1, WEIGHT_WRITE_STAGE + 1):
        on_its_way = on_its_way | b.past(used, k)
    b.check("is_in_memory", implies(used, ~on_its_way))
    return b


def of_matrix(b: Bench, c: Any, blocks: Any) -> Value:
    """Return whether the synapse is in the block that is issued.

    Sources, and neurons that fired, come as their lists are proved to give them: ascending, an axon
    again only if it is said to repeat, and none in columns.
    """
    p = c.params
    for name in ("axon", "neuron"):
        port = getattr(blocks, name)
        b.m.d.comb += port.eq(b.free(name, port.shape()))
    b.m.d.comb += blocks.is_axon.eq(c.axon_due)
    begun = Signal(name="begun")  # the pass has a row, or column
    b.shown["begun"] = begun
    with b.m.If(c.take_axon_stb | c.take_neuron_stb):
        b.m.d.sync += begun.eq(1)
    with b.m.Elif(c.tick_stb | c.update_stb):
        b.m.d.sync += begun.eq(0)
    b.check("has_begun", implies(c.issue, begun))
    source = Mux(c.in_columns, blocks.neuron, blocks.neuron + p.n_axons)
    b.assume(implies(begun & c.neuron_valid, source > blocks.index))
    b.assume(implies(c.axon_due, ~c.in_columns))
    b.assume(implies(begun & c.axon_due, blocks.axon >= blocks.index))
    again = begun & c.axon_due & (blocks.axon == blocks.index)
    b.assume(implies(again, c.axon_repeats))
    i, j = b.fixed("source", range(p.n_sources)), b.fixed("followed", range(p.n_neurons))
    lane_bits = exact_log2(p.lanes)
    in_row = (blocks.index == i) & (blocks.group == j >> lane_bits)
    in_column = (blocks.index == j) & (blocks.group == i >> lane_bits)
    found: Value = c.issue & Mux(c.in_columns, in_column, in_row)
    return found


def walked(b: Bench, c: Any, blocks: Any) -> Value:
    """Return whether the synapse is in the block that is issued.

    Rows and columns come as the walker is proved to give them: the synapse is in one block of one
    row, or column, and in no other of the pass unless its source is an axon that repeats; and then
    the first row of the axon says so.
    """
    p, m = c.params, b.m
    row = b.free("row", row_layout(p))
    m.d.comb += blocks.row.eq(row)
    b.assume(row.groups <= p.column_groups)
    if p.n_relays:
        b.assume(row.relay_count <= p.max_delay)
    has = b.free("has")
    in_row, in_column = (b.fixed(f"at_{way}", range(p.column_groups)) for way in ("row", "column"))
    at = Mux(c.in_columns, in_column, in_row)
    b.assume(implies(has, at < row.groups))
    waits = b.past(c.row_valid & ~c.take_row_stb)
    for name in ("row", "has", "row_repeats"):
        value = b.shown[name]
        b.assume(implies(waits, value == b.past(value)))
    b.assume(implies(waits, c.row_valid))
    held, done = Signal(name="held"), Signal(range(512), name="done")
    may = Signal(name="may")  # the synapse was in no row since the axon repeated, or of this pass
    with m.If(c.take_row_stb):
        m.d.sync += [held.eq(has), done.eq(0), may.eq((may | c.row_repeats) & ~has)]
    with m.Else():
        m.d.sync += done.eq(done + (done != 511))
        with m.If(c.walk_stb):
            m.d.sync += may.eq(1)
    b.shown |= {"held": held, "done": done, "may": may}
    b.assume(implies(c.row_valid & has, may | c.row_repeats))
    b.assume(implies(c.row_repeats, ~c.in_columns))
    longest = max(p.column_groups, schedule.RELAY * p.max_delay)
    left = b.inner("blocks.cycles_left", range(longest + 1))
    b.check("lasts", implies(c.streaming, left + done >= schedule.LEAST_WALKED))
    b.check("once", implies(c.streaming & held & (done <= at), ~may))
    found: Value = blocks.issue & held & (done == at)
    return found


BUGS = [
    Bug("an axon that repeats does not wait", "with m.If(self.axon_repeats):",
        "with m.If(self.axon_repeats & self.real_time):"),
    Bug("an event that has just arrived does not wait", """            with m.If(self.word_over):
                self._next_row(m, after_rows=True)""", """            with m.If(self.word_over):
                self._next_row(m, after_rows=False)"""),
    Bug("weights are awaited half as long", """take_axon_stb.eq(0)
        self._enter(m, "ROW_REPEAT", schedule.ROW_REPEAT""", """take_axon_stb.eq(0)
        self._enter(m, "ROW_REPEAT", schedule.ROW_REPEAT // 2"""),
    Bug("columns begin right behind rows", """with m.State("ROW_DRAIN"), m.If(self._last):
            self._enter_update(m)

    def _next_row""", """with m.State("ROW_DRAIN"):
            self._leave_update(m)

    def _next_row"""),
]  # fmt: skip
WALKED_BUGS = [
    Bug("columns of projections begin too soon", """with m.State("ROW_DRAIN"), m.If(self._last):
            self._enter_update(m)

    def _walked_columns""", """with m.State("ROW_DRAIN"):
            self._leave_update(m)

    def _walked_columns"""),
    Bug("a row of the same axon does not wait", "with m.If(self.row_repeats):",
        "with m.If(self.row_repeats & self.real_time):"),
]  # fmt: skip

TABLE = "tiny,n_projections=2,weight_depth=64"
SIZES = ["tiny", "digits", TABLE, f"{TABLE},n_rules=2,n_relays=64,max_delay=4"]
HAS_BUG = [*(("tiny", bug) for bug in BUGS), *((TABLE, bug) for bug in WALKED_BUGS)]


@pytest.mark.parametrize("size", bulk_but(SIZES[:1], SIZES))
def test_no_synapse_is_read_while_its_change_is_under_way(size: str) -> None:
    prove_by_induction(bench(size), CYCLES)


@pytest.mark.parametrize(("size", "bug"), bulk_but(HAS_BUG[:1], HAS_BUG), ids=named)
def test_a_seeded_bug_is_found(size: str, bug: Bug) -> None:
    with pytest.raises(Refuted, match="does not hold in cycle"):
        prove_by_induction(bench(size, bug.seeded(Controller)), 40)
