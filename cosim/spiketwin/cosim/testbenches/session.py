"""Replay of a recorded session to a simulated device, which must give the recorded answers."""

from __future__ import annotations

from typing import Final

from spiketwin.cosim.testbenches.link_driver import LinkDriver
from spiketwin.cosim.testbenches.requests import unframed
from spiketwin.hdl.spec import schedule
from spiketwin.hdl.spec.params import described
from spiketwin.hdl.spec.protocol import (
    BUILD_BYTES,
    REPLY_HEADER,
    REQUEST_HEADER,
    Identity,
    Opcode,
    Status,
)
from spiketwin.host.errors import RecordingError
from spiketwin.host.frames import DELIMITER
from spiketwin.host.recording import Recording

_PATIENCE: Final = 1 << 22
"""Silence in cycles, beside the ticks of one answer, after which no byte is expected any more."""

_TICKS: Final = 64
"""Ticks after which a request that waits for words is answered: each makes at least one word."""

_CLOCK_AND_BUILD: Final = slice(REPLY_HEADER + 10, REPLY_HEADER + 14 + BUILD_BYTES)
"""Bytes of an identity with the clock and the build, which are those of the testbench here."""


def identity(session: Recording) -> Identity:
    """Return the identity of the recorded device, which includes its sizes.

    Raises
    ------
    RecordingError
        The recording holds no identity, or that of another release.
    """
    answers = b"".join(burst.data for burst in session.bursts if not burst.to_device)
    for frame in answers.split(DELIMITER):
        body = _body(frame)
        if body[2:REPLY_HEADER] == bytes([Opcode.IDENTIFY, Status.OK]):
            try:
                return Identity.unpack(body[REPLY_HEADER:])
            except ValueError as error:
                raise RecordingError(f"the recorded session is with another device: {error}") from (
                    error
                )
    raise RecordingError(
        "the recorded session does not tell the sizes of its core: record it again with `connect` "
        "or --record, which ask for them"
    )


async def play(link: LinkDriver, session: Recording) -> None:
    """Send the recorded requests, at the line rates that they set, and compare the answers.

    Each request waits for the answers before it, as in the recording, however long they took
    there. Clock and build of the device may differ from those recorded, and nothing else may.

    Parameters
    ----------
    link:
        A device that has just been powered up.
    session:
        The recording (`Recording.load`).

    Raises
    ------
    Mismatch
        An answer differs, or does not come.
    RecordingError
        The core recorded has other sizes, or the session does not contain them.
    """
    sizes = identity(session).params
    if sizes != link.params:
        raise RecordingError(
            f"the session is one with a core of other sizes: simulate --params {described(sizes)}"
        )
    player = _Player(link)
    for burst in session.bursts:
        if burst.to_device:
            await player.answered()
            player.sent += burst.data
            await link.send(burst.data)
        else:
            player.expected += burst.data
    await player.answered()
    link.scoreboard.check("bytes more than recorded", len(link.received), 0)


class _Player:
    """The bytes sent and the bytes expected whose frames have not been compared yet."""

    def __init__(self, link: LinkDriver) -> None:
        self.link = link
        self.sent = bytearray()
        self.expected = bytearray()
        self._got = bytearray()
        self._rates: dict[tuple[int, int], int] = {}
        """Requested rates in cycles per bit, by session and sequence number of the request."""
        self._rate: int | None = None
        """New rate of a granted change that has not taken effect yet, in cycles per bit."""

    async def answered(self) -> None:
        """Wait for all expected bytes, and compare each frame of them."""
        link, silent = self.link, 0
        most = _PATIENCE + _TICKS * schedule.most_cycles(link.params)
        while len(self._got) < len(self.expected) and silent < most:
            if link.received:
                silent = 0
                # Take no more than expected: a superfluous byte must not count as the next answer.
                count = len(self.expected) - len(self._got)
                self._got += link.received[:count]
                del link.received[:count]
            else:
                await link.cycles(link.byte_cycles)
                silent += link.byte_cycles
        self._note_requests()
        frames = self.expected.count(DELIMITER)
        for _ in range(frames):
            self._compare(self._take(self._got), self._take(self.expected))
        place = f"of an answer of {len(self.expected)} bytes that was recorded in part"
        link.scoreboard.check(f"bytes {place}", len(self._got), len(self.expected))
        if self._rate is not None:
            # The device changes its rate only after the stop bit of its answer.
            await link.cycles(link.byte_cycles)
            link.set_cycles_per_bit(self._rate)
            self._rate = None

    @staticmethod
    def _take(stream: bytearray) -> bytes:
        frame = bytes(stream.partition(DELIMITER)[0])
        del stream[: len(frame) + 1]
        return frame

    def _note_requests(self) -> None:
        while DELIMITER in self.sent:
            body = _body(self._take(self.sent))
            if body[2:REQUEST_HEADER] == bytes([Opcode.SET_BAUD]):
                rate = int.from_bytes(body[REQUEST_HEADER : REQUEST_HEADER + 2], "little")
                self._rates[body[0], body[1]] = rate

    def _compare(self, got: bytes, expected: bytes) -> None:
        board = self.link.scoreboard
        board.tick += 1
        wanted, answer = _body(expected), _body(got)
        if not wanted:
            # The answer was damaged on its way to the host: there is nothing to compare with.
            return
        name = Opcode(wanted[2]).name
        if wanted[2:3] == bytes([Opcode.IDENTIFY]) and len(answer) == len(wanted):
            same = bytearray(answer)
            same[_CLOCK_AND_BUILD] = wanted[_CLOCK_AND_BUILD]
            answer = bytes(same)
        board.check_vector(f"answer {board.tick} ({name})", answer, wanted, "byte")
        if wanted[2:REPLY_HEADER] == bytes([Opcode.SET_BAUD, Status.OK]):
            self._rate = self._rates.pop((wanted[0], wanted[1]), None)


def _body(frame: bytes) -> bytes:
    """Return the body of a frame; empty if the frame is damaged."""
    try:
        return unframed(frame) if frame else b""
    except ValueError:
        return b""
