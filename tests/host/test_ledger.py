"""The ledger: its parts add up to the wall time, and are what a board of known times took."""

import json
from bisect import bisect
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from support.channel import FaultyChannel

from spiketwin.cosim.model.device import ModelDevice
from spiketwin.cosim.serial import protocol_model
from spiketwin.cosim.serial.terminal import open_pty
from spiketwin.hdl.spec.params import preset
from spiketwin.hdl.spec.protocol import BITS_PER_BYTE, REPLY_HEADER, Opcode, Word
from spiketwin.host import Core, Network, Run, connect, link, timeline
from spiketwin.host.addresses import parse
from spiketwin.host.cli import main
from spiketwin.host.files import save
from spiketwin.host.frames import FrameDecoder
from spiketwin.host.ledger import ORIGINS, Ledger
from spiketwin.host.link import Link
from spiketwin.host.timeline import Simulation
from spiketwin.host.transport import Transport
from spiketwin.host.words import count, of_kind

TINY = preset("tiny")


class Clock:
    """What the host takes for the time."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that goes on only when something says so."""
    clock = Clock()
    monkeypatch.setattr(timeline, "perf_counter", clock)
    # Deadlines as well, or a busy machine would have the host send again.
    monkeypatch.setattr(link, "time", SimpleNamespace(monotonic=clock))
    return clock


class Board(Transport):
    """A board behind a serial line and an adapter, each of which takes exactly known times.

    Parameters
    ----------
    clock:
        Goes on while the host is at this port, and nowhere else.
    baud, clock_hz:
        Of the line and of the core.
    adapter_seconds:
        How long the adapter sits on every byte to the host.
    write_seconds:
        How long the host takes to hand bytes over.
    slowness:
        How many times slower all of it goes than it says.
    """

    timeout: float | None = 0.0

    def __init__(
        self,
        clock: Clock,
        baud: int = 1_000_000,
        clock_hz: int = 100_000_000,
        adapter_seconds: float = 0.0,
        write_seconds: float = 0.0,
        slowness: float = 1.0,
    ) -> None:
        self.baudrate = baud
        self.stall = 0.0
        """What the next answer is held up without a reason that the host could know."""
        self.byte_seconds = slowness * BITS_PER_BYTE / baud
        self._clock = clock
        self._cycle = slowness / clock_hz
        self._adapter_seconds = adapter_seconds
        self._write_seconds = write_seconds
        self._device = ModelDevice(TINY, clock_hz)
        self._arriving: list[tuple[float, int]] = []
        self._out_free = self._core_free = self._back_free = 0.0

    @property
    def in_waiting(self) -> int:
        return bisect(self._arriving, self._clock.now, key=lambda byte: byte[0])

    def read(self, size: int = 1, /) -> bytes:
        taken, self._arriving = self._arriving[:size], self._arriving[size:]
        arrived = taken[-1][0] if taken else self._clock.now + (self.timeout or 0.0)
        self._clock.now = max(self._clock.now, arrived)
        return bytes(byte for _, byte in taken)

    def write(self, data: bytes, /) -> int:
        self._out_free = max(self._out_free, self._clock.now) + len(data) * self.byte_seconds
        self._clock.now += self._write_seconds
        self._device.receive(data)
        while reply := self._device.drain(1 << 16):
            for frame in reply.split(b"\0")[:-1]:
                self._answer(frame + b"\0")
        return len(data)

    def _answer(self, frame: bytes) -> None:
        (body,) = FrameDecoder().feed(frame)
        ready = self._out_free
        if body[2] == Opcode.FETCH:
            words = np.frombuffer(body[REPLY_HEADER:], "<u4")
            cycles = int(count(words[of_kind(words, Word.END)]).sum())
            self._core_free = max(self._core_free, ready) + cycles * self._cycle
            ready = self._core_free
        begin = max(ready, self._back_free) + self.stall
        self.stall = 0.0
        self._back_free = begin + len(frame) * self.byte_seconds
        self._arriving += [
            (begin + (i + 1) * self.byte_seconds + self._adapter_seconds, byte)
            for i, byte in enumerate(frame)
        ]

    def close(self) -> None:
        pass


