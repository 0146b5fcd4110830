"""The lane pipeline with rules, windows, drift, two receptors and delays does as specified.

What the tables of rules and windows hold may be anything, and what is read of them is checked.
"""

from typing import Any

import pytest
from amaranth.hdl import Cat, Elaboratable, Fragment, Module, Mux, Signal, signed
from amaranth.lib.memory import ReadPort, WritePort
from support.benches import Bench, implies
from support.provers import Refuted, prove_by_induction
from support.seeded import Bug, named, replaced
from support.stand_ins import Rules

from spiketwin.hdl.gateware.core import weights
from spiketwin.hdl.gateware.core.active_neurons import FLAGS_LATENCY
from spiketwin.hdl.gateware.core.currents import Currents, current_stages
from spiketwin.hdl.gateware.core.noise import Noise
from spiketwin.hdl.gateware.core.state_memory import READ_LATENCY
from spiketwin.hdl.gateware.core.synapses import WEIGHT_WRITE_STAGE, Synapses
from spiketwin.hdl.spec import arithmetic as a
from spiketwin.hdl.spec import schedule
from spiketwin.hdl.spec.params import WINDOW_BYTE, preset

IN_LANES = weights.READ_LATENCY
"""Cycles from a block until its words are in their lanes."""

ISSUED = WEIGHT_WRITE_STAGE - weights.WRITE_LATENCY
"""Cycles from a block until its words leave for the memory of weights."""

ADDED = 8
"""Cycles from a block until its currents are written."""

CYCLES = ADDED + 1
"""Cycles after which nothing of before is left in the pipeline, nor in what the bench remembers."""


STAGES = {
    "stochastic": 3, "pre_gain": 2, "post_gain": 2, "gain_shift": 4, "pre_offset": 4,
    "post_offset": 4, "w_min": 5, "w_max": 5, "current_after": 7, "window": 2,
}  # fmt: skip
"""Cycles from a block until the pipeline has what its rule holds in a column."""

WINDOW_STAGES = STAGES | {"w_min": 2, "w_max": 2}
"""The same with windows, where bounds drift before the words come."""


class AnyWindow(Elaboratable):
    """Stands in for a table of windows, of which any value is read."""

    def __init__(self, value: Any, *, shape: Any, depth: int) -> None:
        width = (depth - 1).bit_length()
        self.read: Any = ReadPort.Signature(addr_width=width, shape=shape).create()
        self.write: Any = WritePort.Signature(addr_width=width, shape=shape).create()
        self._value = value

    def read_port(self) -> Any:
        return self.read

    def write_port(self) -> Any:
        return self.write

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.d.comb += self.read.data.eq(self._value)
        return m


class Lanes:
    """The bench of a pipeline, and what its lanes have in common.

    Attributes
    ----------
    windows:
        The tables of windows, byte by byte for each lane.
    rule, column, row:
        The rule of the block whose words are in their lanes; whether blocks are those of columns;
        whether a block in the stage in which currents are written is one of a row.
    """

    def __init__(self, size: str, bug: Bug | None) -> None:
        self.b, self.p = b, p = Bench(), preset(size)
        self.rules, self.windows = Rules(b, p), list[AnyWindow]()

        def memory(*, shape: Any, depth: int, **_options: Any) -> AnyWindow:
            value = b.free(f"entry_{len(self.windows)}", shape)
            self.windows.append(AnyWindow(value, shape=shape, depth=depth))
            return self.windows[-1]

        unit: Any = Synapses
        names: dict[str, Any] = {"Table": self.rules.table(), "Memory": memory}
        made = replaced(unit, **names) if bug is None else bug.seeded(unit, **names)
        self.unit = u = made(p)
        # What stands in for its parts is there once the unit is elaborated.
        fragment: Any = Fragment
        b.m.submodules.unit = fragment.get(u, None)
        self.column, self.issue = b.free("column"), b.free("issue")
        self.learn = b.free("learn_en")
        rule = b.free("rule", p.rule_width)
        b.m.d.comb += [
            u.block.column.eq(self.column), u.issue.eq(self.issue), u.rule.eq(rule),
            u.learn_en.eq(self.learn),
        ]  # fmt: skip
        age = b.age(ADDED)
        b.check("age", age <= ADDED)
        self.filled = b.tell("filled", age == ADDED)
        # No block is in the pipeline when rows turn into columns.
        in_flight = Cat(*(b.past(self.issue, k) for k in range(1, ADDED + 1))).any()
        b.assume(implies(in_flight, self.column == b.past(self.column)))
        self.rule = b.past(rule, IN_LANES)
        self.row = b.past(self.issue & ~self.column, ADDED)
        for name, held in self.rules.held.items():
            stage = (WINDOW_STAGES if p.window_bits else STAGES)[name]
            wanted = b.tell(f"{name}_of_rule", self.rules.at(name, b.past(rule, stage)))
            b.check(f"{name}_in_stage", implies(self.filled, held == wanted))

    def of_rule(self, name: str) -> Any:
        """Return what the rule of the block has whose words are in their lanes.

        Where the pipeline itself has it in that stage, which is checked, it is that very signal, as
        equal terms of equal signals are easy for provers.
        """
        is_there = STAGES[name] == IN_LANES and name in self.rules.held
        return self.rules.held[name] if is_there else self.rules.at(name, self.rule)


