"""Every tick takes the cycles of the formula, and from every state the controller comes to rest."""

from typing import Any

import pytest
from amaranth.hdl import Array, Cat, Const, Mux, Signal, Value
from support.benches import Bench, implies
from support.provers import Refuted, prove_by_induction
from support.rungs import bulk_but
from support.seeded import Bug, named
from support.ticks import Ticks, states

from spiketwin.hdl.gateware.core.controller import Controller
from spiketwin.hdl.spec import schedule
from spiketwin.hdl.spec.params import preset

CYCLES = 3
WAIT = 0
MOST_ROWS = 63
"""Rows, repeats, columns and bias events that are counted."""


COUNTED = {
    "rows": 6, "repeats": 6, "columns": 6, "waited": 10, "drained": 1, "biases": 6, "probed": 10,
    "passed": 12,
}  # fmt: skip
"""What is counted in a tick, with the bits for it."""


def bench(size: str, controller: Any = Controller) -> Bench:
    """Sources and neurons come in any number; ticks begin and stop at any time."""
    b, p = Bench(), preset(size)
    ticks = b.unit(Ticks(controller, p))
    c = ticks.controller
    for name in ("run_until", "stop", "set_tick_stb", "set_tick", "restart_stb", "due", "room",
                 "muted_due", "clearing", "axon_due", "axons_settled", "neuron_valid",
                 "any_fired", "learns", "axon_repeats", "bias_due", "probes_due",
                 "probes_over"):  # fmt: skip
        if not hasattr(c, name):
            continue
        port = getattr(c, name)
        b.m.d.comb += port.eq(b.free(name, port.shape()))
    b.m.d.comb += c.real_time.eq(b.fixed("real_time"))
    state = b.inner("controller.fsm_state", 4)
    count = b.inner("controller._count", range(max(p.neuron_groups, p.n_sources) + 32))
    group = b.inner("blocks.group", len(ticks.blocks.group))
    b.check("state_is_one", state < len(states(p)))
    b.tell("start_stb", c.start_stb)
    b.check("rests_only_between_ticks", (state == WAIT) | ~c.start_stb)
    takes_time(b, c, state, count, group)
    comes_to_rest(b, c, state, count, group)
    return b


def takes_time(b: Bench, c: Any, state: Any, count: Any, group: Any) -> None:
    """In each cycle of a tick as many have passed as the formula has for what was done by then."""
    m, p = b.m, c.params
    is_in = {name: state == k for name, k in states(p).items()}
    reports = is_in.get("PROBES", Const(0))
    counts(b, c, is_in, count)
    rows, repeats, columns, waited, drained, biases, probed, passed = (
        b.shown[f"{name}_of_tick"] for name in COUNTED
    )
    # `done` are the cycles of what is over, without the phase that is under way.
    lead = b.tell("led", schedule.lead_cycles(p) + biases * schedule.BIAS)
    delivered = b.tell(
        "delivered",
        lead + rows * p.row_groups + repeats * schedule.ROW_REPEAT + waited,
    )
    drain = Mux(drained, schedule.row_drain(p), 0)
    updated = b.tell("updated", delivered + drain + schedule.update_cycles(p))
    learned = b.tell("learned", updated + schedule.COLUMN_LEAD + columns * p.column_groups)
    left = count + 1
    first = is_in["ROW_REPEAT"] & (count == schedule.ROW_REPEAT - 1)
    begun = {
        "LEAD": lead - left,
        "ROWS": delivered - p.row_groups + group,
        "ROW_WAIT": delivered,
        "ROW_REPEAT": delivered + Mux(first, schedule.ROW_REPEAT, 0) - left,
        "ROW_DRAIN": delivered + schedule.row_drain(p) - left,
        "UPDATE": updated - left,
        "COLUMN_LEAD": updated + schedule.COLUMN_LEAD - left,
        "COLUMNS": learned - p.column_groups + group,
        "COLUMN_DRAIN": learned + schedule.COLUMN_DRAIN - left,
    }
    for name, cycles in begun.items():
        b.check(f"{name.lower()}_in_time", implies(is_in[name], passed == cycles))
    learns = Signal(name="learns_now")
    with m.If(is_in["COLUMN_LEAD"] | c.start_stb):
        m.d.sync += learns.eq(~c.start_stb)
    done = Mux(learns, learned + schedule.COLUMN_DRAIN, updated) + probed
    total = done + schedule.END
    b.check("ends_in_time", implies(is_in["END"], passed == total - schedule.END))
    if p.bias_events:
        leaves = b.past(is_in["LEAD"]) & ~is_in["LEAD"]
        b.check("biases_before_rows", implies(leaves, ~b.past(c.bias_due)))
    if p.probe_ranges:
        reports_probes(b, c, is_in)
    b.check("probes_in_time", implies(reports, passed == done))
    b.check("probes_last", implies(~reports & ~is_in["END"] & ~is_in["WAIT"], probed == 0))
    b.check("end_is_told", c.end_stb == is_in["END"])
    in_order(b, c, is_in, (learns, count, group))


