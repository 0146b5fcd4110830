"""The API of a core, on the model: everything written reads back, and refusals change nothing."""

import dataclasses
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.channel import FaultyChannel

from spiketwin.cosim.model.core import ModelCore
from spiketwin.cosim.model.device import ModelDevice
from spiketwin.cosim.serial import protocol_model
from spiketwin.cosim.serial.protocol_model import ModelPort
from spiketwin.hdl.spec.oracle import Oracle
from spiketwin.hdl.spec.params import CoreParams, preset
from spiketwin.hdl.spec.protocol import Opcode
from spiketwin.hdl.spec.registers import RUN_REGISTERS, ClearMask, Space, registers, space_formats
from spiketwin.hdl.spec.variables import STATE, VECTOR_PARAMETERS, Per, names
from spiketwin.host import Core, Network, Run, connect, runner
from spiketwin.host.errors import DoesNotFit, InvalidInput, InvalidNetwork, TargetError
from spiketwin.host.exchange import Request, arguments
from spiketwin.host.link import Link


class DevicePort:
    """A model without a clock, for a line that has one."""

    def __init__(self, device: ModelDevice) -> None:
        self.timeout: float | None = 0.0
        self._port = ModelPort(device)

    def read(self, size: int = 1, /) -> bytes:
        return self._port.read(size, 0.0)

    def write(self, data: bytes, /) -> int:
        self._port.write(data)
        return len(data)

    def close(self) -> None:
        self._port.close()


def core_of(params: CoreParams) -> Core:
    return Core(Link(FaultyChannel(DevicePort(ModelDevice(params)), seed=0)))


def stimulus(n_axons: int, ticks: int, share: float, seed: int) -> np.ndarray[Any, Any]:
    return np.argwhere(np.random.default_rng(seed).random((ticks, n_axons)) < share)


@pytest.fixture
def core() -> Iterator[Core]:
    with connect("model:", params="tiny") as core:
        yield core


@pytest.mark.parametrize("name", ["tiny", "ncx", "up5k", "tiny,n_profiles=4,receptors=2"])
def test_every_memory_reads_back_what_was_written(name: str) -> None:
    params = preset(name)
    formats = space_formats(params)
    rng = np.random.default_rng(1)

    def values(space: Space) -> np.ndarray[Any, Any]:
        fmt = formats[space]
        low, high = fmt.limits()
        array = rng.integers(low, high, (fmt.rows, fmt.columns), endpoint=True)
        array[0, :2] = low, high
        return array if fmt.rows > 1 else array[0]

    with connect("model:", params=name) as core:
        weights, plastic = values(Space.WEIGHT), values(Space.PLASTIC)
        parameters = {p.name: values(p.space) for p in VECTOR_PARAMETERS if p.is_built(params)}
        built = [array.name for array in STATE if array.is_built(params)]
        state = {name: values(Space[name.upper()]) for name in built if name != "pending"}
        state["pending"] = rng.integers(0, 2, params.n_neurons)
        core.write_weights(weights)
        core.write_plastic(plastic)
        core.write_parameters(**parameters)
        core.write_state(**state)
        assert np.array_equal(core.read_weights(), weights)
        assert np.array_equal(core.read_plastic(), plastic)
        for name, array in core.read_parameters().items():
            assert np.array_equal(array, parameters[name]), name
        assert core.read_state().keys() == set(built)
        for name, array in core.read_state().items():
            assert np.array_equal(array, state[name]), name
        core.write_state(pending=0)
        assert not core.read_state()["pending"].any()


@pytest.mark.parametrize("end", [0, 1])
def test_every_register_reads_back_its_least_and_its_greatest(core: Core, end: int) -> None:
    values = {
        r.name: r.limits(core.params)[end]
        for r in registers(core.params)
        if r.name not in RUN_REGISTERS
    }
    of_runs = {"tick_period": 0}
    core.write_registers(**values)
    assert core.read_registers() == values | of_runs
    for name in values:
        core.write_registers(**{name: 0})
        values[name] = 0
        assert core.read_registers() == values | of_runs


