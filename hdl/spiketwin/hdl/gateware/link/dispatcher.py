"""The program that executes requests: one frame after the other, each in the steps below.

::

    AWAIT FRAME ─► FRAME ─► ADMIT ─► (the request) ─► ANSWER ─► (results) ─► FINISH ─► RELEASE
                              └─► REPEAT ──────────────────────────────────────────────┘

*Admit* looks at session and sequence number; every request looks at its length. A request that
names many items walks over them first to check and then to apply, so that it is applied as a whole
or not at all. Any step may refuse: the reply then carries the status and its detail, a word.
Whatever was executed or refused under a sequence number stays in its reply slot.

What is checked, the first failure being the answer:

1. `IDENTIFY` and `OPEN`: length, then for `OPEN` the session.
2. The session, the sequence number, the opcode, the length (of `WRITE`, the fixed arguments).
3. The space; read-only; busy; the range of the elements; their length. The room for events.
4. Item by item: its value, its order, that it is not late. The spare bits after the last one.
"""

from __future__ import annotations

from collections.abc import Sequence

from spiketwin.hdl.gateware.line.framing import CRC_BYTES
from spiketwin.hdl.gateware.link.elements import START, add_elements
from spiketwin.hdl.gateware.link.events import add_events
from spiketwin.hdl.gateware.link.instructions import (
    COPY_CYCLES,
    TARGET_CYCLES,
    Bytes,
    Cell,
    Condition,
    Lane,
    Port,
    counter_lane,
)
from spiketwin.hdl.gateware.link.program import Program
from spiketwin.hdl.gateware.link.tables import Tables
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.protocol import (
    MAX_FETCH_WORDS,
    MIN_CYCLES_PER_BIT,
    REQUEST_HEADER,
    REQUESTS,
    Opcode,
    Status,
)
from spiketwin.hdl.spec.registers import ClearMask


def dispatcher(params: CoreParams, tables: Tables) -> Program:
    """Write the program for a core and its tables."""
    c = Program()
    _start(c)
    _frames(c)
    _admission(c)
    _session(c)
    _runs(c)
    _clear(c)
    _fetching(c)
    add_elements(c, params, tables)
    add_events(c, tables)
    _rate_change(c)
    _refusals(c)
    _answers(c, tables)
    _release(c, params)
    return c


def _start(c: Program) -> None:
    # Block RAM does not follow a reset.
    for cell in (Cell.SESSION, Cell.EXPECTED, Cell.STORED, Cell.FRAME_ERRORS):
        c.copy(cell, Cell.ZERO, Bytes.FOUR)
    c.copy(Cell.RUN_UNTIL, Cell.ZERO, Bytes.FOUR)
    _forget_events(c)


def _forget_events(c: Program) -> None:
    """The next event follows none."""
    for cell in (Cell.QUEUED_TICK, Cell.LEAST_AXON):
        c.copy(cell, Cell.ZERO, Bytes.FOUR)


def _frames(c: Program) -> None:
    c.label("AWAIT FRAME")
    c.jump_unless(Condition.FRAME, "AWAIT FRAME")
    c.jump_if(Condition.GOOD, "FRAME")
    c.note("count the frame, at most up to the largest value")
    c.add(Cell.FRAME_ERRORS, Cell.ONE, Bytes.TWO)
    c.jump_unless(Condition.CARRY, "RELEASE FRAME")
    c.subtract(Cell.FRAME_ERRORS, Cell.ONE, Bytes.TWO)
    c.jump("RELEASE FRAME")
    c.label("FRAME")
    c.note("bytes of the frame, less header and CRC")
    c.look(Lane.POSITION)
    c.copy(Cell.GIVEN, Cell.INPUT, Bytes.FOUR)
    c.set(Cell.NUMBER, REQUEST_HEADER + CRC_BYTES)
    c.subtract(Cell.GIVEN, Cell.NUMBER)
    c.set(Cell.STATUS, Status.OK)
    c.copy(Cell.SEQUENCED, Cell.ZERO)
    c.copy(Cell.DETAIL, Cell.ZERO, Bytes.FOUR)
    c.note("TAPE begins with the header")
    c.out(Port.SEEK_FRAME)


# --- header, session, sequence ------------------------------------------------------------------