def network() -> Network:
    """Neurons that fire by themselves now and then, and others that axons drive."""
    net = Network(n_axons=8, n_neurons=8, threshold=np.full(8, 100), bias=np.arange(8) * 5)
    net.weights[:8] = 40
    return net


def events_of(ticks: int) -> list[tuple[int, int]]:
    return [(tick, tick % 8) for tick in range(0, ticks, 3)]


def core_on(board: Transport, simulation: Simulation | None = None, patience: float = 1.0) -> Core:
    board.simulation = simulation
    core = Core(Link(board, patience=patience))
    core.program(network())
    return core


def seconds(run: Run) -> dict[str, float]:
    return {part.name: part.seconds for part in run.ledger.parts}


def adds_up(run: Run) -> bool:
    ledger = run.ledger
    named = sum(part.seconds for part in ledger.parts)
    return abs(named - ledger.wall_seconds) <= 1e-9 and abs(ledger.remainder) <= 1e-9


# --- a board whose times are known ---------------------------------------------------------------


def test_of_a_single_tick_each_part_is_what_it_took(clock: Clock) -> None:
    board = Board(clock, baud=1_000_000, clock_hz=10_000, adapter_seconds=0.25, write_seconds=0.0)
    run = core_on(board).run([(0, 3)], ticks=1, progress=_advance(clock, 2.0))
    parts = seconds(run)
    # EVENTS with one event, RUN and FETCH out; what FETCH brought comes back after the tick.
    out, back = 3 + 4 + 4 + 4, 4 + 4 * (2 + len(run.spikes)) + 4
    assert parts["core"] == pytest.approx(run.cycles[0] / 10_000)
    assert parts["wire_out"] >= out * board.byte_seconds
    assert parts["wire_back"] >= back * board.byte_seconds - 1e-9
    # But for the bytes of the answers before, which may have passed while the adapter waited.
    assert parts["adapter"] == pytest.approx(0.25, abs=2 * 8 * board.byte_seconds + 1e-9)
    assert parts["decode"] == pytest.approx(2.0)
    assert parts["encode"] == parts["write"] == parts["queue"] == parts["target"] == 0.0
    assert adds_up(run)


def _advance(clock: Clock, step: float) -> Any:
    def progress(_done: int, _ticks: int) -> None:
        clock.now += step

    return progress


@pytest.mark.parametrize("adapter", [0.0, 0.001])
@pytest.mark.parametrize("baud", [115_200, 12_000_000])
@pytest.mark.parametrize("clock_hz", [20_000, 100_000_000])
def test_the_parts_add_up_whichever_is_slow(
    clock: Clock, baud: int, clock_hz: int, adapter: float
) -> None:
    board = Board(clock, baud, clock_hz, adapter, write_seconds=1e-4)
    run = core_on(board).run(events_of(1000), 1000)
    parts = seconds(run)
    assert adds_up(run)
    assert parts["core"] == pytest.approx(run.cycles.sum() / clock_hz)
    slowest = "core" if clock_hz == 20_000 else "wire_back"
    assert max(parts, key=lambda name: parts[name]) == slowest
    assert parts["adapter"] <= adapter * len(run.ledger.timelines[0].requests) + 1e-9
    assert all(part.kind is ORIGINS[part.name] for part in run.ledger.parts)


def test_what_nobody_can_explain_is_the_remainder_and_in_no_part(clock: Clock) -> None:
    board = Board(clock)
    core = core_on(board)
    expected = seconds(core.run([], ticks=100))
    core.program(network())
    board.stall = 0.015  # not so long that the host asks again
    run = core.run([], ticks=100)
    # But for what the line may have carried meanwhile, as far as the host can tell.
    window = 8 * core.params.link_slots * board.byte_seconds
    assert run.ledger.remainder == pytest.approx(0.015, abs=window)
    assert sum(seconds(run).values()) == pytest.approx(sum(expected.values()), abs=window)