def bench(size: str, bug: Bug | None = None) -> Bench:
    """Blocks in any order, each of any rule, with any words, traces, pasts, drift and currents."""
    s = Lanes(size, bug)
    b, p, u = s.b, s.p, s.unit
    for name in ("index", "word"):
        value = b.free(f"block_{name}", getattr(u.block, name).shape())
        b.m.d.comb += getattr(u.block, name).eq(value)
        late = getattr(u.write, name)
        b.check(f"{name}_of_the_block", implies(s.filled, late == b.past(value, ISSUED)))
    b.check("learns_in_time", u.w_en == b.past(s.issue & s.learn, ISSUED))
    noise = same_noise(s)
    drift = b.free("drift", signed(p.weight_width)) if p.window_bits else None
    if drift is not None:
        b.m.d.comb += u.drift.eq(drift)
        for name in ("element", "value", "write_stb"):
            port = getattr(u.windows, name)
            b.m.d.comb += port.eq(b.free(f"window_{name}", port.shape()))
    bounds = bounds_of(s, None if drift is None else b.past(drift, IN_LANES - READ_LATENCY))
    common = currents(s)
    for lane in range(p.lanes):
        word = b.free(f"word_{lane}", weights.synapse_layout(p))
        b.m.d.comb += u.words[lane].eq(word)
        step = step_of(s, lane)
        change = b.tell(f"change_{lane}", (step + noise[lane]) >> a.STEP_BITS)
        acts = learned(s, lane, word, change, bounds)
        added(s, lane, b.past(acts, ADDED - 1 - IN_LANES), word, common)
    return b


def same_noise(s: Lanes) -> Any:
    """The bits of a unit of noise that is given the same, in the stage in which they are used."""
    b, u = s.b, s.unit
    noise: Any = Noise(s.p)
    b.m.submodules.same_noise = noise
    key = [b.free(f"key_{k}", 16) for k in range(2)]
    group = b.free("group", u.group.shape())
    index = b.free("spiked", u.index.shape())
    b.m.d.comb += [
        Cat(*u.key).eq(Cat(*key)), u.group.eq(group), u.index.eq(index),
        noise.stochastic.eq(s.rules.held["stochastic"]),
        Cat(*noise.key).eq(Cat(*key)), noise.spiked.eq(index), noise.group.eq(group),
    ]  # fmt: skip
    return noise.bits


def bounds_of(s: Lanes, drift: Any) -> tuple[Any, Any, Any]:
    """Return `arithmetic.drifted_bounds` of what a weight may be stored as, and the drift."""
    b, top = s.b, (1 << s.p.weight_width - 1) - 1
    low, high = s.of_rule("w_min"), s.of_rule("w_max")
    low = b.tell("low", Mux(low > high, high, low))
    if drift is None:
        return low, high, 0
    drifted = []
    for name, bound in (("low_stored", low), ("high_stored", high)):
        moved = b.tell(f"{name}_moved", bound - drift)
        drifted.append(b.tell(name, Mux(moved > top, top, Mux(moved < -top - 1, -top - 1, moved))))
    return drifted[0], drifted[1], drift


