"""The ideal network: exact rules in real numbers, and the core's own values once it rounds."""

import math
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from spiketwin.cosim.compare.case import Case
from spiketwin.cosim.compare.ideal import Ideal
from spiketwin.cosim.compare.quantisation import Quantisation
from spiketwin.hdl.spec.params import preset
from spiketwin.hdl.spec.variables import VECTOR_PARAMETERS
from spiketwin.host import Network, connect
from spiketwin.host.elements import IntArray
from spiketwin.host.errors import DoesNotFit, InvalidInput, InvalidNetwork
from spiketwin.host.network import WIDEST

NOTHING = np.empty((0, 2), np.int64)
TINY = preset("tiny")


def make(**attributes: Any) -> Ideal:
    """An ideal network, with scalars and lists for arrays."""
    return Ideal(**attributes)


def noise(ticks: int, n_axons: int, seed: int) -> IntArray:
    return np.argwhere(np.random.default_rng(seed).random((ticks, n_axons)) < 0.15)


def wild(seed: int) -> Network:
    """Networks in which everything happens: both rules, both resets, saturation, noise."""
    net = Network.random(n_axons=20, n_neurons=40, seed=seed)
    net.stochastic = seed % 2 == 0
    net.reset_subtract = seed == 2
    if seed == 3:
        net.weights[:20] *= 2
        net.weights[20:] *= -10
        net.v_floor = -30000
        net.trace_pre_bump, net.trace_pre_replace = 60000, False
    if seed == 4:
        net.v_tau, net.trace_pre_tau, net.i_syn_shift = 1_500.0, 3_000.0, 1
        net.i_inh_en, net.i_inh_tau = True, 9.0
    if seed == 5:
        held: dict[str, Any] = {
            "v_tau": [20.0, 5.0, np.inf], "theta_bump": [0, 9, 40], "v_floor": [-900, -2000, 0],
            "reset_subtract": [True, False, True], "refrac_integrates": [False, True, True],
            "linear_leak": [0, 0, 3], "trace_pre_tau": [4.0, 30.0, 9.0],
            "trace_post_bump": [90, 200, 10], "profile": [0, 1, 2, 1] * 10,
            "source_profile": [2, 1, 0] * 20,
        }  # fmt: skip
        for name, value in held.items():
            setattr(net, name, value)
    if seed == 6:  # whatever a random network leaves alone
        rng = np.random.default_rng(seed)
        for parameter in VECTOR_PARAMETERS:
            array = getattr(net, parameter.name)
            if not np.any(array != parameter.default):
                array[:] = rng.integers(0, min(4, parameter.limits(WIDEST)[1] + 1), array.shape)
    return net


# The last one saturates, and its weights begin outside their bounds, as they are meant to.
@pytest.mark.filterwarnings("ignore::spiketwin.host.errors.SpiketwinWarning")
@pytest.mark.parametrize("seed", range(7))
def test_with_all_roundings_kept_every_value_is_the_cores(seed: int) -> None:
    net = wild(seed)
    # Larger than the network, as the noise goes by the core's numbers; narrow, to saturate.
    params = net.core_params(n_axons=24, i_syn_width=16 if seed < 3 else 8)
    assert params.decay_shift is (seed == 4)
    case = replace(Case.of(net, params, noise(300, 20, seed), 300), clear_every=70)
    with connect("model:", params=params) as core:
        found = case.run_on(core, every=50)
    same = case.run_ideal(every=50, keeping=Quantisation(params))
    assert len(found.spikes) > 500
    assert found.after.tolist() == [50, 100, 150, 200, 250, 300]
    for name in ("spikes", "after", "v", "weights"):
        np.testing.assert_array_equal(getattr(same, name), getattr(found, name), name)
    assert not np.array_equal(case.run_ideal().spikes, found.spikes)


