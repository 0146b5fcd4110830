"""Populations and projections: how they are made, and everything wrong that is refused by name."""

import warnings
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
import pytest

from spiketwin.hdl.spec.params import CoreParams, preset
from spiketwin.host import Network
from spiketwin.host.errors import DoesNotFit, InvalidNetwork, SpiketwinWarning
from spiketwin.host.populations import Population, Projection


def layers() -> tuple[Network, Population, Population]:
    net = Network(n_axons=6)
    return net, net.population(4, threshold=[1, 2, 3, 4], name="hidden"), net.population(3, bias=5)


def test_populations_append_neurons_with_their_parameters() -> None:
    net, hidden, output = layers()
    assert (net.n_neurons, len(hidden), len(output)) == (7, 4, 3)
    assert net.threshold.tolist() == [1, 2, 3, 4, 1000, 1000, 1000]
    assert net.bias.tolist() == [0, 0, 0, 0, 5, 5, 5]
    assert (hidden.name, output.name) == ("hidden", "population 2")
    assert (hidden.neurons, hidden.sources) == (range(4), range(6, 10))
    assert (output.neurons, output.sources) == (range(4, 7), range(10, 13))
    assert (net.axons.sources, len(net.axons)) == (range(6), 6)
    net.threshold[output.neurons] = 7
    assert net.threshold.tolist() == [1, 2, 3, 4, 7, 7, 7]


def test_a_slice_of_a_population_is_one_too() -> None:
    _, hidden, output = layers()
    assert output[1:].neurons == range(5, 7)
    assert output[-2:][:1].neurons == range(5, 6)
    assert output[1:3].name == "population 2[1:3]"
    assert hidden[:] == hidden
    assert hidden[1:3] == hidden[1:3] != hidden[1:2]


def test_a_projection_holds_its_weights_in_the_shape_of_both_ends() -> None:
    net, hidden, output = layers()
    first = net.project(net.axons, hidden, weights=np.arange(24).reshape(6, 4))
    second = net.project(hidden[1:], output, weights=-3, plastic=True, name="out")
    assert net.projections == (first, second)
    assert (first.name, second.name) == ("axons to hidden", "out")
    assert second.weights.tolist() == [[-3] * 3] * 3
    assert (first.learns, second.learns, net.learns) == (False, True, True)
    sums = net.weight_sums()
    assert np.array_equal(sums[:6, :4], first.weights)
    assert np.array_equal(sums[7:10, 4:], second.weights)
    assert sums.sum() == first.weights.sum() + second.weights.sum()


def test_two_synapses_of_a_pair_add_up_in_the_sums() -> None:
    net, hidden, _ = layers()
    net.project(hidden, hidden, weights=2)
    net.project(hidden[1:3], hidden[2:], weights=5)
    assert net.weight_sums()[6:10, :4].tolist() == [
        [2, 2, 2, 2], [2, 2, 7, 7], [2, 2, 7, 7], [2, 2, 2, 2],
    ]  # fmt: skip


def test_plastic_alone_stands_for_weights_that_are_not_0_at_that_moment() -> None:
    net, hidden, _ = layers()
    made = net.project(hidden, hidden, weights=np.eye(4, dtype=int), plastic=True)
    assert np.array_equal(made.plastic, np.eye(4, dtype=bool))
    made.weights[0, 1] = 3
    made.plastic = np.array(True)
    net.validate()
    assert made.plastic.sum() == 5


@pytest.mark.parametrize("name", ["weights", "plastic"])
def test_weights_are_those_of_projections(name: str) -> None:
    net, _, _ = layers()
    with pytest.raises(InvalidNetwork, match=f"no {name} of its own: take {name} of one of its"):
        getattr(net, name)
    assert not hasattr(net, name)
    setattr(net, name, np.zeros((13, 7), int))
    with pytest.raises(InvalidNetwork, match=f"{name} is set in a network of populations: set it"):
        net.validate()
    delattr(net, name)
    net.validate()


