"""Every active source gets a row for each of its projections once, with its words, and no other.

So do neurons that fired, whose columns are those of `column_order`, and constant projections.
"""

from typing import Any

import pytest
from amaranth.hdl import Cat, Const, Mux, Signal, Value
from amaranth.utils import exact_log2
from support.benches import Bench, implies
from support.one_word import OneWord
from support.provers import Refuted, prove_by_induction
from support.rungs import bulk_but
from support.seeded import Bug, named, replaced

from spiketwin.hdl.gateware.core.state_memory import READ_LATENCY
from spiketwin.hdl.gateware.core.walker import Walker, row_layout
from spiketwin.hdl.spec.params import CoreParams, preset
from spiketwin.hdl.spec.projections import FIELDS, ProjectionKind
from spiketwin.hdl.spec.variables import WALK_FIRST_BITS

READ = 2 * READ_LATENCY
"""Cycles from a number within a walk to the fields of its projection."""

SUMMED = READ + 3
"""Cycles from a number within a walk until the first word of its row is known."""

LATENCY = 4
"""Most cycles without a row from a source on, or a row, as long as there is room for one."""

REST, TAKE, FIND, READS, FIRST, NEXT, SWEEP = range(7)


def ready(p: CoreParams) -> int:
    """Return the cycles from a number within a walk until its row is prepared."""
    return SUMMED + (READ_LATENCY if p.has_sparse else 0)


def cycles(size: str) -> int:
    """Return the cycles after which nothing of before counts."""
    return ready(preset(size)) + 4


def bench(size: str, bug: Bug | None = None) -> Bench:
    """Sources become active at any time, and rows are taken at any time.

    Followed are the walks of one group of sources, or neurons, and one constant projection.
    """
    b, p = Bench(), preset(size)
    counted = Followed(b, p)
    unit: Any = Walker
    names = {"Memory": counted.memory}
    w = b.unit((replaced(unit, **names) if bug is None else bug.seeded(unit, **names))(p))
    for name in ("walk_stb", "skip_stb", "real_time", "axon_due", "axons_settled", "axon",
                 "axon_repeats", "neuron_valid", "neuron", "tick_end_stb", "take_stb",
                 "sweep_stb", "in_columns"):  # fmt: skip
        port = getattr(w, name)
        b.m.d.comb += port.eq(b.free(name, port.shape()))
    if p.n_relays:
        for port in (w.relay_valid, w.relay):
            b.m.d.comb += port.eq(b.free(port.name, port.shape()))
        b.assume(w.relay < p.n_relays)
    others = ("relay_first", "relay_count", "sparse_first", "sparse_blocks")
    for name in (*FIELDS, "row_projections", "column_projections", "column_order", *others):
        if hasattr(w, name):
            port = getattr(w, name)
            b.m.d.comb += port.r_part[0].eq(b.free(name, port.r_part[0].shape()))
    rests = w.over
    b.assume(implies(w.walk_stb | w.sweep_stb, rests))
    b.assume(~(w.walk_stb & w.sweep_stb))
    b.assume(implies(~rests, w.in_columns == b.past(w.in_columns)))
    b.assume(implies(w.sweep_stb, ~w.in_columns))
    b.assume(implies(w.in_columns, ~w.axon_due))
    b.assume(implies(w.take_stb, w.valid))
    b.assume((w.axon < p.n_axons) & (w.neuron < p.n_neurons))
    emit = b.inner("_emit", 1)
    emits = Emitted(b, w, emit)
    emits.check_walks()
    emits.check_sweeps(counted)
    queued(b, w, emit, prepared(b, w, emits, counted))
    return b


class Followed:
    """The constant projection that is followed, and the number of its sources that are active."""

    def __init__(self, b: Bench, p: CoreParams) -> None:
        self.b = b
        self.number = b.fixed("constant_followed", range(p.n_projections))
        most = max(1 << p.i_syn_width, p.n_neurons)
        self.word, self.other = Signal(range(most + 1)), b.free("other_count", range(most + 1))
        self.most = most

    def memory(self, *, shape: Any, depth: int, init: Any) -> OneWord:
        """Return what stands in for the memory of the counts."""
        return OneWord(
            shape, depth, here=Const(1), address=self.number, word=self.word, other=self.other
        )


