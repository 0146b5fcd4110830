"""The instructions of the link's sequencer: operations, ports, conditions, scratch cells.

An instruction is a word of 16 bits, and of one more for each doubling of a program that is longer
than 512 words. Most instructions work on one, two or four bytes of scratch
cells, which have four bytes each, from the lowest on::

    15  14…12      11 10  9…5               4…0
     0  operation  bytes  target, or port   source

The source is a cell or a stream of bytes. The operation NUMBER has a number for its source instead,
and one of the first eight cells for its target::

    15  14…12   11       10…8  7…5     4…0
     0  NUMBER  compare  high  target  low bits of the number

The other instructions jump::

    15  14      13…9       8…0
     1  unless  condition  where

In a longer program, `where` has the bits from 16 on above these nine; other instructions have zeros
there.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from spiketwin.hdl.spec.registers import COUNTERS

COPY_CYCLES: Final = 3
"""Cycles of a jump, and of a copy or an output for each byte."""
TARGET_CYCLES: Final = 4
"""Cycles of an instruction that reads its target, for each byte."""

PROGRAM_WORDS: Final = 512
"""Words of the program memory, unless a program is longer."""

MOST_PROGRAM_WORDS: Final = 4 * PROGRAM_WORDS
"""Most words of a program: its words have 18 bits then, as many as block RAM has."""

CELL_BYTES: Final = 4
CELLS: Final = 32
NUMBER_CELLS: Final = 8
"""Number of cells, from the first on, that can be set to a number or compared with one."""


class Operation(enum.IntEnum):
    """What an instruction does. Afterwards the condition `ZERO` tells whether its result is 0."""

    COPY = 0
    """Copy the source to the target."""
    OUT = 1
    """Output the source to a port, byte by byte."""
    MASK = 2
    """Set the target to the bitwise AND of target and source."""
    SHIFT = 3
    """Shift the target to the right by a bit; the lowest bit of the byte of the source that is read
    first, which of a cell is the highest one, enters at the top. `CARRY` tells what left."""
    ADD = 4
    """Add the source to the target; `CARRY` tells whether the sum overflows."""
    NUMBER = 5
    """Set the target to a number of one byte, or compare its lowest byte with the number."""
    SUBTRACT = 6
    """Subtract the source from the target; `CARRY` tells whether there was no borrow."""
    COMPARE = 7
    """Set the conditions as `SUBTRACT` does, but leave the target as it is."""


class Bytes(enum.IntEnum):
    """The number of bytes on which an instruction works."""

    ONE = 0
    """The lowest byte."""
    TWO = 1
    """The lowest two bytes."""
    FOUR = 2
    """All four bytes."""
    ELEMENT = 3
    """As many bytes as an element of the space has (`tables.SpaceFlag`)."""


class Port(enum.IntEnum):
    """The destinations of `OUT`. Ports that use no value act whatever value they are given."""

    SEND = 0
    """Append the byte to the answer, once there is room."""
    END = 1
    """Complete the answer."""
    SLOT = 2
    """Choose the reply slot of the answer."""
    REPEAT = 3
    """Send the answer in the slot again."""
    RELEASE = 4
    """Release the frame, so that the next one can be received."""
    SEEK_FRAME = 5
    """Let BUFFER continue at this byte of the frame."""
    SEEK_TABLE = 6
    """Let BUFFER continue at this byte of the tables."""
    LOOK = 7
    """Let INPUT show the `Input` whose number the instruction has in place of a source."""
    LOOK_AT = 8
    """Let INPUT show the `Input` of this number."""
    PUSH = 9
    """Store each byte at its place in the word that other ports use."""
    LOOPS = 10
    """Set the number of loops that are left."""
    SPACE = 11
    """Choose the space that READ and WRITE work on."""
    SPACE_FLAGS = 12
    """Set the conditions of the space from this byte of the tables (`tables.SpaceFlag`)."""
    PLACE = 13
    """Set row and column to those of the address in the word."""
    READ = 14
    """Read the element at row and column, which `Input.ELEMENT` then shows."""
    WRITE = 15
    """Write the word to the element at row and column, and go on to the next element."""
    ADVANCE = 16
    """Go on to the next element of the row, or to the first one of the next row."""
    EVENT = 17
    """Queue the event in the word: its offset, above it its axon; if the value is 1, its neuron."""
    POP = 18
    """Take the output word off the queue."""
    RUN_UNTIL = 19
    """Run until the tick in the word."""
    STOP = 20
    """Begin no tick, if the value is 1."""
    CLEAR = 21
    """Clear the state that this mask names."""
    RESET = 22
    """Reset the core, and clear the state that this mask names."""
    RATE = 23
    """Change the line to the rate in the word."""
    BASE = 24
    """Count the offsets of events from the tick in the word."""
    SET_TICK = 25
    """Let the tick in the word be the next one, and run until it."""
    BIAS = 26
    """Store each byte at its place in the bias of the next event of a neuron."""
    WORDS = 27
    """Append output words to the answer, a byte a cycle, as many as loops are left; with probes."""


class Condition(enum.IntEnum):
    """The conditions of jumps."""

    ALWAYS = 0
    """The condition always holds."""
    ZERO = 1
    """The last result was 0."""
    CARRY = 2
    """The last sum overflowed, the last difference was not below 0, or a shift moved a 1 out."""
    LOOP = 3
    """This loop is not the last one; the jump decrements the number of loops that are left."""
    IDLE = 4
    """The core is idle."""
    REAL_TIME = 5
    """Ticks have a period."""
    FRAME = 6
    """A frame has ended."""
    GOOD = 7
    """The frame is complete, and its CRC is right."""
    SENT = 8
    """Nothing is left in the reply slots or on the line."""
    WORD = 9
    """There is an output word."""
    # The bits of `tables.SpaceFlag`, from here on.
    KNOWN = 16
    """The space exists."""
    WRITABLE = 17
    """The space can be written."""
    ANYTIME = 18
    """The space can be read while a run is under way."""
    MATRIX = 19
    """The space has a row for each source."""
    PACKED = 20
    """Eight elements of the space share a byte."""
    WIDE = 21
    """An element of the space has two or four bytes."""
    WIDEST = 22
    """An element of the space has four bytes."""


SPACE_CONDITIONS: Final = tuple(c for c in Condition if c >= Condition.KNOWN)


class Input(enum.IntEnum):
    """The values that INPUT can show, of at most four bytes each.

    The numbers that are not named here are those of the core's counters. Only cores with more
    counters than `COUNTERS` use the highest bit of the number.
    """

    ELEMENT = 1
    """The element that was read."""
    LOOPS = 10
    """The number of loops that are left, with the one under way."""
    WORD = 28
    """The output word."""
    POSITION = 29
    """Address of the next byte of BUFFER."""


def counter_input(name: str) -> int:
    """Return the number of a counter as an `Input`: its element in the space `counter`."""
    return [counter.name for counter in COUNTERS].index(name)


class Scratch(enum.Enum):
    """The cells of four bytes that a program names, and two streams that are read like cells.

    A program has more cells than there is memory for: `lifetimes.allocate` gives each a place, the
    same one to several that are never live at the same time. Bytes of a cell that are never written
    stay 0, so a cell of which only the lowest bytes are written is a number of four bytes, too.
    """

    # Constants and streams.
    ZERO = enum.auto()
    """Constant 0."""
    ONE = enum.auto()
    """Constant 1."""
    INPUT = enum.auto()
    """Stream: the `Input` that is looked at, from its lowest byte on."""
    BUFFER = enum.auto()
    """Stream: the next bytes of the frame buffer, which has the frame and the tables."""

    # Cells that keep their values from one request to the next.
    SESSION = enum.auto()
    """Number of the session."""
    EXPECTED = enum.auto()
    """Sequence number of the next request."""
    STORED = enum.auto()
    """Number of answers that can be repeated."""
    RUN_UNTIL = enum.auto()
    """Tick before which the run stops."""
    FRAME_ERRORS = enum.auto()
    """Counter of frames that were dropped."""
    QUEUED_TICK = enum.auto()
    """Tick of the last event that was queued."""
    LEAST_AXON = enum.auto()
    """Least axon that an event of that tick may have."""
    AXON_QUEUED = enum.auto()
    """1 if that event is one of an axon."""

    # Cells of every request.
    NUMBER = enum.auto()
    """A temporary number for the next instruction or two."""
    VALUE = enum.auto()
    """A temporary value, such as that of an element."""
    GIVEN = enum.auto()
    """Bytes of the arguments that the request has."""
    OPCODE = enum.auto()
    """Opcode of the request."""
    SEQUENCE = enum.auto()
    """Sequence number of the request."""
    SEQUENCED = enum.auto()
    """1 if the request is executed under its sequence number, which then counts on."""
    STATUS = enum.auto()
    """Status of the answer."""
    DETAIL = enum.auto()
    """Detail of a refusal; the tick that STOP and RESET answer."""
    COUNT = enum.auto()
    """Number of elements, words or events that the request names."""

    # Cells of READ and WRITE.
    SPACE = enum.auto()
    """The space."""
    COLUMN = enum.auto()
    """Column of the first element."""
    ROW = enum.auto()
    """Row of the first element, and then of the last one."""
    COLUMNS = enum.auto()
    """Columns of the space."""
    LAST_ROW = enum.auto()
    """Last row of the space."""
    END = enum.auto()
    """Column behind the last element, counted from the beginning of the row that is looked at."""
    LENGTH = enum.auto()
    """Bytes of the elements that are left."""
    SPARE_FROM = enum.auto()
    """Number of the elements in the last byte, if elements are bits."""
    RANGE = enum.auto()
    """Address of the range of the values, in the tables."""
    BIAS = enum.auto()
    """First part of the range: the number that is added to a value."""
    MASK = enum.auto()
    """Second part of the range: the bits that have to be 0 in the sum."""
    REGISTER = enum.auto()
    """Number of the counter; address of the next element's range in the list of a record."""
    PLACE = enum.auto()
    """Address of the next element of a record in the frame."""
    ENTRY_LIMIT = enum.auto()
    """All entries of `pending` are below this number."""
    LAST_ENTRY = enum.auto()
    """The next entry of `pending` is above this number."""

    # Cells of EVENTS and BIASES.
    TICK = enum.auto()
    """Tick from which the offsets count."""
    OFFSET = enum.auto()
    """Offset of the event."""
    AXON = enum.auto()
    """Axon of the event."""
    EVENT_TICK = enum.auto()
    """Tick of the event."""
    OFFSET_BEFORE = enum.auto()
    """Offset of the event before."""
    TICK_BEFORE = enum.auto()
    """Tick of the event before."""
    AXON_AFTER = enum.auto()
    """Least axon that may follow the event before, in its tick."""
    LEAST_IN_TICK = enum.auto()
    """Least axon that may follow the last queued event, in its tick; then the number of axons."""
    AXONS = enum.auto()
    """Number of axons."""
    QUEUED = enum.auto()
    """Events in the queue."""
    NEURON = enum.auto()
    """Neuron of the bias event."""
    NEURONS = enum.auto()
    """Number of neurons."""
    AXON_BEFORE = enum.auto()
    """1 if the event before is one of an axon."""

    # Cells of FETCH.
    WANTED = enum.auto()
    """Number of words that the request asks for."""
    WAIT = enum.auto()
    """Cycles that are left to wait."""