def of_another() -> Population:
    return Network(n_axons=6).population(4)


Wrong = Callable[[Network, Population], object]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda n, _: n.population(0), r"size must be an integer in 1…4089, not 0"),
        (lambda n, _: n.population(4090), r"size must be an integer in 1…4089, not 4090"),
        (lambda n, _: n.population(3, threshold=[1, 2]), r"threshold must have the shape \(3,\)"),
        (lambda n, _: n.population(3, bias=1 << 30), r"bias must be in -8388608…8388607"),
        (lambda n, _: n.population(3, w_max=20), r"no 'w_max' of its own: it has threshold, "),
        (lambda n, _: n.population(3, v_tau=-1), r"v_tau must be 0…inf ticks"),
        (lambda n, _: n.population(3, theta_bump=[1, 2, 3]), r"theta_bump must be an integer in 0"),
        (
            lambda n, _: n.population(3, v_tau=2, profile=1),
            "profile is given, and so is v_tau",
        ),
        (lambda n, _: n.population(3, v_tau=2, bias=1 << 30), r"bias must be in"),
        (lambda n, _: n.population(3, fires=3), r"fires must be an integer in 0…1, not 3"),
        (lambda n, _: n.population(3, name=7), r"name must be a text of 1…500 letters, not 7"),
        (lambda _, h: h[2:2], r"hidden must have one or more of its 4 and no steps, not slice"),
        (lambda _, h: h[::2], r"no steps, not slice\(None, None, 2\): take \[first:last \+ 1\]"),
        (lambda _, h: h[3], r"a part of hidden must be a slice such as \[2:5\], not 3"),
        (lambda _, h: h["a":], r"a slice of hidden must have integers in 0…4"),
        (lambda n, _: n.axons.neurons, r"axons has axons and no neurons"),
        (lambda n, h: n.project(h, n.axons, weights=1), r"target must be a population of neurons"),
        (lambda n, h: n.project(3, h, weights=1), r"source must be a population, not 3"),
        (lambda n, h: n.project(h, of_another(), weights=1), r"population 1 is of another: make"),
        (lambda n, h: n.project(h, h, weights=[[1]]), r"weights must have the shape \(4, 4\)"),
        (lambda n, h: n.project(h, h, weights=0.5), r"weights must hold integers, not float64"),
        (lambda n, h: n.project(h, h, weights=1 << 15), r"weights must be in -32768…32767"),
        (
            lambda n, h: n.project(h, h, weights=1, plastic=[1]),
            r"plastic must have the shape \(4, 4\), not \(1,\)",
        ),
        (lambda n, h: n.project(h, h, weights=0, plastic=True), r"plastic=True stands for the syn"),
        (lambda n, h: n.project(h, h, weights=1, name=""), r"name must be a text of 1…500 letters"),
    ],
)
def test_what_is_wrong_is_refused_by_name_and_changes_nothing(wrong: Wrong, message: str) -> None:
    net, hidden, _ = layers()
    with pytest.raises(InvalidNetwork, match=message):
        wrong(net, hidden)
    net.validate()
    assert (net.n_neurons, len(net.populations), net.projections) == (7, 2, ())


