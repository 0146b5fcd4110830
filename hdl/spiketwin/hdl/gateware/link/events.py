"""`EVENTS`: axon events are checked one after the other, and then queued.

Only the first can be late: those that ascend from it are later.
"""

from __future__ import annotations

from spiketwin.hdl.gateware.link.instructions import (
    Bytes,
    Cell,
    Condition,
    Port,
    counter_lane,
)
from spiketwin.hdl.gateware.link.program import Program
from spiketwin.hdl.gateware.link.tables import Tables
from spiketwin.hdl.spec.protocol import REQUEST_HEADER, REQUESTS, Opcode, Status

_TICK_BYTES = REQUESTS[Opcode.EVENTS].argument_bytes
_EVENT_BYTES = REQUESTS[Opcode.EVENTS].tail_size


def add_events(c: Program, tables: Tables) -> None:
    """Add what executes `EVENTS`."""
    _room(c, tables)
    _check(c)
    _apply(c)


def _room(c: Program, tables: Tables) -> None:
    """How many they are, and if there is room for them."""
    c.label(Opcode.EVENTS.name)
    c.compare_number(Cell.GIVEN, _TICK_BYTES)
    c.jump_unless(Condition.CARRY, Status.BAD_LENGTH.name)
    c.copy(Cell.COUNT, Cell.GIVEN, Bytes.FOUR)
    c.set(Cell.NUMBER, _TICK_BYTES)
    c.subtract(Cell.COUNT, Cell.NUMBER)
    c.set(Cell.NUMBER, _EVENT_BYTES - 1)
    c.mask(Cell.NUMBER, Cell.COUNT)
    c.jump_unless(Condition.ZERO, Status.BAD_LENGTH.name)
    for _ in range(_EVENT_BYTES.bit_length() - 1):
        c.shift(Cell.COUNT, Cell.ZERO)
    c.jump_if(Condition.ZERO, "ANSWER")
    c.give(Port.SEEK_TABLE, tables.events)
    c.copy(Cell.VALUE, Cell.TAPE, Bytes.FOUR)
    c.copy(Cell.AXONS, Cell.TAPE, Bytes.FOUR)
    # Until it is twice the same: it falls while a run is under way.
    c.look(counter_lane("events_queued"))
    c.label("ROOM")
    c.copy(Cell.QUEUED, Cell.INPUT, Bytes.FOUR)
    c.compare(Cell.QUEUED, Cell.INPUT, Bytes.FOUR)
    c.jump_unless(Condition.ZERO, "ROOM")
    c.subtract(Cell.VALUE, Cell.QUEUED, Bytes.FOUR)
    c.compare(Cell.VALUE, Cell.COUNT, Bytes.FOUR)
    c.jump_unless(Condition.CARRY, Status.QUEUE_FULL.name)


def _check(c: Program) -> None:
    """See that each event may follow the one before.

    Most are of the same tick as that, with a greater axon: this is seen in a few instructions. All
    others, and the first one, are looked at in full.
    """
    c.give(Port.SEEK_FRAME, REQUEST_HEADER)
    c.copy(Cell.TICK, Cell.TAPE, Bytes.FOUR)
    c.out(Port.PUSH, Cell.TICK, Bytes.FOUR)
    c.out(Port.BASE)
    c.copy(Cell.TICK_BEFORE, Cell.QUEUED_TICK, Bytes.FOUR)
    c.copy(Cell.LEAST_IN_TICK, Cell.LEAST_AXON, Bytes.TWO)
    c.copy(Cell.AXON_AFTER, Cell.AXONS, Bytes.TWO)
    c.out(Port.LOOPS, Cell.COUNT)
    c.label("EVENT")
    c.copy(Cell.OFFSET, Cell.TAPE, Bytes.TWO)
    c.copy(Cell.AXON, Cell.TAPE, Bytes.TWO)
    c.compare(Cell.AXON, Cell.AXONS, Bytes.TWO)
    c.jump_if(Condition.CARRY, "BAD ITEM")
    c.compare(Cell.AXON, Cell.AXON_AFTER, Bytes.TWO)
    c.jump_unless(Condition.CARRY, "LOOK AT EVENT")
    c.compare(Cell.OFFSET, Cell.OFFSET_BEFORE, Bytes.TWO)
    c.jump_if(Condition.ZERO, "FOLLOWS")
    c.label("LOOK AT EVENT")
    c.copy(Cell.EVENT_TICK, Cell.TICK, Bytes.FOUR)
    c.add(Cell.EVENT_TICK, Cell.OFFSET, Bytes.FOUR)
    c.jump_if(Condition.CARRY, "BAD ITEM")
    c.compare(Cell.EVENT_TICK, Cell.TICK_BEFORE, Bytes.FOUR)
    c.jump_unless(Condition.CARRY, "ITEM OUT OF ORDER")
    c.jump_unless(Condition.ZERO, "IN ORDER")
    c.compare(Cell.AXON, Cell.LEAST_IN_TICK, Bytes.TWO)
    c.jump_unless(Condition.CARRY, "ITEM OUT OF ORDER")
    c.label("IN ORDER")
    c.jump_if(Condition.REAL_TIME, "NOT LATE")
    c.compare(Cell.EVENT_TICK, Cell.RUN_UNTIL, Bytes.FOUR)
    c.jump_unless(Condition.CARRY, Status.LATE.name)
    c.label("NOT LATE")
    c.copy(Cell.TICK_BEFORE, Cell.EVENT_TICK, Bytes.FOUR)
    c.copy(Cell.OFFSET_BEFORE, Cell.OFFSET, Bytes.TWO)
    c.copy(Cell.LEAST_IN_TICK, Cell.AXONS, Bytes.TWO)
    c.label("FOLLOWS")
    c.copy(Cell.AXON_AFTER, Cell.AXON, Bytes.TWO)
    c.add(Cell.AXON_AFTER, Cell.ONE, Bytes.TWO)
    c.jump_if(Condition.LOOP, "EVENT")


def _apply(c: Program) -> None:
    c.copy(Cell.QUEUED_TICK, Cell.TICK_BEFORE, Bytes.FOUR)
    c.copy(Cell.LEAST_AXON, Cell.AXON_AFTER, Bytes.TWO)
    c.give(Port.SEEK_FRAME, REQUEST_HEADER + _TICK_BYTES)
    c.out(Port.LOOPS, Cell.COUNT)
    c.label("QUEUE EVENT")
    c.out(Port.PUSH, Cell.TAPE, Bytes.FOUR)
    c.out(Port.EVENT)
    c.jump_if(Condition.LOOP, "QUEUE EVENT")
    c.jump("ANSWER")
