"""``spiketwin import``: a file is known by its content, and what comes of it is saved and said."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import h5py
import nir as nir_package
import numpy as np
import pytest
from click.testing import CliRunner, Result
from superneuromat import SNN
from support.checkout import ROOT
from support.graphs import cuba, events, recurrent

from spiketwin.hdl.spec.installation import install_command
from spiketwin.hdl.spec.params import described
from spiketwin.host import connect, nir
from spiketwin.host.cli import catalogue, doors, main
from spiketwin.host.errors import InvalidInput, NetworkFileError
from spiketwin.host.files import load, rounded_for_of
from spiketwin.host.quantisation import measure
from spiketwin.host.rounded_for import RoundedFor


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


def rows_of(page: str, title: str) -> list[list[str]]:
    table = page.partition(f"<h2>{title}</h2>")[2].partition("</table>")[0]
    return [re.findall(r"<t[dh][^>]*>([^<]*)", row) for row in table.split("<tr>")[1:]]


def test_the_page_of_a_superneuromat_network_shows_synapses_rounding_and_stdp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = SNN()
    for _ in range(3):
        made.create_neuron(threshold=0.5)
    made.create_synapse(0, 1, weight=0.75, delay=3, stdp_enabled=False)
    made.create_synapse(1, 2, weight=-1.0, stdp_enabled=True)
    made.create_synapse(2, 0, weight=0.5, stdp_enabled=True)
    made.add_spike(0, 0, 1 / 3)
    made.stdp_setup(Apos=[0.5, 0.25], Aneg=[-0.0625, -0.03125])
    Path("network.bin").write_text(made.to_json())
    done = spiketwin("import", "network.bin", "net.npz", "--report", "page.html")
    assert done.exit_code == 0, done.output
    page = Path("page.html").read_text()
    assert [row[1:] for row in rows_of(page, "Synapses")[1:]] == [
        ["1", "2", "2", "-1", "0.5"], ["3", "1", "0", "0.75", "0.75"],
    ]  # fmt: skip
    assert rows_of(page, "STDP")[1:] == [["1", "0.5", "-0.0625"], ["2", "0.25", "-0.03125"]]
    rounding = {name: others for name, *others in rows_of(page, "Rounding")[1:]}
    assert rounding["weights"][1] == "0" and float(rounding["inputs"][1]) > 0
    (_, (least, largest)) = rows_of(page, "Bounds of weights that learn")
    assert float(least) < -1 and float(largest) > 0.75


def test_a_page_shows_names_as_text(snn: SNN) -> None:
    name = "<b>&amp;.json"
    Path("network.bin").rename(name)
    done = spiketwin("import", name, "net.npz", "--report", "page.html")
    assert done.exit_code == 0, done.output
    assert "<title>&lt;b&gt;&amp;amp;.json" in Path("page.html").read_text()


def test_a_saved_graph_runs_on_its_core_and_in_its_time(
    graph: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert spiketwin("import", graph, "net.npz", *NARROW).exit_code == 0
    net, report = nir.load(graph, 1e-3, weight_width=8)
    assert rounded_for_of("net.npz") == RoundedFor(1e-3, report.sizes)
    cores = []

    def connected(url: str, **how: Any) -> Any:
        cores.append(how["params"])
        return connect(url, **how)

    monkeypatch.setattr("spiketwin.host.cli.run.connect", connected)
    np.save("noise.npy", np.argwhere(np.random.default_rng(1).random((200, 12)) < 0.1))
    words = ("run", "net.npz", "--on", "model:", "--spikes", "noise.npy", "--ticks", "200")
    for more, tick in (((), 1000), (("--dt", "2e-3"), 2000)):
        done = spiketwin(*words, "--spikes-to", "spikes.csv", *more)
        assert done.exit_code == 0, done.output
        with connect("model:", params=net.core_params(**report.sizes)) as core:
            core.program(net)
            wanted = core.run(np.load("noise.npy"), 200).spikes[:, 0] * tick
        times = np.loadtxt("spikes.csv", delimiter=",", skiprows=1, ndmin=2)
        assert set(wanted.tolist()) <= set(times.reshape(-1).astype(int).tolist())
    assert cores == [net.core_params(**report.sizes)] * 2
    other = described(net.core_params(event_queue_depth=1024))
    assert spiketwin(*words, "--params", other).exit_code == 0
    assert cores[2] == other


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


@pytest.fixture
def graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A graph of NIR with layers that have biases, in a file whose name says nothing."""
    monkeypatch.chdir(tmp_path)
    nir_package.write("graph.bin", recurrent(1, cuba, 20.0, b=0.3))
    return Path("graph.bin")