def step_of(s: Lanes, lane: int) -> Any:
    """Return `arithmetic.weight_step`, or `window_step`, of the block whose words are there."""
    b, m, p, u = s.b, s.b.m, s.p, s.unit
    trace = b.free(f"trace_{lane}", p.trace_width)
    m.d.comb += u.trace[lane].eq(trace)
    # The same product is to be formed, of registers that begin in the same way.
    gain = Signal(signed(a.GAIN_WIDTH), name=f"gain_{lane}", init=lane, reset_less=True)
    arrived = Signal(p.trace_width, name=f"arrived_{lane}", reset_less=True)
    shape = signed(a.GAIN_WIDTH + p.trace_width)
    product = Signal(shape, name=f"product_{lane}", reset_less=True)
    held = s.rules.held
    m.d.sync += [
        gain.eq(Mux(s.column, held["post_gain"], held["pre_gain"])), arrived.eq(trace),
        product.eq(arrived * gain),
    ]  # fmt: skip
    shift, cut_off = s.of_rule("gain_shift"), p.trace_width + a.GAIN_BITS - a.STEP_BITS
    by_trace = b.tell(f"by_trace_{lane}", (product << shift) >> cut_off)
    column = b.past(s.column, IN_LANES)
    offset = Mux(column, s.of_rule("post_offset"), s.of_rule("pre_offset"))
    if not p.window_bits:
        return b.tell(f"step_{lane}", by_trace + offset)
    entries = entries_of(s, lane)
    by_window = b.tell(f"by_window_{lane}", entries << shift)
    has_window = column & (s.of_rule("window") != 0)
    return b.tell(f"step_{lane}", Mux(has_window, by_window, by_trace) + offset)


def entries_of(s: Lanes, lane: int) -> Any:
    """Return the sum of what the tables of a lane have for the past of its source.

    The table of a window is looked up by the byte of the past, and written like that as well.
    """
    b, p, u = s.b, s.p, s.unit
    history = b.free(f"history_{lane}", p.history_width)
    b.m.d.comb += u.history[lane].eq(history)
    count = p.window_bits // WINDOW_BYTE
    found = []
    for byte in range(count):
        table = s.windows[lane * count + byte]
        window = s.rules.held["window"] - 1
        past = history.word_select(byte, WINDOW_BYTE)
        there = Cat(past, window[: p.rule_width])
        b.check(f"looks_up_{lane}_{byte}", table.read.addr == there)
        found.append(table.read.data)
        check_writes(s, f"{lane}_{byte}", table, byte)
    return b.past(sum(found), 1)


def check_writes(s: Lanes, name: str, table: AnyWindow, byte: int) -> None:
    """The table of a byte is written with the elements of that byte, each at its place."""
    b, writes = s.b, s.unit.windows
    number, place = divided(writes.element, s.p.window_entries)
    of_byte, past = divided(place, 1 << WINDOW_BYTE)
    right = (table.write.addr == Cat(past, number)) & (table.write.data == writes.value)
    b.check(f"writes_window_{name}", implies(table.write.en, right))
    b.check(f"writes_in_{name}", table.write.en == writes.write_stb & (of_byte == byte))


def divided(number: Any, by: int) -> tuple[Any, Any]:
    """Return quotient and remainder of a division by a power of two."""
    bits = by.bit_length() - 1
    return number[bits:], number[:bits]


def learned(s: Lanes, lane: int, word: Any, change: Any, bounds: Any) -> Any:
    """A weight is held to bounds that have drifted, changed, and held to them again.

    Returns the weight that acts, by the rule that before or that after the change, with the drift.
    """
    b, u, (low, high, drift) = s.b, s.unit, bounds

    def within(name: str, value: Any) -> Any:
        raised = b.tell(f"{name}_raised_{lane}", Mux(value < low, low, value))
        return b.tell(f"{name}_{lane}", Mux(raised > high, high, raised))

    drifts = word.plastic & (drift != 0)
    before = b.tell(f"before_{lane}", Mux(drifts, within("held", word.weight), word.weight))
    moved = b.tell(f"moved_{lane}", before + change)
    after = b.tell(f"after_{lane}", Mux(word.plastic, within("stepped", moved), before))
    found = u.w_words[lane]
    b.tell(f"written_{lane}", found.weight)
    late = ISSUED - IN_LANES
    same = Cat(
        getattr(found, name) == b.past(getattr(word, name), late)
        for name in weights.synapse_layout(s.p).members
        if name != "weight"
    ).all()
    right = same & (found.weight == b.past(after, late))
    b.check(f"learns_{lane}", implies(s.filled & u.w_en, right))
    takes = b.past(s.issue & s.learn, IN_LANES) & s.of_rule("current_after")
    acts = Mux(takes, after, before) + Mux(word.plastic, drift, 0)
    return b.tell(f"acts_{lane}", acts)


