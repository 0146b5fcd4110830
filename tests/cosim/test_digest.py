"""The digest of a tick: the same on all twins and lanes, at no cycle, and what it misses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import pytest
from support.cores import OPTIONS
from support.rungs import bulk_but

from spiketwin.cosim.model.hashing import digest_sources, digest_synapses
from spiketwin.cosim.serial.protocol_model import ModelPort
from spiketwin.cosim.trials import bench
from spiketwin.hdl.spec.arithmetic import digest_code, digest_rows
from spiketwin.hdl.spec.oracle import Oracle
from spiketwin.hdl.spec.params import CoreParams, ParamsError, preset
from spiketwin.hdl.spec.registers import Space, registers, space_formats
from spiketwin.host import Core, Network, Run, connect
from spiketwin.host.errors import DoesNotFit

TINY = preset(OPTIONS)
TICKS = 300


def stimulus(n_axons: int, ticks: int = TICKS) -> Any:
    return np.argwhere(np.random.default_rng(3).random((ticks, n_axons)) < 0.3)


# --- what it is -----------------------------------------------------------------------------------


def test_no_words_are_needed_where_it_is_not_built() -> None:
    plain = replace(TINY, digest_rounds=0)
    assert TINY.max_words_per_tick == plain.max_words_per_tick + 2
    with_it = [r.name for r in registers(TINY)]
    assert set(with_it) - {r.name for r in registers(plain)} == {"digest_en"}
    assert [name for name in with_it if name != "digest_en"] == [r.name for r in registers(plain)]
    with pytest.raises(ParamsError, match=r"digest_rounds must be in 0…3, not 4"):
        replace(TINY, digest_rounds=4)


@pytest.mark.parametrize("rounds", [1, 2, 3])
def test_a_code_is_one_to_one_in_each_of_its_words(rounds: int) -> None:
    rng = np.random.default_rng(1)
    for count in (1, 4):
        words = [int(word) for word in rng.integers(0, 1 << 32, count)]
        for place in range(count):
            codes = {
                digest_code(
                    5, 7, [*words[:place], words[place] ^ change, *words[place + 1 :]], rounds
                )
                for change in (0, *(1 << bit for bit in range(32)))
            }
            assert len(codes) == 33


def test_it_is_the_exclusive_or_of_a_code_for_all_that_a_tick_writes() -> None:
    core = Oracle(TINY)
    core.register |= {"digest_en": 1, "learn_pre": 1, "learn_post": 1, "v_floor": -5}
    core.register |= {"w_min": -128, "w_max": 127}
    core.threshold = [30_000] * 8
    core.threshold[6] = core.v_reset[6] = -3
    core.refrac_count[2], core.v[2] = 4, 99
    core.bias[3] = -4
    core.i_syn[1] = -1
    core.trace_post[4], core.trace_pre[15], core.theta[0] = 11, 12, 13
    core.plastic[2][5] = core.plastic[9][6] = True
    core.weight[2][5], core.weight[9][6], core.weight[9][7] = -1, 6, 7

    def code(row: int, column: int, *words: int) -> int:
        return digest_code(row, column, words, rounds=3)

    expected = code(2, 2, 0xFF << 16)  # axon 2 is active: a row
    expected ^= code(0x1000 + 6, 4, 6 << 16)  # neuron 6 fires: a column, of source 9 is plastic
    i_syn = [0, 0xFFFF, 0, 0, 0, 0xFFFF, 0, 0]
    v = [0, 0xFFFF, 0, 0xFFFC, 0, 0xFFFF, 0xFFFD, 0]  # neuron 2 is held
    for j in range(8):
        trace_post, refrac_count, theta = 11 * (j == 4), 3 * (j == 2), 13 * (j == 0)
        expected ^= code(0x2000, j, i_syn[j], v[j], refrac_count << 16 | trace_post, theta)
    for i in range(16):
        expected ^= code(0x3000, i, 12 * (i == 15))
    assert core.step([2]).spikes == [6]
    assert core.digest == expected


def test_it_has_a_code_for_each_bias_event() -> None:
    core = Oracle(TINY)
    core.threshold, core.register["v_floor"] = [30_000] * 8, 1  # v is 1 whatever the bias
    core.step([])
    quiet = core.digest
    core.step([], [(3, -1), (7, -2), (3, -3)])
    expected = quiet
    for neuron, bias in ((3, 0xFFFF), (7, 0xFFFE), (3, 0xFFFD)):
        expected ^= digest_code(0x3002, neuron, [bias], rounds=3)
    assert core.digest == expected


# --- the same on all ------------------------------------------------------------------------------


@contextmanager
def twins(params: CoreParams, *urls: str) -> Iterator[list[Core]]:
    with connect("model:", params=params) as model:
        if not urls:
            yield [model]
            return
        with connect(urls[0], params=params) as other:
            yield [model, other]


@pytest.mark.bulk
@pytest.mark.rtl
def test_it_costs_no_cycle_and_goes_when_it_is_not_asked_for() -> None:
    net = Network.random(8, 8, seed=5)
    with twins(TINY, "rtl:") as cores:
        runs = []
        for core in cores:
            for digests in (False, True, False):
                core.program(net)
                runs.append(core.run(stimulus(8), TICKS, digests=digests))
    assert [run.digests is None for run in runs] == [True, False, True] * 2
    told = runs[1].digests
    assert told is not None
    np.testing.assert_array_equal(told, runs[4].digests)
    assert told.dtype == np.uint32
    assert len(set(told.tolist())) == TICKS
    for run in runs[1:]:
        for name in ("cycles", "update_cycles", "spike_cycles", "spikes"):
            np.testing.assert_array_equal(getattr(run, name), getattr(runs[0], name), name)


LANES = (
    {"lanes": 2, "neuron_lanes": 1, "source_lanes": 1, "single_port_weights": True},
    {"lanes": 4, "neuron_lanes": 2, "source_lanes": 4},
    {"lanes": 8, "neuron_lanes": 8, "source_lanes": 2},
)


@pytest.mark.rtl
@pytest.mark.bulk
def test_it_does_not_depend_on_lanes() -> None:
    net = Network.random(8, 32, seed=5)
    found = []
    for lanes in LANES:
        params = net.core_params(weight_width=7, digest_rounds=2, spike_queue_depth=128, **lanes)
        with twins(params, "rtl:?level=core") as cores:
            for core in cores:
                core.program(net)
                found.append(core.run(stimulus(8), TICKS, digests=True).digests)
                assert core.read_weights().any()
    for digests in found[1:]:
        np.testing.assert_array_equal(digests, found[0])


@pytest.mark.rtl
@pytest.mark.bulk
def test_the_benchmark_finds_all_equal() -> None:
    figures = bench.digests(ticks=5_000)["digest"]
    assert figures.as_json() == {"ticks": 5_000, "equal_ticks": 5_000, "added_cycles_per_tick": 0.0}


@pytest.mark.rtl
def test_the_benchmark_ends_at_a_tick_that_is_not_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Core.run

    def run_with_a_fault(core: Core, *arguments: Any, **named: Any) -> Run:
        done = run(core, *arguments, **named)
        if core.identity.build == "model" and done.digests is not None:
            done.digests[7] ^= 1
        return done

    monkeypatch.setattr(Core, "run", run_with_a_fault)
    monkeypatch.setattr(bench, "DIGEST_SIZES", OPTIONS)
    with pytest.raises(bench.DigestsDiffer, match="tick 7 of"):
        bench.digests(ticks=10)


def test_a_core_without_it_says_so_and_does_nothing() -> None:
    with connect("model:", params="tiny") as core:
        before = core.read_counters()
        with pytest.raises(DoesNotFit, match="digest_rounds=3"):
            core.run([], 5, digests=True)
        assert core.read_counters() == before


def test_a_muted_tick_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time passes while the host is away: of a thousand ticks the queue holds the first."""
    net = Network.random(8, 8, seed=5)
    write = ModelPort.write

    def late(port: ModelPort, data: bytes) -> None:
        write(port, data)
        port.model.pass_ticks(700)

    with connect("model:", params=TINY) as core:
        core.program(net)
        every = core.run([], 1_000, digests=True).digests
    with connect("model:", params=TINY) as core, monkeypatch.context() as patched:
        core.program(net)
        patched.setattr(ModelPort, "write", late)
        run = core.run([], 1_000, tick_period=200, digests=True)
    assert 0 < run.muted.sum() < 1_000
    assert run.digests is not None
    assert every is not None
    np.testing.assert_array_equal(run.digests, np.where(run.muted, 0, every))