def test_what_the_host_takes_is_the_hosts(clock: Clock) -> None:
    class Slow:
        """Events that take their time to become an array."""

        def __array__(self, *_: object, **__: object) -> np.ndarray[Any, Any]:
            clock.now += 0.75
            return np.array(events_of(10))

    board = Board(clock, write_seconds=1.0)
    run = core_on(board).run(Slow(), 10)
    parts = seconds(run)
    assert parts["encode"] == pytest.approx(0.75)
    assert parts["decode"] == 0.0
    # Bytes are on the line from the moment at which they are handed over, and so are the answers.
    octets = run.ledger.timelines[0].requests["bytes_out"].sum()
    assert parts["wire_out"] == pytest.approx(octets * board.byte_seconds)
    # All requests are handed over by one call.
    assert parts["write"] == pytest.approx(1.0 - parts["wire_out"] - parts["wire_back"], abs=1e-4)


def test_a_core_that_waits_for_its_next_tick_is_the_queues(clock: Clock) -> None:
    period, clock_hz = 1000, 100_000
    run = core_on(Board(clock, clock_hz=clock_hz)).run([], ticks=50, tick_period=period)
    np.testing.assert_allclose(run.ledger.ticks["core"], run.cycles / clock_hz)
    np.testing.assert_allclose(run.ledger.ticks["queue"], (period - run.cycles) / clock_hz)


def test_ticks_share_the_line_by_their_bytes(clock: Clock) -> None:
    board = Board(clock)
    run = core_on(board).run(events_of(200), 200)
    ledger, requests = run.ledger, run.ledger.timelines[0].requests
    for name, direction in (("wire_out", "bytes_out"), ("wire_back", "bytes_in")):
        octets = requests[direction].sum()
        assert ledger.ticks[name].sum() == pytest.approx(octets * board.byte_seconds)
        assert ledger.ticks[name].shape == (200,)
    spikes = np.bincount(run.spikes[:, 0], minlength=200)
    # A spike takes a word of its own at most, so busy ticks take more of the way back.
    back = ledger.ticks["wire_back"]
    assert back[spikes >= 3].mean() > back[spikes == 0].mean()


def test_the_parts_of_a_spike_are_its_latency(clock: Clock) -> None:
    board = Board(clock, clock_hz=50_000, adapter_seconds=0.002)
    run = core_on(board).run(events_of(300), 300)
    ledger = run.ledger
    spans = ledger.timelines[0].requests
    assert ledger.latency.shape == (len(run.spikes),)
    np.testing.assert_allclose(ledger.spikes["core"], run.spike_cycles / 50_000)
    assert all((part >= 0).all() for part in ledger.spikes.values())
    first, last = ledger.latency[0], spans["answered"].max()
    assert first <= last
    # The first spike came with the first events and left with the first answer.
    answered = spans["answered"][spans["opcode"] == Opcode.FETCH][0]
    queued = spans["queued"][spans["opcode"] == Opcode.EVENTS][0]
    assert first == pytest.approx(answered - queued)


# --- a board in slow motion ----------------------------------------------------------------------


def test_a_simulation_is_a_board_in_slow_motion(clock: Clock) -> None:
    def parts(slowness: float, simulation: Simulation | None) -> tuple[dict[str, float], Run]:
        board = Board(clock, clock_hz=1_000_000, slowness=slowness)
        core = core_on(board, patience=slowness, simulation=simulation)
        run = core.run(events_of(200), 200)
        assert adds_up(run)
        return seconds(run), run

    real, _ = parts(1.0, None)
    slow, run = parts(1000.0, Simulation(lambda: clock.now / 1000, lambda: 1e-5, worked=None))
    assert slow == pytest.approx({name: 1000 * part for name, part in real.items()})
    assert run.ledger.device_seconds == pytest.approx(run.ledger.wall_seconds / 1000)
    np.testing.assert_allclose(run.ledger.spikes["core"], run.spike_cycles / 1000)
    assert not run.ledger.spikes["target"].any()


def test_while_a_simulation_sleeps_nothing_of_it_is_busy(clock: Clock) -> None:
    simulation = Simulation(lambda: clock.now, lambda: 1e-5, worked=lambda: clock.now / 4)
    run = core_on(Board(clock), simulation=simulation).run(events_of(200), 200)
    assert run.ledger.remainder == pytest.approx(0.75 * run.ledger.wall_seconds)


