"""`READ` and `WRITE`: the block of elements, and the walks over it.

A walk goes over the elements of a `WRITE` in the frame to check them, the next one writes them. A
`READ` needs none before its answer.
"""

from __future__ import annotations

from spiketwin.hdl.gateware.link.instructions import (
    Bytes,
    Cell,
    Condition,
    Lane,
    Port,
    counter_lane,
)
from spiketwin.hdl.gateware.link.program import Program
from spiketwin.hdl.gateware.link.tables import FORM_BYTES, SPACES, Tables
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.protocol import (
    MAX_ELEMENT_BYTES,
    REQUEST_HEADER,
    REQUESTS,
    Opcode,
    Status,
)
from spiketwin.hdl.spec.registers import PENDING_MASK_BITS, Space

ARGUMENT_BYTES = REQUESTS[Opcode.READ].argument_bytes
START = REQUEST_HEADER + 1
"""Where the start lies in the frame, behind the space."""
FIRST = REQUEST_HEADER + ARGUMENT_BYTES
"""Where the first element of a `WRITE` lies."""


def add_elements(c: Program, params: CoreParams, tables: Tables) -> None:
    """Add what executes `READ` and `WRITE`."""
    _access(c, tables)
    _length(c)
    _extent(c)
    _check(c, tables)
    _check_registers(c, tables)
    _check_bits(c)
    _check_pending(c, params, tables)
    _apply(c)
    _answer(c)
    _send_bits(c)
    _send_counters(c)


# --- the block ----------------------------------------------------------------------------------


def _access(c: Program, tables: Tables) -> None:
    """Whether there is such a space and it is open, and where the block begins."""
    c.label(Opcode.READ.name)
    c.compare_number(Cell.GIVEN, ARGUMENT_BYTES)
    c.jump_unless(Condition.ZERO, Status.BAD_LENGTH.name)
    c.label(Opcode.WRITE.name)
    c.compare_number(Cell.GIVEN, ARGUMENT_BYTES)
    c.jump_unless(Condition.CARRY, Status.BAD_LENGTH.name)
    c.copy(Cell.SPACE, Cell.TAPE)
    c.out(Port.SPACE, Cell.SPACE)
    c.compare_number(Cell.SPACE, SPACES)
    c.jump_if(Condition.CARRY, Status.BAD_SPACE.name)
    c.set(Cell.NUMBER, tables.spaces)
    for _ in range(FORM_BYTES):
        c.add(Cell.NUMBER, Cell.SPACE)
    c.out(Port.SEEK_TABLE, Cell.NUMBER)
    c.out(Port.FORM, Cell.TAPE)
    c.jump_unless(Condition.KNOWN, Status.BAD_SPACE.name)
    c.copy(Cell.COLUMNS, Cell.TAPE, Bytes.TWO)
    c.copy(Cell.RANGE, Cell.TAPE)
    c.copy(Cell.LAST_ROW, Cell.ZERO, Bytes.FOUR)
    c.jump_unless(Condition.MATRIX, "OPEN SPACE")
    c.give(Port.SEEK_TABLE, tables.last_row)
    c.copy(Cell.LAST_ROW, Cell.TAPE, Bytes.TWO)
    c.label("OPEN SPACE")
    c.compare_number(Cell.OPCODE, Opcode.READ)
    c.jump_if(Condition.ZERO, "READABLE")
    c.jump_unless(Condition.WRITABLE, Status.READ_ONLY.name)
    c.jump_unless(Condition.IDLE, Status.BUSY.name)
    c.label("READABLE")
    c.jump_if(Condition.IDLE, "BLOCK")
    c.jump_unless(Condition.ANYTIME, Status.BUSY.name)
    c.label("BLOCK")
    c.give(Port.SEEK_FRAME, START)
    c.out(Port.PUSH, Cell.TAPE, Bytes.FOUR)
    c.out(Port.PLACE)
    c.out(Port.SEEK_FRAME, Cell.NUMBER)
    for cell in (Cell.COLUMN, Cell.ROW, Cell.COUNT):
        c.copy(cell, Cell.TAPE, Bytes.TWO)
    c.jump_if(Condition.ZERO, Status.BAD_RANGE.name)


