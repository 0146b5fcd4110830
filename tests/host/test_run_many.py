"""Many runs by one call: what one call of `run` after the other does, on every target."""

import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from operator import attrgetter
from types import FrameType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.cores import OPTIONS
from support.rungs import examples

from spiketwin.cosim.model.core import ModelCore
from spiketwin.hdl.spec.params import preset
from spiketwin.hdl.spec.protocol import Opcode
from spiketwin.host import Core, Network, Run, connect
from spiketwin.host.errors import (
    DoesNotFit,
    HalfWritten,
    InvalidInput,
    LinkLost,
    SpiketwinWarning,
)
from spiketwin.host.runs import Runs

TINY = preset("tiny")
FOLDED = preset(OPTIONS)
SHORT_QUEUES = preset("tiny,event_queue_depth=8,spike_queue_depth=128,link_slots=4")
ARRAYS = ("spikes", "spike_cycles", "cycles", "update_cycles", "muted")

NET = Network.random(TINY.n_axons, TINY.n_neurons, seed=4)
FROZEN = Network.random(TINY.n_axons, TINY.n_neurons, seed=4)
FROZEN.learn_pre = FROZEN.learn_post = False


def stimuli(runs: int, ticks: int, rate: float = 0.3, seed: int = 1) -> list[Any]:
    rng = np.random.default_rng(seed)
    return [np.argwhere(rng.random((ticks, TINY.n_axons)) < rate) for _ in range(runs)]


def one_by_one(core: Core, inputs: list[Any], ticks: int, **options: Any) -> list[Run]:
    """The same with a call for each thing that is to be done."""
    clear, registers = options.pop("clear", False), options.pop("registers", {})
    done = []
    for number, events in enumerate(inputs):
        written = {n: int(np.broadcast_to(v, len(inputs))[number]) for n, v in registers.items()}
        if written:
            core.write_registers(**written)
        if clear is True:
            core.clear()
        elif clear:
            core.clear(*clear)
        done.append(core.run(events, ticks, **options))
    return done


def held(core: Core) -> dict[str, Any]:
    counters = core.read_counters()
    return {
        "state": {name: array.tolist() for name, array in core.read_state().items()},
        "weights": core.read_weights().tolist(),
        "registers": core.read_registers(),
        "counters": counters,
        "tick": core.tick,
    }


def assert_equal(runs: Runs, singles: list[Run]) -> None:
    assert len(runs) == len(singles)
    for run, single in zip(runs, singles, strict=True):
        for name in ARRAYS:
            assert np.array_equal(getattr(run, name), getattr(single, name)), name
        assert (run.digests is None) == (single.digests is None)
        if run.digests is not None and single.digests is not None:
            assert run.digests.tolist() == single.digests.tolist()


@pytest.fixture(params=["model:", "rtl:"])
def url(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"clear": True},
        {"clear": ("v", "traces")},
        {"clear": True, "registers": {"post_gain": [300, -300] * 6, "learn_post": 1}},
        {"registers": {"seed": 7}},
        {"clear": True, "tick_period": 200},
    ],
    ids=str,
)
def test_it_is_one_run_after_the_other(url: str, options: dict[str, Any]) -> None:
    inputs = stimuli(12, 5)
    with connect(url, params=TINY) as core:
        core.program(NET)
        singles, expected = one_by_one(core, inputs, 5, **options), held(core)
        core.program(NET)
        runs = core.run_many(inputs, 5, **options)
        assert_equal(runs, singles)
        assert held(core) == expected
        assert len(runs.whole.spikes) > 50
        # And it goes on alike.
        after = core.run(inputs[0], 5)
        core.program(NET)
        one_by_one(core, inputs, 5, **options)
        assert np.array_equal(core.run(inputs[0], 5).spikes, after.spikes)


@settings(max_examples=examples(30), deadline=None)
@given(
    runs=st.integers(1, 9),
    ticks=st.integers(1, 70),
    rate=st.sampled_from([0.0, 0.05, 0.5, 1.0]),
    seed=st.integers(0, 99),
    clear=st.sampled_from([False, True, ("pending",)]),
)
def test_whatever_fits_the_queues_or_not(
    runs: int, ticks: int, rate: float, seed: int, clear: Any
) -> None:
    """Queues are so short that some runs take many steps, and some go in one with the next."""
    inputs = stimuli(runs, ticks, rate, seed)
    with connect("model:", params=SHORT_QUEUES) as core:
        core.program(NET)
        singles, expected = one_by_one(core, inputs, ticks, clear=clear), held(core)
        core.program(NET)
        assert_equal(core.run_many(inputs, ticks, clear=clear), singles)
        assert held(core) == expected


