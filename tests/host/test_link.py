"""The link: what is lost is mended, nothing runs twice, and silence ends in a typed error."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from spiketwin.cosim.model.device import ModelDevice
from spiketwin.hdl.spec.params import CoreParams, preset
from spiketwin.hdl.spec.protocol import PROTOCOL_VERSION, Identity, Opcode, Status
from spiketwin.hdl.spec.registers import COUNTERS, Space
from spiketwin.host.errors import (
    DeviceRestarted,
    IncompatibleDevice,
    InvalidInput,
    LinkLost,
    LinkTimeout,
    Refused,
)
from spiketwin.host.exchange import Exchange, Request, arguments
from spiketwin.host.frames import FrameDecoder, encode
from spiketwin.host.link import Link
from spiketwin.host.transport import Transport

TINY = preset("tiny")
WINDOW = TINY.link_slots - 1
Filter = Callable[[int, bytes], bytes]


def unharmed(_number: int, frame: bytes) -> bytes:
    return frame


class Line(Transport):
    """A device in simulated time, and a filter for the frames of each direction by number."""

    adapter_latency = 0.0

    def __init__(self, params: CoreParams = TINY, chunk: int = 1 << 16) -> None:
        self.device = ModelDevice(params)
        self.timeout: float | None = 0.0
        self.baudrate = 1_000_000
        self.now = 0.0
        self.to_device: Filter = unharmed
        self.to_host: Filter = unharmed
        self.requests: list[bytes] = []
        self.replies: list[bytes] = []
        self.unplugged = False
        self.closed = 0
        self._chunk = chunk
        self._input = bytearray()

    def clock(self) -> float:
        return self.now

    @property
    def in_waiting(self) -> int:
        self._check()
        return min(len(self._input), self._chunk)

    def read(self, size: int = 1, /) -> bytes:
        self._check()
        if not self._input:
            self.now += self.timeout or 0.0
        data = bytes(self._input[:size])
        del self._input[:size]
        return data

    def write(self, data: bytes, /) -> int:
        self._check()
        self.now += len(data) * 10 / self.baudrate
        for frame in _frames(data):
            self.requests.append(frame)
            self.device.receive(self.to_device(len(self.requests) - 1, frame))
            for reply in _frames(self.device.drain(1 << 16)):
                self.replies.append(reply)
                self._input += self.to_host(len(self.replies) - 1, reply)
        return len(data)

    def close(self) -> None:
        self.closed += 1

    def _check(self) -> None:
        if self.unplugged:
            raise OSError("no such device")


def _frames(data: bytes) -> list[bytes]:
    return [frame + b"\0" for frame in data.split(b"\0") if frame]


def body_of(frame: bytes) -> bytes:
    return FrameDecoder().feed(frame)[0]


def lose(*numbers: int) -> Filter:
    return lambda number, frame: b"" if number in numbers else frame


def counter(link: Link, name: str) -> int:
    return read(link, Space.COUNTER, [c.name for c in COUNTERS].index(name))


def read(link: Link, space: Space, index: int) -> int:
    data = link.request(Request(Opcode.READ, arguments(Opcode.READ, space, index, 1), 4))
    return int.from_bytes(data, "little")


def ticks(count: int, results: list[bytes] | None = None) -> Iterator[Request]:
    """`RUN` of one tick so many times: what is lost or applied twice shows in `run_until`."""
    for _ in range(count):
        on_result = None if results is None else results.append
        yield Request(Opcode.RUN, arguments(Opcode.RUN, 1), on_result=on_result)


def test_each_request_is_executed_once_and_results_come_in_order() -> None:
    line = Line()
    link = Link(line)
    assert link.identity == Identity.of(TINY, link.identity.clock_hz, link.identity.build)
    link.run(ticks(600))
    assert counter(link, "run_until") == 600
    seen: list[tuple[int, bytes]] = []
    link.run(
        Request(
            Opcode.READ,
            arguments(Opcode.READ, Space.COUNTER, n % 2, 1),
            4,
            on_result=lambda data, n=n: seen.append((n, data)),  # type: ignore[misc]
        )
        for n in range(50)
    )
    assert [n for n, _ in seen] == list(range(50))
    assert all(int.from_bytes(data, "little") == 600 for n, data in seen if n % 2)
    assert (link.statistics.resent, link.statistics.timeouts) == (0, 0)
    assert link.statistics.stale_replies == 0
    assert link.statistics.bytes_received == sum(map(len, line.replies))
    assert link.statistics.bytes_sent == 1 + sum(map(len, line.requests))  # a zero before the first


@pytest.mark.parametrize("chunk", [1, 7])
def test_the_bytes_of_a_program_do_not_depend_on_how_they_arrive(chunk: int) -> None:
    def transcript(line: Line) -> tuple[list[bytes], list[bytes]]:
        link = Link(line)
        results: list[bytes] = []

        def program() -> Iterator[Request]:
            for _ in range(60):
                # The next request depends on what was answered so far.
                yield from ticks(1 + len(results) % 3, results)

        link.run(program())
        return line.requests, line.replies

    assert transcript(Line(chunk=chunk)) == transcript(Line())


def test_no_more_requests_than_the_window_are_ever_outstanding() -> None:
    line = Line()
    link = Link(line, retries=0)
    line.to_device = lambda number, frame: b""
    before = len(line.requests)
    with pytest.raises(LinkTimeout):
        link.run(ticks(50))
    assert len(line.requests) - before == WINDOW


@pytest.mark.parametrize("lost", range(2, 9))
def test_a_lost_request_is_mended_without_waiting_for_a_timeout(lost: int) -> None:
    line = Line()
    link = Link(line)
    line.to_device = lose(lost)
    results: list[bytes] = []
    link.run(ticks(20, results))
    assert (len(results), link.statistics.timeouts) == (20, 0)
    assert 1 <= link.statistics.resent <= WINDOW
    assert counter(link, "run_until") == 20


@pytest.mark.parametrize("lost", range(2, 9))
def test_a_lost_reply_is_mended_without_waiting_for_a_timeout(lost: int) -> None:
    line = Line()
    link = Link(line)
    line.to_host = lose(lost)
    results: list[bytes] = []
    link.run(ticks(20, results))
    assert (len(results), link.statistics.timeouts, link.statistics.resent) == (20, 0, 1)
    assert counter(link, "run_until") == 20


def test_a_resent_request_lost_again_is_mended_without_a_timeout_too() -> None:
    line = Line()
    link = Link(line)
    line.to_device = lose(4, 4 + WINDOW)
    link.run(ticks(30))
    assert link.statistics.timeouts == 0
    assert counter(link, "run_until") == 30


@pytest.mark.parametrize("direction", ["to_device", "to_host"])
def test_the_last_frame_lost_is_mended_after_one_timeout(direction: str) -> None:
    line = Line()
    link = Link(line)
    setattr(line, direction, lose(2))
    before = line.now
    link.run(ticks(1))
    assert (link.statistics.timeouts, link.statistics.resent) == (1, 1)
    assert line.now - before < 0.1
    setattr(line, direction, unharmed)
    assert counter(link, "run_until") == 1


@pytest.mark.parametrize("lost", [0, 1])
@pytest.mark.parametrize("direction", ["to_device", "to_host"])
def test_the_handshake_survives_losses(direction: str, lost: int) -> None:
    line = Line()
    setattr(line, direction, lose(lost))
    link = Link(line)
    link.run(ticks(9))
    assert counter(link, "run_until") == 9


def test_doubled_frames_are_harmless_in_both_directions() -> None:
    line = Line()
    link = Link(line)
    line.to_device = line.to_host = lambda number, frame: frame * 2
    link.run(ticks(300))
    assert counter(link, "run_until") == 300
    assert link.statistics.stale_replies > 0


def test_a_cut_frame_does_not_swallow_the_next() -> None:
    line = Line()
    link = Link(line)
    line.to_device = lambda number, frame: frame[:-3] if number % 5 == 0 else frame
    link.run(ticks(100))
    line.to_device = unharmed
    assert counter(link, "run_until") == 100


def test_late_answers_of_an_earlier_session_are_ignored() -> None:
    line = Line()
    first = Link(line)
    first.run(ticks(3))
    stale = list(line.replies)
    second = Link(line)
    line.to_host = lambda number, frame: b"".join(stale) + frame
    second.run(ticks(4))
    line.to_host = unharmed
    assert counter(second, "run_until") == 7


def test_silence_ends_in_a_timeout_that_says_what_to_do() -> None:
    line = Line()
    link = Link(line, retries=3)
    line.to_device = lambda number, frame: b""
    before = line.now
    with pytest.raises(LinkTimeout, match=r"RUN in 4 tries: check the cable.*baud"):
        link.run(ticks(1))
    assert link.statistics.timeouts == 4
    assert line.now - before < 0.1
    line.to_device = unharmed
    link.run(ticks(1))  # the line is back: what was outstanding is finished first
    assert counter(link, "run_until") == 2


def test_nobody_there_is_a_timeout_too() -> None:
    line = Line()
    line.to_device = lambda number, frame: b""
    with pytest.raises(LinkTimeout, match="IDENTIFY"):
        Link(line, retries=2)


def test_endless_noise_is_no_answer() -> None:
    line = Line()
    link = Link(line, retries=2)

    class Noise(Line):
        def read(self, size: int = 1, /) -> bytes:
            self.now += size * 10 / self.baudrate
            return b"\x55" * size

    line.__class__ = Noise
    with pytest.raises(LinkTimeout):
        link.run(ticks(1))


def test_a_port_that_vanishes_is_lost() -> None:
    line = Line()
    link = Link(line)

    def program() -> Iterator[Request]:
        yield from ticks(10)
        line.unplugged = True
        yield from ticks(10)

    with pytest.raises(LinkLost, match="Plug it in"):
        link.run(program())


def test_a_device_that_restarts_is_noticed_and_can_be_connected_to_again() -> None:
    line = Line()
    link = Link(line)

    def program() -> Iterator[Request]:
        yield from ticks(10)
        line.device.power_cycle()
        yield from ticks(10)

    with pytest.raises(DeviceRestarted, match="program it again"):
        link.run(program())
    again = Link(line)
    again.run(ticks(2))
    assert counter(again, "run_until") == 2


def test_another_host_takes_the_session_over() -> None:
    line = Line()
    first = Link(line)
    Link(line)
    with pytest.raises(DeviceRestarted, match="another program"):
        first.run(ticks(1))


def test_sessions_wrap_and_never_are_the_one_of_a_fresh_device() -> None:
    line = Line()
    for _ in range(300):
        Link(line)
        assert body_of(line.replies[-1])[0] != 0
    link = Link(line)
    link.run(ticks(1))
    assert counter(link, "run_until") == 1


def test_a_refusal_carries_what_the_device_said_and_leaves_the_link_usable() -> None:
    link = Link(Line())
    with pytest.raises(Refused, match=r"RUN: BAD_VALUE \(0\). A value out of range") as refusal:
        link.run([*ticks(3), Request(Opcode.RUN, arguments(Opcode.RUN, 0)), *ticks(3)])
    assert (refusal.value.opcode, refusal.value.status) == (Opcode.RUN, Status.BAD_VALUE)
    assert refusal.value.detail == 0
    link.run(ticks(1))
    assert counter(link, "run_until") == 7


def test_a_program_broken_off_leaves_the_link_usable() -> None:
    link = Link(Line())

    def program() -> Iterator[Request]:
        yield from ticks(5)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        link.run(program())
    link.run(ticks(5))
    assert counter(link, "run_until") == 10


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": PROTOCOL_VERSION + 1}, f"speaks protocol {PROTOCOL_VERSION + 1}"),
        ({"params_digest": 1}, "sizes of the device"),
        ({"map_digest": 1}, "register map of the device"),
        ({"clock_hz": 0}, "clock of 0 Hz"),
        ({"params": None}, "sizes no core can have"),
    ],
)
def test_an_incompatible_device_is_refused_and_only_asked(
    change: dict[str, Any], message: str
) -> None:
    line = Line()

    def answer(_number: int, frame: bytes) -> bytes:
        body = body_of(frame)
        data = bytearray(dataclasses.replace(Identity.unpack(body[4:]), **change).pack())
        return encode(body[:4] + bytes(data))

    if change == {"params": None}:
        first = 4 + 30  # behind the header of the reply, the digests, the clock and the build

        def no_sizes(_number: int, frame: bytes) -> bytes:
            body = body_of(frame)
            return encode(body[:first] + b"\xff" * 4 + body[first + 4 :])

        line.to_host = no_sizes
    else:
        line.to_host = answer
    with pytest.raises(IncompatibleDevice, match=message):
        Link(line)
    assert {body_of(frame)[2] for frame in line.requests} == {Opcode.IDENTIFY}


def test_the_rate_is_changed_at_both_ends_and_changed_back_at_the_end() -> None:
    line = Line()
    link = Link(line)
    hz = link.identity.clock_hz
    assert link.set_baud(2_000_000) == hz // round(hz / 2_000_000)
    assert line.baudrate == 2_000_000
    link.close()
    assert (line.baudrate, line.closed) == (1_000_000, 1)
    spoken = [body_of(frame) for frame in line.requests]
    rates = [int.from_bytes(b[3:5], "little") for b in spoken if b[2] == Opcode.SET_BAUD]
    assert rates == [round(hz / 2_000_000), round(hz / 1_000_000)]


def test_closing_a_dead_link_closes_the_port() -> None:
    line = Line()
    link = Link(line)
    link.set_baud(2_000_000)
    line.unplugged = True
    link.close()
    assert line.closed == 1


def test_a_rate_the_line_does_not_carry_is_given_up() -> None:
    line = Line()
    link = Link(line, retries=3)
    line.to_device = lambda number, frame: frame if line.baudrate == 1_000_000 else b""
    with pytest.raises(LinkTimeout, match="does not carry 3000000 baud"):
        link.set_baud(3_000_000)
    assert line.baudrate == 1_000_000
    link.run(ticks(2))
    assert counter(link, "run_until") == 2


def test_a_rate_the_device_cannot_make_is_refused() -> None:
    link = Link(Line())
    for baud in (0, -1, 10, link.identity.clock_hz):
        with pytest.raises(InvalidInput, match="baud must be in"):
            link.set_baud(baud)


def test_a_reply_must_match_session_number_opcode_and_length() -> None:
    exchange = Exchange()
    exchange.begin(5)
    exchange.submit(Request(Opcode.STOP, result_bytes=4), now=0.0)
    for wrong in ((4, 0, 9, 0), (5, 1, 9, 0), (5, 0, 8, 0), (5, 0, 9, 99)):
        assert not exchange.receive(encode(bytes(wrong) + bytes(4)))
    for short in ((5, 0, 9), (5, 0, 9, 0), (5, 0, 9, 0, 1, 2, 3), (5, 0, 9, 3)):
        assert not exchange.receive(encode(bytes(short)))
    assert exchange.statistics.stale_replies == 8
    assert not exchange.answered
    assert exchange.receive(encode(bytes((5, 0, 9, 0)) + bytes(4)))
    assert exchange.take_reply(now=0.5).checked() == bytes(4)
    assert exchange.statistics.round_trip == 0.5


def test_only_another_session_than_ours_means_a_restart() -> None:
    exchange = Exchange()
    exchange.begin(5)
    exchange.submit(Request(Opcode.STOP, result_bytes=4), now=0.0)
    refusal = bytes((4, 0, Opcode.STOP, Status.WRONG_SESSION))
    assert not exchange.receive(encode(refusal + (5).to_bytes(4, "little")))
    assert not exchange.answered
    with pytest.raises(DeviceRestarted, match="in session 4, not 5"):
        exchange.receive(encode(refusal + (4).to_bytes(4, "little")))


def test_one_loss_is_answered_by_one_resend() -> None:
    """All requests behind a lost one are refused; only the first refusal may count."""
    exchange = Exchange()
    exchange.begin(1)
    exchange.take_output()
    for _ in range(WINDOW):
        exchange.submit(Request(Opcode.STOP), now=0.0)
    exchange.take_output()
    for seq in range(1, WINDOW):
        exchange.receive(encode(bytes((1, seq, Opcode.STOP, Status.WRONG_SEQUENCE)) + bytes(4)))
    assert exchange.statistics.resent == WINDOW
    assert exchange.take_output()[:1] == b"\0"
