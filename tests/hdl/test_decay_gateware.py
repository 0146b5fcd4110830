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


@pytest.mark.rtl
@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("shape", [signed(9), signed(16), signed(24), unsigned(16)], ids=repr)
def test_a_decay_is_that_of_the_specification(shape: Shape, code: int) -> None:
    low, high = (-(1 << shape.width - 1), 1 << shape.width - 1) if shape.signed else (0, 1 << 16)
    random = Random(code)
    values = [v for v in range(-9, 10) if low <= v] + [low, low + 1, high - 2, high - 1]
    values += [random.randrange(low, high) for _ in range(60)]
    unit: Any = Decay(shape)
    results: list[int] = []

    async def run(ctx: Any) -> None:
        ctx.set(unit.code, code)
        for value in [*values, *[0] * DECAY_LATENCY]:
            ctx.set(unit.value, value)
            results.append(ctx.get(unit.result))
            await ctx.tick()

    simulate(unit, run)
    assert results[DECAY_LATENCY:] == [decay(value, code) for value in values]
