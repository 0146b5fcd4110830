"""Each instruction of the link's sequencer does what `instructions` says of it, from any state."""

from typing import Any

import pytest
from amaranth.hdl import Array, Cat, Const, Elaboratable, Fragment, Module, Mux, Signal, Value
from amaranth.lib.memory import ReadPort, WritePort
from support.benches import Bench, implies
from support.provers import Refuted, prove_by_induction
from support.rungs import bulk_but
from support.seeded import Bug, named, replaced

from spiketwin.hdl.gateware.link.instructions import (
    CELL_BYTES,
    CELLS,
    FIXED,
    NUMBER_CELLS,
    PROGRAM_WORDS,
    SPACE_CONDITIONS,
    Bytes,
    Condition,
    Input,
    Operation,
    Port,
    Scratch,
)
from spiketwin.hdl.gateware.link.sequencer import Sequencer
from spiketwin.hdl.spec.params import preset
from spiketwin.hdl.spec.registers import (
    ADDRESS_COLUMN_BITS,
    SATURATIONS,
    counters,
    space_formats,
)

CYCLES = 3
"""Cycles after which nothing of before counts."""

WORD = 8 * CELL_BYTES


class Cells(Elaboratable):
    """Stands in for the memory of cells: two of them are followed, which may be the same.

    All others may hold anything, and so may what is read while it is written.
    """

    def __init__(self, b: Bench) -> None:
        self.numbers = [b.fixed(f"{name}_cell", range(CELLS)) for name in ("target", "source")]
        self.chosen = [b.fixed(f"{name}_begins", WORD) for name in ("target", "source")]
        self.words = [Signal(WORD, name=f"{name}_word") for name in ("target", "source")]
        self.first, self.other = b.first, b.free("other_cell", 8)
        width = (CELLS * CELL_BYTES - 1).bit_length()
        self.read: Any = ReadPort.Signature(addr_width=width, shape=8).create()
        self.write: Any = WritePort.Signature(addr_width=width, shape=8).create()

    def read_port(self) -> Any:
        return self.read

    def write_port(self) -> Any:
        return self.write

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        place, number = self.read.addr[:2], self.read.addr[2:]
        found: Value = self.other
        is_taken: Value = Const(0)
        for k in reversed(range(2)):
            found = Mux(number == self.numbers[k], self.words[k].word_select(place, 8), found)
        collides = self.write.en & (self.write.addr == self.read.addr)
        with m.If(self.read.en):
            m.d.sync += self.read.data.eq(Mux(collides, self.other, found))
        place, number = self.write.addr[:2], self.write.addr[2:]
        for k in range(2):
            kept = Signal(WORD, name=f"kept_{k}")
            m.d.comb += self.words[k].eq(Mux(self.first, self.chosen[k], kept))
            m.d.sync += kept.eq(self.words[k])
            with m.If(self.write.en & (number == self.numbers[k]) & ~is_taken):
                for byte in range(CELL_BYTES):
                    with m.If(place == byte):
                        m.d.sync += kept[8 * byte : 8 * byte + 8].eq(self.write.data)
            is_taken = number == self.numbers[0]
        return m


class Words(Elaboratable):
    """Stands in for the memory of the program: one of its words is followed, as any of them."""

    def __init__(self, b: Bench, width: int, depth: int) -> None:
        self.address = b.fixed("followed_address", range(depth))
        self.word, self.other = b.fixed("followed_word", width), b.free("other_word", width)
        self.read: Any = ReadPort.Signature(addr_width=len(self.address), shape=width).create()

    def read_port(self) -> Any:
        return self.read

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.d.sync += self.read.data.eq(Mux(self.read.addr == self.address, self.word, self.other))
        return m