# --- targets -------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["model:", "rtl:", "rtl:?level=core", "rtl+pty:"])
def test_on_any_target_the_parts_add_up(url: str) -> None:
    with connect(url, params="tiny") as core:
        core.program(network())
        run = core.run(events_of(1000), 1000)
    check_of_a_target(run, wires=url == "rtl+pty:")
    if url == "rtl+pty:":
        # Nor is it because all that nobody can explain is called the target's.
        ledger = run.ledger
        assert ledger.total - ledger.seconds("target") > 0.9 * ledger.wall_seconds


def check_of_a_target(run: Run, wires: bool) -> None:
    ledger = run.ledger
    assert abs(ledger.total - ledger.wall_seconds) <= 0.05 * ledger.wall_seconds
    assert min(ledger.seconds(name) for name in ("encode", "core", "decode")) > 0
    assert (min(ledger.seconds(name) for name in ("wire_out", "wire_back")) > 0) == wires
    assert ledger.seconds("adapter") == 0
    assert all((part >= 0).all() for part in ledger.spikes.values())


@pytest.mark.rtl
def test_a_terminal_that_tells_nothing_of_its_time_has_a_ledger_too() -> None:
    path, simulation, close = open_pty(parse("rtl+pty:?params=tiny"))
    try:
        with connect(path) as core:
            core.program(network())
            before = simulation.clock()
            run = core.run(events_of(1000), 1000)
            assert simulation.clock() - before > run.cycles.sum() / core.identity.clock_hz
    finally:
        close()
    check_of_a_target(run, wires=False)
    assert run.ledger.seconds("target") > run.ledger.seconds("core")


def test_a_line_that_loses_frames_has_a_ledger_too() -> None:
    line = FaultyChannel(protocol_model.Serial("model://?params=tiny"), seed=3)
    core = core_on(line, simulation=Simulation(line.clock, lambda: 1e-5, worked=None))
    line.error_rate = 2e-3
    run = core.run(events_of(200), 200)
    assert core.statistics.resent > 0
    ledger = run.ledger
    assert abs(ledger.total - ledger.wall_seconds) <= 1e-9
    assert ledger.latency.shape == (len(run.spikes),)
    assert all(np.isfinite(part).all() for part in (*ledger.ticks.values(), ledger.latency))


def test_a_run_of_two_parts_has_one_ledger() -> None:
    with connect("model:", params="tiny") as core:
        core.program(network())
        one, other = core.run(events_of(5), 5), core.run([], 7)
    both = Ledger.of(one.accounts + other.accounts)
    assert both.wall_seconds == one.ledger.wall_seconds + other.ledger.wall_seconds
    assert both.ticks["core"].shape == (12,)
    assert both.latency.shape == (len(one.spikes) + len(other.spikes),)


def test_what_no_link_has_carried_has_an_empty_ledger() -> None:
    ledger = Ledger.of(())
    assert (ledger.wall_seconds, ledger.total, ledger.latency.size) == (0.0, 0.0, 0)
    assert ledger.as_json()["spike_latency"] is None


@pytest.mark.rtl
@pytest.mark.parametrize(
    "arguments",
    [["run", "--on", "model:", "--ledger"], ["compare", "--on", "model:", "--on", "rtl:"]],
)
def test_the_commands_show_it_and_write_it(arguments: list[str], tmp_path: Path) -> None:
    net, figures = tmp_path / "net.npz", tmp_path / "figures.json"
    save(net, network(), events_of(50), ticks=50)
    command, *rest = arguments
    sizes = ["--params", "tiny", "--json", str(figures)]
    result = CliRunner().invoke(main, [command, str(net), *rest, *sizes])
    assert result.exit_code == 0, result.output
    assert "where the time went" in result.output
    written = json.loads(figures.read_text())
    for one in written["targets"].values() if command == "compare" else [written]:
        ledger = one["ledger"]
        assert ledger["parts"].keys() == ORIGINS.keys()
        assert sum(part["seconds"] for part in ledger["parts"].values()) == pytest.approx(
            ledger["wall_seconds"] - ledger["remainder_seconds"]
        )
        assert one["wall_seconds" if command == "compare" else "seconds"] == ledger["wall_seconds"]
