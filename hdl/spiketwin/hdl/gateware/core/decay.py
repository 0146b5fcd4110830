"""Exponential decay of one value, pipelined: `spec.arithmetic.decay`."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spiketwin.hdl.gateware.core.pipeline import Delay
from spiketwin.hdl.spec.arithmetic import (
    DECAY_AT_ONCE,
    DECAY_BITS,
    DECAY_SHIFT_BITS,
    LEAK_WIDTH,
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
    varies:
        Whether every value comes with a code of its own, and can leak linearly. Code, shift and
        leak then come a cycle after the value.

    Members
    -------
    value:
        In, the value, a new one each cycle.
    code:
        In, the decay code; does not change while values are under way.
    shift:
        In, with `shifts`, the shift of the code, which does not change either.
    leak:
        In, with `varies`, the units that the value loses instead of a fraction, unless 0.
    result:
        Out, the decayed value, `DECAY_LATENCY` cycles after `value`.
    """

    value: Signal
    code: Signal
    result: Signal

    def __init__(self, shape: Shape, *, shifts: bool = False, varies: bool = False) -> None:
        self.shape, self.shifts, self.varies = shape, shifts, varies
        super().__init__(
            {
                "value": In(shape),
                "code": In(DECAY_BITS),
                **({"shift": In(DECAY_SHIFT_BITS)} if shifts else {}),
                **({"leak": In(LEAK_WIDTH)} if varies else {}),
                "result": Out(shape),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        if self.shifts:
            self._with_shift(m)
        else:
            self._without(m)
        largest = 1 << (self.shape.width - 1) if self.shape.signed else (1 << self.shape.width) - 1
        if self.shifts or largest > _EXACT_AT_ONCE:
            with m.If(self._late(m, "code_at_end", self.code) == DECAY_AT_ONCE):
                m.d.sync += self.result.eq(0)
        if self.varies:
            self._leak(m)
        return m

    def _late(self, m: Module, name: str, value: Value) -> Value:
        """Return, for the last cycle, what comes with a code."""
        return Delay(m, name, value, 1)[1] if self.varies else value

    def _leak(self, m: Module) -> None:
        """Let the value lose units instead of a fraction, if that is wanted."""
        value = Delay(m, "leaking", self.value, 1)[1]
        negative = value[-1] if self.shape.signed else Const(0)
        moved = Mux(negative, value + self.leak, value - self.leak)
        crosses = Mux(negative, moved >= 0, moved < 0)
        leaked = Signal(self.shape)
        m.d.sync += leaked.eq(Mux(crosses, 0, moved))
        with m.If(self._late(m, "leaks_at_end", self.leak.any())):
            m.d.sync += self.result.eq(leaked)

    def _without(self, m: Module) -> None:
        width, signed = self.shape.width, self.shape.signed
        value = self.value
        # The multiplier is signed if the value is. A code of one half or more then counts as the
        # code less 1, so that the product is too small by one value; in return `kept` is 0
        # instead of the value.
        code = self.code.as_signed() if signed else self.code
        early = 1 if self.varies else 0  # cycles from the value to the code
        kept = Delay(m, "early", value, early)[early]
        if signed:
            kept &= ~self.code[-1].replicate(width)
        # Only registers without a reset can be moved into the multiplier block.
        factor = Signal.like(value, reset_less=True)
        product = Signal(Shape(width + DECAY_BITS, signed), reset_less=True)
        m.d.sync += [factor.eq(value), product.eq(factor * code)]
        # kept - lost = ~(~kept + lost): with inverters at its output an adder takes one logic cell
        # a bit, with inverters at an input it takes two.
        inverted = Delay(m, "inverted", ~kept, 2 - early)[2 - early]
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
        shift = self._late(m, "shift_at_end", self.shift)
        shifted = (product[DECAY_BITS - 1 :] >> shift)[: width + 1]
        half, whole = shifted[0], shifted[1:]
        # At least 1 is lost. That the shifted product is below 1 is found beside the shifter, not
        # behind it.
        below_1 = Cat(shift > k for k in range(min(width, MAX_DECAY_SHIFT)))
        fraction = Cat(below_1, Const(0, width - len(below_1)))
        one_more = half | (~(product[DECAY_BITS:] & ~fraction).any() & moves)
        total = (Cat(one_more, kept) + Cat(one_more, whole))[1 : width + 1]
        m.d.sync += self.result.eq(total ^ inverts.replicate(width))