class Sequencing:
    """A bench of the sequencer, and the instruction that is carried out as the bench sees it.

    Attributes
    ----------
    instruction, works, operation, port, source:
        The instruction and its fields; whether it is none that jumps.
    begins:
        Whether it begins.
    place, last:
        The byte that it works on, and the last one.
    target, given:
        What was in its target when it began, and the bytes of its source that have been read, each
        at its place, from the first on; both if they are those that are followed.
    known, own:
        Whether the bytes of its source are followed; whether its target is as well.
    leaves:
        Whether it leaves the cells alone that are followed.
    reads_target, ends, byte:
        Whether it reads its target; whether it ends; the byte of its source. The checks of phases
        and of results state these.
    sends_words, place_in_word, moves:
        Whether it appends output words to an answer; the byte of a word that it is at; whether that
        byte moves in this cycle.
    """

    reads_target: Any
    ends: Any
    byte: Any

    def __init__(self, size: str, words: int, bug: Bug | None) -> None:
        self.b = b = Bench()
        self.p = preset(size)
        self.cells = cells = Cells(b)

        def memory(*, shape: Any, depth: int, init: Any) -> Any:
            if depth == CELLS * CELL_BYTES:
                return cells
            self.words = Words(b, shape, depth)
            return self.words

        unit: Any = Sequencer
        made = replaced(unit, Memory=memory) if bug is None else bug.seeded(unit, Memory=memory)
        self.table_unit = 1 if words == PROGRAM_WORDS else 2
        self.unit = u = made(self.p, [0] * words, self.table_unit)
        # The phases and registers of the processor are there once it is elaborated.
        fragment: Any = Fragment
        b.m.submodules.unit = fragment.get(u, None)
        self.instruction = b.tell("instruction", u._instruction)
        self.works, self.operation = ~self.instruction[15], self.instruction[12:15]
        self.port, self.source = self.instruction[5:10], self.instruction[:5]
        self.begins = b.tell("begins", u._decide & (u._place == 0))
        self.place, self.last = b.tell("place", u._place), b.tell("last", self._last())
        self.same = cells.numbers[0] == cells.numbers[1]
        self.target = self.at_begin("target", cells.words[0])
        self.given = Signal(WORD, name="given")
        b.shown["given"] = self.given
        streams = [FIXED[Scratch.INPUT], FIXED[Scratch.BUFFER]]
        followed = Cat(*(self.source == each for each in (*streams, cells.numbers[1]))).any()
        number = self.does(Operation.NUMBER)
        target = Mux(number, self.port % NUMBER_CELLS, self.port)
        is_ours = [target == each for each in cells.numbers]
        keeps = self.does(Operation.OUT) | ~self.works
        self.leaves = [b.tell(f"leaves_{k}", keeps | ~ours) for k, ours in enumerate(is_ours)]
        # An instruction with one cell at both ends is followed where both are the same.
        known = self.works & (number | followed) & (self.same | self.leaves[1])
        self.known = b.tell("known", known)
        own = is_ours[0] | self.does(Operation.OUT)
        self.own = b.tell("own", known & own)
        # A program has elements only where tests/support/walks.py lets it have them.
        of_elements = self.instruction[10:12] == Bytes.ELEMENT
        no_elements = self.does(Operation.SHIFT) | self.outputs(Port.SPACE_FLAGS)
        b.assume(~(no_elements & of_elements))
        built = self.p.probe_ranges > 0
        sends = self.outputs(Port.WORDS) & u._source if built else Const(0)
        self.sends_words = b.tell("sends_words", sends)
        self.place_in_word = b.inner("place_in_word", 2) if built else Const(0, 2)
        moves = self.sends_words & u.core.words.valid & u.reply.ready
        self.moves = b.tell("moves", moves)

    def _last(self) -> Value:
        """Return the last place at which an instruction works."""
        flags = self.unit._space_flags
        wide = [flags[c - Condition.KNOWN] for c in (Condition.WIDE, Condition.WIDEST)]
        sizes = Array([Const(0, 2), Const(1, 2), Const(3, 2), Cat(*wide)])
        compares = self.instruction[11]
        numbers = self.operation == Operation.NUMBER
        of_works = Mux(numbers, Mux(compares, 0, 3), sizes[self.instruction[10:12]])
        return Mux(self.works, of_works, 0)

    def at_begin(self, name: str, value: Any) -> Signal:
        """Return what a value was when the instruction began."""
        value = Value.cast(value)
        held, now = Signal(len(value), name=f"held_{name}"), Signal(len(value), name=f"{name}_then")
        self.b.m.d.comb += now.eq(Mux(self.begins, value, held))
        self.b.m.d.sync += held.eq(now)
        self.b.shown[f"{name}_then"] = now
        return now

    def does(self, *operations: Operation) -> Any:
        """Return whether it is one of these operations."""
        return self.works & Cat(*(self.operation == each for each in operations)).any()

    def outputs(self, *ports: Port) -> Any:
        """Return whether it outputs to one of these ports."""
        return self.does(Operation.OUT) & Cat(*(self.port == each for each in ports)).any()

    def acts(self, *ports: Port) -> Any:
        """Return whether one of these ports acts in this cycle."""
        return self.unit._act & self.outputs(*ports)

    def check_becomes(self, name: str, value: Any, *changes: tuple[Any, Any]) -> None:
        """What a register becomes with each change, of which the first one that comes counts.

        It stays as it is without one. A change to None is one to a value that is not known.
        """
        b = self.b
        value = Value.cast(value)
        expected, is_known = Signal(len(value), name=f"new_{name}"), Signal(init=1)
        b.m.d.comb += [expected.eq(value), is_known.eq(1)]
        for changes_now, becomes in reversed(changes):
            with b.m.If(changes_now):
                known = becomes is not None
                b.m.d.comb += [expected.eq(becomes if known else 0), is_known.eq(known)]
        right = value == b.past(expected)
        b.check(f"{name}_becomes", implies(~b.first & b.past(is_known), right))


