"""Executes requests: one frame after the other, each in the steps below.

::

    AWAIT FRAME ─► HEADER ─► ADMIT ─► ARGUMENTS ─► EXECUTE ─► (states of the request) ─► REPLY ─►
                               └─► REPEAT             (results) ─► RELEASE ─► AWAIT FRAME

*Admit* looks at session, sequence number, opcode and length; *Execute* begins what the opcode asks
for. A request that names many items walks over them twice: once to check, once to apply, so that it
is applied as a whole or not at all. Any state may refuse: the reply then carries the status and its
detail, a word. Whatever was executed or refused under a sequence number stays in its reply slot.

What is checked, the first failure being the answer:

1. `IDENTIFY` and `OPEN`: length, then for `OPEN` the session.
2. The session, the sequence number, the opcode, the length (of `WRITE`, the fixed arguments).
3. The space; read-only; busy; the range of the elements; their length. The room for events.
4. Item by item: its value, its order, that it is not late. The spare bits after the last one.
"""

from __future__ import annotations

import enum

from amaranth.hdl import Cat, Module, Mux, Signal, Value, ValueLike
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from spiketwin.hdl.gateware.elements import WORD, ElementFormat, ElementReader, ElementWriter
from spiketwin.hdl.gateware.framing import APPENDIX, BodyByte, FrameSignature
from spiketwin.hdl.gateware.interface import CoreSignature, event_layout
from spiketwin.hdl.gateware.uart import RATE_WIDTH
from spiketwin.hdl.gateware.validate import (
    RequestTable,
    SpaceTable,
    ValueCheck,
    pending_entry,
    space_layout,
)
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.protocol import (
    MAX_ELEMENT_BYTES,
    MAX_FETCH_WORDS,
    MIN_CYCLES_PER_BIT,
    REPLY_HEADER,
    REQUEST_HEADER,
    REQUESTS,
    Opcode,
    Status,
)
from spiketwin.hdl.spec.registers import COUNTERS, ClearMask, Space, registers

_ITEM_WIDTH = (8 * MAX_ELEMENT_BYTES).bit_length()


