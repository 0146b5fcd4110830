"""What a run takes on hardware, computed, is what the simulated device's own clock says."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from spiketwin.cosim.compare.hardware import Study
from spiketwin.cosim.rtl.build import Design
from spiketwin.cosim.serial.protocol_rtl import DesignSerial
from spiketwin.hdl.spec.params import preset
from spiketwin.hdl.spec.protocol import Opcode
from spiketwin.host import Core, Network, Run, connect
from spiketwin.host.cli import main
from spiketwin.host.device_time import PARTS, cycles_per_bit
from spiketwin.host.errors import InvalidInput
from spiketwin.host.files import save
from spiketwin.host.frames import encode
from spiketwin.host.ledger import Ledger
from spiketwin.host.link import Link

pytestmark = pytest.mark.rtl

TINY = preset("tiny")
RATES = (115_200, 460_800, 1_000_000, 3_000_000, 12_500_000)


def network() -> Network:
    """Neurons that fire by themselves now and then, and others that axons drive."""
    net = Network(n_axons=8, n_neurons=8, threshold=np.full(8, 100), bias=np.arange(8) * 5)
    net.weights[:8] = 40
    return net


SPARSE = [(tick, tick % 8) for tick in range(0, 60, 3)]
DENSE = [(tick, axon) for tick in range(10) for axon in range(8)]
LOADS = [(SPARSE[:4], 12), (DENSE[:32], 4), ([(0, 3)], 1)]


def ran(url: str, events: list[tuple[int, int]], ticks: int, **options: Any) -> Run:
    with connect(url, params="tiny", **options) as core:
        core.program(network())
        return core.run(events, ticks)


@pytest.fixture(scope="module")
def wired() -> Iterator[Core]:
    """The RTL down to its wires, at the fastest rate that there is."""
    with connect("rtl:?level=pins", params="tiny") as core:
        yield core


# --- against the simulated device ----------------------------------------------------------------


@pytest.mark.parametrize(("events", "ticks"), LOADS)
@pytest.mark.parametrize("baud", RATES)
def test_the_time_computed_is_that_of_the_simulated_device(
    wired: Core, baud: int, events: list[tuple[int, int]], ticks: int
) -> None:
    wired.set_baud(25_000_000)
    wired.program(network())
    wired.set_baud(baud)
    run = wired.run(events, ticks)
    computed = run.ledger.on_hardware()
    assert computed.seconds == pytest.approx(run.ledger.device_seconds, rel=0.005)


@pytest.mark.parametrize(
    ("events", "ticks"),
    [
        ([(tick, tick % 8) for tick in range(0, 300, 3)], 300),
        ([(tick, axon) for tick in range(40) for axon in range(8)], 40),
    ],
)
def test_so_it_is_when_window_and_queues_are_full(
    wired: Core, events: list[tuple[int, int]], ticks: int
) -> None:
    wired.set_baud(12_500_000)
    wired.program(network())
    run = wired.run(events, ticks)
    # Without the window or the queue of events, requests would go out sooner by more than this.
    computed = run.ledger.on_hardware()
    assert computed.seconds == pytest.approx(run.ledger.device_seconds, rel=0.002)


def test_the_cycles_of_the_links_gateware_are_those_of_the_rtl() -> None:
    biases = [(tick, neuron, tick - 3) for tick in (0, 4, 5, 8) for neuron in range(6)]
    runs = [ran("rtl:", events, ticks) for events, ticks in LOADS]
    with connect("rtl:", params="tiny,bias_events=1") as core:
        core.program(network())
        runs += [core.run(SPARSE[:4], 12, biases=rows) for rows in (biases, biases[::6])]
    with connect("rtl:", params="tiny,probe_ranges=1,spike_queue_depth=128") as core:
        core.program(network())
        runs += [core.run(events, 60, probe={"v": range(8)}) for events in ([], SPARSE)]
    for run in runs:
        # A host that reads bytes and not frames hears the end of each burst 24 cycles late.
        late = 24 * len(run.ledger.timelines[0].requests)
        simulated = run.ledger.device_seconds * 100_000_000
        assert abs(run.ledger.on_hardware().cycles - simulated) <= 0.01 * simulated + late


@pytest.mark.parametrize("baud", RATES)
def test_the_wires_take_ten_bits_a_byte(baud: int) -> None:
    port = DesignSerial(Design(params=TINY, level="pins"))
    link = Link(port)
    link.set_baud(baud)
    engine, actual = port.engine, 100_000_000 / cycles_per_bit(100_000_000, baud)
    begun = engine.cycles
    engine.write(bytes(20))  # zeros separate nothing
    while engine.unsent:
        engine.run(1)
    out = (engine.cycles - begun) / 100_000_000  # the last byte has only begun
    assert out == pytest.approx(19 * 10 / actual, rel=0.005)
    # The second identity follows the first without a gap: the gateware is faster than the line.
    question = encode(bytes([1, 0, Opcode.IDENTIFY]))
    engine.write(question)
    times: list[int] = []
    while len(times) < 60:
        assert len(engine.read(1, 1.0)) == 1
        times.append(engine.cycles)
    back = (times[-1] - times[0]) / 100_000_000
    assert back == pytest.approx(59 * 10 / actual, rel=0.005)
    link.close()


@pytest.mark.parametrize("baud", RATES)
def test_the_wires_of_a_run_take_its_bytes(baud: int) -> None:
    with connect("model:", params="tiny") as core:
        core.program(network())
        before = core.statistics.bytes_sent + core.statistics.bytes_received
        ledger = core.run(SPARSE, 60).ledger
        octets = core.statistics.bytes_sent + core.statistics.bytes_received - before
    assert ledger.bytes_out + ledger.bytes_in == octets
    there = ledger.on_hardware(baud)
    assert there.baud is not None
    assert there.wire_seconds == pytest.approx(octets * 10 / there.baud, rel=0.005)


@pytest.mark.parametrize("apart", [0, 1])
def test_events_take_less_than_their_bytes_on_the_fastest_line(
    apart: int,
) -> None:
    release = 13  # cycles from an answer until the next frame is decoded
    with connect("model:", params="tiny") as core:
        core.program(Network(n_axons=8, n_neurons=8, threshold=np.full(8, 100)))
        alone, ticks = None, 61
        for n in range(ticks + 1):
            events = [(k * apart, k % 8 if apart else 8 * k // n) for k in range(n)]
            busy = core.run(events, ticks).ledger.on_hardware(25_000_000).busy
            alone = alone or busy
            link, wire = (busy[part] - alone[part] for part in ("link", "wire_out"))
            assert (link + release < wire) == (n > 0)


# --- the same everywhere -------------------------------------------------------------------------


@pytest.fixture
def load() -> Iterator[None]:
    """Another program that does what it can."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as program:
        yield
        program.kill()