def surround(s: Sequencing) -> None:
    """Frame, core and reply slots may do anything that their own proofs allow."""
    b, u, core, frame = s.b, s.unit, s.unit.core, s.unit.frame
    for name, signal in {
        "waits": frame.valid, "is_good": frame.good, "frame_place": frame.position,
        "frame_byte": frame.byte, "done": core.memory.done, "element": core.memory.r_data,
        "room_for_events": core.events.ready, "events_queued": core.event_level,
        "output_word": core.words.payload, "has_word": core.words.valid,
        "words_queued": core.word_level, "tick": core.tick, "real_time": core.real_time,
        "idle": core.idle, "cycles": core.cycles, "missed_deadlines": core.missed_deadlines,
        "late_events": core.late_events, "muted_ticks": core.muted_ticks,
        "pending_groups": core.pending_groups, "rx_overflows": u.rx_overflows,
        "replies_sent": u.replies_sent, "room_for_replies": u.reply.ready,
        "room_for_repeats": u.repeat.ready,
    }.items():  # fmt: skip
        b.m.d.comb += signal.eq(b.free(name, len(signal)))
    for counter in SATURATIONS if s.p.saturation_counters else ():
        b.m.d.comb += getattr(core, counter.name).eq(b.free(counter.name, counter.width))
    # Where there is room, there is room until something comes or another slot is chosen.
    comes = u.reply.valid | u.repeat.valid | core.events.valid
    for stream in (u.reply, u.repeat, core.events):
        same = ~b.past(comes) & (u.slot == b.past(u.slot))
        b.assume(implies(b.past(stream.ready) & same, stream.ready))
        in_time = implies(stream.valid & ~s.sends_words, stream.ready)
        b.check(f"{stream.valid.name}_in_time", in_time)


def check_phases(s: Sequencing) -> None:
    """Each byte takes its phases, and an instruction has as many bytes as it should."""
    b, u = s.b, s.unit
    phases = [u._decide, u._source, u._target, u._act]
    b.check("one_phase", sum(phases) == 1)
    waits = s.outputs(Port.SEND, Port.END) & ~u.reply.ready
    waits |= s.outputs(Port.REPEAT) & ~u.repeat.ready
    waits |= s.outputs(Port.EVENT) & ~u.core.events.ready
    waits |= s.outputs(Port.READ, Port.WRITE) & ~u.core.memory.done
    if s.p.probe_ranges:
        ends_words = s.moves & (s.place_in_word == CELL_BYTES - 1) & (u._loops == 1)
        waits |= s.outputs(Port.WORDS) & ~ends_words
    b.tell("has_to_wait", waits)
    kept = s.does(Operation.COPY, Operation.OUT) | (s.does(Operation.NUMBER) & ~s.instruction[11])
    s.reads_target = s.works & ~kept
    onward = Mux(s.reads_target, 4, 8)
    after = Mux(u._decide, 2, Mux(u._source, Mux(waits, 2, onward), Mux(u._target, 8, 1)))
    b.check("phase_after", implies(~b.first, Cat(*phases) == b.past(after)))
    b.check("places", s.place <= s.last)
    onwards = Mux(s.place == s.last, 0, s.place + 1)
    s.check_becomes("place", u._place, (u._act, onwards))
    s.ends = b.tell("ends", u._act & (s.place == s.last))


