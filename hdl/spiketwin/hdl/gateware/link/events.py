"""The part of the program that executes `EVENTS`: all axon events are checked, and then queued.

Only the first event has to be checked for being late, as the others ascend from it.
"""

from __future__ import annotations

from spiketwin.hdl.gateware.link.instructions import (
    Bytes,
    Condition,
    Port,
    Scratch,
    counter_input,
)
from spiketwin.hdl.gateware.link.program import Program
from spiketwin.hdl.gateware.link.tables import Tables
from spiketwin.hdl.spec.protocol import REQUEST_HEADER, REQUESTS, Opcode, Status

_TICK_BYTES = REQUESTS[Opcode.EVENTS].argument_bytes
_EVENT_BYTES = REQUESTS[Opcode.EVENTS].tail_size


def add_events(c: Program, tables: Tables) -> None:
    """Add the instructions that execute `EVENTS`."""
    _room(c, tables)
    _check(c)
    _apply(c)


def _room(c: Program, tables: Tables) -> None:
    """Compute the number of events, and check that the queue has room for them."""
    c.label(Opcode.EVENTS.name)
    c.compare_number(Scratch.GIVEN, _TICK_BYTES)
    c.jump_unless(Condition.CARRY, Status.BAD_LENGTH.name)
    c.copy(Scratch.COUNT, Scratch.GIVEN, Bytes.FOUR)
    c.set(Scratch.NUMBER, _TICK_BYTES)
    c.subtract(Scratch.COUNT, Scratch.NUMBER)
    c.set(Scratch.NUMBER, _EVENT_BYTES - 1)
    c.mask(Scratch.NUMBER, Scratch.COUNT)
    c.jump_unless(Condition.ZERO, Status.BAD_LENGTH.name)
    for _ in range(_EVENT_BYTES.bit_length() - 1):
        c.shift(Scratch.COUNT, Scratch.ZERO)
    c.jump_if(Condition.ZERO, "ANSWER")
    c.give(Port.SEEK_TABLE, tables.events)
    c.copy(Scratch.VALUE, Scratch.BUFFER, Bytes.FOUR)
    c.copy(Scratch.AXONS, Scratch.BUFFER, Bytes.FOUR)
    # The level is read until two reads give the same, as it falls while a run is under way.
    c.look(counter_input("events_queued"))
    c.label("ROOM")
    c.copy(Scratch.QUEUED, Scratch.INPUT, Bytes.FOUR)
    c.compare(Scratch.QUEUED, Scratch.INPUT, Bytes.FOUR)
    c.jump_unless(Condition.ZERO, "ROOM")
    c.subtract(Scratch.VALUE, Scratch.QUEUED, Bytes.FOUR)
    c.compare(Scratch.VALUE, Scratch.COUNT, Bytes.FOUR)
    c.jump_unless(Condition.CARRY, Status.QUEUE_FULL.name)


def _check(c: Program) -> None:
    """Check that each event may follow the one before.

    Most events have the tick of the one before, and no lesser axon, which takes a few instructions
    to check (the fast path). The first event and all others are checked in full.
    """
    c.give(Port.SEEK_FRAME, REQUEST_HEADER)
    c.copy(Scratch.TICK, Scratch.BUFFER, Bytes.FOUR)
    c.out(Port.PUSH, Scratch.TICK, Bytes.FOUR)
    c.out(Port.BASE)
    c.copy(Scratch.TICK_BEFORE, Scratch.QUEUED_TICK, Bytes.FOUR)
    c.copy(Scratch.LEAST_IN_TICK, Scratch.LEAST_AXON, Bytes.TWO)
    c.copy(Scratch.AXON_AFTER, Scratch.AXONS, Bytes.TWO)
    c.out(Port.LOOPS, Scratch.COUNT)
    c.label("EVENT")
    c.copy(Scratch.OFFSET, Scratch.BUFFER, Bytes.TWO)
    c.copy(Scratch.AXON, Scratch.BUFFER, Bytes.TWO)
    c.compare(Scratch.AXON, Scratch.AXONS, Bytes.TWO)
    c.jump_if(Condition.CARRY, "BAD ITEM")
    c.compare(Scratch.AXON, Scratch.AXON_AFTER, Bytes.TWO)
    c.jump_unless(Condition.CARRY, "LOOK AT EVENT")
    c.compare(Scratch.OFFSET, Scratch.OFFSET_BEFORE, Bytes.TWO)
    c.jump_if(Condition.ZERO, "FOLLOWS")
    c.label("LOOK AT EVENT")
    c.copy(Scratch.EVENT_TICK, Scratch.TICK, Bytes.FOUR)
    c.add(Scratch.EVENT_TICK, Scratch.OFFSET, Bytes.FOUR)
    c.jump_if(Condition.CARRY, "BAD ITEM")
    c.compare(Scratch.EVENT_TICK, Scratch.TICK_BEFORE, Bytes.FOUR)
    c.jump_unless(Condition.CARRY, "ITEM OUT OF ORDER")
    c.jump_unless(Condition.ZERO, "IN ORDER")
    c.compare(Scratch.AXON, Scratch.LEAST_IN_TICK, Bytes.TWO)
    c.jump_unless(Condition.CARRY, "ITEM OUT OF ORDER")
    c.label("IN ORDER")
    c.jump_if(Condition.REAL_TIME, "NOT LATE")
    c.compare(Scratch.EVENT_TICK, Scratch.RUN_UNTIL, Bytes.FOUR)
    c.jump_unless(Condition.CARRY, Status.LATE.name)
    c.label("NOT LATE")
    c.copy(Scratch.TICK_BEFORE, Scratch.EVENT_TICK, Bytes.FOUR)
    c.copy(Scratch.OFFSET_BEFORE, Scratch.OFFSET, Bytes.TWO)
    c.copy(Scratch.LEAST_IN_TICK, Scratch.AXONS, Bytes.TWO)
    c.label("FOLLOWS")
    c.copy(Scratch.AXON_AFTER, Scratch.AXON, Bytes.TWO)
    c.jump_if(Condition.LOOP, "EVENT")


def _apply(c: Program) -> None:
    c.copy(Scratch.QUEUED_TICK, Scratch.TICK_BEFORE, Bytes.FOUR)
    c.copy(Scratch.LEAST_AXON, Scratch.AXON_AFTER, Bytes.TWO)
    c.give(Port.SEEK_FRAME, REQUEST_HEADER + _TICK_BYTES)
    c.out(Port.LOOPS, Scratch.COUNT)
    c.label("QUEUE EVENT")
    c.out(Port.PUSH, Scratch.BUFFER, Bytes.FOUR)
    c.out(Port.EVENT)
    c.jump_if(Condition.LOOP, "QUEUE EVENT")
    c.jump("ANSWER")
