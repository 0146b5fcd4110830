"""``spiketwin inspect``: what a saved network is, in figures worked out by hand."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from click.testing import CliRunner

from spiketwin.hdl.spec.params import PRESETS, preset
from spiketwin.host import Network
from spiketwin.host.cli import main
from spiketwin.host.files import save


def inspected(net: Network, folder: Path, *stimulus: object) -> tuple[str, dict[str, object]]:
    save(folder / "net.npz", net, *stimulus)  # type: ignore[arg-type]
    arguments = ["inspect", str(folder / "net.npz"), "--json", str(folder / "found.json")]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    return done.stdout, json.loads((folder / "found.json").read_text())


def small() -> Network:
    net = Network(n_axons=2, n_neurons=3)
    net.weights[0] = 5, 0, -7
    net.weights[4] = 0, 9, 0
    net.tag = 42
    return net


def test_a_network_and_its_stimulus_are_described(tmp_path: Path) -> None:
    text, found = inspected(small(), tmp_path, [(0, 0), (3, 1)], 10)
    wanted = {
        "n_axons": 2, "n_neurons": 3, "synapses": 3, "plastic": 0, "least_weight": -7,
        "most_weight": 9, "tag": 42, "ticks": 10, "events": 2, "bias_events": 0,
    }  # fmt: skip
    assert wanted.items() <= found.items()
    assert "2 axons, 3 neurons" in text
    assert "2 axon events in 10 ticks" in text


def test_the_core_that_is_named_is_the_smallest_and_can_be_typed(tmp_path: Path) -> None:
    net = small()
    text, found = inspected(net, tmp_path)
    assert preset(str(found["params"])) == net.core_params()
    # 2 axons and 3 neurons need 2 lanes: LEAD, 8 / 2 + NEURON_DRAIN of *Update*, END.
    assert found["silent_cycles"] == 4 + 4 + 14 + 2
    assert found["fits"] == list(PRESETS)
    assert found["ticks"] is None
    assert "none" in text


def test_a_network_that_no_reference_size_holds(tmp_path: Path) -> None:
    text, found = inspected(Network(n_axons=1000, n_neurons=8), tmp_path)
    assert found["fits"] == []
    assert "none holds it" in text


def test_what_is_no_network_is_refused(tmp_path: Path) -> None:
    (tmp_path / "net.npz").write_bytes(b"nothing")
    done = CliRunner().invoke(main, ["inspect", str(tmp_path / "net.npz")])
    assert done.exit_code == 2
    assert "net.npz" in done.stderr


def test_what_each_projection_takes_is_said(tmp_path: Path) -> None:
    net = Network(n_axons=6)
    hidden, output = net.population(7, name="hidden"), net.population(10, name="[output]")
    net.project(net.axons, hidden, weights=3, plastic=True)
    net.project(hidden[:4], output, weights=[[0] + [-2] * 9] * 4)
    text, found = inspected(net, tmp_path)
    params = preset(str(found["params"]))
    # 4 lanes: groups of 4 + 4 neurons hidden, as [:4] ends there, and 4 + 4 + 4 of the output.
    assert (params.lanes, params.n_axons, params.n_neurons) == (4, 8, 20)
    first: dict[str, object] = {"name": "axons to hidden", "source": "axons", "target": "hidden"}
    first |= {"synapses": 42, "plastic": 42, "entries": 2, "words": 16, "share": 0.25}
    second: dict[str, object] = {"name": "hidden[0:4] to [output]", "synapses": 36, "plastic": 0}
    second |= {"entries": 1, "words": 12, "share": 0.1875}
    place: Any = found["layout"]
    one, other = place["projections"]
    assert first.items() <= one.items()
    assert second.items() <= other.items()
    assert (place["free_entries"], place["free_words"]) == (0, 36)
    assert (place["unused_axons"], place["unused_neurons"]) == (2, 3)
    assert (found["synapses"], found["plastic"], found["least_weight"]) == (78, 42, -2)
    assert "[output]" in text
    assert "2 axons and 3 neurons fill groups up" in text


def test_kinds_and_delays_of_projections_are_said(tmp_path: Path) -> None:
    net = Network(n_axons=6)
    hidden = net.population(16, name="hidden")
    net.project(net.axons, hidden, weights=3, delay=2)
    net.project(hidden, hidden[:8], constant=-3, itself=False)
    text, found = inspected(net, tmp_path)
    place: Any = found["layout"]
    one, other = place["projections"]
    assert (one["kind"], one["delay"], one["entries"], one["words"]) == ("dense", 2, 1, 32)
    assert (other["kind"], other["delay"], other["entries"], other["words"]) == (
        "constant",
        0,
        2,
        0,
    )
    assert other["synapses"] == 15 * 8
    assert (place["relays"], place["unused_relays"]) == (6, 26)
    assert "6 relays delay, 26 are free" in " ".join(text.split())


def test_the_rows_of_sparse_projections_are_said(tmp_path: Path) -> None:
    net = Network(n_axons=6)
    h = net.population(16, name="h")
    once = np.zeros((6, 16), np.int64)
    once[[0, 5], [3, 7]] = 4
    net.project(net.axons, h, weights=once, sparse=True)
    net.project(h[:8], h[8:], weights=1)
    text, found = inspected(net, tmp_path)
    place: Any = found["layout"]
    one, other = place["projections"]
    # 4 lanes: the 6 axons are 2 groups, which have 8 rows.
    assert (one["kind"], one["synapses"], one["rows"]) == ("sparse", 2, 8)
    assert (other["kind"], other["rows"]) == ("dense", 0)
    assert preset(str(found["params"])).sparse_rows == 8
    assert place["free_rows"] == 0
    row = next(line for line in text.splitlines() if "│ sparse " in line)
    assert [cell.strip() for cell in row.split("│")][-3:-1] == ["8", "6%"]


def test_a_network_without_projections_is_described(tmp_path: Path) -> None:
    net = Network(n_axons=6)
    net.population(7)
    _, found = inspected(net, tmp_path)
    assert (found["synapses"], found["least_weight"], found["most_weight"]) == (0, 0, 0)
