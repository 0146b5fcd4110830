"""Runs that are broken off, at every place where the host waits or writes, and that then go on."""

import json
import math
import os
import signal
import threading
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
import serial
from click.testing import CliRunner
from support.channel import FaultyChannel
from support.ports import UnclockedPort
from support.rungs import bulk_but

from spiketwin.cosim.model.device import ModelDevice
from spiketwin.cosim.model.queued import QueuedModel
from spiketwin.hdl.spec.params import preset
from spiketwin.hdl.spec.protocol import BAUD_TRIAL_CYCLES
from spiketwin.hdl.spec.registers import RUN_REGISTERS
from spiketwin.host import Core, Network, Run, connect
from spiketwin.host.addresses import parse
from spiketwin.host.cli import main
from spiketwin.host.errors import (
    CoreClosed,
    HalfWritten,
    InvalidInput,
    LinkError,
    LinkLost,
    LinkTimeout,
)
from spiketwin.host.files import save
from spiketwin.host.link import Link
from spiketwin.host.runner import Runner
from spiketwin.host.signals import DeferredSignals
from spiketwin.host.spikes import Saturations
from spiketwin.host.transport import SerialTransport, Transport, WrappedTransport

pytestmark = pytest.mark.usefixtures("simulated_targets")

TICKS = 40
SIZES = "tiny,event_queue_depth=16,spike_queue_depth=128,saturation_counters=1"
PARAMS = preset(SIZES)
"""Queues so short that a run takes many steps."""

NET = Network.random(PARAMS.n_axons, PARAMS.n_neurons, seed=4)
NET.trace_pre_bump = NET.trace_post_bump = 60_000
NET.post_gain, NET.pre_gain = 3_000, -2_500  # weights come to their bounds, which is counted
SPIKES = np.argwhere(np.random.default_rng(1).random((TICKS, PARAMS.n_axons)) < 0.4)


class Alarm(Exception):
    """What the handler of another signal raises."""


class Failure(serial.SerialException):
    """A line that fails once."""


def alarm(_number: int, _frame: FrameType | None) -> None:
    raise Alarm


class Breaking(WrappedTransport):
    """A transport before another one, at whose calls something happens."""

    def __init__(self, inner: Transport) -> None:
        super().__init__(inner)
        self.calls = 0
        self.at: dict[int, Callable[[], None]] = {}

    def _call(self) -> None:
        self.calls += 1
        if self.calls in self.at:
            self.at.pop(self.calls)()

    def read(self, size: int = 1, /) -> bytes:
        self._call()
        return super().read(size)

    def write(self, data: bytes, /) -> int | None:
        self._call()
        return super().write(data)


class Terminal:
    """The model behind a pseudo-terminal that garbles a byte now and then."""

    def __init__(self) -> None:
        self._master, self._slave = os.openpty()
        for end in (self._master, self._slave):
            tty.setraw(end)
        self._bytes = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        self.port = serial.serial_for_url(os.ttyname(self._slave), timeout=0)

    def _garbled(self, data: bytes) -> bytes:
        garbled = bytearray(data)
        for place in range(len(data)):
            self._bytes += 1
            if self._bytes % 701 == 0:
                garbled[place] ^= 0x10
        return bytes(garbled)

    def _serve(self) -> None:
        device = ModelDevice(PARAMS)
        with suppress(OSError):
            while data := os.read(self._master, 4096):
                device.receive(self._garbled(data))
                answer = self._garbled(device.drain(1 << 20))
                while answer:
                    answer = answer[os.write(self._master, answer) :]

    def close(self) -> None:
        self.port.close()
        os.close(self._slave)
        self._thread.join(10)
        os.close(self._master)


@contextmanager
def opened(kind: str) -> Iterator[Breaking]:
    if kind == "garbling terminal":
        terminal = Terminal()
        yield Breaking(SerialTransport(terminal.port))
        terminal.close()
    elif kind == "garbling line":
        yield Breaking(FaultyChannel(UnclockedPort(PARAMS), seed=2, error_rate=2e-3))
    else:
        scheme, _, level = kind.partition(" ")
        url = f"{scheme}://?params={SIZES}{level and f'&level={level}'}"
        transport = parse(url).open()
        yield Breaking(transport)
        transport.close()


