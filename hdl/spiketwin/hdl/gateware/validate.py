"""What the tables say of a request's numbers: its length, its space, and the range of a value."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from spiketwin.hdl.gateware.elements import ElementFormat, element_format
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.protocol import REQUESTS, Opcode
from spiketwin.hdl.spec.registers import (
    PENDING_MASK_BITS,
    READ_DURING_RUN,
    Space,
    registers,
    space_formats,
)


class RequestTable(wiring.Component):
    """Layout of the request with a given opcode.

    Members
    -------
    opcode, given:
        In, the opcode and the bytes that follow the header.
    known:
        Out, there is such a request.
    argument_bytes:
        Out, bytes of its fixed arguments.
    length_ok:
        Out, `given` is right; for `WRITE`, not too few.
    """

    opcode: Signal
    given: Signal
    known: Signal
    argument_bytes: Signal
    length_ok: Signal

    def __init__(self) -> None:
        longest = max(request.argument_bytes for request in REQUESTS.values())
        super().__init__(
            {
                "opcode": In(8),
                "given": In(8),
                "known": Out(1),
                "argument_bytes": Out(range(longest + 1)),
                "length_ok": Out(1),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        with m.Switch(self.opcode):
            for opcode, request in REQUESTS.items():
                fixed = request.argument_bytes
                with m.Case(opcode):
                    m.d.comb += [self.known.eq(1), self.argument_bytes.eq(fixed)]
                    if request.tail_size:
                        items = (self.given - fixed) % request.tail_size == 0
                        m.d.comb += self.length_ok.eq((self.given >= fixed) & items)
                    elif opcode is Opcode.WRITE:
                        m.d.comb += self.length_ok.eq(self.given >= fixed)
                    else:
                        m.d.comb += self.length_ok.eq(self.given == fixed)
        return m


def space_layout(params: CoreParams) -> data.StructLayout:
    """What `SpaceTable` says of a space; all 0 where there is none of this number.

    `anytime`: it may be read while a run is under way. `kind`: which of `value_kinds` its elements
    are of.
    """
    return data.StructLayout(
        {
            "known": 1,
            "writable": 1,
            "anytime": 1,
            "last_row": 12,
            "last_column": 12,
            "format": ElementFormat,
            "kind": range(len(value_kinds(params))),
        }
    )


def value_kinds(params: CoreParams) -> list[tuple[int, bool]]:
    """Every (width, signed) that a register or an element has."""
    kinds = {(r.width(params), r.signed) for r in registers(params)}
    kinds |= {(f.width, f.signed) for f in space_formats(params).values()}
    return sorted(kinds)


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
        super().__init__({"space": In(8), "row": Out(space_layout(params))})

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        kinds = value_kinds(self.params)
        with m.Switch(self.space):
            for space, spec in space_formats(self.params).items():
                with m.Case(space):
                    m.d.comb += [
                        self.row.known.eq(1),
                        self.row.writable.eq(spec.writable),
                        self.row.anytime.eq(space in READ_DURING_RUN),
                        self.row.last_row.eq(spec.rows - 1),
                        self.row.last_column.eq(spec.columns - 1),
                        self.row.format.eq(element_format(spec)),
                        self.row.kind.eq(kinds.index((spec.width, spec.signed))),
                    ]
        return m


class ValueCheck(wiring.Component):
    """Whether a value fits the element or the register it is meant for.

    Members
    -------
    space, kind, column:
        In, where it is to go.
    value:
        In, 32 bits.
    fits:
        Out.
    """

    space: Signal
    kind: Signal
    column: Signal
    value: Signal
    fits: Signal

    def __init__(self, params: CoreParams) -> None:
        self.params = params
        super().__init__(
            {
                "space": In(8),
                "kind": In(range(len(value_kinds(params)))),
                "column": In(12),
                "value": In(32),
                "fits": Out(1),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        kinds = value_kinds(self.params)
        kind = Signal.like(self.kind)
        m.d.comb += kind.eq(self.kind)
        with m.If(self.space == Space.REGISTER), m.Switch(self.column):
            for address, register in enumerate(registers(self.params)):
                with m.Case(address):
                    width = register.width(self.params)
                    m.d.comb += kind.eq(kinds.index((width, register.signed)))
        with m.Switch(kind):
            for index, (width, signed) in enumerate(kinds):
                with m.Case(index):
                    m.d.comb += self.fits.eq(_fits(self.value, width, signed))
        with m.If(self.space == Space.PENDING):
            m.d.comb += self.fits.eq(self._fits_pending(self.value))
        return m

    def _fits_pending(self, entry: Value) -> Value:
        group, mask = pending_entry(entry)
        p = self.params
        return mask.any() & ~mask[p.neuron_lanes :].any() & (group < p.neuron_groups)


def pending_entry(entry: Value) -> tuple[Value, Value]:
    """Split an entry of `pending` into its group and its mask."""
    return entry[PENDING_MASK_BITS:], entry[:PENDING_MASK_BITS]


def _fits(value: Value, width: int, signed: bool) -> Value:
    """Whether 32 bits are the extension of `width` bits."""
    if not signed:
        return ~value[width:].any()
    return ~value[width - 1 :].any() | value[width - 1 :].all()
