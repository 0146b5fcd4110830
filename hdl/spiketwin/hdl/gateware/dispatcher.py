"""Executes requests: one frame after the other, each in the steps below.

::

    AWAIT FRAME ─► HEADER ─► ADMIT ─► (states of the request) ─► ANSWER ─► REPLY ─► (results) ─►
                               └─► REPEAT                         RELEASE ─► AWAIT FRAME

*Admit* looks at session, sequence number, opcode and length. A request that names many items walks
over them first to check and then to apply, so that it is applied as a whole or not at all. Any
state may refuse: the reply then carries the status and its detail, a word. Whatever was executed or
refused under a sequence number stays in its reply slot. Header and arguments are not copied: they
are read from the frame, byte by byte, as often as they are needed.

What is checked, the first failure being the answer:

1. `IDENTIFY` and `OPEN`: length, then for `OPEN` the session.
2. The session, the sequence number, the opcode, the length (of `WRITE`, the fixed arguments).
3. The space; read-only; busy; the range of the elements; their length. The room for events.
4. Item by item: its value, its order, that it is not late. The spare bits after the last one.
"""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spiketwin.hdl.gateware.datapath import Datapath
from spiketwin.hdl.gateware.elements import Elements
from spiketwin.hdl.gateware.events import Events
from spiketwin.hdl.gateware.framing import APPENDIX, ARGUMENTS, HEADER, BodyByte, FrameSignature
from spiketwin.hdl.gateware.interface import CoreSignature
from spiketwin.hdl.gateware.lookup import add_lookup, number
from spiketwin.hdl.gateware.uart import RATE_WIDTH
from spiketwin.hdl.gateware.validate import OPCODE_WIDTH, RequestTable
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.protocol import (
    MAX_FETCH_WORDS,
    MIN_CYCLES_PER_BIT,
    REPLY_HEADER,
    REQUESTS,
    WORD_BYTES,
    Opcode,
    Status,
)
from spiketwin.hdl.spec.registers import DAMAGE_WIDTH, ClearMask

_START = 1
"""Where the start lies among the arguments of `READ` and `WRITE`."""

_LOOKED_AT = {
    Status.BAD_LENGTH: "given",
    Status.BUSY: "tick",
    Status.QUEUE_FULL: "room",
    Status.WRONG_SESSION: "session",
    Status.WRONG_SEQUENCE: "expected",
}
"""The details of refusals; that of another status is an index, or lies in the frame."""

_IN_FRAME = {
    Status.BAD_OPCODE: (HEADER + 2, 1),
    Status.BAD_SPACE: (ARGUMENTS, 1),
    Status.READ_ONLY: (ARGUMENTS, 1),
    Status.BAD_RANGE: (ARGUMENTS + _START, WORD_BYTES),
}
"""Address and bytes of the details that lie in the frame."""


