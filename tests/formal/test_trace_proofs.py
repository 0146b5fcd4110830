"""`trace_pre` and `history` are bumped, decay and shift as specified, at their place."""

from typing import Any

import pytest
from amaranth.hdl import Cat, Const, Mux, Shape
from amaranth.utils import exact_log2
from support.benches import Bench, implies
from support.provers import Refuted, prove_by_induction
from support.rungs import bulk_but
from support.seeded import Bug, named, replaced
from support.stand_ins import AnyDecays, Profiles, chosen

from spiketwin.hdl.gateware.core.register_file import RegisterValues
from spiketwin.hdl.gateware.core.state_memory import READ_LATENCY
from spiketwin.hdl.gateware.core.traces import BUMP_WRITE, DECAY_WRITE, SETTINGS, SourceTraces
from spiketwin.hdl.spec.params import preset

CYCLES = DECAY_WRITE + 3
"""Cycles after which nothing of before is left in the pipeline, nor in what the bench remembers."""


def bench(size: str, bug: Bug | None = None) -> Bench:
    """Sources spike and groups decay in any cycles, though not in ones that write at once."""
    b, p = Bench(), preset(size)
    shape = Shape(p.trace_width)
    decays = AnyDecays(b, [(f"trace_{lane}", shape) for lane in range(p.source_lanes)])
    profiles = Profiles(b, p)
    names = {"decay": decays.module(), "Constants": profiles.constants()}
    unit: Any = SourceTraces
    traces = b.unit((replaced(unit, **names) if bug is None else bug.seeded(unit, **names))(p))
    spikes, source = b.free("spikes"), b.free("source", len(traces.source))
    issue, group = b.free("issue"), b.free("group", len(traces.group))
    b.m.d.comb += [
        traces.bump_stb.eq(spikes),
        traces.source.eq(source),
        traces.issue.eq(issue),
        traces.group.eq(group),
    ]
    for name in RegisterValues(p, SETTINGS).members:
        setting = getattr(traces.settings, name)
        b.m.d.comb += setting.eq(b.fixed(name, setting.shape()))
    for lane in range(p.source_lanes):
        b.m.d.comb += traces.trace_pre.r_part[lane].eq(b.free(f"trace_{lane}", shape))
        if p.window_bits:
            past = b.free(f"history_{lane}", p.window_bits + 1)
            b.m.d.comb += traces.history.r_part[lane].eq(past)
        if p.has_profiles:
            number = b.free(f"profile_{lane}", len(traces.source_profile.r_part[lane]))
            b.m.d.comb += traces.source_profile.r_part[lane].eq(number)

    bump_write = BUMP_WRITE + p.has_profiles
    bumps, shifts = b.past(spikes, bump_write), b.past(issue, DECAY_WRITE)
    b.assume(~(spikes & issue) & ~(bumps & shifts))
    read_at(b, traces, Mux(issue, group, source >> exact_log2(p.source_lanes)), spikes | issue)
    written_at(b, traces, (bumps, b.past(source, bump_write)), (shifts, b.past(group, DECAY_WRITE)))
    values(b, traces, (decays, profiles), (bumps, b.past(source, bump_write)), shifts)
    return b


