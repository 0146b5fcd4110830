"""Many ticks in one compiled call, equal to `spiketwin.hdl.spec.oracle` on every value.

Every function works on contiguous one-dimensional arrays in a branch-free loop, so that the
compiler can vectorise it (SIMD). State is 32 bits wide and no intermediate result exceeds that, so
that nothing wraps, compiled or not. Numba widens integers in arithmetic; most conversions bring a
result back to its narrow type, and the others keep a function from being compiled for several
types, which would only take time.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from spiketwin.cosim.compilation import compiled, entry, inlined
from spiketwin.cosim.model import owed
from spiketwin.cosim.model.decay import decay_all, decayed, decayed_once, leaked, least_loss
from spiketwin.cosim.model.hashing import (
    Flags,
    Int32,
    Weights,
    digest_neurons,
    digest_sources,
    digest_synapses,
    digest_word,
    list_flags,
    spread,
)
from spiketwin.cosim.model.steps import (
    Word16,
    apply_steps,
    fill_halves,
    fill_noise,
    form_steps,
    noise_key,
)
from spiketwin.hdl.spec import arithmetic as a
from spiketwin.hdl.spec.params import DIGEST_WORDS, RELAY_WORD, WINDOW_BYTE
from spiketwin.hdl.spec.probes import NIBBLE_BITS, WORD_NIBBLES
from spiketwin.hdl.spec.projections import ProjectionKind
from spiketwin.hdl.spec.protocol import SPIKE_CYCLE_BITS, SPIKE_MASK_BITS, WORD_COUNT_BITS, Word
from spiketwin.hdl.spec.registers import SATURATIONS
from spiketwin.hdl.spec.variables import WALK_FIRST_BITS

Int8 = npt.NDArray[np.int8]
Int64 = npt.NDArray[np.int64]
Word32 = npt.NDArray[np.uint32]

_COUNTED: Final = 8
"""Upper bits of the kinds of words that carry a count."""
_GROUP_PLACE: Final = SPIKE_CYCLE_BITS + SPIKE_MASK_BITS

_DENSE: Final = int(ProjectionKind.DENSE)
_CONSTANT: Final = int(ProjectionKind.CONSTANT)
_SPARSE: Final = int(ProjectionKind.SPARSE)

I_SYN, V, THETA, WEIGHT = range(len(SATURATIONS))
"""Indices into `Log.saturations`."""


class State(NamedTuple):
    """Arrays of a core, by the names of the specification, and scratch space for a tick.

    `weight` and `plastic` have shape (n_sources, n_neurons), `plastic_by_neuron` is the transpose.
    `pending` flags the neurons that fired in the last tick, `fired` lists those of this one.
    `row_learns` and `column_learns` flag the sources and neurons that have any plastic synapse.
    `profiles` has shape (n_profiles, fields of `Profile`), and is 0 in a core with one profile.
    `potential` is the sum of a tick before it saturates to its width. Each further array makes
    every call that passes the whole tuple slower.
    """

    weight: Weights
    plastic: Flags
    plastic_by_neuron: Flags
    row_learns: Flags
    column_learns: Flags
    threshold: Int32
    v_reset: Int32
    refrac_ticks: Int32
    bias: Int32
    profile: Int32
    source_profile: Int32
    profiles: npt.NDArray[np.int32]
    v: Int32
    i_syn: Int32
    i_inh: Int32
    refrac_count: Int32
    theta: Int32
    trace_pre: Int32
    history: Int32
    trace_post: Int32
    pending: Flags
    held: Flags
    fired: Int32
    potential: Int32
    step_pre: Int32
    step_post: Int32
    row_noise: Word16
    column_noise: Word16
    column: Weights


class Settings(NamedTuple):
    """Registers of the core; those of options that are not built are 0."""

    v_decay: int
    v_floor: int
    i_syn_decay: int
    reset_subtract: int
    theta_decay: int
    theta_bump: int
    learn_pre: int
    learn_post: int
    stochastic: int
    seed: int
    w_min: int
    w_max: int
    pre_gain: int
    pre_offset: int
    post_gain: int
    post_offset: int
    trace_pre_decay: int
    trace_pre_bump: int
    trace_pre_replace: int
    trace_post_decay: int
    trace_post_bump: int
    trace_post_replace: int
    tag: int
    v_decay_shift: int
    i_syn_decay_shift: int
    theta_decay_shift: int
    trace_pre_decay_shift: int
    trace_post_decay_shift: int
    i_syn_shift: int
    i_inh_en: int
    i_inh_decay: int
    i_inh_decay_shift: int


class Profile(NamedTuple):
    """The constants that a profile holds in a core with several; those not built are 0."""

    v_decay: int
    v_floor: int
    i_syn_decay: int
    reset_subtract: int
    theta_decay: int
    theta_bump: int
    trace_pre_decay: int
    trace_pre_bump: int
    trace_pre_replace: int
    trace_post_decay: int
    trace_post_bump: int
    trace_post_replace: int
    v_decay_shift: int
    i_syn_decay_shift: int
    theta_decay_shift: int
    trace_pre_decay_shift: int
    trace_post_decay_shift: int
    i_inh_decay: int
    i_inh_decay_shift: int
    refrac_integrates: int
    linear_leak: int


class Rule(NamedTuple):
    """The constants that a rule holds; those not built are 0."""

    stochastic: int
    w_min: int
    w_max: int
    pre_gain: int
    pre_offset: int
    post_gain: int
    post_offset: int
    gain_shift: int
    current_after: int
    window: int
    drift: int


class Sizes(NamedTuple):
    """The sizes of the core that the kernel needs, and the indices of its rows and columns.

    `history_mark` is what a spike sets in `history` until *Update*; 0 if there is none.
    """

    n_axons: int
    neuron_lanes: int
    max_words_per_tick: int
    learning: bool
    has_two_receptors: bool
    has_profiles: bool
    v_top: int
    i_syn_top: int
    theta_top: int
    trace_top: int
    history_mark: int
    step_shift: int
    weight_mask: int
    digest_rounds: int
    digest_post: int
    digest_neurons: int
    digest_sources: int
    digest_relays: int
    digest_biases: int
    digest_drifts: int
    weight_top: int
    drift_top: int
    sources: Word16
    neurons: Word16


class Table(NamedTuple):
    """The table of projections, by the names of the specification, and scratch for a row.

    The fields of `arranged.Rows` are the synapses. `line_weight` and `line_plastic` have room for
    those that a source or a neuron has in one projection. `arrived` is what the rows of a tick add
    up to, of integers that are twice as wide as a weight. `active` counts the active sources of
    each constant projection; between two ticks it is 0. `relays_due` are the words of `relay_ring`
    for the tick under way, and `relays_listed` has room for the relays that they name. `rules` has
    shape (n_rules, fields of `Rule`); in a core with one rule `projection_rule` is empty.
    `drift_sum` and `window_table`, which has the entries of the windows, are of as many as rules;
    without windows `drift_sum` is empty. `line_change` has room for the steps of a row or column.
    `ring_ticks` is the number of ticks of `i_syn_ring`.
    """

    projection_source: Int32
    projection_sources: Int32
    projection_target: Int32
    projection_targets: Int32
    projection_base: Int32
    projection_weight: Int32
    projection_itself: Int32
    projection_rule: Int32
    drift_sum: Int32
    window_table: Int32
    row_projections: Int32
    column_projections: Int32
    column_order: Int32
    sparse_first: Int32
    i_syn_ring: Int32
    i_inh_ring: Int32
    relay_first: Int32
    relay_count: Int32
    relay_delay: Int32
    relay_ring: Word32
    relays_due: Word32
    relays_listed: Int32
    row_weight: Weights
    row_plastic: Flags
    row_delay: Int8
    list_target: Word16
    list_size: Int32
    row_kind: Int32
    row_learns: Flags
    reach: Int32
    line_weight: Weights
    line_plastic: Flags
    line_change: Int32
    arrived: owed.Wide
    rules: npt.NDArray[np.int32]
    active: Int32
    lanes: int
    ring_ticks: int


class Currents(NamedTuple):
    """The places to which currents of synapses go, now or in a later tick; fields as in `Table`."""

    i_syn: Int32
    i_inh: Int32
    i_syn_ring: Int32
    i_inh_ring: Int32
    lanes: int
    ring_ticks: int
    top: int
    i_inh_en: int


class Schedule(NamedTuple):
    """Cycles of the core (`spec.schedule`), as tables.

    `row` and `column` are the cycles of the rows of each source and of the columns of each neuron;
    `constant` those of each constant projection; `lead` those before the first row, `with_rows` and
    `without_rows` those that come if there are any or none, `with_constant` and `with_columns`
    those that come with any; `repeat` more for each row of an axon that repeats; `update_and_end`
    is the rest of any tick; `spike` is, for each neuron, the cycle in which its spike leaves.
    """

    row: Int64
    column: Int64
    constant: Int64
    lead: int
    with_rows: int
    without_rows: int
    with_constant: int
    with_columns: int
    repeat: int
    update_and_end: int
    spike: Int64


class Biases(NamedTuple):
    """Bias events, ascending by their ticks; `cycles` are those that each takes."""

    tick: Int64
    neuron: Int32
    bias: Int32
    cycles: int


class Probes(NamedTuple):
    """The state that the ticks of a run report: ranges of arrays, as views.

    `nibbles` is for each range that of one element, `period` and `words` are the registers
    `probe_period` and `probe_words`; `left` is the number of ticks before the first one that
    reports, and `cycles` are those that it takes for it.
    """

    first: Int32
    second: Int32
    third: Int32
    fourth: Int32
    nibbles: Int64
    period: int
    words: int
    left: int
    cycles: int


class Log(NamedTuple):
    """The output of ticks: room for their `words`, and the counters of saturations.

    `saturations` is only ever added to; its order is that of `registers.SATURATIONS`.
    """

    words: Word32
    saturations: Int64


# --- learning ----------------------------------------------------------------------------------


@compiled
def form_changes(
    changes: Int32, traces: Int32, rounding: Word16, gain: int, gain_shift: int, offset: int,
    shift: int,
) -> None:  # fmt: skip
    """Write the `arithmetic.weight_step` of every trace, rounded to weight units, to `changes`.

    A step has up to 40 bits, and a change in weight units fits its narrow type again.
    """
    factor = np.int64(gain) << gain_shift
    for k in range(changes.size):
        step = ((factor * np.int64(traces[k])) >> shift) + offset
        changes[k] = np.int32((step + np.int64(rounding[k])) >> a.STEP_BITS)


@compiled
def form_window_changes(
    changes: Int32, history: Int32, rounding: Word16, table: Int32, gain_shift: int, offset: int
) -> None:
    """Write the `arithmetic.window_step` of every past, rounded to weight units, to `changes`.

    `table` has an entry for each value of each `WINDOW_BYTE` ticks.
    """
    for k in range(changes.size):
        entries = np.int64(0)
        for byte in range(table.size >> WINDOW_BYTE):
            past = (history[k] >> (WINDOW_BYTE * byte)) & ((1 << WINDOW_BYTE) - 1)
            entries += np.int64(table[(byte << WINDOW_BYTE) + past])
        step = (entries << gain_shift) + offset
        changes[k] = np.int32((step + np.int64(rounding[k])) >> a.STEP_BITS)


@compiled
def apply_changes(
    weights: Weights, plastic: Flags, changes: Int32, w_min: int, w_max: int
) -> np.int32:
    """Add changes to all plastic weights, within the bounds; return the number clamped."""
    low, high, cut = np.int32(w_min), np.int32(w_max), np.int32(0)
    for k in range(weights.size):
        old = np.int32(weights[k])
        meant = np.int32(old + changes[k]) if plastic[k] else old
        new = meant if meant > low else low
        new = new if new < high else high
        new = new if plastic[k] else old
        weights[k] = new
        cut = np.int32(cut + (np.int32(1) if new != meant else np.int32(0)))
    return cut


@inlined
def _profile(s: State, number: int) -> Profile:
    row = s.profiles[number]
    return Profile(
        row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], row[8], row[9], row[10],
        row[11], row[12], row[13], row[14], row[15], row[16], row[17], row[18], row[19], row[20],
    )  # fmt: skip


@inlined
def _rule_at(t: Table, number: int) -> Rule:
    row = t.rules[number]
    return Rule(
        row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], row[8], row[9], row[10]
    )


@inlined
def _rule(t: Table, projection: int) -> Rule:
    """Return the rule of a projection."""
    return _rule_at(t, t.projection_rule[projection] if t.projection_rule.size else 0)


@compiled
def _bumped(trace: int, bump: int, replace: int, top: int) -> int:
    return bump if replace else min(trace + bump, top)


# --- the phases of a tick ----------------------------------------------------------------------


@compiled
def add_row(i_syn: Int32, row: Weights, top: int) -> np.int32:
    """Add a row of weights to the currents; return how many saturate at ``-top - 1`` or `top`."""
    low, high, cut = np.int32(-top - 1), np.int32(top), np.int32(0)
    for j in range(i_syn.size):
        total = np.int32(i_syn[j] + np.int32(row[j]))
        held = total if total > low else low
        held = held if held < high else high
        i_syn[j] = held
        cut = np.int32(cut + (np.int32(1) if held != total else np.int32(0)))
    return cut


@compiled
def add_split_row(i_syn: Int32, i_inh: Int32, row: Weights, top: int) -> np.int32:
    """Add weights from 0 on to one current and those below it to the other, as `add_row`."""
    low, high, cut = np.int32(-top - 1), np.int32(top), np.int32(0)
    for j in range(i_syn.size):
        weight = np.int32(row[j])
        inhibits = weight < 0
        total = np.int32((i_inh[j] if inhibits else i_syn[j]) + weight)
        held = total if total > low else low
        held = held if held < high else high
        i_inh[j] = held if inhibits else i_inh[j]
        i_syn[j] = i_syn[j] if inhibits else held
        cut = np.int32(cut + (np.int32(1) if held != total else np.int32(0)))
    return cut


@inlined
def _bump_trace_pre(s: State, r: Settings, z: Sizes, source: int) -> None:
    """Bump the trace of a source that spiked, and mark its history."""
    s.history[source] |= z.history_mark
    if z.has_profiles:
        own = _profile(s, s.source_profile[source])
        s.trace_pre[source] = _bumped(
            s.trace_pre[source], own.trace_pre_bump, own.trace_pre_replace, z.trace_top
        )
    else:
        s.trace_pre[source] = _bumped(
            s.trace_pre[source], r.trace_pre_bump, r.trace_pre_replace, z.trace_top
        )


@compiled
def _deliver(
    s: State, r: Settings, z: Sizes, source: int, key_x: np.uint16, key_y: np.uint16,
    digests: Word32,
) -> tuple[np.uint32, np.int32, np.int32]:  # fmt: skip
    """Deliver the spike of a source; return its digest, and its numbers of saturations."""
    row, digest, cut = s.weight[source], np.uint32(0), np.int32(0)
    if r.i_inh_en:
        i_syn_cut = add_split_row(s.i_syn, s.i_inh, row, z.i_syn_top)
    else:
        i_syn_cut = add_row(s.i_syn, row, z.i_syn_top)
    if r.learn_pre and s.row_learns[source]:
        if r.stochastic:
            fill_noise(s.row_noise, key_x, key_y, source, z.neurons)
        cut = apply_steps(row, s.plastic[source], s.step_pre, s.row_noise, r.w_min, r.w_max)
        if digests is not None and digests.size:
            digest = digest_synapses(
                source, 0, row, s.plastic[source], z.weight_mask, z.digest_rounds
            )
    _bump_trace_pre(s, r, z, source)
    return digest, i_syn_cut, cut


@inlined
def _settle(s: State, o: owed.Owed, r: Settings, z: Sizes, source: int) -> np.int64:
    """Bring the row of a source up to date; return how many steps are clamped."""
    if not (r.learn_post and s.row_learns[source]):
        return np.int64(0)
    decay, shift = int(r.trace_pre_decay), int(r.trace_pre_decay_shift)
    if z.has_profiles:
        own = _profile(s, s.source_profile[source])
        decay, shift = int(own.trace_pre_decay), int(own.trace_pre_decay_shift)
    rule = owed.PostRule(
        int(r.post_gain), int(r.post_offset), int(z.step_shift), int(r.stochastic), int(r.w_min),
        int(r.w_max), decay, shift,
    )  # fmt: skip
    return owed.settle(o, rule, source, s.weight[source], s.plastic[source], s.trace_pre[source])


@compiled
def _settle_before(s: State, o: owed.Owed, r: Settings, z: Sizes, log: Log, oldest: int) -> None:
    """Bring all rows up to date that are owed post-events of before a tick."""
    for source in range(o.since.size):
        if o.since[source] < oldest:
            log.saturations[WEIGHT] += _settle(s, o, r, z, source)


@inlined
def _record(
    s: State, o: owed.Owed, r: Settings, z: Sizes, log: Log, tick: int, fired: Int32
) -> None:
    """Record what the rows are owed by the neurons that fired, and what is too old settle."""
    key_x, key_y = np.uint16(0), np.uint16(0)
    if r.stochastic:
        key_x, key_y = noise_key(r.seed, tick, a.PASS_POST)
    else:
        form_steps(s.step_post, s.trace_pre, r.post_gain, r.post_offset, z.step_shift)
        owed.note_sizes(o, s.step_post)
    owed.record(o, fired, key_x, key_y)
    oldest = owed.oldest_kept(o)
    if oldest > o.place[owed.NOW] - owed.RING:
        _settle_before(s, o, r, z, log, oldest)
        owed.forget(o, oldest)


@inlined
def _deliver_settled(
    s: State, o: owed.Owed, r: Settings, z: Sizes, source: int, key_x: np.uint16, key_y: np.uint16,
    has_room: bool,
) -> tuple[np.int32, np.int32]:  # fmt: skip
    """Deliver the spike of a source after what its row is owed; return numbers of saturations.

    With `has_room` no current can saturate in this tick, and the order of rows does not matter.
    """
    row, cut, i_syn_cut = s.weight[source], _settle(s, o, r, z, source), np.int32(0)
    plastic = o.all_plastic if o.whole[source] else s.plastic[source]
    if not has_room:
        if r.i_inh_en:
            i_syn_cut = add_split_row(s.i_syn, s.i_inh, row, z.i_syn_top)
        else:
            i_syn_cut = add_row(s.i_syn, row, z.i_syn_top)
    if r.learn_pre and s.row_learns[source]:
        if r.stochastic:
            x = np.uint16(key_x ^ spread(source, a.SPREAD_SPIKED[0]))
            y = np.uint16(key_y ^ spread(source, a.SPREAD_SPIKED[1]))
            cut += owed.deliver_and_step_noisy(o, row, plastic, r.w_min, r.w_max, x, y)
        else:
            cut += owed.deliver_and_step(o.arrived, o.row_change, row, plastic, r.w_min, r.w_max)
        o.bounded[source] = r.w_min <= r.w_max
        if not has_room:
            o.arrived[:] = 0  # what was added to the currents by itself
    elif has_room:
        owed.let_wait(o, source)
    _bump_trace_pre(s, r, z, source)
    o.trace[source] = s.trace_pre[source]
    return i_syn_cut, np.int32(cut)


@compiled
def _have_room(i_syn: Int32, spikes: int, weight_top: int, top: int) -> bool:
    """Return whether no current can saturate, whatever the weights of so many spikes are."""
    peak = np.int32(0)
    for j in range(i_syn.size):
        size = np.int32(-i_syn[j]) if i_syn[j] < 0 else i_syn[j]
        peak = size if size > peak else peak
    return int(np.int64(peak)) + spikes * (weight_top + 1) <= top


@inlined
def _add(values: Int32, place: int, added: int, top: int) -> np.int32:
    """Add to a current, which saturates at ``-top - 1`` or `top`; return whether it does."""
    total = int(np.int64(values[place])) + added
    held = min(max(total, -top - 1), top)
    values[place] = held
    return np.int32(1) if held != total else np.int32(0)


@inlined
def _ring_place(c: Currents, tick: int, j: int) -> int:
    """Return where the current of a neuron stands on its way that is due in a tick."""
    slot = tick & (c.ring_ticks - 1)
    return (j // c.lanes * c.ring_ticks + slot) * c.lanes + (j & (c.lanes - 1))


@inlined
def _currents(s: State, t: Table, r: Settings, z: Sizes) -> Currents:
    return Currents(
        s.i_syn, s.i_inh, t.i_syn_ring, t.i_inh_ring, t.lanes, t.ring_ticks, z.i_syn_top, r.i_inh_en
    )


@compiled
def _add_one(c: Currents, now: int, delay: int, j: int, weight: int) -> np.int32:
    """Add the weight of a synapse to a neuron's current, now or when it is due."""
    inhibits = c.i_inh_en and weight < 0
    if delay == 0:
        return _add(c.i_inh if inhibits else c.i_syn, j, weight, c.top)
    due = _ring_place(c, now + delay, j)
    return _add(c.i_inh_ring if inhibits else c.i_syn_ring, due, weight, c.top)


