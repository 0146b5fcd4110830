"""The steps of post-events that rows are owed, applied when the row is needed and not before.

A post-event changes a column, whose weights lie as far apart as rows are long: at each of them the
processor would fetch a line of memory for one weight. So the neurons that fired are only recorded,
and a row takes all its steps since its last visit when its source spikes, while it is at hand
anyway. The result is the same to the bit: a step depends on the source's trace, which only decays
between two spikes of the source, on the noise of its own tick, and on the weight that the step
before has left, and the steps of each synapse are taken in their order.

While a trace decays its steps keep the same size for some ticks. Where they are rounded to nearest,
all post-events of such ticks are applied to a row at once, by the number of times that each neuron
fired in them. Otherwise they are applied one by one.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from spiketwin.cosim.compilation import compiled, inlined
from spiketwin.cosim.model.decay import decayed, least_loss
from spiketwin.cosim.model.hashing import Flags, Int32, Weights, list_flags, mix_round, spread
from spiketwin.cosim.model.steps import Word16
from spiketwin.hdl.spec import arithmetic as a

Int64 = npt.NDArray[np.int64]
Counts = npt.NDArray[np.uint8]
StepCounts = npt.NDArray[np.int16]
Wide = npt.NDArray[np.int16] | npt.NDArray[np.int32]

RING: Final = 128
"""Ticks whose post-events are kept, a power of two; counts of 8 bits tell them apart."""

NOW, LOGGED, WAITING = range(3)
"""Indices into `Owed.place`: the tick under way, counted by itself, and the numbers of entries and
of rows that wait."""

ROWS_AT_ONCE: Final = 255
"""Rows whose sum fits twice the width of a weight."""

_MOST_CHANGES: Final = 16
"""Changes of the size of its steps that are noted of a source."""

_SINGLE_COST: Final = 16
"""Synapses of a row to which a step is applied at once in the time of one post-event by itself."""


class Owed(NamedTuple):
    """The post-events of the last ticks, and since when each row is owed them.

    `since` and `trace` are, for each source, the tick before whose *Learn* its row was up to date,
    and its `trace_pre` at that time. `bounded` flags the rows whose plastic weights are known to be
    within the bounds, `whole` those in which all are plastic, and `all_plastic` has the flags of
    such a row, so that its own need not be fetched.

    `pair_x` and `pair_y`, and `source_x` and `source_y`, are the words of a place that belong to
    each pair of neurons and of sources.

    `latest` is the size of the steps of each source in the last tick, rounded to nearest, and 0
    where nothing is owed. `changes` counts how often it has changed since `since`; the first
    `_MOST_CHANGES` of them are noted as `changed`, the number of ticks from there, and `became`.
    `differs` and `numbers` are room for those that change in a tick.

    `spikes`, of shape (RING, n_neurons), has for each tick how often every neuron had fired before
    its *Learn*, modulo 256. `first` has for each tick its first entry in the log, which is
    `neuron`, its `tick` in the ring and the words `noise_x` and `noise_y` from which the noise of a
    post-event begins. Room for the steps of a row: `end` and `size` of each stretch of ticks with
    steps of one size, `size_of_tick`, and `change` of each entry. `row_change` and `row_limit` are
    those of the pre-events of a tick, for each neuron: a step is so many weight units, and one more
    if its noise is above the limit. `arrived` is what the rows of a tick add up to. These and the
    changes are of integers that are twice as wide as a weight. `waiting` lists the sources of this
    tick whose rows are still to be added.
    """

    place: Int64
    since: Int64
    trace: Int32
    latest: StepCounts
    changes: Int64
    changed: Counts
    became: StepCounts
    differs: Flags
    numbers: Int32
    bounded: Flags
    whole: Flags
    all_plastic: Flags
    pair_x: Word16
    pair_y: Word16
    source_x: Word16
    source_y: Word16
    spikes: Counts
    first: Int64
    neuron: Word16
    tick: Counts
    noise_x: Word16
    noise_y: Word16
    end: Int64
    size: Int32
    size_of_tick: Int32
    change: Wide
    noise: Word16
    row_change: Wide
    row_limit: Word16
    row_noise: Word16
    arrived: Wide
    waiting: Int32


class PostRule(NamedTuple):
    """The post-event rule for the row of one source: constants, bounds, and decay of its trace."""

    gain: int
    offset: int
    shift: int
    stochastic: int
    w_min: int
    w_max: int
    decay: int
    decay_shift: int


def none_owed(n_sources: int, n_neurons: int, narrow: bool) -> Owed:
    """Return arrays for a core of this size, in which nothing is owed.

    Weights have 8 bits if they are `narrow`, else 16.
    """
    room = 8 * n_neurons
    pair_x, pair_y = _pair_places(n_neurons // 2)
    source_x, source_y = _pair_places((n_sources + 1) // 2)
    return Owed(
        place=np.zeros(3, np.int64),
        since=np.zeros(n_sources, np.int64),
        trace=np.zeros(n_sources, np.int32),
        latest=np.zeros(n_sources, np.int16),
        changes=np.zeros(n_sources, np.int64),
        changed=np.zeros((n_sources, _MOST_CHANGES), np.uint8),
        became=np.zeros((n_sources, _MOST_CHANGES), np.int16),
        differs=np.zeros(n_sources, np.bool_),
        numbers=np.zeros(n_sources, np.int32),
        bounded=np.zeros(n_sources, np.bool_),
        whole=np.zeros(n_sources, np.bool_),
        all_plastic=np.ones(n_neurons, np.bool_),
        pair_x=pair_x,
        pair_y=pair_y,
        source_x=source_x,
        source_y=source_y,
        spikes=np.zeros((RING, n_neurons), np.uint8),
        first=np.zeros(RING, np.int64),
        neuron=np.zeros(room, np.uint16),
        tick=np.zeros(room, np.uint8),
        noise_x=np.zeros(room, np.uint16),
        noise_y=np.zeros(room, np.uint16),
        end=np.zeros(RING, np.int64),
        size=np.zeros(RING, np.int32),
        size_of_tick=np.zeros(RING, np.int32),
        change=wide(room, narrow),
        noise=np.zeros(room, np.uint16),
        row_change=wide(n_neurons, narrow),
        row_limit=np.zeros(n_neurons, np.uint16),
        row_noise=np.zeros(n_neurons, np.uint16),
        arrived=wide(n_neurons, narrow),
        waiting=np.zeros(ROWS_AT_ONCE, np.int32),
    )


def wide(size: int, narrow: bool) -> Wide:
    """Return room for sums of weights of 8 bits if they are `narrow`, else 16."""
    return np.zeros(size, np.int16) if narrow else np.zeros(size, np.int32)


def _pair_places(count: int) -> tuple[Word16, Word16]:
    """Return the words of a place that belong to so many pairs."""
    x, y = (
        np.array([a.spread(pair, factor) for pair in range(count)], np.uint16)
        for factor in a.SPREAD_PAIR
    )
    return x, y


def begin_to_owe(o: Owed, trace_pre: Int32) -> None:
    """Let the rows, which are up to date, be owed what comes from now on."""
    o.place[LOGGED] = 0
    o.first[:] = 0
    o.since[:] = o.place[NOW]
    o.trace[:] = trace_pre
    o.bounded[:] = False
    o.latest[:] = 0
    o.changes[:] = 0


# --- recording -----------------------------------------------------------------------------------


@inlined
def record(o: Owed, fired: Int32, key_x: np.uint16, key_y: np.uint16) -> None:
    """Record the post-events of the tick under way, and go on to the next one."""
    now = o.place[NOW]
    before, after = o.spikes[now & (RING - 1)], o.spikes[(now + 1) & (RING - 1)]
    for j in range(after.size):
        after[j] = before[j]
    entry = o.place[LOGGED]
    for k in range(fired.size):
        j = int(np.int64(fired[k]))
        after[j] = np.uint8((np.int32(after[j]) + 1) & 0xFF)
        o.neuron[entry], o.tick[entry] = j, now & (RING - 1)
        o.noise_x[entry] = np.uint16(key_x ^ spread(j, a.SPREAD_SPIKED[0]))
        o.noise_y[entry] = np.uint16(key_y ^ spread(j, a.SPREAD_SPIKED[1]))
        entry += 1
    o.place[NOW] = now + 1
    o.place[LOGGED] = entry
    o.first[(now + 1) & (RING - 1)] = entry


@compiled
def _compare(latest: StepCounts, differs: Flags, steps: Int32) -> None:
    """Round steps to nearest, and flag those that have another size than before."""
    for i in range(steps.size):
        size = np.int16(np.int32(steps[i] + a.HALF_STEP) >> a.STEP_BITS)
        differs[i] = size != latest[i]
        latest[i] = size


@inlined
def note_sizes(o: Owed, steps: Int32) -> None:
    """Note of which sources the steps, rounded to nearest, have another size than before."""
    _compare(o.latest, o.differs, steps)
    for k in range(list_flags(o.differs, o.numbers)):
        i = o.numbers[k]
        number = o.changes[i]
        if number < _MOST_CHANGES:
            o.changed[i, number] = o.place[NOW] - o.since[i]
            o.became[i, number] = o.latest[i]
        o.changes[i] = number + 1


@inlined
def oldest_kept(o: Owed) -> int:
    """Return the tick from which on post-events may stay; what is older has to be applied now."""
    now = int(o.place[NOW])
    if o.place[LOGGED] + o.arrived.size > o.neuron.size:
        return now
    return now - RING // 2 + 1 if now & (RING // 2 - 1) == 0 else now - RING


@compiled
def forget(o: Owed, oldest: int) -> None:
    """Drop the post-events before a tick, which no row is owed any more."""
    begin = o.first[oldest & (RING - 1)]
    left = o.place[LOGGED] - begin
    for entry in range(left):
        o.neuron[entry], o.tick[entry] = o.neuron[begin + entry], o.tick[begin + entry]
        o.noise_x[entry] = o.noise_x[begin + entry]
        o.noise_y[entry] = o.noise_y[begin + entry]
    for tick in range(RING):
        o.first[tick] = max(o.first[tick] - begin, 0)
    o.place[LOGGED] = left


# --- applying ------------------------------------------------------------------------------------


@inlined
def settle(
    o: Owed, rule: PostRule, source: int, row: Weights, plastic: Flags, trace: int
) -> np.int64:
    """Bring the row of a source, whose trace is `trace` now, up to date; return steps clamped."""
    now, since = o.place[NOW], o.since[source]
    before = o.trace[source]
    changes = o.changes[source]
    o.since[source], o.trace[source], o.changes[source], o.latest[source] = now, trace, 0, 0
    if changes == 0 and o.bounded[source] and not rule.stochastic:
        return np.int64(0)
    first, last = o.first[since & (RING - 1)], o.first[now & (RING - 1)]
    if since == now or first == last:
        return np.int64(0)
    if o.whole[source]:
        plastic = o.all_plastic
    if not o.bounded[source]:
        o.bounded[source] = _are_bounded(row, plastic, rule.w_min, rule.w_max)
    if rule.stochastic or changes > _MOST_CHANGES:
        count = _form_sizes(o, rule, before, now - since)
    else:
        count = _take_sizes(o, source, changes, now - since)
    if o.bounded[source]:
        if o.size[count - 1] == 0:
            count -= 1
        if count == 0:
            return np.int64(0)
        last = o.first[(since + o.end[count - 1]) & (RING - 1)]
        if not rule.stochastic and count * row.size < _SINGLE_COST * (last - first):
            return _apply_together(o, rule, row, plastic, o.whole[source], since, count)
    _form_changes(o, rule, source, since, count, first, last)
    return _apply_singly(
        o.change[first:last], o.neuron[first:last], row, plastic, rule.w_min, rule.w_max
    )


@compiled
def _are_bounded(row: Weights, plastic: Flags, w_min: int, w_max: int) -> np.bool_:
    """Return whether all plastic weights are within the bounds."""
    low, high, outside = np.int16(w_min), np.int16(w_max), np.bool_(False)
    for k in range(row.size):
        weight = np.int16(row[k])
        outside = outside | (((weight < low) | (weight > high)) & plastic[k])
    return np.bool_(not outside and w_min <= w_max)


@compiled
def _size(rule: PostRule, trace: int | np.int32) -> int:
    """Return a step: rounded to weight units, or as it is if noise is to round it."""
    step = ((rule.gain * int(np.int64(trace))) >> rule.shift) + rule.offset
    return step if rule.stochastic else (step + a.HALF_STEP) >> a.STEP_BITS


@inlined
def _take_sizes(o: Owed, source: int, changes: int, ticks: int) -> int:
    """Divide ticks into stretches by the changes that were noted; return their number."""
    o.size[0], count = 0, int(np.int64(0))
    for k in range(changes):
        o.end[count] = o.changed[source, k]
        if o.end[count] > 0:
            count += 1
        o.size[count] = o.became[source, k]
    o.end[count] = ticks
    return count + 1


@compiled
def _form_sizes(o: Owed, rule: PostRule, trace: np.int32, ticks: int) -> int:
    """Divide ticks into stretches with steps of one size; return the number of stretches."""
    code, shift = np.uint32(rule.decay), np.uint32(rule.decay_shift)
    least, rest, value = least_loss(rule.decay), _size(rule, 0), np.int32(trace)
    count, tick = int(np.int64(0)), int(np.int64(0))
    while tick < ticks:
        value = decayed(value, code, shift, least)
        size = _size(rule, value)
        # A size goes with its trace, which only falls: what is like that of no trace stays so.
        tick = ticks if size == rest else tick + 1
        if count == 0 or o.size[count - 1] != size:
            o.size[count] = size
            count += 1
        o.end[count - 1] = tick
    return count


@inlined
def _apply_together(
    o: Owed, rule: PostRule, row: Weights, plastic: Flags, whole: bool, since: int, count: int
) -> np.int64:  # fmt: skip
    """Apply the steps of all stretches to a row whose weights are within the bounds."""
    cut, begin = np.int64(0), since
    for n in range(count):
        while o.size[n] != 0 and begin < since + o.end[n]:
            before, ticks = o.spikes[begin & (RING - 1)], since + o.end[n] - begin
            most = _most_often(before, o.spikes[(begin + ticks) & (RING - 1)])
            # No neuron may fire more often than twice, which is for sure in two ticks.
            while ticks > 2 and most > 2:
                ticks = max(ticks >> 1, 2)
                most = _most_often(before, o.spikes[(begin + ticks) & (RING - 1)])
            begin += ticks
            after = o.spikes[begin & (RING - 1)]
            if whole and most < 2:
                cut += _apply_once(o.arrived, row, before, after, o.size[n], rule.w_min, rule.w_max)
            else:
                cut += _apply_twice(
                    o.arrived, row, plastic, before, after, o.size[n], rule.w_min, rule.w_max
                )
        begin = since + o.end[n]
    return cut


@compiled
def _most_often(before: Counts, after: Counts) -> int:
    """Return how often the neuron fired that did so most often between two ticks."""
    most = np.uint8(0)
    for j in range(before.size):
        times = np.uint8((np.int16(after[j]) - np.int16(before[j])) & 0xFF)
        most = np.uint8(max(most, times))
    return int(np.int64(most))


@compiled
def _apply_once(
    like: Wide, row: Weights, before: Counts, after: Counts, step: int, w_min: int, w_max: int
) -> int:
    """Do as `_apply_twice` to a row that is plastic as a whole, where none fired more than once."""
    kind = like.dtype.type
    change, low, high, cut = kind(step), kind(w_min), kind(w_max), kind(0)
    for j in range(row.size):
        meant = kind(kind(row[j]) + (change if after[j] != before[j] else kind(0)))
        new = kind(min(max(meant, low), high))
        row[j] = new
        cut = kind(cut + kind(new != meant))
    return int(np.int64(cut))


@compiled
def _apply_twice(
    like: Wide, row: Weights, plastic: Flags, before: Counts, after: Counts, step: int, w_min: int,
    w_max: int,
) -> int:  # fmt: skip
    """Add a step to each weight as often as its neuron fired, up to twice; return steps clamped.

    The weights are within the bounds. All integers are like those of `like`.
    """
    kind = like.dtype.type
    change, size, cut = kind(step), kind(abs(int(np.int64(step)))), kind(0)
    low, high = kind(w_min), kind(w_max)
    for j in range(row.size):
        times = kind((np.int16(after[j]) - np.int16(before[j])) & 0xFF)
        meant = kind(kind(row[j]) + kind(times * change))
        meant = kind(meant if plastic[j] else kind(row[j]))
        new = kind(min(max(meant, low), high))
        new = kind(new if plastic[j] else meant)
        row[j] = new
        # All steps go one way: the last one is clamped if any, and both if more than it is lost.
        lost = kind(meant - new if meant > new else new - meant)
        cut = kind(cut + kind(kind(lost > 0) + kind(lost > size)))
    return int(np.int64(cut))


@inlined
def _form_changes(
    o: Owed, rule: PostRule, source: int, since: int, count: int, first: int, last: int
) -> None:
    """Write to `change` the weight units of all entries from `first` to `last`."""
    begin = since
    for n in range(count):
        for tick in range(begin, since + o.end[n]):
            o.size_of_tick[tick & (RING - 1)] = o.size[n]
        begin = since + o.end[n]
    ticks, changes = o.tick[first:last], o.change[first:last]
    if rule.stochastic:
        noise = o.noise[first:last]
        _mix(
            noise, o.noise_x[first:last], o.noise_y[first:last], o.source_x[source >> 1],
            o.source_y[source >> 1], source & 1,
        )  # fmt: skip
        _round_by_noise(changes, o.size_of_tick, ticks, noise)
    else:
        _take_size(changes, o.size_of_tick, ticks)


@compiled
def _mix(
    noise: Word16, noise_x: Word16, noise_y: Word16, place_x: np.uint16, place_y: np.uint16,
    odd: int,
) -> None:  # fmt: skip
    """Write the noise of post-events at one source."""
    for k in range(noise.size):
        x, y = np.uint16(noise_x[k] ^ place_x), np.uint16(noise_y[k] ^ place_y)
        for _ in range(a.NOISE_ROUNDS):
            x, y = mix_round(x, y)
        noise[k] = y if odd else x


@compiled
def _round_by_noise(changes: Wide, size_of_tick: Int32, ticks: Counts, noise: Word16) -> None:
    """Write the size of each entry's tick, which its noise rounds to weight units."""
    kind = changes.dtype.type
    for k in range(changes.size):
        changes[k] = kind(np.int32(size_of_tick[ticks[k]] + np.int32(noise[k])) >> a.STEP_BITS)


