"""A device without a core, for tests of what is around it: clock, pins and tools."""

from amaranth.hdl import Elaboratable, Module, Signal


class Wire(Elaboratable):
    """A stand-in for `PinsTop` that connects input to output, and is quick to elaborate."""

    def __init__(self, *_: object) -> None:
        self.rx, self.tx = Signal(), Signal()

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.d.sync += self.tx.eq(self.rx)
        return m