NARROW = ("--dt", "1e-3", "--weight-width", "8")


def figures() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path("figures.json").read_text())
    return found


def test_a_graph_is_measured_by_noise_and_saved_with_its_start(graph: Path) -> None:
    words = ("import", graph, "net.npz", *NARROW, "--report", "page.html", "--json", "figures.json")
    done = spiketwin(*words)
    assert done.exit_code == 0, done.output
    net, report = nir.load(graph, 1e-3, weight_width=8)
    noise = np.argwhere(np.random.default_rng(1).random((200, 12)) < 0.1)
    wanted = measure(net, report, [noise], 200)
    found = figures()
    assert found["measured"] == json.loads(json.dumps(wanted.as_json()))
    assert found["start"] == ["i_syn"]
    assert found["params"] == described(net.core_params(**report.sizes))
    assert f"{wanted.closed:.2%} in closed loop, {wanted.open:.2%} in open loop" in done.output
    page = " ".join(Path("page.html").read_text().split())
    said = "noise of seed 1, as no stimulus was given: each axon is active in a tick with a"
    for text in (page, done.output, found["stimulus"]):
        assert said in text
        assert f"{len(noise)} axon events in 200 ticks" in text
    call = re.search(r"spiketwin (import [^<]*)", page)
    assert call is not None
    assert {*shlex.split(call[1])} == {str(word).replace("1e-3", "0.001") for word in words}
    saved, stimulus = load("net.npz")
    assert stimulus is None
    assert np.array_equal(saved.start["i_syn"], report.start["i_syn"])
    np.save("noise.npy", noise)
    again = (
        "--ticks",
        "200",
        "--on",
        "model:",
        "--params",
        found["params"],
        "--json",
        "figures.json",
    )
    assert spiketwin("run", "net.npz", "--spikes", "noise.npy", *again).exit_code == 0
    # The loop is closed: spikes are equal only if the state at the start is.
    assert figures()["spikes"] == sum(layer.held for layer in wanted.layers)