class Emitted:
    """What is known of a row as it begins to be prepared."""

    def __init__(self, b: Bench, w: Any, emit: Any) -> None:
        self.b, self.w, self.emit = b, w, emit
        p = w.params
        self.index = b.inner("_index", range(p.n_sources))
        self.place = b.inner("_place", WALK_FIRST_BITS)
        self.first, self.empty = b.inner("_first", 1), b.inner("_empty", 1)
        self.repeats, self.sweeps = b.inner("_repeats", 1), b.inner("_sweeps", 1)
        self.state = b.inner("fsm_state", 3)
        b.check("state_is_one", self.state <= SWEEP)

    def check_walks(self) -> None:
        """The rows of a source are those of its element of the table, in order."""
        b, w, m = self.b, self.w, self.b.m
        p = w.params
        lane_bits = exact_log2(p.lanes)
        takes = w.take_axon_stb | w.take_neuron_stb
        source = Mux(w.take_axon_stb, w.axon, Mux(w.in_columns, w.neuron, w.neuron + p.n_axons))
        has_more = w.axon_due | w.neuron_valid
        if p.n_relays:
            takes |= w.take_relay_stb
            source = Mux(w.take_relay_stb, w.relay + (p.n_axons + p.n_neurons), source)
            has_more |= w.relay_valid & ~w.in_columns
            used = implies(w.take_relay_stb, w.relay_valid & ~w.in_columns)
            b.check("takes_relays_that_are_there", used)
        takes = b.tell("takes", takes)
        now, again = Signal(range(p.n_sources), name="now"), Signal(name="again")
        with m.If(takes):
            m.d.sync += [now.eq(source), again.eq(w.take_axon_stb & w.axon_repeats)]
        # The element of one group of sources, or of neurons, stays the same.
        group = b.fixed("group_followed", range(p.column_groups))
        first = b.fixed("first_followed", WALK_FIRST_BITS)
        count = b.fixed("count_followed", WALK_FIRST_BITS + 1)
        for array in (w.row_projections, w.column_projections):
            there = b.past(array.r_address == group, READ_LATENCY)
            element = Cat(first, count)[: len(array.r_part[0])]
            b.assume(implies(there, array.r_part[0] == element))
        b.assume(first + count <= 1 << WALK_FIRST_BITS)
        least = Mux(count == 0, 1, count)

        follows, done = Signal(name="follows"), Signal(8, name="done")
        walks = self.emit & ~self.sweeps
        with m.If(takes):
            m.d.sync += [follows.eq(source >> lane_bits == group), done.eq(0)]
        with m.Elif(walks):
            m.d.sync += done.eq(done + 1)
        b.tell("walks", walks)
        b.tell("done_of_source", done)
        b.check("of_the_source", implies(walks, self.index == now))
        own = walks & follows
        b.check("in_order", implies(own, self.place == first + done))
        b.check("first_alone", implies(own, self.first == (done == 0)))
        b.check("empty_alone", implies(own, self.empty == (count == 0)))
        b.check("repeats_first_alone", implies(walks, self.repeats == (again & self.first)))
        b.check("none_more", implies(own, done < least))
        under_way = (self.state == READS) | (self.state == FIRST) | (self.state == NEXT)
        over = takes | ~under_way
        b.check("none_less", implies(over & follows, done == least))
        b.check("only_of_sources", implies(walks, (self.state == FIRST) | (self.state == NEXT)))
        quiet = Signal(range(LATENCY + 2), name="quiet")
        begun = b.inner("_begun", 2)
        waits = under_way & (begun != 2) & ~self.emit
        m.d.sync += quiet.eq(Mux(waits, Mux(quiet > LATENCY, quiet, quiet + 1), 0))
        b.check("goes_on", quiet < LATENCY)
        rested = (self.state == REST) & b.past(self.state == TAKE)
        unsettled = b.past(w.real_time & ~w.axons_settled & ~w.axons_over)
        b.check(
            "rests_if_none_is_left",
            implies(rested, ~b.past(has_more) & ~unsettled),
        )
        self._check_registers((first, count, group), (now, again, follows, done))

    def _check_registers(self, element: tuple[Any, ...], source: tuple[Any, ...]) -> None:
        """What is in the registers while the rows of a source begin."""
        b, w = self.b, self.w
        p, lane_bits = w.params, exact_log2(w.params.lanes)
        (first, count, group), (now, again, follows, done) = element, source
        under_way = (self.state == READS) | (self.state == FIRST) | (self.state == NEXT)
        left, after = b.inner("left", len(count)), b.inner("after", WALK_FIRST_BITS)
        next_one = (self.state == NEXT) & follows
        own = (left == count - done) & (after == first + done) & (done > 0) & (done < count)
        b.check("left", implies(next_one, own))
        reading = b.inner("reading", range(READ_LATENCY + 1))
        b.check("reads", implies(self.state == READS, reading < READ_LATENCY))
        held = under_way & follows
        right = (self.index == now) & (now >> lane_bits == group)
        b.check("holds", implies(held, right))
        b.check("begins", implies(under_way & (self.state != NEXT), done == 0))
        neurons = under_way & w.in_columns
        b.check("neurons_in_columns", implies(neurons, now < p.n_neurons))
        b.check("indexes", implies(under_way, self.index == now))
        b.check("again", implies(under_way, b.inner("_again", 1) == again))
        age = b.past(self.state == READS) & b.past(self.state == READS, 2)
        b.check("has_read", implies((self.state == FIRST) & b.past(self.state != FIRST), age))

    def check_sweeps(self, counted: Followed) -> None:
        """A constant projection with active sources is swept once, in ascending order."""
        b, w, m, number = self.b, self.w, self.b.m, counted.number
        sweeping = (self.state == FIND) | (self.state == SWEEP)
        in_flight = Cat(
            *(b.past(self.emit & ~self.sweeps, k) for k in range(1, ready(w.params) + 1))
        )
        b.check("sweeps_by_themselves", implies(sweeping, ~in_flight.any()))
        any_swept = Cat(
            *(b.past(self.emit & self.sweeps, k) for k in range(1, ready(w.params) + 1))
        ).any()
        b.check("sweeps_rows", implies(sweeping | any_swept, ~w.in_columns | w.over))
        rows = b.past(self.emit & ~self.sweeps & ~self.empty, READ)
        of_it = b.past(number_read(b, w, self.place) == number, READ_LATENCY)
        is_constant = w.projection_kind.r_part[0] == ProjectionKind.CONSTANT
        # The table names projections that there are, and no constant ones in columns.
        named = number_read(b, w, self.place) < w.params.n_projections
        b.assume(implies(b.past(self.emit, READ_LATENCY), named))
        b.assume(implies(rows & b.past(w.in_columns, READ), ~is_constant))
        counts = b.tell("counts", rows & of_it & is_constant)
        swept = b.tell("swept", self.emit & self.sweeps & (self.place == number))
        flag, count = Signal(name="flag"), Signal.like(counted.word, name="count")
        b.tell("has_active_sources", flag)
        with m.If(counts):
            m.d.sync += [flag.eq(1), count.eq(Mux(flag, count + (count != counted.most), 1))]
        with m.If(swept):
            m.d.sync += flag.eq(0)
        self.count = count
        flags = b.inner("_counted", w.params.n_projections)
        b.check("counts", ((flags >> number)[0] == flag) & implies(flag, counted.word == count))
        b.check("counts_so_many", implies(flag, count <= counted.most))
        b.check("sweeps_alone", self.sweeps == (self.state == SWEEP))
        b.check("sweeps_what_counts", implies(swept, flag))
        swept_any = self.emit & self.sweeps
        b.check("sweeps_in_order", implies(swept_any & flag, self.place <= number))
        found = b.past(self.state == FIND) & (self.state == REST)
        b.check("sweeps_all", implies(found, ~flag))
        b.check("is_counted", implies(flag, w.counted))
        there = (self.state == SWEEP) & (b.inner("found", WALK_FIRST_BITS) == number)
        b.check("finds", implies(there, flag))
        lowest = implies((self.state == SWEEP) & flag, b.shown["inner_found"] <= number)
        b.check(
            "finds_the_lowest",
            lowest & implies(self.state == SWEEP, self.place == b.shown["inner_found"]),
        )