def test_the_two_forms_of_a_network_are_kept_apart() -> None:
    simple = Network(n_axons=4, n_neurons=8)
    with pytest.raises(InvalidNetwork, match=r"this one is all-to-all: make it without n_neurons"):
        simple.population(3)
    with pytest.raises(InvalidNetwork, match=r"this one is all-to-all: make it without n_neurons"):
        simple.project(simple.axons, simple.axons, weights=1)
    with pytest.raises(InvalidNetwork, match=r"threshold is given without n_neurons: .*population"):
        Network(n_axons=4, threshold=np.array(300))
    with pytest.raises(InvalidNetwork, match=r"weights is given without n_neurons: .*net.project"):
        Network(n_axons=4, weights=np.ones((4, 4), int))
    with pytest.raises(InvalidNetwork, match=r"no neurons: add some by `net.population"):
        Network(n_axons=4).core_params()
    with pytest.raises(InvalidNetwork, match=r"no axons: give it some"):
        _ = Network(n_axons=0).axons


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda n, h: n.project(h, h), r"either weights or a constant: give one of both"),
        (lambda n, h: n.project(h, h, weights=1, constant=1), r"either weights or a constant"),
        (lambda n, h: n.project(h, h, constant=1 << 15), r"constant must be in -32768…32767"),
        (lambda n, h: n.project(h, h, constant=0.5), r"constant must hold integers, not float64"),
        (lambda n, h: n.project(h, h, constant=[1, 2]), r"constant must have the shape \(\)"),
        (lambda n, h: n.project(h, h, constant=3, plastic=True), r"plastic must be False, as a co"),
        (lambda n, h: n.project(h, h, constant=3, sparse=True), r"sparse must be False, as a con"),
        (
            lambda n, h: n.project(h, h, weights=3, plastic=True, sparse=True),
            r"plastic must be False, as a sparse projection does not learn: give weights",
        ),
        (lambda n, h: n.project(h, h, weights=3, sparse=2), r"sparse must be in 0…1, not 2"),
        (
            lambda n, h: n.project(h, h, weights=3, synapse_delay=32),
            r"synapse_delay must be in 0…31, not 32",
        ),
        (
            lambda n, h: n.project(h, h, constant=3, synapse_delay=1),
            r"synapse_delay must be 0, as a constant projection has no synapses of its own: give",
        ),
        (lambda n, h: n.project(h, h, weights=3, itself=False), r"itself=False is of a constant"),
        (lambda n, h: n.project(h, h, constant=3, itself=2), r"itself must be in 0…1, not 2"),
        (lambda n, h: n.project(h, h, weights=3, delay=257), r"delay must be in 0…256, not 257"),
        (lambda n, h: n.project(h, h, weights=3, delay=-1), r"delay must be in 0…256, not -1"),
        (lambda n, h: n.project(h, h, weights=3, delay=1.5), r"delay must hold integers"),
        (
            lambda n, h: n.project(h[:3], h[2:], constant=3, itself=False, delay=1),
            r"itself=False must not have a delay where .*: give weights, of 3 and with 0 for each",
        ),
    ],
)
def test_wrong_kinds_and_delays_are_refused(wrong: Wrong, message: str) -> None:
    net, hidden, _ = layers()
    with pytest.raises(InvalidNetwork, match=message):
        wrong(net, hidden)
    assert net.projections == ()
    assert net.project(hidden[:2], hidden[2:], constant=3, itself=False, delay=1).delay == 1


def test_a_constant_projection_has_the_same_weights_but_for_neurons_to_themselves() -> None:
    net, hidden, output = layers()
    made = net.project(hidden[1:], hidden[:3], constant=-4, itself=False)
    assert (made.constant, made.itself, made.delay, made.kind.name) == (-4, False, 0, "CONSTANT")
    assert made.weights.tolist() == [[-4, 0, -4], [-4, -4, 0], [-4, -4, -4]]
    assert net.project(hidden, output, constant=2).weights.tolist() == [[2] * 3] * 4
    assert (net.n_weights, net.n_plastic, net.learns) == (7 + 12, 0, False)
    with pytest.raises(InvalidNetwork, match="hidden.* is constant and has one weight: set its `c"):
        made.weights = np.zeros((3, 3), int)
    made.constant = 9
    net.validate()
    assert made.weights.max() == 9


