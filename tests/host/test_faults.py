"""The link over a faulty line: nothing lost, nothing applied twice, no hang, quick recovery.

Time is simulated: the line's, at 1 Mbaud. What is sent changes the device at every request, so a
request lost or executed twice shows in the totals.
"""

import math
from collections.abc import Iterator

import numpy as np
import pytest
import serial
from support.channel import FAULTS, FaultyChannel
from support.ports import UnclockedPort
from support.rungs import bulk_but

from spiketwin.cosim.model.device import ModelDevice
from spiketwin.hdl.spec.params import preset
from spiketwin.hdl.spec.protocol import MAX_FETCH_WORDS, Opcode
from spiketwin.hdl.spec.registers import COUNTERS, Space
from spiketwin.host import Core, Network
from spiketwin.host.errors import CoreClosed, DeviceRestarted, LinkError, LinkLost, LinkTimeout
from spiketwin.host.exchange import Request, arguments
from spiketwin.host.link import Link

TINY = preset("tiny")
WORDS = TINY.max_words_per_tick
RECOVERY = 0.1
"""Seconds after the end of a fault by which the link works again."""

pytestmark = pytest.mark.usefixtures("simulated_targets")

TRANSACTIONS = 100_000
SHARES = {1e-3: 1.0, 3e-4: 0.2, 1e-4: 0.2}
"""Byte-error rates, and the share of the transactions made at each."""


def counters(link: Link) -> dict[str, int]:
    count = len(COUNTERS)
    data = link.request(
        Request(Opcode.READ, arguments(Opcode.READ, Space.COUNTER, 0, count), 4 * count)
    )
    return {c.name: int(v) for c, v in zip(COUNTERS, np.frombuffer(data, "<u4"), strict=True)}


def turns(count: int, words: list[bytes]) -> Iterator[Request]:
    """So many turns of three requests: an event, its tick, and the words of the tick.

    The device is as it was switched on: thresholds are 0, so that all neurons fire in every tick.
    """
    for turn in range(count):
        event = arguments(Opcode.EVENTS, turn) + bytes((0, 0, turn % 8, 0))
        yield Request(Opcode.EVENTS, event)
        yield Request(Opcode.RUN, arguments(Opcode.RUN, 1))
        yield Request(
            Opcode.FETCH,
            arguments(Opcode.FETCH, WORDS, 1 << 20),
            4 * WORDS,
            4,
            on_result=words.append,
        )


def over_a_good_line(count: int) -> list[bytes]:
    """Words of so many turns."""
    words: list[bytes] = []
    Link(FaultyChannel(UnclockedPort(TINY), seed=0)).run(turns(count, words))
    return words


@pytest.fixture(scope="module")
def expected() -> list[bytes]:
    return over_a_good_line(3000)


@pytest.mark.parametrize("error_rate", bulk_but([1e-4], SHARES))
def test_nothing_is_lost_and_nothing_applied_twice(error_rate: float) -> None:
    count = round(TRANSACTIONS * SHARES[error_rate]) // 3 + 1
    channel = FaultyChannel(UnclockedPort(TINY), seed=1, error_rate=error_rate)
    link = Link(channel)
    words: list[bytes] = []
    link.run(turns(count, words))
    channel.error_rate = 0.0
    totals = counters(link)
    assert channel.injected > count * 3 * error_rate
    assert link.statistics.bad_frames > 0
    # Each event reached its own tick, each tick was ordered once, each word came once.
    assert (totals["run_until"], totals["tick"]) == (count, count)
    assert (totals["late_events"], totals["events_queued"], totals["words_queued"]) == (0, 0, 0)
    assert words == over_a_good_line(count)


@pytest.mark.rtl
def test_the_gateware_survives_what_the_model_survives(expected: list[bytes]) -> None:
    count = 1000
    with serial.serial_for_url("rtl://?params=tiny") as port:
        # Fast, and never late for long, since every cycle of silence is simulated.
        channel = FaultyChannel(port, seed=3, error_rate=1e-3, baudrate=25_000_000, delay=0.0002)
        link = Link(channel)
        words: list[bytes] = []
        link.run(turns(count, words))
        channel.error_rate = 0.0
        totals = counters(link)
    assert link.statistics.resent > 0
    assert (totals["run_until"], totals["tick"]) == (count, count)
    assert (totals["late_events"], totals["events_queued"], totals["words_queued"]) == (0, 0, 0)
    assert words == expected[:count]


@pytest.mark.parametrize("answer", [b"", bytes(4 * MAX_FETCH_WORDS)], ids=["empty", "full"])
def test_a_device_whose_answers_lead_nowhere_ends_in_an_error(answer: bytes) -> None:
    class Useless(ModelDevice):
        def _fetch(self, words: int, wait_cycles: int) -> bytes:
            del words, wait_cycles
            return answer

    port = UnclockedPort(TINY)
    port.device = Useless(TINY)
    with pytest.raises(LinkError, match="reset it|switch it off"):
        # Full answers keep already the connecting from coming to rest.
        Core(Link(FaultyChannel(port, seed=0))).run([], ticks=3)