def test_it_is_the_same_to_the_cycle_on_every_target_and_beside_any_load(
    request: pytest.FixtureRequest,
) -> None:
    quiet = [ran(url, SPARSE, 60) for url in ("model:", "rtl:", "rtl:?level=pins", "rtl+pty:")]
    request.getfixturevalue("load")
    busy = [ran(url, SPARSE, 60) for url in ("model:", "rtl:", "rtl+pty:")]
    first = quiet[0].ledger.on_hardware(1_000_000)
    assert first.latency.size
    for run in (*quiet, *busy):
        there = run.ledger.on_hardware(1_000_000)
        assert there.as_json() == first.as_json()
        for part in PARTS:
            np.testing.assert_array_equal(there.spikes[part], first.spikes[part])


# --- what it says --------------------------------------------------------------------------------


def test_the_parts_of_a_spike_are_its_latency() -> None:
    run = ran("model:", [(0, a) for a in range(8)], 4)
    there = run.ledger.on_hardware(1_000_000, 50_000_000, 0.001)
    assert all((part >= 0).all() for part in there.spikes.values())
    np.testing.assert_array_equal(there.spikes["core"], run.spike_cycles)
    np.testing.assert_array_equal(there.spikes["adapter"], 50_000)
    # At 50 cycles a bit, EVENTS with eight events came, and RUN for the ticks without any.
    first = run.spikes[:, 0] == 0
    assert set(there.spikes["wire_out"][first].tolist()) <= {500 * (3 + 4 + 32 + 4)}
    assert set(there.spikes["wire_out"][~first].tolist()) == {500 * (3 + 4 + 4)}
    assert set(there.spikes["wire_back"].tolist()) <= {500 * n for n in range(8, 257)}
    assert there.latency.max() <= there.cycles


def test_host_adapter_line_and_clock_each_count() -> None:
    ledger = ran("model:", SPARSE, 60).ledger
    alone = ledger.on_hardware()
    assert alone.baud is None
    assert alone.wire_seconds == 0.0
    slow, fast = ledger.on_hardware(115_200), ledger.on_hardware(1_000_000)
    assert slow.seconds > 5 * fast.seconds > 5 * alone.seconds
    assert ledger.on_hardware(1_000_000, round_trip=0.01).seconds > fast.seconds + 0.01
    assert ledger.on_hardware(clock_hz=50_000_000).seconds == pytest.approx(2 * alone.seconds)
    assert (slow.limited_by, alone.limited_by) == ("wire_back", "link")