def test_bias_events_are_those_of_the_core_and_in_the_ideal_networks_own_unit() -> None:
    net, rng = wild(1), np.random.default_rng(8)
    params = net.core_params(bias_events=True)
    biases = np.column_stack(
        [np.arange(0, 300, 3), rng.integers(0, 40, 100), rng.integers(-200, 300, 100)]
    )
    case = Case.of(net, params, noise(300, 20, 1), 300, biases)
    case = replace(case, clear_every=70)
    with connect("model:", params=params) as core:
        found = case.run_on(core, every=50)
    same = case.run_ideal(every=50, keeping=Quantisation(params))
    for name in ("spikes", "after", "v", "weights"):
        np.testing.assert_array_equal(getattr(same, name), getattr(found, name), name)
    without = replace(case, biases=biases[:0]).run_ideal(every=50, keeping=Quantisation(params))
    assert not np.array_equal(without.spikes, same.spikes)
    assert case.run_ideal(every=50).spikes.tolist() == case.run_ideal().spikes.tolist()
    # A network at twice the scale has half the potential.
    scaled = replace(case, ideal=Ideal.of(net, params).in_units(0.5), scale=2.0)
    np.testing.assert_array_equal(2 * scaled.run_ideal().v, case.run_ideal().v)


def of_all_kinds(seed: int) -> Network:
    """A network with constants and delays, that learns at synapses with several delays."""
    rng = np.random.default_rng(seed)
    net = Network(n_axons=9, v_tau=20.0, i_syn_tau=3.0, v_floor=-900, w_max=60, learn_pre=True,
                  learn_post=True, pre_gain=-2000, post_gain=9000, trace_pre_tau=10.0,
                  trace_pre_bump=9000, trace_post_tau=10.0, trace_post_bump=9000)  # fmt: skip
    hidden = net.population(12, threshold=rng.integers(100, 200, 12), refrac_ticks=1)
    output = net.population(6, threshold=130)
    for delay in (0, 1, 7):
        weights = rng.integers(5, 30, (9, 12))
        net.project(net.axons, hidden, weights=weights, plastic=delay < 7, delay=delay)
    net.project(hidden[2:], hidden[:9], constant=-7, itself=False)
    net.project(hidden, output, weights=rng.integers(0, 60, (12, 6)), plastic=True, delay=2)
    net.project(net.axons[3:], output, constant=6, delay=3)
    return net


@pytest.mark.parametrize("seed", range(3))
def test_constants_delays_and_rules_are_those_of_the_core(seed: int) -> None:
    net = of_all_kinds(seed)
    if seed == 2:
        rules: dict[str, Any] = {
            "w_max": [60, 90, 65], "gain_shift": [0, 2, 0], "current_after": [False, True, True],
            "pre_offset": [0, -9999, 0], "window": [0, 1, 0],
            "windows": np.random.default_rng(9).integers(-1 << 17, 1 << 18, (1, 512)),
            "drift": [0, 9999, -14000],
        }  # fmt: skip
        for name, value in rules.items():
            setattr(net, name, value)
        net.projections[1].rule, net.projections[4].rule = 1, 2
    params = net.core_params(n_axons=48, event_queue_depth=512)
    case = replace(Case.of(net, params, noise(300, 9, seed), 300), clear_every=70)
    with connect("model:", params=params) as core:
        found = case.run_on(core, every=50)
    same = case.run_ideal(every=50, keeping=Quantisation(params))
    assert len(set(found.spikes[:, 1])) == 18
    for name in ("spikes", "after", "v", "weights"):
        np.testing.assert_array_equal(getattr(same, name), getattr(found, name), name)
    played = case.open_loop()
    np.testing.assert_array_equal(played.run_ideal().spikes, case.run_ideal().spikes)
    with connect("model:", params=played.params) as core:
        found = played.run_on(core)
    same = played.run_ideal(keeping=Quantisation(played.params))
    np.testing.assert_array_equal(same.spikes, found.spikes)


def test_each_rule_rounds_as_it_says() -> None:
    net: Any = Network(n_axons=16, v_tau=20.0, w_max=120, learn_pre=True, learn_post=True, seed=7,
                       pre_gain=-900, post_gain=1000, trace_pre_tau=10.0, trace_pre_bump=9000,
                       trace_post_tau=10.0, trace_post_bump=9000)  # fmt: skip
    cells = net.population(32, threshold=100)
    for half, own in ((net.axons[:8], {"stochastic": True}), (net.axons[8:], {})):
        net.project(half, cells, weights=20, plastic=True, **own)
    assert net.stochastic.tolist() == [False, True]
    params = net.core_params()
    case = Case.of(net, params, noise(20, 16, 3), 20)
    with connect("model:", params=params) as core:
        found = case.run_on(core, every=5)
    same = case.run_ideal(every=5, keeping=Quantisation(params))
    np.testing.assert_array_equal(same.weights, found.weights)
    for rule in (True, False):
        net.stochastic = rule
        other = Case.of(net, params, noise(20, 16, 3), 20)
        weights = other.run_ideal(every=5, keeping=Quantisation(params)).weights
        assert not np.array_equal(weights, found.weights)


