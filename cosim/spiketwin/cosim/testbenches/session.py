"""A recorded session, played to a device in the simulator, which must answer as it was answered."""

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
"""Cycles without a byte after which none is expected, beside those of the ticks of one answer."""

_TICKS: Final = 64
"""Ticks after which a request that waits for words is answered: each makes one word at least."""

_CLOCK_AND_BUILD: Final = slice(REPLY_HEADER + 10, REPLY_HEADER + 14 + BUILD_BYTES)
"""Where an identity tells the clock and the build, which are those of the testbench here."""


def identity(session: Recording) -> Identity:
    """Return the identity of the device that was recorded, its sizes among it.

    Raises
    ------
    RecordingError
        Nobody asked for it, or another release answered.
    """
    said = b"".join(burst.data for burst in session.bursts if not burst.to_device)
    for frame in said.split(DELIMITER):
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
    """Send what the host sent, at the rate of the line that it asks for, and compare the answers.

    What is sent waits for the answers that came before it, as in the recording; how long they took
    there does not count. The device may have another clock and another build, nothing else.

    Parameters
    ----------
    link:
        A device that has just been switched on.
    session:
        What passed (`Recording.load`).

    Raises
    ------
    Mismatch
        An answer differs, or does not come.
    RecordingError
        The session is one with a core of other sizes, or tells none.
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
    """What was sent and is expected, as far as it makes no whole frame yet."""

    def __init__(self, link: LinkDriver) -> None:
        self.link = link
        self.sent = bytearray()
        self.expected = bytearray()
        self._got = bytearray()
        self._rates: dict[tuple[int, int], int] = {}
        """Cycles a bit that were asked for, by session and number of the request."""
        self._rate: int | None = None
        """What a change that has been granted goes to."""

    async def answered(self) -> None:
        """Wait for all that is expected, and compare each frame of it."""
        link, silent = self.link, 0
        most = _PATIENCE + _TICKS * schedule.most_cycles(link.params)
        while len(self._got) < len(self.expected) and silent < most:
            if link.received:
                silent = 0
                # Not more than is expected, lest a byte too many be taken for the next answer.
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
            # The device is not done before the stop bit of its answer is.
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
            # Damaged on its way to the host: there is nothing that could be said again.
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
    """Body of a frame; empty if it is damaged."""
    try:
        return unframed(frame) if frame else b""
    except ValueError:
        return b""