@compiled
def _add_list(c: Currents, now: int, weights: Weights, targets: Word16, delays: Int8) -> np.int32:
    """Add a list of synapses to currents, delayed if there are delays, as `add_row`."""
    cut = np.int32(0)
    for k in range(weights.size):
        delay = int(np.int64(delays[k])) if delays.size else 0
        j, weight = int(np.int64(targets[k])), int(np.int64(weights[k]))
        cut = np.int32(cut + _add_one(c, now, delay, j, weight))
    return cut


@compiled
def _add_late(c: Currents, now: int, row: Weights, begin: int, delays: Int8) -> np.int32:
    """Add a row of synapses that have delays, to neurons from `begin` on, as `add_row`."""
    cut = np.int32(0)
    for k in range(row.size):
        delay, weight = int(np.int64(delays[k])), int(np.int64(row[k]))
        cut = np.int32(cut + _add_one(c, now, delay, begin + k, weight))
    return cut


@compiled
def _add_due(c: Currents, current: Int32, ring: Int32, now: int) -> np.int32:
    """Add the currents that are due, and take them off the ring; return how many saturate."""
    cut = np.int32(0)
    for j in range(current.size):
        due = _ring_place(c, now, j)
        cut = np.int32(cut + _add(current, j, int(np.int64(ring[due])), c.top))
        ring[due] = 0
    return cut