@compiled
def _take_size(changes: Wide, size_of_tick: Int32, ticks: Counts) -> None:
    """Write the size of each entry's tick, which is in weight units."""
    kind = changes.dtype.type
    for k in range(changes.size):
        changes[k] = kind(size_of_tick[ticks[k]])


@compiled
def _apply_singly(
    changes: Wide, neurons: Word16, row: Weights, plastic: Flags, w_min: int, w_max: int
) -> np.int64:
    """Apply changes to the weights to some neurons, in their order; return how many are clamped."""
    cut, low, high = np.int64(0), np.int32(w_min), np.int32(w_max)
    for k in range(changes.size):
        j = int(np.int64(neurons[k]))
        if plastic[j]:
            # Changes of 0 as well: a branch for them would be guessed wrong.
            meant = np.int32(np.int32(row[j]) + np.int32(changes[k]))
            new = min(max(meant, low), high)
            row[j] = new
            cut += np.int64(new != meant)
    return cut


# --- pre-events ----------------------------------------------------------------------------------


@compiled
def form_row_changes(changes: Wide, limits: Word16, steps: Int32, stochastic: int) -> None:
    """Divide the steps of the pre-events of a tick into weight units and limits of noise."""
    kind = changes.dtype.type
    half = np.int32(0 if stochastic else a.HALF_STEP)
    for j in range(steps.size):
        step = np.int32(steps[j] + half)
        changes[j] = kind(step >> a.STEP_BITS)
        limits[j] = np.uint16(0xFFFF - (step & 0xFFFF))