@pytest.mark.parametrize("mask", [str(m.name).lower() for m in ClearMask])
def test_each_bit_of_clear_clears_its_own_state_only(core: Core, mask: str) -> None:
    cleared = {"traces": ("trace_pre", "trace_post")}.get(mask, (mask,))
    core.write_state(**dict.fromkeys(core.read_state(), 1))
    core.clear(mask)
    for name, array in core.read_state().items():
        assert np.array_equal(array, np.full(array.shape, int(name not in cleared))), name


def test_clear_without_names_clears_all(core: Core) -> None:
    core.write_state(**dict.fromkeys(core.read_state(), 1))
    core.clear()
    assert not any(array.any() for array in core.read_state().values())


def test_reset_keeps_weights_and_parameters_and_clears_the_rest(core: Core) -> None:
    net = Network.random(8, 8, seed=2)
    core.program(net)
    core.run(stimulus(8, 9, 0.5, seed=0), 9)
    weights = core.read_weights()
    core.reset()
    assert np.array_equal(core.read_weights(), weights)
    assert np.array_equal(core.read_parameters()["threshold"], net.threshold)
    assert not any(core.read_registers().values())
    assert not any(array.any() for array in core.read_state().values())
    assert core.read_counters()["tick"] == 0


# So few events, some of them twice, may look like one.
@pytest.mark.filterwarnings("ignore:spikes holds nothing but 0 and 1")
@given(st.integers(1, 8), st.integers(1, 8), st.integers(1, 40), st.integers(0, 9), st.booleans())
def test_a_run_equals_the_oracle(
    n_axons: int, n_neurons: int, ticks: int, seed: int, learning: bool
) -> None:
    params = dataclasses.replace(preset("tiny"), learning=learning)
    net = Network.random(n_axons, n_neurons, seed)
    if not learning:
        net.plastic[:] = False
    spikes = stimulus(n_axons, ticks, 0.3, seed)
    with core_of(params) as core:
        core.program(net)
        spikes = np.concatenate([spikes, spikes[::2], spikes[:3]])  # some of them again
        run = core.run(np.random.default_rng(seed).permutation(spikes), ticks)
        state, weights = core.read_state(), core.read_weights()
    oracle = _oracle(net, params)
    results = [oracle.step(spikes[spikes[:, 0] == t, 1].tolist()) for t in range(ticks)]
    assert run.spikes.tolist() == [[t, j] for t, r in enumerate(results) for j in r.spikes]
    assert run.spike_cycles.tolist() == [c for r in results for c in r.spike_cycles]
    assert run.cycles.tolist() == [r.cycles for r in results]
    assert run.update_cycles.tolist() == [r.update_cycle for r in results]
    assert not run.muted.any()
    sources = [*range(n_axons), *range(params.n_axons, params.n_axons + n_neurons)]
    assert weights.tolist() == [oracle.weight[i][:n_neurons] for i in sources]
    for name in ("v", "i_syn", "theta", "refrac_count"):
        assert state[name].tolist() == getattr(oracle, name)[:n_neurons], name
    if learning:
        assert state["trace_pre"].tolist() == [oracle.trace_pre[i] for i in sources]
        assert state["trace_post"].tolist() == oracle.trace_post[:n_neurons]
    assert np.flatnonzero(state["pending"]).tolist() == oracle.pending


def _oracle(net: Network, params: CoreParams) -> Oracle:
    oracle = Oracle(params)
    oracle.register.update(net.register_values(params))
    top = space_formats(params)[Space.THRESHOLD].limits()[1]
    oracle.threshold = [top] * params.n_neurons
    for j in range(net.n_neurons):
        for name in names(v for v in VECTOR_PARAMETERS if v.per is Per.NEURON):
            getattr(oracle, name)[j] = int(getattr(net, name)[j])
        for source in range(net.n_sources):
            i = source if source < net.n_axons else source - net.n_axons + params.n_axons
            oracle.weight[i][j] = int(net.weights[source, j])
            oracle.plastic[i][j] = bool(net.plastic[source, j])
    return oracle


