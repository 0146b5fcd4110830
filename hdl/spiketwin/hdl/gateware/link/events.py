"""The part of the program that executes `EVENTS` and `BIASES`: events are checked, then queued.

Only the first event has to be checked for being late, as the others ascend from it.
"""

from __future__ import annotations

from spiketwin.hdl.gateware.link.elements import (
    check_value,
    halve_count,
    take_range,
    take_tail,
)
from spiketwin.hdl.gateware.link.instructions import (
    Bytes,
    Condition,
    Port,
    Scratch,
    counter_input,
)
from spiketwin.hdl.gateware.link.program import Program
from spiketwin.hdl.gateware.link.tables import Tables
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.protocol import REQUEST_HEADER, REQUESTS, Opcode, Status

_TICK_BYTES = REQUESTS[Opcode.EVENTS].argument_bytes


def add_events(c: Program, params: CoreParams, tables: Tables) -> None:
    """Add the instructions that execute `EVENTS`, and `BIASES` in a core that has them."""
    _room(c, params, Opcode.EVENTS, tables.events, Scratch.AXONS)
    _check_axons(c)
    _queue_axons(c, params)
    if params.bias_events:
        _room(c, params, Opcode.BIASES, tables.biases, Scratch.NEURONS)
        _check_biases(c)
        _queue_biases(c)


def _room(c: Program, params: CoreParams, opcode: Opcode, table: int, numbers: Scratch) -> None:
    """Compute the number of events, and check that the queue has room for them.

    The cell `numbers` receives the number of axons or neurons, which is in the table behind the
    depth of the queue.
    """
    item_bytes, again = REQUESTS[opcode].tail_size, f"ROOM FOR {opcode.name}"
    # The level of a full queue, its depth, needs a third byte in the largest queue alone.
    level = Bytes.TWO if params.event_queue_depth < 1 << 16 else Bytes.FOUR
    c.label(opcode.name)
    take_tail(c, opcode)
    for _ in range(item_bytes.bit_length() - 1):
        halve_count(c)
    c.jump_if(Condition.ZERO, "ANSWER")
    c.give(Port.SEEK_TABLE, table)
    c.copy(Scratch.VALUE, Scratch.BUFFER, Bytes.FOUR)
    c.copy(numbers, Scratch.BUFFER, Bytes.TWO)
    # The level is read until two reads give the same, as it falls while a run is under way.
    c.look(counter_input("events_queued"))
    c.label(again)
    c.copy(Scratch.QUEUED, Scratch.INPUT, level)
    c.compare(Scratch.QUEUED, Scratch.INPUT, level)
    c.jump_unless(Condition.ZERO, again)
    c.subtract(Scratch.VALUE, Scratch.QUEUED, level)
    c.compare(Scratch.VALUE, Scratch.COUNT, level)
    c.jump_unless(Condition.CARRY, Status.QUEUE_FULL.name)


def _begin(c: Program) -> None:
    """Take the tick of the request, and that of the event before its first one."""
    c.give(Port.SEEK_FRAME, REQUEST_HEADER)
    c.copy(Scratch.TICK, Scratch.BUFFER, Bytes.FOUR)
    c.out(Port.PUSH, Scratch.TICK, Bytes.FOUR)
    c.out(Port.BASE)
    c.copy(Scratch.TICK_BEFORE, Scratch.QUEUED_TICK, Bytes.FOUR)


def _check_axons(c: Program) -> None:
    """Check that each axon event may follow the one before.

    Most events have the tick of the one before, and no lesser axon, which takes a few instructions
    to check (the fast path). The first event and all others are checked in full.
    """
    _begin(c)
    c.copy(Scratch.LEAST_IN_TICK, Scratch.LEAST_AXON, Bytes.TWO)
    c.copy(Scratch.AXON_AFTER, Scratch.AXONS, Bytes.TWO)
    c.out(Port.LOOPS, Scratch.COUNT)
    c.label("EVENT")
    c.copy(Scratch.OFFSET, Scratch.BUFFER, Bytes.TWO)
    c.copy(Scratch.AXON, Scratch.BUFFER, Bytes.TWO)
    c.compare(Scratch.AXON, Scratch.AXONS, Bytes.TWO)
    c.jump_if(Condition.CARRY, "BAD ITEM")
    c.compare(Scratch.OFFSET, Scratch.OFFSET_BEFORE, Bytes.TWO)
    c.jump_unless(Condition.ZERO, "LOOK AT EVENT")
    c.compare(Scratch.AXON, Scratch.AXON_AFTER, Bytes.TWO)
    c.jump_if(Condition.CARRY, "FOLLOWS")
    c.label("LOOK AT EVENT")
    c.copy(Scratch.EVENT_TICK, Scratch.TICK, Bytes.FOUR)
    c.add(Scratch.EVENT_TICK, Scratch.OFFSET, Bytes.FOUR)
    c.jump_if(Condition.CARRY, "BAD ITEM")
    c.compare(Scratch.TICK_BEFORE, Scratch.EVENT_TICK, Bytes.FOUR)
    c.jump_unless(Condition.CARRY, "IN ORDER")
    c.jump_unless(Condition.ZERO, "ITEM OUT OF ORDER")
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


