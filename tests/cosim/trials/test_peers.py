"""The comparison with other simulators: the same network for all, asked in turns."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from spiketwin.cosim.commands.bench import bench
from spiketwin.cosim.trials.peers import measuring
from spiketwin.cosim.trials.peers.cases import CASES, LAYERS, WEIGHT
from spiketwin.host import connect
from spiketwin.host.errors import TargetError

PEER = """
import sys
print("a greeting")
print("ready", flush=True)
for turn, _ in enumerate(sys.stdin, 1):
    print({seconds} * turn, {spikes}, flush=True)
"""


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("n", [64, 256])
def test_a_network_fires_at_some_17_hertz_at_every_size(name: str, n: int) -> None:
    case = CASES[name](n)
    with connect("model:", params=case.net.core_params()) as core:
        core.program(case.net)
        run = core.run([], ticks=2000)
    assert 14 < len(run.spikes) / n / 2 < 20
    assert (np.bincount(run.spikes[:, 1], minlength=n) > 0).mean() > 0.9


def test_what_is_saved_is_the_network_of_the_model(tmp_path: Path) -> None:
    case = CASES["layers"](64)
    case.save(tmp_path / "case.npz")
    saved = np.load(tmp_path / "case.npz")
    matrix = np.zeros((64, 64), int)
    np.add.at(matrix, tuple(saved["pairs"].T), int(saved["weight"]))
    size = 64 // LAYERS
    for projection in case.net.projections:
        source, target = projection.source.first, projection.target.first
        part = matrix[source : source + size, target : target + size]
        assert np.array_equal(part, np.asarray(projection.weights))
        matrix[source : source + size, target : target + size] = 0
    assert not matrix.any()
    assert saved["threshold"] == case.net.threshold[0]
    assert np.array_equal(saved["bias"], case.net.bias)
    assert not saved["learns"]


def test_all_to_all_needs_no_list_of_pairs(tmp_path: Path) -> None:
    case = CASES["learning"](64)
    case.save(tmp_path / "case.npz")
    saved = np.load(tmp_path / "case.npz")
    assert "pairs" not in saved
    assert saved["learns"]
    weights = np.asarray(case.net.weights)
    assert not weights[:8].any()
    assert (weights[8:] == WEIGHT).all()
    assert np.asarray(case.net.plastic)[8:].all()


@pytest.fixture
def peers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of stand-ins for the scripts of the other simulators."""
    for name, seconds, spikes in (("nest", 2.0, 600), ("brian2", 0.5, 900)):
        script = PEER.format(seconds=seconds, spikes=spikes)
        (tmp_path / f"{name}_peer.py").write_text(script)
    monkeypatch.setattr(measuring, "_HERE", tmp_path)
    monkeypatch.setattr(measuring, "TICKS", {64: 300})
    python = SimpleNamespace(python=lambda: Path(sys.executable))
    monkeypatch.setattr(measuring, "environment", python)
    return tmp_path


@pytest.mark.usefixtures("peers")
def test_rates_are_medians_of_turns_and_spikes_are_shown(tmp_path: Path) -> None:
    stages: list[str] = []
    found = measuring.measure(stages.append, neurons=(64,))
    learning, static = found.peers["64"], found.static["64"]
    # The turns of a stand-in take 1, 2 and 3 times its seconds.
    assert (learning.nest, learning.brian2_cpp) == (300 / 4, 300 / 1)
    assert (learning.brian2_cpp_tuned, static.brian2_cpp_tuned) == (300, None)
    assert learning.spikes_per_tick["nest"] == 2
    assert learning.spikes_per_tick["brian2_cpp"] == 3
    assert learning.spikes_per_tick["kernel"] == learning.spikes_per_tick["connect"]
    assert 0.9 < learning.spikes_per_tick["kernel"] < 1.3
    assert min(learning.kernel, learning.connect) > 0
    assert stages == [
        "installing other simulators", "learning, 64 neurons", "static, 64 neurons",
        "layers, 64 neurons",
    ]  # fmt: skip


def test_the_command_writes_the_rates_by_size(peers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = measuring.measure
    monkeypatch.setattr(measuring, "measure", lambda report: whole(report, neurons=(64,)))
    file = peers / "peers.json"
    done = CliRunner().invoke(bench, ["--peers", "--json", str(file)])
    assert done.exit_code == 0, done.output
    written = json.loads(file.read_text())
    assert list(written) == ["peers", "static", "layers"]
    assert set(written["peers"]["64"]) == {
        "brian2_cpp", "brian2_cpp_tuned", "nest", "kernel", "connect", "spikes_per_tick",
    }  # fmt: skip
    assert "brian2_cpp_tuned" not in written["layers"]["64"]
    assert "measured" in done.output


def test_a_simulator_that_ends_is_named_with_its_last_words(peers: Path) -> None:
    (peers / "nest_peer.py").write_text("raise SystemExit('there is no NEST here')")
    with pytest.raises(TargetError, match=r"nest_peer.py ended .*: there is no NEST here"):
        measuring.measure(print, neurons=(64,))


def test_a_simulator_that_never_answers_is_given_up(
    peers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (peers / "nest_peer.py").write_text("import time\ntime.sleep(60)")
    monkeypatch.setattr(measuring, "PATIENCE", 0.5)
    with pytest.raises(TargetError, match=r"nest_peer.py ended without an answer"):
        measuring.measure(print, neurons=(64,))


def test_two_measurements_are_two_calls() -> None:
    done = CliRunner().invoke(bench, ["--mutants", "--peers"])
    assert done.exit_code == 2
    assert "call bench for each" in done.output
