"""The decay in gateware against the integers of the specification, exact halves among them."""

from random import Random
from typing import Any

import pytest
from amaranth import Shape, signed, unsigned
from support.gateware import simulate

from spiketwin.hdl.gateware.core.decay import DECAY_LATENCY, Decay
from spiketwin.hdl.spec.arithmetic import DECAY_AT_ONCE, DECAY_NONE, decay

CODES = (DECAY_NONE, DECAY_AT_ONCE, 1, 0x4000, 0x7FFF, 0x8000, 0x8001, 0xC000, 0xFFFE, 20_001)
"""A code of a half or of quarters makes products that lie exactly between two integers."""


SHAPES = pytest.mark.parametrize(
    "shape", [signed(9), signed(16), signed(24), unsigned(16)], ids=repr
)


@pytest.mark.rtl
@pytest.mark.parametrize("code", CODES)
@SHAPES
def test_a_decay_is_that_of_the_specification(shape: Shape, code: int) -> None:
    assert decayed_by(Decay(shape), code, 0) == [decay(value, code) for value in values_of(shape)]


@pytest.mark.rtl
@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("shift", [0, 1, 7, 15])
@SHAPES
def test_a_decay_with_a_shift_is_that_of_the_specification(
    shape: Shape, code: int, shift: int
) -> None:
    found = decayed_by(Decay(shape, shifts=True), code, shift)
    assert found == [decay(value, code, shift) for value in values_of(shape)]


def values_of(shape: Shape) -> list[int]:
    low, high = (
        (-(1 << shape.width - 1), 1 << shape.width - 1) if shape.signed else (0, 1 << shape.width)
    )
    random = Random(shape.width)
    values = [v for v in range(-9, 10) if low <= v] + [low, low + 1, high - 2, high - 1]
    return values + [random.randrange(low, high) for _ in range(60)]


def decayed_by(unit: Any, code: int, shift: int) -> list[int]:
    """Return what the unit makes of all values of its shape."""
    results: list[int] = []

    async def run(ctx: Any) -> None:
        ctx.set(unit.code, code)
        if unit.shifts:
            ctx.set(unit.shift, shift)
        for value in [*values_of(unit.shape), *[0] * DECAY_LATENCY]:
            ctx.set(unit.value, value)
            results.append(ctx.get(unit.result))
            await ctx.tick()

    simulate(unit, run)
    return results[DECAY_LATENCY:]
