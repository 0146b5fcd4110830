"""Allocation of the cells of a program by liveness analysis, as compilers allocate registers.

A byte of a cell is *live* from the instruction that writes it to the last one that reads it,
whatever way the program goes. A byte that may be read before anything is written to it is live from
the beginning of the program on, and has to be 0 there: no other cell is ever written to its place,
as a reset does not change the memory. Two other cells can share a place unless one of them is
written while the other is live.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from spiketwin.hdl.gateware.link.instructions import (
    CELLS,
    NUMBER_CELLS,
    Bytes,
    Condition,
    Jump,
    Operation,
    Scratch,
    Work,
)

_MOST_BYTES: Final = {Bytes.ONE: 1, Bytes.TWO: 2, Bytes.FOUR: 4, Bytes.ELEMENT: 4}
_LEAST_BYTES: Final = _MOST_BYTES | {Bytes.ELEMENT: 1}

_STREAMS: Final = (Scratch.INPUT, Scratch.BUFFER)
"""The streams, which are read like cells and never written."""

_Clashes = dict[Scratch, dict[Scratch, int]]
"""The interference graph: for each cell the cells with which it cannot share a place, and for each
of these the instruction that is the reason."""


def allocate(
    instructions: Sequence[Work | Jump], labels: Mapping[str, int], fixed: Mapping[Scratch, int]
) -> dict[Scratch, int]:
    """Return the number of every cell of a program, the lowest one that is free for it.

    Parameters
    ----------
    instructions, labels:
        The program.
    fixed:
        Cells whose numbers are given.

    Raises
    ------
    ValueError
        Fixed cells with the same number are live at the same time, a fixed cell is set to a number
        but is not one of the first `NUMBER_CELLS`, or there is no place for a cell.
    """
    clashes = _find_clashes(instructions, labels)
    numbered = {
        each.target
        for each in instructions
        if isinstance(each, Work) and each.operation is Operation.NUMBER
    }
    numbers: dict[Scratch, int] = {}

    def choice(cell: Scratch) -> tuple[bool, bool, int, int]:
        return cell not in fixed, cell not in numbered, -len(clashes[cell]), cell.value

    # Those with the least choice come first.
    for cell in sorted(clashes, key=choice):
        most = NUMBER_CELLS if cell in numbered else CELLS
        taken = {numbers[other]: other for other in clashes[cell] if other in numbers}
        if cell in fixed:
            number = fixed[cell]
            if number >= most:
                raise ValueError(f"{cell.name} takes numbers, and cell {number} does not")
            if number in taken:
                other = taken[number]
                raise ValueError(
                    f"{cell.name} and {other.name} cannot share cell {number}: instruction "
                    f"{clashes[cell][other]} writes one while the other is needed"
                )
            numbers[cell] = number
            continue
        free = set(range(most)) - taken.keys() - set(fixed.values())
        if not free:
            raise ValueError(f"no cell below {most} is free as long as {cell.name} is needed")
        numbers[cell] = min(free)
    return dict(fixed) | numbers


def _find_clashes(instructions: Sequence[Work | Jump], labels: Mapping[str, int]) -> _Clashes:
    needed = _needed(instructions, labels)
    cells = {cell for each in instructions for cell in _cells(each)}
    clashes: _Clashes = {cell: {} for cell in cells}
    at_start = needed[0]
    for place, each in enumerate(instructions):
        if not (isinstance(each, Work) and isinstance(each.target, Scratch)):
            continue
        for byte in range(_written(each, _MOST_BYTES)):
            after = needed[place + 1] if place + 1 < len(instructions) else frozenset()
            for other, needed_byte in after | at_start:
                if needed_byte == byte and other is not each.target:
                    clashes[each.target].setdefault(other, place)
                    clashes[other].setdefault(each.target, place)
    return clashes


def _needed(
    instructions: Sequence[Work | Jump], labels: Mapping[str, int]
) -> list[frozenset[tuple[Scratch, int]]]:
    """Return the bytes that are live before each instruction."""
    needed: list[frozenset[tuple[Scratch, int]]] = [frozenset()] * (len(instructions) + 1)
    before: list[frozenset[tuple[Scratch, int]]] | None = None
    while before != needed:
        before = list(needed)
        for place in reversed(range(len(instructions))):
            each = instructions[place]
            if isinstance(each, Jump):
                needed[place] = needed[labels[each.label]]
                if each.condition is not Condition.ALWAYS:
                    needed[place] |= needed[place + 1]
            else:
                written = {(each.target, k) for k in range(_written(each, _LEAST_BYTES))}
                needed[place] = (needed[place + 1] - written) | _read(each)
    return needed


def _cells(instruction: Work | Jump) -> list[Scratch]:
    if isinstance(instruction, Jump):
        return []
    ends = (instruction.target, instruction.source)
    return [end for end in ends if isinstance(end, Scratch) and end not in _STREAMS]


def _written(work: Work, sizes: Mapping[Bytes, int]) -> int:
    """Return the number of bytes of its target that an instruction writes."""
    keeps = work.operation in (Operation.OUT, Operation.COMPARE) or work.compares
    return 0 if keeps else sizes[work.size]


def _read(work: Work) -> set[tuple[Scratch, int]]:
    """Return the bytes that an instruction reads."""
    counts: dict[Scratch, int] = {}
    if isinstance(work.source, Scratch) and work.source not in _STREAMS:
        counts[work.source] = _MOST_BYTES[work.size]
    if isinstance(work.target, Scratch) and work.operation is not Operation.COPY:
        if work.operation is not Operation.NUMBER:
            counts[work.target] = _MOST_BYTES[work.size]
        elif work.compares:
            counts[work.target] = 1
    return {(cell, byte) for cell, count in counts.items() for byte in range(count)}
