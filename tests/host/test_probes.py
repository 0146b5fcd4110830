"""Probes: state that ticks report, checked, decoded, and kept however a run ends."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from spiketwin.cosim.serial.protocol_model import ModelPort
from spiketwin.hdl.spec.params import preset
from spiketwin.hdl.spec.protocol import MAX_FRAME, WORD_COUNT_BITS, Word
from spiketwin.host import Core, Network, Run, connect
from spiketwin.host.errors import DoesNotFit, InvalidInput, LinkError
from spiketwin.host.runner import Runner
from spiketwin.host.runs import joined

SIZES = "tiny,probe_ranges=4,v_width=18,theta_width=9,spike_queue_depth=256,digest_rounds=1"
NET = Network.random(8, 8, seed=4)
NET.v_floor = -3000
NET.bias[:4] = -400
TICKS = 30
SPIKES = np.argwhere(np.random.default_rng(1).random((TICKS, 8)) < 0.4)
CHOSEN: dict[str, Any] = {
    "v": [6, 1, 3, 3],
    "refrac_count": range(2, 7),
    "trace_pre": np.arange(16),
    "theta": [7],
}


@pytest.fixture(scope="module")
def states() -> list[dict[str, np.ndarray]]:
    """The state after each tick of the network, read in runs of one tick."""
    after = []
    with connect("model:", params=SIZES) as core:
        core.program(NET)
        for tick in range(TICKS):
            core.run(SPIKES[SPIKES[:, 0] == tick] * (0, 1), 1)
            after.append(core.read_state())
    return after


def check(run: Run, states: list[dict[str, np.ndarray]], every: int = 1, first: int = 0) -> None:
    """Hold each row to the state after its tick."""
    due = [t for t in range(len(run.cycles)) if (first + t) % every == 0 and not run.muted[t]]
    assert run.probe_ticks.tolist() == due
    assert list(run.probes) == list(CHOSEN)
    for name, numbers in CHOSEN.items():
        expected = [states[first + tick][name][numbers] for tick in due]
        shape = (len(due), len(numbers))
        np.testing.assert_array_equal(run.probes[name], np.reshape(expected, shape), name)


def test_what_is_drawn_moves_and_has_both_signs(states: list[dict[str, np.ndarray]]) -> None:
    for name in ("v", "theta", "trace_pre", "refrac_count"):
        assert len(np.unique([state[name] for state in states])) > 2, name
    assert min(state["v"][CHOSEN["v"]].min() for state in states) < 0


@pytest.mark.parametrize("digests", [False, True])
@pytest.mark.parametrize("every", [1, 2, 7, TICKS, 65535])
def test_a_row_is_the_state_after_its_tick(
    every: int, digests: bool, states: list[dict[str, np.ndarray]]
) -> None:
    with connect("model:", params=SIZES) as core:
        core.program(NET)
        run = core.run(SPIKES, TICKS, probe=CHOSEN, probe_every=every, digests=digests)
        check(run, states, every)
        # The period counts from each run's first tick; a run without probes has none.
        core.program(NET)
        core.run(SPIKES[SPIKES[:, 0] < 3], 3, probe={"v": [0]}, probe_every=2)
        rest = SPIKES[SPIKES[:, 0] >= 3] - (3, 0)
        again = core.run(rest, TICKS - 3, probe=CHOSEN, probe_every=every, digests=digests)
        assert again.probe_ticks.tolist() == list(range(0, TICKS - 3, every))
        np.testing.assert_array_equal(again.probes["v"][0], states[3]["v"][CHOSEN["v"]])
        if digests:
            assert run.digests is not None
            np.testing.assert_array_equal(run.digests[3:], again.digests)
        assert core.run([], 5).probes == {}
        assert core.run([], 5).probe_ticks.size == 0


def test_parts_have_the_rows_of_their_ticks(states: list[dict[str, np.ndarray]]) -> None:
    parts: list[Run] = []

    def watch(first: int, part: Run) -> None:
        check(part, states, 2, first)
        parts.append(part)

    with connect("model:", params=SIZES) as core:
        core.program(NET)
        run = core.run(SPIKES, TICKS, probe=CHOSEN, probe_every=2, watch=watch)
    whole = joined(parts)
    assert len(parts) > 3
    np.testing.assert_array_equal(whole.probe_ticks, run.probe_ticks)
    for name, values in run.probes.items():
        np.testing.assert_array_equal(whole.probes[name], values)


def test_a_run_that_is_broken_off_keeps_what_came_in(states: list[dict[str, np.ndarray]]) -> None:
    def stop(done: int, _ticks: int) -> None:
        if done >= 4:
            signal.raise_signal(signal.SIGINT)

    with connect("model:", params=SIZES) as core:
        core.program(NET)
        with pytest.raises(KeyboardInterrupt) as broken:
            core.run(SPIKES, TICKS, probe=CHOSEN, progress=stop)
        part = broken.value.__dict__["run"]
        assert 4 <= len(part.cycles) < TICKS
        check(part, states)
        executed = core.last_run
        assert executed is not None
        assert core.tick == len(executed.cycles)
        check(executed, states)
        rest = SPIKES[SPIKES[:, 0] >= core.tick] - (core.tick, 0)
        first = core.tick
        run = core.run(rest, TICKS - first, probe=CHOSEN)
        np.testing.assert_array_equal(run.probes["v"][-1], states[-1]["v"][CHOSEN["v"]])


def test_a_muted_tick_has_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time passes while the host is away: of a thousand ticks the queue holds the first."""
    spikes = np.argwhere(np.random.default_rng(2).random((1_000, 8)) < 0.4)
    write = ModelPort.write

    def late(port: ModelPort, data: bytes) -> None:
        write(port, data)
        port.model.pass_ticks(700)

    with connect("model:", params=SIZES) as core:
        core.program(NET)
        every = core.run(spikes, 1_000, probe=CHOSEN)
    with connect("model:", params=SIZES) as core, monkeypatch.context() as patched:
        core.program(NET)
        patched.setattr(ModelPort, "write", late)
        run = core.run(spikes[:500], 1_000, probe=CHOSEN, probe_every=2, tick_period=1000)
    last = int(spikes[500, 0])  # up to here both have had the same events
    assert 0 < run.muted.sum() < 1_000
    due = np.flatnonzero(~run.muted[::2]) * 2
    assert run.probe_ticks.tolist() == due.tolist()
    assert 0 < (same := int((due < last).sum())) < len(due) < 500
    for name, values in run.probes.items():
        assert values.shape == (len(due), len(CHOSEN[name]))
        np.testing.assert_array_equal(values[:same], every.probes[name][due[:same]], name)


