"""The controller of a core with a table: a tick takes what its walks take, and the rest by formula.

The walks themselves are proved with `Walker` and `WalkedBlocks`.
"""

from typing import Any

import pytest
from amaranth.hdl import Array, Cat, Const, Mux, Signal, Value
from support.benches import Bench, implies
from support.provers import Refuted, prove_by_induction
from support.rungs import bulk_but
from support.seeded import Bug, named
from support.ticks import states

from spiketwin.hdl.gateware.core.controller import Controller
from spiketwin.hdl.spec import schedule
from spiketwin.hdl.spec.params import preset

CYCLES = 3
"""Cycles after which nothing of before counts."""

TABLE = "tiny,n_projections=2,weight_depth=64"
DELAYS = f"{TABLE},synapse_delay_width=2,n_relays=32,max_delay=4,bias_events=1,probe_ranges=1"
SIZES = [TABLE, f"{TABLE},learning=0", DELAYS]
WAIT = 0
MOST = 63
"""Repeats and bias events that are counted."""

COUNTED = {
    "biases": 6, "walked": 10, "repeats": 6, "drained": 1, "columns": 10, "probed": 10,
    "passed": 13,
}  # fmt: skip
"""What is counted in a tick, with the bits for it: `walked` and `columns` are cycles of walks."""


def bench(size: str, controller: Any = Controller) -> Bench:
    """Rows and columns come at any time and last for any time; ticks begin and stop at any time."""
    b, p = Bench(), preset(size)
    c = b.unit(controller(p))
    for name in ("run_until", "stop", "set_tick_stb", "set_tick", "restart_stb", "due", "room",
                 "muted_due", "clearing", "axon_due", "axons_settled", "neuron_valid",
                 "any_fired", "learns", "bias_due", "probes_due", "probes_over", "row_valid",
                 "rows_over", "row_last", "counted", "relays_active", "row_repeats"):  # fmt: skip
        if hasattr(c, name):
            port = getattr(c, name)
            b.m.d.comb += port.eq(b.free(name, port.shape()))
    b.m.d.comb += c.real_time.eq(b.fixed("real_time"))
    state = b.inner("fsm_state", len(states(p)).bit_length())
    count = b.inner("_count", range(max(p.neuron_groups, p.n_sources) + 32))
    is_in = {name: state == k for name, k in states(p).items()}
    none = dict.fromkeys(("DUE", "ROW_REPEAT", "PROBES"), Const(0))
    is_in = none | is_in
    b.check("state_is_one", state < len(states(p)))
    found = counts(b, c, is_in, count)
    takes_time(b, c, is_in, count, found)
    walks_all(b, c, is_in)
    comes_to_rest(b, c, state, count)
    return b


def counts(b: Bench, c: Any, is_in: dict[str, Any], count: Any) -> dict[str, Any]:
    """Count what is done in a tick."""
    p = c.params
    found = {name: Signal(bits, name=f"{name}_so_far") for name, bits in COUNTED.items()}
    steps = {
        "biases": c.take_bias_stb if p.bias_events else 0,
        "walked": is_in["ROW_WAIT"] | is_in["ROWS"],
        "repeats": is_in["ROW_REPEAT"] & (count == schedule.ROW_REPEAT - 1),
        "drained": is_in["ROW_DRAIN"] & ~found["drained"],
        "columns": is_in["COLUMN_WAIT"] | is_in["COLUMNS"],
        "probed": is_in["PROBES"],
        "passed": ~is_in["WAIT"],
    }
    for name, step in steps.items():
        b.shown[f"{name}_of_tick"] = found[name]
        b.m.d.sync += found[name].eq(Mux(c.start_stb, 0, found[name] + step))
    few = [found[name] < MOST for name in ("repeats", "biases")]
    short = [found[name] < 1000 for name in ("walked", "columns", "probed")]
    b.assume(Cat(*few, *short).all())
    return found