def test_at_a_fixed_tick_period_ticks_begin_when_they_are_due() -> None:
    with connect("rtl:", params="tiny") as core:
        core.program(network())
        run = core.run([], 50, tick_period=10_000)
    there = run.ledger.on_hardware()
    assert 19 * 10_000 < there.cycles < 60 * 10_000
    assert there.seconds == pytest.approx(run.ledger.device_seconds, rel=0.1)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"baud": 12_000_000}, "cannot make 12000000 baud: the nearest is 12500000"),
        ({"baud": 10}, "baud must be in 1526…25000000"),
        ({"baud": "fast"}, "baud must be an integer"),
        ({"clock_hz": 0}, "clock_hz must be in 1…"),
        ({"clock_hz": 1.5}, "clock_hz must be an integer"),
        ({"round_trip": -1}, "round_trip must be in 0…10"),
        ({"round_trip": float("nan")}, "round_trip must be in 0…10"),
    ],
)
def test_what_no_hardware_can_be_is_named(arguments: dict[str, Any], named: str) -> None:
    ledger = ran("model:", [], 1).ledger
    with pytest.raises(InvalidInput, match=named):
        ledger.on_hardware(**arguments)


def test_the_rate_that_has_carried_a_run_is_none_that_a_clock_must_make() -> None:
    ledger = ran("rtl:?level=pins", SPARSE, 60).ledger  # at 25 MBd
    assert ledger.on_hardware(clock_hz=50_000_000).baud == 25_000_000
    with pytest.raises(InvalidInput, match="baud must be in"):
        ledger.on_hardware(25_000_000, 50_000_000)


def test_nothing_that_ran_takes_no_time() -> None:
    with pytest.raises(InvalidInput, match="run something"):
        Ledger.of(()).on_hardware()


# --- baud ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "late"),
    # The device behind a terminal also counts the cycles in which the host is not there yet.
    [("rtl:?level=pins", 2e-6), ("rtl+pty:", 3e-4)],
)
def test_a_rate_sets_the_simulated_line_without_a_build(url: str, late: float) -> None:
    for baud in (1_000_000, 12_500_000, None):
        ledger = ran(url, [(0, 1)], 2, baud=baud).ledger
        assert ledger.baud == pytest.approx(baud or 25_000_000, rel=0.001)
        least = ledger.on_hardware(baud or 25_000_000).seconds
        assert 0.995 * least <= ledger.device_seconds <= least + late


@pytest.mark.parametrize(
    ("url", "way_out"),
    [
        ("model:", "take rtl\\+pty: or"),
        ("rtl:", "take rtl\\+pty: or"),
        ("rtl+pty:?level=bytes", "take rtl\\+pty: or"),
        ("netlist:", "take netlist:\\?level=pins"),
        ("socket://localhost:1", "set it where the line is"),
        ("/dev/pts/12345", "set it where the line is"),
    ],
)
def test_a_rate_is_refused_where_there_is_no_line(url: str, way_out: str) -> None:
    with pytest.raises(InvalidInput, match=f"baud=9600 would have no effect.*{way_out}"):
        connect(url, baud=9600)


def test_a_rate_that_the_simulated_clock_does_not_make_is_named() -> None:
    with pytest.raises(InvalidInput, match="12500000"):
        connect("rtl:?level=pins", params="tiny", baud=12_000_000)


def test_a_session_at_a_rate_is_repeated_at_it(tmp_path: Path) -> None:
    session = tmp_path / "session.jsonl"
    first = ran("rtl:?level=pins", SPARSE, 60, baud=12_500_000, record=session)
    with connect(f"replay:{session}", baud=12_500_000) as core:
        core.program(network())
        again = core.run(SPARSE, 60)
    np.testing.assert_array_equal(again.spikes, first.spikes)
    ran("model:", SPARSE, 60, record=session)
    with pytest.raises(InvalidInput, match="no effect"):
        connect(f"replay:{session}", baud=1_000_000)


# --- commands ------------------------------------------------------------------------------------


@pytest.fixture
def net(tmp_path: Path) -> Path:
    path = tmp_path / "net.npz"
    save(path, network(), SPARSE[:5], ticks=15)
    return path


def spiketwin(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(each) for each in arguments])


def test_a_run_tells_the_rate_and_the_time_on_hardware(net: Path, tmp_path: Path) -> None:
    written = tmp_path / "figures.json"
    arguments = ("run", net, "--params", "tiny", "--json", written, "--on")
    done = spiketwin(*arguments, "rtl:?level=pins", "--baud", "5000000")
    assert done.exit_code == 0, done.output
    assert "5,000,000 baud" in done.output
    figures = json.loads(written.read_text())
    assert figures["baud"] == figures["ledger"]["hardware"]["baud"] == 5_000_000
    done = spiketwin(*arguments, "model:")
    assert "none: bytes take no time" in done.output
    figures = json.loads(written.read_text())
    assert figures["baud"] is None
    done = spiketwin(*arguments, "model:", "--baud", "9600")
    assert done.exit_code == 2
    assert "would have no effect" in done.output


