"""Exponential decay of one value, pipelined: `spec.arithmetic.decay`."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spiketwin.hdl.gateware.pipeline import Delay
from spiketwin.hdl.spec.arithmetic import DECAY_AT_ONCE, DECAY_BITS

DECAY_LATENCY = 3
"""Cycles from `value` to `result`: magnitude, product, subtraction."""

_EXACT_AT_ONCE = 1 << (DECAY_BITS - 1)
"""Largest magnitude of which `DECAY_AT_ONCE`, taken as a fraction, rounds to all."""


class Decay(wiring.Component):
    """Decay of one value towards 0.

    Parameters
    ----------
    shape:
        Shape of the value, signed or not.

    Members
    -------
    value:
        In, one a cycle.
    code:
        In, the decay code; does not change while values are under way.
    result:
        Out, `DECAY_LATENCY` cycles after `value`.
    """

    value: Signal
    code: Signal
    result: Signal

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        super().__init__({"value": In(shape), "code": In(DECAY_BITS), "result": Out(shape)})

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        width = self.shape.width
        value = self.value.as_unsigned()
        negative = self.value[-1] if self.shape.signed else Const(0)
        # Without a reset they can be the registers in the multiplier.
        magnitude = Signal(width, reset_less=True)
        product = Signal(width + DECAY_BITS, reset_less=True)
        m.d.sync += [
            magnitude.eq(Mux(negative, ~(value - 1), value)),
            product.eq(magnitude * self.code),
        ]
        # Both signs add, below zero: v - lost = ~(~v + lost). An adder with inverters behind it
        # takes a logic cell a bit, one that adds or subtracts takes two.
        below = Delay(m, "below", Mux(negative, value, ~value), 2)[2]
        was_negative = Delay(m, "negative", negative, 2)[2]
        # Half up, and at least one, unless there is nothing to take a part of, or no part of it.
        whole, fraction = product[DECAY_BITS:], product[:DECAY_BITS]
        one_more = fraction[-1] | ((whole == 0) & (fraction != 0))
        # The bit below the lowest carries into it: a second sum would be a second adder.
        total = (Cat(one_more, below) + Cat(one_more, whole))[1 : width + 1]
        m.d.sync += self.result.eq(Mux(was_negative, total, ~total))
        largest = 1 << (width - 1) if self.shape.signed else (1 << width) - 1
        if largest > _EXACT_AT_ONCE:
            with m.If(self.code == DECAY_AT_ONCE):
                m.d.sync += self.result.eq(0)
        return m