def test_a_recording_replays_them(tmp_path: Path, states: list[dict[str, np.ndarray]]) -> None:
    path = tmp_path / "session.jsonl"
    with connect("model:", params=SIZES, record=path) as core:
        core.program(NET)
        check(core.run(SPIKES, TICKS, probe=CHOSEN, probe_every=3), states, 3)
    with connect(f"replay:{path}") as core:
        core.program(NET)
        check(core.run(SPIKES, TICKS, probe=CHOSEN, probe_every=3), states, 3)


def test_a_population_stands_for_its_neurons_or_sources() -> None:
    population = SimpleNamespace(neurons=range(2, 5), sources=range(10, 13))
    with connect("model:", params=SIZES) as core:
        core.program(NET)
        run = core.run(SPIKES, TICKS, probe={"v": population, "trace_pre": population})
        core.program(NET)
        same = core.run(SPIKES, TICKS, probe={"v": [2, 3, 4], "trace_pre": [10, 11, 12]})
    for name in ("v", "trace_pre"):
        np.testing.assert_array_equal(run.probes[name], same.probes[name])


def test_sources_have_the_numbers_of_the_network_in_a_larger_core() -> None:
    net = Network.random(5, 6, seed=2)
    with connect("model:", params=SIZES) as core:
        core.program(net)
        run = core.run([(0, 4), (1, 0)], 3, probe={"trace_pre": [4, 5, 10], "v": [5]})
        state = core.read_state()
    assert run.probes["trace_pre"][-1].tolist() == state["trace_pre"][[4, 5, 10]].tolist()
    assert run.probes["v"][-1].tolist() == [state["v"][5]]