def test_no_run_is_cleared_away_while_it_is_under_way(url: str) -> None:
    """Ticks so long that the device is still at work when the next request comes."""
    inputs = [[(tick, axon) for tick in range(8) for axon in range(8)]] * 9
    with connect(url, params=TINY) as core:
        core.program(NET)
        singles, expected = one_by_one(core, inputs, 8, clear=True), held(core)
        core.program(NET)
        assert_equal(core.run_many(inputs, 8, clear=True), singles)
        assert held(core) == expected


def test_digests_and_what_saturates_are_those_of_all_runs(url: str) -> None:
    inputs = stimuli(6, 4, 0.9)
    with connect(url, params=FOLDED) as core:
        core.program(NET)
        singles = one_by_one(core, inputs, 4, clear=True, digests=True)
        core.program(NET)
        runs = core.run_many(inputs, 4, clear=True, digests=True)
        assert_equal(runs, singles)
        assert runs.whole.saturations is not None
        total = [vars(single.saturations)["weights"] for single in singles]
        assert runs.whole.saturations.weights == sum(total)


def test_requests_of_many_runs_are_under_way_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    with connect("model:", params=TINY) as core:
        core.program(NET)
        port: Any = core.link._transport
        write = port.write

        def count(data: bytes) -> int:
            written.append(data.count(b"\0"))
            number: int = write(data)
            return number

        monkeypatch.setattr(port, "write", count)
        core.run_many(stimuli(40, 1), 1, clear=True)
    # A run of one tick is sure to be over with its first answer, so nothing waits for it.
    assert len(written) < 40
    assert max(written) == TINY.link_slots - 1


def test_runs_are_a_sequence_and_its_arrays(url: str) -> None:
    inputs = stimuli(5, 6)
    with connect(url, params=TINY) as core:
        core.program(NET)
        runs = core.run_many(inputs, 6, clear=True)
        assert (len(runs), runs.ticks) == (5, 6)
        assert np.array_equal(runs[-1].spikes, runs[4].spikes)
        assert [len(run.cycles) for run in runs[1:3]] == [6, 6]
        with pytest.raises(IndexError):
            runs[5]
        assert runs.cycles.shape == (5, 6)
        spikes = runs.spikes
        for number, run in enumerate(runs):
            assert np.array_equal(spikes[spikes[:, 0] == number, 1:], run.spikes)
            assert runs.counts(8)[number].tolist() == [
                int((run.spikes[:, 1] == neuron).sum()) for neuron in range(8)
            ]
        with pytest.raises(InvalidInput, match="n_neurons must be above"):
            runs.counts(1)
        wrong: list[Any] = [-1, 2.5, "a"]
        for number in wrong:
            with pytest.raises(InvalidInput, match="n_neurons must be"):
                runs.counts(number)
        assert runs.ledger.wall_seconds > 0
        assert runs.ledger.on_hardware(1_000_000).ticks == 30