def test_an_ideal_network_of_several_rules_is_not_rounded_to_an_all_to_all_one() -> None:
    net = Network(n_axons=8)
    net.project(net.axons, net.population(32), weights=1, plastic=True, w_max=9)
    with pytest.raises(InvalidNetwork, match="an all-to-all network has one rule"):
        Ideal.of(net, net.core_params()).quantised(1.0, net.core_params())


def test_an_ideal_network_with_delays_is_not_rounded_to_an_all_to_all_one() -> None:
    net = of_all_kinds(0)
    with pytest.raises(InvalidNetwork, match="an all-to-all network has no delays"):
        Ideal.of(net, net.core_params()).quantised(1.0, net.core_params())


@pytest.mark.parametrize("lifted", ["decay_codes", "decay_rounding", "widths", "weight_steps"])
def test_each_rounding_can_be_lifted(lifted: str) -> None:
    net = wild(3)
    case = Case.of(net, net.core_params(), noise(300, 20, 3), 300)
    kept = Quantisation(case.params)
    changes: dict[str, Any] = {lifted: False}
    all_kept, one_lifted = (case.run_ideal(keeping=k) for k in (kept, replace(kept, **changes)))
    assert not np.array_equal(one_lifted.v, all_kept.v)


def test_decays_are_exponential_to_the_last_digit() -> None:
    weights = np.zeros((2, 1))
    weights[0] = 1.0
    ideal = make(n_axons=1, n_neurons=1, weights=weights, threshold=9.0, v_tau=20.0, i_syn_tau=5.0)
    run = ideal.run([(0, 0)], 40, every=1)
    n = np.arange(40)
    expected = [sum(math.exp(-(k - i) / 20 - i / 5) for i in range(k + 1)) for k in n]
    np.testing.assert_allclose(run.v[:, 0], expected, rtol=1e-13)


def test_codes_of_no_decay_and_of_rest_at_once_are_exact() -> None:
    ideal = make(n_axons=1, n_neurons=1, weights=[[1000.0], [0.0]], threshold=1e6)
    codes = Quantisation(TINY, decay_rounding=False, widths=False)
    assert ideal.run([(0, 0)], 3, every=1, keeping=codes).v[:, 0].tolist() == [1000.0] * 3


def test_a_spike_travels_in_the_next_tick_and_the_neuron_rests() -> None:
    weights = np.zeros((3, 2))
    weights[0, 0] = weights[1, 1] = 1.0  # axon to neuron 0, neuron 0 to neuron 1
    ideal = make(
        n_axons=1, n_neurons=2, weights=weights, threshold=1.0, v_reset=[0.25, 0.5], refrac_ticks=2
    )
    run = ideal.run([(t, 0) for t in range(6)], 6, every=1)
    assert run.spikes.tolist() == [[0, 0], [1, 1], [3, 0], [4, 1]]
    assert run.v.tolist() == [
        [0.25, 0.0], [0.25, 0.5], [0.25, 0.5], [0.25, 0.5], [0.25, 0.5], [0.25, 0.5]
    ]  # fmt: skip


def test_reset_by_subtraction_keeps_what_was_above_threshold_and_theta() -> None:
    ideal = make(
        n_axons=0, n_neurons=1, threshold=1.0, bias=1.5, reset_subtract=True, theta_bump=0.25
    )
    run = ideal.run(NOTHING, 4, every=1)
    assert run.spikes[:, 0].tolist() == [0, 1, 2, 3]
    assert run.v[:, 0].tolist() == [0.5, 0.75, 0.75, 0.5]


def test_the_floor_holds_but_there_is_no_width() -> None:
    weights = np.array([[-3.0], [1e9], [0.0]])
    ideal = make(n_axons=2, n_neurons=1, weights=weights, threshold=math.inf, v_floor=-2.0)
    assert ideal.run([(0, 0), (1, 1)], 2, every=1).v[:, 0].tolist() == [-2.0, 1e9 - 2]


