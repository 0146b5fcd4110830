"""The memories of spaces of records beside the registers: tables that parts of a core share."""

from __future__ import annotations

from amaranth.hdl import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.registers import Space, SpaceFormat, space_formats


def record_spaces(params: CoreParams) -> dict[Space, SpaceFormat]:
    """Return the spaces of records that a core has beside the registers."""
    formats = space_formats(params).items()
    return {space: form for space, form in formats if form.record and space is not Space.REGISTER}


class RecordPort(wiring.Signature):
    """Access of the link to a space of records.

    A unit that uses columns of it listens to what is written, and keeps them as it needs them.

    Members
    -------
    row, column, value, write_stb:
        Write an element.
    stored:
        A cycle later, the element at `row` and `column`, extended to 32 bits.
    """

    def __init__(self, form: SpaceFormat) -> None:
        super().__init__(
            {
                "row": Out(range(form.rows)),
                "column": Out(range(form.columns)),
                "value": Out(32),
                "write_stb": Out(1),
                "stored": In(32),
            }
        )


class RecordMemory(wiring.Component):
    """All elements of a space of records as the link wrote them. A reset leaves them as they are.

    Members
    -------
    link:
        Access of the link.
    """

    link: wiring.PureInterface

    def __init__(self, form: SpaceFormat) -> None:
        super().__init__({"link": In(RecordPort(form))})

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        link = self.link
        place = Cat(link.column, link.row)
        elements: Memory = Memory(shape=32, depth=1 << len(place), init=[])
        m.submodules.elements = elements
        read, write = elements.read_port(), elements.write_port()
        m.d.comb += [
            read.addr.eq(place),
            write.addr.eq(place),
            write.data.eq(link.value),
            write.en.eq(link.write_stb),
            link.stored.eq(read.data),
        ]
        return m
