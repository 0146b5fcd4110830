"""The link's program carries out each request at most once, and answers what it should."""

from dataclasses import dataclass, replace
from typing import Any

import pytest
from support.rungs import bulk_but
from support.seeded import Bug, named
from support.walks import (
    ZERO,
    Byte,
    State,
    Walks,
    any_cells,
    symbol,
)

from spiketwin.hdl.gateware.link.dispatcher import dispatcher
from spiketwin.hdl.gateware.link.elements import add_elements
from spiketwin.hdl.gateware.link.events import add_events
from spiketwin.hdl.gateware.link.instructions import SPACE_CONDITIONS, Condition, Port, Scratch
from spiketwin.hdl.gateware.link.program import Program
from spiketwin.hdl.gateware.link.tables import tables
from spiketwin.hdl.spec.params import PRESETS, preset
from spiketwin.hdl.spec.protocol import Identity, Opcode, Status

SESSION, EXPECTED, STORED = symbol("own session"), symbol("expected"), symbol("stored")
"""The cells of these names when a frame is awaited."""

HEADER = ("session", "sequence", "opcode")
"""What the first bytes of a frame are."""

ONE = Byte(constant=1)

CHANGES = {
    Port.WRITE, Port.EVENT, Port.POP, Port.WORDS, Port.RUN_UNTIL, Port.STOP, Port.CLEAR,
    Port.RESET, Port.RATE, Port.SET_TICK,
}  # fmt: skip
"""Ports that change something in the core or of the line."""

WHILE_IDLE = {Port.WRITE, Port.CLEAR, Port.RESET, Port.SET_TICK}
"""Ports that the core lets act only while it is idle."""

HEADER_BYTES = len(HEADER) + 1
"""Bytes that every answer begins with: those of the request, and a status."""


class Wrong(AssertionError):
    """A walk does what no walk may do; the message says what, and at which instruction."""


@dataclass(frozen=True)
class Seen:
    """What has happened since the last frame was released.

    Attributes
    ----------
    waits, good:
        Whether a frame waits for the program, and whether it is good.
    idle, anytime:
        Whether the core is known to be idle, and the space to be one that is read at any time.
    sent, ended, repeated:
        Bytes of the answer that were sent, up to those that every answer has; the number of answers
        that are complete; of repeats.
    changes, refused:
        Whether something was changed, and whether a status was sent that refuses.
    """

    waits: bool = False
    good: bool = False
    idle: bool = False
    anytime: bool = False
    sent: int = 0
    ended: int = 0
    repeated: int = 0
    changes: bool = False
    refused: bool = False


