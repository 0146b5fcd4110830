"""Exponential decay of one value, pipelined: `spec.arithmetic.decay`."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Mux, Shape, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spiketwin.hdl.spec.arithmetic import DECAY_AT_ONCE, DECAY_BITS, DECAY_NONE

DECAY_LATENCY = 4
"""Cycles from `value` to `result`: magnitude, product, rounding, subtraction."""


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
        magnitude = [Signal(width, name=f"magnitude_{k}") for k in range(2)]
        value = [Signal(self.shape, name=f"value_{k}") for k in range(3)]
        negative = self.value < 0 if self.shape.signed else Const(0)
        product = Signal(width + DECAY_BITS)
        lost = Signal(width)
        m.d.sync += [
            magnitude[0].eq(Mux(negative, -self.value, self.value)),
            value[0].eq(self.value),
            product.eq(magnitude[0] * self.code),
            magnitude[1].eq(magnitude[0]),
            value[1].eq(value[0]),
            value[2].eq(value[1]),
        ]
        # The magnitude is below 2**width, so the rounded product fits `width` bits.
        rounded = (product + (1 << (DECAY_BITS - 1)))[DECAY_BITS : DECAY_BITS + width]
        with m.If((self.code == DECAY_NONE) | (magnitude[1] == 0)):
            m.d.sync += lost.eq(0)
        with m.Elif(self.code == DECAY_AT_ONCE):
            m.d.sync += lost.eq(magnitude[1])
        with m.Else():
            m.d.sync += lost.eq(Mux(rounded == 0, 1, rounded))
        negative_late = value[2] < 0 if self.shape.signed else Const(0)
        m.d.sync += self.result.eq(Mux(negative_late, value[2] + lost, value[2] - lost))
        return m
