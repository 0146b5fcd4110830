"""The self-test: a good target passes it, and each kind of fault is found and named."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from support.channel import FaultyChannel

from spiketwin.cosim.model.core import ModelCore
from spiketwin.cosim.model.device import ModelDevice
from spiketwin.cosim.model.queued import QueuedModel
from spiketwin.cosim.serial import protocol_model
from spiketwin.cosim.trials.selftest import Report, check
from spiketwin.cosim.trials.selftest.equivalence import RandomCase
from spiketwin.cosim.trials.selftest.sweep import EXCHANGES, RATES
from spiketwin.hdl.spec.oracle import Oracle
from spiketwin.hdl.spec.params import CoreParams, preset
from spiketwin.hdl.spec.protocol import Word
from spiketwin.hdl.spec.registers import RUN_REGISTERS, Space, space_formats
from spiketwin.hdl.spec.variables import ARRAYS
from spiketwin.host import Core
from spiketwin.host.cli import main
from spiketwin.host.kinds import Target
from spiketwin.host.link import Link
from spiketwin.host.words import Words, lanes_fired, of_kind, report_spikes

TINY = preset("tiny")
Elements = np.ndarray


def port_of(device: ModelDevice) -> protocol_model.Serial:
    """A port with this device behind it."""

    class Port(protocol_model.Serial):
        def make_device(self, target: Target) -> protocol_model.ModelPort:
            return protocol_model.ModelPort(device)

    return Port("model://", timeout=0)


@contextmanager
def core_of(device: ModelDevice) -> Iterator[Core]:
    """A core behind a link to this device."""
    with Core(Link(port_of(device))) as core:
        yield core


def checked(core: Core, networks: int = 4) -> Report:
    return check(
        core, transactions=100, networks=networks, ticks=40, seed=1,
        progress=lambda _name, _done, _total: None,
    )  # fmt: skip


def examined(device: ModelDevice, networks: int = 4) -> Report:
    with core_of(device) as core:
        return checked(core, networks)


class FaultyModel(QueuedModel):
    """The model in a `FaultyDevice`."""

    def __init__(self, device: "FaultyDevice", params: CoreParams) -> None:
        super().__init__(params)
        self._device = device

    def write(self, space: Space, start: int, values: Elements) -> None:
        super().write(space, start, values)
        if self._device.spoil_weights is not None:
            self._device.spoil_weights(self.core.weight.reshape(-1))
        if self._device.spoil_memory is not None:
            self._device.spoil_memory(self.core)

    def _run_core(self, end: int, room: int) -> Words:
        words = super()._run_core(end, room)
        spoil = self._device.spoil_ticks
        return words if spoil is None else spoil(self._device, words)


class FaultyDevice(ModelDevice):
    """A model whose weight memory and ticks can be spoiled.

    `spoil_weights` is called after every write with the weights, rows joined, `spoil_memory` with
    the whole core, and `spoil_ticks` after every run with the device and what it put out.
    """

    spoil_weights: Callable[[Elements], None] | None = None
    spoil_memory: Callable[[ModelCore], None] | None = None
    spoil_ticks: Callable[["FaultyDevice", Words], Words] | None = None

    def __init__(self, params: CoreParams) -> None:
        super().__init__(params)
        self._model = self._core = FaultyModel(self, params)

    @property
    def weight(self) -> Elements:
        return self.core.weight

    @property
    def v(self) -> Elements:
        return self.core.v


@pytest.mark.parametrize(
    "params",
    [
        TINY,
        replace(TINY, learning=False),
        replace(TINY, weight_width=16, trace_width=9, v_width=24, i_syn_width=17, theta_width=8),
        replace(TINY, n_neurons=16, lanes=4, neuron_lanes=4, event_queue_depth=4, link_slots=2),
    ],
)
def test_a_model_of_any_sizes_passes(params: CoreParams) -> None:
    report = examined(ModelDevice(params))
    assert report.passed, report.as_json()
    assert report.link.transactions == 100
    assert report.link.payload_bytes > 0
    # Every bit once: spaces by their width, registers by theirs, pending a bit for each neuron.
    memories = [f for f in space_formats(params).values() if f.writable]
    sizes = {f.space.name: f.size * f.width for f in memories}
    assert report.memory.bits > sum(sizes.values()) - sizes["REGISTER"] - sizes["PENDING"]
    assert report.equivalence.networks == 4
    assert report.equivalence.neuron_updates == 4 * 40 * params.n_neurons
    assert report.equivalence.spikes > 100


def test_progress_goes_from_nothing_to_all() -> None:
    seen: dict[str, list[tuple[int, int]]] = {}
    with core_of(ModelDevice(TINY)) as core:
        check(
            core, transactions=5, networks=2, ticks=3, seed=0,
            progress=lambda name, done, total: seen.setdefault(name, []).append((done, total)),
        )  # fmt: skip
    assert list(seen) == ["link", "memory", "equivalence"]
    for calls in seen.values():
        total = calls[-1][1]
        assert calls == [(done, total) for done in range(1, total + 1)]


def test_equal_seeds_make_equal_trials() -> None:
    first, again, other = (
        RandomCase.random(TINY, 30, np.random.default_rng(seed)) for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(first.arrays["weight"], again.arrays["weight"])
    assert first.registers == again.registers
    assert first.registers != other.registers


def test_trials_reach_what_they_are_to_prove() -> None:
    """Over some trials, each rule of the specification has something to do."""
    trials = [RandomCase.random(TINY, 30, np.random.default_rng(seed)) for seed in range(40)]
    assert set(trials[0].registers) == set(Oracle(TINY).register) - set(RUN_REGISTERS)
    for name in trials[0].registers:
        assert len({trial.registers[name] for trial in trials}) > 1, name
    assert {0, 65535} < {trial.registers["v_decay"] for trial in trials}
    for name, values in trials[0].arrays.items():
        assert any((trial.arrays[name] != values).any() for trial in trials), name


@pytest.mark.parametrize(("bit", "stuck_at"), [(0, 0), (3, 1), (7, 0), (7, 1)])
def test_a_stuck_bit_is_named(bit: int, stuck_at: int) -> None:
    row, column = 5, 3

    def spoil(weights: Elements) -> None:
        cell = int(weights[row * TINY.n_neurons + column]) & 0xFF
        cell = cell | 1 << bit if stuck_at else cell & ~(1 << bit)
        weights[row * TINY.n_neurons + column] = (cell ^ 0x80) - 0x80

    device = FaultyDevice(TINY)
    device.spoil_weights = spoil
    memory = examined(device).memory
    assert not memory.passed
    assert {fault.element for fault in memory.faults} == {"weight[5, 3]"}
    first = memory.faults[0]
    assert first.step == ("March C- ⇑(r0,w1)" if stuck_at else "March C- ⇑(r1,w0)")
    assert (first.got ^ first.expected) & 0xFF == 1 << bit


@pytest.mark.parametrize(
    "space",
    # Weights have tests of their own, and a bit of `pending` is an entry of a list.
    [v.name for v in ARRAYS if v.is_built(TINY) and v.name not in ("weight", "pending")],
)
def test_a_stuck_bit_is_named_in_every_space(space: str) -> None:
    def spoil(core: ModelCore) -> None:
        if space == "plastic":
            core.set_plastic(np.zeros(1, np.int64), 3)
        else:
            getattr(core, space)[3] &= ~1

    device = FaultyDevice(TINY)
    device.spoil_memory = spoil
    faults = examined(device, networks=1).memory.faults
    assert {fault.element for fault in faults} == {
        "plastic[0, 3]" if space == "plastic" else f"{space}[3]"
    }
    assert faults[0].step == "March C- ⇑(r1,w0)"


def test_a_register_and_a_pending_spike_that_are_stuck_are_named() -> None:
    def spoil(core: ModelCore) -> None:
        core.register["seed"] &= ~4
        core.pending[5] = False

    device = FaultyDevice(TINY)
    device.spoil_memory = spoil
    faults = examined(device, networks=1).memory.faults
    assert {fault.element for fault in faults} == {"register[10]", "pending[5]"}
    assert {fault.step for fault in faults} >= {"ones"}


def test_two_addresses_that_reach_one_cell_are_found_within_a_block_too() -> None:
    def spoil(weights: Elements) -> None:
        weights[9] = weights[8]

    device = FaultyDevice(TINY)
    device.spoil_weights = spoil
    faults = examined(device).memory.faults
    assert {fault.element for fault in faults} == {"weight[1, 1]"}
    assert faults[0].step == "random data"


def test_a_link_that_changes_data_fails() -> None:
    def spoil(weights: Elements) -> None:
        weights[weights == 77] = 78

    device = FaultyDevice(TINY)
    device.spoil_weights = spoil
    line = examined(device).link
    assert line.wrong > 0
    assert line.first_wrong is not None
    assert line.first_wrong.startswith("weight[")
    assert line.first_wrong.endswith("expected 77, got 78")


# --- the line -----------------------------------------------------------------------------------


class Line(FaultyChannel):
    """A line to a model, with errors above a rate, and rates that its adapter cannot make."""

    def __init__(self, highest_clean: int = 1 << 30, highest: int = 1 << 30) -> None:
        super().__init__(port_of(ModelDevice(TINY)), seed=1, baudrate=115_200)
        self.highest_clean, self.highest = highest_clean, highest

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if name == "baudrate" and hasattr(self, "highest"):
            self.error_rate = 1e-3 if self.baudrate > self.highest_clean else 0.0
            if self.baudrate > self.highest:
                raise ValueError("Failed to set custom baud rate")


def test_a_target_without_a_line_has_no_rates() -> None:
    line = examined(ModelDevice(TINY), networks=1).link
    assert line.rates == ()
    assert line.as_json()["rates"] == []
    assert line.as_json()["baud"] is None
    assert line.as_json()["upload_share_of_line"] is None


def test_a_good_line_is_clean_at_every_rate_and_goes_back_to_the_first() -> None:
    port = Line()
    with Core(Link(port)) as core:
        report = checked(core, networks=1)
        assert port.baudrate == 115_200
    line = report.link
    assert report.passed, report.as_json()
    assert [rate.baud for rate in line.rates] == list(RATES)
    # 12 Mbaud is none of the whole numbers of cycles that 100 MHz has.
    assert [rate.baud for rate in line.rates if not rate.clean] == [12_000_000]
    assert "cannot make 12000000 baud" in str(line.rates[-1].trouble)
    assert line.fastest_clean_baud == 6_000_000
    assert all(rate.exchanges == EXCHANGES for rate in line.rates[:-1])
    assert line.streams.stream.share_of_line is not None
    assert 0.5 < line.streams.stream.share_of_line < 1.0


def test_a_rate_that_has_errors_is_told_apart_and_is_no_fault() -> None:
    with Core(Link(Line(highest_clean=1_500_000))) as core:
        report = checked(core, networks=1)
    line = report.link
    assert line.passed, line.as_json()
    assert line.fastest_clean_baud == 1_500_000
    faulty = [rate for rate in line.rates if rate.baud > 1_500_000 and not rate.trouble]
    assert len(faulty) > 2
    assert not any(rate.clean for rate in faulty)
    both_ends = [
        sum(getattr(r.losses, name) for r in faulty) for name in ("bad_frames", "frame_errors")
    ]
    assert min(both_ends) > 0


def test_a_rate_that_the_adapter_cannot_make_is_told_apart() -> None:
    with Core(Link(Line(highest=1_000_000))) as core:
        line = checked(core, networks=1).link
    assert line.passed, line.as_json()
    assert line.fastest_clean_baud == 1_000_000
    troubles = [rate.trouble for rate in line.rates if rate.baud > 1_000_000]
    assert all(troubles)
    assert "the line does not carry 3000000 baud" in " ".join(map(str, troubles))


def test_a_lossy_line_fails_although_all_is_recovered() -> None:
    port = Line()
    with Core(Link(port)) as core:
        port.highest_clean = 0
        port.baudrate = 115_200
        report = checked(core, networks=1)
    assert report.link.wrong == 0
    assert not report.link.passed
    (trouble, *_) = report.link.troubles()
    assert trouble.startswith("the line is lossy at 115200 baud: of 100 blocks, ")
    assert report.memory.passed
    assert report.equivalence.passed


def test_spikes_that_are_lost_in_a_stream_are_counted() -> None:
    def spoil(_device: FaultyDevice, words: Words) -> Words:
        spikes = lanes_fired(words[report_spikes(words)].astype(np.int64))[0].size
        ticks = np.count_nonzero(of_kind(words, Word.END))
        if ticks > 1 and spikes == ticks * TINY.n_neurons:
            return without_last_spike(words)
        return words

    device = FaultyDevice(TINY)
    device.spoil_ticks = spoil
    line = examined(device, networks=1).link
    assert line.streams.stream_spikes < line.streams.stream_spikes_expected == 100 * TINY.n_neurons
    assert any("spikes came out of a core" in trouble for trouble in line.troubles())


def without_last_spike(words: Words) -> Words:
    reports = np.flatnonzero(report_spikes(words))
    if not reports.size:
        return words
    last = reports[-1]
    mask = int(words[last]) >> 12 & 0xFF
    words[last] ^= np.uint32((1 << (mask.bit_length() - 1)) << 12)
    return words if int(words[last]) >> 12 & 0xFF else np.delete(words, last)


# --- what it computes ---------------------------------------------------------------------------


def test_a_wrong_weight_step_is_named_by_synapse() -> None:
    def spoil(device: FaultyDevice, words: Words) -> Words:
        if report_spikes(words).any():
            device.weight[12, 2] = 1 if device.weight[12, 2] == 0 else 0
        return words

    device = FaultyDevice(TINY)
    device.spoil_ticks = spoil
    report = examined(device)
    assert report.memory.passed
    assert report.link.passed
    assert not report.passed
    named = "network 0 of seed 1: weights[12, 2] after the run: expected "
    assert report.equivalence.difference is not None
    assert report.equivalence.difference.startswith(named)
    assert report.as_json()["equivalence"]["difference"] == report.equivalence.difference


def test_a_wrong_weight_after_the_run_is_named() -> None:
    def spoil(device: FaultyDevice, words: Words) -> Words:
        if (
            np.count_nonzero(of_kind(words, Word.END)) == 40
        ):  # a run in one go: what it changes comes too late to act
            device.weight[12, 2] = 5 if device.weight[12, 2] != 5 else 6
        return words

    device = FaultyDevice(replace(TINY, event_queue_depth=512, spike_queue_depth=4096))
    device.spoil_ticks = spoil
    difference = str(examined(device).equivalence.difference)
    assert difference.startswith("network 0 of seed 1: weights[12, 2] after the run: expected ")


def test_a_tick_of_other_cycles_is_named() -> None:
    def spoil(_device: FaultyDevice, words: Words) -> Words:
        words[of_kind(words, Word.END)] += 1
        return words

    device = FaultyDevice(TINY)
    device.spoil_ticks = spoil
    difference = str(examined(device).equivalence.difference)
    assert difference.startswith("network 0 of seed 1: tick 0: cycles: expected ")


def test_a_missing_spike_is_named() -> None:
    def spoil(_device: FaultyDevice, words: Words) -> Words:
        return without_last_spike(words)

    device = FaultyDevice(TINY)
    device.spoil_ticks = spoil
    difference = str(examined(device).equivalence.difference)
    assert "spikes: expected a spike, got none" in difference


def test_a_wrong_state_is_named_by_neuron() -> None:
    def spoil(device: FaultyDevice, words: Words) -> Words:
        if np.count_nonzero(of_kind(words, Word.END)) == 40:
            device.v[7] += 1 if device.v[7] <= 0 else -1
        return words

    device = FaultyDevice(replace(TINY, event_queue_depth=512, spike_queue_depth=4096))
    device.spoil_ticks = spoil
    assert "v[7] after the run: expected " in str(examined(device).equivalence.difference)


# --- the command --------------------------------------------------------------------------------


def selftest(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["selftest", *arguments])
    return done.exit_code, done.output


def test_the_command_passes_a_model_and_writes_its_figures(tmp_path: Path) -> None:
    path = tmp_path / "selftest.json"
    status, output = selftest(
        "--on", "model:", "--params", "tiny", "--transactions", "50", "--networks", "2",
        "--json", str(path),
    )  # fmt: skip
    assert status == 0, output
    assert "PASSED" in output
    figures = json.loads(path.read_text())
    assert figures["passed"] is True
    assert figures["link"]["transactions"] == 50
    assert figures["link"]["wrong"] == 0
    assert figures["memory"] == {"bits": figures["memory"]["bits"], "wrong": 0, "faults": []}
    assert figures["equivalence"]["networks"] == 2
    assert figures["equivalence"]["ticks"] == 200
    assert figures["equivalence"]["neuron_updates"] == 200 * TINY.n_neurons
    latency = figures["latency"]
    assert 0 < latency["min_seconds"] <= latency["median_seconds"] <= latency["max_seconds"]


@pytest.mark.parametrize(
    "url",
    [
        "rtl:",
        pytest.param("rtl:?level=pins&clock=12000000", marks=pytest.mark.bulk),
        "rtl:?level=core",
        "rtl+pty:?level=bytes",
        pytest.param("netlist:", marks=pytest.mark.bulk),
    ],
)
def test_the_command_passes_what_is_simulated(url: str) -> None:
    status, output = selftest(
        "--on", url, "--params", "tiny", "--transactions", "50", "--networks", "3"
    )
    assert status == 0, output
    assert "PASSED" in output
    assert ("there is no line" in output) == ("pins" not in url)
    assert ("the fastest without an error is" in output) == ("pins" in url)


class DyingPort(protocol_model.Serial):
    """A port that is gone once a number of bytes was written to it."""

    left = 0

    def make_device(self, target: Target) -> protocol_model.ModelPort:
        return protocol_model.ModelPort(ModelDevice(TINY))

    def write(self, data: Any, /) -> int:
        self.left -= len(data)
        if self.left < 0:
            raise OSError(5, "Input/output error")
        return super().write(data)


@pytest.mark.parametrize(
    ("bytes_left", "ended", "over"),
    [
        (10, "", []),
        (3_000, "link, ", []),
        (12_000, "memory, ", ["link"]),
        (20_000, "equivalence, ", ["link", "memory"]),
    ],
)
def test_a_target_that_dies_in_the_middle_has_not_passed(
    bytes_left: int, ended: str, over: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(*_: object, **__: object) -> Core:
        port = DyingPort("model://", timeout=0)
        port.left = bytes_left
        return Core(Link(port, address="/dev/ttyUSB7"))

    path = tmp_path / "selftest.json"
    monkeypatch.setattr("spiketwin.cosim.commands.selftest.connect", connect)
    status, output = selftest(
        "--on", "/dev/ttyUSB7", "--transactions", "50", "--networks", "3", "--json", str(path)
    )
    assert status == 1
    figures = json.loads(path.read_text())
    assert figures["passed"] is False
    assert figures["ended"].startswith(ended)
    assert figures["ended"].count("/dev/ttyUSB7: the port is gone (Input/output error)") == 1
    names = ["link", "memory", "equivalence"]
    assert [name for name in names if figures[name] is not None] == over
    rows = re.findall(r"^[│┃] (\w+) +[│┃] (ok|WRONG|–)", output, re.MULTILINE)
    verdicts = [*("ok" for _ in over), "WRONG", "–", "–", "–"]
    assert rows == list(zip(names, verdicts, strict=False))
    assert f"WRONG  {figures['ended']}" in output
    assert "PASSED" not in output


def test_the_command_fails_a_faulty_target_with_status_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = FaultyDevice(TINY)
    device.spoil_weights = lambda weights: weights.__setitem__(0, weights[0] & ~1)
    path = tmp_path / "selftest.json"
    with core_of(device) as core:
        monkeypatch.setattr("spiketwin.cosim.commands.selftest.connect", lambda *_, **__: core)
        status, output = selftest("--on", "model:", "--networks", "1", "--json", str(path))
    assert status == 1, output
    assert "WRONG  memory: weight[0, 0] in March C- ⇑(r1,w0): expected -1, got -2" in output
    assert "PASSED" not in output
    assert json.loads(path.read_text())["passed"] is False
