"""Networks of SuperNeuroMAT on the model: spikes and weights are those of its own simulator."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from superneuromat import SNN

from spiketwin.host import connect
from spiketwin.host.errors import DoesNotFit, InvalidInput, InvalidNetwork, NetworkFileError
from spiketwin.host.files import save
from spiketwin.host.superneuromat import Report, Results, load

TICKS = 60


def random_snn(
    seed: int, size: int, *, fine: int = 1, longest: int = 5, stdp: int = 0, aneg: bool = True
) -> SNN:
    """A random network with all that neurons and synapses can have, in steps of 1/fine."""
    rng = np.random.default_rng(seed)
    snn = SNN()

    def value(low: int, high: int) -> float:
        return float(rng.integers(low * fine, high * fine)) / fine

    for _ in range(size):
        snn.create_neuron(
            threshold=value(0, 9),
            leak=float(rng.choice([0.0, 1.0, 2.0 / fine, np.inf])),
            reset_state=value(-2, 2),
            refractory_period=int(rng.integers(0, 4)),
            refractory_state=int(rng.integers(0, 3)),
            initial_state=value(-2, 3),
        )
    density = min(0.5, 6 / size)
    for pre, post in np.argwhere(rng.random((size, size)) < density).tolist():
        snn.create_synapse(
            pre, post, weight=value(-3, 6), delay=int(rng.integers(1, longest + 1)),
            stdp_enabled=bool(stdp and rng.random() < 0.7),
        )  # fmt: skip
    for tick, neuron in np.argwhere(rng.random((TICKS, size)) < 0.1).tolist():
        snn.add_spike(tick, neuron, float(rng.integers(1, 8)))
    if stdp:
        # A table holds steps of up to 128 units together, so those of a long window are small.
        most = 5 if stdp <= 8 else 3
        apos = (rng.integers(1, most, stdp) / 4 / fine).tolist()
        lost = (-rng.integers(1, most - 1, stdp) / 16 / fine).tolist()
        snn.stdp_setup(Apos=apos, Aneg=lost, negative_update=aneg)
    return snn


def run(source: Any, ticks: int = TICKS, url: str = "model:", **how: Any) -> tuple[Results, Report]:
    """Run a network on a core."""
    net, report = load(source, **how)
    with connect(url, params=net.core_params()) as core:
        core.program(net)
        return report.run(core, ticks), report


def check_equal(snn: SNN, ticks: int = TICKS, url: str = "model:") -> Report:
    """Hold a core against the simulator, in spikes and weights."""
    found, report = run(snn, ticks, url)
    snn.simulate(ticks, use="cpu")
    assert snn.ispikes.sum() > 20
    np.testing.assert_array_equal(found.ispikes, snn.ispikes)
    assert report.exact
    np.testing.assert_array_equal(found.weight_mat, snn.weight_mat())
    saturations = [each.saturations for each in found.runs]
    assert not any(each and (each.v or each.i_syn or each.weights) for each in saturations)
    return report


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("size", [8, 30])
def test_spikes_are_those_of_its_own_simulator(seed: int, size: int) -> None:
    report = check_equal(random_snn(seed, size))
    assert report.relayed > 0
    assert report.longest_delay <= 5


def test_a_large_network_has_the_same_spikes_too() -> None:
    check_equal(random_snn(7, 200, fine=4))


def test_fractions_take_as_many_units_as_they_need() -> None:
    report = check_equal(random_snn(3, 20, fine=16))
    assert report.scale == 16


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("steps", [1, 3, 8, 13])
def test_weights_learn_as_in_its_own_simulator(seed: int, steps: int) -> None:
    snn = random_snn(seed, 16, fine=2, longest=3, stdp=steps)
    before = snn.weight_mat()
    check_equal(snn)
    assert (snn.weight_mat() != before).sum() > 10


def test_a_large_network_learns_too() -> None:
    check_equal(random_snn(5, 200, fine=2, longest=3, stdp=3))


@pytest.mark.parametrize("seed", range(3))
def test_weights_learn_without_depression(seed: int) -> None:
    check_equal(random_snn(seed, 16, stdp=4, aneg=False))


@pytest.mark.rtl
@pytest.mark.bulk
def test_the_rtl_has_the_same_spikes_and_weights() -> None:
    check_equal(random_snn(1, 12, longest=3, stdp=3), url="rtl:?level=core")


def test_a_short_run_is_the_begin_of_a_long_one() -> None:
    whole, _ = run(random_snn(2, 16, stdp=5))
    for ticks in (1, 2, 4, 9):
        part, _ = run(random_snn(2, 16, stdp=5), ticks)
        np.testing.assert_array_equal(part.ispikes, whole.ispikes[:ticks])


# --- delays ---------------------------------------------------------------------------------------


def chained(delay: int) -> SNN:
    """Two neurons, of which the second one hears the first one later."""
    snn = SNN()
    first, second = snn.create_neuron(threshold=0.0), snn.create_neuron(threshold=0.0)
    snn.create_synapse(first, second, weight=1.0, delay=delay)
    snn.add_spike(3, first, 1.0)
    snn.add_spike(5, first, 1.0)
    return snn


@pytest.mark.parametrize("delay", [1, 2, 7, 257])
def test_a_chain_becomes_a_relay(delay: int) -> None:
    net, report = load(chained(delay))
    assert (net.n_neurons, report.relayed, report.longest_delay) == (2, delay - 1, delay)
    found, _ = run(chained(delay), delay + 10)
    snn = chained(delay)
    snn.simulate(delay + 10)
    np.testing.assert_array_equal(found.ispikes, snn.ispikes)
    assert np.flatnonzero(found.ispikes[:, 1]).tolist() == [3 + delay, 5 + delay]


def test_a_chain_that_is_too_long_or_does_more_stays_as_it_is() -> None:
    assert load(chained(258))[0].n_neurons == 259
    changes: list[Callable[[Any], object]] = [
        lambda snn: snn.add_spike(4, 2, 1.0),
        lambda snn: snn.create_synapse(1, 3, weight=1.0),
        lambda snn: snn.neuron_refractory_periods.__setitem__(3, 2),
        lambda snn: snn.neuron_leaks.__setitem__(3, 0.0),
        lambda snn: snn.synaptic_weights.__setitem__(0, 0.0),
    ]
    for change in changes:
        snn = chained(4)
        change(snn)
        net, report = load(snn)
        assert (net.n_neurons, report.relayed) == (5, 0)
        found, _ = run(snn, 30)
        snn.simulate(30)
        np.testing.assert_array_equal(found.ispikes, snn.ispikes)


def test_two_synapses_of_one_pair_add_up() -> None:
    snn = SNN()
    first, second = snn.create_neuron(threshold=0.0), snn.create_neuron(threshold=1.0)
    for _ in range(2):
        snn.create_synapse(first, second, weight=1.0, delay=3)
    snn.add_spike(0, first, 1.0)
    found, _ = run(snn, 6)
    assert np.argwhere(found.ispikes[:, :2]).tolist() == [[0, 0], [3, 1]]


# --- what is given --------------------------------------------------------------------------------


@pytest.mark.parametrize("arrays", ["json-native", "base64", "base85"])
def test_json_says_what_the_object_says(arrays: str, tmp_path: Path) -> None:
    snn = random_snn(4, 16, fine=4, stdp=3)
    path = tmp_path / "network.txt"
    path.write_text(snn.to_json(array_representation=arrays, net_name="mine"))
    found, _ = run(path)
    same, _ = run(snn)
    np.testing.assert_array_equal(found.ispikes, same.ispikes)
    np.testing.assert_array_equal(found.weight_mat, same.weight_mat)
    assert load(path, network="mine")[0].n_neurons == load(snn)[0].n_neurons
    with pytest.raises(NetworkFileError, match="must be named"):
        load(path, network="other")


def test_inputs_of_your_own_have_axons() -> None:
    snn = chained(2)
    net, report = load(snn, inputs=[(1, 2.5), (0, 1.0)])
    assert net.n_axons == 2
    with connect("model:", params=net.core_params()) as core:
        core.program(net)
        done = core.run([(0, report.axon(1, 2.5))], ticks=2)
    assert report.ispikes(done.spikes, 2)[:, 1].tolist() == [True, False]
    with pytest.raises(InvalidInput, match="no axon gives neuron 1 the value 3"):
        report.axon(1, 3)


def test_what_is_rounded_is_in_the_report() -> None:
    snn = SNN()
    first, second = snn.create_neuron(threshold=0.1), snn.create_neuron(threshold=1 / 3, leak=0.0)
    snn.create_synapse(first, second, weight=0.7)
    snn.add_spike(0, first, 1.0)
    found, report = run(snn, 4)
    assert not report.exact
    assert report.scale == 1 << 14
    assert 0 < report.rounded.weights <= 0.5 / report.scale
    assert f"weights are off by {report.rounded.weights:.3g} at most" in str(report)
    assert report.as_json()["rounded"]["inputs"] == 0.0
    assert found.ispikes.tolist() == [[True, False], [False, True], [False, False], [False, False]]
    narrow = load(snn, weight_width=8)[1]
    assert narrow.scale == 1 << 6
    assert narrow.rounded.weights > report.rounded.weights


def test_a_threshold_is_to_be_exceeded_exactly() -> None:
    snn = SNN()
    for threshold in (1.0, np.nextafter(1.0, 0), np.inf, 0.999):
        snn.create_neuron(threshold=float(threshold))
    for neuron in range(4):
        snn.add_spike(0, neuron, 1.0)
    found, _ = run(snn, 1)
    snn.simulate(1)
    np.testing.assert_array_equal(found.ispikes, snn.ispikes)
    assert found.ispikes[0].tolist() == [False, True, False, True]


def test_a_saved_network_runs_with_its_stimulus(tmp_path: Path) -> None:
    snn = chained(4)
    net, report = load(snn)
    stimulus = report.stimulus
    assert stimulus is not None
    assert (stimulus.spikes.tolist(), stimulus.ticks) == ([[3, 0], [5, 0]], 6)
    save(tmp_path / "net.npz", net, stimulus.spikes, 10)
    assert load(silent())[1].stimulus is None


def silent() -> SNN:
    """A neuron that fires by itself."""
    snn = SNN()
    snn.create_neuron(threshold=-1.0)
    return snn


def test_a_network_without_inputs_runs() -> None:
    found, _ = run(silent(), 3)
    assert found.ispikes.tolist() == [[True]] * 3


# --- what is wrong --------------------------------------------------------------------------------


def network(change: Callable[[dict[str, Any]], object]) -> str:
    """The JSON of a small network, changed."""
    whole = json.loads(random_snn(1, 6, stdp=2).to_json())
    change(whole)
    return json.dumps(whole)


def data(name: str, value: Any) -> Callable[[dict[str, Any]], object]:
    """Set one of the values of the network."""
    return lambda whole: whole["networks"][0]["data"].__setitem__(name, value)


WRONG: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "no networks": (lambda whole: whole.pop("networks"), "no list `networks`"),
    "meta": (lambda whole: whole["networks"][0]["meta"].update(format="x"), "its meta must say"),
    "version": (
        lambda whole: whole["networks"][0]["meta"].update(format_version="9"), "must be 0.1, not"
    ),
    "empty": (lambda whole: whole["networks"].clear(), "list `networks` is empty"),
    "no train": (data("spike_train", None), "spike_train must be a list of ticks, not None"),
    "no flag": (data("stdp", "false"), "stdp must be true or false, not 'false'"),
    "half a flag": (data("stdp_negative_update", None), "stdp_negative_update must be true or"),
    "beyond": (data("neuron_leaks", [10**400] * 99), r"neuron_leaks\[0\] must be a number"),
    "no data": (lambda whole: whole["networks"][0].pop("data"), "has no data"),
    "lacks": (lambda whole: whole["networks"][0]["data"].pop("apos"), "lacks apos"),
    "none": (data("neuron_thresholds", []), "neuron_leaks has .* 0: they must"),
    "lengths": (data("neuron_leaks", [0.0]), "neuron_leaks has 1 values, and neuron_thresholds"),
    "nan": (data("synaptic_weights", [float("nan")] * 99), r"weights\[0\] must be a number"),
    "text": (data("neuron_states", ["x"] * 99), r"neuron_states\[0\] must be a number"),
    "no list": (data("synaptic_weights", 7), "synaptic_weights must be a list"),
    "input tick": (
        data("input_spikes", {"-1": {"nids": [0], "values": [1]}}), "must be the spikes"
    ),
    "input neuron": (
        data("input_spikes", {"1": {"nids": [999], "values": [1]}}), r"nids\[0\] must be in 0…"
    ),
    "input values": (data("input_spikes", {"1": {"nids": [0], "values": []}}), "as many values"),
    "run": (data("spike_train", [[0]]), "spike_train has 1 ticks"),
    "stdp": (data("aneg", [-1.0]), "they must have as many"),
    "encoded": (data("apos", {"base64": "AA=", "dtype": "<d"}), "apos is no array in base64"),
    "object": (data("apos", {"base64": "AAAA", "dtype": "|O"}), "apos must hold numbers of"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_is_named(name: str, tmp_path: Path) -> None:
    change, message = WRONG[name]
    path = tmp_path / "network.json"
    path.write_text(network(change))
    with pytest.raises(NetworkFileError, match=message) as raised:
        load(path)
    assert "network.json" in str(raised.value)


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"networks": [', "[" * 100_000, "\udcff"])
def test_what_is_no_json_is_named(text: str, tmp_path: Path) -> None:
    path = tmp_path / "network.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(NetworkFileError):
        load(path)


def test_a_file_cut_anywhere_ends_in_words(tmp_path: Path) -> None:
    whole = network(lambda _: None)
    path = tmp_path / "network.json"
    for length in range(0, len(whole), 97):
        path.write_text(whole[:length])
        with pytest.raises(NetworkFileError):
            load(path)


def test_what_no_core_holds_is_refused_with_a_way_out() -> None:
    leaks = SNN()
    for leak in range(9):
        leaks.create_neuron(leak=float(leak))
    with pytest.raises(DoesNotFit, match="9 different leaks, and a core holds 8"):
        load(leaks)
    long = random_snn(1, 8, stdp=17)
    with pytest.raises(DoesNotFit, match="17 ticks back"):
        load(long)
    apart = chained(2)
    apart.synaptic_weights[0] = 1e300
    with pytest.raises(DoesNotFit, match="too far apart"):
        load(apart)
    with pytest.raises(InvalidInput, match="weight_width must be an integer in 4…16"):
        load(chained(2), weight_width=17)
    with pytest.raises(InvalidInput, match="inputs must be pairs"):
        load(chained(2), inputs=[(9, 1.0)])
    with pytest.raises(InvalidNetwork, match="a path or an SNN"):
        load(3)