# --- what it sees ---------------------------------------------------------------------------------


def at_rest(core: Core, *, fires: bool) -> dict[str, Any]:
    """Program a network in which nothing moves, every weight is written, and no neuron is held."""
    n_sources, n_neurons = TINY.n_sources, TINY.n_neurons
    core.program(
        Network(
            n_axons=TINY.n_axons, n_neurons=n_neurons, w_min=-128, w_max=127, v_floor=-32_768,
            plastic=np.ones((n_sources, n_neurons), np.bool_), i_syn_tau=np.inf,
            threshold=np.full(n_neurons, -32_768 if fires else 32_767),
            learn_pre=not fires, learn_post=fires,
        )
    )  # fmt: skip
    rng = np.random.default_rng(1)
    state = {
        "v": rng.integers(-9_000, 9_000, n_neurons),
        "i_syn": rng.integers(-9_000, 9_000, n_neurons),
        "refrac_count": np.zeros(n_neurons, np.int64),
        "theta": rng.integers(0, 9_000, n_neurons),
        "trace_pre": rng.integers(0, 1 << 16, n_sources),
        "trace_post": rng.integers(0, 1 << 16, n_neurons),
        "pending": np.full(n_neurons, not fires, np.int64),
    }
    return state | {"weight": rng.integers(-20, 20, (n_sources, n_neurons))}