def _length(c: Program) -> None:
    """Bytes of the elements, which have to fit an answer."""
    c.copy(Cell.LENGTH, Cell.COUNT, Bytes.FOUR)
    c.jump_if(Condition.PACKED, "BITS")
    c.jump_unless(Condition.WIDE, "LENGTH")
    c.add(Cell.LENGTH, Cell.LENGTH, Bytes.FOUR)
    c.jump_unless(Condition.WIDEST, "LENGTH")
    c.add(Cell.LENGTH, Cell.LENGTH, Bytes.FOUR)
    c.jump("LENGTH")
    c.label("BITS")
    c.set(Cell.NUMBER, 7)
    c.copy(Cell.SPARE_FROM, Cell.COUNT)
    c.subtract(Cell.SPARE_FROM, Cell.ONE)
    c.mask(Cell.SPARE_FROM, Cell.NUMBER)
    c.add(Cell.SPARE_FROM, Cell.ONE)
    c.add(Cell.LENGTH, Cell.NUMBER, Bytes.FOUR)
    for _ in range(3):
        c.shift(Cell.LENGTH, Cell.ZERO, Bytes.FOUR)
    c.label("LENGTH")
    c.set(Cell.NUMBER, MAX_ELEMENT_BYTES)
    c.compare(Cell.NUMBER, Cell.LENGTH, Bytes.FOUR)
    c.jump_unless(Condition.CARRY, Status.BAD_RANGE.name)


def _extent(c: Program) -> None:
    """Whether there are such elements: go on row by row until the block ends within one."""
    c.compare(Cell.COLUMN, Cell.COLUMNS, Bytes.TWO)
    c.jump_if(Condition.CARRY, Status.BAD_RANGE.name)
    c.copy(Cell.END, Cell.COLUMN, Bytes.FOUR)
    c.add(Cell.END, Cell.COUNT, Bytes.FOUR)
    c.label("IN ROW")
    c.compare(Cell.LAST_ROW, Cell.ROW, Bytes.TWO)
    c.jump_unless(Condition.CARRY, Status.BAD_RANGE.name)
    c.compare(Cell.COLUMNS, Cell.END, Bytes.FOUR)
    c.jump_if(Condition.CARRY, "BLOCK IS THERE")
    c.subtract(Cell.END, Cell.COLUMNS, Bytes.FOUR)
    c.add(Cell.ROW, Cell.ONE, Bytes.TWO)
    c.jump("IN ROW")
    c.label("BLOCK IS THERE")
    c.compare_number(Cell.OPCODE, Opcode.READ)
    c.jump_if(Condition.ZERO, "ANSWER")
    c.set(Cell.NUMBER, ARGUMENT_BYTES)
    c.add(Cell.NUMBER, Cell.LENGTH)
    c.compare(Cell.NUMBER, Cell.GIVEN)
    c.jump_unless(Condition.ZERO, Status.BAD_LENGTH.name)


# --- WRITE --------------------------------------------------------------------------------------


def _check(c: Program, tables: Tables) -> None:
    c.out(Port.LOOPS, Cell.COUNT)
    c.compare_number(Cell.SPACE, Space.REGISTER)
    c.jump_if(Condition.ZERO, "CHECK REGISTERS")
    c.compare_number(Cell.SPACE, Space.PENDING)
    c.jump_if(Condition.ZERO, "CHECK PENDING")
    c.jump_if(Condition.PACKED, "CHECK BITS")
    c.compare(Cell.RANGE, Cell.ZERO)
    c.jump_if(Condition.ZERO, "APPLY")
    _take_range(c)
    c.give(Port.SEEK_FRAME, FIRST)
    c.label("CHECK ELEMENT")
    _check_value(c, Bytes.ELEMENT)
    c.jump_if(Condition.LOOP, "CHECK ELEMENT")
    c.jump("APPLY")


def _take_range(c: Program) -> None:
    c.out(Port.SEEK_TABLE, Cell.RANGE)
    c.copy(Cell.BIAS, Cell.TAPE, Bytes.FOUR)
    c.copy(Cell.MASK, Cell.TAPE, Bytes.FOUR)


def _check_value(c: Program, size: Bytes) -> None:
    """Refuse the next element if it is not in its range (`tables`)."""
    c.copy(Cell.VALUE, Cell.TAPE, size)
    c.add(Cell.VALUE, Cell.BIAS, size)
    c.mask(Cell.VALUE, Cell.MASK, size)
    c.jump_unless(Condition.ZERO, "BAD ITEM")


