"""The program that executes requests: one frame after the other, each in the steps below.

::

    AWAIT FRAME ─► FRAME ─► ADMIT ─► (the request) ─► ANSWER ─► (results) ─► FINISH ─► RELEASE
                              └─► REPEAT ──────────────────────────────────────────────┘

*Admit* checks the session and the sequence number; the code of every request checks its length. A
request with many items goes over them twice, first to check and then to apply them, so that it is
applied as a whole or not at all. Any step may refuse: the reply then carries the status and its
detail, a word. The reply to every sequence number stays in its reply slot.

What is checked, the first failure being the answer:

1. `IDENTIFY` and `OPEN`: length, then for `OPEN` the session.
2. The session, the sequence number, the opcode, the length (of `WRITE`, the fixed arguments).
3. The space; read-only; busy. The length of a `WRITE`: whole elements, or in a space of single
   bits a `count`. The range of the elements; whether there are as many bytes as bits need. The room
   for events.
4. Item by item: its value, its order, that it is not late. The spare bits after the last one.
"""

from __future__ import annotations

from collections.abc import Sequence

from spiketwin.hdl.gateware.link.elements import add_elements
from spiketwin.hdl.gateware.link.events import add_events
from spiketwin.hdl.gateware.link.instructions import (
    COPY_CYCLES,
    TARGET_CYCLES,
    Bytes,
    Condition,
    Input,
    Port,
    Scratch,
    counter_input,
)
from spiketwin.hdl.gateware.link.program import Program
from spiketwin.hdl.gateware.link.tables import Tables
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.protocol import (
    CRC_BYTES,
    MAX_FETCH_WORDS,
    MIN_CYCLES_PER_BIT,
    REQUEST_HEADER,
    REQUESTS,
    Opcode,
    Status,
)
from spiketwin.hdl.spec.registers import ClearMask


def dispatcher(params: CoreParams, tables: Tables) -> Program:
    """Return the program that executes requests, for a core and its tables."""
    c = Program()
    _start(c, params)
    _frames(c)
    _admission(c, params)
    _session(c)
    _runs(c, params)
    _clear(c)
    _fetching(c, params)
    add_elements(c, params, tables)
    add_events(c, params, tables)
    _rate_change(c)
    _refusals(c)
    _answers(c, params, tables)
    _release(c, params)
    return c


def _start(c: Program, params: CoreParams) -> None:
    # A reset does not change block RAM, so these cells are set to 0 here.
    for cell in (Scratch.SESSION, Scratch.EXPECTED, Scratch.STORED, Scratch.FRAME_ERRORS):
        c.copy(cell, Scratch.ZERO, Bytes.FOUR)
    c.copy(Scratch.RUN_UNTIL, Scratch.ZERO, Bytes.FOUR)
    _forget_events(c, params)


def _forget_events(c: Program, params: CoreParams) -> None:
    """Let the next event be of any tick and axon, as the first one is."""
    for cell in (Scratch.QUEUED_TICK, Scratch.LEAST_AXON):
        c.copy(cell, Scratch.ZERO, Bytes.FOUR)
    if params.bias_events:
        c.copy(Scratch.AXON_QUEUED, Scratch.ZERO)


def _frames(c: Program) -> None:
    c.label("AWAIT FRAME")
    c.jump_unless(Condition.FRAME, "AWAIT FRAME")
    c.jump_if(Condition.GOOD, "FRAME")
    c.note("count the frame, at most up to the largest value")
    c.add(Scratch.FRAME_ERRORS, Scratch.ONE, Bytes.TWO)
    c.jump_unless(Condition.CARRY, "RELEASE FRAME")
    c.subtract(Scratch.FRAME_ERRORS, Scratch.ONE, Bytes.TWO)
    c.jump("RELEASE FRAME")
    c.label("FRAME")
    c.note("bytes of the frame, less header and CRC")
    c.look(Input.POSITION)
    c.copy(Scratch.GIVEN, Scratch.INPUT, Bytes.FOUR)
    c.set(Scratch.NUMBER, REQUEST_HEADER + CRC_BYTES)
    c.subtract(Scratch.GIVEN, Scratch.NUMBER)
    c.copy(Scratch.STATUS, Scratch.ZERO)  # OK
    c.copy(Scratch.SEQUENCED, Scratch.ZERO)
    c.copy(Scratch.DETAIL, Scratch.ZERO, Bytes.FOUR)
    c.note("BUFFER begins with the header")
    c.out(Port.SEEK_FRAME)