def test_results_do_not_depend_on_how_a_run_is_cut(core: Core) -> None:
    net = Network.random(8, 8, seed=4)
    spikes = stimulus(8, 300, 0.4, seed=1)
    core.program(net)
    whole = core.run(spikes, 300)
    assert len(whole.spikes) > 300
    end = core.read_weights()
    assert not np.array_equal(end, net.weights)
    core.program(net)
    parts = []
    for start, stop in ((0, 1), (1, 77), (77, 300)):
        part = spikes[(spikes[:, 0] >= start) & (spikes[:, 0] < stop)] - [start, 0]
        parts.append(core.run(part, stop - start).spikes + [start, 0])
    assert np.array_equal(np.concatenate(parts), whole.spikes)
    assert np.array_equal(core.read_weights(), end)


def test_events_far_beyond_the_queue_and_the_offset_all_arrive() -> None:
    """One neuron for each axon, firing at once: every event comes back as a spike."""
    net = Network(n_axons=8, n_neurons=8, threshold=np.full(8, 100), v_tau=0.0)
    net.weights[:8] = 100 * np.eye(8, dtype=np.int32)
    ticks = 200_000
    spikes = np.unique(np.random.default_rng(0).integers(0, (ticks, 8), (5000, 2)), axis=0)
    assert np.diff(spikes[:, 0]).max() < 1 << 16
    spikes = np.concatenate([spikes[spikes[:, 0] < 9000], spikes[spikes[:, 0] > 150_000]])
    done = []
    with connect("model:", params="tiny") as core:
        core.program(net)
        run = core.run(spikes, ticks, progress=lambda at, of: done.append((at, of)))
    assert np.array_equal(run.spikes, spikes)
    assert done == sorted(set(done))
    assert done[-1] == (ticks, ticks)


def test_spikes_are_seen_while_the_run_goes_on(core: Core) -> None:
    """In parts of whole ticks that follow each other and together are the run."""
    core.program(Network.random(8, 8, seed=4))
    spikes, ticks, steps = stimulus(8, 300, 0.4, seed=1), 300, []
    parts: list[tuple[int, Run]] = []

    def watch(first: int, part: Run) -> None:
        parts.append((first, part))

    def progress(done: int, _ticks: int) -> None:
        first, part = parts[-1]
        steps.append((done, first + len(part.cycles)))

    run = core.run(spikes, ticks, progress=progress, watch=watch)
    lengths = [len(part.cycles) for _, part in parts]
    assert len(parts) > 10
    assert [first for first, _ in parts] == [0, *np.cumsum(lengths)[:-1]]
    assert sum(lengths) == ticks
    assert all(done == seen for done, seen in steps)
    seen = np.concatenate([part.spikes + (first, 0) for first, part in parts])
    assert np.array_equal(seen, run.spikes)
    for name in ("spike_cycles", "cycles", "update_cycles", "muted"):
        joined = np.concatenate([getattr(part, name) for _, part in parts])
        assert np.array_equal(joined, getattr(run, name)), name


def test_watching_says_nothing_more_to_the_device(tmp_path: Path) -> None:
    """A session recorded without a watcher is replayed with one."""
    net, spikes, seen = Network.random(8, 8, seed=4), stimulus(8, 100, 0.4, seed=1), []
    with connect("model:", params="tiny", record=tmp_path / "session") as core:
        core.program(net)
        run = core.run(spikes, 100)
    with connect(f"replay:{tmp_path / 'session'}") as core:
        core.program(net)
        core.run(spikes, 100, watch=lambda _first, part: seen.append(len(part.spikes)))
    assert sum(seen) == len(run.spikes) > 100


def test_a_fixed_tick_period_changes_nothing_and_counts_missed_deadlines(core: Core) -> None:
    core.program(Network.random(8, 8, seed=4))
    spikes = stimulus(8, 50, 0.4, seed=1)
    free = core.run(spikes, 50)
    assert len(free.spikes) > 50
    core.program(Network.random(8, 8, seed=4))
    timed = core.run(spikes, 50, tick_period=100_000)
    assert np.array_equal(timed.spikes, free.spikes)
    assert (timed.missed_deadlines, timed.late_events) == (0, 0)
    assert core.run([], 50, tick_period=1).missed_deadlines == 49
    assert core.run(spikes, 50).missed_deadlines == 0
    assert core.read_registers()["tick_period"] == 0


