"""What the tables say of a request's numbers: its length, its space, and the range of a value."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.protocol import REQUESTS, Opcode
from spiketwin.hdl.spec.registers import (
    PENDING_MASK_BITS,
    READ_DURING_RUN,
    Space,
    SpaceFormat,
    registers,
    space_formats,
)

OPCODE_WIDTH = (max(Opcode) + 1).bit_length()
"""Bits of an opcode once it is known that it is not above all there are."""

SPACE_WIDTH = (max(Space) + 1).bit_length()
"""The same of a space."""


class RequestTable(wiring.Component):
    """Layout of the request with a given opcode.

    Members
    -------
    opcode, given:
        In, the opcode and the bytes that follow the header.
    known:
        Out, there is such a request.
    length_ok:
        Out, `given` is right; for `WRITE`, not too few.
    """

    opcode: Signal
    given: Signal
    known: Signal
    length_ok: Signal

    def __init__(self) -> None:
        super().__init__(
            {
                "opcode": In(OPCODE_WIDTH),
                "given": In(8),
                "known": Out(1),
                "length_ok": Out(1),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        longest = max(request.argument_bytes for request in REQUESTS.values())
        fixed = Signal(range(longest + 1))
        more_ok = Signal()
        m.d.comb += self.length_ok.eq((self.given == fixed) | ((self.given > fixed) & more_ok))
        with m.Switch(self.opcode):
            for opcode, request in REQUESTS.items():
                with m.Case(opcode):
                    m.d.comb += [self.known.eq(1), fixed.eq(request.argument_bytes)]
                    if request.tail_size:
                        tail = self.given - request.argument_bytes
                        m.d.comb += more_ok.eq(tail % request.tail_size == 0)
                    elif opcode is Opcode.WRITE:
                        m.d.comb += more_ok.eq(1)
        return m


def space_layout(params: CoreParams) -> data.StructLayout:
    """What `SpaceTable` says of a space; all 0 where there is none of this number.

    `anytime`: it may be read while a run is under way. `last_byte`: bytes of an element less one.
    `packed`: eight elements share a byte.
    """
    forms = space_formats(params).values()
    return data.StructLayout(
        {
            "known": 1,
            "writable": 1,
            "anytime": 1,
            "last_row": range(max(form.rows for form in forms)),
            "last_column": range(max(form.columns for form in forms)),
            "last_byte": 2,
            "signed": 1,
            "packed": 1,
        }
    )


class SpaceTable(wiring.Component):
    """The row of `spec.registers.space_formats` for a space.

    Members
    -------
    space:
        In, its number.
    row:
        Out, as `space_layout` says.
    """

    space: Signal
    row: data.View[data.StructLayout]

    def __init__(self, params: CoreParams) -> None:
        self.params = params
        super().__init__({"space": In(SPACE_WIDTH), "row": Out(space_layout(params))})

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        with m.Switch(self.space):
            for space, form in space_formats(self.params).items():
                with m.Case(space):
                    m.d.comb += [
                        self.row.known.eq(1),
                        self.row.writable.eq(form.writable),
                        self.row.anytime.eq(space in READ_DURING_RUN),
                        self.row.last_row.eq(form.rows - 1),
                        self.row.last_column.eq(form.columns - 1),
                        self.row.last_byte.eq(form.element_bytes - 1),
                        self.row.signed.eq(form.signed),
                        self.row.packed.eq(form.packed),
                    ]
        return m


class ValueCheck(wiring.Component):
    """Whether a value fits the element or the register it is meant for, byte by byte.

    A value fits if the bits above its width are copies of its sign, or 0 where it has none.

    Members
    -------
    space, column:
        In, where it is to go.
    start_stb, stb, which, byte:
        In, a byte of it, the first one or another, and which.
    fits:
        Out, after the last byte.
    """

    space: Signal
    column: Signal
    start_stb: Signal
    stb: Signal
    which: Signal
    byte: Signal
    fits: Signal

    def __init__(self, params: CoreParams) -> None:
        self.params = params
        columns = max(form.columns for form in space_formats(params).values())
        super().__init__(
            {
                "space": In(SPACE_WIDTH),
                "column": In(range(columns)),
                "start_stb": In(1),
                "stb": In(1),
                "which": In(2),
                "byte": In(8),
                "fits": Out(1),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        p = self.params
        spaces = space_formats(p)
        of_space = {space: (_copied(p, form), form.signed) for space, form in spaces.items()}
        of_register = [(_above(r.width(p), r.signed), r.signed) for r in registers(p)]
        # There are few ranges for many elements.
        ranges = sorted({*of_space.values(), *of_register})
        number = Signal(range(len(ranges)))
        with m.Switch(self.space):
            for space, limits in of_space.items():
                with m.Case(space):
                    m.d.comb += number.eq(ranges.index(limits))
                    if space is Space.REGISTER:
                        with m.Switch(self.column):
                            for address, of_one in enumerate(of_register):
                                with m.Case(address):
                                    m.d.comb += number.eq(ranges.index(of_one))
        copies = Signal(8)  # bits of this byte that are to be alike
        signed = Signal()
        with m.Switch(Cat(self.which, number)):
            for k, (mask, is_signed) in enumerate(ranges):
                for which in range(4):
                    with m.Case(4 * k + which):
                        m.d.comb += [copies.eq(mask >> 8 * which & 0xFF), signed.eq(is_signed)]
        zeros, ones = Signal(), Signal()
        m.d.comb += self.fits.eq(zeros | ones)
        with m.If(self.stb):
            m.d.sync += [
                zeros.eq((zeros | self.start_stb) & ~(self.byte & copies).any()),
                ones.eq((ones | self.start_stb) & (self.byte | ~copies).all() & signed),
            ]
        return m


def _above(width: int, signed: bool) -> int:
    """Mask of the bits of a word that are alike in a value of `width` bits."""
    return (0xFFFFFFFF << width - signed) & 0xFFFFFFFF


def _copied(params: CoreParams, form: SpaceFormat) -> int:
    """The same of an element; those of `pending` consist of two numbers."""
    if form.packed:
        return 0
    if form.space is not Space.PENDING:
        return _above(form.width, form.signed)
    group = bits_for(params.neuron_groups - 1)
    mask = (1 << PENDING_MASK_BITS) - (1 << params.neuron_lanes)
    return mask | _above(PENDING_MASK_BITS + group, signed=False)


def pending_entry(entry: Value) -> tuple[Value, Value]:
    """Split an entry of `pending` into its group and its mask."""
    return entry[PENDING_MASK_BITS:], entry[:PENDING_MASK_BITS]