# --- header, session, sequence ------------------------------------------------------------------


def _admission(c: Program, params: CoreParams) -> None:
    ahead, behind = Scratch.VALUE, Scratch.NUMBER
    c.note("the session that the request names")
    c.copy(ahead, Scratch.BUFFER)
    c.copy(Scratch.SEQUENCE, Scratch.BUFFER)
    c.note("how far it is ahead of this one")
    c.subtract(ahead, Scratch.SESSION)
    c.copy(Scratch.OPCODE, Scratch.BUFFER)
    c.compare_number(Scratch.OPCODE, Opcode.OPEN + 1)
    c.note("IDENTIFY and OPEN")
    c.jump_unless(Condition.CARRY, "SESSION")
    c.compare(ahead, Scratch.ZERO)
    c.jump_unless(Condition.ZERO, Status.WRONG_SESSION.name)
    c.note("how many requests ago it was first sent")
    c.copy(behind, Scratch.EXPECTED)
    c.subtract(behind, Scratch.SEQUENCE)
    c.jump_if(Condition.ZERO, "ADMIT")
    c.compare(Scratch.STORED, behind)
    c.jump_unless(Condition.CARRY, Status.WRONG_SEQUENCE.name)
    c.note("its answer is still there: send it again")
    c.out(Port.SLOT, Scratch.SEQUENCE)
    c.out(Port.REPEAT)
    c.jump("RELEASE")
    c.label("ADMIT")
    c.copy(Scratch.SEQUENCED, Scratch.ONE)
    opcodes = [opcode for opcode in Opcode if opcode > Opcode.OPEN]
    if not params.bias_events:
        opcodes.remove(Opcode.BIASES)
    _to_request(c, opcodes)
    c.label(Status.BAD_OPCODE.name)
    _refuse(c, Status.BAD_OPCODE, Scratch.OPCODE)


def _to_request(c: Program, opcodes: Sequence[Opcode]) -> None:
    """Jump to the code of the request, of one of these opcodes in a row; no opcode is below them.

    A comparison tells two of them: the upper one is equal, and what is below it is the lower one.
    """
    for lower, upper in zip(opcodes[::2], opcodes[1::2], strict=False):
        c.compare_number(Scratch.OPCODE, upper)
        c.jump_if(Condition.ZERO, upper.name)
        c.jump_unless(Condition.CARRY, lower.name)
    if len(opcodes) % 2:
        _by_opcode(c, opcodes[-1:], "")


def _by_opcode(c: Program, opcodes: Sequence[Opcode], prefix: str) -> None:
    """Jump to the code of the request, at the label of its name behind the prefix."""
    for opcode in opcodes:
        c.compare_number(Scratch.OPCODE, opcode)
        c.jump_if(Condition.ZERO, prefix + opcode.name)


def _check_length(c: Program, opcode: Opcode) -> None:
    """Refuse a request that has not exactly the bytes of its arguments."""
    c.compare_number(Scratch.GIVEN, REQUESTS[opcode].argument_bytes)
    c.jump_unless(Condition.ZERO, Status.BAD_LENGTH.name)


def _session(c: Program) -> None:
    ahead = Scratch.VALUE
    c.label("SESSION")  # IDENTIFY and OPEN
    _check_length(c, Opcode.OPEN)
    c.compare_number(Scratch.OPCODE, Opcode.OPEN)
    c.jump_unless(Condition.ZERO, "ANSWER")
    c.subtract(ahead, Scratch.ONE)
    c.jump_unless(Condition.CARRY, "ANSWER")  # a repeated OPEN of this session
    c.jump_unless(Condition.ZERO, Status.WRONG_SESSION.name)
    c.add(Scratch.SESSION, Scratch.ONE)
    c.copy(Scratch.EXPECTED, Scratch.ZERO)
    c.copy(Scratch.STORED, Scratch.ZERO)
    c.jump("ANSWER")