@pytest.mark.parametrize("fault", FAULTS)
def test_each_kind_of_fault_alone_is_survived(fault: str, expected: list[bytes]) -> None:
    channel = FaultyChannel(UnclockedPort(TINY), seed=2, error_rate=1e-3, faults=[fault])
    link = Link(channel)
    words: list[bytes] = []
    link.run(turns(3000, words))
    channel.error_rate = 0.0
    totals = counters(link)
    assert (totals["run_until"], totals["tick"], totals["late_events"]) == (3000, 3000, 0)
    assert words == expected[:3000]
    assert channel.injected > 20


@pytest.mark.parametrize("seed", range(3))
def test_a_whole_session_over_a_faulty_line_equals_one_over_a_good_line(seed: int) -> None:
    net = Network.random(8, 8, seed)
    spikes = np.argwhere(np.random.default_rng(seed).random((400, 8)) < 0.3)

    def session(error_rate: float) -> tuple[object, ...]:
        channel = FaultyChannel(UnclockedPort(TINY), seed=seed, error_rate=error_rate)
        with Core(Link(channel)) as core:
            core.program(net)
            run = core.run(spikes, 400)
            state = {name: array.tolist() for name, array in core.read_state().items()}
            assert (channel.injected > 0) == (error_rate > 0)
            assert len(run.spikes) > 400
            return (
                run.spikes.tolist(),
                run.spike_cycles.tolist(),
                run.cycles.tolist(),
                core.read_weights().tolist(),
                state,
            )

    assert session(1e-3) == session(0.0)


@pytest.mark.parametrize("seed", range(20))
def test_the_link_recovers_in_time_after_an_outage(seed: int) -> None:
    channel = FaultyChannel(UnclockedPort(preset("digits")), seed=seed)
    link = Link(channel)
    rng = np.random.default_rng(seed)
    answers: list[float] = []

    def reads() -> Iterator[Request]:
        while True:
            yield Request(
                Opcode.READ,
                arguments(Opcode.READ, Space.WEIGHT, 0, 240),
                240,
                on_result=lambda data: answers.append(channel.now),
            )

    def outage() -> Iterator[Request]:
        """Reads at wire speed, and in their midst a time in which nothing gets through."""
        requests = reads()
        for _ in range(int(rng.integers(1, 30))):
            yield next(requests)
        channel.cut_off_until = channel.now + rng.uniform(0.001, 0.3)
        for _ in range(40):
            yield next(requests)

    link.run(outage())
    end = channel.cut_off_until
    after = [at for at in answers if at >= end]
    assert after[0] - end < RECOVERY
    # And from then on the answers follow each other as fast as the line carries them.
    assert after[-1] - end < RECOVERY + 40 * 300 * 10 / channel.baudrate


@pytest.mark.parametrize("number", [5, 100, 101, 1003])
def test_a_restart_in_the_middle_of_a_transfer_is_noticed(number: int) -> None:
    port = UnclockedPort(TINY)
    channel = FaultyChannel(port, seed=0)
    link = Link(channel)
    channel.at_byte(number + 40, port.device.power_cycle)
    before = channel.now
    with pytest.raises(DeviceRestarted):
        link.run(turns(1000, []))
    assert channel.now - before < 0.2
    again = Link(channel)
    again.run(turns(10, []))
    assert counters(again)["run_until"] == 10


def test_an_adapter_pulled_out_in_the_middle_of_a_transfer_is_noticed() -> None:
    channel = FaultyChannel(UnclockedPort(TINY), seed=0)
    link = Link(channel)
    channel.at_byte(500, channel.unplug)
    with pytest.raises(LinkLost):
        link.run(turns(1000, []))


@pytest.mark.parametrize(
    ("address", "named"),
    [("/dev/ttyUSB7", "/dev/ttyUSB7: the port is gone"), ("rtl:", "rtl: the port is gone")],
)
def test_errors_name_the_device_once(address: str, named: str) -> None:
    channel = FaultyChannel(UnclockedPort(TINY), seed=0)
    link = Link(channel, address=address)
    channel.at_byte(500, channel.unplug)
    with pytest.raises(LinkLost, match=f"^{named}") as first:
        link.run(turns(1000, []))
    assert str(first.value).count(named.partition(":")[0]) == 1
    with pytest.raises(LinkLost, match=f"^{named}"):
        link.set_baud(link.baud)
    link.close()
    with pytest.raises(CoreClosed, match=f"^{named.partition(':')[0]}: the core was closed by"):
        link.run([])


def test_a_device_that_hangs_ends_in_a_timeout() -> None:
    channel = FaultyChannel(UnclockedPort(TINY), seed=0)
    link = Link(channel)
    channel.at_byte(500, lambda: setattr(channel, "cut_off_until", math.inf))
    before = channel.now
    with pytest.raises(LinkTimeout):
        link.run(turns(1000, []))
    assert channel.now - before < 2.0
    channel.cut_off_until = 0.0
    Link(channel).run(turns(0, []))


def test_faults_are_a_function_of_the_seed() -> None:
    def history(seed: int) -> tuple[int, float]:
        channel = FaultyChannel(UnclockedPort(TINY), seed=seed, error_rate=1e-3)
        Link(channel).run(turns(300, []))
        return channel.injected, channel.now

    assert history(7) == history(7)
    assert history(7) != history(8)