FIXED: Final = {Scratch.ZERO: 8, Scratch.ONE: 9, Scratch.INPUT: 30, Scratch.BUFFER: 31}
"""The numbers of the cells that the sequencer itself knows."""


@dataclass(frozen=True)
class Work:
    """An instruction that works on bytes.

    Attributes
    ----------
    operation, size:
        The operation, and the number of bytes that it works on.
    target:
        The cell, or the port of `Operation.OUT`.
    source:
        The cell or stream; a number for `Operation.NUMBER`, and for `Port.LOOK` that of an `Input`.
    compares:
        Whether `Operation.NUMBER` compares.
    """

    operation: Operation
    size: Bytes
    target: Scratch | Port
    source: Scratch | int
    compares: bool = False

    def word(self, cells: Mapping[Scratch, int]) -> int:
        """Return the instruction as a word, the cells having these numbers."""
        target = self.target if isinstance(self.target, Port) else cells[self.target]
        source = self.source if isinstance(self.source, int) else cells[self.source]
        word = self.operation << 12 | target << 5
        if self.operation is Operation.NUMBER:
            return word | self.compares << 11 | source >> 5 << 8 | source & 31
        return word | self.size << 10 | source

    def __str__(self) -> str:
        """Return the instruction as a listing has it."""
        if self.operation is Operation.NUMBER:
            name = "COMPARE" if self.compares else "SET"
            return f"{name} {self.target.name}, {self.source}"
        name = self.operation.name
        size = {Bytes.ONE: "", Bytes.TWO: ".2", Bytes.FOUR: ".4", Bytes.ELEMENT: ".E"}[self.size]
        source = self.source.name if isinstance(self.source, Scratch) else self.source
        return f"{name}{size} {self.target.name}, {source}"


@dataclass(frozen=True)
class Jump:
    """An instruction that jumps to a label if a condition holds, or unless it holds."""

    condition: Condition
    label: str
    unless: bool = False

    def word(self, labels: Mapping[str, int]) -> int:
        """Return the instruction as a word, the labels having these addresses."""
        above, where = divmod(labels[self.label], PROGRAM_WORDS)
        return above << 16 | 1 << 15 | self.unless << 14 | self.condition << 9 | where

    def __str__(self) -> str:
        """Return the instruction as a listing has it."""
        if self.condition is Condition.ALWAYS:
            return f"JUMP {self.label!r}"
        return f"JUMP {'UNLESS' if self.unless else 'IF'} {self.condition.name}, {self.label!r}"