def currents(s: Lanes) -> dict[str, Any]:
    """Return what is known of the block that adds now, which all lanes have in common.

    Where currents are read and written is checked.
    """
    b, p, u, m = s.b, s.p, s.unit, s.b.m
    read, write = current_stages(p)
    assert write == ADDED
    group, adding = u.group[: len(u.i_read)], ADDED - 1
    b.check("reads_its_currents", u.i_read == b.past(group, read))
    b.check("writes_its_currents", u.i_write == b.past(group, write))
    taken, constant = b.free("taken_stb"), b.free("constant")
    m.d.comb += [u.taken_stb.eq(taken), u.constant.eq(constant)]
    # A row is taken when none is under way, or in the last cycle of one.
    before = Cat(*(b.past(taken, k) for k in range(1, schedule.LEAST_WALKED))).any()
    b.assume(~(taken & before))
    common = {"constant": b.past(constant, adding), "group": b.past(group, adding)}
    for name, own in (("added", "$like"), ("added_less", "less")):
        value = b.free(name, getattr(u, name).shape())
        b.assume(implies(~b.past(taken), value == b.past(value)))
        m.d.comb += getattr(u, name).eq(value)
        held = b.inner(own, value.shape())
        quiet = ~Cat(*(b.past(taken, k) for k in range(adding))).any()
        b.check(f"{name}_stays", implies(quiet, held == value))
        common[name] = b.past(value, adding)
    common["inhibits"], common["due"] = b.fixed("i_inh_en"), b.free("due")
    if p.has_two_receptors:
        m.d.comb += u.i_inh_en.eq(common["inhibits"])
    if p.has_synapse_delays:
        common["tick"] = b.fixed("tick", p.synapse_delay_width)
        m.d.comb += [u.due.eq(common["due"]), u.tick.eq(common["tick"])]
    if p.has_two_rings:
        inhibitory = b.free("due_inhibitory")
        m.d.comb += u.due_inhibitory.eq(inhibitory)
        common["due_inhibitory"] = b.past(inhibitory, adding)
    common["due"] = b.past(common["due"], adding) if p.has_synapse_delays else 0
    return common


def added(s: Lanes, lane: int, acts: Any, word: Any, common: dict[str, Any]) -> None:
    """A lane adds to its current, to that on its way, or what is due, and it saturates."""
    b, p, u, adding = s.b, s.p, s.unit, ADDED - 1
    width = p.i_syn_width
    own = {}
    for name in ("i_data", "i_inh_data", "i_ring_data", "i_inh_ring_data"):
        own[name] = b.free(f"{name}_{lane}", signed(width))
        if hasattr(u, name):
            b.m.d.comb += getattr(u, name)[lane].eq(own[name])
    active = b.free(f"active_{lane}")
    b.m.d.comb += u.active[lane].eq(active)
    is_active = b.past(active, adding - FLAGS_LATENCY)
    constant = Mux(is_active, common["added_less"], common["added"])
    weight = b.tell(f"adds_weight_{lane}", Mux(common["constant"], constant, acts))
    inhibits: Any = (weight < 0) & common["inhibits"] & p.has_two_receptors
    if p.has_two_rings:
        inhibits = Mux(common["due"], common["due_inhibitory"], inhibits)
    is_late: Any = 0
    ring = Mux(inhibits, own["i_inh_ring_data"], own["i_ring_data"])
    if p.has_synapse_delays:
        others = common["constant"] | common["due"]
        delay = Mux(others, 0, b.past(word.synapse_delay, adding - IN_LANES))
        is_late = b.tell(f"is_late_{lane}", delay != 0)
        check_ring(s, lane, b.tell(f"delay_{lane}", delay), common)
    current = Mux(inhibits, own["i_inh_data"], own["i_data"])
    current = b.tell(f"current_{lane}", Mux(is_late, ring, current))
    total = b.tell(f"total_{lane}", current + Mux(common["due"], ring, weight))
    top = (1 << width - 1) - 1
    result = b.tell(
        f"saturated_{lane}", Mux(total > top, top, Mux(total < -top - 1, -top - 1, total))
    )
    b.check(f"adds_{lane}", u.i_w_data[lane] == Mux(s.row, b.past(result), 0))
    late, second = b.past(is_late), b.past(inhibits)
    split = p.has_two_receptors or p.has_synapse_delays
    writes = u.i_w_en[lane] if split else u.i_w_en
    b.check(f"writes_{lane}", writes == s.row & ~late & ~second)
    if p.has_two_receptors:
        b.check(f"inhibits_{lane}", u.i_inh_w_en[lane] == s.row & ~late & second)
    if p.has_synapse_delays:
        due = b.past(common["due"])
        to_ring = s.row & (late | due)
        b.check(f"ring_{lane}", u.ring_w_en[lane] == to_ring & ~second)
        expected = Mux(to_ring & ~due, b.past(result), 0)
        b.check(f"ring_holds_{lane}", u.ring_w_data[lane] == expected)
        if p.has_two_rings:
            b.check(f"inh_ring_{lane}", u.inh_ring_w_en[lane] == to_ring & second)