# --- RUN, SET_TICK, STOP, RESET, CLEAR ----------------------------------------------------------


def _runs(c: Program, params: CoreParams) -> None:
    until = Scratch.VALUE
    c.label(Opcode.RUN.name)
    _check_length(c, Opcode.RUN)
    c.copy(until, Scratch.BUFFER, Bytes.FOUR)
    c.jump_if(Condition.ZERO, Status.BAD_VALUE.name)
    c.add(until, Scratch.RUN_UNTIL, Bytes.FOUR)
    c.jump_if(Condition.CARRY, Status.BAD_VALUE.name)
    c.copy(Scratch.RUN_UNTIL, until, Bytes.FOUR)
    c.label("SET RUN_UNTIL")
    c.out(Port.PUSH, Scratch.RUN_UNTIL, Bytes.FOUR)
    c.out(Port.RUN_UNTIL)
    c.out(Port.STOP, Scratch.ZERO)
    c.jump("ANSWER")

    c.label(Opcode.SET_TICK.name)
    _check_length(c, Opcode.SET_TICK)
    c.jump_unless(Condition.IDLE, Status.BUSY.name)
    c.copy(until, Scratch.BUFFER, Bytes.FOUR)
    c.out(Port.PUSH, until, Bytes.FOUR)
    c.note("the last tick of all can only be run up to")
    c.add(until, Scratch.ONE, Bytes.FOUR)
    c.jump_if(Condition.CARRY, Status.BAD_VALUE.name)
    c.out(Port.SET_TICK)
    c.jump("STOP CORE")

    c.label(Opcode.STOP.name)
    c.label(Opcode.RESET.name)
    _check_length(c, Opcode.STOP)
    c.label("STOP CORE")
    c.out(Port.STOP, Scratch.ONE)  # the core also drops its events once it is idle
    c.label("STOPPING")
    c.jump_unless(Condition.IDLE, "STOPPING")
    _forget_events(c, params)
    c.compare_number(Scratch.OPCODE, Opcode.RESET)
    c.jump_unless(Condition.ZERO, "STOPPED")
    c.give(Port.RESET, sum(ClearMask))
    c.label("RESETTING")
    c.jump_unless(Condition.IDLE, "RESETTING")
    c.label("STOPPED")
    c.look(counter_input("tick"))
    c.copy(Scratch.DETAIL, Scratch.INPUT, Bytes.FOUR)
    c.copy(Scratch.RUN_UNTIL, Scratch.DETAIL, Bytes.FOUR)
    c.jump("SET RUN_UNTIL")


def _clear(c: Program) -> None:
    mask = Scratch.VALUE
    c.label(Opcode.CLEAR.name)
    c.note("one byte of arguments, the mask")
    _check_length(c, Opcode.CLEAR)
    c.jump_unless(Condition.IDLE, Status.BUSY.name)
    c.copy(mask, Scratch.BUFFER)
    c.note("bits that name no group are above those that do")
    c.compare_number(mask, sum(ClearMask) + 1)
    c.jump_if(Condition.CARRY, Status.BAD_VALUE.name)
    c.note("the core is busy from here on")
    c.out(Port.CLEAR, mask)
    c.label("CLEARING")
    c.jump_unless(Condition.IDLE, "CLEARING")
    c.jump("ANSWER")


# --- FETCH, SET_BAUD ----------------------------------------------------------------------------


