"""The decay in gateware against the integers of the specification, exact halves among them."""

from random import Random
from typing import Any

import pytest
from amaranth import Shape, signed, unsigned
from support.gateware import simulate

from spiketwin.hdl.gateware.core.decay import DECAY_LATENCY, Decay
from spiketwin.hdl.spec.arithmetic import DECAY_AT_ONCE, DECAY_NONE, decay, leak

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


@pytest.mark.rtl
@pytest.mark.parametrize("shifts", [False, True])
@SHAPES
def test_every_value_can_have_a_code_and_a_leak_of_its_own(shape: Shape, shifts: bool) -> None:
    random = Random(1)
    values = values_of(shape) * 5
    codes = [random.choice(CODES) for _ in values]
    shifted = [random.choice([0, 3, 15]) * shifts for _ in values]
    leaks = [random.choice([0, 0, 1, 300, 65_535]) for _ in values]
    unit: Any = Decay(shape, shifts=shifts, varies=True)
    results: list[int] = []

    async def run(ctx: Any) -> None:
        for place in range(len(values) + DECAY_LATENCY):
            # What belongs to a value comes a cycle after it.
            late = min(max(0, place - 1), len(values) - 1)
            ctx.set(unit.value, values[min(place, len(values) - 1)])
            ctx.set(unit.code, codes[late])
            ctx.set(unit.leak, leaks[late])
            if shifts:
                ctx.set(unit.shift, shifted[late])
            results.append(ctx.get(unit.result))
            await ctx.tick()

    simulate(unit, run)
    assert results[DECAY_LATENCY:] == [
        leak(value, units) if units else decay(value, code, shift)
        for value, code, shift, units in zip(values, codes, shifted, leaks, strict=True)
    ]


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
