"""The instructions of the link's sequencer: operations, ports, conditions, scratch cells.

An instruction is a word of 16 bits. It works on scratch cells of four bytes, as many of their bytes
as it says, from the lowest on::

    15  14…12      11 10  9…5               4…0
     0  operation  bytes  target, or port   source

The source is a cell or a stream of bytes. The operation NUMBER has a number for its source instead,
and one of the first eight cells for its target::

    15  14…12   11       10…8  7…5     4…0
     0  NUMBER  compare  high  target  low bits of the number

The other instructions jump::

    15  14      13…9       8…0
     1  unless  condition  where
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from spiketwin.hdl.spec.registers import COUNTERS

COPY_CYCLES: Final = 3
"""Cycles of a jump, a copy and an output, for each byte."""
TARGET_CYCLES: Final = 4
"""Cycles of an instruction that reads its target, for each byte."""

PROGRAM_WORDS: Final = 512
CELL_BYTES: Final = 4
CELLS: Final = 32
NUMBER_CELLS: Final = 8
"""Cells, from the first on, that a number can be copied to or be compared with."""


class Operation(enum.IntEnum):
    """What an instruction does. Afterwards the condition `ZERO` tells whether its result is 0."""

    COPY = 0
    """Copy the source to the target."""
    OUT = 1
    """Give the source to a port, byte by byte."""
    MASK = 2
    """Set those bits of the target to 0 that are 0 in the source."""
    SHIFT = 3
    """Shift the target to the right by a bit; the lowest bit of the source enters at the top."""
    ADD = 4
    """Add the source to the target; `CARRY` tells whether the sum needs one bit more."""
    NUMBER = 5
    """Set the target to a number of one byte, or compare its lowest byte with the number."""
    SUBTRACT = 6
    """Subtract the source from the target; `CARRY` tells whether the target was not the smaller."""
    COMPARE = 7
    """Subtract, but leave the target as it is."""


class Bytes(enum.IntEnum):
    """On how many bytes an instruction works."""

    ONE = 0
    """The lowest byte."""
    TWO = 1
    """The lowest two."""
    FOUR = 2
    """All four."""
    ELEMENT = 3
    """As many as an element of the space has (`tables.SpaceFlag`)."""


class Port(enum.IntEnum):
    """Where OUT takes its source. Ports that need no value are given any, and act all the same."""

    SEND = 0
    """Append the byte to the answer, once there is room."""
    END = 1
    """Complete the answer."""
    SLOT = 2
    """Choose the reply slot of the answer."""
    REPEAT = 3
    """Send the answer in the slot again."""
    RELEASE = 4
    """Give the frame up, so that the next one can come."""
    SEEK_FRAME = 5
    """Have BUFFER go on at this byte of the frame."""
    SEEK_TABLE = 6
    """Have BUFFER go on at this byte of the tables."""
    LOOK = 7
    """Have INPUT show the `Input` whose number the instruction has in place of a source."""
    LOOK_AT = 8
    """Have INPUT show the `Input` of this number."""
    PUSH = 9
    """Put each byte at its place in the word, which other ports use."""
    LOOPS = 10
    """Set how many loops are left."""
    SPACE = 11
    """Choose the space that READ and WRITE work on."""
    SPACE_FLAGS = 12
    """Set the conditions of the space, as the tables have them (`tables.SpaceFlag`)."""
    PLACE = 13
    """Set row and column to those of the address in the word."""
    READ = 14
    """Read the element at row and column, which `Input.ELEMENT` then shows."""
    WRITE = 15
    """Write the word to the element at row and column, and go on to the next element."""
    ADVANCE = 16
    """Go on to the next element: along the row, and on into the next one."""
    EVENT = 17
    """Queue the event in the word: its offset to the base, and above that its axon."""
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


class Condition(enum.IntEnum):
    """What a jump asks for."""

    ALWAYS = 0
    """Nothing."""
    ZERO = 1
    """The last result was 0."""
    CARRY = 2
    """The last sum carried, or the last difference was not below 0."""
    LOOP = 3
    """This loop is not the last one; asking takes one off the loops that are left."""
    IDLE = 4
    """The core does nothing."""
    REAL_TIME = 5
    """Ticks have a period."""
    FRAME = 6
    """A frame has ended."""
    GOOD = 7
    """The frame came whole."""
    SENT = 8
    """Nothing is left in the reply slots or on the line."""
    WORD = 9
    """There is an output word."""
    # The bits of `tables.SpaceFlag`, from here on.
    KNOWN = 16
    """There is such a space."""
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
    """What INPUT can show, at most four bytes each; those not named here are the core's counters.

    Only cores with more counters than `COUNTERS` look at the highest bit of the number.
    """

    ELEMENT = 1
    """The element that was read."""
    LOOPS = 10
    """Loops left to do, the one under way among them."""
    WORD = 28
    """The output word."""
    POSITION = 29
    """Where BUFFER is."""


def counter_input(name: str) -> int:
    """Return the number of a counter as an `Input`: its element in the space `counter`."""
    return [counter.name for counter in COUNTERS].index(name)


class Scratch(enum.Enum):
    """The cells of four bytes that a program names, and two streams that are read like cells.

    A program has more of them than there is memory for: `lifetimes.allocate` gives each a place,
    the same one to several that are never needed at the same time. Bytes of a cell that nothing
    writes stay 0, so a cell whose lowest bytes alone are written is a number of four bytes too.
    """

    # The same all the time.
    ZERO = enum.auto()
    """Constant 0."""
    ONE = enum.auto()
    """Constant 1."""
    INPUT = enum.auto()
    """Stream: the `Input` that is looked at, from its lowest byte on."""
    BUFFER = enum.auto()
    """Stream: the next bytes of the frame buffer, which has the frame and the tables."""

    # From one request to the next.
    SESSION = enum.auto()
    """Number of the session."""
    EXPECTED = enum.auto()
    """Sequence number of the next request."""
    STORED = enum.auto()
    """How many answers can be repeated."""
    RUN_UNTIL = enum.auto()
    """Tick before which the run stops."""
    FRAME_ERRORS = enum.auto()
    """Counter of frames that were dropped."""
    QUEUED_TICK = enum.auto()
    """Tick of the last event that was queued."""
    LEAST_AXON = enum.auto()
    """Least axon that an event of that tick may have."""

    # Of every request.
    NUMBER = enum.auto()
    """A number for the next instruction or two."""
    VALUE = enum.auto()
    """The value at hand."""
    GIVEN = enum.auto()
    """Bytes of the arguments."""
    OPCODE = enum.auto()
    """Opcode of the request."""
    SEQUENCE = enum.auto()
    """Sequence number of the request."""
    SEQUENCED = enum.auto()
    """1 if the sequence number counts."""
    STATUS = enum.auto()
    """Status of the answer."""
    DETAIL = enum.auto()
    """Detail of a refusal; the tick that STOP and RESET answer."""
    COUNT = enum.auto()
    """Elements, words or events that the request is about."""

    # Of READ and WRITE.
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
    """Column behind the last element, in the row at hand."""
    LENGTH = enum.auto()
    """Bytes of the elements that are left."""
    SPARE_FROM = enum.auto()
    """Where elements are bits, how many of them the last byte has."""
    RANGE = enum.auto()
    """Address of the range of the values, in the tables."""
    BIAS = enum.auto()
    """First part of the range: what is added to a value."""
    MASK = enum.auto()
    """Second part of the range: the bits that have to be 0 then."""
    REGISTER = enum.auto()
    """Which register or counter it is."""
    PLACE = enum.auto()
    """Where in the frame the value of the next register lies."""
    ENTRY_LIMIT = enum.auto()
    """Entries of `pending` are below this one."""
    LAST_ENTRY = enum.auto()
    """The next entry of `pending` is above this one."""

    # Of EVENTS.
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

    # Of FETCH.
    WANTED = enum.auto()
    """Words that are wanted."""
    WAIT = enum.auto()
    """Cycles that are left to wait."""


FIXED: Final = {Scratch.ZERO: 8, Scratch.ONE: 9, Scratch.INPUT: 30, Scratch.BUFFER: 31}
"""The numbers of cells that are known to the sequencer itself."""


@dataclass(frozen=True)
class Work:
    """An instruction that works on bytes.

    Attributes
    ----------
    operation, size:
        What it does, and on how many bytes.
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
    """An instruction that goes on at a label if a condition holds, or unless it does."""

    condition: Condition
    label: str
    unless: bool = False

    def word(self, labels: Mapping[str, int]) -> int:
        """Return the instruction as a word, the labels having these addresses."""
        return 1 << 15 | self.unless << 14 | self.condition << 9 | labels[self.label]

    def __str__(self) -> str:
        """Return the instruction as a listing has it."""
        if self.condition is Condition.ALWAYS:
            return f"JUMP {self.label!r}"
        return f"JUMP {'UNLESS' if self.unless else 'IF'} {self.condition.name}, {self.label!r}"