def _fetching(c: Program, params: CoreParams) -> None:
    # The level of a full queue, its depth, needs a third byte in the largest queue alone.
    level = Bytes.TWO if params.spike_queue_depth < 1 << 16 else Bytes.FOUR
    c.label(Opcode.FETCH.name)
    _check_length(c, Opcode.FETCH)
    c.copy(Scratch.WANTED, Scratch.BUFFER)
    c.jump_if(Condition.ZERO, Status.BAD_VALUE.name)
    c.compare_number(Scratch.WANTED, MAX_FETCH_WORDS + 1)
    c.jump_if(Condition.CARRY, Status.BAD_VALUE.name)
    c.copy(Scratch.WAIT, Scratch.BUFFER, Bytes.FOUR)
    c.look(counter_input("words_queued"))
    c.label("AWAIT WORDS")
    # At the end of a run all its words are in the queue, but they may not have been when the
    # queue was looked at before.
    c.jump_if(Condition.IDLE, "LAST WORDS")
    c.copy(Scratch.COUNT, Scratch.INPUT, level)
    c.compare(Scratch.COUNT, Scratch.WANTED, level)
    c.jump_if(Condition.CARRY, "ENOUGH WORDS")
    c.set(Scratch.NUMBER, _cycles_of_a_wait(level))
    c.subtract(Scratch.WAIT, Scratch.NUMBER, Bytes.FOUR)
    c.jump_if(Condition.CARRY, "AWAIT WORDS")
    c.label("LAST WORDS")
    c.copy(Scratch.COUNT, Scratch.INPUT, level)
    c.compare(Scratch.COUNT, Scratch.WANTED, level)
    c.jump_unless(Condition.CARRY, "ANSWER")
    c.label("ENOUGH WORDS")
    c.copy(Scratch.COUNT, Scratch.WANTED, Bytes.TWO)
    c.jump("ANSWER")


def _cycles_of_a_wait(level: Bytes) -> int:
    """Return the cycles of the loop that begins at `AWAIT WORDS`, in which a level is read."""
    read = 1 << level
    return COPY_CYCLES * (1 + read + 1 + 4 + 1) + TARGET_CYCLES * (read + 4)


def _rate_change(c: Program) -> None:
    rate = Scratch.VALUE
    c.label(Opcode.SET_BAUD.name)
    _check_length(c, Opcode.SET_BAUD)
    c.copy(rate, Scratch.BUFFER, Bytes.TWO)
    c.out(Port.PUSH, rate, Bytes.TWO)
    c.set(Scratch.NUMBER, MIN_CYCLES_PER_BIT)
    c.compare(rate, Scratch.NUMBER, Bytes.TWO)
    c.jump_if(Condition.CARRY, "ANSWER")


# --- answers ------------------------------------------------------------------------------------


def _refusals(c: Program) -> None:
    """Set status and detail of a refusal, unless the detail is set already."""
    c.label(Status.BAD_VALUE.name)
    _refuse(c, Status.BAD_VALUE)
    details = {
        Status.BAD_LENGTH: Scratch.GIVEN,
        Status.QUEUE_FULL: Scratch.VALUE,
        Status.WRONG_SESSION: Scratch.SESSION,
        Status.WRONG_SEQUENCE: Scratch.EXPECTED,
    }
    for status, cell in details.items():
        c.label(status.name)
        _refuse(c, status, cell)
    c.label(Status.READ_ONLY.name)
    c.set(Scratch.STATUS, Status.READ_ONLY)
    c.jump("REFUSE SPACE")
    c.label(Status.BAD_SPACE.name)
    c.set(Scratch.STATUS, Status.BAD_SPACE)
    c.label("REFUSE SPACE")
    c.copy(Scratch.DETAIL, Scratch.SPACE, Bytes.FOUR)
    c.jump("ANSWER")
    c.label(Status.LATE.name)
    _refuse(c, Status.LATE)
    # The detail is the place at which the block was to begin.
    c.label(Status.BAD_RANGE.name)
    _refuse(c, Status.BAD_RANGE)
    c.label(Status.BUSY.name)
    c.look(counter_input("tick"))
    c.label("BUSY TICK")
    c.copy(Scratch.DETAIL, Scratch.INPUT, Bytes.FOUR)
    c.compare(Scratch.DETAIL, Scratch.INPUT, Bytes.FOUR)
    c.jump_unless(Condition.ZERO, "BUSY TICK")
    _refuse(c, Status.BUSY)
    # In the checks of items the detail is the number of the item.
    c.label("ITEM OUT OF ORDER")
    c.set(Scratch.STATUS, Status.BAD_ORDER)
    c.jump("REFUSE ITEM")
    c.label("BAD ITEM")
    c.set(Scratch.STATUS, Status.BAD_VALUE)
    c.label("REFUSE ITEM")
    c.look(Input.LOOPS)
    c.copy(Scratch.DETAIL, Scratch.COUNT, Bytes.FOUR)
    c.subtract(Scratch.DETAIL, Scratch.INPUT)


