"""One tick, plain and slow: the executable specification for every implementation.

It is written to be read. State is in lists of Python integers, loops run in the order of
docs/tick.md, and nothing is lazy. For work, the model computes the same a lot faster.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from spiketwin.hdl.spec import arithmetic as a
from spiketwin.hdl.spec import schedule
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.registers import SATURATIONS, ClearMask, Space, profile_columns, registers
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
    """

    spikes: list[int]
    spike_cycles: list[int]
    update_cycle: int
    cycles: int
    digest: int | None


@dataclass
class Oracle:
    """A core: its sizes, its registers, its profiles, its parameters and its state.

    `register` has the registers by name. `profile_table` has, by name, what each profile holds in a
    core with several; in others these are registers.

    `weight[source][neuron]` and `plastic[source][neuron]` are matrices of all sources by all
    neurons. `trace_pre` has one entry a source, `pending` lists the neurons that fired in the last
    tick, and the other lists have one entry a neuron.
    """

    params: CoreParams
    register: dict[str, int] = field(init=False)
    profile_table: dict[str, list[int]] = field(init=False)
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
    theta: list[int] = field(init=False)
    trace_pre: list[int] = field(init=False)
    trace_post: list[int] = field(init=False)
    pending: list[int] = field(init=False)
    tick: int = field(init=False, default=0)
    digest: int = field(init=False, default=0)
    saturations: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self.register = {r.name: 0 for r in registers(self.params)}
        self.profile_table = {
            column.name: [0] * self.params.n_profiles for column in profile_columns(self.params)
        }
        self.saturations = dict.fromkeys((c.name for c in SATURATIONS), 0)
        self._zero(ARRAYS)

    def clear(self, mask: ClearMask) -> None:
        """Set the state that `mask` names to 0."""
        self._zero(array for array in STATE if array.clear is not None and array.clear & mask)

    def _zero(self, arrays: Iterable[Variable]) -> None:
        for array in arrays:
            *rows, columns = array.shape(self.params.n_axons, self.params.n_neurons)
            zeros: Any = [[0] * columns for _ in range(rows[0])] if rows else [0] * columns
            # `pending` is a list of the neurons that fired, so it is empty.
            setattr(self, array.name, [] if array.space is Space.PENDING else zeros)

    def step(self, axons: Iterable[int]) -> TickResult:
        """Execute one tick in which `axons` spiked, and return its output.

        An axon that is named twice spikes twice, one after the other.
        """
        self.digest = 0
        events = sorted(axons)
        repeats = len(events) - len(set(events))
        sources = events + [self.params.n_axons + j for j in self.pending]
        for source in sources:
            self._deliver(source)
        spikes = [j for j in range(self.params.n_neurons) if self._update(j)]
        if self.params.learning:
            self._decay_trace_pre()
            if self.register["learn_post"]:
                for neuron in spikes:
                    self._learn(neuron)
        self.pending = spikes
        self.tick += 1
        p, begin = self.params, schedule.deliver_cycles(self.params, len(sources), repeats)
        learns = p.learning and self.register["learn_post"] and any(map(any, self.plastic))
        return TickResult(
            spikes,
            [begin + schedule.spike_cycle(p, j) for j in spikes],
            begin,
            schedule.tick_cycles(p, len(sources), len(spikes), bool(learns), repeats),
            self.digest if self.register.get("digest_en") else None,
        )

    def _deliver(self, source: int) -> None:
        """Deliver a source's spike: currents, the pre-event rule, then the bump of its trace."""
        p, r = self.params, self.register
        for j in range(p.n_neurons):
            w = self.weight[source][j]
            current = self.i_inh if w < 0 and r.get("i_inh_en") else self.i_syn
            total = current[j] + w
            current[j] = a.saturate(total, p.i_syn_width)
            self._count("i_syn_saturations", current[j] != total)
            if p.learning and r["learn_pre"] and self.plastic[source][j]:
                step = a.weight_step(
                    self.trace_post[j], r["pre_gain"], r["pre_offset"], p.trace_width
                )
                self.weight[source][j] = self._stepped(w, step, a.PASS_PRE, source, j)
        if p.learning and r["learn_pre"]:
            self._fold_synapses(source, self.weight[source], self.plastic[source])
        if p.learning:
            self.trace_pre[source] = self._bumped(
                self.trace_pre[source], "trace_pre", self.source_profile[source]
            )

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
        self._fold(a.DIGEST_NEURONS, j, *currents_left[: p.receptors], v, counts, self.theta[j])
        return fires

    def _decay_trace_pre(self) -> None:
        for i in range(self.params.n_sources):
            self.trace_pre[i] = self._decayed(
                self.trace_pre[i], "trace_pre", self.source_profile[i]
            )
            self._fold(a.DIGEST_SOURCES, i, self.trace_pre[i])

    def _learn(self, neuron: int) -> None:
        """Apply the post-event rule to the plastic incoming synapses of a neuron that fired."""
        p, r = self.params, self.register
        for i in range(p.n_sources):
            if self.plastic[i][neuron]:
                step = a.weight_step(
                    self.trace_pre[i], r["post_gain"], r["post_offset"], p.trace_width
                )
                self.weight[i][neuron] = self._stepped(
                    self.weight[i][neuron], step, a.PASS_POST, neuron, i
                )
        column = [row[neuron] for row in self.weight], [row[neuron] for row in self.plastic]
        self._fold_synapses(a.DIGEST_POST + neuron, *column)

    def _fold(self, row: int, column: int, *words: int) -> None:
        """Fold the words that were written at a place into the digest."""
        rounds = self.params.digest_rounds
        if rounds:
            self.digest ^= a.digest_code(row, column, words, rounds)

    def _fold_synapses(self, row: int, weights: list[int], plastic: list[int]) -> None:
        """Fold the weights that a rule wrote in a row or column; two synapses share a code."""
        written = [
            a.unsigned(weight, self.params.weight_width) if flag else 0
            for weight, flag in zip(weights, plastic, strict=True)
        ]
        for k in range(0, len(written), 2):
            if any(plastic[k : k + 2]):
                self._fold(row, k // 2, written[k + 1] << 16 | written[k])

    def _stepped(self, weight: int, step: int, which_pass: int, spiked: int, other: int) -> int:
        r = self.register
        rounding = a.HALF_STEP
        if r["stochastic"]:
            rounding = a.noise(a.noise_key(r["seed"], self.tick, which_pass), spiked, other)
        stepped = a.stepped_weight(weight, step, rounding, r["w_min"], r["w_max"])
        self._count("weight_saturations", stepped != weight + ((step + rounding) >> a.STEP_BITS))
        return stepped

    def _count(self, name: str, happened: bool) -> None:
        self.saturations[name] += happened

    def _constant(self, name: str, profile: int) -> int:
        """Return what a profile holds, or the register that it is; 0 if it is not built."""
        if name in self.profile_table:
            return self.profile_table[name][profile]
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
