"""Elements of a space and the bytes they travel in (`spec.registers.SpaceFormat`)."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spiketwin.hdl.gateware.framing import BodyByte
from spiketwin.hdl.spec.registers import SpaceFormat

ElementFormat = data.StructLayout({"last_byte": 2, "signed": 1, "packed": 1})
"""How an element travels: its bytes less one, and whether it is signed, or a single bit."""

Element = data.StructLayout({"value": 32, "last": 1})
"""One element on its way to an answer."""

WORD: data.Const[data.StructLayout] = ElementFormat.const(
    {"last_byte": 3, "signed": 0, "packed": 0}
)
"""32 bits, unsigned."""


def element_format(space: SpaceFormat) -> data.Const[data.StructLayout]:
    """Give the format of the elements of a space."""
    return ElementFormat.const(
        {
            "last_byte": space.element_bytes - 1,
            "signed": int(space.signed),
            "packed": int(space.packed),
        }
    )


class ElementReader(wiring.Component):
    """Bytes to elements, sign- or zero-extended to 32 bits.

    Members
    -------
    format:
        In, does not change within a block.
    restart_stb:
        In, a block begins with the next byte.
    bytes:
        In.
    elements:
        Out.
    spare:
        Out, some bit of the current byte after the current element is 1.
    """

    format: data.View[data.StructLayout]
    restart_stb: Signal
    bytes: stream.Interface
    elements: stream.Interface
    spare: Signal

    def __init__(self) -> None:
        super().__init__(
            {
                "format": In(ElementFormat),
                "restart_stb": In(1),
                "bytes": In(stream.Signature(8)),
                "elements": Out(stream.Signature(32)),
                "spare": Out(1),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        value, byte = self.elements.payload, self.bytes.payload
        which = Signal(3)  # byte of the element, or bit of the byte
        bits_left = Signal(7)
        free, from_byte = Signal(), Signal()
        extension = Signal(8)
        m.d.comb += [
            free.eq(self.elements.ready | ~self.elements.valid),
            from_byte.eq(~self.format.packed | (which == 0)),
            self.bytes.ready.eq(free & from_byte),
            extension.eq((self.format.signed & byte[7]).replicate(8)),
            self.spare.eq(self.format.packed & bits_left.any()),
        ]
        with m.If(free):
            m.d.sync += self.elements.valid.eq(0)
            with m.If(self.format.packed):
                with m.If(~from_byte | self.bytes.valid):
                    m.d.sync += [
                        Cat(value[0], bits_left).eq(Mux(from_byte, byte, bits_left)),
                        value[1:].eq(0),
                        which.eq(which + 1),
                        self.elements.valid.eq(1),
                    ]
            with m.Elif(self.bytes.valid):
                # A byte fills what is above it with its sign, and the next one overwrites that.
                for k in range(4):
                    with m.If(which == k):
                        m.d.sync += value[8 * k :].eq(Cat(byte, extension.replicate(3 - k)))
                m.d.sync += which.eq(which + 1)
                with m.If(which == self.format.last_byte):
                    m.d.sync += [which.eq(0), self.elements.valid.eq(1)]
        with m.If(self.restart_stb):
            m.d.sync += [which.eq(0), self.elements.valid.eq(0)]
        return m


class ElementWriter(wiring.Component):
    """Elements to bytes.

    Members
    -------
    format:
        In, does not change within a block.
    elements:
        In, the last of a block marked.
    bytes:
        Out, likewise.
    """

    format: data.View[data.StructLayout]
    elements: stream.Interface
    bytes: stream.Interface

    def __init__(self) -> None:
        super().__init__(
            {
                "format": In(ElementFormat),
                "elements": In(stream.Signature(Element)),
                "bytes": Out(stream.Signature(BodyByte)),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        element = self.elements.payload
        value = Signal(32)
        bytes_left = Signal(range(5))
        last = Signal()
        bit = Signal(3)
        m.d.comb += [
            self.elements.ready.eq(bytes_left == 0),
            self.bytes.valid.eq(bytes_left != 0),
            self.bytes.payload.byte.eq(value[:8]),
            self.bytes.payload.last.eq(last & (bytes_left == 1)),
        ]
        with m.If(self.elements.valid & self.elements.ready):
            m.d.sync += last.eq(element.last)
            with m.If(self.format.packed):
                # A byte begins as zeros: the spare bits of the last one are then right.
                for k in range(8):
                    with m.If(bit == k):
                        m.d.sync += value[k:8].eq(Cat(element.value[0], Const(0, 7 - k)))
                m.d.sync += bit.eq(bit + 1)
                with m.If(element.last | (bit == 7)):
                    m.d.sync += [bit.eq(0), bytes_left.eq(1)]
            with m.Else():
                m.d.sync += [value.eq(element.value), bytes_left.eq(self.format.last_byte + 1)]
        with m.Elif(self.bytes.valid & self.bytes.ready):
            m.d.sync += [value.eq(value >> 8), bytes_left.eq(bytes_left - 1)]
        return m