def test_a_graph_is_measured_with_the_stimulus_that_is_given_which_is_saved(graph: Path) -> None:
    rows = events(12, 90, 0.2, 4)
    np.savetxt("spikes.csv", rows, "%d", ",")
    done = spiketwin(
        "import", graph, "net.npz", *NARROW, "--spikes", "spikes.csv", "--ticks", "100",
        "--json", "figures.json",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    net, report = nir.load(graph, 1e-3, weight_width=8)
    wanted = measure(net, report, [rows], 100, gains=False)
    assert figures()["measured"] == json.loads(json.dumps(wanted.as_json()))
    assert figures()["stimulus"].startswith("The stimulus is the one that was given; ")
    _, stimulus = load("net.npz")
    assert stimulus is not None
    assert np.array_equal(stimulus.spikes, rows)
    assert stimulus.ticks == 100


def test_events_are_a_stimulus_too(graph: Path, snn: SNN) -> None:
    Path("recording").write_text("t,x,y,p\n0,0,0,1\n4000,1,1,1\n5000,1,0,1\n12000,2,1,0\n")
    how = ("--events", "recording", "--size", "3x2", "--dt", "1e-3")
    wanted = ("--json", "figures.json", "--report", "page.html")
    done = spiketwin("import", graph, "net.npz", *how, *wanted)
    assert done.exit_code == 0, done.output
    _, stimulus = load("net.npz")
    assert stimulus is not None
    assert stimulus.spikes[:, 0].tolist() == [0, 4, 5, 12]
    assert figures()["measured"]["ticks"] == 13
    assert "--size 3,2 " in Path("page.html").read_text()  # the call that makes the page again
    # A network without seconds leaves the time of a tick to the events.
    Path("one").write_text("t,unit\n3000,0\n")
    done = spiketwin("import", "network.bin", "net.npz", "--events", "one", "--dt", "1e-3")
    assert done.exit_code == 0, done.output
    _, stimulus = load("net.npz")
    assert stimulus is not None
    assert stimulus.spikes.tolist() == [[3, 0]]


def test_it_is_said_if_no_neuron_fired(graph: Path) -> None:
    np.save("none.npy", np.zeros((0, 2), np.int64))
    done = spiketwin("import", graph, "net.npz", "--dt", "1e-3", "--spikes", "none.npy")
    assert done.exit_code == 0, done.output
    assert "No neuron fired, so that it says little" in done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--ticks", "9"], "--ticks goes with --spikes or --events"),
        (["--pool", "2"], "--pool goes with --events"),
        (["--spikes", "graph.bin"], "must be a .npy or a .csv file"),
        (["--spikes", "far.csv"], "must be in 0…11"),
        (["--spikes", "far.csv", "--report", "far.csv"], "must end with .html"),
        (["--spikes", "far.csv", "--events", "far.csv", "--dt", "1e-3"], "not both"),
        (["--events", "far.csv"], "--events needs --dt"),
        (["--weight-width", "17"], "weight_width must be 4…16 bits"),
    ],
)
def test_a_wrong_call_for_a_graph_is_named(arguments: list[str], message: str, graph: Path) -> None:
    Path("far.csv").write_text("0,12\n")
    done = spiketwin("import", graph, "net.npz", *arguments)
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.split())
    assert not Path("net.npz").exists()


@pytest.mark.parametrize("missing", [("nir",), ("nir", "h5py"), ("jinja2",)])
def test_the_extra_of_graphs_is_named_where_it_is_missing(
    missing: tuple[str, ...], graph: Path, snn: SNN, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in missing:
        monkeypatch.setitem(sys.modules, name, None)
    done = spiketwin("import", graph, "net.npz", "--report", "page.html")
    assert done.exit_code == 2
    assert install_command("nir") in " ".join(done.stderr.split())
    assert not Path("net.npz").exists()
    # A network of SuperNeuroMAT needs none of them.
    done = spiketwin("import", "network.bin", "net.npz", "--report", "page.html")
    assert done.exit_code == 0, done.output


def test_the_script_knows_the_extra_by_the_command() -> None:
    assert catalogue.installer("nir") == "import"
    assert "nir" in catalogue.EXTRAS


def test_states_of_a_network_are_saved_with_it(snn: SNN) -> None:
    snn.neurons[1].state = 0.5
    snn.neurons[2].state, snn.neurons[2].leak = 2.0, 0.25
    Path("network.bin").write_text(snn.to_json())
    done = spiketwin("import", "network.bin", "net.npz", "--json", "figures.json")
    assert done.exit_code == 0, done.output
    assert figures()["start"] == ["v"]
    assert "It begins with v other than 0, which is saved with it." in done.output
    network, stimulus = load("net.npz")
    assert stimulus is not None
    with connect("model:", params=network.core_params()) as core:
        core.program(network)
        spikes = core.run(stimulus.spikes, ticks=15).spikes
    snn.simulate(15)
    np.testing.assert_array_equal(spikes, np.argwhere(snn.ispikes[:, :3]))
    assert [0, 2] in spikes.tolist()


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