def test_learning_steps_are_not_rounded_and_bounds_hold() -> None:
    weights = np.array([[1.0], [1.0], [0.0]])
    ideal = make(
        n_axons=2, n_neurons=1, weights=weights, plastic=[[True], [False], [False]], threshold=1.0,
        learn_pre=True, pre_gain=-0.25, pre_offset=0.01, trace_post_bump=0.5, trace_post_tau=0.0,
        learn_post=True, post_gain=0.5, post_offset=-0.1, trace_pre_bump=0.75, w_max=1.4, w_min=0,
    )  # fmt: skip
    run = ideal.run([(0, 0), (0, 1), (1, 0), (2, 0), (3, 0)], 4, every=1)
    assert run.spikes[:, 0].tolist() == [0, 1, 2, 3]
    # Pre by the trace of the spike before (none in tick 0), then post by 0.75, 1.5 (past full
    # scale), and the bound.
    first = 1 + 0.01 + 0.5 * 0.75 - 0.1
    second = min(1.4, first - 0.25 * 0.5 + 0.01 + 0.5 * 1.5 - 0.1)
    np.testing.assert_allclose(run.weights[:2, 0, 0], [first, second], rtol=1e-13)
    assert run.weights[:, 1, 0].tolist() == [1.0] * 4  # not plastic


def test_a_recording_is_the_same_in_parts() -> None:
    net = wild(0)
    ideal = Ideal.of(net, net.core_params())
    whole, parts = (ideal.run(noise(90, 20, 0), 90, every=each) for each in (None, 7))
    assert whole.spikes.tolist() == parts.spikes.tolist()
    assert parts.after.tolist() == [*range(7, 90, 7), 90]
    assert parts.weights.shape == (13, 60, 40)
    np.testing.assert_array_equal(parts.v[-1], whole.v[0])
    np.testing.assert_array_equal(parts.weights[-1], whole.weights[0])


def test_without_learning_weights_are_recorded_once() -> None:
    assert make(n_axons=0, n_neurons=3).run(NOTHING, 10, every=2).weights.shape == (1, 3, 3)


# --- to a network and back ---------------------------------------------------------------------


def test_a_network_taken_as_real_numbers_rounds_to_itself() -> None:
    net = wild(3)
    params = net.core_params()
    again = Ideal.of(net, params).quantised(1.0, params)
    for field in fields(Network):
        np.testing.assert_array_equal(
            getattr(again, field.name), getattr(net, field.name), field.name
        )


def test_values_are_rounded_to_nearest_and_halves_to_even() -> None:
    ideal = make(
        n_axons=0, n_neurons=4, threshold=[1.2, 1.25, 1.35, 1.45], v_floor=-math.inf, w_max=1,
        pre_gain=0.1, post_offset=-0.01, trace_pre_bump=0.5,
    )  # fmt: skip
    net = ideal.quantised(10.0, TINY)
    assert net.threshold.tolist() == [12, 12, 14, 14]
    assert net.v_floor == -(1 << 15)
    assert (net.w_max, net.pre_gain, net.post_offset) == (10, 256, -6554)
    assert net.trace_pre_bump == 1 << 15


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"weights": 1.3}, DoesNotFit, r"weights\[0, 0\] must be in -128…127, not 130"),
        ({"threshold": 400.0}, DoesNotFit, r"threshold\[0\] must be in -32768…32767, not 40000"),
        ({"threshold": math.inf}, InvalidNetwork, "threshold must be finite"),
        ({"trace_pre_bump": 1.0}, InvalidNetwork, "trace_pre_bump must be an integer in 0…65535"),
    ],
)
def test_what_does_not_fit_a_core_is_named(
    changed: dict[str, Any], error: type[Exception], message: str
) -> None:
    ideal = make(n_axons=1, n_neurons=2, **changed)
    with pytest.raises(error, match=message):
        ideal.quantised(100.0, TINY)


def test_wrong_shapes_and_values_are_refused() -> None:
    with pytest.raises(InvalidNetwork, match=r"bias must have the shape \(2,\), not \(3,\)"):
        make(n_axons=0, n_neurons=2, bias=np.zeros(3))
    with pytest.raises(InvalidNetwork, match="v_tau must hold numbers"):
        make(n_axons=0, n_neurons=2, v_tau=math.nan)
    ideal = make(n_axons=1, n_neurons=2)
    with pytest.raises(InvalidInput, match="axon must be in 0…0"):
        ideal.run([(0, 1)], 5)
    with pytest.raises(InvalidInput, match="clear_every must be 1 or more ticks, not 0"):
        ideal.run(NOTHING, 5, clear_every=0)
