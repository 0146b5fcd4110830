"""Networks: what is wrong is refused by name, and any core that is large enough holds them."""

import math
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.rungs import bulk_but

from spiketwin.hdl.spec.arithmetic import DECAY_AT_ONCE, DECAY_NONE, decay_code, shifted_decay_code
from spiketwin.hdl.spec.params import PRESETS, CoreParams, described, preset
from spiketwin.hdl.spec.registers import Space, limits, registers, space_formats
from spiketwin.hdl.spec.variables import ARRAYS as ALL_ARRAYS
from spiketwin.hdl.spec.variables import VECTOR_PARAMETERS, Per
from spiketwin.host import Network, connect
from spiketwin.host.errors import DoesNotFit, InvalidInput, InvalidNetwork
from spiketwin.host.layout import in_matrix, layout
from spiketwin.host.network import SETTINGS, decay_tau


@given(st.integers(0, DECAY_AT_ONCE))
def test_every_decay_code_has_a_time_constant_that_gives_it_back(code: int) -> None:
    assert decay_code(decay_tau(code)) == code


@pytest.mark.parametrize("given", [(DECAY_NONE, 0), (32_768, 3), (65_534, 15), (1, 15)])
def test_so_has_every_code_with_its_shift(given: tuple[int, int]) -> None:
    assert shifted_decay_code(decay_tau(*given)) == given


def test_a_network_has_an_attribute_for_every_register_but_the_tick_period() -> None:
    net = Network(n_axons=8, n_neurons=8)
    values = net.register_values(preset("full"))
    assert set(values) == {r.name for r in registers(preset("full"))} - {"tick_period"}
    assert all(hasattr(net, name) for name in SETTINGS)


def test_an_attribute_that_is_misspelt_is_refused_by_name() -> None:
    net, name = Network(n_axons=8, n_neurons=8), "thresholds"
    with pytest.raises(AttributeError, match=name):
        setattr(net, name, 3)


def test_a_network_is_shown_in_a_line() -> None:
    assert repr(Network(n_axons=8, n_neurons=9)) == "Network(8 axons, 9 neurons)"


@pytest.mark.parametrize("params", [*PRESETS.values(), Network.random(300, 5, 1).core_params()])
def test_the_description_of_sizes_gives_them_back(params: CoreParams) -> None:
    assert preset(described(params)) == params


def test_time_constants_become_codes_with_exact_ends() -> None:
    net = Network(n_axons=8, n_neurons=8, v_tau=math.inf, i_syn_tau=0, theta_tau=20.0)
    values = net.register_values(preset("full"))
    assert values["v_decay"] == 0
    assert values["i_syn_decay"] == DECAY_AT_ONCE
    assert values["theta_decay"] == decay_code(20.0)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("n_neurons", 0, r"n_neurons must be an integer in 1…4096, not 0"),
        ("n_axons", 4097, r"n_axons must be an integer in 0…4096"),
        ("weights", np.full((11, 3), 40000), r"weights\[0, 0\] must be in -32768…32767, not 40000"),
        ("weights", np.zeros((3, 11)), r"weights must hold integers, not float64"),
        ("weights", np.zeros((3, 11), int), r"weights must have the shape \(11, 3\)"),
        ("plastic", np.full((11, 3), 2), r"plastic\[0, 0\] must be in 0…1"),
        ("threshold", [1, 2], r"threshold must have the shape \(3,\), not \(2,\)"),
        ("threshold", [1, 1 << 23, 3], r"threshold\[1\] must be in -8388608…8388607"),
        ("threshold", [[1], [2, 3]], r"threshold must be an array"),
        ("refrac_ticks", [0, 0, -1], r"refrac_ticks\[2\] must be in 0…65535, not -1"),
        ("bias", "fast", r"bias must hold integers"),
        ("v_tau", -1.0, r"v_tau must be 0…inf ticks"),
        ("v_tau", math.nan, r"v_tau must be 0…inf ticks"),
        ("theta_tau", "long", r"theta_tau must be 0…inf ticks"),
        ("seed", 1 << 32, r"seed must be an integer in 0…4294967295"),
        ("learn_pre", 2, r"learn_pre must be an integer in 0…1"),
        ("pre_gain", 0.5, r"pre_gain must be an integer in -32768…32767, not 0.5"),
    ],
)
def test_a_wrong_value_is_refused_with_its_name_and_range(
    name: str, value: Any, message: str
) -> None:
    arguments = {"n_axons": 8, "n_neurons": 3, name: value}
    with pytest.raises(InvalidNetwork, match=message):
        Network(**arguments)


def test_crossed_bounds_are_refused_where_weights_learn() -> None:
    Network(n_axons=8, n_neurons=8, w_min=2, w_max=1)
    with pytest.raises(InvalidNetwork, match="w_min"):
        Network(n_axons=8, n_neurons=8, w_min=2, w_max=1, plastic=np.ones((16, 8), bool))