def test_a_sparse_projection_has_the_weights_that_are_not_0() -> None:
    net, hidden, output = layers()
    csr_array = pytest.importorskip("scipy.sparse").csr_array
    made = net.project(hidden, output, weights=np.eye(4, 3, dtype=int) * 5, sparse=True)
    assert (made.sparse, made.kind.name, made.learns) == (True, "SPARSE", False)
    assert (net.n_weights, net.n_plastic) == (3, 0)
    of_scipy = net.project(hidden, output, weights=csr_array(made.weights))
    assert of_scipy.sparse
    assert np.array_equal(of_scipy.weights, made.weights)
    assert not net.project(hidden, output, weights=csr_array(made.weights), sparse=False).sparse
    assert [each.sparse for each in net.copy().projections] == [True, True, False]
    params = net.core_params(lanes=2)
    assert (params.sparse_rows, params.learning) == (8, False)
    made.weights = np.zeros((4, 3), int)
    assert net.core_params(lanes=2).sparse_rows == 8


def test_sums_count_every_source_of_a_constant() -> None:
    net, hidden, output = layers()
    net.project(hidden, output, constant=10_000, delay=3)
    params = net.core_params()
    assert (params.weight_width, params.i_syn_width, params.v_width) == (15, 17, 17)
    assert (params.n_relays, params.max_delay, params.weight_depth) == (32, 4, 64)


def test_neurons_that_never_fire_decide_no_width_but_by_their_sums() -> None:
    net = Network(n_axons=6, v_tau=20.0)
    silent = net.population(3, fires=False, name="silent")
    net.project(net.axons, silent, weights=100)
    assert net.copy().threshold.tolist() == [8388607] * 3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        params = net.core_params()
        assert (params.v_width, params.i_syn_width) == (16, 16)
        net.projections[0].weights[...] = 300
        # v reaches 36,000 and must stay below the threshold.
        assert net.core_params().v_width == 17
    net.v_tau = np.inf
    with pytest.warns(SpiketwinWarning, match=r"v\[0\] can grow without limit, and stays at"):
        net.core_params()


def assigned(each: Projection, name: str, value: object) -> None:
    setattr(each, name, value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda n, p: assigned(p, "weights", [1]), r"projections\[0\].weights must have the shape"),
        (lambda n, p: assigned(p, "plastic", 3), r"projections\[0\].plastic must be in 0…1"),
        (lambda n, p: assigned(p, "target", n.axons), r"projections\[0\].target must be a populat"),
        (lambda n, p: assigned(p, "delay", 300), r"projections\[0\].delay must be in 0…256"),
        (lambda n, p: assigned(p, "constant", 3), r"projections\[0\].constant must stay a number"),
        (lambda n, p: assigned(p, "sparse", 2), r"projections\[0\].sparse must be in 0…1"),
        (lambda n, p: assigned(p, "itself", False), r"projections\[0\].itself=False is of a cons"),
        (lambda n, p: setattr(n, "n_axons", 2), r"source must have one or more of the 2 axons"),
        (lambda n, p: setattr(n, "n_neurons", 9), r"n_neurons is 9, and the populations have 7"),
        (lambda n, p: setattr(n, "projections", [3]), r"projections must be a tuple of what"),
    ],
)
def test_what_is_assigned_later_is_checked_when_it_is_used(
    change: Callable[[Network, Projection], object], message: str
) -> None:
    net, hidden, _ = layers()
    change(net, net.project(net.axons, hidden, weights=1))
    with pytest.raises(InvalidNetwork, match=message):
        net.core_params()


def test_sizes_follow_the_sums_of_all_projections() -> None:
    net, hidden, output = layers()
    for _ in range(3):
        net.project(hidden, output, weights=10_000)
    params = net.core_params()
    assert isinstance(params, CoreParams)
    assert (params.weight_width, params.i_syn_width, params.learning) == (15, 18, False)
    net.projections[1].plastic[0, 0] = True
    net.w_max = 32_000
    assert net.core_params().i_syn_width == 19
    assert net.core_params().learning