@dataclass(frozen=True)
class Whole:
    """What a run in one piece leaves."""

    run: Run
    state: dict[str, Any]
    weights: Any
    registers: dict[str, int]


def left(core: Core, run: Run) -> Whole:
    return Whole(run, core.read_state(), core.read_weights(), core.read_registers())


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Python's own way with Ctrl-C, which whoever started the tests may have turned off."""
    before = [
        (number, signal.signal(number, handler))
        for number, handler in (
            (signal.SIGINT, signal.default_int_handler),
            (signal.SIGUSR1, alarm),
        )
    ]
    yield
    for number, handler in before:
        signal.signal(number, handler)


@pytest.fixture(scope="module")
def whole() -> Whole:
    with connect("model:", params=PARAMS) as core:
        core.program(NET)
        return left(core, core.run(SPIKES, TICKS))


def ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


def other_signal() -> None:
    signal.raise_signal(signal.SIGUSR1)


def line_fails() -> None:
    raise Failure("no more")


LEAST_CALLS = {"model": 20, "rtl": 40, "rtl core": 20, "garbling line": 40}
"""So many places there are at least in one run: 360 with three ways to break one off."""

WAYS = {ctrl_c: KeyboardInterrupt, other_signal: Alarm, line_fails: LinkLost}


def joined(first: Run, second: Run) -> Run:
    shift = np.array((len(first.cycles), 0))
    return Run(
        np.concatenate([first.spikes, second.spikes + shift]),
        np.concatenate([first.spike_cycles, second.spike_cycles]),
        np.concatenate([first.cycles, second.cycles]),
        np.concatenate([first.update_cycles, second.update_cycles]),
        np.concatenate([first.muted, second.muted]),
        # They are not read for a run that is broken off before its first tick.
        saturations=Saturations.of(
            [part.saturations for part in (first, second) if len(part.cycles)]
        ),
    )


def carried_by(error: BaseException) -> Run:
    """What an exception has of the run that it ended."""
    run: Run = error.__dict__["run"]
    return run


def check_that_it_goes_on(core: Core, carried: Run, whole: Whole) -> None:
    """Go on from where a run was broken off, and hold the whole to a run in one piece."""
    run = core.last_run
    assert run is not None
    tick = core.tick
    assert tick == len(run.cycles) <= TICKS
    # What the exception carries is the beginning of it.
    assert np.array_equal(carried.cycles, run.cycles[: len(carried.cycles)])
    assert np.array_equal(carried.spikes, run.spikes[: len(carried.spikes)])
    if tick < TICKS:
        rest = SPIKES[SPIKES[:, 0] >= tick] - (tick, 0)
        run = joined(run, core.run(rest, TICKS - tick))
    for name in ("spikes", "spike_cycles", "cycles", "update_cycles", "muted"):
        assert np.array_equal(getattr(run, name), getattr(whole.run, name)), name
    assert run.saturations == whole.run.saturations != Saturations()
    assert np.array_equal(core.read_weights(), whole.weights)
    for name, array in core.read_state().items():
        assert np.array_equal(array, whole.state[name]), name
    assert core.read_registers() == whole.registers
    counters = core.read_counters()
    assert (counters["tick"], counters["events_queued"], counters["words_queued"]) == (TICKS, 0, 0)
    assert counters["cycles_low"] == whole.run.cycles.sum()


def break_off(core: Core, port: Breaking, way: Callable[[], None], first: int) -> Run | None:
    """Break a run off at the call `first` of the port; None if it was over by then."""
    core.program(NET)
    port.calls, port.at = 0, {first: way}
    try:
        core.run(SPIKES, TICKS)
    except tuple(WAYS.values()) as error:
        assert type(error) in (WAYS[way], KeyboardInterrupt)
        return carried_by(error)
    finally:
        port.at.clear()
    return None


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("kind", bulk_but({"model", "rtl core"}, LEAST_CALLS))
def test_a_run_broken_off_at_any_call_goes_on_as_if_it_had_not_been(
    kind: str, way: Callable[[], None], whole: Whole
) -> None:
    """Each call of the port is a place where the host waits or writes; all are tried."""
    with opened(kind) as port, Core(Link(port)) as core:
        tried = 0
        while carried := break_off(core, port, way, tried + 1):
            tried += 1
            check_that_it_goes_on(core, carried, whole)
        assert tried >= LEAST_CALLS[kind]
        # And the core is still good for a run in one piece.
        core.program(NET)
        assert np.array_equal(core.run(SPIKES, TICKS).spikes, whole.run.spikes)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("kind", bulk_but({"model"}, ["model", "rtl", "rtl core", "garbling line"]))