def check_ring(s: Lanes, lane: int, delay: Any, common: dict[str, Any]) -> None:
    """The place in the ring is that of the tick of a delay, for the group of the lane."""
    b, u = s.b, s.unit
    read, write = current_stages(s.p)
    slot = (common["tick"] + delay)[: s.p.synapse_delay_width]
    place = b.tell(f"place_{lane}", Cat(slot, common["group"]))
    written = u.ring_write[lane] == b.past(place, write - (ADDED - 1))
    ahead = ADDED - 1 - read
    b.check(f"ring_write_{lane}", implies(s.filled, written))
    b.check(
        f"ring_read_{lane}",
        implies(s.filled, b.past(u.ring_read[lane], ahead) == place),
    )


NARROW = "tiny,n_projections=2,weight_depth=64,n_rules=2,weight_width=4,trace_width=8,i_syn_width=8"
WINDOWS = f"{NARROW},window_bits=16"
RECEPTORS = f"{NARROW},receptors=2,synapse_delay_width=2"
SIZES = ["tiny,n_projections=2,weight_depth=64,n_rules=2", WINDOWS, RECEPTORS]

BUGS = {
    NARROW: [
        Bug("a lower bound above the upper one wins", "Mux(low > high, high, low)", "low"),
        Bug("the offset is that of the next block", 'at(4, "pre_offset")', 'at(3, "pre_offset")'),
        Bug("a gain is not shifted", "shifted << rule.gain_shift", "shifted"),
        Bug("the weight from before acts", "learning[last] & rule.current_after", "Const(0)"),
        Bug("an active neuron adds to itself", "Mux(active[lane], less, every)", "every", Currents),
    ],
    WINDOWS: [
        Bug("bounds do not drift", "saturated(acting - late[1],", "saturated(acting,"),
        Bug("rows learn by windows", "Delay(m, \"window_en\", window != 0, 2)[2] & column",
            "Delay(m, \"window_en\", window != 0, 2)[2]"),
        Bug("a window is that of the next number", "number = (window - 1)", "number = window"),
        Bug("the drift of the next block acts", "rule.drifted[0][5]", "rule.drifted[0][4]"),
    ],
    RECEPTORS: [
        Bug("a constant is as late as the last word", "Mux(others, 0, word.synapse_delay)",
            "word.synapse_delay", Currents),
        Bug("all weights inhibit", "added[-1] & unit.i_inh_en", "unit.i_inh_en", Currents),
        Bug("what is due stays on its way", "Mux(ring_en & ~due, result, 0)",
            "Mux(ring_en, result, 0)", Currents),
    ],
}  # fmt: skip


@pytest.mark.bulk
@pytest.mark.parametrize("size", SIZES)
def test_rules_are_applied_as_specified(size: str) -> None:
    prove_by_induction(bench(size), CYCLES, cut=preset(size).lanes)


@pytest.mark.bulk
@pytest.mark.parametrize(
    ("size", "bug"), [(size, bug) for size, bugs in BUGS.items() for bug in bugs], ids=named
)
def test_a_seeded_bug_is_found(size: str, bug: Bug) -> None:
    with pytest.raises(Refuted, match="does not hold in cycle"):
        prove_by_induction(bench(size, bug), 2 * CYCLES)