@inlined
def _deliver_list(
    s: State, t: Table, r: Settings, z: Sizes, now: int, source: int, k: int, has_room: bool
) -> np.int32:  # fmt: skip
    """Deliver the row of a source in a sparse projection; return how many currents saturate."""
    row, cut = t.projection_base[k] + source - t.projection_source[k] * t.lanes, np.int32(0)
    first = t.sparse_first[row] * t.lanes
    end = first + t.list_size[row]
    weights, targets = t.row_weight[first:end], t.list_target[first:end]
    if has_room:
        _list_arrives(t.arrived, weights, targets)
    else:
        cut = _add_list(_currents(s, t, r, z), now, weights, targets, t.row_delay[first:end])
    return cut


@compiled
def _list_arrives(arrived: owed.Wide, weights: Weights, targets: Word16) -> None:
    """Add the weights of a list to what has arrived."""
    kind = arrived.dtype.type
    for k in range(weights.size):
        j = int(np.int64(targets[k]))
        arrived[j] = kind(arrived[j] + kind(weights[k]))


@inlined
def _add_dense(
    s: State, t: Table, r: Settings, z: Sizes, now: int, k: int, row: Weights, delays: Int8,
    has_room: bool,
) -> np.int32:  # fmt: skip
    """Add a row to currents; return how many saturate."""
    begin, cut = t.projection_target[k] * t.lanes, np.int32(0)
    end = begin + row.size
    if has_room:
        owed.deliver(t.arrived[begin:end], row)
    elif delays.size:
        cut = _add_late(_currents(s, t, r, z), now, row, begin, delays)
    elif r.i_inh_en:
        cut = add_split_row(s.i_syn[begin:end], s.i_inh[begin:end], row, z.i_syn_top)
    else:
        cut = add_row(s.i_syn[begin:end], row, z.i_syn_top)
    return cut


