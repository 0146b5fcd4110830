"""The decay is that of the specification, for all values, codes, shifts and leaks."""

from collections.abc import Callable
from typing import Any

import pytest
import z3
from amaranth.hdl import Const, Mux, Shape, Signal, Value, signed, unsigned
from support.benches import Bench, implies
from support.provers import Refuted, prove_by_induction
from support.rungs import bulk_but
from support.seeded import Bug, named

from spiketwin.hdl.gateware.core.decay import DECAY_LATENCY, Decay
from spiketwin.hdl.spec.arithmetic import DECAY_AT_ONCE, DECAY_BITS, DECAY_SHIFT_BITS, LEAK_WIDTH

CYCLES = DECAY_LATENCY + 2
"""Cycles after which nothing of before is left in the pipeline, nor in what the bench remembers."""


def bench(unit: Any, shape: Shape, *, shifts: bool = False, varies: bool = False) -> Bench:
    b = Bench()
    decay = b.unit(unit(shape, shifts=shifts, varies=varies))
    chosen = b.free if varies else b.fixed
    value, code = b.free("value", shape), chosen("code", DECAY_BITS)
    shift = chosen("shift", DECAY_SHIFT_BITS) if shifts else Const(0)
    leak = chosen("leak", LEAK_WIDTH) if varies else Const(0)
    b.m.d.comb += [decay.value.eq(value), decay.code.eq(code)]
    b.m.d.comb += [decay.shift.eq(shift)] if shifts else []
    b.m.d.comb += [decay.leak.eq(leak)] if varies else []
    if varies:  # what belongs to a value comes a cycle after it
        code, shift, leak = b.past(code), b.past(shift), b.past(leak)
    v = b.past(value, 2)
    negative = b.tell("negative", v[-1] if shape.signed else Const(0))
    magnitude = b.tell("magnitude", Mux(negative, -v, v)[: shape.width])
    whole = product(b, decay, shifts=shifts, negative=negative, value=v, code=code)
    arrived = b.age(DECAY_LATENCY)
    for fact in facts(magnitude, code, whole):
        b.assume(implies(arrived >= 2, fact))
    result = b.tell("specified", specified(b, magnitude, whole, code, shift, leak))
    expected = b.past(Mux(negative, -result, result)[: shape.width])
    b.tell("result", decay.result)
    b.check("as_specified", (arrived < 3) | (decay.result.as_unsigned() == expected))
    return b


def product(
    b: Bench, decay: Any, *, shifts: bool, negative: Value, value: Value, code: Value
) -> Value:
    """Return magnitude times code, from a product that is formed as the unit forms it."""
    shape, now = decay.shape, decay.code
    is_signed = shape.signed and not shifts
    factor = Signal(Shape(shape.width, is_signed), reset_less=True)
    formed = Signal(Shape(shape.width + DECAY_BITS, is_signed), reset_less=True)
    early = Mux(decay.value[-1], -decay.value, decay.value) if shape.signed else decay.value
    b.m.d.sync += [
        factor.eq(decay.value if is_signed else early),
        formed.eq(factor * (now.as_signed() if is_signed else now)),
    ]
    if not is_signed:
        return formed
    full = formed + Mux(code[-1], value << DECAY_BITS, 0)
    whole: Value = b.tell("product", Mux(negative, -full, full)[: shape.width + DECAY_BITS])
    return whole


def facts(a: Any, c: Any, product: Any) -> tuple[Any, ...]:
    """What the proofs use of the product of a magnitude and a code, of Amaranth or of z3."""
    most = a * (1 << DECAY_BITS) - a
    half = 1 << DECAY_BITS - 1
    return (
        product <= most,
        (product == 0) == ((a == 0) | (c == 0)),
        (c != DECAY_AT_ONCE) | (product == most),
        (c < half) | (product >= a * half),
        (c >= half) | (product <= a * half - a),
    )


def specified(b: Bench, a: Value, product: Value, code: Value, shift: Value, leak: Value) -> Value:
    """docs/tick.md on magnitudes."""
    half = b.tell("half", Const(1 << DECAY_BITS - 1) << shift)
    rounded = b.tell("rounded", product + half)
    lost = b.tell("lost", rounded >> (shift + DECAY_BITS))
    least = b.tell("least", Mux(lost == 0, 1, lost))
    left = Mux(code == DECAY_AT_ONCE, 0, a - least)
    decayed = Mux((code == 0) | (a == 0), a, left)
    leaked = Mux(a > leak, a - leak, 0)
    result: Value = Mux(leak != 0, leaked, decayed)[: len(a)]
    return result


VARIANTS = [
    {},
    {"shifts": True},
    {"varies": True},
    {"shifts": True, "varies": True},
]
SHAPES = bulk_but([signed(8)], [signed(8), unsigned(16), signed(16), unsigned(24), signed(24)])

HALF = "one_more = half | ((whole == 0) & (rest != 0))"
BUGS = [
    (Bug("a half is rounded down", HALF, HALF.replace("half |", "(half & (rest != 0)) |")),
     unsigned(8), {}),
    (Bug("a small value never reaches 0", HALF, "one_more = half"), signed(8), {}),
    (Bug("the least value below 0 loses too much", "half & ~whole.all() & (rest != 0)",
         "half & (rest != 0)"), signed(8), {}),
    (Bug("another code acts at once", "self.code) == DECAY_AT_ONCE", "self.code) == 65534"),
     unsigned(24), {}),
    (Bug("a shift by k counts as one above k", "Cat(shift > k", "Cat(shift >= k"),
     signed(8), {"shifts": True}),
    (Bug("the leak is that of the next value", 'self._late(m, "leaks_at_end", self.leak.any())',
         "self.leak.any()"), unsigned(8), {"varies": True}),
    (Bug("what is below 0 leaks away from it",
         "Mux(negative, value + self.leak, value - self.leak)", "value - self.leak"),
     signed(8), {"varies": True}),
]  # fmt: skip


@pytest.mark.parametrize("options", VARIANTS, ids=lambda options: "+".join(options) or "plain")
@pytest.mark.parametrize("shape", SHAPES, ids=repr)
def test_a_decay_is_that_of_the_specification(shape: Shape, options: dict[str, bool]) -> None:
    prove_by_induction(bench(Decay, shape, **options), CYCLES, cut=1)


@pytest.mark.bulk
@pytest.mark.parametrize("width", range(8, 25))
@pytest.mark.parametrize("sign", [unsigned, signed])
def test_a_decay_is_right_at_every_width(sign: Callable[[int], Shape], width: int) -> None:
    prove_by_induction(bench(Decay, sign(width)), CYCLES, cut=1)


@pytest.mark.parametrize(("bug", "shape", "options"), bulk_but(BUGS[:2], BUGS), ids=named)
def test_a_seeded_bug_is_found(bug: Bug, shape: Shape, options: dict[str, bool]) -> None:
    with pytest.raises(Refuted, match="as_specified"):
        prove_by_induction(bench(bug.seeded(Decay), shape, **options), CYCLES, cut=1)


def test_what_the_proofs_use_of_products_holds_of_all_integers() -> None:
    magnitude, code, value = z3.Ints("magnitude code value")
    solver = z3.Solver()
    solver.add(magnitude >= 0, code >= 0, code <= DECAY_AT_ONCE)
    above = z3.If(code >= 1 << DECAY_BITS - 1, 1 << DECAY_BITS, 0)
    as_signed = value * (code - above) + value * above == value * code
    for fact in (*facts(magnitude, code, magnitude * code), as_signed):
        solver.push()
        solver.add(z3.Not(fact))
        assert solver.check() == z3.unsat, fact
        solver.pop()