def takes_time(b: Bench, c: Any, is_in: dict[str, Any], count: Any, found: dict[str, Any]) -> None:
    """In each cycle of a tick as many have passed as the formula has for what was done by then."""
    p, m = c.params, b.m
    walks, learns = Signal(name="walks"), Signal(name="learns_now")
    b.shown |= {"walks": walks, "learns_now": learns}
    in_lead = is_in["LEAD"]
    with m.If(c.start_stb | (in_lead & c.walk_stb)):
        m.d.sync += walks.eq(~c.start_stb)
    with m.If(c.start_stb | is_in["COLUMN_LEAD"]):
        m.d.sync += learns.eq(~c.start_stb)
    left = count + 1
    lead = b.tell("led", schedule.lead_cycles(p) + found["biases"] * schedule.BIAS)
    due = Mux(walks, schedule.due_cycles(p, any_row=True), schedule.due_cycles(p, any_row=False))
    begun = b.tell("begun", lead + due)
    delivered = b.tell(
        "delivered", begun + found["walked"] + found["repeats"] * schedule.ROW_REPEAT
    )
    first = is_in["ROW_REPEAT"] & (count == schedule.ROW_REPEAT - 1)
    drain = Mux(found["drained"], schedule.row_drain(p), 0)
    updated = b.tell("updated", delivered + drain + schedule.update_cycles(p))
    learned = b.tell("learned", updated + schedule.COLUMN_LEAD + found["columns"])
    done = b.tell("done", Mux(learns, learned + schedule.COLUMN_DRAIN, updated) + found["probed"])
    times = {
        "LEAD": lead - left,
        "DUE": begun - left,
        "ROW_WAIT": delivered,
        "ROWS": delivered,
        "ROW_REPEAT": delivered + Mux(first, schedule.ROW_REPEAT, 0) - left,
        "ROW_DRAIN": delivered + schedule.row_drain(p) - left,
        "UPDATE": updated - left,
        "COLUMN_LEAD": updated + schedule.COLUMN_LEAD - left,
        "COLUMN_WAIT": learned,
        "COLUMNS": learned,
        "COLUMN_DRAIN": learned + schedule.COLUMN_DRAIN - left,
        "PROBES": done,
        "END": done,
    }
    for name, cycles in times.items():
        b.check(f"{name.lower()}_in_time", implies(is_in[name], found["passed"] == cycles))
    in_order(b, c, is_in, count, (found, walks, learns))
    if p.bias_events:
        leaves = b.past(in_lead) & ~in_lead
        b.check("biases_before_rows", implies(leaves, ~b.past(c.bias_due)))


def in_order(
    b: Bench, c: Any, is_in: dict[str, Any], count: Any, done: tuple[dict[str, Any], Any, Any]
) -> None:
    """What was done in a tick by each of its phases."""
    found, walks, learns = done
    p = c.params
    rows = is_in["ROW_WAIT"] | is_in["ROWS"] | is_in["ROW_REPEAT"]
    columns = is_in["COLUMN_WAIT"] | is_in["COLUMNS"] | is_in["COLUMN_DRAIN"]
    first = is_in["LEAD"] | is_in["DUE"]
    early = first | rows | is_in["ROW_DRAIN"] | is_in["UPDATE"]
    b.check("walks_none_yet", implies(is_in["LEAD"], ~walks))
    if p.has_synapse_delays:
        b.check("knows_that_it_walks", implies(is_in["DUE"], b.inner("walks", 1) == walks))
        b.assume(implies(is_in["DUE"] & ~walks, ~c.row_valid))  # nothing was asked for
    b.check("walks_if_any", implies(rows | is_in["ROW_DRAIN"], walks))
    b.check("nothing_yet", implies(first, (found["walked"] == 0) & (found["repeats"] == 0)))
    b.check("not_yet_drained", implies(first | rows, ~found["drained"]))
    b.check("drains_what_it_walks", implies(is_in["UPDATE"], found["drained"] == walks))
    none = (found["walked"] == 0) & (found["repeats"] == 0)
    b.check("walks_or_nothing", implies(is_in["UPDATE"], walks | none))
    b.check("learns_not_yet", implies(early, ~learns & (found["columns"] == 0)))
    b.check("no_column_yet", implies(is_in["COLUMN_LEAD"], found["columns"] == 0))
    b.check("learns", implies(columns, learns))
    b.check("repeat_in_range", implies(is_in["ROW_REPEAT"], count < schedule.ROW_REPEAT))
    b.check(
        "drain_in_range",
        implies(is_in["ROW_DRAIN"], found["drained"] | (count == schedule.row_drain(p) - 1)),
    )
    before = ~is_in["WAIT"] & ~is_in["PROBES"] & ~is_in["END"]
    b.check("probes_last", implies(before, found["probed"] == 0))
    b.check("end_is_told", c.end_stb == is_in["END"])


def walks_all(b: Bench, c: Any, is_in: dict[str, Any]) -> None:
    """Nothing goes on before all rows, or columns, are taken and what is constant is swept."""
    p = c.params
    streams = is_in["ROWS"] | is_in["COLUMNS"]
    b.check("streams", c.streaming == streams)
    relays = c.relays_active if p.n_relays else Const(0)
    any_row = c.axon_due | c.neuron_valid | relays | (c.real_time & ~c.axons_settled)
    leaves = is_in["LEAD"] & (c.walk_stb | c.skip_stb)
    b.check("walks_or_skips", implies(leaves, c.walk_stb == any_row))
    b.check("leaves_once", ~(c.walk_stb & c.skip_stb))
    last = b.past(leaves | ~is_in["LEAD"])
    b.check("leaves_lead_by_it", implies(~is_in["LEAD"] & ~is_in["WAIT"], last | b.first))
    over = c.rows_over & ~c.row_valid
    b.check("sweeps_behind_rows", implies(c.sweep_stb, over & c.counted))
    for name in ("ROW", "COLUMN"):
        drains = is_in[f"{name}_DRAIN"]
        enters = drains & ~b.past(drains)
        b.check(f"{name.lower()}s_are_over", implies(enters, b.past(over & ~c.counted)))
    waits = is_in["ROW_WAIT"] | is_in["COLUMN_WAIT"] | is_in["DUE"]
    takes = (waits | (streams & c.row_last)) & c.row_valid
    repeats = (c.row_repeats & ~is_in["COLUMNS"] & ~is_in["COLUMN_WAIT"]) if p.learning else 0
    awaited = is_in["ROW_REPEAT"] & c.take_row_stb
    expected = takes & ~repeats
    may = ~is_in["DUE"] | c.take_row_stb
    b.check("takes_a_row", implies(may & ~awaited, c.take_row_stb == expected))


