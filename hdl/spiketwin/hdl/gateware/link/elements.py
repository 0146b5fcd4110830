"""The part of the program that executes `READ` and `WRITE`: checks, writes and answers.

The elements of a `WRITE` are gone over twice in the frame, first to check and then to write them.
A `READ` goes over its elements once, as they are sent.
"""

from __future__ import annotations

from spiketwin.hdl.gateware.link.instructions import (
    Bytes,
    Condition,
    Input,
    Port,
    Scratch,
    counter_input,
)
from spiketwin.hdl.gateware.link.program import Program
from spiketwin.hdl.gateware.link.tables import SPACE_ROW_BYTES, Tables
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.protocol import (
    COUNT_BYTES,
    MAX_ELEMENT_BYTES,
    REQUEST_HEADER,
    REQUESTS,
    Opcode,
    Status,
)
from spiketwin.hdl.spec.registers import PENDING_MASK_BITS, Space

_START = REQUEST_HEADER + 1
"""Address of the argument `start` in the frame, behind the space."""
_WRITE_BYTES = REQUESTS[Opcode.WRITE].argument_bytes
_FIRST = REQUEST_HEADER + _WRITE_BYTES
"""Address of the first element of a `WRITE` in the frame, unless elements are bits."""


def add_elements(c: Program, params: CoreParams, tables: Tables) -> None:
    """Add the instructions that execute `READ` and `WRITE`."""
    _space(c, tables)
    _access(c)
    _number(c)
    _length(c)
    _extent(c)
    _check(c, tables)
    _check_records(c, tables)
    _check_bits(c)
    _check_pending(c, params, tables)
    _apply(c)
    _answer(c)
    _send_bits(c)
    _send_counters(c)


# --- the block ----------------------------------------------------------------------------------


def take_tail(c: Program, opcode: Opcode) -> None:
    """Set COUNT to the bytes behind the fixed arguments; refuse a request that ends within them."""
    c.copy(Scratch.COUNT, Scratch.GIVEN, Bytes.FOUR)
    c.set(Scratch.NUMBER, REQUESTS[opcode].argument_bytes)
    c.subtract(Scratch.COUNT, Scratch.NUMBER)
    c.jump_unless(Condition.CARRY, Status.BAD_LENGTH.name)


def halve_count(c: Program) -> None:
    """Halve COUNT; refuse the request if that leaves a byte over."""
    c.shift(Scratch.COUNT, Scratch.ZERO)
    c.jump_if(Condition.CARRY, Status.BAD_LENGTH.name)