def test_what_is_assigned_later_is_checked_when_it_is_used() -> None:
    net = Network.random(8, 8, seed=0)
    net.threshold = np.full(8, 1 << 30)
    with pytest.raises(InvalidNetwork, match="threshold"):
        net.core_params()


@given(st.integers(0, 70), st.integers(1, 70), st.integers(0, 99))
def test_the_smallest_core_holds_the_network_and_hardly_more(
    n_axons: int, n_neurons: int, seed: int
) -> None:
    net = Network.random(n_axons, n_neurons, seed)
    params = net.core_params()
    layout(net, params).place(net)
    assert 0 <= params.n_axons - n_axons <= params.lanes
    assert 0 <= params.n_neurons - n_neurons < max(params.lanes, 8)


def test_core_params_follow_values_and_overrides() -> None:
    net = Network(n_axons=8, n_neurons=8)
    assert not net.core_params().learning
    net.weights[0, 0] = 300
    net.threshold[3] = 1 << 20
    net.refrac_ticks[1] = 300
    params = net.core_params()
    assert (params.weight_width, params.v_width, params.refrac_width) == (10, 22, 9)
    net.plastic[0, 0] = True
    net.w_max = 1000
    assert net.core_params().weight_width == 11
    assert net.core_params(n_neurons=64, lanes=16).n_neurons == 64
    with pytest.raises(DoesNotFit, match="w_max"):
        net.core_params(weight_width=8)
    with pytest.raises(DoesNotFit, match="wings"):
        net.core_params(wings=2)
    with pytest.raises(DoesNotFit, match="n_neurons"):
        net.core_params(n_neurons=12, lanes=8)


def test_a_random_network_is_a_function_of_its_seed_and_fits_the_reference_sizes() -> None:
    one, same, other = (Network.random(8, 8, seed=seed) for seed in (5, 5, 6))
    assert np.array_equal(one.weights, same.weights)
    assert not np.array_equal(one.weights, other.weights)
    for params in PRESETS.values():
        if params.has_projections:  # which need not hold all pairs
            continue
        net = Network.random(params.n_axons, params.n_neurons, seed=1)
        layout(net, params).place(net)


ARRAYS = [v.space for v in ALL_ARRAYS if v.per in (Per.SOURCE, Per.NEURON)]


@given(st.integers(0, 16), st.integers(1, 16), st.sampled_from(ARRAYS), st.integers(0, 99))
def test_what_is_embedded_is_extracted_again(
    n_axons: int, n_neurons: int, space: Space, seed: int
) -> None:
    place = in_matrix(n_axons, n_neurons, CoreParams(n_axons=16, n_neurons=16, lanes=4))
    values = np.random.default_rng(seed).integers(0, 2, place.shape(space))
    assert np.array_equal(place.extract(space, place.embed(space, values)), values)


def test_neurons_left_over_have_no_weights_and_the_highest_threshold() -> None:
    params = preset("tiny")
    net = Network.random(3, 5, seed=1)
    placed = layout(net, params).place(net)
    weights = placed[Space.WEIGHT]
    assert np.array_equal(weights[:3, :5], net.weights[:3])
    assert np.array_equal(weights[8:13, :5], net.weights[3:])
    assert np.abs(weights).sum() == np.abs(net.weights).sum()
    top = space_formats(params)[Space.THRESHOLD].limits()[1]
    assert np.array_equal(placed[Space.THRESHOLD][5:], [top] * 3)


@pytest.mark.parametrize(
    ("change", "params", "message"),
    [
        ({}, replace(preset("tiny"), n_axons=4), "n_axons = 8 and n_neurons = 8, the core 4 and 8"),
        ({"n_neurons": 9}, preset("tiny"), "n_neurons = 9, the core 8"),
        ({"weights": 100}, replace(preset("tiny"), weight_width=7), r"weights\[0, 0\] .*-64…63"),
        ({"w_max": 100}, replace(preset("tiny"), weight_width=7), "w_max must be in -64…63"),
        ({"theta_bump": 256}, replace(preset("tiny"), theta_width=8), "theta_bump .* 0…255"),
        ({"refrac_ticks": 4}, replace(preset("tiny"), refrac_width=2), r"refrac_ticks\[0\]"),
        (
            {"plastic": True, "weights": 1},
            replace(preset("tiny"), learning=False),
            "without learning",
        ),
        (
            {"n_neurons": 7, "v_floor": limits(16, True)[1]},
            preset("tiny"),
            "v_floor must be below 32767",
        ),
    ],
)
def test_what_does_not_fit_a_core_is_refused(
    change: dict[str, Any], params: CoreParams, message: str
) -> None:
    net = Network(**{"n_axons": 8, "n_neurons": 8, **change})
    with pytest.raises(DoesNotFit, match=message):
        net.check_fits(params)