@compiled
def deliver_and_step(
    arrived: Wide, changes: Wide, row: Weights, plastic: Flags, w_min: int, w_max: int
) -> int:
    """Add a row to what has arrived, then the changes to it; return how many are clamped."""
    kind = arrived.dtype.type
    low, high, cut = kind(w_min), kind(w_max), kind(0)
    for j in range(row.size):
        old = kind(row[j])
        arrived[j] = kind(arrived[j] + old)
        meant = kind(old + kind(changes[j] if plastic[j] else kind(0)))
        new = kind(min(max(meant, low), high))
        row[j] = new if plastic[j] else old
        cut = kind(cut + kind(new != meant if plastic[j] else 0))
    return int(np.int64(cut))


@compiled
def deliver_and_step_noisy(
    o: Owed, row: Weights, plastic: Flags, w_min: int, w_max: int, key_x: np.uint16,
    key_y: np.uint16,
) -> int:  # fmt: skip
    """Do as `deliver_and_step`, with noise of these words of the source's place and the key."""
    kind = o.arrived.dtype.type
    low, high, cut = kind(w_min), kind(w_max), kind(0)
    for pair in range(o.pair_x.size):
        x, y = np.uint16(o.pair_x[pair] ^ key_x), np.uint16(o.pair_y[pair] ^ key_y)
        for _ in range(a.NOISE_ROUNDS):
            x, y = mix_round(x, y)
        o.row_noise[2 * pair] = x
        o.row_noise[2 * pair + 1] = y
    for j in range(row.size):
        old = kind(row[j])
        o.arrived[j] = kind(o.arrived[j] + old)
        change = kind(o.row_change[j] + kind(o.row_noise[j] > o.row_limit[j]))
        meant = kind(old + change)
        new = kind(min(max(meant, low), high))
        row[j] = new if plastic[j] else old
        cut = kind(cut + kind(new != meant if plastic[j] else 0))
    return int(np.int64(cut))


