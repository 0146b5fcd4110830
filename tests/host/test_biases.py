"""Bias events: checked, sent in their order, applied on every target, and saved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from support.cores import OPTIONS
from support.rungs import bulk_but

from spiketwin.hdl.spec.oracle import Oracle
from spiketwin.hdl.spec.params import CoreParams, preset
from spiketwin.host import Network, Run, connect
from spiketwin.host.cli import main
from spiketwin.host.errors import DoesNotFit, InvalidInput, NetworkFileError
from spiketwin.host.files import load, save

TICKS = 90
RNG = np.random.default_rng(4)
SPIKES = np.argwhere(RNG.random((TICKS, 8)) < 0.2)
# Many more than the queue of 64 events holds, and some for a neuron that has one in that tick.
BIASES = np.stack(
    [RNG.integers(0, TICKS, 300), RNG.integers(0, 8, 300), RNG.integers(-40, 60, 300)], axis=1
)


def driven() -> Network:
    net = Network.random(8, 8, seed=5)
    net.v_floor = -200
    return net


def by_oracle(params: CoreParams, biases: Any) -> list[tuple[list[int], int, list[int]]]:
    """What an oracle that is driven by biases alone does: its spikes, cycles and v of each tick."""
    oracle, found = Oracle(params), []
    oracle.threshold, oracle.register["v_floor"] = [100] * 8, -200
    for tick in range(TICKS):
        result = oracle.step([], [(j, bias) for t, j, bias in biases.tolist() if t == tick])
        found.append((result.spikes, result.cycles, list(oracle.v)))
    return found


@pytest.mark.parametrize(
    "url", bulk_but(["model:", "rtl:?level=core"], ["model:", "rtl:", "rtl:?level=core"])
)
def test_a_run_with_biases_is_that_of_the_oracle(url: str) -> None:
    params = preset(OPTIONS)
    net = Network(n_axons=8, n_neurons=8, threshold=np.full(8, 100), v_floor=-200, v_tau=np.inf)
    rows = np.unique(BIASES[:, :2], axis=0)
    biases = np.column_stack([rows, RNG.integers(-40, 60, len(rows))])
    expected = by_oracle(params, biases)
    with connect(url, params=params) as core:
        core.program(net)
        run = core.run([], TICKS, biases=RNG.permutation(biases))
        assert core.read_state()["v"].tolist() == expected[-1][2]
    assert run.cycles.tolist() == [cycles for _, cycles, _ in expected]
    assert run.spikes.tolist() == [
        [t, j] for t, (fired, _, _) in enumerate(expected) for j in fired
    ]
    assert len(run.spikes) > 30


def ran(url: str, **arguments: Any) -> tuple[Run, list[int]]:
    with connect(url, params=OPTIONS) as core:
        core.program(driven())
        run = core.run(SPIKES, TICKS, biases=BIASES, digests=True, **arguments)
        return run, core.read_parameters()["bias"].tolist()


@pytest.mark.parametrize("url", bulk_but(["rtl:"], ["rtl:", "rtl:?level=core"]))
@pytest.mark.parametrize("tick_period", [0, 3000])
def test_biases_and_spikes_together_are_the_same_on_all(url: str, tick_period: int) -> None:
    (model, biases), (rtl, same) = (ran(each, tick_period=tick_period) for each in ("model:", url))
    for name in ("spikes", "spike_cycles", "cycles", "update_cycles", "digests"):
        np.testing.assert_array_equal(getattr(rtl, name), getattr(model, name), name)
    assert same == biases
    for run in (model, rtl):
        assert (run.missed_deadlines, run.late_events) == (0, 0)


def test_the_last_row_counts_and_the_bias_stays_until_it_is_written() -> None:
    rows = BIASES.tolist()
    last = {(tick, neuron): bias for tick, neuron, bias in rows}
    with connect("model:", params=OPTIONS) as core:
        core.program(driven())
        run = core.run([], TICKS, biases=BIASES)
        counts = np.bincount([tick for tick, _ in last], minlength=TICKS)
        np.testing.assert_array_equal(run.update_cycles, 4 + 4 * counts + rows_of(run))
        expected = [
            next(last[t, j] for t in range(TICKS)[::-1] if (t, j) in last) for j in range(8)
        ]
        assert core.read_parameters()["bias"].tolist() == expected
        core.clear()
        core.run([], 3)
        assert core.read_parameters()["bias"].tolist() == expected
        core.program(driven())
        np.testing.assert_array_equal(core.read_parameters()["bias"], driven().bias)


def rows_of(run: Run) -> np.ndarray[Any, Any]:
    """Cycles of *Deliver* for the neurons that fired in the tick before."""
    fired = np.bincount(run.spikes[:, 0] + 1, minlength=len(run.cycles) + 1)[: len(run.cycles)]
    return 4 * fired + 5 * (fired > 0)


def test_a_stepped_bias_is_that_of_a_network_programmed_anew() -> None:
    with connect("model:", params=OPTIONS) as one, connect("model:", params=OPTIONS) as other:
        for core in (one, other):
            core.program(driven())
        whole = one.run(SPIKES, TICKS, biases=[(30, 2, 55), (60, 2, -9), (60, 7, 12)])
        parts = []
        for first, change in ((0, {}), (30, {2: 55}), (60, {2: -9, 7: 12})):
            bias = other.read_parameters()["bias"]
            bias[list(change)] = list(change.values())
            other.write_parameters(bias=bias)
            now = SPIKES[(SPIKES[:, 0] >= first) & (SPIKES[:, 0] < first + 30)]
            parts.append(other.run(now - (first, 0), 30).spikes + (first, 0))
        np.testing.assert_array_equal(whole.spikes, np.concatenate(parts))


def test_neurons_are_named_as_in_the_network() -> None:
    """Populations begin at whole groups of a core, so their neurons have other numbers there."""
    net = Network(n_axons=3)
    first = net.population(5, threshold=30_000)
    second = net.population(3, threshold=50, v_tau=np.inf)
    net.project(first, second, weights=np.ones((5, 3), int))
    with connect("model:", params=net.core_params(bias_events=True)) as core:
        core.program(net)
        run = core.run([], 4, biases=[(1, 6, 60), (2, 0, 7)])
        assert run.spikes.tolist() == [[1, 6], [2, 6], [3, 6]]
        assert core.read_parameters()["bias"].tolist() == [7, 0, 0, 0, 0, 0, 60, 0]


@pytest.mark.parametrize(
    ("biases", "message"),
    [
        ([(0, 0)], r"biases must be integers of shape \(k, 3\), \(tick, neuron, bias\), not"),
        ([(0, 0, 1.5)], r"biases must be integers of shape"),
        ("fast", r"biases must be integers of shape"),
        ([(0, 0, 0), (5, 0, 0)], r"biases\[1\]: tick must be in 0…4, not 5"),
        ([(-1, 0, 0)], r"biases\[0\]: tick must be in 0…4, not -1"),
        ([(0, 8, 0)], r"biases\[0\]: neuron must be in 0…7, not 8"),
        ([(0, 0, 32768)], r"biases\[0\]: bias must be in -32768…32767, not 32768"),
        (np.array([(0, 0, 1 << 63)], np.uint64), r"bias must be in -32768…32767, not"),
    ],
)
def test_what_is_no_bias_event_is_named(biases: Any, message: str) -> None:
    with connect("model:", params=OPTIONS) as core:
        core.program(driven())
        with pytest.raises(InvalidInput, match=message):
            core.run([], 5, biases=biases)
        assert core.tick == 0


def test_a_core_without_them_says_how_to_get_one() -> None:
    with connect("model:", params="tiny") as core:
        core.program(driven())
        with pytest.raises(DoesNotFit, match=r"net\.core_params\(bias_events=True\)"):
            core.run([], 5, biases=[(0, 0, 1)])
        assert core.tick == 0
        core.run([], 5, biases=[])


def test_the_events_of_one_tick_have_to_fit_the_queue_together() -> None:
    spikes = [(3, axon % 8) for axon in range(60)]
    biases = [(3, neuron, 1) for neuron in range(5)]
    with connect("model:", params=OPTIONS) as core:
        core.program(driven())
        with pytest.raises(DoesNotFit, match=r"tick 3 has more events than .* holds \(64\)"):
            core.run(spikes, 5, biases=biases)
        assert core.tick == 0
        core.run(spikes, 5, biases=biases[:4])
    wide = Network.random(300, 400, seed=1).core_params(bias_events=True)
    assert wide.event_queue_depth == 1024  # 300 axons and 400 neurons


def test_watch_sees_what_a_run_with_biases_does_and_a_break_drops_what_is_left() -> None:
    parts = []

    def watch(first: int, part: Run) -> None:
        parts.append((first, part))
        if first > 40:
            raise KeyboardInterrupt

    with connect("model:", params=OPTIONS) as core:
        core.program(driven())
        with pytest.raises(KeyboardInterrupt):
            core.run(SPIKES, TICKS, biases=BIASES, watch=watch)
        assert core.read_counters()["events_queued"] == 0
        assert 40 < core.tick <= TICKS
    assert sum(len(part.cycles) for _, part in parts) > 40


# --- the stimulus in a file -----------------------------------------------------------------------


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "net.npz"
    save(path, driven(), SPIKES, TICKS, BIASES)
    return path


def test_biases_are_saved_with_the_spikes(saved: Path) -> None:
    _, stimulus = load(saved)
    assert stimulus is not None
    last = {(tick, neuron): bias for tick, neuron, bias in BIASES.tolist()}
    assert stimulus.biases.tolist() == [[*place, bias] for place, bias in sorted(last.items())]
    assert stimulus.spikes.tolist() == SPIKES.tolist()
    save(saved, driven(), SPIKES, TICKS)
    _, stimulus = load(saved)
    assert stimulus is not None
    assert stimulus.biases.shape == (0, 3)


@pytest.mark.parametrize(
    ("biases", "message"),
    [
        ([(TICKS, 0, 0)], "tick must be in"),
        ([(0, 8, 0)], "neuron must be in"),
        ([(0, 0, 1 << 23)], r"bias must be in -8388608…8388607, not 8388608"),
    ],
)
def test_wrong_biases_leave_the_old_file(saved: Path, biases: Any, message: str) -> None:
    before = saved.read_bytes()
    with pytest.raises(InvalidInput, match=message):
        save(saved, driven(), SPIKES, TICKS, biases)
    with pytest.raises(InvalidInput, match="biases belong to a stimulus"):
        save(saved, driven(), biases=[(0, 0, 0)])
    assert saved.read_bytes() == before


def test_a_file_with_wrong_biases_is_refused(saved: Path, tmp_path: Path) -> None:
    with np.load(saved) as file:
        arrays = dict(file)
    for wrong, message in (
        (np.array([(0, 0, 1 << 40)]), "bias must be in"),
        (np.zeros((1, 2), np.int64), "biases must be int64 of shape"),
        (np.zeros((1, 3), np.int32), "biases must be int64 of shape"),
    ):
        header = json.loads(arrays["header"].tobytes()) | {"biases": 1}
        text = np.frombuffer(json.dumps(header).encode(), np.uint8)
        np.savez(tmp_path / "wrong.npz", **{**arrays, "header": text, "biases": wrong})
        with pytest.raises(NetworkFileError, match=message):
            load(tmp_path / "wrong.npz")


def command(*arguments: object) -> Any:
    return CliRunner().invoke(main, [*map(str, arguments)])


def test_the_command_plays_the_biases_of_the_file(saved: Path, tmp_path: Path) -> None:
    found = tmp_path / "out.npz"
    assert command("run", saved, "--on", "model:", "--output", found).exit_code == 0
    with connect("model:", params=driven().core_params(bias_events=True)) as core:
        core.program(driven())
        expected = core.run(SPIKES, TICKS, biases=BIASES)
    with np.load(found) as arrays:
        np.testing.assert_array_equal(arrays["spikes"], expected.spikes)
        np.testing.assert_array_equal(arrays["cycles"], expected.cycles)
    assert command("run", saved, "--on", "model:", "--ticks", 20, "--output", found).exit_code == 0
    with np.load(found) as arrays:
        np.testing.assert_array_equal(arrays["cycles"], expected.cycles[:20])
    report = tmp_path / "inspect.json"
    assert command("inspect", saved, "--json", report).exit_code == 0
    assert json.loads(report.read_text())["bias_events"] > 200


def test_a_command_says_which_core_plays_them_or_that_it_does_not(saved: Path) -> None:
    done = command("run", saved, "--on", "model:", "--params", "tiny")
    assert done.exit_code != 0
    assert "bias_events=1" in done.output
    for name, more in (("latency", ()), ("sweep", ("--tick-period", 1000))):
        done = command(name, saved, "--on", "model:", *more)
        assert done.exit_code != 0
        assert f"`spiketwin {name}` does not play" in done.output
