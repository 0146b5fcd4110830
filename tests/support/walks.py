"""Walks of the link's program: all ways that it can go, whatever the bytes of frames and core are.

The words of a program are followed as they are assembled, instruction by instruction, each as
`instructions` describes it. A byte is kept as a sum of symbols, such as the number of the session
and that of the next request, where it is one; every other byte may have any value. A jump is
followed both ways unless what is known decides it, and each way knows more from then on. What is
known of ranges is finite and no way adds a symbol, so that the states are soon all found: what
holds in each of them holds on every walk, however often loops are gone round.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from spiketwin.hdl.gateware.link.instructions import (
    CELL_BYTES,
    CELLS,
    FIXED,
    NUMBER_CELLS,
    PROGRAM_WORDS,
    Bytes,
    Condition,
    Operation,
    Port,
    Scratch,
)

VALUES = 1 << 8


@dataclass(frozen=True)
class Byte:
    """A sum of symbols, each so many times, and a constant, modulo 256."""

    terms: tuple[tuple[str, int], ...] = ()
    constant: int = 0

    def __add__(self, other: "Byte") -> "Byte":
        times = dict(self.terms)
        for symbol, count in other.terms:
            times[symbol] = (times.get(symbol, 0) + count) % VALUES
        left = tuple(sorted((symbol, count) for symbol, count in times.items() if count))
        return Byte(left, (self.constant + other.constant) % VALUES)

    def __neg__(self) -> "Byte":
        terms = tuple((symbol, -count % VALUES) for symbol, count in self.terms)
        return Byte(terms, -self.constant % VALUES)

    def __sub__(self, other: "Byte") -> "Byte":
        return self + -other

    def with_symbol(self, symbol: str, value: "Byte") -> "Byte":
        """Return the sum with a value in place of a symbol."""
        count = dict(self.terms).get(symbol, 0)
        if not count:
            return self
        assert count in (1, VALUES - 1)
        rest = Byte(tuple(term for term in self.terms if term[0] != symbol), self.constant)
        return rest + value if count == 1 else rest - value


ZERO = Byte()


def symbol(name: str) -> Byte:
    """Return a byte that is this symbol."""
    return Byte(((name, 1),))


@dataclass(frozen=True)
class Question:
    """Whether a byte is 0, or below another one; or, if it `denies`, whether it is not."""

    byte: Byte
    than: Byte | None = None
    denies: bool = False


@dataclass(frozen=True)
class State:
    """What is known before an instruction.

    Attributes
    ----------
    at:
        Address of the instruction.
    cells:
        All bytes of the cells; None where it may be any.
    frame_place:
        Address in the frame of the next byte of `BUFFER`; None if it may be any other byte.
    zero, carry:
        What the conditions ask; None if each may hold or not.
    ranges:
        The values that a symbol can have, as a bit for each, where not all are left.
    unequal, compared:
        Bytes that are not 0; pairs of which it is known whether the first one is below.
    noted:
        Bytes that whoever watches remembers.
    seen:
        What else they remember.
    """

    at: int
    cells: tuple[Byte | None, ...]
    noted: tuple[Byte | None, ...]
    seen: object
    frame_place: int | None = None
    zero: Question | None = None
    carry: Question | None = None
    ranges: tuple[tuple[str, int], ...] = ()
    unequal: frozenset[Byte] = frozenset()
    compared: frozenset[tuple[Byte, Byte, bool]] = frozenset()

    def cell(self, number: int) -> Byte | None:
        """Return the lowest byte of a cell."""
        return self.cells[CELL_BYTES * number]

    def knows_below(self, byte: Byte, than: Byte) -> bool | None:
        """Return whether a byte is below another one; None if that is not known."""
        if not byte.terms and not than.terms:
            return byte.constant < than.constant
        return next((holds for *pair, holds in self.compared if pair == [byte, than]), None)

    def is_never_above(self, byte: Byte, most: int) -> bool:
        """Return whether a byte that is a symbol or a constant is at most as large."""
        if not byte.terms:
            return byte.constant <= most
        ((name, count),) = byte.terms
        left = dict(self.ranges).get(name, (1 << VALUES) - 1)
        values = [v for v in range(VALUES) if left >> v & 1]
        return all((count * v + byte.constant) % VALUES <= most for v in values)


def with_value(state: State, name: str, value: Byte) -> State | None:
    """Return the state in which a symbol is this value; None if what is known excludes that."""
    left = dict(state.ranges)
    allowed = left.pop(name, None)
    if allowed is not None and (value.terms or not allowed >> value.constant & 1):
        assert not value.terms, f"{name} has a range"
        return None

    def put(byte: Byte | None) -> Byte | None:
        return byte.with_symbol(name, value) if byte else byte

    def asked(question: Question | None) -> Question | None:
        if question is None:
            return None
        byte = question.byte.with_symbol(name, value)
        return replace(question, byte=byte, than=put(question.than))

    unequal = frozenset(byte.with_symbol(name, value) for byte in state.unequal)
    if ZERO in unequal:
        return None
    compared = frozenset(
        (a.with_symbol(name, value), b.with_symbol(name, value), holds)
        for a, b, holds in state.compared
    )
    return replace(
        state, cells=tuple(map(put, state.cells)), noted=tuple(map(put, state.noted)),
        zero=asked(state.zero), carry=asked(state.carry), ranges=tuple(sorted(left.items())),
        unequal=frozenset(byte for byte in unequal if byte.terms), compared=compared,
    )  # fmt: skip


def answers(state: State, question: Question | None) -> Iterator[tuple[bool, State]]:
    """Yield each answer that a question can have, with what is known then."""
    if question is None:
        yield from ((True, state), (False, state))
        return
    for holds, after in _answers(state, question.byte, question.than):
        yield holds != question.denies, after


def _answers(state: State, byte: Byte, than: Byte | None) -> Iterator[tuple[bool, State]]:
    """Yield each answer to whether a byte is 0, or below another one."""
    if than == Byte(constant=1):
        than = None  # what is below 1 is 0
    constant_bound = VALUES if than is None else than.constant
    if not byte.terms and (than is None or not than.terms):
        yield (byte.constant < constant_bound if than else byte == ZERO), state
    elif len(byte.terms) == 1 and (than is None or not than.terms):
        ((name, count),) = byte.terms
        left = dict(state.ranges).get(name, (1 << VALUES) - 1)
        for holds in (True, False):
            kept = 0
            for value in (v for v in range(VALUES) if left >> v & 1):
                found = (count * value + byte.constant) % VALUES
                if (found == 0 if than is None else found < constant_bound) == holds:
                    kept |= 1 << value
            if after := _with_range(state, name, kept):
                yield holds, after
    elif than is None:
        if byte not in state.unequal:
            name, count = byte.terms[-1]
            rest = Byte(byte.terms[:-1], byte.constant)
            equal = with_value(state, name, -rest if count == 1 else rest)
            if equal is not None:
                yield True, equal
        yield False, replace(state, unequal=state.unequal | {byte, -byte})
    else:
        known = state.knows_below(byte, than)
        for holds in (True, False) if known is None else (known,):
            yield holds, replace(state, compared=state.compared | {(byte, than, holds)})


def _with_range(state: State, name: str, values: int) -> State | None:
    """Return the state in which a symbol has one of these values; None if there is none."""
    if values.bit_count() == 0:
        return None
    if values.bit_count() == 1:
        return with_value(state, name, Byte(constant=values.bit_length() - 1))
    return replace(state, ranges=tuple(sorted((dict(state.ranges) | {name: values}).items())))


class Walks:
    """All states that are reached; a class below this one watches what happens in them.

    Parameters
    ----------
    words:
        The words of the program.
    header:
        Names of the symbols that the first bytes of a frame are; the others are any bytes.
    counted:
        Numbers of the cells in which sums of constants are followed; in others, where addresses
        count up in loops, they may be anything.
    """

    def __init__(self, words: Sequence[int], header: Sequence[str], counted: Sequence[int]) -> None:
        self.words = words
        self.header = header
        self.counted = counted

    def acts(self, state: State, port: Port, value: Byte | None) -> State:
        """Return the state after a port has acted."""
        raise NotImplementedError

    def learns(self, state: State, condition: Condition, *, holds: bool) -> State | None:
        """Return the state after a condition of the core or the frame; None if it cannot be."""
        raise NotImplementedError

    def reads_frame(self, state: State) -> None:
        """Take note that the next bytes of the frame buffer are read."""
        raise NotImplementedError

    def reached(self, *first: State, ends: int) -> list[State]:
        """Return the states at the address `ends` to which walks lead from the first ones."""
        known, due, last = set[State](), list(first), []
        while due:
            for after in self.step(due.pop()):
                if after.at == ends:
                    last.append(after)
                elif after not in known:
                    known.add(after)
                    due.append(after)
        return last

    def step(self, state: State) -> Iterator[State]:
        """Yield the states after the next instruction."""
        word = self.words[state.at]
        if not word >> 15 & 1:
            yield self._worked(replace(state, at=state.at + 1), word)
            return
        condition, unless = Condition(word >> 9 & 31), word >> 14 & 1
        where = (word >> 16) * PROGRAM_WORDS + word % PROGRAM_WORDS
        ways: Iterator[tuple[bool, State | None]]
        if condition is Condition.ALWAYS:
            ways = iter([(True, state)])
        elif condition is Condition.ZERO:
            ways = answers(state, state.zero)
        elif condition is Condition.CARRY:
            ways = answers(state, state.carry)
        else:
            ways = ((h, self.learns(state, condition, holds=h)) for h in (True, False))
        for holds, after in ways:
            if after is not None:
                yield replace(after, at=where if holds != unless else state.at + 1)

    def _worked(self, state: State, word: int) -> State:
        operation, size = Operation(word >> 12), Bytes(word >> 10 & 3)
        count = {Bytes.ONE: 1, Bytes.TWO: 2}.get(size, 4)
        target = word >> 5 & 31
        if operation is Operation.NUMBER:
            return self._with_number(state, word)
        no_elements = operation is Operation.SHIFT or (
            operation is Operation.OUT and target not in (Port.SEND, Port.PUSH)
        )
        assert size is not Bytes.ELEMENT or not no_elements, "an instruction has a size of its own"
        given, state = self._source(state, word & 31, count)
        only = given[0] if count == 1 else None
        if operation is Operation.OUT:
            zero = Question(only) if only is not None else None
            after = self.acts(replace(state, zero=zero), Port(target), only)
            return self._sought(after, Port(target), only)
        before = state.cell(target) if count == 1 else None
        known = before is not None and only is not None
        result: list[Byte | None] = [None] * count
        zero, carry = None, state.carry
        if operation is Operation.COPY:
            result, zero = given, Question(only) if only is not None else None
        elif operation in (Operation.ADD, Operation.SUBTRACT, Operation.COMPARE):
            carry = None
            if known:
                assert before is not None
                assert only is not None
                adds = operation is Operation.ADD
                result = [before + only if adds else before - only]
                if result[0] and not result[0].terms and target not in self.counted:
                    result = [None]
                zero = Question(before + only if adds else before - only)
                carry = None if adds else Question(before, only, denies=True)
        elif operation is Operation.SHIFT:
            carry = None
        if operation is not Operation.COMPARE:
            if size is Bytes.ELEMENT:
                result = [None] * CELL_BYTES
            state = replace(state, cells=_with_bytes(state.cells, target, result))
        return replace(state, zero=zero, carry=carry)

    def _sought(self, state: State, port: Port, value: Byte | None) -> State:
        """Return the state after a port that may have sought another place in the buffer."""
        if port not in (Port.SEEK_FRAME, Port.SEEK_TABLE):
            return state
        is_known = port is Port.SEEK_FRAME and value is not None and not value.terms
        place = value.constant if is_known and value is not None else len(self.header)
        return replace(state, frame_place=place if place < len(self.header) else None)

    def _with_number(self, state: State, word: int) -> State:
        target, number = (word >> 5) % NUMBER_CELLS, Byte((), word & 31 | (word >> 8 & 7) << 5)
        if not word >> 11 & 1:
            bytes_set: list[Byte | None] = [number, ZERO, ZERO, ZERO]
            cells = _with_bytes(state.cells, target, bytes_set)
            return replace(state, cells=cells, zero=Question(number))
        before = state.cell(target)
        if before is None:
            return replace(state, zero=None, carry=None)
        carry = Question(before, number, denies=True)
        return replace(state, zero=Question(before - number), carry=carry)

    def _source(self, state: State, source: int, count: int) -> tuple[list[Byte | None], State]:
        """Return the bytes of the source, and the state after they are read."""
        if source == FIXED[Scratch.INPUT]:
            return [None] * count, state
        if source != FIXED[Scratch.BUFFER]:
            return list(state.cells[CELL_BYTES * source :][:count]), state
        self.reads_frame(state)
        if state.frame_place is None:
            return [None] * count, state
        last = state.frame_place + count
        named = [
            symbol(self.header[place]) if place < len(self.header) else None
            for place in range(state.frame_place, last)
        ]
        return named, replace(state, frame_place=last if last < len(self.header) else None)


def _with_bytes(
    cells: tuple[Byte | None, ...], number: int, written: Sequence[Byte | None]
) -> tuple[Byte | None, ...]:
    at = CELL_BYTES * number
    return (*cells[:at], *written, *cells[at + len(written) :])


def any_cells(known: dict[int, Byte]) -> tuple[Byte | None, ...]:
    """Return cells with these lowest bytes, of which all others may be anything.

    Only the cells that are 0 and 1 for ever are known whole.
    """
    cells: list[Byte | None] = [None] * (CELLS * CELL_BYTES)
    for number, byte in known.items():
        cells[CELL_BYTES * number] = byte
    for constant, cell in enumerate((Scratch.ZERO, Scratch.ONE)):
        at = CELL_BYTES * FIXED[cell]
        cells[at : at + CELL_BYTES] = [Byte(constant=constant), ZERO, ZERO, ZERO]
    return tuple(cells)