@inlined
def _window(t: Table, number: int) -> slice[int, int, None]:
    """Return where the table of a window is; a number that is too large is that of another one."""
    entries = t.window_table.size // t.rules.shape[0]
    first = (number - 1) % t.rules.shape[0] * entries
    return slice(first, first + entries)


@inlined
def _drift(t: Table, projection: int) -> int:
    """Return by what the plastic weights of a projection act more than they are stored as."""
    if not t.drift_sum.size:
        return 0
    return int(np.int64(t.drift_sum[t.projection_rule[projection]])) >> a.STEP_BITS


@compiled
def _drifted(own: Rule, drift: int, z: Sizes) -> Rule:
    """Return a rule with the bounds of what acts, whose stored weights fit their width."""
    top = z.weight_top
    # Of 32 bits, as are those of a rule that has not drifted.
    low: Any = np.int32(min(max(min(own.w_min, own.w_max) - drift, -top - 1), top) + drift)
    high: Any = np.int32(min(max(own.w_max - drift, -top - 1), top) + drift)
    return Rule(
        own.stochastic, low, high, own.pre_gain, own.pre_offset, own.post_gain,
        own.post_offset, own.gain_shift, own.current_after, own.window, own.drift,
    )  # fmt: skip


@compiled
def _act(acting: Weights, stored: Weights, plastic: Flags, own: Rule, drift: int) -> None:
    """Form the weights that act, within their bounds, of those that are stored."""
    for k in range(acting.size):
        weight = int(np.int64(stored[k]))
        acting[k] = min(max(weight + drift, own.w_min), own.w_max) if plastic[k] else weight


@compiled
def _store(stored: Weights, acting: Weights, plastic: Flags, drift: int) -> None:
    """Form the weights that are stored of those that act."""
    for k in range(stored.size):
        stored[k] = int(np.int64(acting[k])) - (drift if plastic[k] else 0)


@inlined
def _drift_all(t: Table, z: Sizes) -> tuple[np.uint32, int]:
    """Let a tick of drift pass for every rule; return its part of the digest, and sums clamped."""
    digest, cut = np.uint32(0), int(np.int64(0))
    for k in range(t.drift_sum.size):
        total = int(np.int64(t.drift_sum[k])) + int(np.int64(_rule_at(t, k).drift))
        held = min(max(total, -z.drift_top - 1), z.drift_top)
        t.drift_sum[k] = held
        cut += held != total
        digest ^= digest_word(z.digest_drifts, k, held & 0xFFFFFFFF, z.digest_rounds)
    return digest, cut


@compiled
def _learn_line(
    changes: Int32, window: Int32, own: Rule, step_shift: int, which_pass: int, weights: Weights,
    plastic: Flags, traces: Int32, noise: Word16, others: Word16, spiked: int, key_x: np.uint16,
    key_y: np.uint16,
) -> np.int32:  # fmt: skip
    """Apply a rule to a row or a column; return how many steps are clamped.

    `traces` are those at the other end, whose indices are `others`, or in a column of a rule over a
    window the pasts of its sources; `noise` is room for that of the others.
    """
    gain, offset = own.pre_gain, own.pre_offset
    if which_pass == a.PASS_POST:
        gain, offset = own.post_gain, own.post_offset
    if own.stochastic:
        fill_noise(noise, key_x, key_y, spiked, others)
    else:
        fill_halves(noise)
    if which_pass == a.PASS_POST and own.window:
        form_window_changes(changes, traces, noise, window, own.gain_shift, offset)
    else:
        form_changes(changes, traces, noise, gain, own.gain_shift, offset, step_shift)
    return apply_changes(weights, plastic, changes, own.w_min, own.w_max)


@inlined
def _deliver_row(
    s: State, t: Table, r: Settings, z: Sizes, now: int, source: int, k: int, has_room: bool,
    key_x: np.uint16, key_y: np.uint16, digests: Word32 | None,
) -> tuple[np.uint32, np.int32, np.int32]:  # fmt: skip
    """Deliver the row of a source in a dense projection; return as `_deliver`."""
    digest, i_syn_cut, cut = np.uint32(0), np.int32(0), np.int32(0)
    begin, count = t.projection_target[k] * t.lanes, t.projection_targets[k] * t.lanes
    end = begin + count
    first = t.projection_base[k] * t.lanes + (source - t.projection_source[k] * t.lanes) * count
    row, plastic = t.row_weight[first : first + count], t.row_plastic[first : first + count]
    own, drift = _rule(t, k), _drift(t, k)
    learns, acting = r.learn_pre and t.row_learns[k], row
    if drift and t.row_learns[k]:
        own, acting = _drifted(own, drift, z), t.line_weight[:count]
        _act(acting, row, plastic, own, drift)
    for after in range(2):
        if after == own.current_after:
            i_syn_cut += _add_dense(
                s, t, r, z, now, k, acting, t.row_delay[first : first + count], has_room
            )
        if learns and not after:
            cut += _learn_line(
                t.line_change[:count], t.window_table[_window(t, own.window)], own, z.step_shift,
                a.PASS_PRE, acting, plastic, s.trace_post[begin:end], s.row_noise[begin:end],
                z.neurons[begin:end], source, key_x, key_y,
            )  # fmt: skip
    if learns:
        if drift:
            _store(row, acting, plastic, drift)
        if digests is not None and digests.size:
            digest ^= digest_synapses(source, begin, row, plastic, z.weight_mask, z.digest_rounds)
    return digest, i_syn_cut, cut