def test_one_target_with_a_line_is_enough_for_a_rate(net: Path) -> None:
    both = ("compare", net, "--params", "tiny", "--on", "model:", "--on")
    assert spiketwin(*both, "rtl:?level=pins", "--baud", "12500000", "--ticks", "3").exit_code == 0
    done = spiketwin(*both, "rtl:", "--baud", "1000000")
    assert done.exit_code == 2
    assert "would have no effect" in done.output


def test_the_command_compares_software_and_hardware(net: Path, tmp_path: Path) -> None:
    written, picture = tmp_path / "latency.json", tmp_path / "latency.png"
    done = spiketwin(
        "latency", net, "--params", "tiny", "--on", "model:", "--on", "rtl:?level=pins",
        "--baud", "5M,12500000", "--clock", "50M,100M", "--json", written, "--plot", picture,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "EQUAL" in done.output
    assert "within 0.5 %" in done.output
    assert picture.read_bytes().startswith(b"\x89PNG")
    figures = json.loads(written.read_text())
    points = {(each["clock_hz"], each["asked_baud"]): each for each in figures["points"]}
    assert list(points) == [
        (c, b) for c in (50_000_000, 100_000_000) for b in (5_000_000, 12_500_000)
    ]
    for each in points.values():
        octets = each["bytes_out"] + each["bytes_in"]
        rate = each["clock_hz"] / each["cycles_per_bit"]
        assert each["wire_seconds"] == pytest.approx(octets * 10 / rate, rel=0.005)
        assert each["ticks_per_second"] > each["ticks_per_second_tick_by_tick"]
    slow, fast = (points[100_000_000, rate]["spike_latency"] for rate in (5_000_000, 12_500_000))
    assert slow["median_cycles"] > 2 * fast["median_cycles"]
    assert len(figures["beside"]) == 2
    for each in figures["beside"]:
        assert each["computed_seconds"] == pytest.approx(each["seconds"], rel=0.005)
    assert figures["software"][0]["median_latency_seconds"] > 0


def test_the_figures_of_hardware_are_those_of_the_run(net: Path, tmp_path: Path) -> None:
    points = []
    for url in ("model:", "rtl:"):
        written = tmp_path / "latency.json"
        done = spiketwin("latency", net, "--params", "tiny", "--on", url, "--json", written)
        assert done.exit_code == 0, done.output
        points.append(json.loads(written.read_text())["points"])
    assert points[0] == points[1]
    assert [point["asked_baud"] for point in points[0]] == list(RATES)


def test_the_line_limits_below_the_rate_that_is_named(net: Path, tmp_path: Path) -> None:
    written = tmp_path / "latency.json"
    arguments = ("latency", net, "--params", "tiny", "--json", written)
    assert spiketwin(*arguments).exit_code == 0
    (limit,) = json.loads(written.read_text())["limits"]
    figures = json.loads(written.read_text())["points"][0]
    others = max(figures["busy_cycles"]["core"], figures["busy_cycles"]["link"])
    octets = max(figures["bytes_out"], figures["bytes_in"])
    assert octets * 10 / limit["line_limits_below_baud"] == pytest.approx(others / 100_000_000)


def test_targets_that_differ_and_wires_that_do_not_add_up_are_failures(
    net: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Study, "wires_agree", False)
    done = spiketwin("latency", net, "--params", "tiny")
    assert done.exit_code == 1
    assert "more than 0.5 %" in done.output
    monkeypatch.undo()
    monkeypatch.setattr(Study, "equal", False)
    done = spiketwin("latency", net, "--params", "tiny", "--on", "model:", "--on", "model:")
    assert done.exit_code == 1
    assert "DIFFERENT" in done.output


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--baud", "fast"), "whole number in 9600…50000000"),
        (("--baud", "1.00001k"), "whole number"),
        (("--baud", ""), "whole number"),
        (("--clock", "0"), "whole number in 1…"),
        (("--clock", "5000M"), "whole number in 1…"),
        (("--baud", "12M"), "cannot make 12000000 baud"),
        (("--round-trip", "11"), "0.0<=x<=10.0"),
        (("--plot", "curve.svg"), "must end with .png"),
    ],
)
def test_what_the_command_cannot_do_is_named(
    net: Path, arguments: tuple[str, ...], named: str
) -> None:
    done = spiketwin("latency", net, *arguments)
    assert done.exit_code == 2
    assert named in done.output
    assert "In software" not in done.output


def test_a_network_that_never_fires_has_no_latency(tmp_path: Path) -> None:
    path, picture = tmp_path / "net.npz", tmp_path / "none.png"
    save(path, Network(n_axons=4, n_neurons=8, threshold=np.full(8, 100)), [(0, 1)], ticks=3)
    done = spiketwin("latency", path, "--baud", "1M", "--plot", picture)
    assert done.exit_code == 0, done.output
    assert picture.exists()
