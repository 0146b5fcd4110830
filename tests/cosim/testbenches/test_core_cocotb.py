"""The core in the simulator against the oracle: every test of the testbench, on every size."""

from pathlib import Path

import pytest
from support.rungs import bulk_but

from spiketwin.cosim.testbenches import core_bench, runner
from spiketwin.cosim.testbenches.scoreboard import Mismatch, NothingCompared, Scoreboard
from spiketwin.hdl.spec.params import CoreParams, preset

# Every width differs from the presets', lanes do not divide to a power of two.
ODD = CoreParams(
    n_axons=12, n_neurons=20, lanes=4, neuron_lanes=1, source_lanes=4, weight_width=5, v_width=10,
    i_syn_width=9, theta_width=24, trace_width=8, refrac_width=2, event_queue_depth=16,
    spike_queue_depth=128, digest_rounds=1, saturation_counters=True, decay_shift=True,
    receptors=2, n_profiles=4, bias_events=True,
)  # fmt: skip
FIXED = CoreParams(
    n_axons=4, n_neurons=16, lanes=4, neuron_lanes=4, source_lanes=1, learning=False,
    event_queue_depth=16, spike_queue_depth=128, digest_rounds=2, saturation_counters=True,
    decay_shift=True, bias_events=True,
)  # fmt: skip
# An odd number of axons and neurons to a lane: columns of any length.
PAIRED = CoreParams(
    n_axons=12,
    n_neurons=24,
    lanes=4,
    neuron_lanes=1,
    source_lanes=1,
    weight_width=7,
    trace_width=8,
    single_port_weights=True,
    event_queue_depth=16,
    spike_queue_depth=128,
    digest_rounds=3,
    saturation_counters=True,
    receptors=2,
    n_profiles=2,
    bias_events=True,
)

SIZES = {"tiny": preset("tiny"), "odd": ODD, "fixed": FIXED, "paired": PAIRED}


# One of each kind; that the core equals the model, tests/cosim/test_equivalence.py shows as well.
BRIEF = {
    "begins_with_nothing", "random_networks", "every_synapse_by_itself", "weights_saturate",
    "output_queue_fills_up", "tick_period_is_kept", "memory_port_reaches_every_element",
}  # fmt: skip


def cases() -> list[object]:
    # A queue is the same in every size.
    once = {"output_queue_fills_up"}
    every = [
        (size, name)
        for size, params in SIZES.items()
        for name in core_bench.bench.names
        if core_bench.is_for(name, params) and (size == "tiny" or name not in once)
    ]
    return bulk_but([("tiny", name) for name in BRIEF], every)


@pytest.mark.parametrize(("size", "name"), cases())
def test_the_core_equals_the_oracle(size: str, name: str, seed: int, tmp_path: Path) -> None:
    params = SIZES[size]
    folder = runner.simulator("CoreTop", params, whole=False)
    test = f"{core_bench.__name__}.{name}"
    runner.run(folder, "CoreTop", params, test, seed=seed, results=tmp_path)


def test_a_mismatch_says_where() -> None:
    scoreboard = Scoreboard(seed=7)
    scoreboard.tick = 3
    scoreboard.check_vector("v", [1, 2], [1, 2])
    with pytest.raises(Mismatch, match=r"seed 7, tick 3, neuron 1, v: expected -2, got 2"):
        scoreboard.check_vector("v", [1, 2], [1, -2])
    with pytest.raises(Mismatch, match=r"synapse \(source 1, neuron 0\), weight: expected 5"):
        scoreboard.check_matrix("weight", [[1], [4]], [[1], [5]])
    scoreboard.finish()


def test_a_test_that_compares_nothing_fails() -> None:
    with pytest.raises(NothingCompared):
        Scoreboard(seed=0).finish()


def test_a_test_that_is_not_there_fails(tmp_path: Path) -> None:
    folder = runner.simulator("CoreTop", SIZES["tiny"], whole=False)
    with pytest.raises(runner.BenchFailed):
        runner.run(
            folder, "CoreTop", SIZES["tiny"], f"{core_bench.__name__}.nothing", seed=0,
            results=tmp_path,
        )  # fmt: skip
