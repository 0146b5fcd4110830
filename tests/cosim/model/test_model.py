"""The compiled model equals the oracle on every value of every tick."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.checkout import ROOT
from support.probes import random_probes, words_reported
from support.rungs import examples
from support.tables import random_table

from spiketwin.cosim.model.core import ModelCore
from spiketwin.cosim.model.kernels import Profile, Rule
from spiketwin.hdl.spec import variables
from spiketwin.hdl.spec.oracle import Oracle
from spiketwin.hdl.spec.params import CoreParams, preset
from spiketwin.hdl.spec.protocol import WORD_COUNT_BITS, Word
from spiketwin.hdl.spec.registers import (
    ClearMask,
    Space,
    limits,
    profile_columns,
    registers,
    rule_columns,
    space_formats,
)
from spiketwin.host.decoding import decode

LAYOUT = tuple(array.space for array in variables.LAYOUT)
STATE = tuple(name for name in variables.names(variables.STATE) if name != "pending")
CODES = (0, 1, 2, 65, 3000, 32768, 65534, 65535)


@st.composite
def core_params(draw: st.DrawFn) -> CoreParams:
    lanes = draw(st.sampled_from([2, 4, 8]))
    weight_width = draw(st.integers(4, 16))
    row_groups = draw(st.integers(4, 7))
    powers = [n for n in (1, 2, 4, 8) if n <= lanes]
    n_projections = draw(st.sampled_from([1, 1, 2, 7, 64]))
    n_relays = draw(st.sampled_from([0, 32, 64])) if n_projections > 1 else 0
    learning = draw(st.booleans())
    n_rules = draw(st.sampled_from([1, 2, 8])) if learning and n_projections > 1 else 1
    return CoreParams(
        n_axons=lanes * draw(st.integers(1, 4)),
        n_neurons=lanes * row_groups,
        lanes=lanes,
        neuron_lanes=draw(st.sampled_from(powers)),
        source_lanes=draw(st.sampled_from(powers)),
        weight_width=weight_width,
        v_width=draw(st.integers(8, 24)),
        i_syn_width=draw(st.integers(max(8, weight_width), 24)),
        theta_width=draw(st.integers(8, 24)),
        trace_width=draw(st.integers(8, 16)),
        refrac_width=draw(st.integers(2, 16)),
        learning=learning,
        n_rules=n_rules,
        window_bits=draw(st.sampled_from([0, 8, 16])) if n_rules > 1 else 0,
        single_port_weights=(
            weight_width < 8 and row_groups % 2 == 0 and n_projections == 1 and draw(st.booleans())
        ),
        n_projections=n_projections,
        weight_depth=draw(st.sampled_from([64, 512])) if n_projections > 1 else 0,
        sparse_rows=draw(st.sampled_from([0, 40, 700])) if n_projections > 1 else 0,
        synapse_delay_width=draw(st.sampled_from([0, 0, 1, 3, 5])) if n_projections > 1 else 0,
        n_relays=n_relays,
        max_delay=draw(st.sampled_from([2, 8, 256])) if n_relays else 0,
        digest_rounds=draw(st.integers(0, 3)),
        decay_shift=draw(st.booleans()),
        receptors=draw(st.integers(1, 2)),
        n_profiles=draw(st.sampled_from([1, 2, 8])),
        probe_ranges=draw(st.sampled_from([0, 0, 1, 4])),
        bias_events=draw(st.booleans()),
    )


class Pair:
    """A model and an oracle with the same content, drawn from `seed`."""

    def __init__(self, params: CoreParams, seed: int, *, wild: bool = False) -> None:
        self.params = params
        self.rng = np.random.default_rng(seed)
        self.model, self.oracle = ModelCore(params), Oracle(params)
        self.set_registers()
        for elements in space_formats(params).values():
            if elements.record or elements.space in (Space.COUNTER, Space.PENDING, *LAYOUT):
                continue
            low, high = elements.limits()
            if not wild:
                low, high = self.lively(elements.space, low, high)
            if elements.space in (Space.REFRAC_TICKS, Space.REFRAC_COUNT):
                high = 3
            values = self.rng.integers(low, high + 1, (elements.rows, elements.columns))
            if elements.space is Space.PLASTIC:
                # Whole rows and columns without a flag, too.
                values[self.rng.random(elements.rows) < 0.3] = 0
                values[:, self.rng.random(elements.columns) < 0.3] = 0
            self.set(elements.space.name.lower(), values)
        if params.has_projections:
            for name, array in random_table(params, self.rng).items():
                self.model.set_layout(name, array)
                setattr(self.oracle, name, array.tolist())
        if params.probe_ranges:
            self.probe()
        start = int(self.rng.integers(0, 1 << 32))
        self.model.tick = self.oracle.tick = start

    def lively(self, space: Space, low: int, high: int) -> tuple[int, int]:
        """Range in which neurons fire often: uniform values would make most limits unreachable."""
        unit = 1 << (self.params.v_width - 4)
        if space in (Space.BIAS, Space.THRESHOLD):
            return -unit, unit
        return (0, min(high, unit)) if space is Space.THETA else (low, high)

    def set_registers(self) -> None:
        for register in registers(self.params):
            value = self.value(register)
            self.model.register[register.name] = self.oracle.register[register.name] = value
        self.model.probe_left = self.oracle.probe_left = 0
        for column in profile_columns(self.params):
            values = [self.value(column) for _ in range(self.params.n_profiles)]
            self.oracle.profile_table[column.name] = values
            self.model.profiles[:, Profile._fields.index(column.name)] = values
        for column in rule_columns(self.params):
            values = [self.value(column) for _ in range(self.params.n_rules)]
            self.oracle.rule_table[column.name] = values
            self.model.rules[:, Rule._fields.index(column.name)] = values

    def probe(self) -> None:
        """Let ticks report any ranges of state, in words that are sometimes too few."""
        probes = random_probes(self.params, self.rng)
        for name, values in probes.items():
            self.set(name, values[None])
        words = words_reported(self.params, probes)
        settings = {
            "probe_period": int(self.rng.choice([0, 1, 1, 2, 3])),
            "probe_words": int(self.rng.choice([words, words, words + 1, words // 2])),
        }
        self.model.register |= settings
        self.oracle.register |= settings
        self.model.probe_left = self.oracle.probe_left = 0

    def value(self, register: variables.Variable) -> int:
        low, high = register.limits(self.params)
        value = int(self.rng.integers(low, high + 1))
        if self.rng.random() < 0.3:
            value = int(self.rng.choice([low, high]))
        if register.name == "theta_bump":
            value >>= int(self.rng.integers(0, register.width(self.params)))
        if register.is_decay and self.rng.random() < 0.7:
            value = int(self.rng.choice(CODES))
        return value

    def set(self, name: str, values: np.ndarray[Any, Any]) -> None:
        lists = values.tolist()
        matrices = ("weight", "plastic", "synapse_delay")
        setattr(self.oracle, name, lists if name in matrices else lists[0])
        if name == "plastic":
            self.model.set_plastic(values)
        else:
            target = getattr(self.model, name)
            target[...] = values.reshape(target.shape)

    def axons(self) -> list[int]:
        """Axons of one tick, some of them twice."""
        n = self.params.n_axons
        return [int(i) for i in self.rng.integers(0, n, self.rng.integers(0, n))]

    def biases(self) -> list[tuple[int, int]]:
        """Bias events of one tick, some of them for the same neuron, if the core has any."""
        if not self.params.bias_events:
            return []
        low, high = limits(self.params.v_width, signed=True)
        count = self.rng.choice([0, 0, 1, 5])
        neurons = self.rng.integers(0, self.params.n_neurons, count)
        values = self.rng.choice([low, high, 0, *self.rng.integers(low // 8, high // 8, 9)], count)
        return [*zip(neurons.tolist(), values.tolist(), strict=True)]

    def step(self) -> None:
        """One tick of both, compared in all that it leaves."""
        axons, biases, tick = self.axons(), self.biases(), self.model.tick
        rewritten = np.array([(tick, *each) for each in biases], np.int64).reshape(-1, 3)
        events = np.full(len(axons), tick), np.sort(np.array(axons, np.int32))
        ran = self.model.advance(*events, 1, self.model.next_words, rewritten)
        assert (ran.events, ran.biases) == (len(axons), len(biases))
        words = ran.words.copy()
        run = decode(words, 1, self.params, bool(self.oracle.register.get("digest_en")))
        result = self.oracle.step(axons, biases)
        probes = words[words >> WORD_COUNT_BITS == 8 | Word.PROBE]
        assert (probes & (1 << WORD_COUNT_BITS) - 1).tolist() == result.probes
        assert run.spikes.tolist() == [[0, j] for j in result.spikes]
        assert run.update_cycles.tolist() == [result.update_cycle]
        assert run.spike_cycles.tolist() == result.spike_cycles
        assert run.cycles.tolist() == [result.cycles]
        assert (None if run.digests is None else int(run.digests[0])) == result.digest
        self.compare()

    def compare(self) -> None:
        assert self.model.tick == self.oracle.tick
        built = (v.name for v in variables.STATE if v.is_built(self.params) and v.name in STATE)
        for name in ("weight", "bias", *built):
            assert getattr(self.model, name).tolist() == getattr(self.oracle, name), name
        assert np.flatnonzero(self.model.pending).tolist() == self.oracle.pending
        assert self.model.saturations == self.oracle.saturations


def test_what_is_drawn_fires_and_learns_often() -> None:
    # Or all comparisons below would prove little.
    spikes = by_row = by_column = 0
    for seed in range(50):
        pair = Pair(preset("tiny"), seed)
        for _ in range(6):
            before = pair.model.weight.copy()
            pair.step()
            changed = pair.model.weight != before
            spikes += len(pair.oracle.pending)
            by_column += changed[:, pair.oracle.pending].any()
            by_row += np.delete(changed, pair.oracle.pending, axis=1).any()
    assert spikes > 300
    assert min(by_row, by_column) > 30


def test_what_is_drawn_saturates_in_every_way() -> None:
    params = replace(preset("tiny"), i_syn_width=9, v_width=10, theta_width=8)
    saturations: Counter[str] = Counter()
    for seed in range(100):
        pair = Pair(params, seed)
        for _ in range(6):
            pair.step()
        saturations += Counter(pair.oracle.saturations)
    assert len(saturations) == 4
    assert min(saturations.values()) > 30, saturations


@given(params=core_params(), seed=st.integers(0, 1 << 32), wild=st.booleans())
@settings(max_examples=examples(150))
def test_every_tick_equals_the_oracle(params: CoreParams, seed: int, wild: bool) -> None:
    pair = Pair(params, seed, wild=wild)
    for _ in range(6):
        pair.step()


@pytest.mark.parametrize("window_bits", [8, 16])
def test_rules_over_a_window_equal_the_oracle(window_bits: int) -> None:
    walked = replace(preset("tiny"), n_projections=7, weight_depth=64, digest_rounds=1)
    params = replace(walked, n_rules=2, window_bits=window_bits)
    by_window = 0
    for seed in range(20):
        pair = Pair(params, seed)
        pair.model.register["learn_post"] = pair.oracle.register["learn_post"] = 1
        for _ in range(6):
            pair.step()
        by_window += any(pair.oracle.rule_table["window"])
    assert by_window > 10


@given(params=core_params(), seed=st.integers(0, 1 << 32))
@settings(max_examples=examples(30))
def test_registers_flags_and_state_may_change_between_ticks(params: CoreParams, seed: int) -> None:
    pair = Pair(params, seed)
    for _ in range(4):
        pair.step()
        pair.set_registers()
        mask = ClearMask(int(pair.rng.integers(0, 64)))
        pair.model.clear(mask)
        pair.oracle.clear(mask)
        pair.compare()
        if params.learning:
            flags = pair.rng.integers(0, 2, pair.model.plastic.shape)
            pair.set("plastic", flags)


@pytest.mark.parametrize("learning", [False, True])
def test_probes_may_change_between_ticks_and_report_what_the_tick_has_left(learning: bool) -> None:
    params = preset(f"tiny,probe_ranges=4,v_width=24,theta_width=9,learning={int(learning)}")
    pair = Pair(params, 3)
    for _ in range(100):
        if pair.rng.random() < 0.3:
            pair.probe()
        pair.step()
        assert pair.model.probe_left == pair.oracle.probe_left


@pytest.mark.parametrize("name", ["tiny", "ncx", "up5k"])
def test_the_reference_sizes_equal_the_oracle(name: str) -> None:
    pair = Pair(preset(name), 1)
    for _ in range(3):
        pair.step()


@given(params=core_params(), seed=st.integers(0, 1 << 32), ticks=st.integers(0, 40))
@settings(max_examples=examples(30))
def test_many_ticks_in_one_call_are_the_ticks_one_by_one(
    params: CoreParams, seed: int, ticks: int
) -> None:
    together, apart = Pair(params, seed).model, Pair(params, seed)
    events = [(apart.model.tick + t, axon) for t in range(ticks) for axon in apart.axons()]
    first = apart.model.tick
    biases = [(first + t, *bias) for t in range(ticks) for bias in apart.biases()]
    runs = [
        apart.model.run(
            [e for e in events if e[0] == apart.model.tick], 1,
            [b for b in biases if b[0] == apart.model.tick],
        )
        for _ in range(ticks)
    ]  # fmt: skip
    whole = together.run(apart.rng.permutation(events) if events else events, ticks, biases)
    assert together.tick == apart.model.tick
    for name, values in whole._asdict().items():
        if name == "probes":  # nothing is probed
            assert not values
            continue
        parts = [getattr(run, name) for run in runs]
        if values is None:
            assert not any(part is not None for part in parts)
        else:
            assert values.tolist() == [item for part in parts for item in part.tolist()]
    for name in ("weight", "bias", "pending", *STATE):
        assert np.array_equal(getattr(together, name), getattr(apart.model, name)), name


OWING = (
    "ncx,digest_rounds=1",
    "tiny,digest_rounds=1,weight_width=16,v_width=24,i_syn_width=24",
    "tiny,digest_rounds=1,n_profiles=8,receptors=2",
)


@pytest.mark.parametrize("size", OWING)
def test_what_rows_are_owed_is_what_they_would_have_learned_at_once(size: str) -> None:
    """Digests show every step in its tick, so a model that reports them owes nothing."""
    spikes, learned = 0, 0
    for seed in range(12):
        owing, paying = (Pair(preset(size), seed, wild=seed % 2 == 1) for _ in range(2))
        models, rng = (owing.model, paying.model), np.random.default_rng(seed)
        first = owing.model.weight.copy()
        for _ in range(8):
            between_runs(models, rng)
            # Longer than what is kept of post-events, and with sources that are silent for as long.
            ticks = int(rng.integers(1, 300))
            events = np.argwhere(
                rng.random((ticks, owing.params.n_axons)) < rng.choice([0.001, 0.1])
            )
            events[:, 0] += owing.model.tick
            paying.model.register["digest_en"] = 1
            runs = [model.run(np.repeat(events, 2, axis=0), ticks) for model in models]
            paying.model.register["digest_en"] = 0
            assert np.array_equal(runs[0].spikes, runs[1].spikes)
            spikes += len(runs[0].spikes)
            if rng.random() < 0.5:  # which applies what rows are owed, and lets them owe more
                assert models[0].saturations == models[1].saturations
        for name in ("weight", *STATE):
            assert np.array_equal(getattr(models[0], name), getattr(models[1], name)), name
        assert models[0].saturations == models[1].saturations
        learned += int(np.count_nonzero(models[0].weight != first))
    assert min(spikes, learned) > 1000


def between_runs(models: tuple[ModelCore, ...], rng: np.random.Generator) -> None:
    """Change what steps depend on, in all models alike, or leave all as it is."""
    which, value = int(rng.integers(0, 9)), int(rng.integers(-900, 900))
    low, high = sorted(rng.integers(-8, 8, 2).tolist())
    flags = rng.random(models[0].plastic.shape) < rng.choice([0.5, 1.0])
    for model in models:
        model.register["learn_post"] = int(which != 7)
        if which == 0:
            model.register |= {"post_gain": value, "w_min": low, "w_max": high}
        elif which == 1:
            model.register |= {"stochastic": value & 1, "post_offset": 0, "pre_offset": 0}
        elif which == 2:
            model.clear(ClearMask(value & 63))
        elif which == 3:
            model.set_plastic(flags)
        elif which == 4:
            model.weight[value % 8] = low
        elif which == 5:
            model.trace_pre[value % 8] = 200


def test_a_run_longer_than_one_call_of_the_kernel_is_whole() -> None:
    params = replace(preset("tiny"), learning=False)
    core = ModelCore(params)  # all thresholds 0: every neuron fires in every tick
    ticks = 60_000
    run = core.run([], ticks)
    assert core.tick == ticks
    assert run.cycles.shape == (ticks,)
    assert np.array_equal(run.spikes[:, 0], np.repeat(np.arange(ticks), params.n_neurons))
    assert np.array_equal(run.spikes[:, 1], np.tile(np.arange(params.n_neurons), ticks))


@pytest.mark.parametrize(
    ("events", "ticks", "message"),
    [
        ([(5, 0)], 5, r"tick of an event must be in 0…4, not 5"),
        ([(-1, 0)], 5, r"tick of an event must be in 0…4, not -1"),
        ([(0, 8)], 5, r"axon of an event must be in 0…7, not 8"),
        ([(0, -1)], 5, r"axon of an event must be in 0…7, not -1"),
        ([0, 1], 5, r"shape \(k, 2\), not \(2,\)"),
        ([], -1, r"ticks must be 0 or more, not -1"),
    ],
)
def test_wrong_arguments_are_named(events: Any, ticks: int, message: str) -> None:
    core = ModelCore(preset("tiny"))
    with pytest.raises(ValueError, match=message):
        core.run(events, ticks)
    assert core.tick == 0


@pytest.mark.parametrize(
    ("size", "biases", "message"),
    [
        ("tiny", [(0, 0, 0)], r"no bias events: build it with bias_events=True"),
        ("tiny,bias_events=1", [(5, 0, 0)], r"tick of an event must be in 0…4, not 5"),
        ("tiny,bias_events=1", [(0, 8, 0)], r"neuron of an event must be in 0…7, not 8"),
        ("tiny,bias_events=1", [(0, 0, -32769)], r"bias of an event must be in -32768…32767"),
        ("tiny,bias_events=1", [(0, 0)], r"biases must have shape \(k, 3\), not \(1, 2\)"),
    ],
)
def test_wrong_bias_events_are_named(size: str, biases: Any, message: str) -> None:
    core = ModelCore(preset(size))
    with pytest.raises(ValueError, match=message):
        core.run([], 5, biases)
    assert core.tick == 0


def test_reset_keeps_weights_flags_and_neuron_parameters() -> None:
    pair = Pair(preset("tiny"), 3)
    kept = {n: getattr(pair.model, n).copy() for n in ("weight", "plastic", "threshold", "bias")}
    pair.step()
    pair.model.weight[...] = kept["weight"]
    pair.model.reset()
    assert pair.model.tick == 0
    assert not any(pair.model.register.values())
    assert not any(getattr(pair.model, name).any() for name in (*STATE, "pending"))
    assert all(np.array_equal(getattr(pair.model, n), kept[n]) for n in kept)


def digest() -> str:
    """Hash of all that some cores do, of which each kind of width and rule is one."""
    found = hashlib.sha256()
    tiny = preset("tiny")
    narrow = replace(tiny, weight_width=4, v_width=8, i_syn_width=8, theta_width=8, trace_width=8)
    wide = replace(tiny, weight_width=16, v_width=24, i_syn_width=24, theta_width=24)
    folded = [replace(params, digest_rounds=3) for params in (narrow, wide)]
    walked = replace(folded[-1], n_projections=7, weight_depth=64, n_rules=4, window_bits=16)
    folded.append(replace(walked, receptors=2))
    for params in (tiny, narrow, wide, replace(tiny, learning=False), *folded):
        for seed in range(6):
            pair = Pair(params, seed)
            core = pair.model
            events = [(core.tick + t, axon) for t in range(5) for axon in pair.axons()]
            run = core.run(events, 5)
            for values in run[:6]:
                found.update(b"" if values is None else values.tobytes())
            for name in ("weight", "pending", *STATE):
                found.update(getattr(core, name).tobytes())
    return found.hexdigest()


def test_the_model_is_the_same_when_it_is_not_compiled() -> None:
    # Warnings are errors: an overflow that numpy reports is one that compiled code hides.
    plain = subprocess.run(
        [sys.executable, "-W", "error", __file__],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(ROOT / "tests")},
        check=True,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert plain.stdout.strip() == digest()


if __name__ == "__main__":
    sys.stdout.write(digest())
