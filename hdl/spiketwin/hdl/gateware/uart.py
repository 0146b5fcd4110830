"""A UART, 8N1, its rate set at run time in cycles a bit."""

from __future__ import annotations

from typing import Final

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

RATE_WIDTH: Final = 16
"""Bits of a rate in cycles a bit; the least is `spec.protocol.MIN_CYCLES_PER_BIT`."""


class UartReceiver(wiring.Component):
    """Bytes from a pin. Each bit is sampled once, in its middle.

    Members
    -------
    pin:
        In, asynchronous.
    cycles_per_bit:
        In, the rate.
    data:
        Out, the bytes; one whose stop bit is missing is dropped.
    overflow_stb:
        Out, a byte was lost, because the one before it had not been taken.
    """

    pin: Signal
    cycles_per_bit: Signal
    data: stream.Interface
    overflow_stb: Signal

    def __init__(self) -> None:
        super().__init__(
            {
                "pin": In(1),
                "cycles_per_bit": In(RATE_WIDTH),
                "data": Out(stream.Signature(8)),
                "overflow_stb": Out(1),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        level = Signal(init=1)
        m.submodules.synchroniser = FFSynchronizer(self.pin, level, init=1)

        until_sample = Signal(RATE_WIDTH)
        sample = Signal()
        bits = Signal(8)
        bits_left = Signal(range(8))
        m.d.comb += sample.eq(until_sample == 0)
        m.d.sync += until_sample.eq(until_sample - 1)
        with m.If(sample):
            m.d.sync += until_sample.eq(self.cycles_per_bit - 1)
        with m.If(self.data.ready):
            m.d.sync += self.data.valid.eq(0)

        with m.FSM(name="bit"):
            with m.State("IDLE"):
                # The edge is seen up to a cycle late: the middle of a bit, less half a cycle.
                m.d.sync += until_sample.eq((self.cycles_per_bit - 3) >> 1)
                with m.If(~level):
                    m.next = "START"
            with m.State("START"), m.If(sample):
                m.d.sync += bits_left.eq(7)
                with m.If(level):
                    m.next = "IDLE"  # a glitch
                with m.Else():
                    m.next = "DATA"
            with m.State("DATA"), m.If(sample):
                m.d.sync += [bits.eq(Cat(bits[1:], level)), bits_left.eq(bits_left - 1)]
                with m.If(bits_left == 0):
                    m.next = "STOP"
            with m.State("STOP"), m.If(sample):
                with m.If(~level):
                    m.next = "BREAK"
                with m.Else():
                    m.next = "IDLE"
                    with m.If(self.data.valid & ~self.data.ready):
                        m.d.comb += self.overflow_stb.eq(1)
                    with m.Else():
                        m.d.sync += [self.data.payload.eq(bits), self.data.valid.eq(1)]
            with m.State("BREAK"), m.If(level):
                m.next = "IDLE"
        return m


class UartTransmitter(wiring.Component):
    """Bytes to a pin, ten bits each, without a pause between them.

    Members
    -------
    data:
        In, the bytes.
    cycles_per_bit:
        In, the rate.
    pin:
        Out, straight from a flip-flop.
    idle:
        Out, the last stop bit is over.
    """

    data: stream.Interface
    cycles_per_bit: Signal
    pin: Signal
    idle: Signal

    def __init__(self) -> None:
        super().__init__(
            {
                "data": In(stream.Signature(8)),
                "cycles_per_bit": In(RATE_WIDTH),
                "pin": Out(1),
                "idle": Out(1),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        frame_bits = 10
        bits = Signal(frame_bits, init=-1)
        bits_left = Signal(range(frame_bits + 1))
        cycles_left = Signal(RATE_WIDTH)
        bit_over = Signal()
        m.d.comb += [
            self.pin.eq(bits[0]),
            self.idle.eq(bits_left == 0),
            bit_over.eq(cycles_left == 0),
            self.data.ready.eq(self.idle | (bit_over & (bits_left == 1))),
        ]
        m.d.sync += cycles_left.eq(cycles_left - 1)
        with m.If(self.data.valid & self.data.ready):
            m.d.sync += [
                bits.eq(Cat(Const(0, 1), self.data.payload, Const(1, 1))),
                bits_left.eq(frame_bits),
                cycles_left.eq(self.cycles_per_bit - 1),
            ]
        with m.Elif(bit_over & ~self.idle):
            m.d.sync += [
                bits.eq(Cat(bits[1:], Const(1, 1))),
                bits_left.eq(bits_left - 1),
                cycles_left.eq(self.cycles_per_bit - 1),
            ]
        return m


class BaudRate(wiring.Component):
    """The rate of the UART: one that was asked for holds only if the other end follows.

    Parameters
    ----------
    initial:
        Cycles a bit after power-up.
    trial_cycles:
        Within so many cycles a good frame has to arrive at a new rate, or the initial one returns.

    Members
    -------
    change_stb, wanted:
        In, take this rate.
    good_frame_stb:
        In, a frame arrived whole.
    cycles_per_bit:
        Out, the rate.
    """

    change_stb: Signal
    wanted: Signal
    good_frame_stb: Signal
    cycles_per_bit: Signal

    def __init__(self, initial: int, trial_cycles: int) -> None:
        self.initial = initial
        self.trial_cycles = trial_cycles
        super().__init__(
            {
                "change_stb": In(1),
                "wanted": In(RATE_WIDTH),
                "good_frame_stb": In(1),
                "cycles_per_bit": Out(RATE_WIDTH),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        rate = Signal(RATE_WIDTH, init=self.initial)
        cycles_left = Signal(range(self.trial_cycles + 1))
        m.d.comb += self.cycles_per_bit.eq(rate)
        with m.If(self.change_stb):
            m.d.sync += [rate.eq(self.wanted), cycles_left.eq(self.trial_cycles)]
        with m.Elif(self.good_frame_stb):
            m.d.sync += cycles_left.eq(0)
        with m.Elif(cycles_left != 0):
            m.d.sync += cycles_left.eq(cycles_left - 1)
            with m.If(cycles_left == 1):
                m.d.sync += rate.eq(self.initial)
        return m