def _admission(c: Program) -> None:
    ahead, behind = Cell.VALUE, Cell.NUMBER
    c.note("the session that the request names")
    c.copy(ahead, Cell.TAPE)
    c.copy(Cell.SEQUENCE, Cell.TAPE)
    c.note("how far it is ahead of this one")
    c.subtract(ahead, Cell.SESSION)
    c.copy(Cell.OPCODE, Cell.TAPE)
    c.compare_number(Cell.OPCODE, Opcode.OPEN + 1)
    c.note("IDENTIFY and OPEN")
    c.jump_unless(Condition.CARRY, "SESSION")
    c.compare(ahead, Cell.ZERO)
    c.jump_unless(Condition.ZERO, Status.WRONG_SESSION.name)
    c.note("how many requests ago it was first sent")
    c.copy(behind, Cell.EXPECTED)
    c.subtract(behind, Cell.SEQUENCE)
    c.jump_if(Condition.ZERO, "ADMIT")
    c.compare(Cell.STORED, behind)
    c.jump_unless(Condition.CARRY, Status.WRONG_SEQUENCE.name)
    c.note("its answer is still there: send it again")
    c.out(Port.SLOT, Cell.SEQUENCE)
    c.out(Port.REPEAT)
    c.jump("RELEASE")
    c.label("ADMIT")
    c.copy(Cell.SEQUENCED, Cell.ONE)
    _by_opcode(c, [opcode for opcode in Opcode if opcode > Opcode.OPEN], "")
    c.label(Status.BAD_OPCODE.name)
    _refuse(c, Status.BAD_OPCODE, Cell.OPCODE)


def _by_opcode(c: Program, opcodes: Sequence[Opcode], prefix: str) -> None:
    """Go on where the request is at home."""
    for opcode in opcodes:
        c.compare_number(Cell.OPCODE, opcode)
        c.jump_if(Condition.ZERO, prefix + opcode.name)


def _check_length(c: Program, opcode: Opcode) -> None:
    """Refuse a request unless it has its arguments and nothing else."""
    c.compare_number(Cell.GIVEN, REQUESTS[opcode].argument_bytes)
    c.jump_unless(Condition.ZERO, Status.BAD_LENGTH.name)


def _session(c: Program) -> None:
    ahead = Cell.VALUE
    c.label("SESSION")  # IDENTIFY and OPEN
    _check_length(c, Opcode.OPEN)
    c.compare_number(Cell.OPCODE, Opcode.OPEN)
    c.jump_unless(Condition.ZERO, "ANSWER")
    c.subtract(ahead, Cell.ONE)
    c.jump_unless(Condition.CARRY, "ANSWER")  # it is this one, again
    c.jump_unless(Condition.ZERO, Status.WRONG_SESSION.name)
    c.add(Cell.SESSION, Cell.ONE)
    c.copy(Cell.EXPECTED, Cell.ZERO)
    c.copy(Cell.STORED, Cell.ZERO)
    c.jump("ANSWER")


# --- RUN, STOP, RESET, CLEAR --------------------------------------------------------------------


def _runs(c: Program) -> None:
    until = Cell.VALUE
    c.label(Opcode.RUN.name)
    _check_length(c, Opcode.RUN)
    c.copy(until, Cell.TAPE, Bytes.FOUR)
    c.jump_if(Condition.ZERO, Status.BAD_VALUE.name)
    c.add(until, Cell.RUN_UNTIL, Bytes.FOUR)
    c.jump_if(Condition.CARRY, Status.BAD_VALUE.name)
    c.copy(Cell.RUN_UNTIL, until, Bytes.FOUR)
    c.label("SET RUN_UNTIL")
    c.out(Port.PUSH, Cell.RUN_UNTIL, Bytes.FOUR)
    c.out(Port.RUN_UNTIL)
    c.out(Port.STOP, Cell.ZERO)
    c.jump("ANSWER")

    c.label(Opcode.STOP.name)
    c.label(Opcode.RESET.name)
    _check_length(c, Opcode.STOP)
    c.out(Port.STOP, Cell.ONE)  # once it is idle, the core drops its events as well
    c.label("STOPPING")
    c.jump_unless(Condition.IDLE, "STOPPING")
    _forget_events(c)
    c.compare_number(Cell.OPCODE, Opcode.STOP)
    c.jump_if(Condition.ZERO, "STOPPED")
    c.give(Port.RESET, sum(ClearMask))
    c.label("RESETTING")
    c.jump_unless(Condition.IDLE, "RESETTING")
    c.label("STOPPED")
    c.look(counter_lane("tick"))
    c.copy(Cell.DETAIL, Cell.INPUT, Bytes.FOUR)
    c.copy(Cell.RUN_UNTIL, Cell.DETAIL, Bytes.FOUR)
    c.jump("SET RUN_UNTIL")


