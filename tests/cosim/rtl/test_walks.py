"""The RTL of a core with projections equals the model in all that it reports and holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support.probes import random_probes, words_reported
from support.rungs import bulk_but, examples
from support.tables import random_table

from spiketwin.cosim.model.core import ModelCore
from spiketwin.cosim.model.memory import Memory
from spiketwin.cosim.rtl.build import Design
from spiketwin.cosim.rtl.core_engine import CoreEngine
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.protocol import MAX_FETCH_WORDS
from spiketwin.hdl.spec.registers import (
    RUN_REGISTERS,
    ClearMask,
    Space,
    SpaceFormat,
    space_formats,
)
from spiketwin.host.decoding import decode

SIZES = {
    "relays": CoreParams(
        n_axons=24, n_neurons=48, lanes=4, neuron_lanes=2, source_lanes=2, n_projections=16,
        weight_depth=2048, n_relays=64, max_delay=8, digest_rounds=2, saturation_counters=True,
        spike_queue_depth=1024, probe_ranges=4, synapse_delay_width=2, receptors=2, n_rules=4,
        bias_events=True,
    ),
    "narrow": CoreParams(
        n_axons=8, n_neurons=8, lanes=2, neuron_lanes=2, source_lanes=2, n_projections=8,
        weight_depth=256, digest_rounds=2, saturation_counters=True, spike_queue_depth=1024,
        probe_ranges=1,
    ),
    "receptors": CoreParams(
        n_axons=64, n_neurons=64, lanes=8, n_projections=64, weight_depth=768, n_relays=160,
        max_delay=256, receptors=2, decay_shift=True, n_profiles=4, digest_rounds=1,
        saturation_counters=True, spike_queue_depth=2048, probe_ranges=2, sparse_rows=600,
        synapse_delay_width=3,
    ),
    "wide": CoreParams(
        n_axons=16, n_neurons=64, lanes=16, neuron_lanes=8, source_lanes=16, weight_width=16,
        v_width=24, i_syn_width=17, theta_width=8, trace_width=13, n_projections=64,
        weight_depth=256, n_relays=32, max_delay=2, digest_rounds=1, saturation_counters=True,
        spike_queue_depth=1024, probe_ranges=3, sparse_rows=300, n_rules=8, bias_events=True,
        window_bits=16,
    ),
    "deep": CoreParams(
        n_axons=64, n_neurons=96, lanes=2, neuron_lanes=2, source_lanes=2, n_projections=16,
        weight_depth=4160, trace_width=8,
        digest_rounds=1, spike_queue_depth=1024, n_rules=2, window_bits=8,
    ),
    "fixed": CoreParams(
        n_axons=128, n_neurons=96, n_projections=4, weight_depth=2048, learning=False,
        spike_queue_depth=1024, sparse_rows=4096, synapse_delay_width=1,
    ),
}  # fmt: skip

TICKS = 14
NOT_WRITTEN = (Space.COUNTER, Space.PENDING)


def anything(
    form: SpaceFormat, params: CoreParams, rng: np.random.Generator, of_run: dict[str, int]
) -> NDArray[Any]:
    """Return values for all elements of a space with which neurons fire now and then."""
    if form.record:
        return np.array([_in_record(form, params, k, rng, of_run) for k in range(form.size)])
    low, high = form.limits()
    unit = 1 << (params.v_width - 4)
    if form.space in (Space.BIAS, Space.THRESHOLD):
        low, high = -unit, unit
    elif form.space in (Space.REFRAC_TICKS, Space.REFRAC_COUNT):
        high = 3
    elif form.space is Space.THETA:
        high = min(high, unit)
    return rng.integers(low, high + 1, form.size)


def _in_record(
    form: SpaceFormat, params: CoreParams, k: int, rng: np.random.Generator, of_run: dict[str, int]
) -> int:
    low, high = form.limits_at(k)
    name = form.record[k % form.columns].name
    if name in RUN_REGISTERS:
        return of_run.get(name, 0)
    if name == "v_floor":
        return low
    value = int(rng.choice([low, high, int(rng.integers(low, high + 1))]))
    return value >> 8 if name == "theta_bump" else value


class Pair:
    """The RTL and the model of a core, which are told the same."""

    def __init__(self, params: CoreParams) -> None:
        self.params = params
        self.rtl = CoreEngine(Design(params=params, level="core"))
        self.model = ModelCore(params)
        self.memory = Memory(self.model)
        self.other_rng = np.random.default_rng(1)

    def fill(self, rng: np.random.Generator) -> None:
        table, probes = random_table(self.params, rng), random_probes(self.params, self.other_rng)
        words = words_reported(self.params, probes)
        of_run = {
            "digest_en": 1,
            "probe_period": int(self.other_rng.choice([1, 1, 2, 5])),
            "probe_words": int(self.other_rng.choice([words, words, words + 1, words // 2])),
        }
        table |= probes
        for form in space_formats(self.params).values():
            if form.space in NOT_WRITTEN:
                continue
            name = form.space.name.lower()
            values = table.get(name)
            if values is None:
                values = anything(form, self.params, rng, of_run)
            values = values.reshape(-1)
            self.rtl.write(form.space, 0, values)
            self.memory.write(form.space, 0, values.astype(np.int64))
        self.rtl.clear(ClearMask.PENDING)
        self.model.clear(ClearMask.PENDING)

    def run(self, events: NDArray[np.int64]) -> int:
        """Run both, compare all that they report, and return how many spikes there were."""
        params, first = self.params, self.rtl.tick
        biases = self.biases(params.event_queue_depth - len(events)) + (first, 0, 0)
        for tick in range(first, first + TICKS):
            now = events[events[:, 0] == tick - first]
            self.rtl.queue_biases(biases[biases[:, 0] == tick])
            self.rtl.queue((now[:, 0] + first) << 16 | now[:, 1])
        self.rtl.run_to(first + TICKS)
        words = b""
        while len(part := self.rtl.take(MAX_FETCH_WORDS)) == 4 * MAX_FETCH_WORDS:
            words += part
        digests = params.digest_rounds > 0
        reported = np.frombuffer(words + part, np.uint32)
        rtl = decode(reported, TICKS, params, digests)
        assert self.model.tick == first
        ticks, axons = events[:, 0] + first, events[:, 1].astype(np.int32)
        ran = self.model.advance(ticks, axons, TICKS, 1 << 16, biases)
        model = decode(ran.words, TICKS, params, digests)
        for name in ("spike_cycles", "update_cycles", "cycles", "digests"):
            np.testing.assert_array_equal(getattr(rtl, name), getattr(model, name), name)
        np.testing.assert_array_equal(rtl.spikes, model.spikes)
        np.testing.assert_array_equal(reported, ran.words)
        return len(rtl.spikes)

    def biases(self, most: int) -> NDArray[np.int64]:
        """Return up to `most` bias events, ascending by tick, if the core has any."""
        rng, unit = self.other_rng, 1 << (self.params.v_width - 4)
        count = self.params.bias_events * min(most, int(rng.choice([0, 5, 40])))
        return np.stack(
            [
                np.sort(rng.integers(0, TICKS, count)),
                rng.integers(0, self.params.n_neurons, count),
                rng.integers(-unit, unit, count),
            ],
            axis=1,
        )

    def compare(self) -> None:
        for form in space_formats(self.params).values():
            if form.space not in NOT_WRITTEN:
                rtl = self.rtl.read(form.space, 0, form.size)
                model = self.memory.read(form.space, 0, form.size)
                np.testing.assert_array_equal(rtl & 0xFFFFFFFF, model & 0xFFFFFFFF, form.space.name)
        counted = self.rtl.counters()
        for name, count in self.model.saturations.items():
            assert counted.get(name, count) == count, name


@pytest.mark.parametrize("size", bulk_but(("relays",), SIZES))
def test_the_rtl_walks_any_table_as_the_model_does(size: str) -> None:
    pair, spikes = Pair(SIZES[size]), 0
    for seed in range(max(3, examples(12))):
        rng = np.random.default_rng(seed)
        pair.fill(rng)  # which takes far longer than ticks do, as comparing does
        for activity in rng.permutation([0.0, 0.05, 0.3, 0.8]):
            counts = rng.poisson(activity, (TICKS, pair.params.n_axons))
            events = np.argwhere(counts).repeat(counts[counts > 0], axis=0)
            spikes += pair.run(events[: pair.params.event_queue_depth])
        pair.compare()
    assert spikes > 100