@inlined
def _deliver_walked(
    s: State, t: Table, r: Settings, z: Sizes, now: int, source: int, has_room: bool,
    key_x: np.uint16, key_y: np.uint16, digests: Word32 | None,
) -> tuple[np.uint32, np.int32, np.int32]:  # fmt: skip
    """Deliver the spike of a source through its projections; return as `_deliver`.

    With `has_room` no current can saturate in this tick, and rows add up by themselves first.
    """
    digest, i_syn_cut, cut = np.uint32(0), np.int32(0), np.int32(0)
    walk = t.row_projections[source // t.lanes]
    for n in range(walk >> WALK_FIRST_BITS):
        k = (walk & ((1 << WALK_FIRST_BITS) - 1)) + n
        if t.row_kind[k] == _CONSTANT:
            t.active[k] += 1
        elif t.row_kind[k] == _SPARSE:
            i_syn_cut += _deliver_list(s, t, r, z, now, source, k, has_room)
        elif t.row_kind[k] == _DENSE:
            code, more, steps_cut = _deliver_row(
                s, t, r, z, now, source, k, has_room, key_x, key_y, digests
            )
            digest ^= code
            i_syn_cut += more
            cut += steps_cut
    _bump_trace_pre(s, r, z, source)
    return digest, i_syn_cut, cut


@compiled
def _take_relays(ring: Word32, due: Word32, numbers: Int32, now: int) -> int:
    """Take the words of a tick off the ring, and list the relays that they name."""
    words, count = due.size, int(np.int64(0))
    first = now % (ring.size // words) * words
    for w in range(words):
        due[w] = ring[first + w]
        ring[first + w] = 0
    for relay in range(numbers.size):
        numbers[count] = relay
        count += int((due[relay // RELAY_WORD] >> np.uint32(relay % RELAY_WORD)) & 1)
    return count


@inlined
def _set_relays(t: Table, z: Sizes, now: int, source: int) -> np.uint32:
    """Let the relays of an active source be active later; return their part of the digest."""
    words, digest = t.relays_due.size, np.uint32(0)
    delays = t.relay_ring.size // words
    for n in range(t.relay_count[source]):
        relay = t.relay_first[source] + n
        word = (now + t.relay_delay[relay]) % delays * words + relay // RELAY_WORD
        t.relay_ring[word] |= np.uint32(1) << np.uint32(relay % RELAY_WORD)
        digest ^= digest_word(z.digest_relays, relay, word, z.digest_rounds)
    return digest


@inlined
def _take_due(s: State, t: Table, r: Settings, z: Sizes, now: int) -> np.int32:
    """Add the currents that are due in a tick; return how many saturate."""
    cut = np.int32(0)
    if t.i_syn_ring.size:
        cut = np.int32(cut + _add_due(_currents(s, t, r, z), s.i_syn, t.i_syn_ring, now))
    if t.i_inh_ring.size:
        cut = np.int32(cut + _add_due(_currents(s, t, r, z), s.i_inh, t.i_inh_ring, now))
    return cut


@inlined
def _deliver_constants(s: State, t: Table, r: Settings, z: Sizes, c: Schedule, log: Log) -> int:
    """Deliver what is constant, all of a projection at once; return the cycles of all together."""
    cycles = int(np.int64(0))
    for k in range(t.active.size):
        if t.active[k]:
            log.saturations[I_SYN] += _deliver_constant(s, t, r, z, k)
            cycles += c.constant[k]
    if cycles:
        cycles += c.with_constant
    return cycles


@inlined
def _deliver_constant(s: State, t: Table, r: Settings, z: Sizes, k: int) -> np.int32:
    """Deliver all spikes of a constant projection; return how many currents saturate."""
    begin = t.projection_target[k] * t.lanes
    end, weight = begin + t.projection_targets[k] * t.lanes, np.int64(t.projection_weight[k])
    current = s.i_inh if r.i_inh_en and weight < 0 else s.i_syn
    cut = _add_constant(
        current[begin:end], s.pending[begin:end], weight, weight * np.int64(t.active[k]),
        bool(t.projection_itself[k]), z.i_syn_top,
    )  # fmt: skip
    t.active[k] = 0
    return cut


@compiled
def _add_constant(
    current: Int32, pending: Flags, weight: np.int64, total: np.int64, itself: bool, top: int
) -> np.int32:
    """Add a total to all currents, in which those that fired have no part unless by `itself`."""
    cut, own = np.int32(0), np.int64(0) if itself else weight
    for j in range(current.size):
        meant = np.int64(current[j]) + total - (own if pending[j] else np.int64(0))
        held = min(max(meant, np.int64(-top - 1)), np.int64(top))
        current[j] = held
        cut = np.int32(cut + (np.int32(1) if held != meant else np.int32(0)))
    return cut


@inlined
def integrate(
    potential: Int32, v: Int32, i_syn: Int32, i_inh: Int32, bias: Int32, code: int, shift: int,
    floor: int, i_syn_shift: int,
) -> None:  # fmt: skip
    """Sum up every neuron's potential, above the floor but not yet saturated to its width."""
    factor, divided, least = np.uint32(code), np.uint32(shift), least_loss(code)
    low, places, half = np.int32(floor), np.int32(i_syn_shift), np.int32((1 << i_syn_shift) >> 1)
    for j in range(potential.size):
        current = np.int32(i_syn[j] + i_inh[j])
        if places:
            current = np.int32(
                np.int32(np.int32(i_syn[j] + half) >> places)
                + np.int32(np.int32(i_inh[j] + half) >> places)
            )
        total = np.int32(np.int32(decayed(v[j], factor, divided, least) + current) + bias[j])
        potential[j] = total if total > low else low


@inlined
def find_firing(
    fires: Flags, refrac_count: Int32, potential: Int32, threshold: Int32, theta: Int32, top: int
) -> None:
    """Flag the neurons that fire."""
    high = np.int32(top)
    for j in range(fires.size):
        v = potential[j] if potential[j] < high else high
        fires[j] = (refrac_count[j] == 0) & (v >= np.int32(threshold[j] + theta[j]))


@inlined
def settle(v: Int32, refrac_count: Int32, potential: Int32, top: int) -> np.int32:
    """Take over the potential, or hold `v` for another refractory tick.

    Return how many of the potentials that are taken over saturate.
    """
    high, count = np.int32(top), np.int32(0)
    for j in range(v.size):
        held = refrac_count[j] > 0
        new = potential[j] if potential[j] < high else high
        lost = np.int32(0) if held else np.int32(potential[j] - new)
        count = np.int32(count + (np.int32(1) if lost > 0 else np.int32(0)))
        v[j] = v[j] if held else new
        refrac_count[j] = np.int32(refrac_count[j] - 1) if held else refrac_count[j]
    return count


@inlined
def _fire(s: State, r: Settings, z: Sizes, j: int) -> tuple[int, bool]:
    """Reset a neuron that fires; return how many more of its `v`, and of `theta`, saturate.

    A potential that saturated has been counted before.
    """
    was_cut, is_cut = s.potential[j] > z.v_top, False
    if r.reset_subtract:
        # Not below the least v: a potential that fires has reached threshold + theta.
        rest = min(s.potential[j], z.v_top) - (s.threshold[j] + s.theta[j])
        s.v[j] = min(rest, z.v_top)
        is_cut = was_cut or rest > z.v_top
    else:
        s.v[j] = s.v_reset[j]
    s.refrac_count[j] = s.refrac_ticks[j]
    theta = s.theta[j] + r.theta_bump
    s.theta[j] = min(theta, z.theta_top)
    return int(is_cut) - int(was_cut), theta > z.theta_top


@inlined
def _list_fired(s: State, z: Sizes, c: Schedule, log: Log, put: int) -> tuple[int, int]:
    """List the neurons that fired; return their number, and the words put out so far."""
    count, last_group = list_flags(s.pending, s.fired), -1
    for k in range(count):
        j = int(np.int64(s.fired[k]))
        group = j // z.neuron_lanes
        if group != last_group:
            last_group = group
            log.words[put] = group << _GROUP_PLACE | c.spike[j]
            put += 1
        log.words[put - 1] |= np.uint32(1 << (SPIKE_CYCLE_BITS + j - group * z.neuron_lanes))
    return count, put


@inlined
def _update(
    s: State, r: Settings, z: Sizes, c: Schedule, log: Log, put: int, digests: Word32 | None
) -> tuple[int, int]:
    """Advance all neurons; return how many fired, and the words put out so far."""
    integrate(
        s.potential, s.v, s.i_syn, s.i_inh, s.bias, r.v_decay, r.v_decay_shift, r.v_floor,
        r.i_syn_shift,
    )  # fmt: skip
    decay_all(s.i_syn, r.i_syn_decay, r.i_syn_decay_shift)
    decay_all(s.i_inh, r.i_inh_decay, r.i_inh_decay_shift)
    find_firing(s.pending, s.refrac_count, s.potential, s.threshold, s.theta, z.v_top)
    if digests is not None:
        for j in range(s.held.size):
            s.held[j] = s.refrac_count[j] > 0
    log.saturations[V] += settle(s.v, s.refrac_count, s.potential, z.v_top)
    count, put = _list_fired(s, z, c, log, put)
    for k in range(count):
        v_cut, theta_cut = _fire(s, r, z, s.fired[k])
        log.saturations[V] += v_cut
        log.saturations[THETA] += theta_cut
    decay_all(s.theta, r.theta_decay, r.theta_decay_shift)
    if z.learning:
        decay_all(s.trace_post, r.trace_post_decay, r.trace_post_decay_shift)
        for k in range(count):
            j = s.fired[k]
            s.trace_post[j] = _bumped(
                s.trace_post[j], r.trace_post_bump, r.trace_post_replace, z.trace_top
            )
        decay_all(s.trace_pre, r.trace_pre_decay, r.trace_pre_decay_shift)
    return count, put


@inlined
def _update_one(s: State, r: Settings, z: Sizes, log: Log, j: int) -> None:
    """Advance a neuron of a core in which each has a profile of its own."""
    own = _profile(s, s.profile[j])
    half, places = (1 << r.i_syn_shift) >> 1, r.i_syn_shift
    currents = ((s.i_syn[j] + half) >> places) + ((s.i_inh[j] + half) >> places)
    if own.linear_leak:
        left = leaked(s.v[j], own.linear_leak)
    else:
        left = decayed_once(s.v[j], own.v_decay, own.v_decay_shift)
    potential = max(left + currents + s.bias[j], own.v_floor)
    s.i_syn[j] = decayed_once(s.i_syn[j], own.i_syn_decay, own.i_syn_decay_shift)
    s.i_inh[j] = decayed_once(s.i_inh[j], own.i_inh_decay, own.i_inh_decay_shift)
    v, limit, refractory = (
        min(potential, z.v_top),
        s.threshold[j] + s.theta[j],
        s.refrac_count[j] > 0,
    )
    held = refractory and own.refrac_integrates == 0
    fires = not refractory and v >= limit
    cut = potential > v and not held
    if fires:
        rest = v - limit if own.reset_subtract else s.v_reset[j]
        s.v[j] = min(rest, z.v_top)
        cut = own.reset_subtract != 0 and (cut or rest > z.v_top)
        s.refrac_count[j] = s.refrac_ticks[j]
        theta = s.theta[j] + own.theta_bump
        s.theta[j] = min(theta, z.theta_top)
        log.saturations[THETA] += theta > z.theta_top
    elif not held:
        s.v[j] = v
    if refractory:
        s.refrac_count[j] -= 1
    log.saturations[V] += cut
    s.held[j], s.pending[j] = held, fires
    s.theta[j] = decayed_once(s.theta[j], own.theta_decay, own.theta_decay_shift)
    if z.learning:
        trace = decayed_once(s.trace_post[j], own.trace_post_decay, own.trace_post_decay_shift)
        if fires:
            trace = _bumped(trace, own.trace_post_bump, own.trace_post_replace, z.trace_top)
        s.trace_post[j] = trace


@inlined
def _decay_by_profile(s: State) -> None:
    for i in range(s.trace_pre.size):
        own = _profile(s, s.source_profile[i])
        s.trace_pre[i] = decayed_once(
            s.trace_pre[i], own.trace_pre_decay, own.trace_pre_decay_shift
        )


@compiled
def _shift_history(history: Int32, mark: int) -> None:
    """Let a tick pass in the history of all sources: what was marked becomes the lowest bit."""
    for i in range(history.size):
        spiked = np.int32(1) if history[i] & mark else np.int32(0)
        history[i] = ((history[i] << 1) | spiked) & (mark - 1)


@compiled
def _digest_update(s: State, z: Sizes) -> np.uint32:
    digest = digest_neurons(
        z.digest_neurons, s.i_syn, s.i_inh, s.v, s.held, s.trace_post, s.refrac_count, s.theta,
        z.has_two_receptors, 2 * z.i_syn_top + 1, 2 * z.v_top + 1, z.digest_rounds,
    )  # fmt: skip
    if z.learning:
        digest ^= digest_sources(z.digest_sources, s.trace_pre, s.history, z.digest_rounds)
    return digest


@compiled
def _learn(
    s: State, r: Settings, z: Sizes, tick: int, fired: Int32, digests: Word32 | None
) -> tuple[np.uint32, np.int64]:
    """Learn from the neurons that fired; return their part of the digest, and steps clamped."""
    digest, cut = np.uint32(0), np.int64(0)
    form_steps(s.step_post, s.trace_pre, r.post_gain, r.post_offset, z.step_shift)
    key_x, key_y = noise_key(r.seed, tick, a.PASS_POST)
    for k in range(fired.size):
        j = int(np.int64(fired[k]))
        if s.column_learns[j]:
            if r.stochastic:
                fill_noise(s.column_noise, key_x, key_y, j, z.sources)
            # Strided access cannot be vectorised: gather, calculate, scatter.
            for i in range(s.column.size):
                s.column[i] = s.weight[i, j]
            cut += apply_steps(
                s.column, s.plastic_by_neuron[j], s.step_post, s.column_noise, r.w_min, r.w_max
            )
            for i in range(s.column.size):
                s.weight[i, j] = s.column[i]
            if digests is not None and digests.size:
                digest ^= digest_synapses(
                    z.digest_post + j, 0, s.column, s.plastic_by_neuron[j], z.weight_mask,
                    z.digest_rounds,
                )  # fmt: skip
    return digest, cut


@inlined
def _learn_column(
    s: State, t: Table, z: Sizes, j: int, k: int, key_x: np.uint16, key_y: np.uint16,
    digests: Word32 | None,
) -> tuple[np.uint32, np.int32]:  # fmt: skip
    """Learn from a neuron that fired in a dense projection to it; return as `_learn`."""
    count, stride = t.projection_sources[k] * t.lanes, t.projection_targets[k] * t.lanes
    first = t.projection_base[k] * t.lanes + j - t.projection_target[k] * t.lanes
    begin, digest = t.projection_source[k] * t.lanes, np.uint32(0)
    end = begin + count
    column, plastic = t.line_weight[:count], t.line_plastic[:count]
    for i in range(count):
        column[i], plastic[i] = t.row_weight[first + i * stride], t.row_plastic[first + i * stride]
    own, drift = _rule(t, k), _drift(t, k)
    if drift:
        own = _drifted(own, drift, z)
        _act(column, column, plastic, own, drift)
    cut = _learn_line(
        t.line_change[:count], t.window_table[_window(t, own.window)], own, z.step_shift,
        a.PASS_POST, column, plastic, (s.history if own.window else s.trace_pre)[begin:end],
        s.column_noise[begin:end], z.sources[begin:end], j, key_x, key_y,
    )  # fmt: skip
    if drift:
        _store(column, column, plastic, drift)
    for i in range(count):
        t.row_weight[first + i * stride] = column[i]
    if digests is not None and digests.size:
        digest = digest_synapses(
            z.digest_post + j, begin, column, plastic, z.weight_mask, z.digest_rounds
        )
    return digest, cut


@compiled
def _learn_walked(
    s: State, t: Table, r: Settings, z: Sizes, tick: int, fired: Int32, digests: Word32 | None
) -> tuple[np.uint32, np.int64]:
    """Learn from the neurons that fired, through their projections; return as `_learn`."""
    digest, cut = np.uint32(0), np.int64(0)
    key_x, key_y = noise_key(r.seed, tick, a.PASS_POST)
    for f in range(fired.size):
        j = int(np.int64(fired[f]))
        walk = t.column_projections[j // t.lanes]
        for n in range(walk >> WALK_FIRST_BITS):
            k = t.column_order[(walk & ((1 << WALK_FIRST_BITS) - 1)) + n]
            if t.row_learns[k]:
                code, steps_cut = _learn_column(s, t, z, j, k, key_x, key_y, digests)
                digest ^= code
                cut += steps_cut
    return digest, cut


@inlined
def _learn_now(
    s: State, table: tuple[Any, ...] | None, r: Settings, z: Sizes, tick: int, fired: Int32,
    digests: Word32,
) -> tuple[np.uint32, np.int64]:  # fmt: skip
    """Let the neurons that fired change their columns at once; return as `_learn`."""
    digest, cut = np.uint32(0), np.int64(0)
    if r.learn_post and fired.size:
        if table is None:
            digest, cut = _learn(s, r, z, tick, fired, digests)
        else:
            digest, cut = _learn_walked(s, Table(*table), r, z, tick, fired, digests)
    return digest, cut


@compiled
def _count_word(kind: int, count: int) -> np.uint32:
    """Return the word of `kind` with a count, which saturates and does not wrap."""
    held = min(int(np.int64(count)), (1 << WORD_COUNT_BITS) - 1)
    return np.uint32((_COUNTED | kind) << WORD_COUNT_BITS | held)


@inlined
def _deliver_and_count(
    s: State, table: tuple[Any, ...] | None, owes: tuple[Any, ...] | None, r: Settings, z: Sizes,
    log: Log, now: int, source: int, has_room: bool, key_x: np.uint16, key_y: np.uint16,
    digests: Word32 | None,
) -> np.uint32:  # fmt: skip
    """Deliver the spike of a source, and count what saturates; return its digest."""
    digest, i_syn_cut, weight_cut = np.uint32(0), np.int32(0), np.int32(0)
    if owes is not None:
        i_syn_cut, weight_cut = _deliver_settled(
            s, owed.Owed(*owes), r, z, source, key_x, key_y, has_room
        )
    if table is None:
        if digests is not None:
            digest, i_syn_cut, weight_cut = _deliver(s, r, z, source, key_x, key_y, digests)
    else:
        t = Table(*table)
        digest, i_syn_cut, weight_cut = _deliver_walked(
            s, t, r, z, now, source, has_room, key_x, key_y, digests
        )
        if t.relay_ring.size:
            code = _set_relays(t, z, now, source)
            if digests is not None and digests.size:
                digest ^= code
    log.saturations[I_SYN] += i_syn_cut
    log.saturations[WEIGHT] += weight_cut
    return digest


@inlined
def _prepare_rows(
    s: State, table: tuple[Any, ...] | None, owes: tuple[Any, ...] | None, r: Settings, z: Sizes,
    named: Int32, fired: Int32, late: int,
) -> bool:  # fmt: skip
    """Form what all rows of a tick use; return whether their currents certainly have room."""
    if r.learn_pre and table is None:
        form_steps(s.step_pre, s.trace_post, r.pre_gain, r.pre_offset, z.step_shift)
    has_room = False
    if owes is not None:
        if r.learn_pre:
            o = owed.Owed(*owes)
            owed.form_row_changes(o.row_change, o.row_limit, s.step_pre, r.stochastic)
        if not r.i_inh_en and named.size + fired.size <= owed.ROWS_AT_ONCE:
            has_room = _have_room(s.i_syn, named.size + fired.size, z.weight_top, z.i_syn_top)
    if table is not None:
        t = Table(*table)
        if not (r.i_inh_en or t.row_delay.size):
            synapses = _find_reach(t, z, named, fired, t.relays_listed[:late])
            if synapses <= owed.ROWS_AT_ONCE:
                has_room = _have_room(s.i_syn, synapses, z.weight_top, z.i_syn_top)
    return has_room


@inlined
def _find_reach(t: Table, z: Sizes, named: Int32, fired: Int32, relays: Int32) -> int:
    """Return the most synapses by which all active sources together reach a neuron."""
    total = int(np.int64(0))
    for k in range(named.size):
        total += t.reach[named[k]]
    for k in range(fired.size):
        total += t.reach[z.n_axons + fired[k]]
    for k in range(relays.size):
        total += t.reach[t.reach.size - t.relay_delay.size + relays[k]]
    return total


@inlined
def _deliver_all(
    s: State, table: tuple[Any, ...] | None, owes: tuple[Any, ...] | None, r: Settings, z: Sizes,
    c: Schedule, log: Log, now: int, event: int, spiked: int, event_tick: Int64, event_axon: Int32,
    digests: Word32 | None,
) -> tuple[np.uint32, int, int]:  # fmt: skip
    """Deliver all spikes of a tick.

    `event` is the number of the first event that may be of this tick, `spiked` that of the neurons
    that fired in the last one. Return the digest, the number of the first event of a later tick,
    and the cycle in which *Update* begins.
    """
    key_x, key_y = np.uint16(0), np.uint16(0)
    if r.learn_pre and (r.stochastic or table is not None):
        key_x, key_y = noise_key(r.seed, now, a.PASS_PRE)
    rows, constant, digest = int(np.int64(0)), int(np.int64(0)), np.uint32(0)
    late = int(np.int64(0))
    if table is not None:
        t = Table(*table)
        if t.relay_ring.size:
            late = _take_relays(t.relay_ring, t.relays_due, t.relays_listed, now)
        log.saturations[I_SYN] += _take_due(s, t, r, z, now)
    end = event
    while end < event_tick.size and event_tick[end] == now:
        end += 1
    named, has_room = end - event, False
    if named + spiked + late:
        has_room = _prepare_rows(
            s, table, owes, r, z, event_axon[event:end], s.fired[:spiked], late
        )
    for k in range(named + spiked + late):
        if event < end:
            source = int(np.int64(event_axon[event]))
            if k > 0 and source == event_axon[event - 1]:
                rows += c.repeat
            event += 1
        else:
            source = z.n_axons + s.fired[k - named]
            if table is not None:
                if k >= named + spiked:
                    relay = Table(*table).relays_listed[k - named - spiked]
                    source = z.n_axons + s.pending.size + relay
        rows += c.row[source]
        digest ^= _deliver_and_count(
            s, table, owes, r, z, log, now, source, has_room, key_x, key_y, digests
        )
    if has_room:
        if owes is not None:
            o = owed.Owed(*owes)
            owed.deliver_waiting(o.arrived, s.weight, o.waiting[: o.place[owed.WAITING]])
            o.place[owed.WAITING] = 0
            owed.arrive(o.arrived, s.i_syn)
        if table is not None:
            owed.arrive(Table(*table).arrived, s.i_syn)
    if table is not None:
        constant = _deliver_constants(s, Table(*table), r, z, c, log)
    return digest, event, c.lead + (c.with_rows + rows + constant if rows else c.without_rows)


@compiled
def _apply_biases(
    biases: Int32, b: Biases, now: int, event: int, digests: Word32 | None, row: int, mask: int,
    rounds: int,
) -> tuple[np.uint32, int]:  # fmt: skip
    """Apply the bias events of a tick; number `event` may be the first of them.

    Return their digest, and the number of the first one of a later tick.
    """
    digest = np.uint32(0)
    while event < b.tick.size and b.tick[event] == now:
        j, bias = int(np.int64(b.neuron[event])), b.bias[event]
        biases[j] = bias
        if digests is not None and digests.size:
            digest ^= digest_word(row, j, int(np.int64(bias)) & mask, rounds)
        event += 1
    return digest, event


@compiled
def _report_range(
    values: Int32, nibbles: int, held: np.uint64, fill: int, words: Word32, put: int, end: int
) -> tuple[np.uint64, int, int]:
    """Report a range, behind `fill` nibbles that are held; return what is held, and where."""
    mask = (np.uint64(1) << np.uint64(NIBBLE_BITS * nibbles)) - np.uint64(1)
    for k in range(values.size):
        held |= (np.uint64(values[k]) & mask) << np.uint64(NIBBLE_BITS * fill)
        fill += nibbles
        if fill >= WORD_NIBBLES:
            if put < end:
                words[put] = _count_word(
                    Word.PROBE, int(held & np.uint64((1 << WORD_COUNT_BITS) - 1))
                )
                put += 1
            held >>= np.uint64(WORD_COUNT_BITS)
            fill -= WORD_NIBBLES
    return held, fill, put


@compiled
def _report(q: Probes, words: Word32, put: int) -> int:
    """Report all ranges of state; return the words put out so far."""
    end, held, fill = put + q.words, np.uint64(0), int(np.int64(0))
    held, fill, put = _report_range(q.first, q.nibbles[0], held, fill, words, put, end)
    held, fill, put = _report_range(q.second, q.nibbles[1], held, fill, words, put, end)
    held, fill, put = _report_range(q.third, q.nibbles[2], held, fill, words, put, end)
    held, fill, put = _report_range(q.fourth, q.nibbles[3], held, fill, words, put, end)
    if fill and put < end:
        words[put] = _count_word(Word.PROBE, int(held))
        put += 1
    return put


@entry
def run_ticks(
    state: tuple[Any, ...],
    settings: tuple[int, ...],
    sizes: tuple[Any, ...],
    cycles_of: tuple[Any, ...],
    table: tuple[Any, ...] | None,
    owes: tuple[Any, ...] | None,
    tick: int,
    ticks: int,
    event_tick: Int64,
    event_axon: Int32,
    words: Word32,
    saturations: Int64,
    digests: Word32 | None,
    probes: tuple[Any, ...],
    biases: tuple[Any, ...],
) -> tuple[int, int, int, int, int]:
    """Execute up to `ticks` ticks, beginning with `tick`.

    `state`, `settings`, `sizes`, `cycles_of` and `table` are the fields of `State`, `Settings`,
    `Sizes`, `Schedule` and `Table` as plain tuples; `table` is None in a core without projections.
    `digests` receives the digest of the last tick, if it has room for one. Where it is None, as
    none are computed and there is no table, no code for them is compiled. `probes` are the fields
    of `Probes`, with ``left`` at -1 if no tick reports, and `biases` those of `Biases`.

    `owes` are the fields of `owed.Owed` in a core without projections, unless digests are computed,
    which show every step in its tick. A call of no ticks brings all rows up to date.

    Events ascend by (tick, axon) and none is before `tick`. A tick is begun only if there is room
    for ``max_words_per_tick`` output words, and for those of its probes.

    Return the numbers of ticks executed, of words put out, of axon events taken, of bias events
    taken, and of cycles.
    """
    s, r, z = State(*state), Settings(*settings), Sizes(*sizes)
    c, log = Schedule(*cycles_of), Log(words, saturations)
    q, b = Probes(*probes), Biases(*biases)
    if not r.stochastic:
        fill_halves(s.row_noise)
        fill_halves(s.column_noise)
    done, put, event, cycles = 0, int(np.int64(0)), int(np.int64(0)), int(np.int64(0))
    left, rewritten = int(np.int64(q.left)), int(np.int64(0))
    fired = list_flags(s.pending, s.fired)
    if owes is not None:
        if ticks == 0:
            _settle_before(s, owed.Owed(*owes), r, z, log, owed.Owed(*owes).place[owed.NOW])
    while done < ticks:
        room = log.words.size - put - z.max_words_per_tick
        if left == 0:
            room -= q.words
        if room < 0:
            break
        now = tick + done
        digest, event, begin = _deliver_all(
            s, table, owes, r, z, c, log, now, event, fired, event_tick, event_axon, digests
        )
        code, later = _apply_biases(
            s.bias, b, now, rewritten, digests, z.digest_biases, 2 * z.v_top + 1, z.digest_rounds
        )
        digest ^= code
        begin += b.cycles * (later - rewritten)
        rewritten = later
        log.words[put] = _count_word(Word.UPDATE, begin)
        if z.has_profiles:
            for j in range(s.pending.size):
                _update_one(s, r, z, log, j)
            if z.learning:
                _decay_by_profile(s)
            fired, put = _list_fired(s, z, c, log, put + 1)
        else:
            fired, put = _update(s, r, z, c, log, put + 1, digests)
        if z.history_mark:
            _shift_history(s.history, z.history_mark)
        if digests is not None and digests.size:
            digest ^= _digest_update(s, z)
        columns = int(np.int64(0))
        if table is not None and r.learn_post:
            code, sums_cut = _drift_all(Table(*table), z)
            log.saturations[WEIGHT] += sums_cut
            if digests is not None and digests.size:
                digest ^= code
        if owes is not None:
            if r.learn_post:
                _record(s, owed.Owed(*owes), r, z, log, now, s.fired[:fired])
        if digests is not None:
            code, steps_cut = _learn_now(s, table, r, z, now, s.fired[:fired], digests)
            digest ^= code
            log.saturations[WEIGHT] += steps_cut
        if r.learn_post:
            for k in range(fired):
                columns += c.column[s.fired[k]]
        taken = begin + c.update_and_end + (c.with_columns + columns if columns else 0)
        if left == 0:
            put = _report(q, log.words, put)
            taken += q.cycles
            left += q.period
        left -= 1
        log.words[put] = _count_word(Word.END, taken)
        put += 1
        if digests is not None and digests.size:
            digests[0] = digest
            log.words[put] = _count_word(Word.DIGEST_LOW, int(digest & 0xFFFF))
            log.words[put + 1] = _count_word(Word.DIGEST_HIGH, int(digest >> 16))
            put += DIGEST_WORDS
        cycles += taken
        done += 1
    return done, put, event, rewritten, cycles
