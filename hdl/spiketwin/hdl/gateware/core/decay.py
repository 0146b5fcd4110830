"""Exponential decay of one value, pipelined: `spec.arithmetic.decay`."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Shape, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spiketwin.hdl.gateware.core.pipeline import Delay
from spiketwin.hdl.spec.arithmetic import DECAY_AT_ONCE, DECAY_BITS

DECAY_LATENCY = 3
"""Cycles from `value` to `result`: registers before the multiplier, after it, and the result."""

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
        width, signed = self.shape.width, self.shape.signed
        value = self.value
        # Taken as signed, a code of one half or more counts for less by one whole value, which is
        # then not there to be subtracted from.
        code = self.code.as_signed() if signed else self.code
        kept = value & ~self.code[-1].replicate(width) if signed else value
        # Without a reset they can be the registers in the multiplier.
        factor = Signal.like(value, reset_less=True)
        product = Signal(Shape(width + DECAY_BITS, signed), reset_less=True)
        m.d.sync += [factor.eq(value), product.eq(factor * code)]
        # kept - lost = ~(~kept + lost): an adder with inverters before it takes two logic cells a
        # bit, one with inverters behind it takes one.
        inverted = Delay(m, "inverted", ~kept, 2)[2]
        # Half away from 0, and at least one, unless there is nothing to take a part of, or no part
        # of it. Below zero the product is cut off downwards, away from 0.
        whole, half, rest = product[DECAY_BITS:], product[DECAY_BITS - 1], product[: DECAY_BITS - 1]
        one_more = half | ((whole == 0) & (rest != 0))
        if signed:
            negative = Delay(m, "negative", value[-1], 2)[2]
            one_more = Mux(negative, half & ~whole.all() & (rest != 0), one_more)
        # The bit below the lowest carries into it: a second sum would be a second adder.
        total = (Cat(one_more, inverted) + Cat(one_more, whole))[1 : width + 1]
        m.d.sync += self.result.eq(~total)
        largest = 1 << (width - 1) if self.shape.signed else (1 << width) - 1
        if largest > _EXACT_AT_ONCE:
            with m.If(self.code == DECAY_AT_ONCE):
                m.d.sync += self.result.eq(0)
        return m
