"""Network files of populations and projections: saved as they are, and refused where damaged."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.populations import random_network

from spiketwin.hdl.spec.variables import VECTOR_PARAMETERS, names
from spiketwin.host import Network
from spiketwin.host.errors import InvalidNetwork, NetworkFileError
from spiketwin.host.files import load, save
from spiketwin.host.network import SETTINGS


def three_layers() -> Network:
    net = Network(n_axons=6, v_tau=20.0, tag=7)
    hidden, output = net.population(4, threshold=[1, 2, 3, 4], name="hidden"), net.population(3)
    net.project(net.axons[2:], hidden, weights=np.arange(16).reshape(4, 4), plastic=True)
    net.project(hidden[1:3], output, weights=[[1, -2, 3], [4, 5, 6]], name="ö", delay=2)
    net.project(hidden, hidden[1:], constant=-3, itself=False)
    return net


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "net.npz"
    save(path, three_layers(), [(0, 1)], 4)
    return path


def same(one: Network, other: Network) -> None:
    assert (one.n_axons, one.n_neurons) == (other.n_axons, other.n_neurons)
    assert not other.all_to_all
    for name in (*SETTINGS, *names(VECTOR_PARAMETERS)):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    for a, b in zip(one.populations, other.populations, strict=True):
        assert (a.name, a.first, a.size) == (b.name, b.first, b.size)
    for p, q in zip(one.projections, other.projections, strict=True):
        assert (p.name, p.kind, p.pairs, p.source.name) == (q.name, q.kind, q.pairs, q.source.name)
        assert (p.constant, p.itself, p.delay, p.rule) == (q.constant, q.itself, q.delay, q.rule)
        assert np.array_equal(p.weights, q.weights)
        assert np.array_equal(p.plastic, q.plastic)
        assert str(q.weights.dtype) == "int32"
        assert str(q.plastic.dtype) == "bool"
        assert q.source.network is q.target.network is other


@given(st.integers(0, 1 << 30))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_saved_is_loaded(tmp_path: Path, seed: int) -> None:
    net = random_network(np.random.default_rng(seed), kinds=True, rules=True)
    net.population(2, fires=False)
    save(tmp_path / "net.npz", net)
    same(net, load(tmp_path / "net.npz")[0])


def test_a_network_comes_back_with_its_stimulus(saved: Path) -> None:
    net, stimulus = load(saved)
    same(three_layers(), net)
    assert stimulus is not None
    assert stimulus.spikes.tolist() == [[0, 1]]
    net.project(net.populations[1], net.populations[0], weights=3)
    net.validate()


Change = Callable[[dict[str, Any]], object]


def damaged(path: Path, change: Change) -> Path:
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    header = json.loads(np.load(io.BytesIO(members["header.npy"])).tobytes())
    change(header)
    file = io.BytesIO()
    np.save(file, np.frombuffer(json.dumps(header).encode(), np.uint8))
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in {**members, "header.npy": file.getvalue()}.items():
            archive.writestr(name, data)
    return path


def put(path: str, value: object) -> Change:
    """Return the change that puts a value at a path of keys and numbers."""
    *way, last = [int(each) if each.isdigit() else each for each in path.split(".")]

    def change(header: dict[str, Any]) -> None:
        at: Any = header
        for each in way:
            at = at[each]
        at[last] = value

    return change


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("populations", 3, "populations must be a list of at most 4096"),
        ("populations", [], "populations have 0 neurons, not n_neurons = 7"),
        ("populations.0", 3, r"populations\[0\] must have exactly name, of, first, size"),
        ("populations.0.size", 5, r"populations\[1\] must be of neurons, and begin with neuron 5"),
        ("populations.0.of", "axons", r"populations\[0\] must be of neurons, and begin with neu"),
        ("populations.0.name", "", r"populations\[0\]: name must be a text of 1…500 letters"),
        ("populations.1.first", -1, r"populations\[1\] must have one or more of the 7 neurons"),
        ("projections", None, "projections must be a list"),
        (
            "projections.0",
            {},
            r"projections\[0\].kind must be one of dense, constant, sparse, not None",
        ),
        (
            "projections.0",
            {"kind": "dense"},
            r"exactly name, kind, source, target, delay, rule$",
        ),
        ("projections.0.constant", 3, r"exactly name, kind, source, target, delay, rule$"),
        ("projections.0.rule", None, r"projections\[0\].rule must be int, not None"),
        ("projections.0.rule", 8, r"rule must be in 0…7, not 8"),
        ("projections.2.rule", 0, r"source, target, delay, constant, itself$"),
        ("projections.0.kind", "constant", r"source, target, delay, constant, itself$"),
        (
            "projections.0.kind",
            "thick",
            r"projections\[0\].kind must be one of dense, constant, sparse, no",
        ),
        (
            "projections.0.kind",
            ["dense"],
            r"projections\[0\].kind must be one of dense, constant, sparse",
        ),
        ("projections.0.delay", 257, r"delay must be in 0…256, not 257"),
        ("projections.0.delay", True, r"projections\[0\].delay must be int, not True"),
        ("projections.0.delay", 1 << 80, r"delay must (be in|hold integers in) 0…256"),
        ("projections.2.constant", None, r"projections\[2\].constant must be int, not None"),
        ("projections.2.constant", 1 << 15, r"constant must be in -32768…32767"),
        ("projections.2.itself", 0, r"projections\[2\].itself must be bool, not 0"),
        ("projections.2.delay", 1, r"itself=False must not have a delay"),
        ("projections.0.source.of", 3, r"projections\[0\].source.of must be 'axons' or 'neurons'"),
        ("projections.0.source.size", 1 << 70, r"projections\[0\].source must have one or more"),
        ("projections.0.source.size", True, r"projections\[0\].source must have one or more"),
        ("projections.0.target.of", "axons", r"projections\[0\].target must be of neurons"),
        ("projections.0.target.size", 3, r"weights must be int32 of shape \(18,\), not int32"),
        ("projections.1.name", 7, r"projections\[1\]: name must be a text"),
        ("n_neurons", 8, "populations have 7 neurons, not n_neurons = 8"),
        ("n_axons", 5, r"projections\[0\].source must have one or more of the 5 axons"),
        ("version", 2, "settings must be exactly"),
    ],
)
def test_what_is_wrong_in_a_header_is_named(
    saved: Path, path: str, value: object, message: str
) -> None:
    with pytest.raises(NetworkFileError, match=message):
        load(damaged(saved, put(path, value)))


def test_a_header_that_claims_too_many_synapses_takes_no_memory(saved: Path) -> None:
    def claim(header: dict[str, Any]) -> None:
        header["n_axons"] = 4096
        first = header["projections"][0]
        source = {**first["source"], "first": 0, "size": 4096}
        target = {**first["target"], "first": 0, "size": 7}
        header["projections"] = [{**first, "source": source, "target": target}] * 4096

    with pytest.raises(NetworkFileError, match="have 117440512 synapses, and a file at most"):
        load(damaged(saved, claim))


def test_what_a_file_does_not_hold_is_refused_before_anything_is_written(saved: Path) -> None:
    before = saved.read_bytes()
    net = three_layers()
    net.projections *= 2049
    with pytest.raises(InvalidNetwork, match="has 6147 projections, and a file at most 4096"):
        save(saved, net)
    named = Network(n_axons=1)
    for _ in range(4096):
        named.population(1, name="ä" * 500)
    with pytest.raises(InvalidNetwork, match="take shorter names of populations"):
        save(saved, named)
    with pytest.raises(InvalidNetwork, match="has no neurons"):
        save(saved, Network(n_axons=3))
    assert saved.read_bytes() == before


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_file_is_refused_or_harmless(saved: Path, data: st.DataObject) -> None:
    whole = saved.with_name("whole.npz")
    if not whole.exists():
        whole.write_bytes(saved.read_bytes())
    octets = bytearray(whole.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    saved.write_bytes(octets)
    try:
        net, _ = load(saved)
    except NetworkFileError:
        return
    net.validate()
