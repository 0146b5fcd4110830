"""The instructions of the link's sequencer, and an assembler with labels.

An instruction is a word of 16 bits. It works on cells of four bytes, as many of their bytes as it
says, from the lowest on::

    15  14…12      11 10  9…5               4…0
     0  operation  bytes  target, or port   source

The source is a cell or a stream of bytes. One operation has a number for its source instead, and
one of the first eight cells for its target::

    15  14…12   11       10…8  7…5     4…0
     0  NUMBER  compare  high  target  low bits of the number

The others jump::

    15  14      13…9       8…0
     1  unless  condition  where
"""

from __future__ import annotations

import enum
from typing import Final

from spiketwin.hdl.spec.registers import COUNTERS

COPY_CYCLES: Final = 3
"""Cycles of a jump, a copy and an output, for each byte."""
TARGET_CYCLES: Final = 4
"""Cycles of what reads its target, for each byte."""

PROGRAM_WORDS: Final = 512
CELL_BYTES: Final = 4
CELLS: Final = 32


class Operation(enum.IntEnum):
    """What an instruction does. It tells if what comes out is 0."""

    COPY = 0
    OUT = 1
    """Give the source to a port, byte by byte."""
    MASK = 2
    """Leave the bits of the target that are set in the source as well."""
    SHIFT = 3
    """The target to the right by a bit; the lowest bit of the source enters at the top."""
    ADD = 4
    NUMBER = 5
    """Copy a number of a byte, or compare the lowest byte with it."""
    SUBTRACT = 6
    COMPARE = 7
    """Subtract, but leave the target as it is. Carry: it was not the smaller."""


class Bytes(enum.IntEnum):
    """On how many bytes an instruction works."""

    ONE = 0
    TWO = 1
    FOUR = 2
    ELEMENT = 3
    """As an element of the space has (`Form`)."""


class Port(enum.IntEnum):
    """What is given the source, or does something without it."""

    SEND = 0
    """To the answer, once there is room."""
    END = 1
    """The answer is complete."""
    SLOT = 2
    """The slot of the answer."""
    REPEAT = 3
    """Send what is in the slot again."""
    RELEASE = 4
    """The frame is done with."""
    SEEK_FRAME = 5
    """The tape goes on at this byte of the frame."""
    SEEK_TABLE = 6
    """The tape goes on at this byte of the tables."""
    LOOK = 7
    """Look at the `Lane` whose number the instruction has in place of a source."""
    LOOK_AT = 8
    """Look at this lane."""
    PUSH = 9
    """To the word, each byte to its place."""
    LOOPS = 10
    """How often to loop."""
    SPACE = 11
    FORM = 12
    """What the tables say of the space (`tables.Form`)."""
    PLACE = 13
    """Row and column become those of the address in the word."""
    READ = 14
    """The element at row and column; it is then in `Lane.ELEMENT`."""
    WRITE = 15
    """The word is written there, and the next element is due."""
    ADVANCE = 16
    """The next element is due: along the row, and on into the next."""
    EVENT = 17
    """Queue the event in the word: its offset to the base, and above that its axon."""
    POP = 18
    """The output word is done with."""
    RUN_UNTIL = 19
    """Run until the tick in the word."""
    STOP = 20
    """1: begin no tick."""
    CLEAR = 21
    """Clear the state that this mask names."""
    RESET = 22
    """Reset the core, and clear the state that this mask names."""
    RATE = 23
    """Change to the rate in the word."""
    BASE = 24
    """The tick in the word is the one from which the offsets of events count."""


class Condition(enum.IntEnum):
    """What a jump asks for."""

    ALWAYS = 0
    ZERO = 1
    """What came out last was 0."""
    CARRY = 2
    LOOP = 3
    """One loop less is left to do, and it is not the last."""
    IDLE = 4
    """The core does nothing."""
    REAL_TIME = 5
    """Ticks have a period."""
    FRAME = 6
    """A frame has ended."""
    GOOD = 7
    """It came whole."""
    SENT = 8
    """Nothing is left in the reply slots or on the line."""
    WORD = 9
    """There is an output word."""
    # The bits of `tables.Form`, from here on.
    KNOWN = 16
    WRITABLE = 17
    ANYTIME = 18
    MATRIX = 19
    PACKED = 20
    WIDE = 21
    WIDEST = 22


FORM_CONDITIONS: Final = tuple(c for c in Condition if c >= Condition.KNOWN)


class Lane(enum.IntEnum):
    """What can be looked at, at most four bytes each; others are the counters of the core.

    Only cores with more counters than `COUNTERS` look at the highest bit.
    """

    ELEMENT = 1
    LOOPS = 10
    """Loops left to do, this one among them."""
    WORD = 28
    POSITION = 29
    """Where the tape is."""


def counter_lane(name: str) -> int:
    """Lane of a counter: its element in the space `counter`."""
    return [counter.name for counter in COUNTERS].index(name)