def _clear(c: Program) -> None:
    mask = Cell.VALUE
    c.label(Opcode.CLEAR.name)
    c.note("one byte of arguments, the mask")
    _check_length(c, Opcode.CLEAR)
    c.jump_unless(Condition.IDLE, Status.BUSY.name)
    c.copy(mask, Cell.TAPE)
    c.note("bits that name no group")
    c.set(Cell.NUMBER, 0xFF - sum(ClearMask))
    c.mask(Cell.NUMBER, mask)
    c.jump_unless(Condition.ZERO, Status.BAD_VALUE.name)
    c.note("the core is busy from here on")
    c.out(Port.CLEAR, mask)
    c.label("CLEARING")
    c.jump_unless(Condition.IDLE, "CLEARING")
    c.jump("ANSWER")


# --- FETCH, SET_BAUD ----------------------------------------------------------------------------


def _fetching(c: Program) -> None:
    c.label(Opcode.FETCH.name)
    _check_length(c, Opcode.FETCH)
    c.copy(Cell.WANTED, Cell.TAPE)
    c.jump_if(Condition.ZERO, Status.BAD_VALUE.name)
    c.compare_number(Cell.WANTED, MAX_FETCH_WORDS + 1)
    c.jump_if(Condition.CARRY, Status.BAD_VALUE.name)
    c.copy(Cell.WAIT, Cell.TAPE, Bytes.FOUR)
    c.look(counter_lane("words_queued"))
    c.label("AWAIT WORDS")
    # When the run is over all its words are there, but maybe not yet when they were counted.
    c.jump_if(Condition.IDLE, "LAST WORDS")
    c.copy(Cell.COUNT, Cell.INPUT, Bytes.TWO)
    c.compare(Cell.COUNT, Cell.WANTED, Bytes.TWO)
    c.jump_if(Condition.CARRY, "ENOUGH WORDS")
    c.set(Cell.NUMBER, _CYCLES_OF_A_WAIT)
    c.subtract(Cell.WAIT, Cell.NUMBER, Bytes.FOUR)
    c.jump_if(Condition.CARRY, "AWAIT WORDS")
    c.label("LAST WORDS")
    c.copy(Cell.COUNT, Cell.INPUT, Bytes.TWO)
    c.compare(Cell.COUNT, Cell.WANTED, Bytes.TWO)
    c.jump_unless(Condition.CARRY, "ANSWER")
    c.label("ENOUGH WORDS")
    c.copy(Cell.COUNT, Cell.WANTED, Bytes.TWO)
    c.jump("ANSWER")


_CYCLES_OF_A_WAIT = COPY_CYCLES * (1 + 2 + 1 + 4 + 1) + TARGET_CYCLES * (2 + 4)
"""What the instructions from `AWAIT WORDS` back to it take."""


def _rate_change(c: Program) -> None:
    rate = Cell.VALUE
    c.label(Opcode.SET_BAUD.name)
    _check_length(c, Opcode.SET_BAUD)
    c.copy(rate, Cell.TAPE, Bytes.TWO)
    c.out(Port.PUSH, rate, Bytes.TWO)
    c.set(Cell.NUMBER, MIN_CYCLES_PER_BIT)
    c.compare(rate, Cell.NUMBER, Bytes.TWO)
    c.jump_if(Condition.CARRY, "ANSWER")


# --- answers ------------------------------------------------------------------------------------


