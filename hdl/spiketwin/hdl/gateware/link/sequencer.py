"""The link's sequencer: a small processor for bytes, its program in block RAM.

An instruction (`instructions`) takes these cycles for each byte that it works on::

    DECIDE   The source is read; where the program goes on is decided.
    SOURCE   The source is registered, the target is read. The instruction waits here for units.
    TARGET   The target is registered. Instructions that do not use their target skip this cycle.
    ACT      The result is stored, or the port acts. The next instruction arrives.

So every access to block RAM has a cycle of its own, and a register behind it. In a core with probes
an instruction to send output words stays at SOURCE while they go to the answer, a byte a cycle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2, exact_log2

from spiketwin.hdl.gateware.core.interface import CoreSignature, space_shape
from spiketwin.hdl.gateware.line.framing import BodyByte, FrameSignature
from spiketwin.hdl.gateware.line.uart import RATE_WIDTH
from spiketwin.hdl.gateware.link.instructions import (
    CELL_BYTES,
    CELLS,
    FIXED,
    PROGRAM_WORDS,
    SPACE_CONDITIONS,
    Bytes,
    Condition,
    Input,
    Operation,
    Port,
    Scratch,
)
from spiketwin.hdl.gateware.link.tables import ADDRESSES
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.registers import (
    ADDRESS_COLUMN_BITS,
    DAMAGE_WIDTH,
    SATURATIONS,
    Space,
    counters,
    space_formats,
)


class Sequencer(wiring.Component):
    """The processor of the link, which alone works on frame, core and reply slots.

    Parameters
    ----------
    params:
        Sizes of the core.
    program:
        Words of the program (`program.Program.assemble`), which begins with the first.
    table_unit:
        Bytes that an address in the tables counts (`tables.Tables.unit`).

    Members
    -------
    frame:
        The request.
    core:
        The core.
    slot, reply, repeat, replies_sent:
        The inputs of the reply slots (`framing.ReplySlots`), and whether nothing is left in them
        or on the line.
    rate_stb, rate:
        Out, from now on the line has this rate.
    rx_overflows:
        In, the counter of the link.
    """

    frame: wiring.PureInterface
    core: wiring.PureInterface
    slot: Signal
    reply: stream.Interface
    repeat: stream.Interface
    replies_sent: Signal
    rate_stb: Signal
    rate: Signal
    rx_overflows: Signal

    def __init__(self, params: CoreParams, program: Sequence[int], table_unit: int) -> None:
        self.params = params
        self.program = program
        self.table_unit = table_unit
        slots = range(params.link_slots)
        super().__init__(
            {
                "frame": In(FrameSignature(ADDRESSES * table_unit)),
                "core": In(CoreSignature(params)),
                "slot": Out(slots),
                "reply": Out(stream.Signature(BodyByte)),
                "repeat": Out(stream.Signature(slots)),
                "replies_sent": In(1),
                "rate_stb": Out(1),
                "rate": Out(RATE_WIDTH),
                "rx_overflows": In(DAMAGE_WIDTH),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        # The phases, as a one-hot state.
        self._decide, self._source = Signal(init=1), Signal()
        self._target, self._act = Signal(), Signal()
        self._wait = Signal()
        self._has_target = Signal()
        with m.If(~self._source | ~self._wait):
            m.d.sync += [
                self._decide.eq(self._act),
                self._source.eq(self._decide),
                self._target.eq(self._source & self._has_target),
                self._act.eq(self._target | (self._source & ~self._has_target)),
            ]
        # Fields of the instruction, and state of the byte that it works on.
        self._here_bits = max(exact_log2(PROGRAM_WORDS), ceil_log2(len(self.program)))
        self._instruction = instruction = Signal(16 + self._here_bits - exact_log2(PROGRAM_WORDS))
        self._from = instruction[:5]
        self._operation = instruction[12:15]
        self._jumps = instruction[15]
        self._works = Signal()
        self._has_number = Signal()
        self._compares_number = instruction[11]
        self._place = Signal(2)
        self._first, self._last = Signal(), Signal()
        self._a = Signal(8)  # the target's byte
        self._b = Signal(8)  # the source's
        self._zero, self._carry = Signal(), Signal()
        self._loops = Signal(8)
        self._space_flags = Signal(len(SPACE_CONDITIONS))
        self._word = Signal(32)
        # A fifth bit is only needed to number the counters of saturations.
        self._shown = Signal(5 if self.params.saturation_counters else 4)
        self._input = Signal(8)
        self._walk(m)
        self._ports(m)
        self._fetch(m)
        self._bytes(m)
        self._look(m)
        self._elements(m)
        self._actions(m)
        return m

    # --- control --------------------------------------------------------------------------------

    def _walk(self, m: Module) -> None:
        """Step through the phases and the bytes of an instruction."""
        last_place = Signal(2)
        element = Cat(self._space_flags[Condition.WIDE - Condition.KNOWN], self._space_flags[-1])
        sizes: dict[int, Value] = {
            Bytes.ONE: Const(0, 2),
            Bytes.TWO: Const(1),
            Bytes.FOUR: Const(3),
            Bytes.ELEMENT: element,
        }
        m.d.comb += [
            self._works.eq(self._act & ~self._jumps),
            self._has_number.eq(self._operation == Operation.NUMBER),
            last_place.eq(choose(sizes, self._instruction[10:12])),
            self._first.eq(self._place == 0),
            self._last.eq(self._place == last_place),
        ]
        with m.If(self._has_number):
            m.d.comb += last_place.eq((~self._compares_number).replicate(2))
        with m.If(self._jumps):
            m.d.comb += last_place.eq(0)
        with m.If(self._act):
            m.d.sync += self._place.eq(Mux(self._last, 0, self._place + 1))

    def _ports(self, m: Module) -> None:
        """Decode the port of an instruction, and form the strobe with which the port acts."""
        at_port = ~self._jumps & (self._operation == Operation.OUT)
        self._at, self._stb = {}, {}
        p = self.params
        built = {
            Port.BIAS: p.bias_events, Port.WORDS: p.probe_ranges > 0, Port.POP: p.probe_ranges == 0
        }  # fmt: skip
        for port in (port for port in Port if built.get(port, True)):
            name = port.name.lower()
            self._at[port] = at = Signal(name=f"at_{name}")
            self._stb[port] = stb = Signal(name=f"{name}_stb")
            m.d.comb += [at.eq(at_port & (self._instruction[5:10] == port)), stb.eq(at & self._act)]

    def _fetch(self, m: Module) -> None:
        words = 1 << self._here_bits
        instruction = self._instruction
        memory: Memory = Memory(shape=len(instruction), depth=words, init=self.program)
        m.submodules.program = memory
        read = memory.read_port()
        core, frame = self.core, self.frame
        # The address begins at the last word, so that the first step leads to the first one.
        here = Signal(self._here_bits, init=words - 1)
        where = Cat(instruction[: exact_log2(PROGRAM_WORDS)], instruction[16:])
        condition, holds = instruction[9:14], Signal()
        conditions: dict[int, Value] = {
            Condition.ALWAYS: Const(1),
            Condition.ZERO: self._zero,
            Condition.CARRY: self._carry,
            Condition.LOOP: self._loops != 1,
            Condition.IDLE: core.idle,
            Condition.REAL_TIME: core.real_time,
            Condition.FRAME: frame.valid,
            Condition.GOOD: frame.good,
            Condition.SENT: self.replies_sent,
        }
        if not self.params.probe_ranges:
            conditions[Condition.WORD] = core.words.valid
        conditions |= dict(zip(SPACE_CONDITIONS, self._space_flags, strict=True))
        m.d.comb += [holds.eq(choose(conditions, condition)), read.addr.eq(here)]
        with m.If(self._decide & self._first):
            jump = self._jumps & (holds ^ instruction[14])
            m.d.sync += here.eq(Mux(jump, where, here + 1))
        with m.If(self._act & self._last):
            m.d.sync += instruction.eq(read.data)
        with m.If(self._stb[Port.LOOPS]):
            m.d.sync += self._loops.eq(self._b)
        with m.Elif(self._act & self._jumps & (condition == Condition.LOOP)):
            m.d.sync += self._loops.eq(self._loops - 1)
        with m.If(self._stb[Port.SPACE_FLAGS]):
            m.d.sync += self._space_flags.eq(self._b)

    # --- bytes ----------------------------------------------------------------------------------

    def _bytes(self, m: Module) -> None:
        constants = {CELL_BYTES * FIXED[Scratch.ONE]: 1}
        init = [constants.get(address, 0) for address in range(CELLS * CELL_BYTES)]
        memory: Memory = Memory(shape=8, depth=CELLS * CELL_BYTES, init=init)
        m.submodules.cells = memory
        read, write = memory.read_port(), memory.write_port()
        a, b, operation, place = self._a, self._b, self._operation, Signal(2)
        shifts = operation == Operation.SHIFT
        number = self._has_number
        sums = operation[2] & (~number | self._compares_number)
        negative = sums & (operation[1] | number)
        streams = self._from[1:].all()
        # A shift to the right begins with the highest byte.
        top = Cat(self._instruction[10:12].any(), self._instruction[11])
        target = Cat(self._instruction[5:8], self._instruction[8:10] & ~number.replicate(2))
        m.d.comb += [
            place.eq(self._place ^ (top & shifts.replicate(2))),
            # An output has no target; its source stays addressed while the port is waited for.
            read.addr.eq(
                Cat(place, Mux(self._decide | (operation == Operation.OUT), self._from, target))
            ),
            read.en.eq(self._decide | self._source),
            write.addr.eq(Cat(place, target)),
        ]
        sources = {
            0: Cat(self._instruction[:5], self._instruction[8:11]),
            1: read.data,
            2: self._input,
            3: self.frame.byte,
        }
        chosen = choose(sources, Cat(~number & (~streams | self._from[0]), ~number & streams))
        with m.If(self._source):
            m.d.sync += b.eq(chosen ^ negative.replicate(8))
            with m.If(number & ~self._first):
                m.d.sync += b.eq(0)
        m.d.comb += self._has_target.eq(~self._jumps & (operation[1] | sums))
        with m.If(self._decide):
            m.d.sync += a.eq(0)  # a copy adds the source to 0
        with m.If(self._target):
            m.d.sync += a.eq(read.data)
        m.d.comb += self.frame.next_stb.eq(
            self._works & ~number & (self._from == FIXED[Scratch.BUFFER])
        )

        m.d.comb += [
            write.data.eq(self._result(m, sums, shifts, negative)),
            write.en.eq(
                self._works
                & (operation != Operation.OUT)
                & (operation != Operation.COMPARE)
                & ~(number & self._compares_number)
            ),
        ]

    def _result(self, m: Module, sums: Value, shifts: Value, negative: Value) -> Value:
        """Return the byte of the result, and set the conditions zero and carry."""
        a, b, operation = self._a, self._b, self._operation
        total, carry_in, result = Signal(9), Signal(), Signal(8)
        m.d.comb += [
            carry_in.eq(sums & Mux(self._first, negative, self._carry)),
            # A single adder, with the carry as an extra bit below the lowest one.
            total.eq((Cat(Const(1, 1), a) + Cat(carry_in, b))[1:]),
            result.eq(total[:8]),
        ]
        with m.If(operation[1] & ~operation[2]):
            enters = Mux(self._first, b[0], self._carry)
            m.d.comb += result.eq(Mux(operation[0], Cat(a[1:], enters), a & b))
        with m.If(self._works):
            m.d.sync += self._zero.eq((result == 0) & (self._first | self._zero))
        with m.If(self._works & (sums | shifts)):
            m.d.sync += self._carry.eq(Mux(shifts, a[0], total[8]))
        return result

    def _look(self, m: Module) -> None:
        """Register the selected byte of the selected `Input`, which takes a cycle."""
        core = self.core
        shown = {
            "tick": core.tick,
            "cycles_low": core.cycles[:32],
            "cycles_high": core.cycles[32:],
            "missed_deadlines": core.missed_deadlines,
            "late_events": core.late_events,
            "muted_ticks": core.muted_ticks,
            "pending_groups": core.pending_groups,
            "events_queued": core.event_level,
            "words_queued": core.word_level,
            "rx_overflows": self.rx_overflows,
        }
        built = counters(self.params)
        shown |= {c.name: getattr(core, c.name) for c in built if c in SATURATIONS}
        inputs = {k: shown[c.name] for k, c in enumerate(built) if c.name in shown}
        inputs |= {
            Input.ELEMENT: core.memory.r_data,
            Input.LOOPS: self._loops,
            Input.POSITION: self.frame.position,
        }
        if not self.params.probe_ranges:
            inputs[Input.WORD] = core.words.payload
        octets: dict[int, Value] = {}
        for place, value in inputs.items():
            number = place % (1 << len(self._shown))
            for k in range(4):
                part = value[8 * k : 8 * k + 8]
                octets[4 * number + k] = Cat(part, Const(0, 8 - len(part)))
        m.d.sync += self._input.eq(choose(octets, Cat(self._place, self._shown)))
        with m.If(self._stb[Port.LOOK]):
            m.d.sync += self._shown.eq(self._from)
        with m.If(self._stb[Port.LOOK_AT]):
            m.d.sync += self._shown.eq(self._b)

    # --- what is worked on ----------------------------------------------------------------------

    def _elements(self, m: Module) -> None:
        p, memory, stb = self.params, self.core.memory, self._stb
        formats = space_formats(p).values()
        row = Signal(range(max(2, *(form.rows for form in formats))))
        column = Signal(range(max(form.columns for form in formats)))
        space = Signal(space_shape(p))
        reads, writes = self._at[Port.READ], self._at[Port.WRITE]
        m.d.comb += [
            memory.valid.eq(self._source & (reads | writes)),
            memory.write.eq(writes),
            memory.space.eq(space),
            memory.row.eq(row),
            memory.column.eq(column),
            memory.w_data.eq(self._word),
        ]
        for k in range(4):
            with m.If(stb[Port.PUSH] & (self._place == k)):
                m.d.sync += self._word[8 * k : 8 * k + 8].eq(self._b)
        with m.If(stb[Port.SPACE]):
            m.d.sync += space.eq(self._b)
        spaces_of: dict[int, list[Space]] = {}  # with more than one row, by their columns
        for form in formats:
            if form.rows > 1:
                spaces_of.setdefault(form.columns, []).append(form.space)
        in_last_column = [
            reduce(or_, (space == each for each in spaces)) & (column == columns - 1)
            for columns, spaces in spaces_of.items()
        ]
        with m.If(stb[Port.PLACE]):
            m.d.sync += Cat(column, row).eq(
                Cat(
                    self._word[: len(column)],
                    self._word[ADDRESS_COLUMN_BITS : ADDRESS_COLUMN_BITS + len(row)],
                )
            )
        with m.Elif(stb[Port.WRITE] | stb[Port.ADVANCE]):
            m.d.sync += column.eq(column + 1)
            if in_last_column:
                with m.If(reduce(or_, in_last_column)):
                    m.d.sync += [column.eq(0), row.eq(row + 1)]
        # The word holds an event as in a frame. The sum is final long before the port acts.
        base, event_tick = Signal(32), Signal(32)
        offset, number, event = self._word[:16], self._word[16:], self.core.events.payload
        with m.If(stb[Port.BASE]):
            m.d.sync += base.eq(self._word)
        m.d.sync += event_tick.eq(base + offset)
        m.d.comb += [
            event.tick.eq(event_tick),
            event.number.eq(number),
            self.core.events.valid.eq(stb[Port.EVENT]),
            self.rate.eq(self._word),
            self.rate_stb.eq(stb[Port.RATE]),
        ]
        if p.bias_events:
            bias = Signal(32)
            for k in range(4):
                with m.If(stb[Port.BIAS] & (self._place == k)):
                    m.d.sync += bias[8 * k : 8 * k + 8].eq(self._b)
            m.d.comb += [event.is_bias.eq(self._b), event.bias.eq(bias)]

    def _send_words(self, m: Module) -> None:
        """Append output words to the answer while their instruction waits for the last byte."""
        words, reply = self.core.words, self.reply
        place_in_word = Signal(2)
        moves = Signal()
        sends = self._at[Port.WORDS] & self._source
        with m.If(sends):
            m.d.comb += [
                reply.payload.byte.eq(words.payload.word_select(place_in_word, 8)),
                reply.valid.eq(words.valid),
                moves.eq(words.valid & reply.ready),
                words.ready.eq(moves & (place_in_word == 3)),
                self._wait.eq(~words.ready | (self._loops != 1)),
            ]
        with m.If(moves):
            m.d.sync += place_in_word.eq(place_in_word + 1)
        with m.If(words.ready):
            m.d.sync += self._loops.eq(self._loops - 1)

    def _actions(self, m: Module) -> None:
        core, frame, at, stb = self.core, self.frame, self._at, self._stb
        sends = at[Port.SEND] | at[Port.END]
        m.d.comb += self._wait.eq(
            (sends & ~self.reply.ready)
            | (at[Port.REPEAT] & ~self.repeat.ready)
            | (at[Port.EVENT] & ~core.events.ready)
            | ((at[Port.READ] | at[Port.WRITE]) & ~core.memory.done)
        )
        stop = Signal()
        offset: Value = self._b
        if self.table_unit > 1:
            in_units = Cat(Const(0, exact_log2(self.table_unit)), self._b)
            offset = Mux(at[Port.SEEK_TABLE], in_units, self._b)
        m.d.comb += [
            self.reply.payload.byte.eq(self._b),
            self.reply.payload.end.eq(at[Port.END]),
            self.reply.valid.eq(stb[Port.SEND] | stb[Port.END]),
            self.repeat.payload.eq(self.slot),
            self.repeat.valid.eq(stb[Port.REPEAT]),
            frame.release_stb.eq(stb[Port.RELEASE]),
            frame.seek_stb.eq(stb[Port.SEEK_FRAME] | stb[Port.SEEK_TABLE]),
            frame.address.eq(Cat(offset, at[Port.SEEK_TABLE])),
            core.words.ready.eq(stb.get(Port.POP, Const(0))),
            core.stop.eq(stop),
            core.clear_stb.eq(stb[Port.CLEAR] | stb[Port.RESET]),
            core.clear_mask.eq(self._b),
            core.reset_stb.eq(stb[Port.RESET]),
            core.set_tick_stb.eq(stb[Port.SET_TICK]),
            core.set_tick.eq(self._word),
        ]
        if self.params.probe_ranges:
            self._send_words(m)
        run_until = Signal(32)
        m.d.comb += core.run_until.eq(run_until)
        with m.If(stb[Port.RUN_UNTIL] | stb[Port.SET_TICK]):
            m.d.sync += run_until.eq(self._word)
        with m.If(stb[Port.SLOT]):
            m.d.sync += self.slot.eq(self._b)
        with m.If(stb[Port.STOP]):
            m.d.sync += stop.eq(self._b[0])


def choose(values: Mapping[int, Value], number: Value) -> Value:
    """Return the value with the given number, or any other value if there is none.

    A tree of two-way multiplexers takes less logic than a comparison with every number.
    """
    if not len(number):
        return values[0]
    halves = [{k >> 1: value for k, value in values.items() if k & 1 == bit} for bit in (0, 1)]
    chosen = [choose(half, number[1:]) for half in halves if half]
    return Mux(number[0], chosen[1], chosen[0]) if len(chosen) > 1 else chosen[0]