def comes_to_rest(b: Bench, c: Any, state: Any, count: Any) -> None:
    """With nothing to do the cycles that are left become fewer in each, whatever the state was."""
    p, m = c.params, b.m
    last = 1 + (p.probe_ranges > 0)
    end = schedule.COLUMN_DRAIN + last
    columns = schedule.COLUMN_LEAD + 1 + end
    update = schedule.update_cycles(p) + columns
    drain = schedule.row_drain(p) + update
    due = max(schedule.due_cycles(p, any_row=any_row) for any_row in (False, True))
    left = count + 1
    most: dict[str, Value] = {
        "WAIT": Const(0),
        "LEAD": left + due + 1 + drain,
        "DUE": left + 1 + drain,
        "ROW_WAIT": Const(1 + drain),
        "ROWS": Const(1 + drain),
        "ROW_REPEAT": left + 1 + drain,
        "ROW_DRAIN": left + update,
        "UPDATE": left + columns,
        "COLUMN_LEAD": left + 1 + end,
        "COLUMN_WAIT": Const(1 + end),
        "COLUMNS": Const(1 + end),
        "COLUMN_DRAIN": left + last,
        "PROBES": Const(2),
        "END": Const(1),
    }
    bound = (1 << len(count)) + due + 1 + drain
    rest = Signal(11, name="rest")
    m.d.comb += rest.eq(Array(most[name] for name in states(p))[state])
    b.shown["rest"] = rest
    calm = Signal(range(bound + 1), name="calm")
    asked = c.axon_due | c.neuron_valid | ~c.axons_settled | c.start_stb | c.row_valid
    asked |= ~c.rows_over | ~c.row_last | c.counted
    if p.n_relays:
        asked |= c.relays_active
    if p.bias_events:
        asked |= c.bias_due
    if p.probe_ranges:
        asked |= state == states(p)["PROBES"]
    m.d.sync += calm.eq(Mux(asked, 0, Mux(calm == bound, calm, calm + 1)))
    b.shown["calm"] = calm
    b.check("comes_nearer", rest + calm <= Mux(rest == 0, 2 * bound, bound))
    b.check("rests_in_the_end", implies(calm == bound, state == WAIT))


BUGS = [
    Bug("rows are not drained", 'self._enter(m, f"{name}_DRAIN", drain)', """m.next = "UPDATE"
            m.d.sync += self._count.eq(schedule.update_cycles(self.params) - 1)"""),
    Bug("it does not wait for the last row", "with m.Elif(self.rows_over):", "with m.Elif(1):"),
    Bug("what is constant is left out", "with m.If(self.counted):", "with m.If(0):"),
    Bug("a row that repeats does not wait", "with m.If(self.row_repeats):", "with m.If(0):"),
    Bug("a tick waits for settled events", "awaited = self.real_time & ~self.axons_settled",
        "awaited = self.real_time"),
    Bug("a row streams for ever", "with m.If(self.row_last):", "with m.If(0):"),
]  # fmt: skip
BUGS_OF_DELAYS = [
    Bug("currents that are due take a cycle less", "schedule.due_cycles(p, any_row=True))",
        "schedule.due_cycles(p, any_row=True) - 1)"),
    Bug("without a row there is no time for what is due", "with m.If(~walks):", "with m.If(0):"),
]  # fmt: skip
HAS_BUG = [*((TABLE, bug) for bug in BUGS), *((DELAYS, bug) for bug in BUGS_OF_DELAYS)]


@pytest.mark.parametrize("size", bulk_but(SIZES[:1], SIZES))
def test_a_tick_takes_its_walks_and_the_formula(size: str) -> None:
    prove_by_induction(bench(size), CYCLES)


@pytest.mark.bulk
@pytest.mark.parametrize(("size", "bug"), HAS_BUG, ids=named)
def test_a_seeded_bug_is_found(size: str, bug: Bug) -> None:
    with pytest.raises(Refuted, match="does not hold in cycle"):
        prove_by_induction(bench(size, bug.seeded(Controller)), 40)