def _refuse(c: Program, status: Status, detail: Scratch | None = None) -> None:
    if detail is not None:
        c.copy(Scratch.DETAIL, detail, Bytes.FOUR)
    c.set(Scratch.STATUS, status)
    c.jump("ANSWER")


def _answers(c: Program, params: CoreParams, tables: Tables) -> None:
    c.label("ANSWER")
    c.note("the slot in which the answer stays")
    c.out(Port.SLOT, Scratch.EXPECTED)
    for cell in (Scratch.SESSION, Scratch.SEQUENCE, Scratch.OPCODE, Scratch.STATUS):
        c.out(Port.SEND, cell)
    c.note("the status, sent last, is not OK")
    c.jump_unless(Condition.ZERO, "SEND DETAIL")
    _by_opcode(c, (Opcode.READ, Opcode.FETCH, Opcode.STOP, Opcode.SET_BAUD), "SEND ")
    c.compare_number(Scratch.OPCODE, Opcode.IDENTIFY)
    c.jump_unless(Condition.ZERO, "FINISH")

    c.label("SEND IDENTIFY")
    c.out(Port.SEEK_TABLE)
    c.give(Port.LOOPS, tables.identity_bytes)
    c.label("SEND IDENTITY")
    c.out(Port.SEND, Scratch.BUFFER)
    c.jump_if(Condition.LOOP, "SEND IDENTITY")
    c.jump("FINISH")

    c.label("SEND FETCH")
    c.out(Port.LOOPS, Scratch.COUNT)
    c.jump_if(Condition.ZERO, "FINISH")
    _send_words(c, params)
    c.jump("FINISH")

    c.label("SEND SET_BAUD")
    c.out(Port.END)
    c.label("SENDING")
    c.jump_unless(Condition.SENT, "SENDING")
    c.out(Port.RATE)  # the answer has left at the old rate
    c.jump("RELEASE")

    c.label("SEND STOP")
    c.label("SEND DETAIL")
    c.out(Port.SEND, Scratch.DETAIL, Bytes.FOUR)
    c.label("FINISH")
    c.out(Port.END)


def _send_words(c: Program, params: CoreParams) -> None:
    """Send as many output words as there are loops."""
    if params.probe_ranges:  # a tick can have hundreds of them
        c.out(Port.WORDS)
        return
    c.look(Input.WORD)
    c.label("SEND WORD")
    c.jump_unless(Condition.WORD, "SEND WORD")
    c.out(Port.SEND, Scratch.INPUT, Bytes.FOUR)
    c.out(Port.POP)
    c.jump_if(Condition.LOOP, "SEND WORD")


def _release(c: Program, params: CoreParams) -> None:
    c.label("RELEASE")
    c.note("0 for IDENTIFY, OPEN, and what was never admitted")
    c.add(Scratch.EXPECTED, Scratch.SEQUENCED)
    c.compare_number(Scratch.STORED, params.link_slots - 1)
    c.jump_if(Condition.CARRY, "RELEASE FRAME")
    c.add(Scratch.STORED, Scratch.SEQUENCED)
    c.label("RELEASE FRAME")
    c.note("the next frame may come")
    c.out(Port.RELEASE)
    c.jump("AWAIT FRAME")