class Requests(Walks):
    """Walks from a frame to the next.

    Noted are the header of the request, the slot, and how many answers were kept before.

    Attributes
    ----------
    places, kept:
        The numbers of the cells, and of those that a frame leaves to the next.
    """

    def __init__(self, program: Program) -> None:
        self.places = program.cells()
        kept = (Scratch.SESSION, Scratch.EXPECTED, Scratch.STORED)
        self.kept = [self.places[cell] for cell in kept]
        super().__init__(program.assemble(), HEADER, self.kept)

    def acts(self, state: State, port: Port, value: Byte | None) -> State:
        seen = self.seen(state)
        session, sequence, _, slot, stored = state.noted
        demand(state, "a port acts without a frame", seen.waits)
        if port in CHANGES:
            due = (session, sequence) == (SESSION, EXPECTED)
            demand(state, "a request is carried out that is not due", due and seen.good)
            demand(state, "a request is refused and carried out", not seen.refused)
            seen = replace(seen, changes=True)
        demand(state, "the core is not idle", seen.idle or port not in WHILE_IDLE)
        demand(state, "no element can be read", seen.idle or seen.anytime or port is not Port.READ)
        if port is Port.RELEASE:
            seen = replace(seen, waits=False)
        elif port in (Port.RUN_UNTIL, Port.CLEAR, Port.RESET, Port.SET_TICK, Port.STOP):
            seen = replace(seen, idle=False)
        elif port is Port.SPACE_FLAGS:
            seen = replace(seen, anytime=False)
        elif port is Port.SLOT:
            demand(state, "the slot changes within an answer", seen.sent == 0)
            slot = value
        elif port is Port.REPEAT:
            demand(state, "an answer is repeated beside another", seen.sent + seen.ended == 0)
            seen = replace(seen, repeated=seen.repeated + 1)
        elif port in (Port.SEND, Port.WORDS):
            seen = self._sends(state, seen, value)
        elif port is Port.END:
            demand(state, "an answer is not whole", seen.sent == HEADER_BYTES)
            demand(
                state, "an answer is in another slot", slot == self.cell(state, Scratch.EXPECTED)
            )
            seen = replace(seen, sent=0, ended=seen.ended + 1)
        return replace(state, seen=seen, noted=(*state.noted[: len(HEADER)], slot, stored))

    def _sends(self, state: State, seen: Seen, value: Byte | None) -> Seen:
        """Return what is seen after a byte was sent: an answer begins with the request's header."""
        if seen.sent == HEADER_BYTES:
            return seen
        demand(state, "a frame that is not good is answered", seen.good)
        demand(state, "two answers", seen.ended + seen.repeated == 0)
        if seen.sent == len(HEADER):
            demand(state, "a status is none", value is not None and not value.terms)
            refused = value != Byte(constant=Status.OK)
            demand(state, "a request is carried out and refused", not (refused and seen.changes))
            return replace(seen, sent=HEADER_BYTES, refused=refused)
        own = self.cell(state, Scratch.SESSION)
        expected = (own, *state.noted[1 : len(HEADER)])[seen.sent]
        demand(state, "the header is not that of the request", value == expected)
        return replace(seen, sent=seen.sent + 1)

    def learns(self, state: State, condition: Condition, *, holds: bool) -> State | None:
        seen = self.seen(state)
        if condition is Condition.IDLE:
            if seen.idle and not holds:
                return None  # it stays idle until something is asked of it
            seen = replace(seen, idle=holds)
        elif condition is Condition.FRAME:
            seen = replace(seen, waits=holds)
        elif condition is Condition.GOOD:
            demand(state, "no frame is good", seen.waits)
            seen = replace(seen, good=holds)
        elif condition is Condition.ANYTIME:
            seen = replace(seen, anytime=holds)
        else:
            known = (Condition.LOOP, Condition.REAL_TIME, Condition.SENT, Condition.WORD)
            assert condition in known or condition in SPACE_CONDITIONS
        return replace(state, seen=seen)

    def reads_frame(self, state: State) -> None:
        demand(state, "bytes are read without a frame", self.seen(state).waits)

    def seen(self, state: State) -> Seen:
        """Return what has happened."""
        assert isinstance(state.seen, Seen)
        return state.seen

    def cell(self, state: State, cell: Scratch) -> Byte | None:
        """Return the lowest byte of a cell."""
        return state.cell(self.places[cell])


def demand(state: State, what: str, holds: object) -> None:
    """Raise `Wrong` unless something holds before an instruction."""
    if not holds:
        raise Wrong(f"instruction {state.at}: {what}\n{state.noted}\n{state.seen}")


def check_next_frame(walks: Requests, slots: int, state: State) -> None:
    """What a walk from a frame to the next one has done, and what it has left in the cells."""
    seen = walks.seen(state)
    session, sequence, opcode, slot, stored_before = state.noted
    own, expected, stored = (state.cell(number) for number in walks.kept)
    demand(state, "a frame is not released", not seen.waits)
    assert own is not None
    assert expected is not None
    assert stored is not None
    assert stored_before is not None
    constants = [walks.cell(state, cell) for cell in (Scratch.ZERO, Scratch.ONE)]
    demand(state, "a constant is written", constants == [ZERO, ONE])
    demand(state, "more answers are kept than slots", state.is_never_above(stored, slots - 1))
    done = seen.ended + seen.repeated
    demand(state, "a good frame is not answered once", done == seen.good)
    same = (own, expected, stored) == (SESSION, EXPECTED, stored_before)
    if expected == EXPECTED + ONE:
        demand(state, "a request counts that is not due", (session, sequence) == (own, EXPECTED))
        demand(state, "a request changes the session", own == SESSION)
        demand(state, "a request that counts is not answered", seen.ended == 1)
        return
    demand(state, "a request that does not count changes something", not seen.changes)
    if seen.repeated:
        assert sequence is not None
        ago = EXPECTED - sequence
        demand(state, "an answer is repeated that is not there", slot == sequence)
        demand(state, "a repeat is too old", state.knows_below(stored_before, ago) is False)
        demand(state, "a repeat of another session", (session, own) == (SESSION, SESSION))
        demand(state, "a repeat changes something", same)
    elif own != SESSION:
        demand(state, "a session follows no other", own == SESSION + ONE == session)
        demand(state, "OPEN begins no session", (expected, stored) == (ZERO, ZERO))
        demand(state, "a session begins without OPEN", opcode == Byte(constant=Opcode.OPEN))
        demand(state, "OPEN is not answered", seen.ended == 1)
    else:
        demand(state, "a frame changes what is kept", same)