def test_learning_settings_do_not_hinder_a_core_without_learning() -> None:
    net = Network.random(8, 8, seed=1)
    net.plastic[:] = False
    params = net.core_params()
    assert not params.learning
    assert set(net.register_values(params)) == {
        r.name for r in registers(params) if r.name != "tick_period"
    }
    assert asdict(params)["lanes"] == 2


@pytest.mark.parametrize(
    ("attributes", "wanted"),
    [
        ({}, False),
        ({"v_tau": 20.0, "i_syn_tau": 600.0}, False),
        ({"v_tau": 2_000.0}, True),  # code 33 instead of 32.76
        ({"i_syn_tau": 2_000.0}, True),
        ({"i_syn_shift": 1}, True),
        ({"theta_tau": 2_000.0}, False),  # theta stays 0
        ({"theta_tau": 2_000.0, "theta_bump": 3}, True),
        ({"trace_pre_tau": 2_000.0}, False),  # nothing learns
    ],
)
def test_shifts_are_built_where_a_network_needs_them(
    attributes: dict[str, Any], wanted: bool
) -> None:
    net = Network(n_axons=2, n_neurons=8, **attributes)
    assert net.core_params().decay_shift is wanted


def test_a_core_with_shifts_takes_code_and_shift_and_one_without_refuses_a_divided_current() -> (
    None
):
    net = Network(n_axons=2, n_neurons=8, v_tau=2_000.0, i_syn_shift=3)
    values = net.register_values(net.core_params())
    # 65536 · 1024 · (1 - exp(-1 / 2000)) = 33546.05
    assert (values["v_decay"], values["v_decay_shift"], values["i_syn_shift"]) == (33_546, 10, 3)
    plain = preset("tiny")
    with pytest.raises(
        DoesNotFit, match="i_syn_shift is set, but the core was built without decay_"
    ):
        net.check_fits(plain)
    net.i_syn_shift = 0
    assert net.register_values(plain)["v_decay"] == 33
    net.i_inh_en = True
    assert net.core_params().receptors == 2
    with pytest.raises(DoesNotFit, match="i_inh_en is set, .* without receptors=2"):
        net.check_fits(plain)
    net.i_syn_shift = 16
    with pytest.raises(InvalidNetwork, match=r"i_syn_shift must be an integer in 0…15, not 16"):
        net.validate()


def test_a_core_is_built_for_as_many_profiles_as_neurons_name() -> None:
    net = Network(n_axons=2, n_neurons=8)
    assert net.core_params().n_profiles == 1
    for highest, wanted in ((1, 2), (2, 4), (3, 4), (4, 8), (7, 8)):
        net.profile[3] = highest
        assert net.core_params().n_profiles == wanted
    with pytest.raises(InvalidNetwork, match=r"profile\[3\] must be in 0…7, not 8"):
        net.profile[3] = 8
        net.validate()


def test_what_a_profile_holds_is_one_for_all_or_one_for_each() -> None:
    held: dict[str, Any] = {"v_floor": -5, "v_tau": [0.0, np.inf, 20.0], "profile": [2] * 8}
    net: Any = Network(n_axons=2, n_neurons=8, **held)
    assert net.n_profiles == 3
    assert net.held("v_floor").tolist() == [-5, -5, -5]
    assert net.of_neurons("v_tau").tolist() == [20.0] * 8
    params = net.core_params()
    assert params.n_profiles == 4
    values = net.profile_values(params)
    assert values["v_decay"] == [DECAY_AT_ONCE, DECAY_NONE, decay_code(20.0), 0]
    assert values["v_floor"] == [-5, -5, -5, 0]
    assert "v_decay" not in net.register_values(params)
    net.theta_bump = [1, 2]
    with pytest.raises(InvalidNetwork, match=r"theta_bump must have the shape \(3,\)"):
        net.validate()
    net.theta_bump = np.array([[1]])
    with pytest.raises(InvalidNetwork, match="theta_bump must be a number, or an array with one"):
        net.validate()
    net.theta_bump = [1, 2, -1]
    with pytest.raises(InvalidNetwork, match=r"theta_bump\[2\] must be an integer in 0"):
        net.validate()


def test_a_leak_and_refractory_integration_take_a_core_with_profiles() -> None:
    for name, value in (("linear_leak", 3), ("refrac_integrates", True)):
        net = Network(n_axons=2, n_neurons=8)
        setattr(net, name, value)
        assert net.core_params().n_profiles == 2
        with pytest.raises(DoesNotFit, match=f"{name} is set, .* without n_profiles=2"):
            net.check_fits(preset("tiny"))


