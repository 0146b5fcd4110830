"""The host's end of the link's sliding-window protocol, without I/O.

It numbers requests, matches replies to them, detects losses and resends. The device executes each
request at most once, strictly in order, and keeps its last answers: it answers a repeated request
without executing it again. Two signs tell of a loss before a timeout does: the device refuses a
request because an earlier one is missing, or it answers a request while the answer to an earlier
one has not come. The host resends at once in both cases: from the missing request on (go-back-N),
or only the requests whose answers are missing (selective repeat). Only the loss of the last frame
needs a timeout.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sized
from dataclasses import dataclass
from typing import Final, NamedTuple

from spiketwin.hdl.spec.protocol import (
    REPLY_HEADER,
    REQUEST_HEADER,
    REQUESTS,
    Opcode,
    Status,
)
from spiketwin.host.errors import DeviceRestarted, Refused
from spiketwin.host.frames import DELIMITER, FrameDecoder, encode, frame_bytes

SEQUENCE_NUMBERS = 256
_DETAIL_BYTES = 4
_STATUSES: Final = tuple(Status)


class Request(NamedTuple):
    """A request, without the session and the sequence number, which the exchange adds.

    Attributes
    ----------
    payload:
        Fixed arguments and variable tail of the request.
    result_bytes:
        Bytes of the result; the most bytes if `result_item_bytes` is given.
    result_item_bytes:
        Bytes of one item, for a result of any number of items; otherwise 0.
    cycles:
        Most cycles the device takes to answer.
    on_result:
        Function that is called with the result, in the order of the requests.
    """

    opcode: Opcode
    payload: bytes = b""
    result_bytes: int = 0
    result_item_bytes: int = 0
    cycles: int = 0
    on_result: Callable[[bytes], None] | None = None

    @property
    def wire_bytes(self) -> int:
        """Most bytes that the request and its answer put on the wire."""
        answer = max(self.result_bytes, _DETAIL_BYTES)
        return frame_bytes(REQUEST_HEADER + len(self.payload)) + frame_bytes(REPLY_HEADER + answer)

    def accepts(self, result: bytes) -> bool:
        """Return whether a result has a length that is possible for this request."""
        if self.result_item_bytes:
            return len(result) <= self.result_bytes and len(result) % self.result_item_bytes == 0
        return len(result) == self.result_bytes


def arguments(opcode: Opcode, *values: int) -> bytes:
    """Return the fixed arguments of a request as bytes, laid out as in `REQUESTS`."""
    return REQUESTS[opcode].layout.pack(*values)


class Reply(NamedTuple):
    """The answer to one request; `session` is the number in its header."""

    opcode: Opcode
    session: int
    status: Status
    result: bytes

    def checked(self) -> bytes:
        """Return the result; raise `Refused` unless the status is `OK`."""
        if self.status is not Status.OK:
            raise Refused(self.opcode, self.status, int.from_bytes(self.result, "little"))
        return self.result


@dataclass(slots=True)
class _Outstanding:
    request: Request
    index: int
    seq: int
    frame: bytes
    submitted: float
    reply: Reply | None = None
    asked_again: bool = False


@dataclass
class Statistics:
    """Counts of what the link has sent, received and lost since it was opened.

    Attributes
    ----------
    requests, resent, timeouts:
        Requests submitted, frames resent, and waits that ended without an answer.
    good_frames, bad_frames, stale_replies:
        Frames received whole, frames received damaged, and whole ones that answered no outstanding
        request.
    bytes_sent, bytes_received:
        Bytes written to the port and read from it, including resent and damaged frames.
    round_trip:
        Seconds from submitting the last answered request to its answer, including its time in the
        window.
    """

    requests: int = 0
    resent: int = 0
    timeouts: int = 0
    good_frames: int = 0
    bad_frames: int = 0
    stale_replies: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    round_trip: float = 0.0


class Exchange:
    """The host's end of the link: bytes go in and out, and no method waits.

    Attributes
    ----------
    session:
        Number of the session, in the header of every request.
    """

    def __init__(self) -> None:
        self.session = 0
        self.statistics = Statistics()
        self._decoder = FrameDecoder()
        self._output = bytearray(DELIMITER)
        self._outstanding: deque[_Outstanding] = deque()
        self._next_index = 0
        self._last_refused: int | None = None

    @property
    def outstanding(self) -> Sized:
        """The requests whose replies were not taken yet; only their number is public."""
        return self._outstanding

    @property
    def oldest(self) -> Request:
        """The request whose reply is taken next."""
        return self._outstanding[0].request

    @property
    def answered(self) -> bool:
        """Whether the reply to the oldest request is there to be taken."""
        return self._outstanding[0].reply is not None

    def unanswered_bytes(self) -> int:
        """Return the bytes that all unanswered requests and their replies put on the wire."""
        return sum(o.request.wire_bytes for o in self._outstanding if o.reply is None)

    def begin(self, session: int) -> None:
        """Begin a session, in which requests are numbered from 0; no reply may be outstanding."""
        self.session = session
        self._next_index = 0
        self._last_refused = None

    def submit(self, request: Request, now: float) -> None:
        """Number a request and append its frame to the output."""
        seq = self._next_index % SEQUENCE_NUMBERS
        frame = encode(bytes((self.session, seq, request.opcode)) + request.payload)
        self._outstanding.append(_Outstanding(request, self._next_index, seq, frame, now))
        self._next_index += 1
        self._output += frame
        self.statistics.requests += 1

    def take_output(self) -> bytes:
        """Remove and return the bytes that are to be sent."""
        if not self._output:
            return b""
        output = bytes(self._output)
        self._output.clear()
        self.statistics.bytes_sent += len(output)
        return output

    def take_reply(self, now: float) -> Reply:
        """Remove the oldest request, which must be `answered`, and return its reply."""
        oldest = self._outstanding.popleft()
        if oldest.reply is None:
            raise LookupError("the oldest request has no reply yet")
        self.statistics.round_trip = now - oldest.submitted
        return oldest.reply

    def receive(self, data: bytes) -> bool:
        """Take in received bytes; return whether they answered an outstanding request.

        Raises `DeviceRestarted` if the device is in another session than this one.
        """
        if not data:
            return False
        self.statistics.bytes_received += len(data)
        bodies = self._decoder.feed(data)
        self.statistics.good_frames = self._decoder.good
        self.statistics.bad_frames = self._decoder.bad
        answered = False
        for body in bodies:
            answered = self._accept(body) or answered
        return answered

    def resend(self) -> None:
        """Append every unanswered request to the output again, as is done after a timeout."""
        self._last_refused = None
        for entry in self._outstanding:
            entry.asked_again = False
        self._send_again([entry for entry in self._outstanding if entry.reply is None])

    def _send_again(self, entries: list[_Outstanding]) -> None:
        # The zero ends a truncated frame that the device may still hold.
        self._output += DELIMITER + b"".join(entry.frame for entry in entries)
        self.statistics.resent += len(entries)

    def _accept(self, body: bytes) -> bool:
        """Attach a reply to its request; return whether it answered one."""
        entry = self._addressee(body)
        if entry is None:
            self.statistics.stale_replies += 1
            return False
        opcode = entry.request.opcode
        reply = Reply(opcode, body[0], _STATUSES[body[3]], body[REPLY_HEADER:])
        if reply.status is not Status.OK and self._out_of_turn(entry, reply):
            return False
        entry.reply = reply
        if self._last_refused is not None and entry.index <= self._last_refused:
            self._last_refused = None
        if entry is not self._outstanding[0]:
            self._mend_replies(entry)
        return True

    def _out_of_turn(self, entry: _Outstanding, reply: Reply) -> bool:
        """Return whether a refusal concerns only the number or session of a request: no answer."""
        detail = int.from_bytes(reply.result, "little")
        if reply.status is Status.WRONG_SEQUENCE:
            self._mend_request(entry, detail)
            return True
        if reply.status is not Status.WRONG_SESSION or reply.opcode is Opcode.OPEN:
            return False
        if detail == self.session:
            return True  # sent before this session began
        raise DeviceRestarted(
            f"the device is in session {detail}, not {self.session}: it lost power, was reset or "
            "was opened by another program. Connect again and program it again"
        )

    def _addressee(self, body: bytes) -> _Outstanding | None:
        """Return the unanswered request that a reply body answers; None if there is none."""
        if len(body) < REPLY_HEADER:
            return None
        session, seq, opcode, status = body[:REPLY_HEADER]
        if status >= len(_STATUSES):
            return None
        refused = status != Status.OK
        if refused and len(body) != REPLY_HEADER + _DETAIL_BYTES:
            return None
        for entry in self._outstanding:
            if entry.reply is None and entry.seq == seq and entry.request.opcode == opcode:
                any_session = opcode == Opcode.IDENTIFY or status == Status.WRONG_SESSION
                fits = refused or entry.request.accepts(body[REPLY_HEADER:])
                return entry if fits and (any_session or session == self.session) else None
        return None

    def _mend_request(self, refused: _Outstanding, expected: int) -> None:
        """Resend from the request that the device is missing on (go-back-N), once for each loss.

        The device refuses all requests after the missing one, in order. A refusal of a request that
        does not come after the last refused one means that a resent frame was lost as well.
        """
        same_loss = self._last_refused is not None and refused.index > self._last_refused
        self._last_refused = refused.index
        missing = [e for e in self._outstanding if e.reply is None]
        while missing and missing[0].seq != expected:
            missing.pop(0)
        if missing and missing[0].index < refused.index and not same_loss:
            self._send_again(missing)

    def _mend_replies(self, answered: _Outstanding) -> None:
        """Resend the requests whose replies should have come before this one (selective repeat)."""
        lost = []
        for entry in self._outstanding:
            if entry is answered:
                break
            if entry.reply is None and not entry.asked_again:
                entry.asked_again = True
                lost.append(entry)
        if lost:
            self._send_again(lost)