def test_independent_runs_after_one_with_probes_report_none() -> None:
    with connect("model:", params=SIZES) as core:
        core.program(NET)
        core.write_registers(learn_pre=0, learn_post=0)
        core.run([], 2, probe={"v": [0]})
        runs = core.run_many([SPIKES, SPIKES], TICKS, clear=True, threads=2)
        alone = core.run(SPIKES, TICKS, clear=True)
    np.testing.assert_array_equal(runs[1].cycles, alone.cycles)


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"probe": {"u": [0]}}, InvalidInput, "no state 'u' to probe: it is one of trace_pre, "),
        ({"probe": {"pending": [0]}}, InvalidInput, "no state 'pending'"),
        ({"probe": {3: [0]}}, InvalidInput, "no state 3"),
        ({"probe": ["v"]}, InvalidInput, "mapping of names to numbers"),
        ({"probe": {"v": [8]}}, InvalidInput, "must be in 0…7, not 8"),
        ({"probe": {"v": [-1]}}, InvalidInput, "must be in 0…7, not -1"),
        ({"probe": {"v": []}}, InvalidInput, "at least one of 0…7"),
        ({"probe": {"v": [0.5]}}, InvalidInput, "must hold integers"),
        ({"probe": {"v": "all"}}, InvalidInput, "must hold integers"),
        ({"probe": {"i_inh": [0]}}, DoesNotFit, "has no i_inh"),
        ({"probe": {"v": [0]}, "probe_every": 0}, InvalidInput, "must be in 1…65535"),
        ({"probe_every": 65536}, InvalidInput, "must be in 1…65535"),
        (
            {"probe": dict.fromkeys(("v", "theta", "i_syn", "refrac_count", "trace_post"), [0])},
            DoesNotFit,
            "reports 4 states at once, not 5",
        ),
    ],
)
def test_what_cannot_be_probed_is_refused(
    arguments: dict[str, Any], error: type[Exception], says: str
) -> None:
    with connect("model:", params=SIZES) as core:
        before = core.statistics.requests
        with pytest.raises(error, match=re.escape(says)):
            core.run([], 3, **arguments)
        assert core.statistics.requests == before


def test_a_core_without_probes_says_what_builds_them() -> None:
    with connect("model:", params=NET.core_params()) as core:
        with pytest.raises(DoesNotFit, match=re.escape("`net.core_params(probe_ranges=1)`")):
            core.run([], 3, probe={"v": [0]})
        assert core.run([], 3, probe={}).probes == {}
    assert NET.core_params().probe_ranges == 0


def test_a_queue_that_is_too_short_says_how_deep_it_has_to_be() -> None:
    sizes = "tiny,probe_ranges=4,n_neurons=64,n_axons=64"
    every = {name: range(64) for name in ("v", "i_syn", "trace_post", "theta")}
    with (
        connect("model:", params=sizes) as core,
        pytest.raises(DoesNotFit, match="takes 147 output words.* of 128 .*spike_queue_depth=256"),
    ):
        core.run([], 3, probe=every)
    with connect("model:", params=f"{sizes},spike_queue_depth=256") as core:
        assert core.run([], 300, probe=every).probes["v"].shape == (300, 64)
    wide = Network.random(64, 256, seed=1).core_params(probe_ranges=4, v_width=24)
    with connect("model:", params=wide) as core:
        every = {name: range(256) for name in ("v", "i_syn", "trace_post", "theta")}
        assert core.run([], 3, probe=every).probes["theta"].shape == (3, 256)


def test_words_that_are_not_those_of_the_probes_are_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    take = Runner.take

    def lose(runner: Runner, result: bytes) -> None:
        words = np.frombuffer(result, "<u4")
        probes = np.flatnonzero(words >> WORD_COUNT_BITS == 8 | Word.PROBE)
        take(runner, np.delete(words, probes[:1]).tobytes())

    with connect("model:", params=SIZES) as core:
        core.program(NET)
        monkeypatch.setattr(Runner, "take", lose)
        with pytest.raises(LinkError, match="did not report 16 words of probes in each of the 3"):
            core.run([], 3, probe=CHOSEN)


def test_the_line_carries_less_than_three_bytes_for_a_value_and_no_wait_a_tick() -> None:
    net = Network(n_axons=64, n_neurons=256)

    def carried(core: Core, probe: dict[str, Any] | None) -> tuple[int, int]:
        octets, requests = core.statistics.bytes_received, core.statistics.requests
        core.run([], 300, probe=probe)
        after = core.statistics
        return after.bytes_received - octets, after.requests - requests

    for width, most in ((16, 2.5), (24, 3.7)):
        params = preset(f"full,n_axons=64,probe_ranges=1,v_width={width}")
        with connect("model:", params=params) as core:
            core.program(net)
            without, _ = carried(core, None)
            octets, requests = carried(core, {"v": range(100, 183)})
        assert (octets - without) / (300 * 83) < most
        # All but the last answers are full, so the host does not wait for each tick.
        assert requests < octets / MAX_FRAME + 20