def test_a_core_with_or_without_a_table_can_be_asked_for() -> None:
    net, hidden, output = layers()
    net.project(hidden, output, weights=1)
    assert (net.core_params(n_projections=1).weight_depth, net.core_params().weight_depth) == (
        0,
        64,
    )
    assert net.core_params(n_projections=7).n_projections == 7
    simple = Network(n_axons=4, n_neurons=8, weights=np.ones((12, 8), int))
    params = simple.core_params(n_projections=3)
    assert (params.lanes, params.n_projections, params.weight_depth) == (2, 3, 64)
    with pytest.raises(DoesNotFit, match="n_projections must be in 1…64, not 65"):
        net.core_params(n_projections=65)


def test_populations_with_constants_of_their_own_get_profiles() -> None:
    net: Any = Network(n_axons=2, theta_bump=7)
    net.population(3, v_tau=20.0)
    net.population(2)
    net.population(2, v_tau=50.0, reset_subtract=True)
    net.population(1, v_tau=20, theta_bump=7)
    assert not net.source_profile.any()
    assert net.profile.tolist() == [1, 1, 1, 0, 0, 2, 2, 1]
    assert net.v_tau.tolist() == [np.inf, 20.0, 50.0]
    assert net.reset_subtract.tolist() == [False, False, True]
    assert (net.theta_bump, net.n_profiles) == (7, 3)
    net.validate()
    assert net.core_params().n_profiles == 4
    net.population(1, trace_pre_tau=3)
    assert net.source_profile.tolist() == [0] * 10 + [3]
    for bump in range(100, 104):
        net.population(1, theta_bump=bump)
    assert net.theta_bump.tolist() == [7, 7, 7, 7, 100, 101, 102, 103]
    with pytest.raises(InvalidNetwork, match="more than 8 sets of constants such as theta_bump: "):
        net.population(1, theta_bump=200)
    net.validate()
    assert net.n_neurons == 13


def test_a_network_of_populations_has_profiles() -> None:
    held: Any = {"v_tau": np.array([20.0, 5.0])}
    assert Network(n_axons=0, **held).n_profiles == 2
    net = Network(n_axons=3, **held)
    hidden = net.population(4, profile=[0, 1, 1, 0])
    net.source_profile[net.axons.sources] = [1, 0, 1]
    net.source_profile[hidden.sources] = 1
    other = net.copy()
    other.validate()
    assert other.of_neurons("v_tau").tolist() == [20.0, 5.0, 5.0, 20.0]
    assert other.source_profile.tolist() == [1, 0, 1, 1, 1, 1, 1]


@pytest.mark.parametrize("copied", [Network.copy, deepcopy])
def test_a_copy_is_a_network_of_its_own(copied: Callable[[Network], Network]) -> None:
    net, hidden, output = layers()
    net.project(hidden[1:], output, weights=3, plastic=True)
    net.project(hidden, hidden, constant=-5, itself=False)
    net.project(hidden, output, constant=0, delay=7)
    net.w_max = 9
    other = copied(net)
    other.validate()
    assert [(p.constant, p.itself, p.delay) for p in other.projections] == [
        (None, True, 0), (-5, False, 0), (0, True, 7),
    ]  # fmt: skip
    other.projections = other.projections[:1]
    assert (other.w_max, other.n_weights, other.n_plastic) == (9, 9, 9)
    assert other.projections[0].source == other.populations[0][1:]
    assert other.projections[0].source.network is other
    other.projections[0].weights[...] = 0
    other.threshold[...] = 5
    assert net.n_weights == 9 + 12
    assert net.threshold[0] == 1


def any_layers() -> tuple[Any, Population, Population]:
    """Layers whose settings may be given in any way."""
    return layers()