def _space(c: Program, tables: Tables) -> None:
    """Check that the space exists, and take what the tables say of it."""
    c.label(Opcode.READ.name)
    c.compare_number(Scratch.GIVEN, REQUESTS[Opcode.READ].argument_bytes)
    c.jump_unless(Condition.ZERO, Status.BAD_LENGTH.name)
    c.label(Opcode.WRITE.name)
    take_tail(c, Opcode.WRITE)
    c.copy(Scratch.SPACE, Scratch.BUFFER)
    c.out(Port.SPACE, Scratch.SPACE)
    c.compare_number(Scratch.SPACE, tables.space_rows)
    c.jump_if(Condition.CARRY, Status.BAD_SPACE.name)
    c.set(Scratch.NUMBER, tables.spaces)
    for _ in range(SPACE_ROW_BYTES // tables.unit):
        c.add(Scratch.NUMBER, Scratch.SPACE)
    c.out(Port.SEEK_TABLE, Scratch.NUMBER)
    c.out(Port.SPACE_FLAGS, Scratch.BUFFER)
    c.jump_unless(Condition.KNOWN, Status.BAD_SPACE.name)
    c.copy(Scratch.COLUMNS, Scratch.BUFFER, Bytes.TWO)
    c.copy(Scratch.RANGE, Scratch.BUFFER)
    c.copy(Scratch.LAST_ROW, Scratch.ZERO, Bytes.FOUR)
    for space in _tables_of_rows(tables):
        c.compare_number(Scratch.SPACE, space)
        c.jump_unless(Condition.ZERO, f"NOT {space.name}")
        c.set(Scratch.NUMBER, tables.records[space] - 1)
        c.copy(Scratch.LAST_ROW, Scratch.NUMBER)
        c.label(f"NOT {space.name}")
    c.jump_unless(Condition.MATRIX, "OPEN SPACE")
    c.give(Port.SEEK_TABLE, tables.last_row)
    c.copy(Scratch.LAST_ROW, Scratch.BUFFER, Bytes.TWO)
    c.label("OPEN SPACE")


def _access(c: Program) -> None:
    """Find where the block begins, and check that the space can be accessed now."""
    c.give(Port.SEEK_FRAME, _START)
    c.copy(Scratch.DETAIL, Scratch.BUFFER, Bytes.FOUR)
    c.out(Port.PUSH, Scratch.DETAIL, Bytes.FOUR)
    c.out(Port.PLACE)
    c.out(Port.SEEK_FRAME, Scratch.NUMBER)
    for cell in (Scratch.COLUMN, Scratch.ROW):
        c.copy(cell, Scratch.BUFFER, Bytes.TWO)
    c.compare_number(Scratch.OPCODE, Opcode.READ)
    c.jump_if(Condition.ZERO, "READABLE")
    c.jump_unless(Condition.WRITABLE, Status.READ_ONLY.name)
    c.jump_unless(Condition.IDLE, Status.BUSY.name)


def _number(c: Program) -> None:
    """Find the number of the elements: as many as a `WRITE` has bytes for, or as many as are told.

    A `READ` tells it, and a `WRITE` of bits.
    """
    c.jump_if(Condition.PACKED, "NUMBER OF BITS")
    c.jump_unless(Condition.WIDE, "ELEMENTS")
    halve_count(c)
    c.jump_unless(Condition.WIDEST, "ELEMENTS")
    halve_count(c)
    c.jump("ELEMENTS")
    c.label("NUMBER OF BITS")
    c.compare_number(Scratch.GIVEN, _WRITE_BYTES + COUNT_BYTES)
    c.jump_unless(Condition.CARRY, Status.BAD_LENGTH.name)
    # A WRITE of bits goes on here, too, as the core is idle.
    c.label("READABLE")
    c.jump_if(Condition.IDLE, "NUMBER IS TOLD")
    c.jump_unless(Condition.ANYTIME, Status.BUSY.name)
    c.label("NUMBER IS TOLD")
    c.copy(Scratch.COUNT, Scratch.BUFFER, Bytes.TWO)
    c.label("ELEMENTS")
    c.compare(Scratch.COUNT, Scratch.ZERO, Bytes.TWO)
    c.jump_if(Condition.ZERO, Status.BAD_RANGE.name)


def _tables_of_rows(tables: Tables) -> list[Space]:
    """Return the spaces of more than one record."""
    return [space for space, rows in tables.records.items() if rows > 1]


def _length(c: Program) -> None:
    """Compute the bytes of the elements, and check that they fit one answer."""
    c.copy(Scratch.LENGTH, Scratch.COUNT, Bytes.FOUR)
    c.jump_if(Condition.PACKED, "BITS")
    c.jump_unless(Condition.WIDE, "LENGTH")
    c.add(Scratch.LENGTH, Scratch.LENGTH, Bytes.FOUR)
    c.jump_unless(Condition.WIDEST, "LENGTH")
    c.add(Scratch.LENGTH, Scratch.LENGTH, Bytes.FOUR)
    c.jump("LENGTH")
    c.label("BITS")
    c.set(Scratch.NUMBER, 7)
    c.copy(Scratch.SPARE_FROM, Scratch.COUNT)
    c.subtract(Scratch.SPARE_FROM, Scratch.ONE)
    c.mask(Scratch.SPARE_FROM, Scratch.NUMBER)
    c.add(Scratch.SPARE_FROM, Scratch.ONE)
    c.add(Scratch.LENGTH, Scratch.NUMBER, Bytes.FOUR)
    for _ in range(3):
        c.shift(Scratch.LENGTH, Scratch.ZERO, Bytes.FOUR)
    c.label("LENGTH")
    c.set(Scratch.NUMBER, MAX_ELEMENT_BYTES)
    c.compare(Scratch.NUMBER, Scratch.LENGTH, Bytes.FOUR)
    c.jump_unless(Condition.CARRY, Status.BAD_RANGE.name)


def _extent(c: Program) -> None:
    """Check that the elements exist: go on row by row until the block ends within one."""
    c.compare(Scratch.COLUMN, Scratch.COLUMNS, Bytes.TWO)
    c.jump_if(Condition.CARRY, Status.BAD_RANGE.name)
    c.copy(Scratch.END, Scratch.COLUMN, Bytes.FOUR)
    c.add(Scratch.END, Scratch.COUNT, Bytes.FOUR)
    c.label("IN ROW")
    c.compare(Scratch.LAST_ROW, Scratch.ROW, Bytes.TWO)
    c.jump_unless(Condition.CARRY, Status.BAD_RANGE.name)
    c.compare(Scratch.COLUMNS, Scratch.END, Bytes.FOUR)
    c.jump_if(Condition.CARRY, "BLOCK IS THERE")
    c.subtract(Scratch.END, Scratch.COLUMNS, Bytes.FOUR)
    c.add(Scratch.ROW, Scratch.ONE, Bytes.TWO)
    c.jump("IN ROW")
    c.label("BLOCK IS THERE")
    c.out(Port.LOOPS, Scratch.COUNT)
    c.compare_number(Scratch.OPCODE, Opcode.READ)
    c.jump_if(Condition.ZERO, "ANSWER")


# --- WRITE --------------------------------------------------------------------------------------


def _check(c: Program, tables: Tables) -> None:
    for space in tables.records:
        c.compare_number(Scratch.SPACE, space)
        c.jump_if(Condition.ZERO, "CHECK RECORDS")
    c.compare_number(Scratch.SPACE, Space.PENDING)
    c.jump_if(Condition.ZERO, "CHECK PENDING")
    c.jump_if(Condition.PACKED, "CHECK BITS")
    c.compare(Scratch.RANGE, Scratch.ZERO)
    c.jump_if(Condition.ZERO, "APPLY")
    c.out(Port.SEEK_TABLE, Scratch.RANGE)
    take_range(c)
    c.give(Port.SEEK_FRAME, _FIRST)
    c.label("CHECK ELEMENT")
    check_value(c, Bytes.ELEMENT)
    c.jump_if(Condition.LOOP, "CHECK ELEMENT")
    c.jump("APPLY")


def take_range(c: Program) -> None:
    """Take the range of values that BUFFER is at in the tables."""
    c.copy(Scratch.BIAS, Scratch.BUFFER, Bytes.FOUR)
    c.copy(Scratch.MASK, Scratch.BUFFER, Bytes.FOUR)


def check_value(c: Program, size: Bytes) -> None:
    """Refuse the request if the next element is not in its range (`tables`)."""
    c.copy(Scratch.VALUE, Scratch.BUFFER, size)
    c.add(Scratch.VALUE, Scratch.BIAS, size)
    c.mask(Scratch.VALUE, Scratch.MASK, size)
    c.jump_unless(Condition.ZERO, "BAD ITEM")


def _check_records(c: Program, tables: Tables) -> None:
    """Check the elements of records, each by the range of its column."""
    c.label("CHECK RECORDS")
    c.note("where the list of the ranges has that of the first element")
    c.copy(Scratch.REGISTER, Scratch.RANGE)
    c.add(Scratch.REGISTER, Scratch.COLUMN)
    c.set(Scratch.PLACE, _FIRST)
    c.label("CHECK COLUMN")
    c.out(Port.SEEK_TABLE, Scratch.REGISTER)
    c.copy(Scratch.RANGE, Scratch.BUFFER)
    c.jump_if(Condition.ZERO, "NEXT COLUMN")
    c.out(Port.SEEK_TABLE, Scratch.RANGE)
    take_range(c)
    c.out(Port.SEEK_FRAME, Scratch.PLACE)
    check_value(c, Bytes.FOUR)
    c.label("NEXT COLUMN")
    c.set(Scratch.NUMBER, 4)
    c.add(Scratch.PLACE, Scratch.NUMBER)
    c.add(Scratch.REGISTER, Scratch.ONE)
    if _tables_of_rows(tables):
        c.add(Scratch.COLUMN, Scratch.ONE)
        c.compare(Scratch.COLUMN, Scratch.COLUMNS)
        c.jump_unless(Condition.ZERO, "IN RECORD")
        c.note("the next row begins")
        c.copy(Scratch.COLUMN, Scratch.ZERO)
        c.subtract(Scratch.REGISTER, Scratch.COLUMNS)
        c.label("IN RECORD")
    c.jump_if(Condition.LOOP, "CHECK COLUMN")
    c.jump("APPLY")


def _check_bits(c: Program) -> None:
    """Check that bits have as many bytes as they need, and that the spare ones of the last are 0.

    Any bit is a valid element.
    """
    c.label("CHECK BITS")
    c.out(Port.LOOPS, Scratch.SPARE_FROM)
    c.set(Scratch.NUMBER, _WRITE_BYTES + COUNT_BYTES)
    c.add(Scratch.NUMBER, Scratch.LENGTH)
    c.compare(Scratch.NUMBER, Scratch.GIVEN)
    c.jump_unless(Condition.ZERO, Status.BAD_LENGTH.name)
    c.set(Scratch.NUMBER, REQUEST_HEADER - 1)
    c.add(Scratch.NUMBER, Scratch.GIVEN)
    c.note("the last byte")
    c.out(Port.SEEK_FRAME, Scratch.NUMBER)
    c.copy(Scratch.VALUE, Scratch.BUFFER)
    c.label("SPARE BITS")
    c.shift(Scratch.VALUE, Scratch.ZERO)
    c.jump_if(Condition.LOOP, "SPARE BITS")
    c.jump_if(Condition.ZERO, "APPLY BITS")
    c.copy(Scratch.DETAIL, Scratch.COUNT, Bytes.FOUR)
    c.jump(Status.BAD_VALUE.name)


def _check_pending(c: Program, params: CoreParams, tables: Tables) -> None:
    """Check that entries begin a new list or follow the last one, and that groups ascend."""
    c.label("CHECK PENDING")
    c.give(Port.SEEK_TABLE, tables.entry_limit)
    c.copy(Scratch.ENTRY_LIMIT, Scratch.BUFFER, Bytes.FOUR)
    c.copy(Scratch.LAST_ENTRY, Scratch.ZERO, Bytes.FOUR)
    c.compare(Scratch.COLUMN, Scratch.ZERO, Bytes.TWO)
    c.jump_if(Condition.ZERO, "ENTRIES")
    c.look(counter_input("pending_groups"))
    c.compare(Scratch.COLUMN, Scratch.INPUT, Bytes.TWO)
    c.jump_unless(Condition.ZERO, Status.BAD_RANGE.name)
    # Read the entry before the first one, and advance to the first one.
    c.subtract(Scratch.COLUMN, Scratch.ONE, Bytes.TWO)
    c.out(Port.PUSH, Scratch.COLUMN, Bytes.TWO)
    c.out(Port.PLACE)
    c.look(Input.ELEMENT)
    c.out(Port.READ)
    _keep_entry(c, Scratch.INPUT)
    c.out(Port.ADVANCE)
    c.label("ENTRIES")
    c.give(Port.SEEK_FRAME, _FIRST)
    c.label("ENTRY")
    c.copy(Scratch.VALUE, Scratch.BUFFER, Bytes.FOUR)
    c.compare_number(Scratch.VALUE, 0)
    c.jump_if(Condition.ZERO, "BAD ITEM")
    if params.neuron_lanes < PENDING_MASK_BITS:
        c.compare_number(Scratch.VALUE, 1 << params.neuron_lanes)
        c.jump_if(Condition.CARRY, "BAD ITEM")
    c.compare(Scratch.VALUE, Scratch.ENTRY_LIMIT, Bytes.FOUR)
    c.jump_if(Condition.CARRY, "BAD ITEM")
    c.compare(Scratch.LAST_ENTRY, Scratch.VALUE, Bytes.FOUR)
    c.jump_if(Condition.CARRY, "ITEM OUT OF ORDER")
    _keep_entry(c, Scratch.VALUE)
    c.jump_if(Condition.LOOP, "ENTRY")


def _keep_entry(c: Program, entry: Scratch) -> None:
    """Keep the largest value that an entry of this group could have; the next one is above it."""
    c.copy(Scratch.LAST_ENTRY, entry, Bytes.FOUR)
    c.set(Scratch.NUMBER, (1 << PENDING_MASK_BITS) - 1)
    c.copy(Scratch.LAST_ENTRY, Scratch.NUMBER)


def _apply(c: Program) -> None:
    c.label("APPLY")
    c.give(Port.SEEK_FRAME, _FIRST)
    c.out(Port.LOOPS, Scratch.COUNT)
    c.label("WRITE ELEMENT")
    c.out(Port.PUSH, Scratch.BUFFER, Bytes.ELEMENT)
    c.out(Port.WRITE)
    c.jump_if(Condition.LOOP, "WRITE ELEMENT")
    c.jump("ANSWER")
    c.label("APPLY BITS")
    c.give(Port.SEEK_FRAME, _FIRST + COUNT_BYTES)
    c.label("WRITE BITS")
    _bits_of_next_byte(c, "BITS TO WRITE", done="ANSWER")
    c.copy(Scratch.VALUE, Scratch.BUFFER)
    c.label("WRITE BIT")
    c.out(Port.PUSH, Scratch.VALUE)
    c.out(Port.WRITE)
    c.shift(Scratch.VALUE, Scratch.ZERO)
    c.jump_if(Condition.LOOP, "WRITE BIT")
    c.jump("WRITE BITS")


def _bits_of_next_byte(c: Program, name: str, done: str) -> None:
    """Set up a loop over the bits of the next byte: eight, or those of the last byte.

    Jumps to `done` if no byte is left. `name` is the label from which the loop goes on.
    """
    c.give(Port.LOOPS, 8)
    c.subtract(Scratch.LENGTH, Scratch.ONE)
    c.jump_unless(Condition.CARRY, done)
    c.jump_unless(Condition.ZERO, name)
    c.out(Port.LOOPS, Scratch.SPARE_FROM)
    c.label(name)


# --- the answer to READ -------------------------------------------------------------------------


def _answer(c: Program) -> None:
    c.label("SEND READ")
    c.compare_number(Scratch.SPACE, Space.COUNTER)
    c.jump_if(Condition.ZERO, "SEND COUNTERS")
    c.look(Input.ELEMENT)
    c.jump_if(Condition.PACKED, "SEND BITS")
    c.label("SEND ELEMENT")
    c.out(Port.READ)
    c.out(Port.SEND, Scratch.INPUT, Bytes.ELEMENT)
    c.out(Port.ADVANCE)
    c.jump_if(Condition.LOOP, "SEND ELEMENT")
    c.jump("FINISH")


def _send_bits(c: Program) -> None:
    """Send bits packed into bytes: they are shifted in at the top, followed by spare zeros."""
    c.label("SEND BITS")
    _bits_of_next_byte(c, "BITS TO SEND", done="FINISH")
    c.label("READ BIT")
    c.out(Port.READ)
    c.shift(Scratch.VALUE, Scratch.INPUT)
    c.out(Port.ADVANCE)
    c.jump_if(Condition.LOOP, "READ BIT")
    c.compare(Scratch.LENGTH, Scratch.ZERO)
    c.jump_unless(Condition.ZERO, "SEND BYTE")
    c.set(Scratch.NUMBER, 8)
    c.subtract(Scratch.NUMBER, Scratch.SPARE_FROM)
    c.jump_if(Condition.ZERO, "SEND BYTE")
    c.out(Port.LOOPS, Scratch.NUMBER)
    c.label("SPARE BIT")
    c.shift(Scratch.VALUE, Scratch.ZERO)
    c.jump_if(Condition.LOOP, "SPARE BIT")
    c.label("SEND BYTE")
    c.out(Port.SEND, Scratch.VALUE)
    c.jump("SEND BITS")


def _send_counters(c: Program) -> None:
    """Send counters, some of which are cells of the program.

    The core's counters may change while their bytes are read, so they are read until two reads
    give the same.
    """
    kept = {"run_until": Scratch.RUN_UNTIL, "frame_errors": Scratch.FRAME_ERRORS}
    c.label("SEND COUNTERS")
    c.copy(Scratch.REGISTER, Scratch.COLUMN)
    c.label("COUNTER")
    for name, cell in kept.items():
        c.copy(Scratch.DETAIL, cell, Bytes.FOUR)
        c.compare_number(Scratch.REGISTER, counter_input(name))
        c.jump_if(Condition.ZERO, "SEND COUNTER")
    c.out(Port.LOOK_AT, Scratch.REGISTER)
    c.label("LOOK AGAIN")
    c.copy(Scratch.DETAIL, Scratch.INPUT, Bytes.FOUR)
    c.compare(Scratch.DETAIL, Scratch.INPUT, Bytes.FOUR)
    c.jump_unless(Condition.ZERO, "LOOK AGAIN")
    c.label("SEND COUNTER")
    c.out(Port.SEND, Scratch.DETAIL, Bytes.FOUR)
    c.add(Scratch.REGISTER, Scratch.ONE)
    c.jump_if(Condition.LOOP, "COUNTER")
    c.jump("FINISH")