def _check_registers(c: Program, tables: Tables) -> None:
    """Each has a range of its own."""
    c.label("CHECK REGISTERS")
    c.copy(Cell.REGISTER, Cell.COLUMN)
    c.set(Cell.PLACE, FIRST)
    c.label("CHECK REGISTER")
    c.set(Cell.NUMBER, tables.registers)
    c.add(Cell.NUMBER, Cell.REGISTER)
    c.out(Port.SEEK_TABLE, Cell.NUMBER)
    c.copy(Cell.RANGE, Cell.TAPE)
    c.jump_if(Condition.ZERO, "NEXT REGISTER")
    _take_range(c)
    c.out(Port.SEEK_FRAME, Cell.PLACE)
    _check_value(c, Bytes.FOUR)
    c.label("NEXT REGISTER")
    c.set(Cell.NUMBER, 4)
    c.add(Cell.PLACE, Cell.NUMBER)
    c.add(Cell.REGISTER, Cell.ONE)
    c.jump_if(Condition.LOOP, "CHECK REGISTER")
    c.jump("APPLY")


def _check_bits(c: Program) -> None:
    """Every bit is a value; those after the last one are spare."""
    c.label("CHECK BITS")
    c.out(Port.LOOPS, Cell.SPARE_FROM)
    c.set(Cell.NUMBER, FIRST - 1)
    c.add(Cell.NUMBER, Cell.LENGTH)
    c.out(Port.SEEK_FRAME, Cell.NUMBER)
    c.copy(Cell.VALUE, Cell.TAPE)
    c.label("SPARE BITS")
    c.shift(Cell.VALUE, Cell.ZERO)
    c.jump_if(Condition.LOOP, "SPARE BITS")
    c.jump_if(Condition.ZERO, "APPLY")
    c.copy(Cell.DETAIL, Cell.COUNT, Bytes.FOUR)
    c.jump(Status.BAD_VALUE.name)


def _check_pending(c: Program, params: CoreParams, tables: Tables) -> None:
    """Entries begin anew or follow the last one, and their groups ascend."""
    c.label("CHECK PENDING")
    c.give(Port.SEEK_TABLE, tables.entry_limit)
    c.copy(Cell.ENTRY_LIMIT, Cell.TAPE, Bytes.FOUR)
    c.copy(Cell.LAST_ENTRY, Cell.ZERO, Bytes.FOUR)
    c.compare(Cell.COLUMN, Cell.ZERO, Bytes.TWO)
    c.jump_if(Condition.ZERO, "ENTRIES")
    c.look(counter_lane("pending_groups"))
    c.compare(Cell.COLUMN, Cell.INPUT, Bytes.TWO)
    c.jump_unless(Condition.ZERO, Status.BAD_RANGE.name)
    # Go back to the entry before, and on to the place that is wanted.
    c.copy(Cell.VALUE, Cell.COLUMN, Bytes.FOUR)
    c.subtract(Cell.VALUE, Cell.ONE, Bytes.FOUR)
    c.out(Port.PUSH, Cell.VALUE, Bytes.FOUR)
    c.out(Port.PLACE)
    c.look(Lane.ELEMENT)
    c.out(Port.READ)
    c.copy(Cell.VALUE, Cell.INPUT, Bytes.FOUR)
    c.out(Port.ADVANCE)
    _keep_entry(c)
    c.label("ENTRIES")
    c.give(Port.SEEK_FRAME, FIRST)
    c.label("ENTRY")
    c.copy(Cell.VALUE, Cell.TAPE, Bytes.FOUR)
    c.compare_number(Cell.VALUE, 0)
    c.jump_if(Condition.ZERO, "BAD ITEM")
    if params.neuron_lanes < PENDING_MASK_BITS:
        c.compare_number(Cell.VALUE, 1 << params.neuron_lanes)
        c.jump_if(Condition.CARRY, "BAD ITEM")
    c.compare(Cell.VALUE, Cell.ENTRY_LIMIT, Bytes.FOUR)
    c.jump_if(Condition.CARRY, "BAD ITEM")
    c.compare(Cell.LAST_ENTRY, Cell.VALUE, Bytes.FOUR)
    c.jump_if(Condition.CARRY, "ITEM OUT OF ORDER")
    _keep_entry(c)
    c.jump_if(Condition.LOOP, "ENTRY")


def _keep_entry(c: Program) -> None:
    """Of the entries of this group, the last one that there could be."""
    c.copy(Cell.LAST_ENTRY, Cell.VALUE, Bytes.FOUR)
    c.set(Cell.NUMBER, (1 << PENDING_MASK_BITS) - 1)
    c.copy(Cell.LAST_ENTRY, Cell.NUMBER)