class Dispatcher(wiring.Component):
    """The link's master: frames in, operations on the core, bodies of answers out.

    Parameters
    ----------
    params:
        Sizes of the core.
    identity_bytes:
        Length of the identity, which lies in the appendix of the frame buffer.

    Members
    -------
    frame:
        The request.
    core:
        What it works on.
    slot, reply, repeat, replies_sent:
        The reply slots, and whether nothing is left in them or on the line.
    rate_stb, rate:
        Out, from now on the line has this rate.
    frame_errors, rx_overflows:
        In, the counters that the link keeps.
    """

    frame: wiring.PureInterface
    core: wiring.PureInterface
    slot: Signal
    reply: stream.Interface
    repeat: stream.Interface
    replies_sent: Signal
    rate_stb: Signal
    rate: Signal
    frame_errors: Signal
    rx_overflows: Signal

    def __init__(self, params: CoreParams, identity_bytes: int) -> None:
        self.params = params
        self.identity_bytes = identity_bytes
        slots = range(params.link_slots)
        super().__init__(
            {
                "frame": In(FrameSignature()),
                "core": In(CoreSignature(params)),
                "slot": Out(slots),
                "reply": Out(stream.Signature(BodyByte)),
                "repeat": Out(stream.Signature(slots)),
                "replies_sent": In(1),
                "rate_stb": Out(1),
                "rate": Out(RATE_WIDTH),
                "frame_errors": In(DAMAGE_WIDTH),
                "rx_overflows": In(DAMAGE_WIDTH),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        self._path = path = Datapath(self.params, self.core, self.frame, self.reply)
        self._elements = Elements(m, path)
        self._events = Events(path)
        m.submodules.table = self._table = RequestTable()
        # What lasts.
        self._session = Signal(8)
        self._expected = Signal(8)
        self._stored = Signal(range(self.params.link_slots))  # answers that can be repeated
        self._run_until = Signal(32)
        self._words_left = Signal()  # for the answer to a `FETCH`
        path.connect(m)
        m.d.comb += [
            self._table.opcode.eq(path.opcode),
            self._table.given.eq(self.frame.given),
            self.core.run_until.eq(self._run_until),
            self.slot.eq(self._expected),
            self.rate.eq(path.word[32 - RATE_WIDTH :]),
        ]
        self._lookup(m)
        with m.FSM(name="request"):
            self._admission(m)
            self._elements.states(m)
            self._events.states(m)
            self._runs(m)
            self._fetching(m)
            self._rate_change(m)
            self._replies(m)
            self._results(m)
        return m

    def _lookup(self, m: Module) -> None:
        path, core = self._path, self.core
        with m.Switch(path.status):
            with m.Case(Status.OK), m.Switch(path.opcode):
                with m.Case(Opcode.READ):
                    m.d.comb += path.looked_at.eq(self._elements.column)
                with m.Case(Opcode.FETCH):
                    m.d.comb += path.looked_at.eq(number("word"))
                with m.Case(Opcode.STOP):
                    m.d.comb += path.looked_at.eq(number("tick"))
                with m.Default():
                    m.d.comb += path.looked_at.eq(number("run_until"))
            for status, name in _LOOKED_AT.items():
                with m.Case(status):
                    m.d.comb += path.looked_at.eq(number(name))
            with m.Default():
                m.d.comb += path.looked_at.eq(number("index"))
        values = {
            "tick": core.tick,
            "run_until": self._run_until,
            "cycles_low": core.cycles[:32],
            "cycles_high": core.cycles[32:],
            "missed_deadlines": core.missed_deadlines,
            "late_events": core.late_events,
            "muted_ticks": core.muted_ticks,
            "pending_groups": core.pending_groups,
            "events_queued": core.event_level,
            "words_queued": core.word_level,
            "frame_errors": self.frame_errors,
            "rx_overflows": self.rx_overflows,
            "word": core.words.payload,
            "index": path.index,
            "given": self.frame.given,
            "room": self._events.room,
            "session": self._session,
            "expected": self._expected,
        }
        add_lookup(m, values, path.looked_at, path.step, path.looked_up)

    # --- header, session, sequence ------------------------------------------------------------

    def _admission(self, m: Module) -> None:
        path, frame, table = self._path, self.frame, self._table
        byte = frame.bytes.payload
        same_session, next_session = Signal(), Signal()
        in_order, repeated = Signal(), Signal()
        behind = Signal(8)
        m.d.comb += behind.eq(Mux(path.step[0], self._expected, self._session) - byte)
        with m.State("AWAIT FRAME"):
            path.rewind(m)
            m.d.comb += frame.address.eq(HEADER)
            m.d.sync += [path.status.eq(Status.OK), path.sequenced.eq(0), path.walk.eq(0)]
            with m.If(frame.valid):
                m.next = "HEADER"
        with m.State("HEADER"), m.If(path.take_byte(m)):
            path.next_step(m)
            with m.Switch(path.step):
                with m.Case(0):
                    m.d.sync += [same_session.eq(behind == 0), next_session.eq(behind.all())]
                with m.Case(1):
                    m.d.sync += [
                        in_order.eq(behind == 0),
                        repeated.eq(behind <= self._stored),
                        self.repeat.payload.eq(byte),
                    ]
                with m.Default():
                    unknown = byte[OPCODE_WIDTH:].any()
                    m.d.sync += path.opcode.eq(byte | unknown.replicate(OPCODE_WIDTH))
                    m.d.comb += path.restart_stb.eq(1)
                    m.next = "ADMIT"
        with m.State("ADMIT"):
            with m.If(path.opcode == Opcode.IDENTIFY):
                path.answer(m)
                with m.If(~table.length_ok):
                    path.refuse(m, Status.BAD_LENGTH)
            with m.Elif(path.opcode == Opcode.OPEN):
                path.answer(m)
                with m.If(~table.length_ok):
                    path.refuse(m, Status.BAD_LENGTH)
                with m.Elif(next_session):
                    m.d.sync += [
                        self._session.eq(self._session + 1),
                        self._expected.eq(0),
                        self._stored.eq(0),
                    ]
                with m.Elif(~same_session):
                    path.refuse(m, Status.WRONG_SESSION)
            with m.Elif(~same_session):
                path.refuse(m, Status.WRONG_SESSION)
            with m.Elif(~in_order):
                m.next = "REPEAT"
                with m.If(~repeated):
                    path.refuse(m, Status.WRONG_SEQUENCE)
            with m.Else():
                m.d.sync += path.sequenced.eq(1)
                with m.If(~table.known):
                    path.refuse(m, Status.BAD_OPCODE)
                with m.Elif(~table.length_ok):
                    path.refuse(m, Status.BAD_LENGTH)
                with m.Else():
                    self._execute(m)
        with m.State("REPEAT"):
            m.d.comb += self.repeat.valid.eq(1)
            with m.If(self.repeat.ready):
                m.next = "RELEASE"

    def _execute(self, m: Module) -> None:
        """Begin what the opcode asks for."""
        m.d.sync += self._events.room.eq(self.params.event_queue_depth - self.core.event_level)
        with m.Switch(self._path.opcode):
            with m.Case(Opcode.RESET, Opcode.STOP):
                m.next = "STOPPING"
            with m.Case(Opcode.CLEAR):
                m.next = "CLEAR"
            with m.Case(Opcode.READ, Opcode.WRITE):
                m.next = "BLOCK"
            with m.Case(Opcode.EVENTS):
                m.next = "ROOM"
            with m.Case(Opcode.RUN):
                m.next = "ADD TICKS"
            with m.Case(Opcode.FETCH):
                m.next = "WORDS"
            with m.Case(Opcode.SET_BAUD):
                m.next = "RATE"

    # --- RUN, STOP, RESET, CLEAR ------------------------------------------------------------------

    def _runs(self, m: Module) -> None:
        path, core = self._path, self.core
        byte = self.frame.bytes.payload
        some = Signal()  # a number of ticks that is not 0
        m.d.comb += core.clear_mask.eq(byte)
        with m.State("ADD TICKS"):
            m.d.comb += path.from_lookup.eq(1)
            with m.If(path.settled):
                path.shift_in(m)
                m.d.comb += path.shift_stb.eq(path.take_byte(m))
            with m.If(path.shift_stb):
                path.next_step(m)
                m.d.sync += [
                    path.carry.eq(path.sum[8]),
                    some.eq(byte.any() | (some & (path.step != 0))),
                ]
                with m.If(path.step == WORD_BYTES - 1):
                    m.next = "RUN"
        with m.State("RUN"):
            with m.If(~some | path.carry):
                path.refuse(m, Status.BAD_VALUE)
            with m.Else():
                m.d.sync += self._run_until.eq(path.word)
                path.answer(m)
        with m.State("STOPPING"):
            m.d.comb += core.stop.eq(1)
            with m.If(core.idle):
                m.d.sync += self._run_until.eq(core.tick)
                path.answer(m)
                with m.If(path.opcode == Opcode.RESET):
                    m.d.comb += [
                        core.reset_stb.eq(1),
                        core.clear_stb.eq(1),
                        core.clear_mask.eq(~ClearMask(0)),
                    ]
                    m.d.sync += [self._run_until.eq(0), self._events.any_queued.eq(0)]
                    m.next = "CLEARING"
        with m.State("CLEAR"), m.If(self.frame.bytes.valid):
            with m.If(~core.idle):
                path.refuse(m, Status.BUSY)
            with m.Elif(byte[len(ClearMask) :].any()):
                path.refuse(m, Status.BAD_VALUE)
            with m.Else():
                m.d.comb += core.clear_stb.eq(1)
                m.next = "CLEARING"
        with m.State("CLEARING"), m.If(core.idle):
            path.answer(m)

    # --- FETCH, SET_BAUD --------------------------------------------------------------------------

    def _fetching(self, m: Module) -> None:
        path, core = self._path, self.core
        wanted = path.count[:8]
        enough = Signal()
        m.d.comb += enough.eq(core.word_level >= wanted)
        with m.State("WORDS"), m.If(path.take_byte(m)):
            path.next_step(m)
            with m.If(path.step == 0):
                m.d.sync += path.count.eq(self.frame.bytes.payload)
            with m.Else():
                path.shift_in(m)
            with m.If(path.step == WORD_BYTES):
                m.d.comb += path.restart_stb.eq(1)
                m.next = "AWAIT WORDS"
                with m.If((wanted == 0) | (wanted > MAX_FETCH_WORDS)):
                    path.refuse(m, Status.BAD_VALUE)
        with m.State("AWAIT WORDS"):
            # Once around the word takes four cycles, and takes four from what is left to wait.
            around = path.step == WORD_BYTES - 1
            m.d.comb += [path.from_word.eq(1), path.shift_stb.eq(1)]
            m.d.comb += [path.fill.eq(1), path.fill_low.eq(path.step != 0)]
            path.next_step(m)
            m.d.sync += path.carry.eq(path.sum[8])
            with m.If(around):
                m.d.comb += path.restart_stb.eq(1)
                m.d.sync += path.carry.eq(0)
            with m.If(enough | core.idle | (around & ~path.sum[8])):
                m.d.sync += self._words_left.eq(core.word_level != 0)
                path.answer(m)

    def _rate_change(self, m: Module) -> None:
        path = self._path
        with m.State("RATE"), m.If(path.take_byte(m)):
            path.next_step(m)
            path.shift_in(m)
            with m.If(path.step == REQUESTS[Opcode.SET_BAUD].argument_bytes - 1):
                m.next = "JUDGE RATE"
        with m.State("JUDGE RATE"):
            path.answer(m)
            with m.If(self.rate < MIN_CYCLES_PER_BIT):
                path.refuse(m, Status.BAD_VALUE)
        with m.State("CHANGE RATE"), m.If(self.replies_sent):
            # This answer has left at the old rate.
            m.d.comb += self.rate_stb.eq(1)
            m.next = "RELEASE"

    # --- answers --------------------------------------------------------------------------------

    def _replies(self, m: Module) -> None:
        """Header of a reply; request number and opcode are those of the frame."""
        path, reply = self._path, self.reply
        nothing = Signal()  # follows
        more = path.opcode.matches(Opcode.IDENTIFY, Opcode.READ, Opcode.STOP)
        more |= (path.opcode == Opcode.FETCH) & self._words_left
        m.d.comb += nothing.eq((path.status == Status.OK) & ~more)
        with m.State("ANSWER"):
            path.seek(m, HEADER + 1)
            m.d.comb += path.restart_stb.eq(1)
            m.d.sync += path.carry.eq(0)
            m.next = "REPLY"
        with m.State("REPLY"):
            m.d.comb += reply.valid.eq(1)
            with m.Switch(path.step[:2]):
                with m.Case(0):
                    m.d.comb += reply.payload.byte.eq(self._session)
                with m.Case(REPLY_HEADER - 1):
                    m.d.comb += reply.payload.byte.eq(path.status)
                with m.Default():
                    self._send_frame(m)
            with m.If(reply.valid & reply.ready):
                path.next_step(m)
                with m.If(path.step == REPLY_HEADER - 1):
                    m.d.comb += reply.payload.last.eq(nothing)
                    m.d.comb += path.restart_stb.eq(1)
                    self._begin_result(m, nothing)

    def _send_frame(self, m: Module) -> None:
        m.d.comb += [
            self.reply.valid.eq(self.frame.bytes.valid),
            self.reply.payload.byte.eq(self.frame.bytes.payload),
            self.frame.bytes.ready.eq(self.reply.ready),
        ]

    def _begin_result(self, m: Module, nothing: Signal) -> None:
        path = self._path
        path.seek(m, APPENDIX)
        with m.Switch(path.status):
            with m.Case(Status.OK), m.Switch(path.opcode):
                with m.Case(Opcode.IDENTIFY):
                    m.d.comb += path.first_stb.eq(1)
                    m.next = "SEND IDENTITY"
                with m.Case(Opcode.READ):
                    m.next = "LOAD"
                with m.Case(Opcode.SET_BAUD):
                    m.next = "CHANGE RATE"
                with m.Case(Opcode.FETCH, Opcode.STOP):
                    path.look(m)
                    with m.If(nothing):
                        m.next = "RELEASE"
                with m.Default():
                    m.next = "RELEASE"
            for status, (address, _) in _IN_FRAME.items():
                with m.Case(status):
                    path.seek(m, address)
                    m.next = "COPY"
            with m.Default():
                path.look(m)

    def _results(self, m: Module) -> None:
        path, core, reply = self._path, self.core, self.reply
        with m.State("SEND IDENTITY"):
            self._send_frame(m)
            m.d.comb += reply.payload.last.eq(path.index == self.identity_bytes - 1)
            with m.If(reply.valid & reply.ready):
                m.d.comb += path.next_stb.eq(1)
                with m.If(reply.payload.last):
                    m.next = "RELEASE"
        with m.State("COPY"), m.If(path.take_byte(m)):
            m.d.comb += path.shift_stb.eq(1)
            path.next_step(m)
            with m.If((path.step == 0) | (path.status == Status.BAD_RANGE)):
                path.shift_in(m)
            with m.If(path.step == WORD_BYTES - 1):
                m.d.comb += path.restart_stb.eq(1)
                m.next = "SEND WORD"
        with m.State("LOOK"):
            # What changed within the four bytes is read again until it does not.
            m.d.comb += [path.from_lookup.eq(1), path.shift_stb.eq(path.settled)]
            with m.If(path.settled):
                path.next_step(m)
                m.d.sync += path.changed.eq(path.changed | path.differs)
                with m.If(path.step == WORD_BYTES - 1):
                    m.d.comb += path.restart_stb.eq(1)
                    m.d.sync += path.changed.eq(0)
                    with m.If(~path.changed & ~path.differs):
                        m.next = "SEND WORD"
                        with m.If((path.opcode == Opcode.READ) & (path.status == Status.OK)):
                            m.next = "SEND ELEMENT"
        with m.State("SEND WORD"):
            over = path.step == WORD_BYTES - 1
            last = (path.opcode != Opcode.FETCH) | (path.status != Status.OK) | path.final
            last |= core.word_level == 1
            with m.If(path.send_word(m, last & over) & over):
                m.d.comb += path.next_stb.eq(1)
                m.d.comb += core.words.ready.eq(
                    (path.opcode == Opcode.FETCH) & (path.status == Status.OK)
                )
                path.look(m)
                with m.If(last):
                    m.next = "RELEASE"
        with m.State("RELEASE"):
            m.d.comb += self.frame.release_stb.eq(1)
            with m.If(path.sequenced):
                m.d.sync += self._expected.eq(self._expected + 1)
                with m.If(self._stored != self.params.link_slots - 1):
                    m.d.sync += self._stored.eq(self._stored + 1)
            m.next = "AWAIT FRAME"