def number_read(b: Bench, w: Any, place: Any) -> Any:
    """Return the number of the projection two cycles after its place in the walk is known."""
    return Mux(w.in_columns, w.column_order.r_part[0], b.past(place, READ_LATENCY))


def nearest(value: Value, bits: int) -> Value:
    """Return the nearest signed number of so many bits."""
    top = (1 << bits - 1) - 1
    return Mux(value > top, top, Mux(value < -top - 1, -top - 1, value))


def prepared(b: Bench, w: Any, emits: Emitted, counted: Followed) -> dict[str, Any]:
    """Return the fields of the row that is prepared in this cycle, as `Projection` has them."""
    p = w.params
    late_by, lane_bits = ready(p), exact_log2(p.lanes)
    known = b.past(emits.emit, READ_LATENCY)
    number = number_read(b, w, emits.place)
    b.check(
        "order_address",
        implies(
            emits.emit, w.column_order.r_address == emits.place[: len(w.column_order.r_address)]
        ),
    )
    field: dict[str, Any] = {}
    for name in FIELDS:
        if hasattr(w, name):
            port = getattr(w, name)
            right = port.r_address == number[: len(port.r_address)]
            b.check(f"{name}_address", implies(known, right))
            field[name.removeprefix("projection_")] = b.past(port.r_part[0], late_by - READ)
    late = {
        name: b.past(getattr(emits, name), late_by)
        for name in ("index", "first", "repeats", "empty", "sweeps")
    }
    columns = b.past(w.in_columns, late_by)
    index = late["index"]
    within = b.tell("within", index - (field["source"] << lane_bits))
    group = b.tell("group_within", ((index >> lane_bits) - field["target"])[: p.target_group_width])
    down = b.tell("down", (group * field["sources"]) << lane_bits)
    # A legal table names projections from the source, or to the neuron.
    lanes_at = field["source"] << lane_bits
    to_right = (index >= lanes_at) & (within < field["sources"] << lane_bits)
    below = ((index >> lane_bits) >= field["target"]) & (group < field["targets"])
    has_none = late["empty"] | ((field["kind"] == ProjectionKind.CONSTANT) & ~late["sweeps"])
    blocks = Mux(columns, field["sources"], field["targets"])
    # The count is that of the swept projection, which is followed.
    count, weight = b.past(emits.count, late_by), field["weight"]
    less = Mux(field["itself"], 0, weight)
    added, bits = count * weight, p.i_syn_width + 2
    followed = late["sweeps"] & (b.past(emits.place, late_by) == counted.number)
    row = {
        "index": index,
        "first": late["first"],
        "repeats": late["repeats"],
        "constant": late["sweeps"],
        "group": Mux(columns, field["source"], field["target"]),
        "groups": Mux(has_none, 0, blocks),
        "word": field["base"] + Mux(columns, down, within),
        "stride": Mux(columns, p.lanes, field["sources"] << lane_bits),
        "added": b.tell("specified_added", nearest(added, bits)),
        "added_less": nearest(added - less, bits),
        "has_words": ~late["sweeps"] & ~has_none & Mux(columns, below, to_right),
        "is_followed": followed,
    }
    if p.has_rules:
        row["rule"] = field["rule"]
    if p.has_sparse:
        sparse(b, w, emits, row, (field["kind"] == ProjectionKind.SPARSE) & ~late["empty"])
    if p.n_relays:
        relays(b, w, emits, row)
    return row


