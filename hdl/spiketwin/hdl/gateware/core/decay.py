"""Exponential decay of one value, pipelined: `spec.arithmetic.decay`."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spiketwin.hdl.gateware.core.pipeline import Delay
from spiketwin.hdl.spec.arithmetic import (
    DECAY_AT_ONCE,
    DECAY_BITS,
    DECAY_SHIFT_BITS,
    MAX_DECAY_SHIFT,
)

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
    shifts:
        Whether there is a shift.

    Members
    -------
    value:
        In, the value, a new one each cycle.
    code:
        In, the decay code; does not change while values are under way.
    shift:
        In, with `shifts`, the shift of the code, which does not change either.
    result:
        Out, the decayed value, `DECAY_LATENCY` cycles after `value`.
    """

    value: Signal
    code: Signal
    result: Signal

    def __init__(self, shape: Shape, *, shifts: bool = False) -> None:
        self.shape, self.shifts = shape, shifts
        super().__init__(
            {
                "value": In(shape),
                "code": In(DECAY_BITS),
                **({"shift": In(DECAY_SHIFT_BITS)} if shifts else {}),
                "result": Out(shape),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        if self.shifts:
            self._with_shift(m)
        else:
            self._without(m)
        return m

    def _without(self, m: Module) -> None:
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

    def _with_shift(self, m: Module) -> None:
        """Multiply the magnitude: with a shift a code of one half or more cannot count as less."""
        width, value = self.shape.width, self.value
        negative = value[-1] if self.shape.signed else Const(0)
        factor = Signal(width, reset_less=True)
        product = Signal(width + DECAY_BITS, reset_less=True)
        moves = Signal()
        m.d.sync += [
            factor.eq(Mux(negative, -value, value)),
            product.eq(factor * self.code),
            moves.eq(factor.any() & self.code.any()),
        ]
        # kept - lost = ~(~kept + lost) above 0, and kept + lost below: inverted on both sides of
        # the adder, or on none.
        inverts = ~Delay(m, "negative", negative, 2)[2]
        kept = Delay(m, "kept", value, 2)[2] ^ inverts.replicate(width)
        shifted = (product[DECAY_BITS - 1 :] >> self.shift)[: width + 1]
        half, whole = shifted[0], shifted[1:]
        # At least 1 is lost. That the shifted product is below 1 is found beside the shifter, not
        # behind it.
        below_1 = Cat(self.shift > k for k in range(min(width, MAX_DECAY_SHIFT)))
        fraction = Cat(below_1, Const(0, width - len(below_1)))
        one_more = half | (~(product[DECAY_BITS:] & ~fraction).any() & moves)
        total = (Cat(one_more, kept) + Cat(one_more, whole))[1 : width + 1]
        m.d.sync += self.result.eq(total ^ inverts.replicate(width))
        with m.If(self.code == DECAY_AT_ONCE):
            m.d.sync += self.result.eq(0)