def check_program(s: Sequencing) -> None:
    """Instructions follow each other, and jumps go where they say, if they do."""
    b, u, core, frame = s.b, s.unit, s.unit.core, s.unit.frame
    word, here = s.instruction, b.inner("here", len(s.words.address))
    flags = dict(zip(SPACE_CONDITIONS, u._space_flags, strict=True))
    conditions = {
        Condition.ALWAYS: Const(1), Condition.ZERO: u._zero, Condition.CARRY: u._carry,
        Condition.LOOP: u._loops != 1, Condition.IDLE: core.idle,
        Condition.REAL_TIME: core.real_time, Condition.FRAME: frame.valid,
        Condition.GOOD: frame.good, Condition.SENT: u.replies_sent,
        **flags,
    }  # fmt: skip
    if not s.p.probe_ranges:
        conditions[Condition.WORD] = core.words.valid
    condition = word[9:14]
    is_one = Cat(*(condition == number for number in conditions)).any()
    holds = Cat(*((condition == number) & held for number, held in conditions.items())).any()
    jumps = b.tell("jumps", ~s.works & (holds != word[14]))
    where = Cat(word[:9], word[16:])
    s.check_becomes(
        "here", here,
        (s.begins & ~s.works & ~is_one, None), (s.begins & jumps, where), (s.begins, here + 1),
    )  # fmt: skip
    is_followed = b.past(here) == s.words.address
    s.check_becomes("instruction", u._instruction, (s.ends, None))
    b.check("fetches", implies(b.past(s.ends) & is_followed, word == s.words.word))
    begun = implies(b.past(u._act) & ~b.past(u._act, 2), here == b.past(here))
    b.check("fetches_in_time", begun)


def check_results(s: Sequencing) -> None:
    """What the bytes of the source are, and what becomes of the target and the conditions."""
    b, u, cells = s.b, s.unit, s.cells
    source_then = Mux(s.same, s.target, s.at_begin("source", cells.words[1]))
    # A shift begins with the highest byte.
    top = s.does(Operation.SHIFT).replicate(2) & s.last
    place = b.tell("place_of_byte", s.place ^ top)
    number = Cat(s.instruction[:5], s.instruction[8:11])
    given = Mux(s.source == FIXED[Scratch.BUFFER], u.frame.byte, source_then.word_select(place, 8))
    given = Mux(s.source == FIXED[Scratch.INPUT], b.past(shown_byte(s)), given)
    given = Mux(s.does(Operation.NUMBER), Mux(s.place == 0, number, 0), given)
    given = b.tell("given_now", given)
    for k in range(CELL_BYTES):
        with b.m.If(u._source & (s.place == k)):
            b.m.d.sync += s.given.word_select(k, 8).eq(given)
    s.byte = b.tell("byte", s.given.word_select(s.place, 8))
    zero, carry = s.at_begin("zero", u._zero), s.at_begin("carry", u._carry)
    done, after = results(s, s.place, zero, carry), results(s, s.place + 1, zero, carry)
    here = ~u._decide | ~s.begins
    b.check("target", implies(s.own, cells.words[0] == done[0]))
    b.check("zero", implies(s.own & here, u._zero == done[1]))
    b.check("carry", implies(s.own & here, u._carry == done[2]))
    b.check("no_target", implies(s.leaves[0], cells.words[0] == s.target))
    b.check("no_source", implies(s.leaves[1] & ~s.same, cells.words[1] == source_then))
    finished = b.past(s.ends & s.own)
    b.check("target_after", implies(finished, cells.words[0] == b.past(after[0])))
    b.check("zero_after", implies(finished, u._zero == b.past(after[1])))
    b.check("carry_after", implies(finished, u._carry == b.past(after[2])))
    check_operands(s, place, source_then)