def sparse(b: Bench, w: Any, emits: Emitted, row: dict[str, Any], is_sparse: Any) -> None:
    """A sparse row has the first word and the blocks that its element of the tables names."""
    placed = b.past(emits.emit, ready(w.params))
    looked_up = row["has_words"] & is_sparse
    for port in (w.sparse_first, w.sparse_blocks):
        address = b.past(port.r_address, READ_LATENCY)
        here = address == row["word"][: len(port.r_address)]
        b.check(f"{port.r_address.name}_of_row", implies(placed & looked_up, here))
    row["sparse"] = is_sparse
    first, blocks = w.sparse_first.r_part[0], w.sparse_blocks.r_part[0]
    row["word"] = Mux(is_sparse, first, row["word"])
    row["groups"] = Mux(is_sparse, blocks, row["groups"])
    row["stride"] = Mux(is_sparse, 1, row["stride"])
    row["has_words"] = row["has_words"] | is_sparse


def relays(b: Bench, w: Any, emits: Emitted, row: dict[str, Any]) -> None:
    """The relays of a source are set with its first row, and with no column."""
    late_by = ready(w.params)
    for name in ("relay_first", "relay_count"):
        port = getattr(w, name)
        right = b.past(port.r_address, READ_LATENCY) == emits.index
        b.check(f"{name}_of_source", implies(emits.emit & emits.first & ~emits.sweeps, right))
        row[name] = b.past(port.r_part[0], late_by)
    sets = row["first"] & ~b.past(w.in_columns, late_by)
    row["relay_count"] = Mux(sets, row["relay_count"], 0)