def _apply(c: Program) -> None:
    c.label("APPLY")
    c.give(Port.SEEK_FRAME, FIRST)
    c.out(Port.LOOPS, Cell.COUNT)
    c.jump_if(Condition.PACKED, "WRITE BITS")
    c.label("WRITE ELEMENT")
    c.out(Port.PUSH, Cell.TAPE, Bytes.ELEMENT)
    c.out(Port.WRITE)
    c.jump_if(Condition.LOOP, "WRITE ELEMENT")
    c.jump("ANSWER")
    c.label("WRITE BITS")
    _bits_of_next_byte(c, "BITS TO WRITE", done="ANSWER")
    c.copy(Cell.VALUE, Cell.TAPE)
    c.label("WRITE BIT")
    c.out(Port.PUSH, Cell.VALUE)
    c.out(Port.WRITE)
    c.shift(Cell.VALUE, Cell.ZERO)
    c.jump_if(Condition.LOOP, "WRITE BIT")
    c.jump("WRITE BITS")


def _bits_of_next_byte(c: Program, name: str, done: str) -> None:
    """Loop over eight bits, or over the rest in the last byte; a byte less is left then."""
    c.give(Port.LOOPS, 8)
    c.subtract(Cell.LENGTH, Cell.ONE)
    c.jump_unless(Condition.CARRY, done)
    c.jump_unless(Condition.ZERO, name)
    c.out(Port.LOOPS, Cell.SPARE_FROM)
    c.label(name)


# --- the answer to READ -------------------------------------------------------------------------


def _answer(c: Program) -> None:
    c.label("SEND READ")
    c.out(Port.LOOPS, Cell.COUNT)
    c.compare_number(Cell.SPACE, Space.COUNTER)
    c.jump_if(Condition.ZERO, "SEND COUNTERS")
    c.look(Lane.ELEMENT)
    c.jump_if(Condition.PACKED, "SEND BITS")
    c.label("SEND ELEMENT")
    c.out(Port.READ)
    c.out(Port.SEND, Cell.INPUT, Bytes.ELEMENT)
    c.out(Port.ADVANCE)
    c.jump_if(Condition.LOOP, "SEND ELEMENT")
    c.jump("FINISH")


def _send_bits(c: Program) -> None:
    """The bits enter at the top, and the spare ones follow them."""
    c.label("SEND BITS")
    _bits_of_next_byte(c, "BITS TO SEND", done="FINISH")
    c.label("READ BIT")
    c.out(Port.READ)
    c.shift(Cell.VALUE, Cell.INPUT)
    c.out(Port.ADVANCE)
    c.jump_if(Condition.LOOP, "READ BIT")
    c.compare(Cell.LENGTH, Cell.ZERO)
    c.jump_unless(Condition.ZERO, "SEND BYTE")
    c.set(Cell.NUMBER, 8)
    c.subtract(Cell.NUMBER, Cell.SPARE_FROM)
    c.jump_if(Condition.ZERO, "SEND BYTE")
    c.out(Port.LOOPS, Cell.NUMBER)
    c.label("SPARE BIT")
    c.shift(Cell.VALUE, Cell.ZERO)
    c.jump_if(Condition.LOOP, "SPARE BIT")
    c.label("SEND BYTE")
    c.out(Port.SEND, Cell.VALUE)
    c.jump("SEND BITS")


def _send_counters(c: Program) -> None:
    """Those that the program keeps lie in cells; others are looked at until twice the same."""
    kept = {"run_until": Cell.RUN_UNTIL, "frame_errors": Cell.FRAME_ERRORS}
    c.label("SEND COUNTERS")
    c.copy(Cell.REGISTER, Cell.COLUMN)
    c.label("COUNTER")
    for name, cell in kept.items():
        c.copy(Cell.DETAIL, cell, Bytes.FOUR)
        c.compare_number(Cell.REGISTER, counter_lane(name))
        c.jump_if(Condition.ZERO, "SEND COUNTER")
    c.out(Port.LOOK_AT, Cell.REGISTER)
    c.label("LOOK AGAIN")
    c.copy(Cell.DETAIL, Cell.INPUT, Bytes.FOUR)
    c.compare(Cell.DETAIL, Cell.INPUT, Bytes.FOUR)
    c.jump_unless(Condition.ZERO, "LOOK AGAIN")
    c.label("SEND COUNTER")
    c.out(Port.SEND, Cell.DETAIL, Bytes.FOUR)
    c.add(Cell.REGISTER, Cell.ONE)
    c.jump_if(Condition.LOOP, "COUNTER")
    c.jump("FINISH")
