"""Queues of streams, in block RAM."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import exact_log2


class MemoryQueue(wiring.Component):
    """A first-in, first-out queue without an output register; its reader has to register entries.

    Parameters
    ----------
    width:
        Bits of an entry.
    depth:
        Entries that the memory holds, a power of two; one more is held at its output.

    Members
    -------
    write, read:
        The two ends.
    """

    write: stream.Interface
    read: stream.Interface

    def __init__(self, width: int, depth: int) -> None:
        self.width = width
        self.depth = depth
        super().__init__(
            {"write": In(stream.Signature(width)), "read": Out(stream.Signature(width))}
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        write, read = self.write, self.read
        memory: Memory = Memory(shape=self.width, depth=self.depth, init=[])
        m.submodules.memory = memory
        write_port, read_port = memory.write_port(), memory.read_port()
        # Pointers have one bit more than addresses: the queue is full if only that bit differs.
        end, begin = Signal(exact_log2(self.depth) + 1), Signal(exact_log2(self.depth) + 1)
        same = Signal()
        m.d.comb += [
            same.eq(end[:-1] == begin[:-1]),
            write.ready.eq(~same | (end[-1] == begin[-1])),
            write_port.addr.eq(end),
            write_port.data.eq(write.payload),
            write_port.en.eq(write.valid & write.ready),
            read_port.addr.eq(begin),
            read_port.en.eq(read.ready | ~read.valid),
            read.payload.eq(read_port.data),
        ]
        with m.If(write_port.en):
            m.d.sync += end.eq(end + 1)
        with m.If(read_port.en):
            some = ~same | (end[-1] != begin[-1])
            m.d.sync += [begin.eq(begin + some), read.valid.eq(some)]
        return m


class Queue(wiring.Component):
    """A first-in, first-out queue with a register behind its block RAM, whose output is slow.

    Parameters
    ----------
    width, depth:
        As in `MemoryQueue`, with two more entries held behind the memory.

    Members
    -------
    write, read:
        The two ends.
    level:
        Out, the number of entries between the two ends.
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
                "level": Out(range(depth + 3)),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        write, read = self.write, self.read
        m.submodules.entries = entries = MemoryQueue(self.width, self.depth)
        connect(m, flipped(write), entries.write)
        m.d.comb += entries.read.ready.eq(read.ready | ~read.valid)
        with m.If(entries.read.ready):
            m.d.sync += [read.payload.eq(entries.read.payload), read.valid.eq(entries.read.valid)]
        m.d.sync += self.level.eq(
            self.level + (write.valid & write.ready) - (read.valid & read.ready)
        )
        return m
