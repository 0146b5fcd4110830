"""``spiketwin import``: a file is known by its content, and what comes of it is saved and said."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest
from click.testing import CliRunner, Result
from superneuromat import SNN
from support.checkout import ROOT

from spiketwin.host import Network, connect
from spiketwin.host.cli import doors, main
from spiketwin.host.errors import InvalidInput, NetworkFileError
from spiketwin.host.files import load


def spiketwin(*arguments: str | Path) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def snn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SNN:
    """A chain of three neurons, also in a file whose name says nothing."""
    monkeypatch.chdir(tmp_path)
    made = SNN()
    for threshold in (0.0, 0.5, 0.75):
        made.create_neuron(threshold=threshold, leak=float("inf"), refractory_period=1)
    made.create_synapse(0, 1, weight=0.75, delay=2)
    made.create_synapse(1, 2, weight=1.0)
    for tick in (0, 3, 4, 9):
        made.add_spike(tick, 0, 1.0)
    Path("network.bin").write_text(made.to_json())
    return made


def test_a_network_is_imported_with_its_stimulus_and_runs_as_in_its_own_simulator(
    snn: SNN,
) -> None:
    done = spiketwin(
        "import", "network.bin", "net.npz", "--json", "figures.json", "--report", "page.html"
    )
    assert done.exit_code == 0, done.output
    assert "4 neurons of SuperNeuroMAT, exactly, with 4 units in 1" in done.output
    network, stimulus = load("net.npz")
    assert stimulus is not None
    with connect("model:", params=network.core_params()) as core:
        core.program(network)
        spikes = core.run(stimulus.spikes, ticks=15).spikes
    snn.simulate(15)
    # The fourth neuron of the simulator is the delay.
    np.testing.assert_array_equal(spikes, np.argwhere(snn.ispikes[:, :3]))
    figures = json.loads(Path("figures.json").read_text())
    assert (figures["kind"], figures["n_neurons"], figures["n_axons"]) == (
        "a SuperNeuroMAT network", 3, 1,
    )  # fmt: skip
    assert figures["report"]["scale"] == 4
    page = (ROOT / "docs/superneuromat.md").read_text()
    keys = {*figures["report"], *(f"rounded.{name}" for name in figures["report"]["rounded"])}
    assert {key for key in keys if f"`{key}`" not in page} == set()
    page = Path("page.html").read_text()
    assert "<th>rounded.weights<td>0.0" in page
    assert spiketwin("run", "net.npz", "--on", "model:").exit_code == 0


def test_a_page_shows_names_as_text(snn: SNN) -> None:
    name = "<b>&amp;.json"
    Path("network.bin").rename(name)
    done = spiketwin("import", name, "net.npz", "--report", "page.html")
    assert done.exit_code == 0, done.output
    assert "<title>&lt;b&gt;&amp;amp;.json" in Path("page.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dt", "0.1"], "--dt is of no meaning for a SuperNeuroMAT network"),
        (["--weight-width", "17"], "weight_width must be an integer in 4…16"),
        (["--dt", "0"], "--dt"),
        (["--report", "page.txt"], "must end with .html"),
        (["--json", "network.bin"], "same file"),
    ],
)
def test_a_wrong_call_is_named_and_nothing_is_written(
    arguments: list[str], message: str, snn: SNN
) -> None:
    done = spiketwin("import", "network.bin", "net.npz", *arguments)
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.split())
    assert [path.name for path in Path().iterdir()] == ["network.bin"]


def test_a_graph_of_nir_goes_to_its_door(snn: SNN, monkeypatch: pytest.MonkeyPatch) -> None:
    with h5py.File("graph.json", "w") as file:
        file.create_group("node")
    given: dict[str, Any] = {}

    def load_graph(path: Path, **how: Any) -> tuple[Network, Any]:
        given.update(how, path=path)
        report = SimpleNamespace(as_json=lambda: {"layers": 1}, page=lambda title: f"of {title}")
        return Network(n_axons=4, n_neurons=8), report

    nir = ModuleType("spiketwin.host.nir")
    monkeypatch.setattr(nir, "load", load_graph, raising=False)
    monkeypatch.setitem(sys.modules, "spiketwin.host.nir", nir)
    done = spiketwin("import", "graph.json", "net.npz", "--dt", "1e-4", "--report", "page.html")
    assert done.exit_code == 0, done.output
    assert given == {"path": Path("graph.json"), "dt": 1e-4}
    assert Path("page.html").read_text() == "of graph.json, a NIR graph"
    assert load("net.npz")[1] is None


@pytest.mark.parametrize("content", [b"", b"hello", b"{}", b"PK\3\4"])
def test_what_no_door_takes_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "network.json"
    path.write_bytes(content)
    with pytest.raises(NetworkFileError, match="neither a NIR graph nor a SuperNeuroMAT network"):
        doors.door_of(path)
    done = spiketwin("import", path, tmp_path / "net.npz")
    assert done.exit_code == 2
    assert not (tmp_path / "net.npz").exists()


def test_hdf5_that_is_cut_is_said_to_be_damaged(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "whole", "w") as file:
        file["node/x"] = list(range(1000))
    path = tmp_path / "graph.nir"
    for size in (8, 12, 1000):
        path.write_bytes((tmp_path / "whole").read_bytes()[:size])
        done = spiketwin("import", path, tmp_path / "net.npz")
        assert done.exit_code == 2
        assert "is damaged" in " ".join(done.stderr.split())
        assert not (tmp_path / "net.npz").exists()


def test_a_graph_without_the_package_for_it_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with h5py.File(tmp_path / "graph.nir", "w") as file:
        file.create_group("node")
    for missing in ("h5py", "nir"):
        monkeypatch.setitem(sys.modules, missing, None)
    done = spiketwin("import", tmp_path / "graph.nir", tmp_path / "net.npz")
    assert done.exit_code != 0
    assert "the package nir is not installed" in " ".join(done.stderr.split())


def test_hdf5_of_something_else_is_no_graph(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other", "w") as file:
        file["x"] = [1]
    with pytest.raises(NetworkFileError, match="neither"):
        doors.door_of(tmp_path / "other")


def test_an_option_that_a_door_lacks_is_refused() -> None:
    door = doors.Door("mine", "json", (), lambda path, head: True)
    with pytest.raises(InvalidInput, match="--weight-width is of no meaning for mine"):
        door.load(Path("x"), {"dt": None, "weight_width": 8})