def test_projections_with_constants_of_learning_of_their_own_get_rules() -> None:
    net, hidden, output = any_layers()
    net.w_max, net.learn_pre = 50, True
    rules = [
        net.project(hidden, output, weights=1, plastic=True, **own).rule
        for own in (
            {},
            {"w_max": 20},
            {"w_max": 50},
            {"pre_gain": 3, "stochastic": True},
            {"w_max": 20},
        )
    ]
    assert rules == [0, 1, 0, 2, 1]
    assert (net.n_rules, net.w_max.tolist(), net.pre_gain.tolist()) == (3, [50, 20, 50], [0, 0, 3])
    assert (net.stochastic.tolist(), net.w_min) == ([False, False, True], 0)
    net.validate()
    params = net.core_params()
    assert params.n_rules == 4
    assert net.rule_values(params)["w_max"] == [50, 20, 50, 0]
    assert "w_max" not in net.register_values(params)
    assert net.copy().projections[4].rule == 1
    with pytest.raises(DoesNotFit, match="the network has 3 rules, the core 2"):
        net.core_params(n_rules=2)
    for w_max in range(60, 65):
        net.project(hidden, output, weights=1, plastic=True, w_max=w_max)
    with pytest.raises(InvalidNetwork, match="projections have more than 8 sets of .* w_max: let"):
        net.project(hidden, output, weights=1, plastic=True, w_max=70)
    assert (len(net.projections), net.n_rules) == (10, 8)
    net.projections[3].rule = 8
    with pytest.raises(InvalidNetwork, match=r"projections\[3\].rule must be in 0…7, not 8"):
        net.validate()


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"w_mux": 3}, "a projection has no 'w_mux' of its own: it has rule, stochastic, w_"),
        ({"w_max": 1 << 15}, "w_max must be an integer in -32768…32767"),
        ({"gain_shift": 16}, "gain_shift must be an integer in 0…15, not 16"),
        ({"rule": -1}, "rule must be in 0…7, not -1"),
        ({"rule": 0, "w_max": 3}, "rule is given, and so is w_max, which makes a rule: give one"),
        ({"weights": None, "constant": 1, "w_max": 3}, "rule must be left out, as a constant"),
        (
            {"weights": None, "constant": 1, "rule": 1},
            "rule must be left out, as a constant weight",
        ),
    ],
)
def test_a_rule_that_cannot_be_is_refused(own: dict[str, Any], message: str) -> None:
    net, hidden, output = any_layers()
    with pytest.raises(InvalidNetwork, match=message):
        net.project(hidden, output, **{"weights": 1} | own)
    assert (net.projections, net.n_rules) == ((), 1)


def test_what_a_rule_holds_is_one_for_all_or_one_for_each() -> None:
    net, hidden, output = any_layers()
    net.project(hidden, output, weights=1, plastic=True, rule=1)
    net.w_max = [9, 8]
    assert net.held("w_max").tolist() == [9, 8]
    net.w_min = [0, 0, 0]
    with pytest.raises(
        InvalidNetwork, match=r"w_max must have the shape \(3,\), one for each rule"
    ):
        net.validate()
    net.w_min = [10, 9]
    with pytest.raises(InvalidNetwork, match=r"w_min \(9\) must not be above w_max \(8\) where"):
        net.validate()
    net.w_min = [10, 0]  # no projection learns by the first
    net.validate()
    net.pre_gain = np.zeros(9, int)
    with pytest.raises(InvalidNetwork, match="pre_gain must be a number, .* up to 8 rules"):
        net.validate()


def test_an_exponent_and_an_order_take_a_core_with_rules() -> None:
    for name, value in (("gain_shift", 3), ("current_after", True)):
        weights: dict[str, Any] = {"weights": np.eye(10, 8, dtype=int), "plastic": True}
        net: Any = Network(n_axons=2, n_neurons=8, w_max=9, **weights)
        assert net.core_params().n_rules == 1
        setattr(net, name, value)
        params = net.core_params()
        assert (params.n_rules, params.n_projections) == (2, 2)
        assert net.rule_values(params)[name] == [value, 0]
        with pytest.raises(DoesNotFit, match=f"{name} is set, .* without n_rules=2"):
            net.check_fits(preset("tiny"))
        net.plastic = False
        assert net.core_params().n_rules == 1
    with pytest.raises(InvalidNetwork, match="an all-to-all network has one rule, not 2: give num"):
        Network(n_axons=2, n_neurons=8, w_max=np.array([1, 2]))