def reports_probes(b: Bench, c: Any, is_in: dict[str, Any]) -> None:
    """A tick that is to report its probes does so behind all else, until they are out."""
    reports, ends = is_in["PROBES"], is_in["END"]
    was, over = b.past(reports), b.past(c.probes_over)
    b.check("ends_report", implies(was & over, ends))
    b.check("reports_until_over", implies(was & ~over, reports))
    behind = b.past(is_in["UPDATE"] | is_in["COLUMN_DRAIN"]) & (reports | ends)
    b.check("reports_if_due", implies(behind, reports == b.past(c.probes_due)))
    b.check("report_is_told", b.past(c.probe_stb) == (reports & ~was))


def counts(b: Bench, c: Any, is_in: dict[str, Any], count: Any) -> None:
    """Count what is done in a tick."""
    p = c.params
    takes = b.tell("takes", c.take_axon_stb | c.take_neuron_stb)
    learning = is_in["COLUMN_LEAD"] | is_in["COLUMNS"]
    found = {name: Signal(bits, name=f"{name}_so_far") for name, bits in COUNTED.items()}
    steps = {
        "rows": takes & ~learning,
        "columns": takes & learning,
        "repeats": is_in["ROW_REPEAT"] & (count == schedule.ROW_REPEAT - 1),
        "waited": is_in["ROW_WAIT"],
        "biases": c.take_bias_stb if p.bias_events else 0,
        "probed": is_in.get("PROBES", 0),
        "drained": is_in["ROW_DRAIN"] & ~found["drained"],
        "passed": ~is_in["WAIT"],
    }
    for name, step in steps.items():
        b.shown[f"{name}_of_tick"] = counted = found[name]
        b.m.d.sync += counted.eq(Mux(c.start_stb, 0, counted + step))
    few = [found[name] < MOST_ROWS for name in ("rows", "repeats", "columns", "biases")]
    b.assume(Cat(*few).all() & (found["waited"] < 1000) & (found["probed"] < 1000))
    b.assume(implies(c.axon_repeats, found["rows"] > 0))  # an axon before it was of this tick


def in_order(b: Bench, c: Any, is_in: dict[str, Any], now: tuple[Any, Any, Any]) -> None:
    """What was done in a tick by each of its phases."""
    learns, count, group = now
    rows, repeats, columns, waited, drained, *_ = (b.shown[f"{name}_of_tick"] for name in COUNTED)
    p = c.params
    work = (rows > 0) | (waited > 0)
    b.check("rows_in_range", implies(is_in["ROWS"], (group < p.row_groups) & (rows > 0)))
    b.check("drains_rows", implies(is_in["UPDATE"], drained == work))
    early = is_in["LEAD"]
    nothing = ~drained & ~learns & (rows == 0) & (repeats == 0) & (columns == 0) & (waited == 0)
    b.check("had_rows", implies(is_in["ROW_DRAIN"], work))
    b.check("repeats_rows", implies(is_in["ROW_REPEAT"], rows > 0))
    b.check("waits_in_real_time_alone", implies(~c.real_time, (waited == 0) & ~is_in["ROW_WAIT"]))
    b.check("begins_anew", implies(early, nothing))
    before = early | is_in["ROWS"] | is_in["ROW_WAIT"] | is_in["ROW_REPEAT"]
    b.check("not_yet_drained", implies(before, ~drained))
    b.check(
        "not_yet_learned",
        implies(before | is_in["ROW_DRAIN"] | is_in["UPDATE"], ~learns & (columns == 0)),
    )
    b.check("learns", implies(is_in["COLUMNS"] | is_in["COLUMN_DRAIN"], learns))
    b.check("no_column_yet", implies(is_in["COLUMN_LEAD"], columns == 0))
    b.check("columns_in_range", implies(is_in["COLUMNS"], columns > 0))
    b.check("repeat_in_range", implies(is_in["ROW_REPEAT"], count < schedule.ROW_REPEAT))
    b.check(
        "drain_in_range",
        implies(is_in["ROW_DRAIN"], drained | (count == schedule.row_drain(p) - 1)),
    )