def check_operands(s: Sequencing, place: Value, source_then: Value) -> None:
    """What is in the registers of the processor in each phase."""
    b, u, cells = s.b, s.unit, s.cells
    negates = s.does(Operation.SUBTRACT, Operation.COMPARE)
    negates |= s.does(Operation.NUMBER) & s.instruction[11]
    late = u._target | u._act
    right = u._b == s.byte ^ negates.replicate(8)
    b.check("is_given", implies(late & s.known, right))
    read = cells.read.data
    from_cell = s.works & (s.source == cells.numbers[1]) & (s.source < FIXED[Scratch.INPUT])
    from_cell &= ~s.does(Operation.NUMBER)
    b.check(
        "reads_source",
        implies(u._source & s.known & from_cell, read == source_then.word_select(place, 8)),
    )
    own = s.target.word_select(place, 8)
    b.check("reads_target", implies(u._target & s.own, read == own))
    b.check("has_none_yet", implies(u._source, u._a == 0))
    b.check("has_target", implies(u._act & s.own, u._a == Mux(s.reads_target, own, 0)))


def results(s: Sequencing, count: Value, zero: Any, carry: Any) -> tuple[Value, Value, Value]:
    """Return target, zero and carry once so many bytes are worked on."""
    b, a, given = s.b, s.target, s.given
    shown = Signal(3, name="count")
    b.m.d.comb += shown.eq(count)
    bits = shown << 3
    least = Signal(WORD, name="least")
    b.m.d.comb += least.eq((1 << bits) - 1)
    sums = Signal(WORD + 1, name="sum")
    b.m.d.comb += sums.eq((a & least) + (given & least))
    is_below = (a & least) < (given & least)
    width = (s.last + 1) << 3
    whole = Signal(WORD, name="whole")
    b.m.d.comb += whole.eq((1 << width) - 1)
    shifted = Signal(WORD, name="shifted")
    b.m.d.comb += shifted.eq((a & whole | given[0] << width) >> 1)
    compares = s.does(Operation.COMPARE) | (s.does(Operation.NUMBER) & s.instruction[11])
    subtracts = s.does(Operation.SUBTRACT) | compares
    copies = s.does(Operation.COPY, Operation.OUT) | (s.does(Operation.NUMBER) & ~compares)
    value = Mux(copies, given, Mux(s.does(Operation.MASK), a & given, a + given))
    value = Mux(subtracts, a - given, value)
    shifts = s.does(Operation.SHIFT)
    # A shift has done the highest bytes, everything else the lowest ones.
    changed = Signal(WORD, name="changed")
    b.m.d.comb += changed.eq(Mux(shifts, whole & ~(whole >> bits), least))
    result = Signal(WORD, name="result_so_far")
    b.m.d.comb += result.eq(Mux(shifts, shifted, value) & changed)
    keeps = compares | s.does(Operation.OUT)
    target = Mux(keeps, a, (a & ~changed) | result)
    is_sum = s.does(Operation.ADD)
    left = Signal(6, name="left")
    b.m.d.comb += left.eq(width - bits)
    lowest = (a >> left)[0]
    carried = Mux(is_sum, (sums >> bits)[0], Mux(subtracts, ~is_below, carry))
    carried = Mux(shifts, lowest, carried)
    begun = shown != 0
    return target, Mux(begun, result == 0, zero), Mux(begun, carried, carry)