def prove_program(size: str, made: Any = dispatcher) -> None:
    """Follow the program of a core of this size on all walks from frame to frame."""
    params = preset(size)
    program = made(params, tables(params, Identity.of(params, 1, "")))
    walks = Requests(program)
    await_frame, slots = program.labels["AWAIT FRAME"], params.link_slots
    nothing: tuple[Byte | None, ...] = (*map(symbol, HEADER), None, STORED)
    start = State(0, any_cells({}), nothing, Seen())
    begun = walks.reached(start, ends=await_frame)
    assert begun
    for state in begun:
        demand(
            state, "a number does not begin with 0", {state.cell(k) for k in walks.kept} == {ZERO}
        )
    first = State(
        await_frame, any_cells(dict(zip(walks.kept, (SESSION, EXPECTED, STORED), strict=True))),
        nothing, Seen(), ranges=((STORED.terms[0][0], (1 << slots) - 1),),
    )  # fmt: skip
    last = walks.reached(first, ends=await_frame)
    ends = {walks.seen(state) for state in last}
    assert {end.ended for end in ends} == {end.repeated for end in ends} == {0, 1}
    assert any(end.changes for end in ends)
    for state in last:
        check_next_frame(walks, slots, state)


BUGS = [
    Bug("a request of another session is carried out",
        "c.compare(ahead, Scratch.ZERO)\n    c.jump_unless(Condition.ZERO",
        "c.compare(ahead, Scratch.ZERO)\n    c.jump_unless(Condition.CARRY"),
    Bug("a request does not count", "c.add(Scratch.EXPECTED, Scratch.SEQUENCED)",
        "c.add(Scratch.EXPECTED, Scratch.ZERO)"),
    Bug("a refused number counts", "c.add(Scratch.EXPECTED, Scratch.SEQUENCED)",
        "c.add(Scratch.EXPECTED, Scratch.ONE)"),
    Bug("an answer is kept of what does not count", "c.add(Scratch.STORED, Scratch.SEQUENCED)",
        "c.add(Scratch.STORED, Scratch.ONE)"),
    Bug("an answer is kept in each slot", "params.link_slots - 1)", "params.link_slots)"),
    Bug("an answer is repeated that is gone", "c.compare(Scratch.STORED, behind)",
        "c.compare(behind, Scratch.STORED)"),
    Bug("a session keeps the answers of the last", "c.copy(Scratch.STORED, Scratch.ZERO)",
        "c.copy(Scratch.STORED, Scratch.ONE)"),
    Bug("any number opens a session", "# a repeated OPEN of this session\n    c.jump_unless(",
        "# a repeated OPEN of this session\n    c.jump_if("),
    Bug("a repeat is answered as well", 'c.out(Port.REPEAT)\n    c.jump("RELEASE")',
        'c.out(Port.REPEAT)\n    c.jump("ANSWER")'),
    Bug("a frame is not released", "c.out(Port.RELEASE)", "c.out(Port.BASE)"),
    Bug("a core is cleared while it runs",
        "_check_length(c, Opcode.CLEAR)\n    c.jump_unless(Condition.IDLE",
        "_check_length(c, Opcode.CLEAR)\n    c.jump_unless(Condition.ALWAYS"),
    Bug("events are queued as they are checked", 'c.jump_if(Condition.LOOP, "EVENT")',
        'c.out(Port.EVENT)\n    c.jump_if(Condition.LOOP, "EVENT")', add_events),
    Bug("elements are written while a run is under way",
        "    c.jump_unless(Condition.IDLE, Status.BUSY.name)\n", "", add_elements),
    Bug("any state is read while a run is under way", "c.jump_unless(Condition.ANYTIME",
        "c.jump_unless(Condition.ALWAYS", add_elements),
]  # fmt: skip
OPTIONS = [
    "tiny,bias_events=1,probe_ranges=2",
    "ncx,n_projections=8,weight_depth=4096,n_rules=4,window_bits=16,link_slots=2",
    "full,n_projections=64,weight_depth=65536,n_relays=256,max_delay=16",
]


@pytest.mark.parametrize("size", bulk_but(["tiny", "full"], [*PRESETS, *OPTIONS]))
def test_a_request_is_carried_out_at_most_once(size: str) -> None:
    prove_program(size)


@pytest.mark.parametrize("bug", bulk_but(BUGS[:2], BUGS), ids=named)
def test_a_seeded_bug_is_found(bug: Bug) -> None:
    with pytest.raises(Wrong, match="instruction"):
        prove_program("tiny", bug.seeded(dispatcher))