@pytest.mark.parametrize("url", bulk_but(["model:"], ["model:", "rtl:?level=core"]))
def test_a_core_holds_what_its_profiles_are_given(url: str) -> None:
    given: dict[str, Any] = {"v_floor": [-7, 5], "linear_leak": [0, 40], "profile": [0, 1] * 4}
    net = Network(n_axons=2, n_neurons=8, **given)
    with connect(url, params=net.core_params()) as core:
        core.program(net)
        held = core.read_profiles()
        assert held["v_floor"].tolist() == [-7, 5]
        assert held["linear_leak"].tolist() == [0, 40]
        core.write_profiles(v_floor=[-9, -8], linear_leak=3)
        held = core.read_profiles()
        assert (held["v_floor"].tolist(), held["linear_leak"].tolist()) == ([-9, -8], [3, 3])
        with pytest.raises(InvalidInput, match="no profile holds 'seed'"):
            core.write_profiles(seed=1)
        with pytest.raises(InvalidInput, match=r"linear_leak\[1\] must be in 0…65535, not -1"):
            core.write_profiles(linear_leak=[0, -1])
    with connect("model:", params="tiny") as core, pytest.raises(DoesNotFit, match="n_profiles=2"):
        core.read_profiles()


@pytest.mark.parametrize("url", bulk_but(["model:", "rtl:"], ["model:", "rtl:?level=core", "rtl:"]))
def test_a_core_holds_what_its_rules_are_given(url: str) -> None:
    net: Any = Network(n_axons=2, learn_pre=True, w_max=50)
    cells = net.population(8)
    first = net.project(net.axons, cells, weights=9, plastic=True, pre_offset=1 << 16)
    second = net.project(net.axons, cells, weights=9, plastic=True, pre_offset=-2 << 16, w_min=5)
    net.current_after = [False, True, False]
    with connect(url, params=net.core_params()) as core:
        core.program(net)
        held = core.read_rules()
        assert held["pre_offset"].tolist() == [0, 1 << 16, -2 << 16, 0]
        assert (held["w_min"].tolist(), held["w_max"].tolist()) == ([0, 0, 5, 0], [50, 50, 50, 0])
        core.run([(0, 0), (1, 0), (2, 0)], ticks=3)
        assert core.read_weights(first)[0].tolist() == [12] * 8
        assert core.read_weights(second)[0].tolist() == [5] * 8
        assert core.read_state()["v"].tolist() == [10 + 11 + 12 + 9 + 7 + 5] * 8
        core.write_rules(w_max=[50, 13, 50, 0], gain_shift=3)
        assert core.read_rules()["gain_shift"].tolist() == [3] * 4
        core.run([(0, 0), (1, 0)], ticks=2)
        assert core.read_weights(first)[0].tolist() == [13] * 8
        assert core.read_registers().keys().isdisjoint(held)
        with pytest.raises(InvalidInput, match="no rule holds 'learn_pre': it has stochastic"):
            core.write_rules(learn_pre=1)
        with pytest.raises(InvalidInput, match=r"gain_shift\[1\] must be in 0…15, not 16"):
            core.write_rules(w_max=3, gain_shift=[0, 16, 0, 0])
        assert core.read_rules()["w_max"].tolist() == [50, 13, 50, 0]
    with connect("model:", params="tiny") as core, pytest.raises(DoesNotFit, match="n_rules=2"):
        core.write_rules(w_max=1)


@pytest.mark.filterwarnings("ignore::spiketwin.host.errors.SpiketwinWarning")  # huge biases
@pytest.mark.parametrize("url", bulk_but(["model:", "rtl:"], ["model:", "rtl:", "rtl:?level=core"]))
def test_a_core_keeps_every_parameter_of_each_neuron_and_source(url: str) -> None:
    params, rng = preset("tiny,n_profiles=8"), np.random.default_rng(2)

    def drawn() -> dict[str, Any]:
        return {
            v.name: rng.integers(*v.limits(params), v.shape(8, 8), endpoint=True)
            for v in VECTOR_PARAMETERS
        }

    programmed, written = drawn(), drawn()
    with connect(url, params=params) as core:
        core.program(Network(n_axons=8, n_neurons=8, **programmed))
        np.testing.assert_equal(core.read_parameters(), programmed)
        core.write_parameters(**written)
        np.testing.assert_equal(core.read_parameters(), written)
        core.write_parameters(profile=5)
        np.testing.assert_equal(core.read_parameters(), written | {"profile": np.full(8, 5)})


def test_a_core_without_profiles_refuses_them() -> None:
    net = Network(n_axons=2, n_neurons=8)
    net.profile[3] = 1
    with connect("model:", params="tiny") as core:
        with pytest.raises(DoesNotFit, match="the network has 2 profiles, the core 1"):
            core.program(net)
        assert "profile" not in core.read_parameters()
        with pytest.raises(InvalidInput, match="there is no 'profile' to write"):
            core.write_parameters(profile=1)