def shown_byte(s: Sequencing) -> Any:
    """Return the byte, at the place that is worked on, of what INPUT shows."""
    u, core = s.unit, s.unit.core
    own = {
        "tick": core.tick, "cycles_low": core.cycles[:32], "cycles_high": core.cycles[32:],
        "missed_deadlines": core.missed_deadlines, "late_events": core.late_events,
        "muted_ticks": core.muted_ticks, "pending_groups": core.pending_groups,
        "events_queued": core.event_level, "words_queued": core.word_level,
        "rx_overflows": u.rx_overflows,
    }  # fmt: skip
    values: dict[int, Any] = {
        Input.ELEMENT: core.memory.r_data, Input.LOOPS: u._loops, Input.POSITION: u.frame.position,
    }  # fmt: skip
    if not s.p.probe_ranges:
        values[Input.WORD] = core.words.payload
    for number, counter in enumerate(counters(s.p)):
        if counter.name in own:
            values[number] = own[counter.name]
        elif counter in SATURATIONS:
            values[number] = getattr(core, counter.name)
    found = Signal(WORD, name="shown")
    numbers = 1 << len(u._shown)
    with s.b.m.Switch(u._shown):
        for number, value in values.items():
            with s.b.m.Case(number % numbers):
                s.b.m.d.comb += found.eq(value)
    is_one = Cat(*(u._shown == number % numbers for number in values)).any()
    s.b.assume(implies(s.source == FIXED[Scratch.INPUT], is_one))
    return s.b.tell("shown_byte", found.word_select(s.place, 8))


def check_registers(s: Sequencing) -> None:
    """What the ports set is what they were given, and stays until they act again."""
    b, u, core = s.b, s.unit, s.unit.core
    byte, word = s.byte, u._word

    parts = [Mux(s.place == k, byte, word[8 * k : 8 * k + 8]) for k in range(CELL_BYTES)]
    unknown = ~s.known

    def sets(port: Port, value: Any) -> list[tuple[Any, Any]]:
        return [(s.acts(port) & unknown, None), (s.acts(port), value)]

    s.check_becomes("word", word, *sets(Port.PUSH, Cat(*parts)))
    jumped = u._act & ~s.works & (s.instruction[9:14] == Condition.LOOP)
    less = jumped | (s.moves & (s.place_in_word == CELL_BYTES - 1))
    s.check_becomes("loops", u._loops, *sets(Port.LOOPS, byte), (less, u._loops - 1))
    s.check_becomes("flags", u._space_flags, *sets(Port.SPACE_FLAGS, byte))
    s.check_becomes("shown", u._shown, (s.acts(Port.LOOK), s.source), *sets(Port.LOOK_AT, byte))
    s.check_becomes("slot", u.slot, *sets(Port.SLOT, byte))
    s.check_becomes("stop", core.stop, *sets(Port.STOP, byte[0]))
    s.check_becomes("run_until", core.run_until, (s.acts(Port.RUN_UNTIL, Port.SET_TICK), word))
    memory, formats = core.memory, space_formats(s.p).values()
    s.check_becomes("space", Value.cast(memory.space), *sets(Port.SPACE, byte))
    rows = [f for f in formats if f.rows > 1]
    ends = Cat(*((memory.space == f.space) & (memory.column == f.columns - 1) for f in rows)).any()
    onward = s.acts(Port.WRITE, Port.ADVANCE)
    places = s.acts(Port.PLACE)
    row, column = (
        b.inner("row", range(max(2, *(f.rows for f in formats)))),
        b.inner("column", range(max(f.columns for f in formats))),
    )
    b.check("place", (memory.row == row) & (memory.column == column))
    s.check_becomes("column", column, (places, word), (onward & ends, 0), (onward, column + 1))
    of_row = word[ADDRESS_COLUMN_BITS:]
    s.check_becomes("row", row, (places, of_row), (onward & ends, row + 1))