def test_numbers_of_numpy_are_numbers() -> None:
    ticks: Any = np.int64(5)
    tick_period: Any = np.uint16(0)
    with connect("model:", params="tiny") as core:
        run = core.run([], ticks, tick_period)
    assert run.cycles.shape == (5,)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (1 << 70, "theta_bump must hold integers in 0…65535, not 1180591"),
        (1.5, "round it yourself"),
    ],
)
def test_what_is_no_integer_of_64_bits_is_refused(value: Any, message: str) -> None:
    with connect("model:", params="tiny") as core, pytest.raises(InvalidInput, match=message):
        core.write_registers(theta_bump=value)


@pytest.mark.parametrize(
    ("spikes", "ticks", "period", "message"),
    [
        ([(0, 8)], 1, 0, r"spikes\[0\]: axon must be in 0…7, not 8"),
        ([(0, 0), (1, 0)], 1, 0, r"spikes\[1\]: tick must be in 0…0, not 1"),
        ([(0, -1)], 1, 0, "axon"),
        ([0, 1], 1, 0, r"shape \(k, 2\)"),
        ([(0.5, 1)], 1, 0, "integers"),
        ([(0, 1), (2,)], 3, 0, r"shape \(k, 2\)"),
        ([], 0, 0, "ticks must be an integer in 1…"),
        ([], 1.5, 0, "ticks must be an integer"),
        ([], True, 0, "ticks must be an integer"),
        ([], 1 << 32, 0, "ticks must be an integer"),
        ([], 1, -1, "tick_period must be in 0…4294967295, not -1"),
        ([], 1, "3", "tick_period must hold integers"),
    ],
)
def test_a_wrong_run_is_refused_before_anything_is_sent(
    core: Core, spikes: Any, ticks: Any, period: Any, message: str
) -> None:
    before = core.statistics.requests
    with pytest.raises(InvalidInput, match=message):
        core.run(spikes, ticks, period)
    assert core.statistics.requests == before


def test_a_tick_with_more_events_than_the_queue_holds_is_refused() -> None:
    with core_of(dataclasses.replace(preset("tiny"), event_queue_depth=4)) as core:
        core.program(Network.random(8, 8, seed=0))
        core.run([(1, axon) for axon in range(4)], 2)
        core.run([(1, 0)] * 4, 2)
        for axons in (range(5), [0, 0, 0, 0, 2]):
            with pytest.raises(DoesNotFit, match="tick 1 has more events"):
                core.run([(1, axon) for axon in axons], 2)


def test_a_network_that_does_not_fit_changes_nothing(core: Core) -> None:
    net = Network.random(8, 8, seed=4)
    core.program(net)
    before = core.statistics.requests
    for wrong in (
        Network.random(9, 8, seed=1),
        Network(n_axons=8, n_neurons=8, weights=np.full((16, 8), 500)),
    ):
        with pytest.raises(DoesNotFit):
            core.program(wrong)
    net.bias = [1, 2]  # type: ignore[assignment]
    with pytest.raises(InvalidNetwork):
        core.program(net)
    assert core.statistics.requests == before


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda c: c.write_weights(np.zeros((8, 16), int)),
            r"weight must have the shape \(16, 8\)",
        ),
        (lambda c: c.write_weights(128), "weight must be in -128…127, not 128"),
        (lambda c: c.write_state(v=0, theta=-1), "theta must be in 0…65535"),
        (lambda c: c.write_state(pending=2), "pending must be in 0…1"),
        (lambda c: c.write_state(wings=1), "no 'wings'"),
        (lambda c: c.write_parameters(v=1), "no 'v' to write"),
        (lambda c: c.write_registers(seed=1, wings=1), "no register 'wings'"),
        (lambda c: c.write_registers(seed=1, v_floor=1 << 15), "v_floor must be in -32768…32767"),
        (lambda c: c.clear("v", "wings"), "no state 'wings'"),
        (lambda c: c.set_baud(0), "baud must be in"),
        (lambda c: c.set_baud(22_000_000), "cannot make"),
    ],
)
def test_a_wrong_argument_is_refused_before_anything_is_sent(
    core: Core, call: Any, message: str
) -> None:
    before = core.statistics.requests
    with pytest.raises(InvalidInput, match=message):
        call(core)
    assert core.statistics.requests == before


