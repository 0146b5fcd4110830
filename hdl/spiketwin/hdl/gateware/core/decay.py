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
"""Largest magnitude that `DECAY_AT_ONCE`, used as a fraction like any other code, brings to 0."""


class Decay(wiring.Component):
    """A pipelined multiplier that decays one value a cycle towards 0.

    Parameters
    ----------
    shape:
        Shape of the value, signed or not.

    Members
    -------
    value:
        In, the value, a new one each cycle.
    code:
        In, the decay code; does not change while values are under way.
    result:
        Out, the decayed value, `DECAY_LATENCY` cycles after `value`.
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
        # The multiplier is signed if the value is. A code of one half or more then counts as the
        # code less 1, so that the product is too small by one value; in return `kept` is 0
        # instead of the value.
        code = self.code.as_signed() if signed else self.code
        kept = value & ~self.code[-1].replicate(width) if signed else value
        # Only registers without a reset can be moved into the multiplier block.
        factor = Signal.like(value, reset_less=True)
        product = Signal(Shape(width + DECAY_BITS, signed), reset_less=True)
        m.d.sync += [factor.eq(value), product.eq(factor * code)]
        # kept - lost = ~(~kept + lost): with inverters at its output an adder takes one logic cell
        # a bit, with inverters at an input it takes two.
        inverted = Delay(m, "inverted", ~kept, 2)[2]
        # Round half away from 0, and to at least 1 unless value or code is 0. Truncation of a
        # negative product rounds down, which is away from 0.
        whole, half, rest = product[DECAY_BITS:], product[DECAY_BITS - 1], product[: DECAY_BITS - 1]
        one_more = half | ((whole == 0) & (rest != 0))
        if signed:
            negative = Delay(m, "negative", value[-1], 2)[2]
            one_more = Mux(negative, half & ~whole.all() & (rest != 0), one_more)
        # `one_more` enters as the carry of one adder, by a bit below the lowest on both sides.
        total = (Cat(one_more, inverted) + Cat(one_more, whole))[1 : width + 1]
        m.d.sync += self.result.eq(~total)
        largest = 1 << (width - 1) if self.shape.signed else (1 << width) - 1
        if largest > _EXACT_AT_ONCE:
            with m.If(self.code == DECAY_AT_ONCE):
                m.d.sync += self.result.eq(0)
        return m