def check_ports(s: Sequencing) -> None:
    """Ports act in the last cycle of each byte, with what they are given, and else not at all."""
    b, u, core, frame = s.b, s.unit, s.unit.core, s.unit.frame
    acts, byte, word = s.acts, s.byte, u._word

    def check_given(name: str, port: Any, value: Any, expected: Any) -> None:
        b.check(name, implies(port & s.known, value == expected))

    strobes = {
        "sends": (u.reply.valid, acts(Port.SEND, Port.END) | (s.sends_words & core.words.valid)),
        "repeats": (u.repeat.valid, acts(Port.REPEAT)),
        "releases": (frame.release_stb, acts(Port.RELEASE)),
        "seeks": (frame.seek_stb, acts(Port.SEEK_FRAME, Port.SEEK_TABLE)),
        "queues": (core.events.valid, acts(Port.EVENT)),
        "pops": (
            core.words.ready,
            s.moves & (s.place_in_word == CELL_BYTES - 1) if s.p.probe_ranges else acts(Port.POP),
        ),
        "clears": (core.clear_stb, acts(Port.CLEAR, Port.RESET)),
        "resets": (core.reset_stb, acts(Port.RESET)),
        "sets_tick": (core.set_tick_stb, acts(Port.SET_TICK)),
        "sets_rate": (u.rate_stb, acts(Port.RATE)),
    }
    for name, (strobe, expected) in strobes.items():
        b.check(name, strobe == expected)
    from_buffer = s.works & ~s.does(Operation.NUMBER) & (s.source == FIXED[Scratch.BUFFER])
    b.check("reads_on", frame.next_stb == u._act & from_buffer)
    ends = acts(Port.END)
    check_given("byte_sent", acts(Port.SEND), u.reply.payload.byte, byte)
    b.check("end_sent", implies(u.reply.valid, u.reply.payload.end == ends))
    b.check("slot_repeated", implies(u.repeat.valid, u.repeat.payload == u.slot))
    check_given("frame_sought", acts(Port.SEEK_FRAME), frame.address, byte)
    room = len(frame.address) - 1
    in_tables = (byte * s.table_unit)[:room] | 1 << room
    check_given("table_sought", acts(Port.SEEK_TABLE), frame.address, in_tables)
    check_given("mask", core.clear_stb, core.clear_mask, byte[: len(core.clear_mask)])
    b.check("tick_set", implies(core.set_tick_stb, core.set_tick == word))
    b.check("rate_set", implies(u.rate_stb, u.rate == word[: len(u.rate)]))
    check_memory(s)
    check_events(s)
    if s.p.probe_ranges:
        check_words(s)


def check_words(s: Sequencing) -> None:
    """Words are sent whole, their bytes in order."""
    b, u, words = s.b, s.unit, s.unit.core.words
    byte = words.payload.word_select(s.place_in_word, 8)
    b.check("byte_of_word", implies(s.sends_words, u.reply.payload.byte == byte))
    b.check("word_does_not_end", implies(s.sends_words, ~u.reply.payload.end))
    s.check_becomes("place_in_word", s.place_in_word, (s.moves, s.place_in_word + 1))
    b.check("words_are_whole", implies(~s.sends_words, s.place_in_word == 0))


def check_memory(s: Sequencing) -> None:
    """An element is asked for until it is there."""
    b, u, memory = s.b, s.unit, s.unit.core.memory
    asks = s.outputs(Port.READ, Port.WRITE) & u._source
    b.check("asks", memory.valid == asks)
    b.check("writes", implies(asks, memory.write == s.outputs(Port.WRITE)))
    b.check("writes_the_word", implies(asks, memory.w_data == u._word))
    again = b.past(asks) & ~b.past(memory.done)
    request = Cat(memory.valid, memory.write, memory.row, memory.column, memory.w_data)
    b.check("asks_until_it_is_done", implies(again, request == b.past(request)))
    b.check("asks_once", implies(b.past(asks & memory.done), ~memory.valid))


def check_events(s: Sequencing) -> None:
    """An event is as it is in the word, its tick counted from the base."""
    b, u, event = s.b, s.unit, s.unit.core.events.payload
    base = Signal(WORD, name="base")
    with b.m.If(s.acts(Port.BASE)):
        b.m.d.sync += base.eq(u._word)
    tick = b.tell("event_tick", (base + u._word[:16])[:WORD])
    b.check("ticks", implies(~u._decide, event.tick == tick))
    b.check("numbers", event.number == u._word[16:][: len(event.number)])
    if s.p.bias_events:
        valid = s.unit.core.events.valid & s.known
        b.check("is_bias", implies(valid, event.is_bias == s.byte[0]))
        bias = b.inner("bias", WORD)
        parts = [Mux(s.place == k, s.byte, bias[8 * k : 8 * k + 8]) for k in range(CELL_BYTES)]
        stored = s.acts(Port.BIAS)
        s.check_becomes("bias", bias, (stored & ~s.known, None), (stored, Cat(*parts)))
        b.check("biases", event.bias.as_unsigned() == bias[: len(event.bias)])