def test_a_core_without_learning_says_so() -> None:
    with core_of(dataclasses.replace(preset("tiny"), learning=False)) as core:
        core.program(Network(n_axons=8, n_neurons=8))
        assert set(core.read_state()) == {"v", "i_syn", "refrac_count", "theta", "pending"}
        with pytest.raises(DoesNotFit, match="learning"):
            core.read_plastic()
        with pytest.raises(DoesNotFit, match="learning"):
            core.write_state(trace_pre=0)
        with pytest.raises(InvalidInput, match="no register 'seed'"):
            core.write_registers(seed=0)


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize("advances", range(1, 20))
def test_ctrl_c_waits_for_what_is_half_done_in_the_device(
    advances: int, core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes when ticks have been executed whose spikes have not been reported."""
    net, spikes = Network.random(8, 8, seed=4), stimulus(8, 50, 0.4, seed=1)
    core.program(net)
    expected = core.run(spikes, 50).spikes
    core.program(net)
    left = iter(range(advances - 1, -1, -1))
    advance = ModelCore.advance

    def interrupted(*arguments: Any) -> Any:
        result = advance(*arguments)
        if next(left, None) == 0:
            signal.raise_signal(signal.SIGINT)
        return result

    monkeypatch.setattr(ModelCore, "advance", interrupted)
    monkeypatch.setattr(runner, "WORDS_AT_ONCE", 1 << 10)
    with pytest.raises(KeyboardInterrupt):
        core.run(spikes, 100_000)
    assert next(left, None) is None
    counters = core.read_counters()
    assert counters["tick"] == counters["run_until"] < 100_000
    core.program(net)
    assert np.array_equal(core.run(spikes, 50).spikes, expected)


def test_words_that_do_not_pass_the_link_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    net, spikes, runs = Network.random(8, 8, seed=4), stimulus(8, 40, 0.4, seed=1), []
    for passes in (False, True):
        if passes:
            monkeypatch.setattr(protocol_model.Serial, "fetch", None)
        with connect("model:", params="tiny") as core:
            core.program(net)
            run = core.run(spikes, 3000)
            # One answer with most words, or as many as fit into a frame.
            assert (max(map(len, run.accounts[0].fetched)) < 1000) == passes
            assert all((part >= 0).all() for part in run.ledger.spikes.values())
            runs.append((run.spikes, run.spike_cycles, run.cycles, core.read_weights()))
    assert len(runs[0][0]) > 30
    for alone, linked in zip(*runs, strict=True):
        assert np.array_equal(alone, linked)


def test_what_watches_can_break_a_run_off_and_the_core_stops_at_once(core: Core) -> None:
    core.program(Network.random(8, 8, seed=4))

    def refuse(_first: int, _part: Run) -> None:
        raise LookupError("seen enough")

    with pytest.raises(LookupError, match="seen enough"):
        core.run([], 100_000, watch=refuse)
    counters = Request(Opcode.READ, arguments(Opcode.READ, Space.COUNTER, 0, 2), result_bytes=8)
    tick, run_until = np.frombuffer(core.link.request(counters), "<u4")
    assert tick == run_until < 100_000


def test_another_host_finds_the_core_as_it_was_left() -> None:
    device = ModelDevice(preset("tiny"))
    net = Network.random(8, 8, seed=4)
    first = Core(Link(FaultyChannel(DevicePort(device), seed=0)))
    first.program(net)
    first.run([(0, 1)], 3)
    second = Core(Link(FaultyChannel(DevicePort(device), seed=0)))
    assert second.read_counters()["tick"] == 3
    assert second.run([], 2).cycles.shape == (2,)
    assert np.array_equal(second.read_parameters()["bias"], net.bias)


def test_events_left_queued_by_another_host_are_removed_and_the_state_kept() -> None:
    device = ModelDevice(preset("tiny"))
    net = Network.random(8, 8, seed=4)
    with Core(Link(FaultyChannel(DevicePort(device), seed=0))) as core:
        core.program(net)
        core.run(stimulus(8, 30, 0.4, seed=1), 30)
        state, weights = core.read_state(), core.read_weights()
    event = arguments(Opcode.EVENTS, 31) + bytes((0, 0, 3, 0))
    Link(FaultyChannel(DevicePort(device), seed=0)).request(Request(Opcode.EVENTS, event))
    with Core(Link(FaultyChannel(DevicePort(device), seed=0))) as core:
        counters = core.read_counters()
        assert (counters["events_queued"], counters["tick"]) == (0, 30)
        assert np.array_equal(core.read_weights(), weights)
        assert core.read_registers() == {**net.register_values(core.params), "tick_period": 0}
        for name, array in core.read_state().items():
            assert np.array_equal(array, state[name]), name
        core.run(stimulus(8, 30, 0.4, seed=1), 30)


def test_the_longest_count_of_ticks_is_respected(core: Core) -> None:
    core.program(Network(n_axons=8, n_neurons=8))
    core.run([], 10)
    with pytest.raises(InvalidInput, match="at tick 10"):
        core.run([], (1 << 32) - 10)


def test_connect_names_what_is_wrong() -> None:
    with pytest.raises(InvalidInput, match="no reference size 'huge'"):
        connect("model:", params="huge")
    with pytest.raises(InvalidInput, match="twice"):
        connect("model:?params=tiny", params="ncx")
    with pytest.raises(InvalidInput, match="baud"):
        connect("model:", baud=0)
    nothing: Any = None
    number: Any = 3
    with pytest.raises(InvalidInput, match="url must be a text"):
        connect(nothing)
    with pytest.raises(InvalidInput, match="params must be a text such as 'full', or CoreParams"):
        connect("model:", params=number)
    with pytest.raises(TargetError, match="wings"):
        connect("model:?wings=2")
    with pytest.raises(TargetError, match="teleport"):
        connect("teleport://host")
    with pytest.raises(TargetError, match="serial port"):
        connect("/dev/there-is-no-such-port")


def test_a_core_is_shown_in_a_line() -> None:
    with connect("model:?params=tiny") as core:
        assert repr(core) == "Core(8 axons, 8 neurons, build 'model')"


def test_connect_takes_sizes_from_the_address_or_the_argument() -> None:
    with connect("model:?params=tiny") as core:
        assert core.params == preset("tiny")
    with connect("model:") as core:
        assert core.params == preset("full")
    params = Network.random(9, 11, seed=0).core_params()
    with connect("model:", params=params) as core:
        assert core.identity.params == params


def test_the_host_imports_nothing_that_simulates() -> None:
    program = (
        "import sys, spiketwin.host, spiketwin.host.core, spiketwin.host.files;"
        "from spiketwin.host import Core, Network, Run, connect, errors;"
        "print([m for m in sys.modules if m.split('.')[0] in ('amaranth', 'numba', 'cocotb')"
        " or m.startswith('spiketwin.cosim')])"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert found.stdout.strip() == "[]"


def test_bulk_writes_fill_their_frames(core: Core) -> None:
    before = core.statistics.requests
    core.write_weights(0)
    assert core.statistics.requests - before == 1  # 128 weights in one frame, across rows


def test_a_core_keeps_the_tag_of_its_network_until_it_is_reset(core: Core) -> None:
    net = Network.random(4, 4, seed=1)
    net.tag = (1 << 32) - 1
    core.program(net)
    core.run([], 3)
    core.clear()
    assert core.read_registers()["tag"] == net.tag
    core.reset()
    assert core.read_registers()["tag"] == 0