@compiled
def deliver(arrived: Wide, row: Weights) -> None:
    """Add a row to what has arrived."""
    kind = arrived.dtype.type
    for j in range(row.size):
        arrived[j] = kind(arrived[j] + kind(row[j]))


@inlined
def let_wait(o: Owed, source: int) -> None:
    """Let a row, which nothing changes in this tick, wait for others."""
    o.waiting[o.place[WAITING]] = source
    o.place[WAITING] += 1


@compiled
def deliver_waiting(arrived: Wide, weight: Weights, waiting: Int32) -> None:
    """Add the rows of sources to what has arrived, eight at a time: the processor fetches all."""
    eights = waiting.size // 8 * 8
    for k in range(0, eights, 8):
        deliver_eight(
            arrived, weight[waiting[k]], weight[waiting[k + 1]], weight[waiting[k + 2]],
            weight[waiting[k + 3]], weight[waiting[k + 4]], weight[waiting[k + 5]],
            weight[waiting[k + 6]], weight[waiting[k + 7]],
        )  # fmt: skip
    for k in range(eights, waiting.size):
        deliver(arrived, weight[waiting[k]])


@compiled
def deliver_eight(
    arrived: Wide, a: Weights, b: Weights, c: Weights, d: Weights, e: Weights, f: Weights,
    g: Weights, h: Weights,
) -> None:  # fmt: skip
    """Add eight rows to what has arrived."""
    kind = arrived.dtype.type
    for j in range(arrived.size):
        one = kind(kind(kind(a[j]) + kind(b[j])) + kind(kind(c[j]) + kind(d[j])))
        other = kind(kind(kind(e[j]) + kind(f[j])) + kind(kind(g[j]) + kind(h[j])))
        arrived[j] = kind(arrived[j] + kind(one + other))


@compiled
def arrive(arrived: Wide, i_syn: Int32) -> None:
    """Add what has arrived to currents that do not saturate."""
    for j in range(i_syn.size):
        i_syn[j] = np.int32(i_syn[j] + np.int32(arrived[j]))
        arrived[j] = 0