def read_at(b: Bench, traces: Any, group: Any, used: Any) -> None:
    """The group of the source is addressed at once, and its part two cycles later."""
    p = traces.params
    bits = exact_log2(p.lanes // p.source_lanes)
    late = b.past(group, READ_LATENCY)
    part = late[:bits] if bits else Const(0)
    memories = {"trace": traces.trace_pre} | ({"history": traces.history} if p.window_bits else {})
    for name, memory in memories.items():
        b.check(f"{name}_address", implies(used, memory.r_address == group >> bits))
        b.check(f"{name}_part", implies(b.past(used, READ_LATENCY), memory.part == part))
    if p.has_profiles:
        b.check("profile_address", implies(used, traces.source_profile.r_address == group))


def written_at(b: Bench, traces: Any, bump: tuple[Any, Any], shift: tuple[Any, Any]) -> None:
    """A bump writes the lane of its source alone, a decay the part of its group."""
    p = traces.params
    bits, within = exact_log2(p.lanes // p.source_lanes), exact_log2(p.source_lanes)
    (bumps, source), (shifts, group) = bump, shift
    word = Mux(bumps, source >> (within + bits), group >> bits)
    whole = Const((1 << p.source_lanes) - 1, p.lanes)
    part = group[:bits] if bits else Const(0)
    one = Const(1, p.lanes) << source[: within + bits]
    lanes = Mux(bumps, one, Mux(shifts, whole << part * p.source_lanes, 0))
    arrived = b.age(8) == 8
    memories = {"trace": traces.trace_pre} | ({"history": traces.history} if p.window_bits else {})
    for name, memory in memories.items():
        b.check(f"{name}_lanes", implies(arrived, memory.w_en == lanes))
        b.check(f"{name}_word", implies(bumps | shifts, memory.w_address == word))


def values(b: Bench, traces: Any, parts: Any, bump: tuple[Any, Any], shifts: Any) -> None:
    """A trace is bumped or decayed; a history is marked, or shifted by a tick."""
    p, (decays, profiles), (bumps, source) = traces.params, parts, bump
    arrived = b.age(8) == 8
    lane = source[: exact_log2(p.source_lanes)] if p.source_lanes > 1 else Const(0)
    ago = 1 + p.has_profiles  # the value is read so many cycles before its bump is written

    def read(name: str, lane: Any, cycles: int) -> Any:
        lanes = [b.past(b.shown[f"{name}_{k}"], cycles) for k in range(p.source_lanes)]
        return chosen(b.m, lanes, lane)

    def constant(name: str, lane: Any, cycles: int) -> Any:
        if name in profiles.columns:
            return profiles.at(name, read("profile", lane, cycles))
        return b.shown.get(name, Const(0))

    old = b.tell("old", read("trace", lane, ago))
    replaces = constant("trace_pre_replace", lane, ago)
    total = b.tell("total", Mux(replaces, 0, old) + constant("trace_pre_bump", lane, ago))
    most = (1 << p.trace_width) - 1
    bumped = b.tell("bumped", Mux(total > most, most, total))
    for k in range(p.lanes):
        own = k % p.source_lanes
        right = Mux(bumps, bumped, decays.result[f"trace_{own}"])
        found = b.tell(f"written_{k}", traces.trace_pre.w_data[k])
        b.check(f"trace_{k}_as_specified", implies(arrived & (bumps | shifts), found == right))
        b.check(f"trace_{k}_is_0_else", implies(arrived & ~bumps & ~shifts, found == 0))
        if p.window_bits:
            marked = read("history", lane, ago) | 1 << p.window_bits
            past = b.past(b.shown[f"history_{own}"], DECAY_WRITE - READ_LATENCY)
            moved = Cat(past[-1], past[:-1])[: p.window_bits]
            right = traces.history.w_data[k] == Mux(bumps, marked, Mux(shifts, moved, 0))
            b.check(f"history_{k}_as_specified", implies(arrived, right))
    for k in range(p.source_lanes):
        value, code, shift, _ = decays.given[f"trace_{k}"]
        b.check(f"trace_{k}_decays", value == b.shown[f"trace_{k}"])
        right = code == constant("trace_pre_decay", Const(k), 1)
        right &= shift == constant("trace_pre_decay_shift", Const(k), 1)
        b.check(f"trace_{k}_decay_code", implies(arrived, right))


BUGS = [
    (Bug("a bump goes to all lanes of its group",
         "enables & within[: p.source_lanes].replicate(parts)", "enables"), "tiny"),
    (Bug("a bump goes to where the last one was read", "memory.w_address.eq(groups[bump_write]",
         "memory.w_address.eq(groups[bump_write - 1]"), "tiny"),
    (Bug("a bump is that of lane 0", "old = memory.r_part[lane[READ_LATENCY]]",
         "old = memory.r_part[0]"), "tiny"),
    (Bug("a decay counts as one of the group before", "memory.w_address.eq(groups[DECAY_WRITE]",
         "memory.w_address.eq(groups[DECAY_WRITE - 1]"), "tiny"),
    (Bug("a spike is not kept", "Cat(past[-1], past[: p.window_bits - 1])",
         "Cat(Const(0, 1), past[: p.window_bits - 1])"),
     "tiny,n_projections=2,weight_depth=64,n_rules=2,window_bits=8"),
    (Bug("the bump of the profile of lane 0 counts", 'm, "bump", lane[READ_LATENCY])',
         'm, "bump", Const(0))'), "tiny,n_profiles=2"),
]  # fmt: skip
SIZES = [
    "tiny",
    "tiny,lanes=4,n_neurons=16,n_axons=16,source_lanes=1",
    "tiny,lanes=4,n_neurons=16,n_profiles=2,decay_shift=1",
    "tiny,n_projections=2,weight_depth=64,n_rules=2,window_bits=8",
]


@pytest.mark.parametrize("size", bulk_but(SIZES[:1], SIZES))
def test_traces_of_sources_are_as_specified(size: str) -> None:
    prove_by_induction(bench(size), CYCLES)


@pytest.mark.parametrize(("bug", "size"), bulk_but(BUGS[:1], BUGS), ids=named)
def test_a_seeded_bug_is_found(bug: Bug, size: str) -> None:
    with pytest.raises(Refuted, match="does not hold in cycle"):
        prove_by_induction(bench(size, bug), CYCLES + 2)
