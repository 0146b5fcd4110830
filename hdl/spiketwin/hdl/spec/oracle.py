"""One tick, plain and slow: the executable specification for every implementation.

It is written to be read. State is in lists of Python integers, loops run in the order of
docs/tick.md, and nothing is lazy. For work, the model computes the same a lot faster.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from spiketwin.hdl.spec import arithmetic as a
from spiketwin.hdl.spec import probes, schedule
from spiketwin.hdl.spec.params import RELAY_WORD, WEIGHT_BLOCK, WINDOW_BYTE, CoreParams
from spiketwin.hdl.spec.projections import FIELDS, Projection, ProjectionKind, walked, whole
from spiketwin.hdl.spec.registers import (
    SATURATIONS,
    ClearMask,
    Space,
    profile_columns,
    registers,
    rule_columns,
)
from spiketwin.hdl.spec.variables import ARRAYS, STATE, Variable


@dataclass
class TickResult:
    """The output of one tick.

    Attributes
    ----------
    spikes:
        Neurons that fired, ascending.
    spike_cycles:
        The cycle within the tick at which the spike of each of them leaves.
    update_cycle:
        Cycle within the tick at which *Update* began.
    cycles:
        Cycles of the whole tick.
    digest:
        Digest of all that the tick wrote; None unless `digest_en` is 1.
    probes:
        Counts of the words of its probes; none unless the tick reports any.
    """

    spikes: list[int]
    spike_cycles: list[int]
    update_cycle: int
    cycles: int
    digest: int | None
    probes: list[int] = field(default_factory=list)


@dataclass
class Oracle:
    """A core: its sizes, its registers, its profiles, its rules, its parameters and its state.

    `register` has the registers by name. `profile_table` has, by name, what each profile holds in a
    core with several, and `rule_table` what each rule holds; in others these are registers.

    `weight[source][neuron]` and `plastic[source][neuron]` are matrices of all sources by all
    neurons; in a core with projections they are the words of the weight memory
    (`variables.Variable.shape_in`). `trace_pre` and `history` have one entry a source, `drift_sum`
    one a rule, `pending` lists the neurons that fired in the last tick, `window_table` has the
    entries of all windows, and the other lists have one entry a neuron, or what `spec.projections`
    says. `probe_left` is the number of ticks before the next one that reports probes; whoever
    writes the register `probe_period` sets it to 0.
    """

    params: CoreParams
    register: dict[str, int] = field(init=False)
    profile_table: dict[str, list[int]] = field(init=False)
    rule_table: dict[str, list[int]] = field(init=False)
    weight: list[list[int]] = field(init=False)
    plastic: list[list[int]] = field(init=False)
    threshold: list[int] = field(init=False)
    v_reset: list[int] = field(init=False)
    refrac_ticks: list[int] = field(init=False)
    bias: list[int] = field(init=False)
    profile: list[int] = field(init=False)
    source_profile: list[int] = field(init=False)
    v: list[int] = field(init=False)
    i_syn: list[int] = field(init=False)
    i_inh: list[int] = field(init=False)
    refrac_count: list[int] = field(init=False)
    synapse_delay: list[list[int]] = field(init=False)
    i_syn_ring: list[int] = field(init=False)
    i_inh_ring: list[int] = field(init=False)
    theta: list[int] = field(init=False)
    trace_pre: list[int] = field(init=False)
    history: list[int] = field(init=False)
    drift_sum: list[int] = field(init=False)
    trace_post: list[int] = field(init=False)
    pending: list[int] = field(init=False)
    projection_kind: list[int] = field(init=False)
    projection_source: list[int] = field(init=False)
    projection_sources: list[int] = field(init=False)
    projection_target: list[int] = field(init=False)
    projection_targets: list[int] = field(init=False)
    projection_base: list[int] = field(init=False)
    projection_weight: list[int] = field(init=False)
    projection_itself: list[int] = field(init=False)
    projection_rule: list[int] = field(init=False)
    window_table: list[int] = field(init=False)
    row_projections: list[int] = field(init=False)
    column_projections: list[int] = field(init=False)
    column_order: list[int] = field(init=False)
    sparse_first: list[int] = field(init=False)
    sparse_blocks: list[int] = field(init=False)
    sparse_target: list[list[int]] = field(init=False)
    relay_first: list[int] = field(init=False)
    relay_count: list[int] = field(init=False)
    relay_delay: list[int] = field(init=False)
    relay_ring: list[int] = field(init=False)
    probe_space: list[int] = field(init=False)
    probe_first: list[int] = field(init=False)
    probe_count: list[int] = field(init=False)
    probe_left: int = field(init=False, default=0)
    tick: int = field(init=False, default=0)
    digest: int = field(init=False, default=0)
    saturations: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self.register = {r.name: 0 for r in registers(self.params)}
        self.profile_table = {
            column.name: [0] * self.params.n_profiles for column in profile_columns(self.params)
        }
        self.rule_table = {
            column.name: [0] * self.params.n_rules for column in rule_columns(self.params)
        }
        self.saturations = dict.fromkeys((c.name for c in SATURATIONS), 0)
        self._rows = a.digest_rows(self.params.n_sources)
        self._zero(ARRAYS)

    def clear(self, mask: ClearMask) -> None:
        """Set the state that `mask` names to 0."""
        self._zero(array for array in STATE if array.clear is not None and array.clear & mask)

    def _zero(self, arrays: Iterable[Variable]) -> None:
        for array in arrays:
            *rows, columns = array.shape_in(self.params)
            zeros: Any = [[0] * columns for _ in range(rows[0])] if rows else [0] * columns
            # `pending` is a list of the neurons that fired, so it is empty.
            setattr(self, array.name, [] if array.space is Space.PENDING else zeros)

    def step(self, axons: Iterable[int], biases: Iterable[tuple[int, int]] = ()) -> TickResult:
        """Execute one tick in which `axons` spiked, and return its output.

        An axon that is named twice spikes twice, one after the other. `biases` are the bias events
        of the tick, (neuron, bias), of which the last one of a neuron counts.
        """
        self.digest = 0
        rewritten = list(biases)
        for neuron, bias in rewritten:
            self.bias[neuron] = bias
            self._fold(self._rows.biases, neuron, a.unsigned(bias, self.params.v_width))
        events = sorted(axons)
        repeats = len(events) - len(set(events))
        sources = events + [self.params.n_axons + j for j in self.pending]
        sources += self._take_relays()
        self._deliver_due()
        for source in sources:
            self._deliver(source)
        constant = sum(self._deliver_constant(k, sources) for k in range(self.params.n_projections))
        spikes = [j for j in range(self.params.n_neurons) if self._update(j)]
        if self.params.learning:
            self._decay_trace_pre()
            if self.register["learn_post"]:
                self._drift_all()
                for neuron in spikes:
                    self._learn(neuron)
        self.pending = spikes
        self.tick += 1
        reported, probe_cycles = self._report()
        p = self.params
        rows = sum(map(self._row_cycles, sources)) + repeats * schedule.repeat_cycles(p)
        begin = schedule.deliver_cycles(p, rows, constant, len(rewritten))
        learns = p.learning and self.register["learn_post"] and any(map(any, self.plastic))
        columns = sum(map(self._column_cycles, spikes)) if learns else 0
        return TickResult(
            spikes,
            [begin + schedule.spike_cycle(p, j) for j in spikes],
            begin,
            begin + schedule.update_cycles(p) + schedule.learn_cycles(p, columns) + probe_cycles
            + schedule.END,
            self.digest if self.register.get("digest_en") else None,
            reported,
        )  # fmt: skip

    def _report(self) -> tuple[list[int], int]:
        """Return the counts of the words of the probes, if they are due, and the cycles of it."""
        p, period = self.params, self.register.get("probe_period", 0)
        due = self.probe_left == 0
        self.probe_left = max(0, period - 1) if due else self.probe_left - 1
        if not period or not due:
            return [], 0
        elements = list[tuple[int, int]]()
        ranges = zip(self.probe_space, self.probe_first, self.probe_count, strict=True)
        for space, first, count in ranges:
            for array in (v for v in probes.probed(p).values() if v.space == space):
                nibbles = probes.element_nibbles(array, p)
                values = getattr(self, array.name)[first : first + count]
                elements += [(value, nibbles) for value in values]
        words = probes.packed(elements)[: self.register["probe_words"]]
        return words, schedule.probe_cycles(p, sum(self.probe_count))

    def _relay_place(self, tick: int, relay: int) -> tuple[int, int]:
        """Return where a relay stands in the words of `relay_ring` for a tick: word and bit."""
        words = self.params.relay_words
        word, bit = divmod(relay, RELAY_WORD)
        return tick % self.params.max_delay * words + word, bit

    def _take_relays(self) -> list[int]:
        """Return the sources that are active relays of this tick, and take them off the ring."""
        p, active = self.params, list[int]()
        for relay in range(p.n_relays):
            word, bit = self._relay_place(self.tick, relay)
            if self.relay_ring[word] >> bit & 1:
                self.relay_ring[word] ^= 1 << bit
                active.append(p.n_axons + p.n_neurons + relay)
        return active

    def _set_relays(self, source: int) -> None:
        """Let the relays of an active source be active as many ticks later as each is late."""
        first = self.relay_first[source]
        for relay in range(first, first + self.relay_count[source]):
            word, bit = self._relay_place(self.tick + self.relay_delay[relay], relay)
            self.relay_ring[word] |= 1 << bit
            self._fold(self._rows.relays, relay, word)

    def projection(self, number: int) -> Projection:
        """Return an entry of the table of projections."""
        return Projection(*(getattr(self, name)[number] for name in FIELDS))

    def _projections_from(self, source: int) -> list[Projection]:
        """Return the projections of a source, in the order of the table."""
        p = self.params
        if not p.has_projections:
            return [whole(p)]
        return [self.projection(k) for k in walked(self.row_projections[source // p.lanes])]

    def _projections_to(self, neuron: int) -> list[Projection]:
        """Return the projections to a neuron that learn."""
        p = self.params
        if not p.has_projections:
            return [whole(p)]
        places = walked(self.column_projections[neuron // p.lanes])
        return [self.projection(self.column_order[place]) for place in places]

    def _row_cycles(self, source: int) -> int:
        p = self.params
        if not p.has_projections:
            return p.row_groups
        blocks = [self._row_blocks(source, each) for each in self._projections_from(source)]
        return schedule.walked_cycles(blocks, self.relay_count[source] if p.n_relays else 0)

    def _row_blocks(self, source: int, projection: Projection) -> int:
        """Return the number of blocks that a source has in a projection."""
        if projection.kind == ProjectionKind.SPARSE:
            return self.sparse_blocks[projection.sparse_row(source, self.params.lanes)]
        return projection.row_blocks

    def _column_cycles(self, neuron: int) -> int:
        p = self.params
        if not p.has_projections:
            return schedule.column_cycles(p)
        return schedule.walked_cycles([each.sources for each in self._projections_to(neuron)])

    def _synapse(self, projection: Projection, source: int, neuron: int) -> tuple[int, int]:
        """Return row and column of a synapse in `weight` and `plastic`."""
        p = self.params
        if not p.has_projections:
            return source, neuron
        return divmod(projection.place(source, neuron, p.lanes), WEIGHT_BLOCK * p.lanes)

    def _deliver(self, source: int) -> None:
        """Deliver a source's spike: currents, the pre-event rule, then the bump of its trace."""
        for projection in self._projections_from(source):
            if projection.kind == ProjectionKind.DENSE:
                self._deliver_row(source, projection)
            elif projection.kind == ProjectionKind.SPARSE:
                self._deliver_sparse(source, projection)
        if self.params.learning:
            self.trace_pre[source] = self._bumped(
                self.trace_pre[source], "trace_pre", self.source_profile[source]
            )
        if self.params.window_bits:
            self.history[source] |= 1 << self.params.window_bits
        if self.params.n_relays:
            self._set_relays(source)

    def _deliver_row(self, source: int, projection: Projection) -> None:
        p, r, lanes, rule = self.params, self.register, self.params.lanes, projection.rule
        first = projection.target * lanes
        targets = range(first, first + projection.targets * lanes)
        row = [self._synapse(projection, source, j) for j in targets]
        for j, (at, column) in zip(targets, row, strict=True):
            w = before = self._held(at, column, rule)
            if p.learning and r["learn_pre"] and self.plastic[at][column]:
                step = self._step(self.trace_post[j], "pre", rule)
                w = self._stepped(before, step, rule, a.PASS_PRE, source, j)
                self.weight[at][column] = w
            acts = w if self._rule("current_after", rule) else before
            if self.plastic[at][column]:
                acts += self._drift(rule)
            self._add(j, acts, acts, self.synapse_delay[at][column])
        if p.learning and r["learn_pre"]:
            self._fold_synapses(source, first, row)

    def _deliver_sparse(self, source: int, projection: Projection) -> None:
        lanes = self.params.lanes
        row = projection.sparse_row(source, lanes)
        first = self.sparse_first[row]
        for word in range(first, first + self.sparse_blocks[row]):
            for lane in range(lanes):
                place = word * lanes + (source + lane) % lanes
                at, column = divmod(place, WEIGHT_BLOCK * lanes)
                w = self.weight[at][column]
                j, delay = (
                    self.sparse_target[at][column] * lanes + lane,
                    self.synapse_delay[at][column],
                )
                self._add(j, w, w, delay)

    def _add(self, j: int, weight: int, added: int, delay: int = 0) -> None:
        """Add to the current of a neuron that the weight belongs to, or to one on its way."""
        inhibits = weight < 0 and self.register.get("i_inh_en")
        current, ring = (self.i_inh, self.i_inh_ring) if inhibits else (self.i_syn, self.i_syn_ring)
        if delay:
            self._add_to(ring, self._ring_place(j, delay), added)
        else:
            self._add_to(current, j, added)

    def _add_to(self, currents: list[int], place: int, added: int) -> None:
        total = currents[place] + added
        currents[place] = a.saturate(total, self.params.i_syn_width)
        self._count("i_syn_saturations", currents[place] != total)

    def _ring_place(self, j: int, delay: int) -> int:
        """Return where the current of a neuron stands that is due some ticks later."""
        p, ticks = self.params, 1 << self.params.synapse_delay_width
        group, lane = divmod(j, p.lanes)
        return (group * ticks + (self.tick + delay) % ticks) * p.lanes + lane

    def _deliver_due(self) -> None:
        """Add the currents that are due in this tick."""
        p = self.params
        if not p.has_synapse_delays:
            return
        rings = ((self.i_syn, self.i_syn_ring), (self.i_inh, self.i_inh_ring))
        for current, ring in rings[: p.receptors]:
            for j in range(p.n_neurons):
                place = self._ring_place(j, 0)
                self._add_to(current, j, ring[place])
                ring[place] = 0

    def _deliver_constant(self, number: int, active: list[int]) -> int:
        """Deliver all spikes of a constant projection at once; return the cycles that it takes."""
        p, lanes = self.params, self.params.lanes
        if not p.has_projections:
            return 0
        projection = self.projection(number)
        first = projection.source * lanes
        spiked = [i for i in active if first <= i < first + projection.sources * lanes]
        if projection.kind != ProjectionKind.CONSTANT or not spiked:
            return 0
        for j in range(projection.target * lanes, (projection.target + projection.targets) * lanes):
            itself = 0 if projection.itself else spiked.count(p.n_axons + j)
            self._add(j, projection.weight, projection.weight * (len(spiked) - itself))
        return schedule.walked_cycles([projection.targets])

    def _update(self, j: int) -> bool:
        """Advance one neuron; return whether it fires."""
        p, r, profile = self.params, self.register, self.profile[j]
        # The current acts in the tick in which it arrives, and decays afterwards.
        shift = r.get("i_syn_shift", 0)
        currents = a.shifted(self.i_syn[j], shift) + a.shifted(self.i_inh[j], shift)
        total = self._leaked(self.v[j], profile) + currents + self.bias[j]
        v = a.saturate(max(total, self._constant("v_floor", profile)), p.v_width)
        saturates = total > v
        self.i_syn[j] = self._decayed(self.i_syn[j], "i_syn", profile)
        if p.has_two_receptors:
            self.i_inh[j] = self._decayed(self.i_inh[j], "i_inh", profile)
        limit = self.threshold[j] + self.theta[j]
        refractory = self.refrac_count[j] > 0
        held = refractory and not self._constant("refrac_integrates", profile)
        fires = not refractory and v >= limit
        if fires:
            subtracts = self._constant("reset_subtract", profile)
            reset_to = v - limit if subtracts else self.v_reset[j]
            self.v[j] = a.saturate(reset_to, p.v_width)
            # A sum that is replaced by v_reset leaves no trace, so its saturation does not count.
            saturates = bool(subtracts) and (saturates or reset_to > self.v[j])
            self.refrac_count[j] = self.refrac_ticks[j]
            theta = self.theta[j] + self._constant("theta_bump", profile)
            self.theta[j] = a.saturate_unsigned(theta, p.theta_width)
            self._count("theta_saturations", theta > self.theta[j])
        elif not held:
            self.v[j] = v
        self.refrac_count[j] -= refractory
        self._count("v_saturations", saturates and not held)
        self.theta[j] = self._decayed(self.theta[j], "theta", profile)
        if p.learning:
            self.trace_post[j] = self._decayed(self.trace_post[j], "trace_post", profile)
            if fires:
                self.trace_post[j] = self._bumped(self.trace_post[j], "trace_post", profile)
        currents_left = [a.unsigned(i, p.i_syn_width) for i in (self.i_syn[j], self.i_inh[j])]
        # A neuron that is held keeps v, which is not written.
        v = 0 if held else a.unsigned(self.v[j], p.v_width)
        counts = self.refrac_count[j] << 16 | self.trace_post[j]
        self._fold(self._rows.neurons, j, *currents_left[: p.receptors], v, counts, self.theta[j])
        return fires

    def _decay_trace_pre(self) -> None:
        for i in range(self.params.n_sources):
            self.trace_pre[i] = self._decayed(
                self.trace_pre[i], "trace_pre", self.source_profile[i]
            )
            spiked, past = divmod(self.history[i], 1 << self.params.window_bits)
            self.history[i] = a.unsigned(past << 1 | spiked, self.params.window_bits)
            self._fold(self._rows.sources, i, self.history[i] << 16 | self.trace_pre[i])

    def _learn(self, neuron: int) -> None:
        """Apply the post-event rule to the plastic incoming synapses of a neuron that fired."""
        for projection in self._projections_to(neuron):
            self._learn_column(neuron, projection)

    def _learn_column(self, neuron: int, projection: Projection) -> None:
        lanes, rule = self.params.lanes, projection.rule
        first = projection.source * lanes
        sources = range(first, first + projection.sources * lanes)
        column = [self._synapse(projection, i, neuron) for i in sources]
        for i, (at, place) in zip(sources, column, strict=True):
            if self.plastic[at][place]:
                step = self._post_step(i, rule)
                self.weight[at][place] = self._stepped(
                    self._held(at, place, rule), step, rule, a.PASS_POST, neuron, i
                )
        self._fold_synapses(self._rows.post + neuron, first, column)

    def _fold(self, row: int, column: int, *words: int) -> None:
        """Fold the words that were written at a place into the digest."""
        rounds = self.params.digest_rounds
        if rounds:
            self.digest ^= a.digest_code(row, column, words, rounds)

    def _fold_synapses(self, row: int, first: int, synapses: list[tuple[int, int]]) -> None:
        """Fold the weights that a rule wrote in a row or column; two synapses share a code.

        `first` is the number, at the other end, of the first synapse.
        """
        flags = [self.plastic[at][place] for at, place in synapses]
        written = [
            a.unsigned(self.weight[at][place], self.params.weight_width) if flag else 0
            for flag, (at, place) in zip(flags, synapses, strict=True)
        ]
        for k in range(0, len(written), 2):
            if any(flags[k : k + 2]):
                self._fold(row, (first + k) // 2, written[k + 1] << 16 | written[k])

    def _step(self, trace: int, event: str, rule: int) -> int:
        """Return the step of a weight at a pre-event or a post-event, by a rule."""
        gain, offset, shift = (
            self._rule(name, rule) for name in (f"{event}_gain", f"{event}_offset", "gain_shift")
        )
        return a.weight_step(trace, gain, offset, self.params.trace_width, shift)

    def _post_step(self, source: int, rule: int) -> int:
        """Return the step of a weight at a post-event, by the past of its source or by its trace.

        A number of a window that is too large is that of another one.
        """
        window, p = self._rule("window", rule), self.params
        if not window:
            return self._step(self.trace_pre[source], "post", rule)
        first = (window - 1) % p.n_rules * p.window_entries
        entries = 0
        for byte in range(p.window_bits // WINDOW_BYTE):
            past = a.unsigned(self.history[source] >> WINDOW_BYTE * byte, WINDOW_BYTE)
            entries += self.window_table[first + (byte << WINDOW_BYTE) + past]
        return a.window_step(
            entries, self._rule("post_offset", rule), self._rule("gain_shift", rule)
        )

    def _stepped(
        self, weight: int, step: int, rule: int, which_pass: int, spiked: int, other: int
    ) -> int:
        rounding = a.HALF_STEP
        if self._rule("stochastic", rule):
            key = a.noise_key(self.register["seed"], self.tick, which_pass)
            rounding = a.noise(key, spiked, other)
        stepped = a.stepped_weight(weight, step, rounding, *self._bounds(rule))
        self._count("weight_saturations", stepped != weight + ((step + rounding) >> a.STEP_BITS))
        return stepped

    def _drift_all(self) -> None:
        """Let a tick of drift pass for every rule."""
        for rule, before in enumerate(self.drift_sum if self.params.window_bits else []):
            total = before + self._rule("drift", rule)
            self.drift_sum[rule] = a.saturate(total, self.params.drift_width)
            self._count("weight_saturations", self.drift_sum[rule] != total)
            self._fold(self._rows.drifts, rule, a.unsigned(self.drift_sum[rule], 32))

    def _drift(self, rule: int) -> int:
        """Return by what the plastic weights of a rule act more than they are stored as."""
        return self.drift_sum[rule] >> a.STEP_BITS

    def _bounds(self, rule: int) -> tuple[int, int]:
        """Return the bounds of the stored weights of a rule."""
        w_min, w_max = (self._rule(name, rule) for name in ("w_min", "w_max"))
        return a.drifted_bounds(w_min, w_max, self._drift(rule), self.params.weight_width)

    def _held(self, row: int, column: int, rule: int) -> int:
        """Return a stored weight, held to its bounds if it is plastic and they have drifted."""
        w = self.weight[row][column]
        if not self.plastic[row][column] or not self._drift(rule):
            return w
        low, high = self._bounds(rule)
        return min(high, max(low, w))

    def _count(self, name: str, happened: bool) -> None:
        self.saturations[name] += happened

    def _constant(self, name: str, profile: int) -> int:
        """Return what a profile holds, or the register that it is; 0 if it is not built."""
        if name in self.profile_table:
            return self.profile_table[name][profile]
        return self.register.get(name, 0)

    def _rule(self, name: str, rule: int) -> int:
        """Return what a rule holds, or the register that it is; 0 if it is not built."""
        if name in self.rule_table:
            return self.rule_table[name][rule]
        return self.register.get(name, 0)

    def _leaked(self, v: int, profile: int) -> int:
        units = self._constant("linear_leak", profile)
        if units:
            return a.leak(v, units)
        return self._decayed(v, "v", profile)

    def _decayed(self, value: int, name: str, profile: int) -> int:
        code, shift = (self._constant(f"{name}_{n}", profile) for n in ("decay", "decay_shift"))
        return a.decay(value, code, shift)

    def _bumped(self, trace: int, name: str, profile: int) -> int:
        bump = self._constant(f"{name}_bump", profile)
        total = bump if self._constant(f"{name}_replace", profile) else trace + bump
        return a.saturate_unsigned(total, self.params.trace_width)
