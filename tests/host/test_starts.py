"""The state that a network begins with: programmed, saved, compared, and checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from spiketwin.cosim.compare.ideal import Ideal
from spiketwin.cosim.trials.verify.samples import CORES
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.host import Network, connect
from spiketwin.host.cli import main
from spiketwin.host.errors import DoesNotFit, InvalidNetwork, NetworkFileError
from spiketwin.host.files import load, save

NO_EVENTS = np.zeros((0, 2), np.int64)


def in_matrix() -> Any:
    """Neuron 1 fires by what it begins with alone, in tick 2: 700, 800 + 200, …"""
    net: Any = Network(n_axons=2, n_neurons=3)  # the threshold of which is 1000
    net.start = {"v": [0, 700, 0], "i_syn": np.array([0, 300, -20])}
    return net


def of_populations(delay: int = 1) -> Any:
    net: Any = Network(n_axons=2, v_tau=20.0, v_floor=-500)
    first = net.population(5, threshold=400, bias=90, i_syn_tau=5.0)
    second = net.population(2, threshold=100)
    net.project(first, second, weights=90, delay=delay)
    net.start = {"refrac_count": [0, 1, 2, 3, 4, 0, 9], "v": -300, "theta": [0, 0, 9, 0, 0, 0, 0]}
    return net


NETWORKS = {"matrix": in_matrix, "populations": of_populations}


def fired(net: Network, url: str = "model:", ticks: int = 20, **sizes: Any) -> list[list[int]]:
    with connect(url, params=net.core_params(**sizes)) as core:
        core.program(net)
        spikes: list[list[int]] = core.run(NO_EVENTS, ticks).spikes.tolist()
        return spikes


@pytest.mark.parametrize("url", ["model:", "rtl:?level=core"])
def test_a_core_is_programmed_with_it_and_clear_loses_it(url: str) -> None:
    net = of_populations()
    with connect(url, params=CORES["roomy"]) as core:
        core.program(net)
        state = core.read_state()
        for name, values in {"refrac_count": [0, 1, 2, 3, 4, 0, 9], "v": [-300] * 7}.items():
            assert state[name].tolist() == values
        assert state["theta"].tolist() == [0, 0, 9, 0, 0, 0, 0]
        assert not state["i_syn"].any()
        begun = core.run(NO_EVENTS, 20).spikes.tolist()
        core.clear()
        cleared = core.run(NO_EVENTS, 20).spikes.tolist()
        core.program(net)
        assert core.run(NO_EVENTS, 20, clear=True).spikes.tolist() == cleared
        core.program(net)
        assert core.run(NO_EVENTS, 20).spikes.tolist() == begun
    assert fired(net) == begun
    net.start = {}
    assert fired(net) == cleared != begun


def test_neurons_fire_by_what_they_begin_with() -> None:
    assert fired(in_matrix()) == [[0, 1]]
    net = in_matrix()
    net.start["v"][1] = 699
    assert fired(net) == []


@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
def test_a_file_keeps_it(make: Any, tmp_path: Path) -> None:
    net = make()
    save(tmp_path / "net.npz", net, NO_EVENTS, 20)
    back, stimulus = load(tmp_path / "net.npz")
    assert stimulus is not None
    assert [*back.start] == [*net.start] != []
    for name, values in net.start.items():
        assert np.array_equal(back.start[name], values)
    assert fired(back) == fired(net) != []
    net.start = {}
    save(tmp_path / "net.npz", net)
    assert load(tmp_path / "net.npz")[0].start == {}
    with np.load(tmp_path / "net.npz") as members:
        assert "start" not in members


def changed(path: Path, header: dict[str, Any], members: dict[str, NDArray[Any] | None]) -> None:
    """Write a file anew with other entries of its header and other members; None is left out."""
    with np.load(path) as file:
        arrays = dict(file)
    said = json.loads(arrays["header"].tobytes().decode()) | header
    arrays["header"] = np.frombuffer(json.dumps(said).encode(), np.uint8)
    kept = {name: array for name, array in (arrays | members).items() if array is not None}
    np.savez(path, **kept)


@pytest.mark.parametrize(
    ("header", "members", "message"),
    [
        ({"start": ["weights", "v"]}, {}, "start must name some of i_syn"),
        ({"start": ["v", "i_syn"]}, {}, "in this order"),
        ({"start": []}, {}, "start must name some of"),
        ({"start": {"v": 1}}, {}, "start must name some of"),
        ({"start": [["v"], "v"]}, {}, "start must name some of"),
        ({}, {"start": None}, "must hold exactly the arrays"),
        ({}, {"start": np.zeros((2, 4), np.int32)}, r"start must be int32 of shape \(2, 3\)"),
        ({}, {"start": np.zeros((2, 3), np.int64)}, "start must be int32"),
        ({}, {"start": np.full((2, 3), 1 << 24, np.int32)}, r"start\['i_syn'\]\[0\] must be in"),
        ({"version": 2}, {}, "must"),
    ],
)
def test_a_file_with_a_wrong_one_is_refused(
    header: dict[str, Any], members: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "net.npz"
    save(path, in_matrix())
    changed(path, header, members)
    with pytest.raises(NetworkFileError, match=message):
        load(path)


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ({"trace_pre": 1}, "start must be a dict with arrays of i_syn, i_inh, v, refrac_count, th"),
        ({"pending": 1}, "start must be a dict"),
        ([1, 2], "start must be a dict"),
        ({"v": [1, 2]}, r"start\['v'\] must have the shape \(3,\)"),
        ({"v": 0.5}, r"start\['v'\] must hold integers"),
        ({"refrac_count": -1}, r"start\['refrac_count'\] must be in 0…65535, not -1"),
    ],
)
def test_a_wrong_one_is_refused(start: Any, message: str) -> None:
    net = in_matrix()
    net.start = start
    with pytest.raises(InvalidNetwork, match=message):
        net.validate()


def test_it_comes_after_all_neurons() -> None:
    with pytest.raises(InvalidNetwork, match="once all neurons are there"):
        Network(n_axons=1, start={"v": np.array(3)})
    net = of_populations()
    net.population(2)
    with pytest.raises(InvalidNetwork, match=r"start\['refrac_count'\] must have the shape \(9,\)"):
        net.validate()


def test_cores_are_made_for_it_and_smaller_ones_refused() -> None:
    net = in_matrix()
    net.start = {"v": [0, 0, 1 << 21], "refrac_count": [0, 1 << 9, 0], "theta": [1 << 20, 0, 0]}
    params = net.core_params()
    assert (params.v_width, params.refrac_width, params.theta_width) == (23, 10, 21)
    with pytest.raises(DoesNotFit, match=r"start\['refrac_count'\]\[1\] must be in 0…511"):
        net.core_params(refrac_width=9)
    net.start = {"i_inh": [1, 0, 0]}
    with pytest.raises(DoesNotFit, match=r"start\['i_inh'\] is set, but the core was built with"):
        net.core_params()
    net.i_inh_en = True
    with connect("model:", params=net.core_params()) as core:
        core.program(net)
        assert core.read_state()["i_inh"].tolist() == [1, 0, 0]


@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
def test_a_copy_has_one_of_its_own(make: Any) -> None:
    net = make()
    net.validate()
    copy = net.copy()
    copy.start["v"][1] = 0
    assert fired(net) == fired(make()) != fired(copy)


def test_the_ideal_network_begins_with_it_in_any_unit() -> None:
    net = of_populations(delay=0)
    params = net.core_params()
    ideal = Ideal.of(net, params)
    spikes = ideal.run(NO_EVENTS, 20).spikes.tolist()
    assert spikes == fired(net) != []
    smaller = ideal.in_units(0.25)
    assert smaller.run(NO_EVENTS, 20).spikes.tolist() == spikes
    wide = CoreParams(n_axons=8, n_neurons=16, lanes=4, v_width=24, weight_width=16)
    ideal = Ideal(
        n_axons=1, n_neurons=2, start={"v": np.array([0.5, 0.0]), "refrac_count": np.array([3, 4])}
    )
    rounded = ideal.quantised(1000.0, wide).start
    assert {n: v.tolist() for n, v in rounded.items()} == {"v": [500, 0], "refrac_count": [3, 4]}
    with pytest.raises(InvalidNetwork, match="start must have arrays of"):
        Ideal(n_axons=1, n_neurons=2, start={"pending": np.zeros(2)})


def command(*arguments: object) -> Any:
    return CliRunner().invoke(main, [str(each) for each in arguments])


def test_commands_honour_it(tmp_path: Path) -> None:
    path, figures = tmp_path / "net.npz", tmp_path / "figures.json"
    save(path, in_matrix(), NO_EVENTS, 5)
    assert command("run", path, "--on", "model:", "--json", figures).exit_code == 0
    assert json.loads(figures.read_text())["rates"]["spikes_of_each_neuron"] == [0, 1, 0]
    done = command("inspect", path, "--json", figures)
    assert "i_syn, v other than 0" in done.output
    assert json.loads(figures.read_text())["start"] == ["i_syn", "v"]
    done = command("compare", path, "--on", "model:", "--on", "float:", "--json", figures)
    assert done.exit_code == 0, done.output