def bench(size: str, words: int = PROGRAM_WORDS, bug: Bug | None = None) -> Bench:
    """Any instruction, from any state of cells and registers, with anything in frame and core."""
    s = Sequencing(size, words, bug)
    surround(s)
    check_phases(s)
    check_program(s)
    check_results(s)
    check_registers(s)
    check_ports(s)
    return s.b


BUGS = [
    Bug("a difference begins with a borrow", "Mux(self._first, negative, self._carry)",
        "Mux(self._first, 0, self._carry)"),
    Bug("a shift begins with the lowest byte",
        "place.eq(self._place ^ (top & shifts.replicate(2)))", "place.eq(self._place)"),
    Bug("zero is that of the last byte", "(result == 0) & (self._first | self._zero)",
        "result == 0"),
    Bug("a comparison writes", "                & (operation != Operation.COMPARE)\n", ""),
    Bug("an output that waits goes on with another cell",
        "self._decide | (operation == Operation.OUT)", "self._decide"),
    Bug("a write does not wait", "((at[Port.READ] | at[Port.WRITE]) &", "(at[Port.READ] &"),
    Bug("there is a loop more", "Condition.LOOP: self._loops != 1",
        "Condition.LOOP: self._loops != 0"),
    Bug("every other element is left out", "column.eq(column + 1)", "column.eq(column + 2)"),
    Bug("an event is of the base", "event_tick.eq(base + offset)", "event_tick.eq(base)"),
    Bug("numbers read the buffer", "self._works & ~number & (self._from",
        "self._works & (self._from"),
    Bug("a reset clears nothing", "stb[Port.CLEAR] | stb[Port.RESET]", "stb[Port.CLEAR]"),
    Bug("a jump goes one too far", "Mux(jump, where, here + 1)", "Mux(jump, where + 1, here + 1)"),
    Bug("INPUT shows the byte before", "choose(octets, Cat(self._place, self._shown))",
        "choose(octets, Cat(self._place - 1, self._shown))"),
]  # fmt: skip

BUGS_OF_WORDS = [
    Bug("a word has three bytes", "words.ready.eq(moves & (place_in_word == 3))",
        "words.ready.eq(moves & (place_in_word == 2))"),
    Bug("there is a word more", "~words.ready | (self._loops != 1)",
        "~words.ready | (self._loops != 0)"),
    Bug("a word begins with its highest byte", "word_select(place_in_word, 8)",
        "word_select(~place_in_word, 8)"),
    Bug("bytes do not wait for room", "moves.eq(words.valid & reply.ready)",
        "moves.eq(words.valid)"),
]  # fmt: skip
SIZES = [
    ("tiny", PROGRAM_WORDS),
    ("tiny,probe_ranges=1", PROGRAM_WORDS),
    ("tiny,bias_events=1,saturation_counters=1,n_projections=2,weight_depth=64", 2 * PROGRAM_WORDS),
]


@pytest.mark.parametrize(("size", "words"), bulk_but(SIZES[:1], SIZES))
def test_instructions_do_as_they_are_described(size: str, words: int) -> None:
    prove_by_induction(bench(size, words), CYCLES)


HAS_BUG = [*(("tiny", bug) for bug in BUGS), *((SIZES[1][0], bug) for bug in BUGS_OF_WORDS)]


@pytest.mark.bulk
@pytest.mark.parametrize(("size", "bug"), HAS_BUG, ids=named)
def test_a_seeded_bug_is_found(size: str, bug: Bug) -> None:
    with pytest.raises(Refuted, match="does not hold in cycle"):
        prove_by_induction(bench(size, bug=bug), 14)
