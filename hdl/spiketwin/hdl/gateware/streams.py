"""What streams go through: a queue in block RAM, and a relay that cuts long ways."""

from __future__ import annotations

from amaranth.hdl import Module, ShapeLike
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out


class Queue(wiring.Component):
    """First in, first out. A register follows the memory, since block RAM is slow to come out.

    Parameters
    ----------
    width:
        Bits of an entry.
    depth:
        Entries that the memory holds.

    Members
    -------
    write, read:
        The two ends.
    level:
        Out, entries that are on their way between them.
    """

    write: stream.Interface
    read: stream.Interface

    def __init__(self, width: int, depth: int) -> None:
        self.width = width
        self.depth = depth
        super().__init__(
            {
                "write": In(stream.Signature(width)),
                "read": Out(stream.Signature(width)),
                "level": Out(range(depth + 2)),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = SyncFIFOBuffered(width=self.width, depth=self.depth)
        write, read = self.write, self.read
        m.d.comb += [
            memory.w_data.eq(write.payload),
            memory.w_en.eq(write.valid),
            write.ready.eq(memory.w_rdy),
            memory.r_en.eq(read.ready | ~read.valid),
        ]
        with m.If(memory.r_en):
            m.d.sync += [read.payload.eq(memory.r_data), read.valid.eq(memory.r_rdy)]
        m.d.sync += self.level.eq(
            self.level + (write.valid & write.ready) - (read.valid & read.ready)
        )
        return m


class Relay(wiring.Component):
    """A stop on the way of a stream, every other cycle: no signal passes it but by a flip-flop.

    Parameters
    ----------
    shape:
        Of the payload.

    Members
    -------
    write, read:
        The two ends.
    """

    write: stream.Interface
    read: stream.Interface

    def __init__(self, shape: ShapeLike) -> None:
        super().__init__(
            {"write": In(stream.Signature(shape)), "read": Out(stream.Signature(shape))}
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.d.comb += self.write.ready.eq(~self.read.valid)
        with m.If(self.write.ready):
            m.d.sync += [
                self.read.payload.eq(self.write.payload),
                self.read.valid.eq(self.write.valid),
            ]
        with m.Elif(self.read.ready):
            m.d.sync += self.read.valid.eq(0)
        return m
