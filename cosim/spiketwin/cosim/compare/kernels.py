"""Ticks in double precision: the order and the rules of `spiketwin.hdl.spec.oracle`, on reals.

Each rounding of the core can be applied separately: losses of decays, widths, and steps of weights.
With none the network is ideal; with all of them, and values that a core can hold, every value
equals the core's, since doubles hold its integers exactly and nothing else in a tick rounds.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from spiketwin.cosim.compilation import compiled, entry
from spiketwin.cosim.model.steps import fill_noise, noise_key
from spiketwin.hdl.spec import arithmetic as a
from spiketwin.hdl.spec.params import WINDOW_BITS, WINDOW_BYTE

Reals = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Word16 = npt.NDArray[np.uint16]
Flags = npt.NDArray[np.bool_]

_FINEST_STEP = float(1 << a.STEP_BITS)
_MARK = 1 << WINDOW_BITS[-1]
"""What a spike sets in a history, until the update at the end of its tick."""


class State(NamedTuple):
    """Arrays of a network, by the names of the specification, and scratch space.

    `weight`, `plastic`, `rule` and `synapse_delay` have shape (n_sources, n_neurons), `trace_pre`
    (n_sources,), with relays behind the other sources; `pending` flags the neurons that fired in
    the last tick; `shared` has shape (n_profiles, fields of `Shared`), and `rules` (n_rules, fields
    of `Rule`). `relay_source` and `relay_delay` have shape (relays,), and `relay_ring`, of shape
    (ticks, relays), flags those that are active in a tick, modulo its length. `i_syn_ring` and
    `i_inh_ring`, of shape (ticks, n_neurons), are the currents on their way, modulo their length,
    which is above all delays. `history` is that of cores with windows of 16 ticks, whose lower bits
    are that of cores with 8, `window_table` has a row for each window, and
    `drift_sum` an entry for each rule. `active`, of shape
    (n_sources,), `row_noise` and `column_noise` are scratch.
    """

    weight: Reals
    plastic: Flags
    synapse_delay: Int64
    rule: Int64
    rules: Reals
    window_table: Reals
    drift_sum: Reals
    threshold: Reals
    v_reset: Reals
    refrac_ticks: Int64
    bias: Reals
    profile: Int64
    source_profile: Int64
    shared: Reals
    v: Reals
    i_syn: Reals
    i_inh: Reals
    refrac_count: Int64
    theta: Reals
    trace_pre: Reals
    history: Int64
    trace_post: Reals
    pending: Flags
    relay_source: Int64
    relay_delay: Int64
    relay_ring: Flags
    i_syn_ring: Reals
    i_inh_ring: Reals
    active: Flags
    row_noise: Word16
    column_noise: Word16


class Shared(NamedTuple):
    """The constants of a profile; each ``…_loss`` is the part of a value lost per tick of decay.

    Traces are fractions of full scale.
    """

    v_loss: float
    v_floor: float
    i_syn_loss: float
    reset_subtract: float
    theta_loss: float
    theta_bump: float
    trace_pre_loss: float
    trace_pre_bump: float
    trace_pre_replace: float
    trace_post_loss: float
    trace_post_bump: float
    trace_post_replace: float
    i_inh_loss: float
    refrac_integrates: float
    linear_leak: float


class Rules(NamedTuple):
    """Settings of a network."""

    learn_pre: bool
    learn_post: bool
    i_syn_shift: float
    i_inh_en: bool


class Rule(NamedTuple):
    """The constants that a rule holds; gains and offsets are in weight units."""

    stochastic: float
    w_min: float
    w_max: float
    pre_gain: float
    pre_offset: float
    post_gain: float
    post_offset: float
    gain_shift: float
    current_after: float
    window: float
    drift: float


class Grid(NamedTuple):
    """The roundings that are applied.

    `unit` and `trace_unit` are the steps to which the loss of a decay is rounded, 0 for none; to
    `unit` also the part of a current that `i_syn_shift` leaves.
    Each ``…_top`` is the largest value that the width holds, ``inf`` for no bound; signed state
    reaches down to ``-top - 1``.
    `whole_steps` rounds the steps of weights, by noise from `seed` if `stochastic`; the last two
    are the core's numbers of sources and neurons, on which the noise depends.
    """

    unit: float
    trace_unit: float
    v_top: float
    i_syn_top: float
    theta_top: float
    trace_top: float
    weight_top: float
    drift_top: float
    whole_steps: bool
    stochastic: bool
    seed: int
    sources: Word16
    neurons: Word16


@compiled
def _decayed(value: float, loss: float, unit: float) -> float:
    if loss == 0.0 or value == 0.0:
        return value
    if unit == 0.0:
        return value - value * loss
    lost = max(1.0, math.floor(abs(value) / unit * loss + 0.5)) * unit
    rest = max(0.0, abs(value) - lost)
    return rest if value > 0 else -rest


@compiled
def _leaked(value: float, own: Shared, unit: float) -> float:
    if own.linear_leak == 0.0:
        return _decayed(value, own.v_loss, unit)
    rest = max(0.0, abs(value) - own.linear_leak)
    return rest if value > 0 else -rest


@compiled
def _shared(s: State, profile: int) -> Shared:
    row = s.shared[profile]
    return Shared(
        row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], row[8], row[9], row[10],
        row[11], row[12], row[13], row[14],
    )  # fmt: skip


@compiled
def _rule(s: State, g: Grid, number: int) -> Rule:
    """Return a rule with the bounds of what is stored, and the drift so far."""
    row, drift = s.rules[number], s.drift_sum[number]
    if g.whole_steps:
        drift = math.floor(drift)
    low = _held(min(row[1], row[2]) - drift, g.weight_top)
    high = _held(row[2] - drift, g.weight_top)
    return Rule(row[0], low, high, row[3], row[4], row[5], row[6], row[7], row[8], row[9], drift)


@compiled
def _stored(weight: float, own: Rule) -> float:
    """Return a stored weight, held to its bounds if these have drifted."""
    return weight if own.drift == 0.0 else min(own.w_max, max(own.w_min, weight))


@entry
def let_act(s: State, g: Grid, weights: Reals) -> None:
    """Let a copy of the weights, shape (n_sources, n_neurons), become those that act."""
    for i in range(weights.shape[0]):
        for j in range(weights.shape[1]):
            if s.plastic[i, j]:
                own = _rule(s, g, s.rule[i, j])
                weights[i, j] = _stored(weights[i, j], own) + own.drift


@compiled
def _part(current: float, shift: float, unit: float) -> float:
    if shift == 0.0:
        return current
    part = current / math.pow(2.0, shift)
    return part if unit == 0.0 else math.floor(part / unit + 0.5) * unit


@compiled
def _held(value: float, top: float) -> float:
    return max(-top - 1.0, min(top, value))


@compiled
def _drifted(total: float, g: Grid) -> float:
    """Return a sum of drifts, held to its width, whose range is no more than that of weights."""
    finest = 1.0 / _FINEST_STEP
    return max(-g.drift_top - finest, min(g.drift_top, total))


@compiled
def _bumped(trace: float, bump: float, replace: float, top: float) -> float:
    return min(bump if replace != 0.0 else trace + bump, top)


@compiled
def _stepped(weight: float, step: float, noise: int, own: Rule, g: Grid) -> float:
    if g.whole_steps:
        rounding = noise if own.stochastic != 0.0 else a.HALF_STEP
        step = math.floor(step + rounding / _FINEST_STEP)
    return min(own.w_max, max(own.w_min, weight + step))


@compiled
def _step(trace: float, gain: float, offset: float, own: Rule, g: Grid) -> float:
    change = gain * math.pow(2.0, own.gain_shift) * trace
    if g.whole_steps:
        change = math.floor(change * _FINEST_STEP) / _FINEST_STEP
    return change + offset


@compiled
def _post_step(s: State, i: int, own: Rule, g: Grid) -> float:
    """Return the step of a weight at a post-event, by the past of its source or by its trace."""
    if own.window == 0.0:
        return _step(s.trace_pre[i], own.post_gain, own.post_offset, own, g)
    table, entries = s.window_table[int(own.window) - 1], 0.0
    for byte in range(table.size >> WINDOW_BYTE):
        past = (s.history[i] >> (WINDOW_BYTE * byte)) & ((1 << WINDOW_BYTE) - 1)
        entries += table[(byte << WINDOW_BYTE) + past]
    return entries * math.pow(2.0, own.gain_shift) + own.post_offset


@compiled
def _deliver_due(s: State, g: Grid, now: int) -> None:
    slot = now % len(s.i_syn_ring)
    for j in range(s.i_syn.size):
        s.i_syn[j] = _held(s.i_syn[j] + s.i_syn_ring[slot, j], g.i_syn_top)
        s.i_inh[j] = _held(s.i_inh[j] + s.i_inh_ring[slot, j], g.i_syn_top)
        s.i_syn_ring[slot, j] = s.i_inh_ring[slot, j] = 0.0


@compiled
def _deliver(
    s: State, r: Rules, g: Grid, now: int, source: int, key_x: np.uint16, key_y: np.uint16
) -> None:
    s.active[source] = True
    row, plastic, delay = s.weight[source], s.plastic[source], s.synapse_delay[source]
    if r.learn_pre and g.stochastic:
        fill_noise(s.row_noise, key_x, key_y, g.sources[source], g.neurons)
    for j in range(row.size):
        acts = row[j]
        if plastic[j]:
            rule = _rule(s, g, s.rule[source, j])
            acts = _stored(acts, rule)
            if r.learn_pre:
                step = _step(s.trace_post[j], rule.pre_gain, rule.pre_offset, rule, g)
                row[j] = _stepped(acts, step, s.row_noise[j], rule, g)
                acts = row[j] if rule.current_after != 0.0 else acts
            acts += rule.drift
        inhibits = r.i_inh_en and acts < 0.0
        current = s.i_inh if inhibits else s.i_syn
        if delay[j]:
            ring = s.i_inh_ring if inhibits else s.i_syn_ring
            current = ring[(now + delay[j]) % len(ring)]
        current[j] = _held(current[j] + acts, g.i_syn_top)
    own = _shared(s, s.source_profile[source])
    s.trace_pre[source] = _bumped(
        s.trace_pre[source], own.trace_pre_bump, own.trace_pre_replace, g.trace_top
    )
    s.history[source] |= _MARK


@compiled
def _update(s: State, r: Rules, g: Grid, j: int) -> bool:
    own = _shared(s, s.profile[j])
    currents = _part(s.i_syn[j], r.i_syn_shift, g.unit) + _part(s.i_inh[j], r.i_syn_shift, g.unit)
    v = _leaked(s.v[j], own, g.unit) + currents + s.bias[j]
    v = _held(max(v, own.v_floor), g.v_top)
    s.i_syn[j] = _decayed(s.i_syn[j], own.i_syn_loss, g.unit)
    s.i_inh[j] = _decayed(s.i_inh[j], own.i_inh_loss, g.unit)
    limit = s.threshold[j] + s.theta[j]
    refractory = s.refrac_count[j] > 0
    fires = not refractory and v >= limit
    if fires:
        s.v[j] = _held(v - limit if own.reset_subtract != 0.0 else s.v_reset[j], g.v_top)
        s.refrac_count[j] = s.refrac_ticks[j]
        s.theta[j] = min(s.theta[j] + own.theta_bump, g.theta_top)
    elif not refractory or own.refrac_integrates != 0.0:
        s.v[j] = v
    if refractory:
        s.refrac_count[j] -= 1
    s.theta[j] = _decayed(s.theta[j], own.theta_loss, g.unit)
    s.trace_post[j] = _decayed(s.trace_post[j], own.trace_post_loss, g.trace_unit)
    if fires:
        s.trace_post[j] = _bumped(
            s.trace_post[j], own.trace_post_bump, own.trace_post_replace, g.trace_top
        )
    return fires


@compiled
def _learn(s: State, g: Grid, j: int, key_x: np.uint16, key_y: np.uint16) -> None:
    if g.stochastic:
        fill_noise(s.column_noise, key_x, key_y, g.neurons[j], g.sources)
    for i in range(s.trace_pre.size):
        if s.plastic[i, j]:
            rule = _rule(s, g, s.rule[i, j])
            step, stored = _post_step(s, i, rule, g), _stored(s.weight[i, j], rule)
            s.weight[i, j] = _stepped(stored, step, s.column_noise[i], rule, g)


@compiled
def _relay(s: State, r: Rules, g: Grid, now: int, key_x: np.uint16, key_y: np.uint16) -> None:
    """Deliver the relays of a tick, and let those of its active sources be active later."""
    first = s.trace_pre.size - s.relay_source.size
    ticks = s.relay_ring.shape[0]
    for k in range(s.relay_source.size):
        if s.relay_ring[now % ticks, k]:
            s.relay_ring[now % ticks, k] = False
            _deliver(s, r, g, now, first + k, key_x, key_y)
        if s.active[s.relay_source[k]]:
            s.relay_ring[(now + s.relay_delay[k]) % ticks, k] = True


@entry
def run_ticks(
    s: State,
    r: Rules,
    g: Grid,
    tick: int,
    ticks: int,
    event_tick: Int64,
    event_axon: Int64,
    spikes: Int64,
    bias_tick: Int64,
    bias_neuron: Int64,
    bias_value: Reals,
) -> int:
    """Execute `ticks` ticks, beginning with `tick`, and return the number of spikes.

    Events ascend by (tick, axon), bias events by tick, and none is outside these ticks. The output
    `spikes`, shape (ticks · n_neurons, 2), receives (tick, neuron) of each spike.
    """
    count, event, rewritten = 0, 0, 0
    n_axons = s.trace_pre.size - s.relay_source.size - s.v.size
    for now in range(tick, tick + ticks):
        key_x, key_y = noise_key(g.seed, now, a.PASS_PRE)
        s.active[:] = False
        while rewritten < bias_tick.size and bias_tick[rewritten] == now:
            s.bias[bias_neuron[rewritten]] = bias_value[rewritten]
            rewritten += 1
        _deliver_due(s, g, now)
        while event < event_tick.size and event_tick[event] == now:
            _deliver(s, r, g, now, event_axon[event], key_x, key_y)
            event += 1
        for j in range(s.pending.size):
            if s.pending[j]:
                _deliver(s, r, g, now, n_axons + j, key_x, key_y)
        _relay(s, r, g, now, key_x, key_y)
        first = count
        for j in range(s.pending.size):
            s.pending[j] = _update(s, r, g, j)
            if s.pending[j]:
                spikes[count, 0] = now
                spikes[count, 1] = j
                count += 1
        for i in range(s.trace_pre.size):
            loss = _shared(s, s.source_profile[i]).trace_pre_loss
            s.trace_pre[i] = _decayed(s.trace_pre[i], loss, g.trace_unit)
            spiked = 1 if s.history[i] & _MARK else 0
            s.history[i] = ((s.history[i] << 1) | spiked) & (_MARK - 1)
        if r.learn_post:
            for k in range(s.drift_sum.size):
                s.drift_sum[k] = _drifted(s.drift_sum[k] + s.rules[k, 10], g)
            key_x, key_y = noise_key(g.seed, now, a.PASS_POST)
            for k in range(first, count):
                _learn(s, g, spikes[k, 1], key_x, key_y)
    return count
