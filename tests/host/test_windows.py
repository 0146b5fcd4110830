"""Tables of windows: added, checked, sized, programmed, read, written and saved."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.rungs import bulk_but

from spiketwin.hdl.spec.params import preset
from spiketwin.host import Network, connect
from spiketwin.host.errors import DoesNotFit, InvalidInput, InvalidNetwork, NetworkFileError
from spiketwin.host.files import load, save
from spiketwin.host.populations import Projection

UNIT = 1 << 16
TOP = (1 << 23) - 1


def windowed(length: int = 256) -> tuple[Network, Projection, Projection]:
    """A network with a projection that learns by a window, and one that does not."""
    net = Network(n_axons=3, learn_post=True, w_min=-100, w_max=100, post_offset=2 * UNIT)
    cells = net.population(8, threshold=50)
    table = np.arange(length) % 256 * UNIT // 4
    window = net.add_window(table)
    by_window = net.project(net.axons, cells, weights=[[60] * 8, [1] * 8, [1] * 8], plastic=True,
                            window=window)  # fmt: skip
    return net, by_window, net.project(net.axons, cells, weights=3, plastic=True)


def test_a_table_is_added_once_and_named_by_its_number() -> None:
    net = Network(n_axons=1)
    assert [net.add_window(table) for table in ([1] * 512, [2] * 512, [1] * 512)] == [1, 2, 1]
    assert net.windows[:, 0].tolist() == [1, 2]
    assert net.windows.shape == net.copy().windows.shape == (2, 512)
    for k in range(3, 9):
        net.add_window([k] * 512)
    with pytest.raises(InvalidNetwork, match="at most 8 windows: let some have the same table"):
        net.add_window([9] * 512)
    assert len(net.windows) == 8


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([0] * 255, r"shape \(256,\) or \(512,\), as all .* not \(255,\)"),
        ([[0] * 256], r"not \(1, 256\)"),
        ([0.5] * 256, "table must hold integers, not float64: round it yourself"),
        ([0] * 255 + [TOP + 1], r"table\[255\] must be in -8388608…8388607, not 8388608"),
    ],
)
def test_what_is_no_table_is_refused(table: Any, message: str) -> None:
    net = Network(n_axons=1)
    with pytest.raises(InvalidNetwork, match=message):
        net.add_window(table)
    assert len(net.windows) == 0
    net.add_window([-TOP - 1] * 256)
    with pytest.raises(InvalidNetwork, match=r"table must have the shape \(256,\), as all"):
        net.add_window([0] * 512)


def test_a_window_that_is_not_there_is_refused() -> None:
    net, *_ = windowed()
    net.window = np.array([0, 2])
    with pytest.raises(InvalidNetwork, match=r"window must be in 0…1, .* add one, `net.add_window"):
        net.validate()
    for wrong in (np.zeros((2, 300), int), np.zeros(256, int), np.zeros((9, 256), int)):
        net.windows = wrong
        with pytest.raises(InvalidNetwork, match=r"windows must have the shape \(8, 256\) or"):
            net.validate()


@pytest.mark.parametrize("length", [256, 512])
def test_a_rule_over_a_window_learns_by_it_and_others_do_not(length: int) -> None:
    net, by_window, other = windowed(length)
    params = net.core_params()
    assert (params.n_rules, params.window_bits) == (2, length // 32)
    with connect("model:", params=params) as core:
        core.program(net)
        run = core.run([(0, 2), (1, 1), (2, 0)], ticks=3)
        assert run.spikes.tolist() == [[2, j] for j in range(8)]
        assert core.read_state()["history"][:3].tolist() == [1, 2, 4]
        # A quarter of 1, 2 and 4 units, and the offset of 2.
        assert core.read_weights(by_window)[:, 0].tolist() == [62, 4, 4]
        assert core.read_weights(other)[:, 0].tolist() == [5, 5, 5]
        core.clear("traces")
        assert not core.read_state()["history"].any()


@pytest.mark.parametrize("url", bulk_but(["model:"], ["model:", "rtl:?level=core"]))
def test_tables_are_read_and_written(url: str) -> None:
    net, *_ = windowed(512)
    with connect(url, params=net.core_params()) as core:
        core.program(net)
        held = core.read_windows()
        assert held.shape == (2, 512)
        assert held[0].tolist() == net.windows[0].tolist()
        assert not held[1].any()
        core.write_windows(held[::-1] - TOP)
        assert np.array_equal(core.read_windows(), held[::-1] - TOP)
        with pytest.raises(InvalidInput, match=r"tables must have the shape \(2, 512\)"):
            core.write_windows(net.windows)
        with pytest.raises(InvalidInput, match=r"tables must be in -8388608…8388607, not 8388608"):
            core.write_windows(TOP + 1)


def test_a_core_that_has_no_such_windows_is_refused() -> None:
    net, *_ = windowed(512)
    sizes = "tiny,n_projections=4,weight_depth=256"
    with pytest.raises(DoesNotFit, match="window is set, .* without window_bits=8"):
        net.check_fits(preset(f"{sizes},n_rules=2"))
    with pytest.raises(DoesNotFit, match="has 1 windows of 512 entries, the core 2 of 256"):
        net.check_fits(preset(f"{sizes},n_rules=2,window_bits=8"))
    for _ in range(2):
        net.add_window(np.full(512, len(net.windows)))
    with pytest.raises(DoesNotFit, match="has 3 windows of 512 entries, the core 2 of 512"):
        net.check_fits(preset(f"{sizes},n_rules=2,window_bits=16"))
    assert net.core_params().n_rules == 4
    with connect("model:", params=preset("tiny")) as core:
        with pytest.raises(DoesNotFit, match="no window_table: connect to one built with window_b"):
            core.read_windows()


def test_stdp_takes_the_place_of_a_window() -> None:
    net, by_window, _ = windowed()
    pairs: Any = {"a_plus": 4, "a_minus": 2, "tau_plus": 20, "tau_minus": 10, "w_min": 0}
    net.stdp(**pairs, w_max=90, projection=by_window)
    assert net.held("window")[by_window.rule] == 0


def test_tables_are_saved_with_the_network(tmp_path: Path) -> None:
    net, *_ = windowed()
    net.add_window(np.full(256, -TOP))
    save(tmp_path / "net.npz", net)
    found, _ = load(tmp_path / "net.npz")
    assert np.array_equal(found.windows, net.windows)
    assert found.held("window").tolist() == net.held("window").tolist()


@pytest.mark.parametrize("wrong", [[[0, 1], [2]], "no", [[1 << 30] * 256], 3])
def test_wrong_tables_in_a_file_are_refused(tmp_path: Path, wrong: Any) -> None:
    path = tmp_path / "net.npz"
    save(path, windowed()[0])
    with np.load(path) as file:
        arrays = dict(file)
    header = json.loads(arrays["header"].tobytes()) | {"windows": wrong}
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    np.savez(path, **arrays)
    with pytest.raises(NetworkFileError, match="windows"):
        load(path)


def drifting(drift: int, **more: Any) -> tuple[Network, Projection, Projection]:
    """A network with a projection that drifts and has an offset, and one that has neither."""
    settings: dict[str, Any] = {"learn_post": True, "w_min": -100, "w_max": 100} | more
    net = Network(n_axons=3, **settings)
    cells = net.population(8, threshold=50)
    own = net.project(
        net.axons, cells, weights=[[60] * 8, [1] * 8, [99] * 8], plastic=[[True] * 8] * 3,
        drift=drift, post_offset=4 * UNIT,
    )  # fmt: skip
    return net, own, net.project(net.axons, cells, weights=3, plastic=True)


@pytest.mark.parametrize("url", ["model:", "rtl:?level=core"])
def test_all_plastic_weights_drift_within_their_bounds(url: str) -> None:
    net, own, other = drifting(-UNIT // 2, w_min=-20)
    still = own.plastic.copy()
    still[1] = False
    own.plastic = still
    with connect(url, params=net.core_params(window_bits=16)) as core:
        core.program(net)
        core.run([], ticks=5)
        assert core.read_state()["drift_sum"].tolist() == [0, -5 * UNIT // 2]
        assert core.read_weights(own)[:, 0].tolist() == [57, 1, 96]
        assert core.read_weights(other)[:, 0].tolist() == [3] * 3
        # The spike is worth what has drifted, and the step after it is on top of that.
        assert core.run([(0, 0)], ticks=1).spikes.size
        assert core.read_weights(own)[:, 0].tolist() == [61, 1, 100]
        core.run([], ticks=200)
        assert core.read_weights(own)[:, 0].tolist() == [-20, 1, 0]
        assert core.read_counters()["weight_saturations"] == 0
        core.run([], ticks=100)
        # The sum cannot hold more than 128 units.
        assert core.read_state()["drift_sum"].tolist() == [0, -128 * UNIT]
        assert core.read_counters()["weight_saturations"] == 306 - 256
        core.clear()
        assert core.read_weights(own)[0, 0] == -20
        core.program(net)
        assert core.read_weights(own)[:, 0].tolist() == [60, 1, 99]


def test_weights_act_as_they_are_written_whatever_has_drifted() -> None:
    net, own, _ = drifting(3 * UNIT)
    with connect("model:", params=net.core_params()) as core:
        core.program(net)
        core.run([], ticks=10)
        meant = np.full((3, 8), -7)
        core.write_weights(meant, own)
        assert np.array_equal(core.read_weights(own), meant)
        core.write_plastic(np.zeros((3, 8), bool), own)
        core.run([], ticks=1)
        assert np.array_equal(core.read_weights(own), meant)
        core.write_plastic(np.ones((3, 8), bool), own)
        core.run([], ticks=1)
        assert np.array_equal(core.read_weights(own), meant + 3)
        core.write_state(drift_sum=[0, 125 * UNIT])
        with pytest.raises(InvalidInput, match=r"stored as -132, .*write_state\(drift_sum=0\)"):
            core.write_weights(meant, own)


def test_nothing_drifts_unless_the_post_event_rule_is_on() -> None:
    net, own, _ = drifting(UNIT, learn_post=False)
    with connect("model:", params=net.core_params()) as core:
        core.program(net)
        core.run([], ticks=3)
        assert core.read_weights(own)[:, 0].tolist() == [60, 1, 99]