def _queue_axons(c: Program, params: CoreParams) -> None:
    c.copy(Scratch.QUEUED_TICK, Scratch.TICK_BEFORE, Bytes.FOUR)
    c.copy(Scratch.LEAST_AXON, Scratch.AXON_AFTER, Bytes.TWO)
    if params.bias_events:
        c.copy(Scratch.AXON_QUEUED, Scratch.ONE)
    c.give(Port.SEEK_FRAME, REQUEST_HEADER + _TICK_BYTES)
    c.out(Port.LOOPS, Scratch.COUNT)
    c.label("QUEUE EVENT")
    c.out(Port.PUSH, Scratch.BUFFER, Bytes.FOUR)
    c.out(Port.EVENT)
    c.jump_if(Condition.LOOP, "QUEUE EVENT")
    c.jump("ANSWER")


def _check_biases(c: Program) -> None:
    """Check that each bias event may follow the one before."""
    take_range(c)
    _begin(c)
    c.copy(Scratch.AXON_BEFORE, Scratch.AXON_QUEUED)
    c.out(Port.LOOPS, Scratch.COUNT)
    c.label("BIAS")
    c.copy(Scratch.OFFSET, Scratch.BUFFER, Bytes.TWO)
    c.copy(Scratch.NEURON, Scratch.BUFFER, Bytes.TWO)
    c.compare(Scratch.NEURON, Scratch.NEURONS, Bytes.TWO)
    c.jump_if(Condition.CARRY, "BAD ITEM")
    check_value(c, Bytes.FOUR)
    c.copy(Scratch.EVENT_TICK, Scratch.TICK, Bytes.FOUR)
    c.add(Scratch.EVENT_TICK, Scratch.OFFSET, Bytes.FOUR)
    c.jump_if(Condition.CARRY, "BAD ITEM")
    c.compare(Scratch.TICK_BEFORE, Scratch.EVENT_TICK, Bytes.FOUR)
    c.jump_unless(Condition.CARRY, "BIAS IN ORDER")
    c.jump_unless(Condition.ZERO, "ITEM OUT OF ORDER")
    c.compare(Scratch.AXON_BEFORE, Scratch.ZERO)
    c.jump_unless(Condition.ZERO, "ITEM OUT OF ORDER")
    c.label("BIAS IN ORDER")
    c.jump_if(Condition.REAL_TIME, "BIAS NOT LATE")
    c.compare(Scratch.EVENT_TICK, Scratch.RUN_UNTIL, Bytes.FOUR)
    c.jump_unless(Condition.CARRY, Status.LATE.name)
    c.label("BIAS NOT LATE")
    c.copy(Scratch.TICK_BEFORE, Scratch.EVENT_TICK, Bytes.FOUR)
    c.copy(Scratch.AXON_BEFORE, Scratch.ZERO)
    c.jump_if(Condition.LOOP, "BIAS")


def _queue_biases(c: Program) -> None:
    c.copy(Scratch.QUEUED_TICK, Scratch.TICK_BEFORE, Bytes.FOUR)
    c.copy(Scratch.LEAST_AXON, Scratch.ZERO, Bytes.TWO)
    c.copy(Scratch.AXON_QUEUED, Scratch.ZERO)
    c.give(Port.SEEK_FRAME, REQUEST_HEADER + _TICK_BYTES)
    c.out(Port.LOOPS, Scratch.COUNT)
    c.label("QUEUE BIAS")
    c.out(Port.PUSH, Scratch.BUFFER, Bytes.FOUR)
    c.out(Port.BIAS, Scratch.BUFFER, Bytes.FOUR)
    c.out(Port.EVENT, Scratch.ONE)
    c.jump_if(Condition.LOOP, "QUEUE BIAS")
    c.jump("ANSWER")