def test_stdp_of_some_projections_sets_their_rule_alone() -> None:
    net: Any = Network(n_axons=6)
    hidden, output = net.population(4), net.population(3, trace_post_tau=30.0)
    first = net.project(net.axons, hidden, weights=9, plastic=True)
    second = net.project(hidden, output, weights=9, plastic=True)
    third = net.project(net.axons, output, weights=9, plastic=True)
    window: Any = {"a_plus": 4, "a_minus": 2, "tau_plus": 20, "tau_minus": 10, "w_min": 0}
    net.stdp(**window, w_max=20, projection=first)
    assert ([p.rule for p in net.projections], net.w_max.tolist()) == ([1, 0, 0], [0, 20])
    assert (net.pre_gain[0], net.pre_gain[1] < 0 < net.post_gain[1]) == (0, True)
    assert (net.learn_pre, net.learn_post) == (True, True)
    assert net.held("trace_post_tau").tolist() == [10.0, 30.0]
    bump = net.held("trace_pre_bump")[0]
    # Axons have a trace already, by which `first` learns: it stays, and the gain fits it.
    with pytest.raises(InvalidNetwork, match="trace_pre of the sources has another time constant"):
        net.stdp(**window | {"tau_plus": 21}, w_max=30, projection=third)
    narrow = net.stdp(**window | {"a_plus": 2}, w_max=30, projection=[second, third])
    assert [p.rule for p in net.projections] == [1, 2, 2]
    assert net.held("trace_pre_bump")[0] == bump
    assert net.held("trace_post_tau").tolist() == [10.0, 10.0]
    assert abs(net.post_gain[2] - net.post_gain[1] / 2) <= 1
    assert narrow.change(0) == 2
    net.gain_shift = [0, 9, 0]
    net.validate()
    with pytest.raises(InvalidNetwork, match="gain_shift is 0 and 9 in the rules of these proj"):
        net.stdp(**window, w_max=30, projection=[first, second])
    with pytest.raises(InvalidNetwork, match="a_plus must be in 0…"):
        net.stdp(**window | {"a_plus": 3000}, w_max=5000, projection=[second])
    net.stdp(**window | {"a_plus": 3000, "a_minus": 0}, w_max=5000, projection=first)
    assert [p.rule for p in net.projections] == [3, 2, 2]
    for wrong, message in (([], "a projection or a list of some"), ([3], "one of this network")):
        with pytest.raises(InvalidNetwork, match=f"projection must be {message}"):
            net.stdp(**window, w_max=20, projection=wrong)


def test_stdp_is_of_the_projections_that_learn() -> None:
    net, hidden, output = layers()
    window: Any = {
        "a_plus": 2,
        "a_minus": 1,
        "tau_plus": 20,
        "tau_minus": 20,
        "w_min": 0,
        "w_max": 50,
    }
    net.project(net.axons, hidden, weights=100)
    with pytest.raises(InvalidNetwork, match="add a projection with `plastic=True` first"):
        net.stdp(**window)
    learning = net.project(hidden, output, weights=60, plastic=True)
    with pytest.raises(
        InvalidNetwork, match=r"projections\[1\].weights\[0, 0\] is to learn .*0…50"
    ):
        net.stdp(**window)
    with pytest.raises(InvalidNetwork, match="synapses is for an all-to-all network"):
        net.stdp(**window, synapses=np.ones((13, 7), bool))
    learning.weights[...] = 30
    net.stdp(**window)
    assert (net.learn_post, net.w_max, int(learning.plastic.sum())) == (True, 50, 12)