def flips(state: dict[str, Any], names: list[str]) -> Iterator[tuple[str, Any]]:
    """Give arrays of the state by name, with each of their bits, one at a time, as it is not."""
    formats = space_formats(TINY)
    for name in names:
        fmt = formats[Space[name.upper()]]
        for place in np.ndindex(state[name].shape):
            for bit in range(fmt.width):
                value = (int(state[name][place]) & ((1 << fmt.width) - 1)) ^ 1 << bit
                changed = state[name].copy()
                changed[place] = value - (1 << fmt.width) * (value > fmt.limits()[1])
                yield name, changed


@pytest.mark.rtl
@pytest.mark.parametrize("fires", bulk_but([True], [False, True]), ids=["rows", "columns"])
def test_no_bit_is_written_that_it_does_not_show(fires: bool) -> None:
    events = [] if fires else [(0, axon) for axon in range(TINY.n_axons)]

    def digest(core: Core, held: dict[str, Any]) -> int:
        if "weight" in held:
            core.write_weights(held["weight"])
        core.write_state(**{name: values for name, values in held.items() if name != "weight"})
        run = core.run(events, 1, digests=True)
        assert run.digests is not None
        assert len(run.spikes) == fires * TINY.n_neurons
        return int(run.digests[0])

    with twins(TINY, "rtl:") as cores:
        for core in cores:
            state = at_rest(core, fires=fires)
            expected = digest(core, state)
            moved = {name: state[name] for name in ("v", "pending")}
            assert digest(core, state) == expected
            # A neuron that fires forgets v, and with it what the current brought.
            written = ["weight"] if fires else [name for name in state if name != "pending"]
            tried, last, step = 0, "v", 1 if core is cores[0] else 13
            for name, changed in islice(flips(state, written), None, None, step):
                again = {last: state[last]} | moved
                assert digest(core, again | {name: changed}) != expected, (name, tried)
                tried, last = tried + 1, name
            bits = 1024 + (not fires) * (8 * (4 * 16 + 8) + 16 * 16)
            assert tried == -(-bits // step)


def missed(digest: Any, values: Any, wrong: Any, trials: int) -> float:
    """Part of so many trials in which what is wrong is not seen."""
    rng = np.random.default_rng(2)
    unseen = 0
    for _ in range(trials):
        right = values(rng)
        unseen += digest(wrong(rng, right.copy())) == digest(right)
    return unseen / trials


def traces(rng: np.random.Generator) -> Any:
    return rng.integers(0, 1 << 16, 256).astype(np.int32)


def row(rng: np.random.Generator) -> Any:
    return rng.integers(-128, 128, 256).astype(np.int8)


def in_two(rng: np.random.Generator, values: Any) -> Any:
    values[rng.choice(256, 2, replace=False)] ^= _bit(rng, values)
    return values


def in_all(rng: np.random.Generator, values: Any) -> Any:
    return values ^ _bit(rng, values)


def exchanged(rng: np.random.Generator, values: Any) -> Any:
    k = rng.integers(255)
    values[[k, k + 1]] = values[[k + 1, k]]
    return values


def _bit(rng: np.random.Generator, values: Any) -> Any:
    width = 16 if values.dtype == np.int32 else 8
    return np.array(1 << rng.integers(width)).astype(values.dtype)


PLASTIC = np.ones(256, np.bool_)


@pytest.mark.parametrize(
    ("values", "wrong", "most"),
    [
        (traces, in_two, (0.55, 0.04, 0.001)),
        (row, in_two, (0.3, 0.03, 0.003)),
        (traces, in_all, (0.35, 0.002, 0.0)),
        (traces, exchanged, (0.1, 0.0, 0.0)),
    ],
)
def test_what_it_misses_is_as_documented(
    values: Any, wrong: Any, most: tuple[float, float, float]
) -> None:
    shares = []
    for rounds in (1, 2, 3):

        def digest(found: Any, rounds: int = rounds) -> Any:
            if found.dtype == np.int32:
                history = np.zeros_like(found)
                return digest_sources(digest_rows(512).sources, found, history, rounds)
            return digest_synapses(0, 0, found, PLASTIC, 255, rounds)

        shares.append(missed(digest, values, wrong, 3_000))
    assert all(share <= limit for share, limit in zip(shares, most, strict=True))
    assert shares[0] > most[0] / 3  # or a round more would be too dear