def queued(b: Bench, w: Any, emit: Any, row: dict[str, Any]) -> None:
    """Rows wait in the order in which they were prepared, two at most; none is lost or doubled."""
    p, m = w.params, b.m
    in_flight = [b.past(emit, k) for k in range(1, ready(p) + 1)]
    placed = b.tell("placed", in_flight[-1])
    own = b.inner("prepared", row_layout(p))
    followed = row["is_followed"]
    for name in row_layout(p).members:
        value = row[name]
        field = Value.cast(getattr(own, name))
        expected = Signal(len(field), name=f"expected_{name}")
        m.d.comb += expected.eq(value)
        right = field.as_unsigned() == expected
        if name in ("added", "added_less"):
            right = implies(followed, right)
        if name == "word":
            right = implies(row["has_words"], right)
        b.check(f"{name}_as_specified", implies(placed, right))
    waiting = Signal(range(4), name="waiting")
    rows = [Signal(len(w.row.as_value()), name=f"row_{k}") for k in range(2)]
    fresh = own.as_value() if hasattr(own, "as_value") else own
    after = waiting - w.take_stb
    m.d.sync += waiting.eq(after + placed)
    with m.If(w.take_stb):
        m.d.sync += rows[0].eq(rows[1])
    with m.If(placed):
        with m.If(after == 0):
            m.d.sync += rows[0].eq(fresh)
        with m.Else():
            m.d.sync += rows[1].eq(fresh)
    b.tell("waiting", waiting)
    b.check("two_at_most", waiting <= 2)
    b.check("waits", (w.valid == (waiting != 0)) & implies(w.valid, w.row.as_value() == rows[0]))
    second, is_second = b.inner("second", len(rows[0])), b.inner("second_valid", 1)
    b.check("waits_behind", (is_second == (waiting == 2)) & implies(is_second, second == rows[1]))
    begun = sum((Value.cast(each) for each in in_flight), start=waiting)
    b.check("has_room", (b.shown["inner__begun"] == begun) & (begun <= 2))
    b.check("is_over", w.over == ((b.shown["inner_fsm_state"] == REST) & (begun == 0)))


BUGS = [
    Bug("a source has a row too few", "with m.If(left == 1):", "with m.If(left == 2):"),
    Bug("a source without projections has no row", "walk[WALK_FIRST_BITS + 1 :] == 0",
        "walk[WALK_FIRST_BITS:] == 1"),
    Bug("three rows begin", "self._begun != _WAITING", "self._begun != _WAITING + 1"),
    Bug("a row is overtaken", "self.row.eq(Mux(second_valid, second, prepared))",
        "self.row.eq(prepared)"),
    Bug("a column begins at the row of its neuron",
        "Mux(self.in_columns, product << lane_bits, late_row)", "late_row"),
    Bug("a source without projections counts", '& ~self._late["empty"][_READ] & ~sweeps',
        "& ~sweeps"),
    Bug("too few active sources count", "count + (count != most)", "count + (count != 1)"),
    Bug("sweeps begin with the highest", "for k in reversed(range(self.params.n_projections))",
        "for k in range(self.params.n_projections)"),
    Bug("an event on its way is not awaited", "~self.axons_settled & ~self.axons_over",
        "~self.axons_settled & self.axons_over"),
]  # fmt: skip
MORE_BUGS = [
    Bug("relays are set with every row", "Mux(of_source, self.relay_count.r_part[0], 0)",
        "self.relay_count.r_part[0]"),
    Bug("a relay is taken for a neuron", "self.relay + (p.n_axons + p.n_neurons)",
        "self.relay + p.n_axons"),
    Bug("a row has the other rule", '{"rule": fields["rule"]}', '{"rule": fields["rule"] ^ 1}'),
    Bug("a sparse row is as long as a dense one",
        "                    prepared.groups.eq(self.sparse_blocks.r_part[0]),\n", ""),
]  # fmt: skip
TABLE = "tiny,n_projections=2,weight_depth=64,i_syn_width=8"
SIZES = [TABLE, f"{TABLE},n_rules=2,n_relays=64,max_delay=4", f"{TABLE},sparse_rows=4"]

HAS_BUG = [(TABLE, bug) for bug in BUGS]
HAS_BUG += [(SIZES[1], bug) for bug in MORE_BUGS[:3]] + [(SIZES[2], MORE_BUGS[3])]


@pytest.mark.bulk
@pytest.mark.parametrize("size", SIZES)
def test_every_projection_of_every_source_has_its_row(size: str) -> None:
    prove_by_induction(bench(size), cycles(size))


@pytest.mark.parametrize(("size", "bug"), bulk_but(HAS_BUG[:1], HAS_BUG), ids=named)
def test_a_seeded_bug_is_found(size: str, bug: Bug) -> None:
    with pytest.raises(Refuted, match="does not hold in cycle"):
        prove_by_induction(bench(size, bug), cycles(size) + 10)