class _Result(enum.IntEnum):
    """What follows the header of a reply."""

    NOTHING = 0
    DETAIL = 1
    IDENTITY = 2
    ELEMENTS = 3
    WORDS = 4


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
                "frame_errors": In(32),
                "rx_overflows": In(32),
            }
        )
        # The request.
        self._session_asked = Signal(8)
        self._seq = Signal(8)
        self._opcode = Signal(8)
        self._given = Signal(8)  # bytes after the header
        self._arguments = Signal(8 * max(r.argument_bytes for r in REQUESTS.values()))
        self._sequenced = Signal()
        # The walk over its items: elements, events or words.
        self._items = Signal(_ITEM_WIDTH)
        self._index = Signal(_ITEM_WIDTH)
        self._final = Signal()
        self._failed = Signal()
        self._applying = Signal()
        self._row = Signal(12)
        self._column = Signal(12)
        self._space = Signal(space_layout(params))
        # The answer.
        self._status = Signal(Status)
        self._detail = Signal(max(_ITEM_WIDTH, len(self.core.event_level)))
        self._detail_word = Signal(32)
        self._result = Signal(_Result)
        self._format = Signal(ElementFormat)
        self._counter = Signal(32)
        # What lasts.
        self._session = Signal(8)
        self._expected = Signal(8)
        self._stored = Signal(slots)  # answers of this session that can be repeated
        self._run_until = Signal(32)
        self._free_running = Signal(init=1)
        self._any_queued = Signal()  # events since the last reset

        # A number of ticks from the request, added to where it counts from.
        self._addend = Signal(32)
        self._sum = Signal(33)
        self._total = Signal(33)

        self._table = RequestTable()
        self._reader = ElementReader()
        self._writer = ElementWriter()
        self._check = ValueCheck(params)

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.submodules.table = table = self._table
        m.submodules.reader = reader = self._reader
        m.submodules.writer = writer = self._writer
        m.submodules.check = check = self._check
        core, frame = self.core, self.frame
        m.d.comb += [
            self._sum.eq(self._argument(Opcode.RUN, "ticks") + self._addend),
            self._given.eq(frame.length - REQUEST_HEADER),
            table.opcode.eq(self._opcode),
            table.given.eq(self._given),
            self._final.eq(self._index + 1 == self._items),
            reader.format.eq(self._format),
            writer.format.eq(self._format),
            check.space.eq(self._argument(Opcode.WRITE, "space")),
            check.kind.eq(self._space.kind),
            check.column.eq(self._column),
            check.value.eq(reader.elements.payload),
            core.memory.space.eq(check.space),
            core.memory.row.eq(self._row),
            core.memory.column.eq(self._column),
            core.memory.w_data.eq(reader.elements.payload),
            core.run_until.eq(self._run_until),
            self.slot.eq(self._expected),
            self.repeat.payload.eq(self._seq),
            self.rate.eq(self._argument(Opcode.SET_BAUD, "cycles_per_bit")),
        ]
        # Answers of more than a header come from the element writer, but for the identity.
        connect(m, writer.bytes, flipped(self.reply))
        with m.Switch(self._status):
            with m.Case(Status.OK, Status.BUSY):
                m.d.comb += self._detail_word.eq(core.tick)
            with m.Case(Status.BAD_RANGE):
                m.d.comb += self._detail_word.eq(self._argument(Opcode.READ, "start"))
            with m.Default():
                m.d.comb += self._detail_word.eq(self._detail)
        with m.Switch(self._column):
            for index, value in enumerate(self._counters()):
                with m.Case(index):
                    m.d.comb += self._counter.eq(value)
        with m.FSM(name="request"):
            self._admission(m)
            self._execution(m)
            self._elements(m)
            self._events(m)
            self._runs(m)
            self._replies(m)
        return m

    def _argument(self, opcode: Opcode, name: str) -> Value:
        """Give an argument; the last one of a request was shifted in last, and is at the top."""
        fields = REQUESTS[opcode].arguments
        names = [field.name for field in fields]
        sizes = [8 * field.size for field in fields]
        end = len(self._arguments) - sum(sizes[names.index(name) + 1 :])
        return self._arguments[end - sizes[names.index(name)] : end]

    def _refuse(self, m: Module, status: Status, detail: ValueLike = 0) -> None:
        """Answer with a status; of some, the detail is a word that is still there to be sent."""
        m.d.sync += [self._status.eq(status), self._detail.eq(detail)]
        self._answer_detail(m)

    def _answer_detail(self, m: Module) -> None:
        m.d.sync += [self._result.eq(_Result.DETAIL), self._format.eq(WORD)]
        self._answer(m)

    def _answer(self, m: Module) -> None:
        m.d.sync += self._index.eq(0)
        m.next = "REPLY"

    def _fail(self, m: Module, status: Status, index: ValueLike) -> None:
        """Remember the first failure of a walk."""
        with m.If(~self._failed):
            m.d.sync += [self._failed.eq(1), self._status.eq(status), self._detail.eq(index)]

    def _walk(self, m: Module) -> None:
        """Begin a walk over the items."""
        start = self._argument(Opcode.WRITE, "start")
        m.d.comb += [
            self.frame.seek_stb.eq(1),
            self.frame.address.eq(REQUEST_HEADER + self._table.argument_bytes),
            self._reader.restart_stb.eq(1),
        ]
        m.d.sync += [self._index.eq(0), self._column.eq(start[:16]), self._row.eq(start[16:])]

    def _take_items(self, m: Module) -> None:
        """Let the element reader have the bytes of the frame."""
        m.d.comb += [
            self._reader.bytes.payload.eq(self.frame.bytes.payload),
            self._reader.bytes.valid.eq(self.frame.bytes.valid),
            self.frame.bytes.ready.eq(self._reader.bytes.ready),
        ]

    def _advance(self, m: Module) -> None:
        """Go to the next element: along the row, and on into the next."""
        m.d.sync += [self._index.eq(self._index + 1), self._column.eq(self._column + 1)]
        with m.If(self._column == self._space.last_column):
            m.d.sync += [self._column.eq(0), self._row.eq(self._row + 1)]

    # --- header, session, sequence ------------------------------------------------------------

    def _admission(self, m: Module) -> None:
        frame, table = self.frame, self._table
        header = Cat(self._session_asked, self._seq, self._opcode)
        with m.State("AWAIT FRAME"):
            m.d.sync += [
                self._status.eq(Status.OK),
                self._result.eq(_Result.NOTHING),
                self._format.eq(WORD),
                self._sequenced.eq(0),
                self._failed.eq(0),
                self._applying.eq(0),
                self._index.eq(0),
            ]
            with m.If(frame.valid):
                m.next = "HEADER"
        with m.State("HEADER"):
            m.d.comb += frame.bytes.ready.eq(1)
            with m.If(frame.bytes.valid):
                m.d.sync += [
                    header.eq(Cat(header[8:], frame.bytes.payload)),
                    self._index.eq(self._index + 1),
                ]
                with m.If(self._index == REQUEST_HEADER - 1):
                    m.d.sync += self._index.eq(0)
                    m.next = "ADMIT"
        with m.State("ADMIT"):
            behind = Signal(8)
            m.d.comb += behind.eq(self._expected - self._seq)
            with m.If(self._opcode == Opcode.IDENTIFY):
                with m.If(~table.length_ok):
                    self._refuse(m, Status.BAD_LENGTH, self._given)
                with m.Else():
                    m.d.comb += [frame.seek_stb.eq(1), frame.address.eq(APPENDIX)]
                    m.d.sync += [
                        self._result.eq(_Result.IDENTITY),
                        self._items.eq(self.identity_bytes),
                    ]
                    self._answer(m)
            with m.Elif(self._opcode == Opcode.OPEN):
                with m.If(~table.length_ok):
                    self._refuse(m, Status.BAD_LENGTH, self._given)
                with m.Elif(self._session_asked == self._session):
                    self._answer(m)
                with m.Elif(self._session_asked == (self._session + 1)[:8]):
                    m.d.sync += [
                        self._session.eq(self._session_asked),
                        self._expected.eq(0),
                        self._stored.eq(0),
                    ]
                    self._answer(m)
                with m.Else():
                    self._refuse(m, Status.WRONG_SESSION, self._session)
            with m.Elif(self._session_asked != self._session):
                self._refuse(m, Status.WRONG_SESSION, self._session)
            with m.Elif(behind != 0):
                with m.If(behind <= self._stored):
                    m.next = "REPEAT"
                with m.Else():
                    self._refuse(m, Status.WRONG_SEQUENCE, self._expected)
            with m.Else():
                m.d.sync += self._sequenced.eq(1)
                with m.If(~table.known):
                    self._refuse(m, Status.BAD_OPCODE, self._opcode)
                with m.Elif(~table.length_ok):
                    self._refuse(m, Status.BAD_LENGTH, self._given)
                with m.Elif(table.argument_bytes == 0):
                    m.next = "EXECUTE"
                with m.Else():
                    m.next = "ARGUMENTS"
        with m.State("ARGUMENTS"):
            m.d.comb += frame.bytes.ready.eq(1)
            with m.If(frame.bytes.valid):
                m.d.sync += [
                    self._arguments.eq(Cat(self._arguments[8:], frame.bytes.payload)),
                    self._index.eq(self._index + 1),
                ]
                with m.If(self._index + 1 == table.argument_bytes):
                    m.next = "EXECUTE"
        with m.State("REPEAT"):
            m.d.comb += self.repeat.valid.eq(1)
            with m.If(self.repeat.ready):
                m.next = "RELEASE"

    # --- what each opcode begins ----------------------------------------------------------------

    def _execution(self, m: Module) -> None:
        core = self.core
        with m.State("EXECUTE"), m.Switch(self._opcode):
            with m.Case(Opcode.RESET, Opcode.STOP):
                m.next = "STOPPING"
            with m.Case(Opcode.CLEAR):
                mask = self._argument(Opcode.CLEAR, "mask")
                m.d.comb += core.clear_mask.eq(mask)
                with m.If(~core.idle):
                    self._refuse(m, Status.BUSY)
                with m.Elif(mask[len(ClearMask) :].any()):
                    self._refuse(m, Status.BAD_VALUE, 0)
                with m.Else():
                    m.d.comb += core.clear_stb.eq(1)
                    m.next = "CLEARING"
            with m.Case(Opcode.READ, Opcode.WRITE):
                m.d.sync += self._items.eq(self._argument(Opcode.READ, "count"))
                m.next = "SPACE"
            with m.Case(Opcode.EVENTS):
                request = REQUESTS[Opcode.EVENTS]
                tail = self._given - request.argument_bytes
                m.d.sync += self._items.eq(tail // request.tail_size)
                m.next = "FIRST EVENT"
            with m.Case(Opcode.RUN):
                m.d.comb += self._addend.eq(self._run_until)
                m.d.sync += self._total.eq(self._sum)
                m.next = "RUN"
            with m.Case(Opcode.FETCH):
                words = self._argument(Opcode.FETCH, "words")
                m.next = "AWAIT WORDS"
                with m.If((words == 0) | (words > MAX_FETCH_WORDS)):
                    self._refuse(m, Status.BAD_VALUE, 0)
            with m.Case(Opcode.SET_BAUD):
                self._answer(m)
                with m.If(self.rate < MIN_CYCLES_PER_BIT):
                    self._refuse(m, Status.BAD_VALUE, 0)

    # --- READ and WRITE -------------------------------------------------------------------------

    def _elements(self, m: Module) -> None:
        m.submodules.spaces = spaces = SpaceTable(self.params)
        core, reader, space = self.core, self._reader, self._space
        number = self._argument(Opcode.WRITE, "space")
        start = self._argument(Opcode.WRITE, "start")
        count = self._argument(Opcode.WRITE, "count")
        first_column, first_row = start[:16], start[16:]
        writing, to_pending = Signal(), Signal()
        byte_length = Signal(18)
        outside = Signal()
        whole = Signal()  # all elements of a WRITE are there, and no more
        elements_given = self._given - REQUESTS[Opcode.WRITE].argument_bytes
        # Groups ascend within `pending`, also across requests.
        group, _ = pending_entry(reader.elements.payload)
        last_group, _ = pending_entry(core.memory.r_data)
        group_above = Signal(range(self.params.neuron_groups + 1))  # the least that may follow
        m.d.comb += [
            spaces.space.eq(number),
            writing.eq(self._opcode == Opcode.WRITE),
            to_pending.eq(writing & (number == Space.PENDING)),
            whole.eq(writing & (byte_length == elements_given)),
        ]
        with m.State("SPACE"):
            m.d.sync += [space.eq(spaces.row), self._format.eq(spaces.row.format)]
            m.d.sync += group_above.eq(0)
            m.next = "EXTENT"
        with m.State("EXTENT"):
            with m.If(space.format.packed):
                m.d.sync += byte_length.eq((count + 7) >> 3)
            with m.Else(), m.Switch(space.format.last_byte):
                for size in (1, 2, 4):
                    with m.Case(size - 1):
                        m.d.sync += byte_length.eq(count * size)
            m.d.sync += outside.eq(
                (first_row > space.last_row) | (first_column > space.last_column) | (count == 0)
            )
            m.next = "ACCESS"
        with m.State("ACCESS"):
            with m.If(~space.known):
                self._refuse(m, Status.BAD_SPACE, number)
            with m.Elif(writing & ~space.writable):
                self._refuse(m, Status.READ_ONLY, number)
            with m.Elif(~core.idle & (writing | ~space.anytime)):
                self._refuse(m, Status.BUSY)
            with m.Elif(outside | (byte_length > MAX_ELEMENT_BYTES)):
                self._refuse(m, Status.BAD_RANGE)
            with m.Elif(to_pending & whole & (first_column != 0)):
                with m.If(first_column == core.pending_groups):
                    m.d.sync += self._column.eq(first_column - 1)
                    m.next = "LAST PENDING"
                with m.Else():
                    self._refuse(m, Status.BAD_RANGE)
            with m.Else():
                self._walk(m)
                m.next = "CHECK ELEMENTS"

        with m.State("LAST PENDING"):
            m.d.comb += core.memory.valid.eq(1)
            with m.If(core.memory.done):
                self._walk(m)
                m.d.sync += group_above.eq(last_group + 1)
                m.next = "CHECK ELEMENTS"
        with m.State("CHECK ELEMENTS"):
            # A range that ends outside the space outranks a wrong length and a wrong value: the
            # walk goes on to its end, without the elements where they are too few or too many.
            at_end = Signal()
            m.d.comb += at_end.eq(
                (self._row == space.last_row) & (self._column == space.last_column)
            )
            with m.If(whole):
                self._take_items(m)
                m.d.comb += reader.elements.ready.eq(1)
            with m.If(reader.elements.valid | ~whole):
                self._advance(m)
                with m.If(self._final):
                    m.next = "JUDGE ELEMENTS"
                with m.Elif(at_end):
                    self._refuse(m, Status.BAD_RANGE)
            with m.If(reader.elements.valid):
                with m.If(~self._check.fits):
                    self._fail(m, Status.BAD_VALUE, self._index)
                with m.Elif(to_pending & (group < group_above)):
                    self._fail(m, Status.BAD_ORDER, self._index)
                with m.Elif(self._final & reader.spare):
                    self._fail(m, Status.BAD_VALUE, self._items)
                m.d.sync += group_above.eq(group + 1)
        with m.State("JUDGE ELEMENTS"):
            self._walk(m)
            with m.If(~writing):
                m.d.sync += self._result.eq(_Result.ELEMENTS)
                self._answer(m)
            with m.Elif(~whole):
                self._refuse(m, Status.BAD_LENGTH, self._given)
            with m.Elif(self._failed):
                self._answer_detail(m)
            with m.Else():
                m.next = "WRITE ELEMENTS"
        with m.State("WRITE ELEMENTS"):
            self._take_items(m)
            m.d.comb += [
                core.memory.write.eq(1),
                core.memory.valid.eq(reader.elements.valid),
                reader.elements.ready.eq(core.memory.done),
            ]
            with m.If(core.memory.done):
                self._advance(m)
                with m.If(self._is_tick_period(number)):
                    m.d.sync += self._free_running.eq(core.memory.w_data == 0)
                with m.If(self._final):
                    self._answer(m)

    def _is_tick_period(self, space: Value) -> Value:
        names = [register.name for register in registers(self.params)]
        return (space == Space.REGISTER) & (self._column == names.index("tick_period"))

    # --- EVENTS ---------------------------------------------------------------------------------

    def _events(self, m: Module) -> None:
        core, reader = self.core, self._reader
        layout = event_layout(self.params)
        event = Signal(layout)
        last_queued, last_checked = Signal(layout), Signal(layout)
        any_queued, any_checked = self._any_queued, Signal()
        offset, axon = reader.elements.payload[:16], reader.elements.payload[16:]
        axon_queued, axon_ok = Signal.like(event.axon), Signal()
        free = Signal.like(core.event_level)
        m.d.comb += [
            event.tick.eq(self._total),
            event.axon.eq(axon_queued),
            core.events.payload.eq(event),
        ]
        m.d.sync += free.eq(self.params.event_queue_depth - core.event_level)
        with m.State("FIRST EVENT"):
            m.d.sync += [last_checked.eq(last_queued), any_checked.eq(any_queued)]
            self._walk(m)
            m.next = "ADD OFFSET"
            with m.If(self._items > free):
                self._refuse(m, Status.QUEUE_FULL, free)
            with m.Elif(self._items == 0):
                self._answer(m)
        with m.State("ADD OFFSET"):
            # A state of its own, so that no comparison waits for the sum.
            self._take_items(m)
            m.d.comb += self._addend.eq(offset)
            m.d.sync += [
                self._total.eq(self._sum),
                axon_queued.eq(axon),
                axon_ok.eq(axon < self.params.n_axons),
            ]
            with m.If(reader.elements.valid):
                m.d.comb += reader.elements.ready.eq(1)
                m.next = "CHECK EVENT"
                with m.If(self._applying):
                    m.next = "QUEUE EVENT"
        with m.State("CHECK EVENT"):
            ascends = Cat(event.axon, event.tick) > Cat(last_checked.axon, last_checked.tick)
            with m.If(self._total[32] | ~axon_ok):
                self._fail(m, Status.BAD_VALUE, self._index)
            with m.Elif(any_checked & ~ascends):
                self._fail(m, Status.BAD_ORDER, self._index)
            with m.Elif(self._free_running & (event.tick < self._run_until)):
                self._fail(m, Status.LATE, self._index)
            m.d.sync += [
                last_checked.eq(event),
                any_checked.eq(1),
                self._index.eq(self._index + 1),
            ]
            m.next = "ADD OFFSET"
            with m.If(self._final):
                m.next = "JUDGE EVENTS"
        with m.State("JUDGE EVENTS"):
            self._walk(m)
            with m.If(self._failed):
                self._answer_detail(m)
            with m.Else():
                m.d.sync += [
                    last_queued.eq(last_checked),
                    any_queued.eq(1),
                    self._applying.eq(1),
                ]
                m.next = "ADD OFFSET"
        with m.State("QUEUE EVENT"):
            m.d.comb += core.events.valid.eq(1)
            with m.If(core.events.ready):
                m.d.sync += self._index.eq(self._index + 1)
                m.next = "ADD OFFSET"
                with m.If(self._final):
                    self._answer(m)

    # --- RUN, FETCH, STOP, RESET, CLEAR -----------------------------------------------------------

    def _runs(self, m: Module) -> None:
        core = self.core
        ticks = self._argument(Opcode.RUN, "ticks")
        with m.State("RUN"):
            with m.If((ticks == 0) | self._total[32]):
                self._refuse(m, Status.BAD_VALUE, 0)
            with m.Else():
                m.d.sync += self._run_until.eq(self._total)
                self._answer(m)
        with m.State("AWAIT WORDS"):
            words = self._argument(Opcode.FETCH, "words")
            cycles_left = self._argument(Opcode.FETCH, "wait_cycles")
            enough = Signal()
            m.d.comb += enough.eq(core.word_level >= words)
            m.d.sync += cycles_left.eq(cycles_left - 1)
            with m.If(enough | core.idle | (cycles_left == 0)):
                m.d.sync += self._items.eq(Mux(enough, words, core.word_level))
                with m.If(core.word_level != 0):
                    m.d.sync += self._result.eq(_Result.WORDS)
                self._answer(m)
        with m.State("STOPPING"):
            # The core sees a run that ends with the tick under way, whichever that is.
            m.d.comb += core.run_until.eq(core.tick)
            with m.If(core.idle):
                m.d.sync += self._run_until.eq(core.tick)
                self._answer_detail(m)
                with m.If(self._opcode == Opcode.RESET):
                    m.d.comb += [
                        core.reset_stb.eq(1),
                        core.clear_stb.eq(1),
                        core.clear_mask.eq(~ClearMask(0)),
                    ]
                    m.d.sync += [
                        self._run_until.eq(0),
                        self._free_running.eq(1),
                        self._any_queued.eq(0),
                        self._result.eq(_Result.NOTHING),
                    ]
                    m.next = "CLEARING"
        with m.State("CLEARING"), m.If(core.idle):
            self._answer(m)

    # --- answers --------------------------------------------------------------------------------

    def _replies(self, m: Module) -> None:
        core, frame, reply, writer = self.core, self.frame, self.reply, self._writer
        header = Cat(self._session, self._seq, self._opcode, self._status)
        nothing_left = Signal()
        m.d.comb += [
            nothing_left.eq(reply.valid & reply.ready & reply.payload.last),
            writer.elements.payload.last.eq(self._final),
            writer.elements.payload.value.eq(self._detail_word),
        ]
        with m.State("REPLY"):
            m.d.comb += [
                reply.valid.eq(1),
                reply.payload.byte.eq(header.word_select(self._index[:2], 8)),
                reply.payload.last.eq(
                    (self._result == _Result.NOTHING) & (self._index == REPLY_HEADER - 1)
                ),
            ]
            with m.If(reply.ready):
                m.d.sync += self._index.eq(self._index + 1)
                with m.If(self._index == REPLY_HEADER - 1):
                    m.d.sync += self._index.eq(0)
                    with m.Switch(self._result):
                        for result in _Result:
                            with m.Case(result):
                                m.next = f"SEND {result.name}"
        with m.State("SEND NOTHING"):
            m.next = "CHANGE RATE"
            with m.If((self._opcode != Opcode.SET_BAUD) | ~self._sequenced):
                m.next = "RELEASE"
        with m.State("SEND DETAIL"):
            m.d.comb += [writer.elements.valid.eq(1), writer.elements.payload.last.eq(1)]
            with m.If(writer.elements.ready):
                m.next = "SEND REST"
        with m.State("SEND IDENTITY"):
            m.d.comb += [
                reply.valid.eq(frame.bytes.valid),
                reply.payload.byte.eq(frame.bytes.payload),
                reply.payload.last.eq(self._final),
                frame.bytes.ready.eq(reply.ready),
            ]
            with m.If(reply.valid & reply.ready):
                m.d.sync += self._index.eq(self._index + 1)
            with m.If(nothing_left):
                m.next = "RELEASE"
        with m.State("SEND ELEMENTS"):
            counters = self._argument(Opcode.READ, "space") == Space.COUNTER
            m.d.comb += [
                core.memory.valid.eq(writer.elements.ready & ~counters),
                writer.elements.valid.eq(core.memory.done | counters),
                writer.elements.payload.value.eq(Mux(counters, self._counter, core.memory.r_data)),
            ]
            with m.If(writer.elements.valid & writer.elements.ready):
                self._advance(m)
                with m.If(self._final):
                    m.next = "SEND REST"
        with m.State("SEND WORDS"):
            m.d.comb += [
                writer.elements.valid.eq(core.words.valid),
                writer.elements.payload.value.eq(core.words.payload),
                core.words.ready.eq(writer.elements.ready),
            ]
            with m.If(writer.elements.valid & writer.elements.ready):
                m.d.sync += self._index.eq(self._index + 1)
                with m.If(self._final):
                    m.next = "SEND REST"
        with m.State("SEND REST"), m.If(nothing_left):
            m.next = "RELEASE"
        with m.State("CHANGE RATE"), m.If(self.replies_sent):
            # This answer has left at the old rate.
            m.d.comb += self.rate_stb.eq(1)
            m.next = "RELEASE"
        with m.State("RELEASE"):
            m.d.comb += frame.release_stb.eq(1)
            with m.If(self._sequenced):
                m.d.sync += self._expected.eq(self._expected + 1)
                with m.If(self._stored != self.params.link_slots - 1):
                    m.d.sync += self._stored.eq(self._stored + 1)
            m.next = "AWAIT FRAME"

    def _counters(self) -> list[ValueLike]:
        """Give the values of the counters, in the order of their table."""
        core = self.core
        values: dict[str, ValueLike] = {
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
        }
        return [values[counter.name] for counter in COUNTERS]