class Cell(enum.IntEnum):
    """The cells, and the two streams that are read as if they were one.

    Bytes that nothing writes stay 0: so a cell that only ever took one byte or two can be used as
    a number of four. Cells that share a number have to take as many bytes, or to be used as such.
    """

    # The first eight take numbers.
    NUMBER = 0
    """For an instruction or two."""
    STATUS = 1
    GIVEN = 2
    """Bytes of the arguments."""
    OPCODE = 3
    SPACE = 4
    ELEMENT = 5
    """Which register or counter it is."""
    STORED = 6
    """Answers that can be repeated."""
    VALUE = 7
    # From one request to the next.
    ZERO = 8
    ONE = 9
    SESSION = 10
    EXPECTED = 11
    """Number of the next request."""
    RUN_UNTIL = 12
    FRAME_ERRORS = 13
    QUEUED_TICK = 14
    """Of the last event; in its tick, the least axon that may follow."""
    LEAST_AXON = 15
    # Of a request and its answer.
    LEAST_IN_TICK = 16
    """The least axon that may come in the tick of the event before, or the limit: none."""
    SEQUENCED = 17
    """Its number counts."""
    SEQUENCE = 18
    DETAIL = 19
    """Of a refusal; the tick of `STOP`."""
    COUNT = 20
    """Elements, words or events that it is about."""
    COLUMNS = 21
    RANGE = 22
    COLUMN = 23
    ROW = 24
    LENGTH = 25
    """Bytes of the elements."""
    REST = 26
    """Of bits, those in the last byte."""
    BIAS = 27
    MASK = 28
    LIMIT = 29
    # Read in place of a cell.
    INPUT = 30
    """What is looked at."""
    TAPE = 31
    """The next bytes of the frame buffer."""

    # What is not needed together.
    LAST_ROW = 27
    END = 28
    """Column behind the last element, in the row at hand."""
    PLACE = 4
    """Where in the frame the next register is."""
    LAST_ENTRY = 27
    """All that may follow are above, in `pending`."""
    TICK = 27
    SUM = 28
    """Of the tick and an offset: the tick of an event."""
    OFFSET = 22
    OFFSET_BEFORE = 21
    AXON = 23
    TICK_BEFORE = 25
    AXON_AFTER = 24
    WANTED = 5
    """Words. Like `ELEMENT` it takes one byte, and is compared with numbers of two."""
    WAIT = 27
    """Cycles that are left to wait."""


class Program:
    """A program in the making: every method appends an instruction, or two."""

    def __init__(self) -> None:
        self._words: list[tuple[int, str | None]] = []
        self._labels: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._words)

    def label(self, name: str) -> None:
        """Name the next instruction."""
        if name in self._labels:
            raise ValueError(f"two instructions are called {name}")
        self._labels[name] = len(self._words)

    def assemble(self) -> list[int]:
        """The words of the program; `ValueError` if they are too many."""
        if len(self._words) > PROGRAM_WORDS:
            raise ValueError(f"{len(self._words)} instructions are more than {PROGRAM_WORDS}")
        return [word if to is None else word | self._labels[to] for word, to in self._words]

    def copy(self, target: Cell, source: Cell, size: Bytes = Bytes.ONE) -> None:
        """Copy."""
        self._work(Operation.COPY, target, source, size)

    def add(self, target: Cell, source: Cell, size: Bytes = Bytes.ONE) -> None:
        """Add to the target."""
        self._work(Operation.ADD, target, source, size)

    def subtract(self, target: Cell, source: Cell, size: Bytes = Bytes.ONE) -> None:
        """Subtract from the target."""
        self._work(Operation.SUBTRACT, target, source, size)

    def compare(self, target: Cell, source: Cell, size: Bytes = Bytes.ONE) -> None:
        """Carry: the target is the greater, or both are equal, and the difference 0."""
        self._work(Operation.COMPARE, target, source, size)

    def mask(self, target: Cell, source: Cell, size: Bytes = Bytes.ONE) -> None:
        """Leave the bits that are set in the source as well."""
        self._work(Operation.MASK, target, source, size)

    def shift(self, target: Cell, source: Cell, size: Bytes = Bytes.ONE) -> None:
        """Shift to the right; the lowest bit of the source enters at the top."""
        self._work(Operation.SHIFT, target, source, size)

    def out(self, port: Port, source: Cell = Cell.ZERO, size: Bytes = Bytes.ONE) -> None:
        """Give a value to a port, or have it do what it does."""
        self._work(Operation.OUT, port, source, size)

    def look(self, lane: int) -> None:
        """Look at a lane."""
        self._work(Operation.OUT, Port.LOOK, lane, Bytes.ONE)

    def set(self, target: Cell, number: int) -> None:
        """Copy a number, four bytes of it."""
        self._number(target, number, compare=False)

    def compare_number(self, target: Cell, number: int) -> None:
        """Compare the lowest byte with a number."""
        self._number(target, number, compare=True)

    def give(self, port: Port, number: int) -> None:
        """Give a number to a port."""
        self.set(Cell.NUMBER, number)
        self.out(port, Cell.NUMBER)

    def jump(self, label: str) -> None:
        """Go on elsewhere."""
        self.jump_if(Condition.ALWAYS, label)

    def jump_if(self, condition: Condition, label: str) -> None:
        """Go on elsewhere if a condition holds."""
        self._words.append((1 << 15 | condition << 9, label))

    def jump_unless(self, condition: Condition, label: str) -> None:
        """Go on elsewhere unless a condition holds."""
        self._words.append((1 << 15 | 1 << 14 | condition << 9, label))

    def _work(self, operation: Operation, target: int, source: int, size: Bytes) -> None:
        self._words.append((operation << 12 | size << 10 | target << 5 | source, None))

    def _number(self, target: Cell, number: int, *, compare: bool) -> None:
        if not 0 <= number < 1 << 8 or target >= 8:
            raise ValueError(f"{number} does not fit a byte, or {target.name} takes no number")
        word = Operation.NUMBER << 12 | compare << 11 | target << 5
        self._words.append((word | number >> 5 << 8 | number & 31, None))
