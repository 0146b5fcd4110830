"""Programs of the link's sequencer: an assembler with labels, which also allocates the cells."""

from __future__ import annotations

from collections.abc import Mapping

from spiketwin.hdl.gateware.link.instructions import (
    FIXED,
    MOST_PROGRAM_WORDS,
    Bytes,
    Condition,
    Jump,
    Operation,
    Port,
    Scratch,
    Work,
)
from spiketwin.hdl.gateware.link.lifetimes import allocate


class Program:
    """A program under construction, to which the methods append instructions."""

    def __init__(self) -> None:
        self.instructions: list[Work | Jump] = []
        self.labels: dict[str, int] = {}
        self.notes: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self.instructions)

    def label(self, name: str) -> None:
        """Name the next instruction."""
        if name in self.labels:
            raise ValueError(f"two instructions are called {name}")
        self.labels[name] = len(self.instructions)

    def note(self, text: str) -> None:
        """Add a comment on the next instruction to the listing."""
        self.notes[len(self.instructions)] = text

    def listing(self, begin: str, end: str | None) -> list[str]:
        """Return the lines of a listing, from a label up to another one, or to the end."""
        names: dict[int, list[str]] = {}
        for name, address in self.labels.items():
            names.setdefault(address, []).append(name)
        lines = []
        last = len(self) if end is None else self.labels[end]
        for address in range(self.labels[begin], last):
            lines += [f"{name}:" for name in names.get(address, [])]
            line = f"  {address:3}  {self.instructions[address]}"
            note = self.notes.get(address)
            lines.append(f"{line:44}; {note}" if note else line)
        return lines

    def assemble(self) -> list[int]:
        """Return the words of the program.

        Raises
        ------
        ValueError
            The program is too long, or its cells have no room (`lifetimes.allocate`).
        """
        if len(self) > MOST_PROGRAM_WORDS:
            raise ValueError(f"{len(self)} instructions are more than {MOST_PROGRAM_WORDS}")
        cells = self.cells()
        return [
            each.word(self.labels) if isinstance(each, Jump) else each.word(cells)
            for each in self.instructions
        ]

    def cells(self, fixed: Mapping[Scratch, int] = FIXED) -> dict[Scratch, int]:
        """Return the number of every cell; errors are those of `lifetimes.allocate`."""
        return allocate(self.instructions, self.labels, fixed)

    def copy(self, target: Scratch, source: Scratch, size: Bytes = Bytes.ONE) -> None:
        """Copy the source to the target."""
        self._work(Operation.COPY, target, source, size)

    def add(self, target: Scratch, source: Scratch, size: Bytes = Bytes.ONE) -> None:
        """Add the source to the target."""
        self._work(Operation.ADD, target, source, size)

    def subtract(self, target: Scratch, source: Scratch, size: Bytes = Bytes.ONE) -> None:
        """Subtract the source from the target."""
        self._work(Operation.SUBTRACT, target, source, size)

    def compare(self, target: Scratch, source: Scratch, size: Bytes = Bytes.ONE) -> None:
        """Set `CARRY` if the target is not below the source, and `ZERO` if both are equal."""
        self._work(Operation.COMPARE, target, source, size)

    def mask(self, target: Scratch, source: Scratch, size: Bytes = Bytes.ONE) -> None:
        """Set the target to the bitwise AND of target and source."""
        self._work(Operation.MASK, target, source, size)

    def shift(self, target: Scratch, source: Scratch, size: Bytes = Bytes.ONE) -> None:
        """Shift the target right by a bit; the lowest bit of the source enters at the top."""
        self._work(Operation.SHIFT, target, source, size)

    def out(self, port: Port, source: Scratch = Scratch.ZERO, size: Bytes = Bytes.ONE) -> None:
        """Output a value to a port; ports that use no value act as well."""
        self._work(Operation.OUT, port, source, size)

    def look(self, lane: int) -> None:
        """Let INPUT show the `Input` of this number."""
        self._work(Operation.OUT, Port.LOOK, lane, Bytes.ONE)

    def set(self, target: Scratch, number: int) -> None:
        """Set all four bytes of the target to a number of one byte."""
        self._number(target, number, compares=False)

    def compare_number(self, target: Scratch, number: int) -> None:
        """Compare the lowest byte of the target with a number."""
        self._number(target, number, compares=True)

    def give(self, port: Port, number: int) -> None:
        """Output a number to a port, through the cell `Scratch.NUMBER`."""
        self.set(Scratch.NUMBER, number)
        self.out(port, Scratch.NUMBER)

    def jump(self, label: str) -> None:
        """Jump to a label."""
        self.jump_if(Condition.ALWAYS, label)

    def jump_if(self, condition: Condition, label: str) -> None:
        """Jump to a label if a condition holds."""
        self.instructions.append(Jump(condition, label))

    def jump_unless(self, condition: Condition, label: str) -> None:
        """Jump to a label unless a condition holds."""
        self.instructions.append(Jump(condition, label, unless=True))

    def _work(
        self, operation: Operation, target: Scratch | Port, source: Scratch | int, size: Bytes
    ) -> None:
        self.instructions.append(Work(operation, size, target, source))

    def _number(self, target: Scratch, number: int, *, compares: bool) -> None:
        if not 0 <= number < 1 << 8:
            raise ValueError(f"{number} does not fit a byte")
        self.instructions.append(Work(Operation.NUMBER, Bytes.FOUR, target, number, compares))