def test_and_so_does_one_whose_tidying_is_broken_off_in_turn(
    kind: str, way: Callable[[], None], whole: Whole
) -> None:
    seen = set()
    with opened(kind) as port, Core(Link(port)) as core:
        for first in (1, 2, 3, 5, 7, 10, 14, 19):
            for later in range(1, 9):
                core.program(NET)
                port.calls, port.at = 0, {first: ctrl_c, first + later: way}
                with pytest.raises((KeyboardInterrupt, Alarm)) as caught:
                    core.run(SPIKES, TICKS)
                port.at.clear()
                seen.add(type(caught.value))
                check_that_it_goes_on(core, carried_by(caught.value), whole)
    assert (Alarm in seen) == (way is other_signal)


def test_so_does_one_over_a_terminal_that_garbles(whole: Whole) -> None:
    """A sample of its places, as it takes its time."""
    with opened("garbling terminal") as port, Core(Link(port)) as core:
        for call, way in zip(range(1, 37, 4), list(WAYS) * 3, strict=True):
            carried = break_off(core, port, way, call)
            assert carried is not None
            check_that_it_goes_on(core, carried, whole)
        assert core.statistics.bad_frames > 0


def test_a_signal_in_the_middle_of_a_tick_of_the_model_waits(
    whole: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    advance = QueuedModel._run_core
    left_over = [3]

    def interrupted(self: QueuedModel, *arguments: Any) -> Any:
        result = advance(self, *arguments)
        left_over[0] -= 1
        if left_over[0] == 0:
            other_signal()
        return result

    monkeypatch.setattr(QueuedModel, "_run_core", interrupted)
    with connect("model:", params=PARAMS) as core:
        core.program(NET)
        with pytest.raises(Alarm) as caught:
            core.run(SPIKES, TICKS)
        check_that_it_goes_on(core, carried_by(caught.value), whole)


@pytest.mark.parametrize("callback", ["progress", "watch"])
def test_an_exception_of_what_watches_is_raised_as_it_is_and_carries_the_run(
    callback: str, whole: Whole
) -> None:
    def refuse(*_arguments: Any) -> None:
        raise LookupError("seen enough")

    with connect("model:", params=PARAMS) as core:
        core.program(NET)
        callbacks: dict[str, Any] = {callback: refuse}
        with pytest.raises(LookupError, match="seen enough") as caught:
            core.run(SPIKES, TICKS, **callbacks)
        assert 0 < len(carried_by(caught.value).cycles) < TICKS
        assert "core.tick" in "".join(caught.value.__notes__)
        check_that_it_goes_on(core, carried_by(caught.value), whole)


@pytest.mark.parametrize("url", bulk_but(["rtl:?level=core"], ["rtl:", "rtl:?level=core"]))
def test_a_run_at_a_fixed_tick_period_can_be_broken_off_as_well(url: str) -> None:
    def refuse(done: int, _ticks: int) -> None:
        if done > 5:
            raise LookupError

    with connect(url, params=PARAMS) as core, connect("model:", params=PARAMS) as model:
        for each in (core, model):
            each.program(NET)
        with pytest.raises(LookupError):
            core.run(SPIKES, TICKS, tick_period=5000, progress=refuse)
        run = core.last_run
        assert run is not None and run.missed_deadlines == run.late_events == 0
        assert 5 < core.tick == len(run.cycles) < TICKS
        events = SPIKES[SPIKES[:, 0] < core.tick]
        assert np.array_equal(run.spikes, model.run(events, core.tick).spikes)
        assert core.read_registers()["tick_period"] == 5000
        core.run([], 1)
        assert core.read_registers()["tick_period"] == 0


@pytest.mark.parametrize("kind", bulk_but({"model", "rtl core"}, ["model", "rtl", "rtl core"]))
@pytest.mark.parametrize("way", [ctrl_c, line_fails], ids=lambda way: way.__name__)
def test_what_is_half_written_is_not_run(kind: str, way: Callable[[], None], whole: Whole) -> None:
    with opened(kind) as port, Core(Link(port)) as core:
        port.calls = 0
        core.program(NET)
        calls = port.calls
        assert calls >= 20
        for call in range(1, calls - 3, 3):
            port.calls, port.at = 0, {call: way}
            with pytest.raises((KeyboardInterrupt, LinkError)):
                core.program(NET)
            core.read_weights()  # one may look at it
            with pytest.raises(HalfWritten, match="program the core again"):
                core.run(SPIKES, TICKS)
            core.program(NET)
            assert np.array_equal(core.run(SPIKES, TICKS).spikes, whole.run.spikes)
        port.calls, port.at = 0, {1: way}
        with pytest.raises((KeyboardInterrupt, LinkError)):
            core.write_weights(NET.weights)
        # A device in this process has answered by the time the signal is heeded.
        if kind == "rtl" or way is not ctrl_c:
            with pytest.raises(HalfWritten, match="weight .*write_weights"):
                core.run(SPIKES, TICKS)
        core.write_weights(NET.weights)
        core.run(SPIKES, TICKS)


class RatedDevice(ModelDevice):
    """A model that notes the rate it is told."""

    told: int | None = None

    def _set_baud(self, cycles_per_bit: int) -> bytes:
        result = super()._set_baud(cycles_per_bit)
        self.told = 100_000_000 // cycles_per_bit
        return result


class RatedLine(Transport):
    """Two ends that understand each other only at the same rate, in simulated time."""

    TRIAL = BAUD_TRIAL_CYCLES / 100e6

    def __init__(self) -> None:
        self.device = RatedDevice(PARAMS)
        self.timeout: float | None = 0.0
        self.baudrate = self.device_baud = 100_000
        self.now = 0.0
        self._trial_ends = math.inf
        self._to_host = bytearray()

    def clock(self) -> float:
        return self.now

    @property
    def in_waiting(self) -> int:
        return len(self._to_host)

    def read(self, size: int = 1, /) -> bytes:
        if not self._to_host:
            self.now += self.timeout or 0.0
        data = bytes(self._to_host[:size])
        del self._to_host[:size]
        return data

    def write(self, data: bytes, /) -> int:
        if self.now >= self._trial_ends:
            self.device_baud, self._trial_ends = 100_000, math.inf
        alike = self.baudrate == self.device_baud
        before = self.device.waiting
        self.device.receive(data if alike else b"U" * len(data) + b"\0")
        if alike and self.device.waiting > before:
            self._trial_ends = math.inf
        answer = self.device.drain(1 << 20)
        self._to_host += answer if alike else b"U" * len(answer)
        if self.device.told is not None:
            self.device_baud, self.device.told = self.device.told, None
            self._trial_ends = self.now + self.TRIAL
        return len(data)

    def close(self) -> None:
        """Nothing is held."""


@pytest.mark.parametrize("way", [ctrl_c, line_fails], ids=lambda way: way.__name__)
@pytest.mark.parametrize("call", range(1, 9))
def test_a_change_of_the_rate_can_be_broken_off(call: int, way: Callable[[], None]) -> None:
    line = RatedLine()
    port = Breaking(line)
    core = Core(Link(port))
    core.program(NET)
    assert core.set_baud(500_000) == line.device_baud == line.baudrate == 500_000
    port.calls, port.at = 0, {call: way}
    with suppress(KeyboardInterrupt, LinkLost):
        core.set_baud(1_000_000)
    assert not port.at or call > 4
    port.at.clear()
    assert np.array_equal(core.read_weights(), NET.weights)
    assert line.device_baud == line.baudrate
    core.close()
    assert line.device_baud == line.baudrate == 100_000


def test_a_core_is_not_to_be_used_by_what_its_run_calls() -> None:
    with connect("model:", params=PARAMS) as core:
        core.program(NET)
        uses: list[Callable[[], Any]] = [
            core.read_weights,
            core.read_counters,
            lambda: core.run([], 1),
        ]

        def use_core(_done: int, _ticks: int) -> None:
            uses[-1]()

        while uses:
            with pytest.raises(InvalidInput, match="in a run"):
                core.run(SPIKES, TICKS, progress=use_core)
            uses.pop()
        assert core.run([], 5).cycles.shape == (5,)


def test_threads_take_turns(whole: Whole, monkeypatch: pytest.MonkeyPatch) -> None:
    """Signals wait for a run in the main thread all the same, and are as they were afterwards."""
    run_core, waiting = QueuedModel._run_core, set()

    def watched(self: QueuedModel, *arguments: Any) -> Any:
        if threading.current_thread() is threading.main_thread():
            waiting.add(signal.getsignal(signal.SIGINT) is not signal.default_int_handler)
        return run_core(self, *arguments)

    monkeypatch.setattr(QueuedModel, "_run_core", watched)
    errors: list[BaseException] = []
    over = threading.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGUSR1)}
    with connect("model:", params=PARAMS) as core:
        core.program(NET)

        def read() -> None:
            try:
                while not over.is_set():
                    assert core.read_weights().shape == (16, 8)
                    assert core.read_counters()["tick"] % TICKS == 0
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=read) for _ in range(3)]
        for thread in threads:
            thread.start()
        runs = []
        for _ in range(20):
            core.program(NET)
            runs.append(core.run(SPIKES, TICKS))
        over.set()
        for thread in threads:
            thread.join(60)
        assert not errors
        assert waiting == {True}
        assert all(np.array_equal(run.spikes, whole.run.spikes) for run in runs)
        # A run in a thread that is not the main one, where signals are of no concern.
        core.program(NET)
        thread = threading.Thread(target=lambda: runs.append(core.run(SPIKES, TICKS)))
        thread.start()
        thread.join(60)
        assert np.array_equal(runs[-1].spikes, whole.run.spikes)
        assert {number: signal.getsignal(number) for number in before} == before
        with pytest.raises(KeyboardInterrupt):
            ctrl_c()