def comes_to_rest(b: Bench, c: Any, state: Any, count: Any, group: Any) -> None:
    """With nothing to do the cycles that are left become fewer in each, whatever the state was."""
    p, m = c.params, b.m
    last = 1 + (p.probe_ranges > 0)
    end = schedule.COLUMN_DRAIN + last
    update = schedule.update_cycles(p) + schedule.COLUMN_LEAD + end
    drain = schedule.row_drain(p) + update
    left = count + 1
    to_end_of_row = (Const(p.row_groups - 1, len(group)) - group)[: len(group)] + 1
    most = {
        "WAIT": Const(0),
        "LEAD": left + update,
        "ROWS": to_end_of_row + drain,
        "ROW_WAIT": Const(1 + drain),
        "UPDATE": left + schedule.COLUMN_LEAD + end,
        "ROW_REPEAT": left + p.row_groups + drain,
        "ROW_DRAIN": left + update,
        "COLUMN_LEAD": left + end,
        "PROBES": Const(2),
        "END": Const(1),
        "COLUMNS": p.column_groups - group + end,
        "COLUMN_DRAIN": left + last,
    }
    bound = (1 << len(count)) + p.row_groups + drain
    rest = Signal(10, name="rest")
    m.d.comb += rest.eq(Array(most[name] for name in states(p))[state])
    b.shown["rest"] = rest
    calm = Signal(range(bound + 1), name="calm")
    asked = (c.bias_due if p.bias_events else 0) | (
        state == states(p)["PROBES"] if p.probe_ranges else 0
    )
    none = ~Value.cast(asked) & ~c.axon_due & ~c.neuron_valid & c.axons_settled & ~c.start_stb
    m.d.sync += calm.eq(Mux(none, Mux(calm == bound, calm, calm + 1), 0))
    b.shown["calm"] = calm
    b.check("comes_nearer", rest + calm <= Mux(rest == 0, 2 * bound, bound))
    b.check("rests_in_the_end", implies(calm == bound, state == WAIT))


BUGS = [
    Bug("an event that repeats waits a cycle less", """take_axon_stb.eq(0)
        self._enter(m, "ROW_REPEAT", schedule.ROW_REPEAT""", """take_axon_stb.eq(0)
        self._enter(m, "ROW_REPEAT", schedule.ROW_REPEAT - 1"""),
    Bug("there is no time for rows to end", """if after_rows:
                self._enter(m, "ROW_DRAIN",""", """if False:
                self._enter(m, "ROW_DRAIN","""),
    Bug("a free-running core waits for events", "with m.Elif(self.real_time & ~self.axons_settled)",
        "with m.Elif(~self.axons_settled)"),
    Bug("an update is a cycle short", "cycles = schedule.update_cycles(self.params)",
        "cycles = schedule.update_cycles(self.params) - 1"),
    Bug("columns begin a cycle early", '"COLUMN_LEAD", schedule.COLUMN_LEAD, self.in_columns',
        '"COLUMN_LEAD", schedule.COLUMN_LEAD - 1, self.in_columns'),
    Bug("a row goes on for ever", "with m.If(self.last_of_row):", "with m.If(0):"),
]  # fmt: skip


MORE_BUGS = [
    Bug("a bias event takes a cycle less", 'self._enter(m, "LEAD", schedule.BIAS)',
        'self._enter(m, "LEAD", schedule.BIAS - 1)'),
    Bug("a free-running core leaves bias events", "with m.If(self.bias_due):",
        "with m.If(self.bias_due & self.real_time):"),
    Bug("a tick ends before its probes are out", 'with m.State("PROBES"), m.If(self.probes_over):',
        'with m.State("PROBES"):'),
    Bug("a tick that reports goes on without", "with m.If(self.probes_due):",
        "with m.If(self.probes_due & self.real_time):"),
]  # fmt: skip
SIZES = ["tiny", "tiny,bias_events=1,probe_ranges=2"]

HAS_BUG = [*((SIZES[0], bug) for bug in BUGS), *((SIZES[1], bug) for bug in MORE_BUGS)]


@pytest.mark.parametrize("size", bulk_but(["tiny"], SIZES))
def test_a_tick_takes_the_cycles_of_the_formula(size: str) -> None:
    prove_by_induction(bench(size), CYCLES)


@pytest.mark.parametrize(("size", "bug"), bulk_but(HAS_BUG[:1], HAS_BUG), ids=named)
def test_a_seeded_bug_is_found(size: str, bug: Bug) -> None:
    with pytest.raises(Refuted, match="does not hold in cycle"):
        prove_by_induction(bench(size, bug.seeded(Controller)), 40)
