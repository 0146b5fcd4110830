"""The device's end of the link: frames, session, and each request once and in order."""

from __future__ import annotations

import binascii
from collections import deque
from collections.abc import Callable

from cobs import cobs

from spiketwin.hdl.spec.protocol import (
    CRC_INITIAL,
    MAX_BODY,
    MAX_FRAME,
    REQUEST_HEADER,
    Opcode,
    Status,
)

_CRC_BYTES = 2


class Refused(Exception):
    """A request is refused: `status` says why, `detail` is its 32-bit detail."""

    def __init__(self, status: Status, detail: int) -> None:
        super().__init__(status, detail)
        self.status = status
        self.detail = detail


class Link:
    """Takes bytes in, has requests executed, and puts bytes out.

    Parameters
    ----------
    slots:
        Answers remembered, less one (`CoreParams.link_slots`).
    identify:
        Gives the answer to `Opcode.IDENTIFY` from its arguments, or raises `Refused`.
    execute:
        Carries out the request with this opcode and these arguments and gives its result, or
        raises `Refused`. The opcode may be unknown.

    Attributes
    ----------
    frame_errors:
        Frames dropped: cut, overlong or with a wrong CRC.
    output:
        Bytes to be sent, which the owner takes away.
    """

    def __init__(
        self,
        slots: int,
        identify: Callable[[bytes], bytes],
        execute: Callable[[int, bytes], bytes],
    ) -> None:
        self.frame_errors = 0
        self.output = bytearray()
        self._identify = identify
        self._execute = execute
        self._input = bytearray()
        self._session = 0
        self._expected = 0
        self._answers: deque[bytes] = deque(maxlen=slots - 1)

    def receive(self, data: bytes) -> None:
        """Take bytes from the host."""
        self._input += data
        *frames, rest = self._input.split(b"\0")
        # Of a frame without an end, no more is kept than shows that it is overlong.
        self._input = rest[: MAX_FRAME + 1]
        for frame in frames:
            if frame:
                body = _unframed(bytes(frame))
                if body is None:
                    self.frame_errors += 1
                else:
                    self._request(body)

    def _request(self, body: bytes) -> None:
        session, seq, opcode = body[:REQUEST_HEADER]
        arguments = body[REQUEST_HEADER:]
        if opcode == Opcode.IDENTIFY:
            self._answer(seq, opcode, lambda: self._identify(arguments))
        elif opcode == Opcode.OPEN:
            self._answer(seq, opcode, lambda: self._open(session, arguments))
        elif session != self._session:
            self._refuse(seq, opcode, Refused(Status.WRONG_SESSION, self._session))
        else:
            self._in_order(seq, opcode, arguments)

    def _in_order(self, seq: int, opcode: int, arguments: bytes) -> None:
        behind = (self._expected - seq) % 256
        if behind == 0:
            self._expected = (self._expected + 1) % 256
            frame = self._answer(seq, opcode, lambda: self._execute(opcode, arguments))
            self._answers.append(frame)
        elif behind <= len(self._answers):
            self.output += self._answers[-behind]
        else:
            self._refuse(seq, opcode, Refused(Status.WRONG_SEQUENCE, self._expected))

    def _open(self, session: int, arguments: bytes) -> bytes:
        if arguments:
            raise Refused(Status.BAD_LENGTH, len(arguments))
        if session == (self._session + 1) % 256:
            self._session = session
            self._expected = 0
            self._answers.clear()
        elif session != self._session:
            raise Refused(Status.WRONG_SESSION, self._session)
        return b""

    def _answer(self, seq: int, opcode: int, result: Callable[[], bytes]) -> bytes:
        try:
            data = result()
        except Refused as refused:
            return self._refuse(seq, opcode, refused)
        return self._send(seq, opcode, Status.OK, data)

    def _refuse(self, seq: int, opcode: int, refused: Refused) -> bytes:
        return self._send(seq, opcode, refused.status, refused.detail.to_bytes(4, "little"))

    def _send(self, seq: int, opcode: int, status: Status, result: bytes) -> bytes:
        body = bytes((self._session, seq, opcode, status)) + result
        frame: bytes = cobs.encode(body + _crc(body)) + b"\0"
        self.output += frame
        return frame


def _crc(body: bytes) -> bytes:
    return binascii.crc_hqx(body, CRC_INITIAL).to_bytes(_CRC_BYTES, "big")


def _unframed(frame: bytes) -> bytes | None:
    """Body of a frame, its zero byte taken off; None if it is cut, overlong or corrupt."""
    try:
        data: bytes = cobs.decode(frame)
    except cobs.DecodeError:
        return None
    body, crc = data[:-_CRC_BYTES], data[-_CRC_BYTES:]
    if not REQUEST_HEADER <= len(body) <= MAX_BODY or crc != _crc(body):
        return None
    return body