def test_progress_and_watch_see_each_run(url: str) -> None:
    inputs = stimuli(7, 3)
    told: list[tuple[int, int]] = []
    seen: list[tuple[int, Run]] = []
    with connect(url, params=TINY) as core:
        core.program(NET)
        runs = core.run_many(
            inputs,
            3,
            progress=lambda done, total: told.append((done, total)),
            watch=lambda number, run: seen.append((number, run)),
        )
    assert told[-1] == (7, 7)
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    assert [number for number, _ in seen] == list(range(7))
    assert_equal(runs, [run for _, run in seen])


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        (([], 3), {}, InvalidInput, "one run or more"),
        (("ab", 3), {}, InvalidInput, "list of arrays"),
        ((5, 3), {}, InvalidInput, "list of arrays"),
        (([[(0, 1)], [(3, 1)]], 3), {}, InvalidInput, r"stimuli\[1\]\[0\]: tick must be in 0…2"),
        (([[(0, 8)]], 3), {}, InvalidInput, r"stimuli\[0\]\[0\]: axon must be in 0…7, not 8"),
        ((np.array(5), 3), {}, InvalidInput, "list of arrays"),
        (([[0.5]], 3), {}, InvalidInput, r"stimuli\[0\] must be integers"),
        (([[]], 0), {}, InvalidInput, "ticks must be"),
        (([[]], 3), {"clear": "w"}, InvalidInput, "there is no state 'w'"),
        (([[]], 3), {"clear": 5}, InvalidInput, "clear must be"),
        (([[]], 3), {"registers": {"gain": 1}}, InvalidInput, "no register 'gain'"),
        (([[]] * 3, 3), {"registers": {"seed": [1, 2]}}, InvalidInput, r"seed must have the shape"),
        (([[]], 3), {"registers": {"w_max": 500}}, InvalidInput, "w_max must be in"),
        (([[]], 3), {"registers": {"tick_period": 5}}, InvalidInput, "set by every run"),
        (([[]], 3), {"digests": True}, DoesNotFit, "no digests"),
        (([[]], 3), {"threads": 0}, InvalidInput, "threads must be"),
        (([[]], 3), {"registers": [("seed", 1)]}, InvalidInput, "registers must be a mapping"),
        (([[]], 3), {"progress": 5}, InvalidInput, "progress must be a function"),
        (([[], []], 3), {"watch": 5}, InvalidInput, "watch must be a function"),
        (([[]] * 2, (1 << 32) - 1), {}, InvalidInput, "counts to"),
    ],
    ids=str,
)
def test_what_is_wrong_is_named_and_nothing_is_sent(
    arguments: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with connect("model:", params=TINY) as core:
        core.program(NET)
        before = core.tick, core.read_registers(), core.read_state()["v"].tolist()
        with pytest.raises(error, match=message):
            core.run_many(*arguments, **options)
        assert (core.tick, core.read_registers(), core.read_state()["v"].tolist()) == before


def test_of_a_single_run_too_what_watches_sees_all_of_it(url: str) -> None:
    seen: list[tuple[int, int]] = []
    with connect(url, params=TINY) as core:
        core.program(NET)
        core.run_many(stimuli(1, 300), 300, watch=lambda n, run: seen.append((n, len(run.cycles))))
    assert seen == [(0, 300)]


def test_stimuli_of_few_events_are_no_raster() -> None:
    with connect("model:", params=TINY) as core:
        core.program(NET)
        core.run_many([[(0, 0)]] * 9, 2)  # a warning would be an error
        with pytest.warns(SpiketwinWarning, match=r"stimuli\[1\] holds nothing but 0 and 1"):
            core.run_many([[], [(0, 1), (1, 0), (0, 0), (1, 1), (1, 1)]], 2)


def test_what_is_known_is_not_half_written_by_a_run_that_is_broken_off() -> None:
    def stop(_number: int, _run: Run) -> None:
        raise Stop

    with connect("model:", params=TINY) as core:
        core.program(NET)
        gain = core.read_registers()["post_gain"]
        with pytest.raises(Stop):
            core.run_many(stimuli(40, 4), 4, registers={"post_gain": gain}, watch=stop)
        core.run([], 1)


def test_what_saturated_is_counted_after_a_reset_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with connect("model:", params=TINY) as core:
        core.program(NET)

        def fail(program: Any) -> None:
            raise LinkLost("no more")

        with monkeypatch.context() as patch, pytest.raises(LinkLost):
            patch.setattr(core.link, "run", fail)
            core.run([], 5)
        core.reset()
        assert core.run([], 5).saturations is not None


def test_two_threads_may_look_at_the_same_run() -> None:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with connect("model:", params=TINY) as core, ThreadPoolExecutor(2) as pool:
            core.program(NET)
            for _ in range(200):
                run = core.run([(0, 1)], 3)
                both = [pool.submit(attrgetter("spikes", "cycles"), run) for _ in range(2)]
                assert all(len(each.result()[1]) == 3 for each in both)
    finally:
        sys.setswitchinterval(interval)


def test_threads_are_checked_where_there_are_none(url: str) -> None:
    with connect(url, params=TINY) as core, pytest.raises(InvalidInput, match="threads must be"):
        core.run_many([[]], 3, threads=-1)


def test_a_tick_with_too_many_events_is_named() -> None:
    with connect("model:", params=SHORT_QUEUES) as core:
        core.program(NET)
        core.run_many([[(0, axon) for axon in range(8)]] * 2, 2)
        wide = preset("tiny,n_axons=16,event_queue_depth=8")
    with connect("model:", params=wide) as core:
        core.program(Network.random(16, 8, seed=1))
        with pytest.raises(DoesNotFit, match=r"stimuli\[1\]: tick 1 has more events"):
            core.run_many([[], [(1, axon) for axon in range(16)]], 2)


class Stop(Exception):
    """What breaks runs off."""


@pytest.mark.parametrize("url", ["model:", "rtl:"])
def test_one_broken_off_has_the_runs_that_came_to_their_end(url: str) -> None:
    inputs = stimuli(30, 4)

    def stop(done: int, _runs: int) -> None:
        if done >= 11:
            raise Stop

    with connect(url, params=TINY) as core:
        core.program(NET)
        singles = one_by_one(core, inputs, 4, registers={"post_gain": 300})
        core.program(NET)
        with pytest.raises(Stop) as caught:
            core.run_many(inputs, 4, registers={"post_gain": 300}, progress=stop)
        runs, part = caught.value.__dict__["runs"], caught.value.__dict__["run"]
        assert 11 <= len(runs) <= 30
        assert len(part.cycles) >= 4 * len(runs)
        assert_equal(runs, singles[: len(runs)])
        assert core.last_run is not None
        assert core.tick == len(core.last_run.cycles)
        with pytest.raises(HalfWritten, match="post_gain"):
            core.run([], 1)
        core.write_registers(post_gain=300)
        # What was queued for the next run is gone: the core goes on where it is.
        rest, tick = core.tick % 4, core.tick // 4
        if rest:
            events = np.array([e for e in inputs[tick].tolist() if e[0] >= rest]).reshape(-1, 2)
            core.run(events - (rest, 0), 4 - rest)
            tick += 1
        assert_equal(core.run_many(inputs[tick:], 4), singles[tick:])


# --- on threads --------------------------------------------------------------------------------


def calls(core: Core) -> int:
    """Requests so far: what is carried out apart needs none."""
    return core.statistics.requests


@settings(max_examples=examples(15), deadline=None)
@given(runs=st.integers(2, 12), ticks=st.integers(1, 40), seed=st.integers(0, 99))
def test_on_threads_it_is_the_same(runs: int, ticks: int, seed: int) -> None:
    inputs = stimuli(runs, ticks, 0.4, seed)
    options: dict[str, Any] = {
        "clear": True, "digests": True, "registers": {"v_floor": np.arange(runs) - 200},
    }  # fmt: skip
    with connect("model:", params=FOLDED) as core:
        core.program(FROZEN)
        expected = core.run_many(inputs, ticks, threads=1, **options)
        state = held(core)
        core.program(FROZEN)
        before = calls(core)
        found = core.run_many(inputs, ticks, threads=3, **options)
        assert calls(core) - before < 12  # as to what the registers and the counters are
        assert_equal(found, list(expected))
        assert found.whole.saturations == expected.whole.saturations
        assert held(core) == state


@pytest.mark.parametrize(
    ("net", "options"),
    [
        (NET, {"clear": True}),  # it learns
        (FROZEN, {"clear": ("v",)}),
        (FROZEN, {}),
        (FROZEN, {"clear": True, "tick_period": 300}),
        (FROZEN, {"clear": True, "registers": {"learn_post": [0, 0, 1, 0, 0]}}),
        (FROZEN, {"clear": True, "threads": 1}),
    ],
    ids=str,
)
def test_runs_that_may_depend_on_each_other_are_not_spread(
    net: Network, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    init = ModelCore.take_over

    def count(self: ModelCore, other: ModelCore) -> None:
        made.append(1)
        init(self, other)

    monkeypatch.setattr(ModelCore, "take_over", count)
    with connect("model:", params=TINY) as core:
        core.program(net)
        core.run_many(stimuli(5, 4), 4, **({"threads": 4} | options))
    assert not made


def test_threads_are_used_where_it_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    who: set[int] = set()
    together = threading.Barrier(2, timeout=60)
    advance = ModelCore.advance

    def both(self: ModelCore, *arguments: Any) -> Any:
        if threading.get_ident() not in who:
            who.add(threading.get_ident())
            together.wait()  # it ends only if two are at work at the same time
        return advance(self, *arguments)

    with connect("model:", params=TINY) as core:
        core.program(FROZEN)
        monkeypatch.setattr(ModelCore, "advance", both)
        core.run_many(stimuli(20, 4), 4, clear=True, threads=2)
    assert len(who) == 2


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_leaves_the_core_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = stimuli(50, 4)
    advance = ModelCore.advance
    left = iter(range(9, -1, -1))

    def interrupted(self: ModelCore, *arguments: Any) -> Any:
        if next(left, None) == 0:
            signal.raise_signal(signal.SIGINT)
        return advance(self, *arguments)

    with connect("model:", params=TINY) as core:
        core.program(FROZEN)
        core.run(inputs[0], 4)
        state = held(core)
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(ModelCore, "advance", interrupted)
            # So long that it is not over when the handler has its turn.
            core.run_many([[]] * 400, 20_000, clear=True, threads=2)
        assert held(core) == state
        assert_equal(
            core.run_many(inputs, 4, clear=True, threads=2),
            list(core.run_many(inputs, 4, clear=True, threads=1)),
        )


@pytest.mark.parametrize("threads", [1, 2])
def test_what_is_broken_off_tells_of_its_runs_on_threads_too(threads: int) -> None:
    def stop(*_arguments: Any) -> None:
        raise Stop

    with connect("model:", params=TINY) as core:
        core.program(FROZEN)
        with pytest.raises(Stop) as caught:
            core.run_many(stimuli(9, 50), 50, clear=True, threads=threads, watch=stop)
        runs = caught.value.__dict__["runs"]
        assert len(runs) >= 1
        assert core.tick == len(caught.value.__dict__["run"].cycles)
        tick = core.tick
        with pytest.raises(Stop) as caught:
            core.run_many(stimuli(9, 50), 50, clear=True, threads=threads, progress=stop)
        assert core.tick - tick == len(caught.value.__dict__["run"].cycles)
        assert 50 * len(caught.value.__dict__["runs"]) <= core.tick - tick


def test_progress_of_threads_grows() -> None:
    told: list[int] = []
    with connect("model:", params=TINY) as core:
        core.program(FROZEN)
        runs = core.run_many(
            [[]] * 6, 20_000, clear=True, threads=2, progress=lambda done, _: told.append(done)
        )
        assert told == sorted(set(told))
        assert told[-1] == 6
        with pytest.raises(InvalidInput, match="spread over threads"):
            _ = runs.ledger


@pytest.mark.usefixtures("ctrl_c")
def test_the_handler_of_a_signal_has_its_turn_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    came: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        came.append(number)

    before = signal.signal(signal.SIGUSR1, note)
    try:
        with connect("model:", params=TINY) as core:
            core.program(FROZEN)
            done: list[int] = []

            def tell(count: int, _runs: int) -> None:
                if not done:
                    signal.raise_signal(signal.SIGUSR1)
                done.append(len(came))

            core.run_many([[]] * 40, 20_000, clear=True, threads=2, progress=tell)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert came == [signal.SIGUSR1]


def test_one_request_of_each_kind_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has not changed is not written again, and a run costs no request beside its own."""
    sent: list[int] = []
    with connect("model:", params=TINY) as core:
        core.program(NET)
        core.run([], 1)
        submit = core.link._exchange.submit

        def note(request: Any, now: float) -> None:
            sent.append(request.opcode)
            submit(request, now)

        monkeypatch.setattr(core.link._exchange, "submit", note)
        core.run_many([[(0, 1)]] * 3, 2, clear=True, registers={"post_gain": [5, 5, 6]})
    assert sent.count(Opcode.WRITE) == 2
    assert sent.count(Opcode.CLEAR) == sent.count(Opcode.RUN) == sent.count(Opcode.EVENTS) == 3
    assert sent.count(Opcode.READ) == sent.count(Opcode.STOP) == 0
    assert sent.count(Opcode.FETCH) == 3