def _refusals(c: Program) -> None:
    """Set status and detail, unless that is there already."""
    c.label(Status.BAD_VALUE.name)
    _refuse(c, Status.BAD_VALUE)
    details = {
        Status.BAD_LENGTH: Cell.GIVEN,
        Status.QUEUE_FULL: Cell.VALUE,
        Status.WRONG_SESSION: Cell.SESSION,
        Status.WRONG_SEQUENCE: Cell.EXPECTED,
    }
    for status, cell in details.items():
        c.label(status.name)
        _refuse(c, status, cell)
    c.label(Status.READ_ONLY.name)
    c.set(Cell.STATUS, Status.READ_ONLY)
    c.jump("REFUSE SPACE")
    c.label(Status.BAD_SPACE.name)
    c.set(Cell.STATUS, Status.BAD_SPACE)
    c.label("REFUSE SPACE")
    c.copy(Cell.DETAIL, Cell.SPACE)
    c.jump("ANSWER")
    c.label(Status.LATE.name)
    _refuse(c, Status.LATE)
    c.label(Status.BAD_RANGE.name)
    c.give(Port.SEEK_FRAME, START)
    _refuse(c, Status.BAD_RANGE, Cell.TAPE)
    c.label(Status.BUSY.name)
    c.look(counter_lane("tick"))
    c.label("BUSY TICK")
    c.copy(Cell.DETAIL, Cell.INPUT, Bytes.FOUR)
    c.compare(Cell.DETAIL, Cell.INPUT, Bytes.FOUR)
    c.jump_unless(Condition.ZERO, "BUSY TICK")
    _refuse(c, Status.BUSY)
    # Of items, the one that is looped over.
    c.label("ITEM OUT OF ORDER")
    c.set(Cell.STATUS, Status.BAD_ORDER)
    c.jump("REFUSE ITEM")
    c.label("BAD ITEM")
    c.set(Cell.STATUS, Status.BAD_VALUE)
    c.label("REFUSE ITEM")
    c.look(Lane.LOOPS)
    c.copy(Cell.DETAIL, Cell.COUNT)
    c.subtract(Cell.DETAIL, Cell.INPUT)


def _refuse(c: Program, status: Status, detail: Cell | None = None) -> None:
    if detail is not None:
        c.copy(Cell.DETAIL, detail, Bytes.FOUR)
    c.set(Cell.STATUS, status)
    c.jump("ANSWER")


def _answers(c: Program, tables: Tables) -> None:
    c.label("ANSWER")
    c.note("the slot in which the answer stays")
    c.out(Port.SLOT, Cell.EXPECTED)
    for cell in (Cell.SESSION, Cell.SEQUENCE, Cell.OPCODE, Cell.STATUS):
        c.out(Port.SEND, cell)
    c.note("the status, sent last, is not OK")
    c.jump_unless(Condition.ZERO, "SEND DETAIL")
    results = (Opcode.IDENTIFY, Opcode.READ, Opcode.FETCH, Opcode.STOP, Opcode.SET_BAUD)
    _by_opcode(c, results, "SEND ")
    c.jump("FINISH")

    c.label("SEND IDENTIFY")
    c.out(Port.SEEK_TABLE)
    c.give(Port.LOOPS, tables.head_bytes)
    c.label("SEND HEAD")
    c.out(Port.SEND, Cell.TAPE)
    c.jump_if(Condition.LOOP, "SEND HEAD")
    c.give(Port.LOOPS, tables.sizes)
    c.label("SEND SIZE")
    c.out(Port.SEND, Cell.TAPE, Bytes.TWO)
    c.out(Port.SEND, Cell.ZERO, Bytes.TWO)
    c.jump_if(Condition.LOOP, "SEND SIZE")
    c.jump("FINISH")

    c.label("SEND FETCH")
    c.out(Port.LOOPS, Cell.COUNT)
    c.jump_if(Condition.ZERO, "FINISH")
    c.look(Lane.WORD)
    c.label("SEND WORD")
    c.jump_unless(Condition.WORD, "SEND WORD")
    c.out(Port.SEND, Cell.INPUT, Bytes.FOUR)
    c.out(Port.POP)
    c.jump_if(Condition.LOOP, "SEND WORD")
    c.jump("FINISH")

    c.label("SEND SET_BAUD")
    c.out(Port.END)
    c.label("SENDING")
    c.jump_unless(Condition.SENT, "SENDING")
    c.out(Port.RATE)  # this answer has left at the old one
    c.jump("RELEASE")

    c.label("SEND STOP")
    c.label("SEND DETAIL")
    c.out(Port.SEND, Cell.DETAIL, Bytes.FOUR)
    c.label("FINISH")
    c.out(Port.END)


def _release(c: Program, params: CoreParams) -> None:
    c.label("RELEASE")
    c.note("not for IDENTIFY, OPEN, and what was never admitted")
    c.compare(Cell.SEQUENCED, Cell.ZERO)
    c.jump_if(Condition.ZERO, "RELEASE FRAME")
    c.add(Cell.EXPECTED, Cell.ONE)
    c.compare_number(Cell.STORED, params.link_slots - 1)
    c.jump_if(Condition.CARRY, "RELEASE FRAME")
    c.add(Cell.STORED, Cell.ONE)
    c.label("RELEASE FRAME")
    c.note("the next frame may come")
    c.out(Port.RELEASE)
    c.jump("AWAIT FRAME")
