"""`READ` and `WRITE`: the walks over the elements of a space.

::

    BLOCK ─► ACCESS ─► EXTENT ─► LENGTH ─► BLOCK ─► TAKE ─► JUDGE ─► BLOCK ─► TAKE ─► STORE
                                   └─► BLOCK ─► (answer) ─► LOAD ─► SEND ELEMENT

A walk begins by reading the block of elements from the arguments. The first goes over addresses
alone, the second over the values of a `WRITE`, the last one does what was asked.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.utils import bits_for

from spiketwin.hdl.gateware.datapath import Datapath, Walk
from spiketwin.hdl.gateware.validate import SpaceTable, ValueCheck, pending_entry
from spiketwin.hdl.spec.protocol import MAX_BODY, REQUEST_HEADER, REQUESTS, Opcode, Status
from spiketwin.hdl.spec.registers import Space, space_formats

BLOCK_BYTES = REQUESTS[Opcode.READ].argument_bytes


class Elements:
    """States of the dispatcher for `READ` and `WRITE`.

    Attributes
    ----------
    space, row, column:
        The element at hand.
    form:
        Of its space (`SpaceTable`).
    """

    def __init__(self, m: Module, path: Datapath) -> None:
        params = path.params
        m.submodules.spaces = spaces = SpaceTable(params)
        m.submodules.check = self.check = ValueCheck(params)
        formats = space_formats(params).values()
        self.path = path
        self.form = spaces.row
        self.space = spaces.space
        self.row = Signal(range(max(form.rows for form in formats)))
        self.column = Signal(range(max(form.columns for form in formats)))
        self.outside = Signal()  # some argument is larger than any space
        self.advance_stb = Signal()
        self.back_stb = Signal()
        self.new_byte = Signal()  # the next element begins a byte
        self.at_end = Signal()
        self.writing = Signal()
        self.to_pending = Signal()
        core = path.core
        row_over = self.column == self.form.last_column
        m.d.comb += [
            self.at_end.eq((self.row == self.form.last_row) & row_over),
            self.writing.eq(path.opcode == Opcode.WRITE),
            self.to_pending.eq(self.writing & (self.space == Space.PENDING)),
            self.new_byte.eq(~self.form.packed | path.index[:3].all() | path.final),
            core.memory.space.eq(self.space),
            core.memory.row.eq(self.row),
            core.memory.column.eq(self.column),
            core.memory.w_data.eq(path.word),
            self.check.space.eq(self.space),
            self.check.column.eq(self.column),
            self.check.which.eq(path.step),
            self.check.byte.eq(path.frame.bytes.payload),
        ]
        # Along the row, and on into the next; back only within a vector.
        with m.If(self.advance_stb | self.back_stb):
            ones = self.back_stb.replicate(len(self.column) - 1)
            m.d.sync += self.column.eq(self.column + Cat(Const(1, 1), ones))
        with m.If(self.advance_stb):
            m.d.comb += path.next_stb.eq(1)
            with m.If(row_over):
                m.d.sync += [self.column.eq(0), self.row.eq(self.row + 1)]

    def states(self, m: Module) -> None:
        """Add the states."""
        self._block(m)
        self._extent(m)
        self._values(m)
        self._answers(m)

    def _block(self, m: Module) -> None:
        path = self.path
        byte = path.frame.bytes.payload
        with m.State("BLOCK"), m.If(path.take_byte(m)):
            path.next_step(m)
            m.d.sync += path.position.eq(path.position + 1)
            with m.Switch(path.step):
                with m.Case(0):
                    m.d.sync += self.outside.eq(0)
                    m.d.sync += self.space.eq(byte | byte[len(self.space) :].any().replicate(8))
                with m.Case(1):
                    self._receive(m, self.column, 0)
                with m.Case(2):
                    self._receive(m, self.column, 8)
                with m.Case(3):
                    self._receive(m, self.row, 0)
                with m.Case(4):
                    self._receive(m, self.row, 8)
                with m.Case(5):
                    self._receive(m, path.count, 0)
                with m.Default():
                    self._receive(m, path.count, 8)
            with m.If(path.step == BLOCK_BYTES - 1):
                m.d.comb += path.restart_stb.eq(1)
                with m.Switch(path.walk):
                    with m.Case(Walk.EXTENT):
                        m.next = "ACCESS"
                    with m.Case(Walk.CHECK):
                        m.next = "PENDING"
                    with m.Default():
                        m.next = "TAKE"
                        with m.If(~self.writing):
                            path.answer(m)

    def _receive(self, m: Module, argument: Signal, lowest: int) -> None:
        """Take one byte of an argument, and note if it is more than the register holds."""
        byte = self.path.frame.bytes.payload
        held = min(len(argument) - lowest, 8)
        if held > 0:
            m.d.sync += argument[lowest : lowest + held].eq(byte)
        if held < 8:
            with m.If(byte[max(held, 0) :].any()):
                m.d.sync += self.outside.eq(1)

    def _extent(self, m: Module) -> None:
        path, form, core = self.path, self.form, self.path.core
        with m.State("ACCESS"):
            with m.If(~form.known):
                path.refuse(m, Status.BAD_SPACE)
            with m.Elif(self.writing & ~form.writable):
                path.refuse(m, Status.READ_ONLY)
            with m.Elif(~core.idle & (self.writing | ~form.anytime)):
                path.refuse(m, Status.BUSY)
            with m.Elif(
                self.outside | (self.row > form.last_row) | (self.column > form.last_column)
            ):
                path.refuse(m, Status.BAD_RANGE)
            with m.Else():
                m.next = "EXTENT"
        with m.State("EXTENT"):
            full = path.position == MAX_BODY - REQUEST_HEADER
            path.next_step(m)
            with m.If(self.new_byte):
                m.d.sync += path.position.eq(path.position + 1)
            with m.If(path.step == form.last_byte):
                m.d.comb += path.restart_stb.eq(1)
                m.d.comb += self.advance_stb.eq(1)
                with m.If(path.final):
                    m.next = "LENGTH"
                with m.Elif(self.at_end):
                    path.refuse(m, Status.BAD_RANGE)
            with m.If(self.new_byte & full):
                path.refuse(m, Status.BAD_RANGE)
        with m.State("LENGTH"):
            path.rewind(m)
            m.d.sync += path.walk.eq(Mux(self.writing, Walk.CHECK, Walk.APPLY))
            m.next = "BLOCK"
            with m.If(self.writing & (path.position != path.frame.given)):
                path.refuse(m, Status.BAD_LENGTH)

    def _values(self, m: Module) -> None:
        path, form, check = self.path, self.form, self.check
        memory = path.core.memory
        group, mask = pending_entry(path.word)
        last_group = Signal(bits_for(self.path.params.neuron_groups - 1))
        group = group[: len(last_group)]  # more do not fit
        group_follows = Signal()  # an entry precedes this one
        m.d.comb += check.start_stb.eq(path.step == 0)
        with m.State("PENDING"):
            # Groups ascend within `pending`, also across requests.
            m.d.sync += group_follows.eq(0)
            m.next = "TAKE"
            with m.If(self.to_pending & (self.column != 0)):
                m.d.comb += self.back_stb.eq(1)
                m.next = "LAST PENDING"
                with m.If(self.column != path.core.pending_groups):
                    path.refuse(m, Status.BAD_RANGE)
        with m.State("LAST PENDING"):
            m.d.comb += memory.valid.eq(1)
            with m.If(memory.done):
                m.d.comb += [path.load_stb.eq(1), self.advance_stb.eq(1)]
                m.next = "AFTER PENDING"
        with m.State("AFTER PENDING"):
            m.d.comb += path.first_stb.eq(1)
            m.d.sync += [last_group.eq(group), group_follows.eq(1)]
            m.next = "TAKE"
        with m.State("TAKE"):
            sent = Signal()  # this byte was; the ones above it are made
            sign = path.word[31] & form.signed
            m.d.comb += sent.eq(path.step <= form.last_byte)
            with m.If(sent):
                path.shift_in(m)
                m.d.comb += path.shift_stb.eq(path.take_byte(m))
                m.d.comb += check.stb.eq(path.shift_stb)
            with m.Else():
                m.d.comb += [path.shift_stb.eq(1), path.fill.eq(sign), path.fill_low.eq(sign)]
            with m.If(path.shift_stb):
                path.next_step(m)
                with m.If(path.step == 3):
                    m.d.comb += path.restart_stb.eq(1)
                    m.next = "JUDGE"
                    with m.If(path.walk == Walk.APPLY):
                        m.next = "STORE"
        with m.State("JUDGE"):
            self._next_element(m, "JUDGE")
            m.d.sync += [last_group.eq(group), group_follows.eq(1)]
            with m.If(~check.fits | (self.to_pending & ~self._is_pending(group, mask))):
                m.d.comb += self.advance_stb.eq(0)
                path.refuse(m, Status.BAD_VALUE)
            with m.Elif(self.to_pending & group_follows & (group <= last_group)):
                m.d.comb += self.advance_stb.eq(0)
                path.refuse(m, Status.BAD_ORDER)
            with m.Elif(path.final):
                with m.If(form.packed & path.word[1:8].any()):
                    path.refuse(m, Status.BAD_VALUE)  # a spare bit
                with m.Else():
                    path.rewind(m)
                    m.d.sync += path.walk.eq(Walk.APPLY)
                    m.next = "BLOCK"
        with m.State("STORE"):
            m.d.comb += [memory.write.eq(1), memory.valid.eq(1)]
            with m.If(memory.done):
                self._next_element(m, "STORE")
                with m.If(path.final):
                    path.answer(m)

    def _next_element(self, m: Module, same: str) -> None:
        """Go on to the next element, which may lie in the byte that is there already."""
        m.d.comb += self.advance_stb.eq(1)
        m.next = "TAKE"
        with m.If(~self.new_byte):
            m.d.comb += self.path.bit_stb.eq(1)
            m.next = same

    def _is_pending(self, group: Value, mask: Value) -> Value:
        return mask.any() & (group < self.path.params.neuron_groups)

    def _answers(self, m: Module) -> None:
        path, form, memory = self.path, self.form, self.path.core.memory
        last = Signal()  # the element in the word is the last
        with m.State("LOAD"):
            m.d.comb += path.restart_stb.eq(1)
            m.d.sync += last.eq(path.final)
            m.next = "SEND ELEMENT"
            with m.If(self.space == Space.COUNTER):
                path.look(m)
            with m.Else():
                m.d.comb += memory.valid.eq(1)
                with m.If(~memory.done):
                    m.next = "LOAD"
                with m.Elif(form.packed):
                    m.d.comb += [path.bit_stb.eq(1), path.bit_in.eq(memory.r_data[0])]
                    with m.If(~self.new_byte):
                        m.d.comb += self.advance_stb.eq(1)
                        m.next = "LOAD"
                    with m.Elif(~path.index[:3].all()):
                        m.next = "FILL"
                with m.Else():
                    m.d.comb += path.load_stb.eq(1)
        with m.State("FILL"):
            # The spare bits of the last byte are 0.
            m.d.comb += path.bit_stb.eq(1)
            m.d.comb += path.next_stb.eq(1)
            with m.If(path.index[:3] == 6):
                m.next = "SEND ELEMENT"
        with m.State("SEND ELEMENT"):
            over = path.step == form.last_byte
            with m.If(path.send_word(m, last & over)):
                with m.If(over):
                    m.d.comb += self.advance_stb.eq(1)
                    m.next = "LOAD"
                    with m.If(last):
                        m.next = "RELEASE"
