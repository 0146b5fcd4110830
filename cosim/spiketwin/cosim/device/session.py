"""The device's end of the link: frames, the session, and each request once and in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from spiketwin.hdl.spec.protocol import REQUEST_HEADER, Opcode, Status
from spiketwin.host.frames import FrameDecoder, encode

# Plain integers: every request is compared with them, which members of an enumeration would slow.
_IDENTIFY, _OPEN, _OK = int(Opcode.IDENTIFY), int(Opcode.OPEN), int(Status.OK)


class Refusal(Exception):
    """The refusal of a request: `status` says why, `detail` is its 32-bit detail.

    It is sent as the answer to the request, which raises `errors.Refused` at the host.
    """

    def __init__(self, status: Status, detail: int) -> None:
        super().__init__(status, detail)
        self.status = status
        self.detail = detail


class Session:
    """The device's end of the link: takes bytes, has requests executed, and puts bytes out.

    Parameters
    ----------
    slots:
        One more than the number of answers that are kept for repetition (`CoreParams.link_slots`).
    identify:
        Returns the answer to `Opcode.IDENTIFY` from its arguments, or raises `Refusal`.
    execute:
        Carries out the request with this opcode and these arguments and returns its result, or
        raises `Refusal`. The opcode may be unknown.

    Attributes
    ----------
    output:
        Bytes to be sent; the owner removes those that it has sent.
    """

    def __init__(
        self,
        slots: int,
        identify: Callable[[bytes], bytes],
        execute: Callable[[int, bytes], bytes],
    ) -> None:
        self.output = bytearray()
        self._identify = identify
        self._execute = execute
        self._frames = FrameDecoder()
        self._short_frames = 0
        self._number = 0
        self._expected = 0
        self._answers: deque[bytes] = deque(maxlen=slots - 1)

    def receive(self, data: bytes) -> None:
        """Take bytes from the host."""
        for body in self._frames.feed(data):
            if len(body) < REQUEST_HEADER:
                self._short_frames += 1
            else:
                self._request(body)

    @property
    def frame_errors(self) -> int:
        """Frames dropped: cut, overlong, with a wrong CRC, or too short for a request."""
        return self._frames.bad + self._short_frames

    def _request(self, body: bytes) -> None:
        session, seq, opcode = body[:REQUEST_HEADER]
        arguments = body[REQUEST_HEADER:]
        if opcode == _IDENTIFY or opcode == _OPEN:
            self._greet(session, seq, opcode, arguments)
        elif session != self._number:
            self._refuse(seq, opcode, Refusal(Status.WRONG_SESSION, self._number))
        elif seq == self._expected:
            self._expected = (seq + 1) % 256
            try:
                frame = self._send(seq, opcode, self._execute(opcode, arguments))
            except Refusal as refusal:
                frame = self._refuse(seq, opcode, refusal)
            self._answers.append(frame)
        elif (behind := (self._expected - seq) % 256) <= len(self._answers):
            self.output += self._answers[-behind]
        else:
            self._refuse(seq, opcode, Refusal(Status.WRONG_SEQUENCE, self._expected))

    def _open(self, session: int, arguments: bytes) -> bytes:
        if arguments:
            raise Refusal(Status.BAD_LENGTH, len(arguments))
        if session == (self._number + 1) % 256:
            self._number = session
            self._expected = 0
            self._answers.clear()
        elif session != self._number:
            raise Refusal(Status.WRONG_SESSION, self._number)
        return b""

    def _greet(self, session: int, seq: int, opcode: int, arguments: bytes) -> None:
        """Answer a request that needs no session, or open a session."""
        try:
            if opcode == _IDENTIFY:
                result = self._identify(arguments)
            else:
                result = self._open(session, arguments)
        except Refusal as refusal:
            self._refuse(seq, opcode, refusal)
        else:
            self._send(seq, opcode, result)

    def _send(self, seq: int, opcode: int, result: bytes) -> bytes:
        frame = encode(bytes((self._number, seq, opcode, _OK)) + result)
        self.output += frame
        return frame

    def _refuse(self, seq: int, opcode: int, refusal: Refusal) -> bytes:
        head = bytes((self._number, seq, opcode, refusal.status))
        frame = encode(head + refusal.detail.to_bytes(4, "little"))
        self.output += frame
        return frame