def test_signals_that_raise_are_not_left_to_another_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    run_core, signals = QueuedModel._run_core, [signal.SIGALRM] * 8

    def interrupted(self: QueuedModel, *arguments: Any) -> Any:
        while signals:
            signal.raise_signal(signals.pop())
        return run_core(self, *arguments)

    monkeypatch.setattr(QueuedModel, "_run_core", interrupted)
    before, runs = signal.signal(signal.SIGALRM, alarm), list[Run]()
    try:
        with connect("model:", params=PARAMS) as core:
            core.program(NET)
            with pytest.raises(Alarm):
                core.run(SPIKES, TICKS)
            thread = threading.Thread(target=lambda: runs.append(core.run(SPIKES, TICKS)))
            thread.start()
            thread.join(60)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert len(runs) == 1


def test_a_signal_handler_in_the_middle_of_a_run_cannot_use_the_core(
    whole: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_core, errors, signals = QueuedModel._run_core, list[str](), [signal.SIGALRM]

    def interrupted(self: QueuedModel, *arguments: Any) -> Any:
        if signals:
            signal.raise_signal(signals.pop())
        return run_core(self, *arguments)

    with connect("model:", params=PARAMS) as core:
        core.program(NET)

        def use(_number: int, _frame: FrameType | None) -> None:
            for call in (core.read_counters, core.reset, lambda: core.program(NET)):
                with pytest.raises(InvalidInput) as error:
                    call()
                errors.append(str(error.value))

        monkeypatch.setattr(QueuedModel, "_run_core", interrupted)
        before = signal.signal(signal.SIGALRM, use)
        try:
            run = core.run(SPIKES, TICKS)
        finally:
            signal.signal(signal.SIGALRM, before)
    assert len(errors) == 3 and all("which is what has called" in error for error in errors)
    assert np.array_equal(run.spikes, whole.run.spikes)


@pytest.mark.parametrize("inside", [False, True])
def test_closing_ends_the_run_of_another_thread_and_its_own(inside: bool) -> None:
    """What is closed is not used any further, of which ports make all kinds of errors."""
    begun, errors = threading.Event(), list[BaseException]()
    with connect("model:", params=PARAMS) as core:
        core.program(NET)

        def watch(_first: int, _part: Run) -> None:
            begun.set()
            if inside:
                core.close()

        def run() -> None:
            try:
                core.run([], 10_000_000, watch=watch)
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        assert begun.wait(60)
        core.close()
        thread.join(60)
        assert not thread.is_alive()
    assert [type(error) for error in errors] == [CoreClosed]
    assert "in the middle of this call" in str(errors[0])


def test_what_every_run_sets_is_not_to_be_written() -> None:
    with connect("model:", params="tiny,digest_rounds=3") as core:
        probes = {"probe_period", "probe_words"}
        assert set(RUN_REGISTERS) == {"tick_period", "digest_en"} | probes
        with pytest.raises(InvalidInput, match="tick_period is set by every run"):
            core.write_registers(tick_period=500)
        with pytest.raises(InvalidInput, match="digests=True"):
            core.write_registers(digest_en=1)
        core.write_registers(tick_period=0, digest_en=0)  # as every run has them by itself
    with connect("model:", params="tiny,probe_ranges=1") as core:
        for name in probes:
            with pytest.raises(InvalidInput, match=f"{name} is set by every run.*probe"):
                core.write_registers(**{name: 1})


def test_a_dead_line_leaves_what_came_in(whole: Whole) -> None:
    channel = FaultyChannel(UnclockedPort(PARAMS), seed=0)
    core = Core(Link(channel))
    core.program(NET)

    def cut(done: int, _ticks: int) -> None:
        if done > 5:
            channel.cut_off_until = np.inf

    with pytest.raises(LinkTimeout) as caught:
        core.run(SPIKES, TICKS, progress=cut)
    carried = carried_by(caught.value)
    assert 5 < len(carried.cycles) < TICKS
    channel.cut_off_until = 0.0  # plugged in again
    check_that_it_goes_on(core, carried, whole)


def test_handlers_wait_and_are_called_in_their_order() -> None:
    signals, seen = DeferredSignals(), []
    signal.signal(signal.SIGUSR1, lambda number, _frame: seen.append(number))
    with signals, signals:
        other_signal()
        other_signal()
        assert seen == []
        signals.deliver()
        assert seen == [signal.SIGUSR1] * 2
        with signals.passing():
            other_signal()
            assert len(seen) == 3
        ctrl_c()
        other_signal()
        with pytest.raises(KeyboardInterrupt):
            signals.deliver()
        assert len(seen) == 3
        signals.deliver()
        assert len(seen) == 4
    ignored = signal.signal(signal.SIGINT, signal.SIG_IGN)
    with signals:
        ctrl_c()
    signal.signal(signal.SIGINT, ignored)
    with pytest.raises(KeyboardInterrupt), signals:
        ctrl_c()
        seen.append(0)
    assert seen[-1] == 0
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_handler_that_is_set_meanwhile_stays() -> None:
    def other(_number: int, _frame: FrameType | None) -> None:
        """Do nothing."""

    with DeferredSignals():
        signal.signal(signal.SIGUSR1, other)
    assert signal.getsignal(signal.SIGUSR1) is other


@pytest.mark.parametrize("way", [ctrl_c, line_fails], ids=lambda way: way.__name__)
def test_the_command_writes_what_came_in(
    way: Callable[[], None], whole: Whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save("net.npz", NET, SPIKES, TICKS)
    take, left_over = Runner.take, [4]

    def broken(self: Runner, result: bytes) -> None:
        take(self, result)
        left_over[0] -= 1
        if left_over[0] == 0:
            if way is line_fails:
                raise LinkLost("no more")
            way()

    monkeypatch.setattr(Runner, "take", broken)
    done = CliRunner().invoke(
        main,
        f"run net.npz --on model: --params {SIZES} --json r.json --output r.npz --plot r.png "
        "--record r.jsonl".split(),
    )
    assert done.exit_code == (130 if way is ctrl_c else 1)
    figures = json.loads(Path("r.json").read_text())
    assert figures["broken_off"] and 0 < figures["ticks"] < TICKS
    with np.load("r.npz") as arrays:
        assert np.array_equal(arrays["cycles"], whole.run.cycles[: figures["ticks"]])
        assert ("weights" in arrays) == (way is ctrl_c)
    assert f"broken off after {figures['ticks']} of {TICKS} ticks" in done.stderr
    assert Path("r.png").is_file() and Path("r.jsonl").is_file()
