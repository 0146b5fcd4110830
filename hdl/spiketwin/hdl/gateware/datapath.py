"""What the states of the dispatcher work with, and the steps that they share.

Values travel through here a byte at a time, as on the line: forty cycles a byte are the least that
a UART leaves, and an eighth of the logic does.
"""

from __future__ import annotations

import enum

from amaranth.hdl import Cat, Module, Signal, Value, ValueLike
from amaranth.lib import stream, wiring

from spiketwin.hdl.gateware.framing import ARGUMENTS
from spiketwin.hdl.gateware.lookup import NAMES
from spiketwin.hdl.gateware.validate import OPCODE_WIDTH
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.protocol import MAX_ELEMENT_BYTES, Status

ITEM_WIDTH = (8 * MAX_ELEMENT_BYTES).bit_length()
"""Bits of the number of an item: the elements of one request are at most eight in a byte."""


class Walk(enum.IntEnum):
    """Why the items of a request are gone through: each time from the first."""

    EXTENT = 0
    """Whether there are such elements, and how long they are."""
    CHECK = 1
    APPLY = 2


class Datapath:
    """Registers of the dispatcher.

    Attributes
    ----------
    core, frame:
        The seam to the core, and the request.
    opcode, sequenced, status:
        The request, whether its number counts, and the answer's status.
    step:
        Byte of a header, an argument, an element or a word.
    step_stb, restart_stb:
        Go on to the next byte; to the first.
    settled:
        `step` is the same as in the cycle before, so that what was looked up by it is there.
    index, count:
        The item at hand, and how many there are.
    next_stb, first_stb:
        Go on to the next item; to the first.
    position:
        Bytes that arguments and items have taken.
    walk:
        The walk over the items that is under way.
    word, word_in, shift_stb:
        A word; its bytes enter at the top and leave at the bottom.
    load_stb:
        The word becomes what was read from the core.
    bit_in, bit_stb:
        The lowest byte of the word moves by a bit, which enters at its top.
    addend, augend, carry, sum:
        The adder of bytes.
    from_frame, fill, fill_low:
        The addend is the byte of the frame; its upper six bits, and its lower two, are 1.
    from_lookup, from_word:
        The augend is what was looked up; it is the lowest byte of the word.
    differs, changed:
        The byte that enters the word is not the one that leaves it; one of those before was not.
    looked_at, looked_up:
        What is looked at (`lookup.NAMES`), and a cycle later byte `step` of it.
    reply:
        The body of the answer.
    """

    def __init__(
        self,
        params: CoreParams,
        core: wiring.PureInterface,
        frame: wiring.PureInterface,
        reply: stream.Interface,
    ) -> None:
        self.params = params
        self.core = core
        self.frame = frame
        self.reply = reply
        self.opcode = Signal(OPCODE_WIDTH)
        self.sequenced = Signal()
        self.status = Signal(Status)
        self.step = Signal(3)
        self.step_stb = Signal()
        self.restart_stb = Signal()
        self.settled = Signal()
        self.index = Signal(ITEM_WIDTH)
        self.next_stb = Signal()
        self.first_stb = Signal()
        self.count = Signal(ITEM_WIDTH)
        self.final = Signal()
        self.position = Signal(8)
        self.walk = Signal(Walk)
        self.word = Signal(32)
        self.word_in = Signal(8)
        self.shift_stb = Signal()
        self.load_stb = Signal()
        self.bit_in = Signal()
        self.bit_stb = Signal()
        self.addend = Signal(8)
        self.augend = Signal(8)
        self.from_frame = Signal()
        self.fill = Signal()
        self.fill_low = Signal()
        self.from_lookup = Signal()
        self.from_word = Signal()
        self.carry = Signal()
        self.sum = Signal(9)
        self.differs = Signal()
        self.changed = Signal()
        self.looked_at = Signal(range(len(NAMES)))
        self.looked_up = Signal(8)

    def connect(self, m: Module) -> None:
        """Connect what does not depend on the state."""
        m.d.comb += [
            self.final.eq(self.index + 1 == self.count),
            self.addend.eq(
                (self.frame.bytes.payload & self.from_frame.replicate(8))
                | Cat(self.fill_low.replicate(2), self.fill.replicate(6))
            ),
            self.augend.eq(
                (self.looked_up & self.from_lookup.replicate(8))
                | (self.word[:8] & self.from_word.replicate(8))
            ),
            self.sum.eq(self.addend + self.augend + self.carry),
            self.word_in.eq(self.sum),
        ]
        m.d.sync += self.settled.eq(~self.step_stb & ~self.restart_stb)
        with m.If(self.restart_stb):
            m.d.sync += self.step.eq(0)
        with m.Elif(self.step_stb):
            m.d.sync += self.step.eq(self.step + 1)
        with m.If(self.first_stb):
            m.d.sync += self.index.eq(0)
        with m.Elif(self.next_stb):
            m.d.sync += self.index.eq(self.index + 1)
        with m.If(self.bit_stb):
            m.d.sync += self.word[:8].eq(Cat(self.word[1:8], self.bit_in))
        with m.Elif(self.load_stb):
            m.d.sync += self.word.eq(self.core.memory.r_data)
        with m.Elif(self.shift_stb):
            m.d.sync += self.word.eq(Cat(self.word[8:], self.word_in))
        m.d.comb += self.differs.eq(self.word[:8] != self.word_in)

    def next_step(self, m: Module) -> None:
        """Go on to the next byte."""
        m.d.comb += self.step_stb.eq(1)

    def take_byte(self, m: Module) -> Value:
        """Take a byte of the frame whenever there is one, which the result says."""
        m.d.comb += self.frame.bytes.ready.eq(1)
        taken: Signal = self.frame.bytes.valid
        return taken

    def shift_in(self, m: Module) -> None:
        """Let a byte of the frame enter the word."""
        m.d.comb += [self.from_frame.eq(1), self.shift_stb.eq(1)]

    def rewind(self, m: Module) -> None:
        """Go back to the first argument."""
        self.seek(m, ARGUMENTS)
        m.d.comb += self.restart_stb.eq(1)
        m.d.comb += self.first_stb.eq(1)
        m.d.sync += [self.position.eq(0), self.carry.eq(0)]

    def seek(self, m: Module, address: ValueLike) -> None:
        """Go on reading the frame at an address."""
        m.d.comb += [self.frame.seek_stb.eq(1), self.frame.address.eq(address)]

    def look(self, m: Module) -> None:
        """Copy what is looked at into the word."""
        m.d.comb += self.restart_stb.eq(1)
        m.d.sync += self.changed.eq(1)
        m.next = "LOOK"

    def refuse(self, m: Module, status: Status) -> None:
        """Answer with a status; its detail is what it is when it is sent."""
        m.d.sync += self.status.eq(status)
        self.answer(m)

    def answer(self, m: Module) -> None:
        """Answer."""
        m.next = "ANSWER"

    def send_word(self, m: Module, last: ValueLike) -> Value:
        """Send the lowest byte of the word, and go on to the next once it is taken."""
        taken: Value = self.reply.ready
        m.d.comb += [
            self.reply.valid.eq(1),
            self.reply.payload.byte.eq(self.word[:8]),
            self.reply.payload.last.eq(last),
            self.shift_stb.eq(taken),
        ]
        with m.If(taken):
            self.next_step(m)
        return taken
