"""A UART, 8N1, with a rate that is set at run time, in cycles a bit."""

from __future__ import annotations

from typing import Final

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

RATE_WIDTH: Final = 16
"""Bits of a rate in cycles a bit; the least is `spec.protocol.MIN_CYCLES_PER_BIT`."""


class UartReceiver(wiring.Component):
    """The receiver of bytes from a pin. Each bit is sampled once, in its middle.

    Members
    -------
    pin:
        In, the pin, which is asynchronous.
    cycles_per_bit:
        In, the rate.
    data:
        Out, the bytes, each valid until the middle of the start bit of the next one. A byte without
        a stop bit is dropped.
    overflow_stb:
        Out, a byte was lost, because it was not taken while it was valid.
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

        cycle = Signal(RATE_WIDTH, init=1)  # cycle within the bit, from 1
        bit_over, starting, restart = Signal(), Signal(), Signal()
        before = Signal(init=1)  # the level a cycle ago
        bits = Signal(8)
        m.d.comb += [
            self.data.payload.eq(bits),
            # In the start bit `cycle` counts by two, and so reaches the middle of the bit.
            bit_over.eq(
                (cycle[1:] == self.cycles_per_bit[1:])
                & ((cycle[0] == self.cycles_per_bit[0]) | starting)
            ),
            restart.eq(bit_over),
        ]
        m.d.sync += [before.eq(level), cycle.eq(Mux(restart, 1, cycle + 1 + starting))]
        with m.If(self.data.ready):
            m.d.sync += self.data.valid.eq(0)

        with m.FSM(name="bit"):
            with m.State("IDLE"):
                m.d.comb += restart.eq(~before | level)
                with m.If(~restart):
                    m.next = "START"
            with m.State("START"):
                m.d.comb += starting.eq(1)
                with m.If(bit_over):
                    m.next = "IDLE"  # a glitch
                with m.If(bit_over & ~level):
                    m.next = "DATA"
                    # A marker takes the place of the last byte, and reaches bit 0 at the end.
                    m.d.sync += [bits.eq(1 << len(bits) - 1), self.data.valid.eq(0)]
                    m.d.comb += self.overflow_stb.eq(self.data.valid & ~self.data.ready)
            with m.State("DATA"), m.If(bit_over):
                m.d.sync += bits.eq(Cat(bits[1:], level))
                with m.If(bits[0]):
                    m.next = "STOP"
            with m.State("STOP"), m.If(bit_over):
                m.d.sync += self.data.valid.eq(level)
                m.next = "IDLE"
        return m


class UartTransmitter(wiring.Component):
    """The transmitter of bytes to a pin: ten bits each, without a pause between bytes.

    Members
    -------
    data:
        In, the bytes.
    cycles_per_bit:
        In, the rate.
    pin:
        Out, the pin, straight from a flip-flop.
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
        bits = Signal(10, init=1)  # bits that are left, the stop bit last; above it, 0
        cycle = Signal(RATE_WIDTH, init=1)  # cycle within the bit, from 1
        bit_over, last, sending = Signal(), Signal(), Signal()
        m.d.comb += [
            self.pin.eq(bits[0]),
            self.idle.eq(~sending),
            bit_over.eq(cycle == self.cycles_per_bit),
            last.eq(~bits[1:].any()),
            self.data.ready.eq(~sending | (bit_over & last)),
        ]
        m.d.sync += cycle.eq(Mux(~sending | bit_over, 1, cycle + 1))
        with m.If(self.data.ready):
            m.d.sync += sending.eq(self.data.valid)
            with m.If(self.data.valid):
                m.d.sync += bits.eq(Cat(Const(0, 1), self.data.payload, Const(1, 1)))
        with m.Elif(bit_over):
            m.d.sync += bits.eq(bits[1:])
        return m


class BaudRate(wiring.Component):
    """The rate of the UART, which falls back if the other end does not follow a change.

    Parameters
    ----------
    initial:
        Cycles a bit after power-up.
    trial_cycles:
        Number of cycles, a power of two, within which a good frame has to arrive at a new rate;
        otherwise the rate falls back to the initial one.

    Members
    -------
    change_stb, wanted:
        In, change to this rate.
    good_frame_stb:
        In, a complete frame with a right CRC arrived.
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
        cycle = Signal(exact_log2(self.trial_cycles))
        on_trial, over = Signal(), Signal()
        next_cycle = cycle + 1
        m.d.comb += [self.cycles_per_bit.eq(rate), over.eq(next_cycle[-1])]
        m.d.sync += cycle.eq(Mux(on_trial, next_cycle, 0))
        with m.If(self.change_stb):
            m.d.sync += [rate.eq(self.wanted), on_trial.eq(1)]
        with m.Elif(self.good_frame_stb):
            m.d.sync += on_trial.eq(0)
        with m.Elif(on_trial & over):
            m.d.sync += [rate.eq(self.initial), on_trial.eq(0)]
        return m
