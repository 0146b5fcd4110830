"""Noise and its keys are those of the specification, whose own functions are laid out as logic."""

from functools import reduce
from operator import or_
from typing import Any, TypeAlias, cast

import pytest
from amaranth.hdl import Cat, Const
from hypothesis import given
from hypothesis import strategies as st
from support.benches import Bench, Traced, implies
from support.provers import Refuted, prove_by_induction
from support.rungs import bulk_but
from support.seeded import Bug, named

from spiketwin.hdl.gateware.core.noise import KEY_CYCLES, ROUNDS_PER_CYCLE, Noise, NoiseKey
from spiketwin.hdl.spec import arithmetic as a
from spiketwin.hdl.spec.params import preset

Words: TypeAlias = tuple[Any, Any]

LATENCY = 1 + a.NOISE_ROUNDS
SIZES = bulk_but(["tiny"], ["tiny", "full,lanes=8"])


def lanes_bench(unit: Any, size: str) -> Bench:
    """All lanes, in any order of rows and columns, with a key that may change in any cycle."""
    b, params = Bench(), preset(size)
    noise = b.unit(unit(params))
    stochastic = b.fixed("stochastic")
    key = [b.free(f"key_{k}", 16) for k in range(2)]
    spiked = b.free("spiked", range(params.n_sources))
    group = b.free("group", range(params.column_groups))
    b.m.d.comb += [
        noise.stochastic.eq(stochastic),
        noise.key[0].eq(key[0]),
        noise.key[1].eq(key[1]),
        noise.spiked.eq(spiked),
        noise.group.eq(group),
    ]
    arrived = b.age(LATENCY) == LATENCY
    for lane in range(params.lanes):
        words = place(b, key, spiked, group * (params.lanes // 2) + lane // 2)
        expected = b.past(words[lane % 2], LATENCY)
        found = b.tell(f"lane_{lane}", noise.bits[lane])
        right = implies(stochastic, found == expected) & implies(~stochastic, found == a.HALF_STEP)
        b.check(f"lane_{lane}_as_specified", implies(arrived, right))
    return b


def place(b: Bench, key: list[Any], spiked: Any, pair: Any) -> tuple[Any, Any]:
    """`arithmetic.noise` for both synapses of a pair."""
    row, column = Traced(b, spiked), Traced(b, pair)
    x, y = cast(Words, a.place(row, column))  # type: ignore[arg-type]  # an int but for its class
    x, y = x ^ key[0], y ^ key[1]
    for _ in range(a.NOISE_ROUNDS):
        x, y = a.mix_round(x, y)
    return x.value[:16], y.value[:16]


def key_bench(unit: Any) -> Bench:
    """Keys, with strobes in any order and at any distance from each other."""
    b = Bench()
    noise_key = b.unit(unit())
    seed_stb, start_stb, post_stb = (b.free(name) for name in ("seed_stb", "start_stb", "post_stb"))
    seed, tick = b.free("seed", 32), b.fixed("tick", 32)
    b.m.d.comb += [
        noise_key.seed_stb.eq(seed_stb),
        noise_key.start_stb.eq(start_stb),
        noise_key.post_stb.eq(post_stb),
        noise_key.seed.eq(seed),
        noise_key.tick.eq(tick),
    ]
    key = b.tell("key", Cat(*noise_key.key))
    passes = start_stb | post_stb
    before = Traced(b, b.past(key)[:16]), Traced(b, b.past(key)[16:])
    absorbed, mixed = absorb(Traced(b, tick), before), mix(before)
    steps = {
        "pre": (start_stb & ~post_stb, [before, absorbed, mixed, mixed, mixed]),
        "post": (post_stb & ~start_stb, [before, mixed, mixed, mixed, before]),
    }
    b.check("seed_is_loaded", implies(b.past(seed_stb), key == b.past(seed)))
    for name, (strobe, words) in steps.items():
        for ago, (x, y) in enumerate(words, 1):
            alone = ~within(b, passes, ago + 1, ago + KEY_CYCLES)
            alone &= ~within(b, passes, 1, ago - 1) & ~within(b, seed_stb, 1, ago)
            expected = Cat(x.value[:16], y.value[:16])
            b.check(f"{name}_{ago}", implies(b.past(strobe, ago) & alone, key == expected))
    still = ~within(b, seed_stb | passes, 1, KEY_CYCLES)
    b.check("stays", implies(still, key == b.past(key)))
    return b


def within(b: Bench, strobe: Any, first: int, last: int) -> Any:
    """Whether a strobe came between `first` and `last` cycles ago."""
    return reduce(or_, (b.past(strobe, k) for k in range(first, last + 1)), Const(0))


def absorb(tick: Any, words: Words) -> Words:
    """The first cycle of a key."""
    x, y = words
    for part in (tick & 0xFFFF, tick >> 16 & 0xFFFF):
        x, y = a.mix_round(x, y)
        y = y ^ part
    return x, y


def mix(words: Words) -> Words:
    """Any other cycle of a key."""
    for _ in range(ROUNDS_PER_CYCLE):
        words = a.mix_round(*words)
    return words


LANES, KEY = LATENCY + 2, 2 * KEY_CYCLES + 2
"""Cycles after which nothing of before counts."""

BUGS = [
    (Bug("both lanes of a pair get one word", "self.bits[2 * pair + 1].eq(y)",
         "self.bits[2 * pair + 1].eq(x)"), lanes_bench),
    (Bug("a row is spread as a column", "spread(self.spiked, a.SPREAD_SPIKED[k])",
         "spread(self.spiked, a.SPREAD_PAIR[k])"), lanes_bench),
    (Bug("the group is not counted in pairs", "self.group << exact_log2(pairs)",
         "self.group << exact_log2(2 * pairs)"), lanes_bench),
    (Bug("nearest is one half too much", "[x.eq(a.HALF_STEP), y.eq(a.HALF_STEP)]",
         "[x.eq(a.HALF_STEP), y.eq(0)]"), lanes_bench),
    (Bug("the tick is absorbed the other way round", "(self.tick[:16], self.tick[16:])",
         "(self.tick[16:], self.tick[:16])"), key_bench),
    (Bug("the tick is absorbed in every round", "Mux(absorbing, part, 0)", "part"), key_bench),
    (Bug("a word is turned the other way", "x.rotate_right(7)", "x.rotate_left(7)"), key_bench),
]  # fmt: skip


@pytest.mark.parametrize("size", SIZES)
def test_the_noise_of_all_lanes_is_that_of_the_specification(size: str) -> None:
    prove_by_induction(lanes_bench(Noise, size), LANES)


def test_each_cycle_of_a_key_does_what_the_specification_says() -> None:
    prove_by_induction(key_bench(NoiseKey), KEY)


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_the_cycles_of_a_key_make_that_of_the_specification(seed: int, tick: int) -> None:
    words = mix(mix(mix(absorb(tick, (seed & 0xFFFF, seed >> 16)))))
    assert words == a.noise_key(seed, tick, a.PASS_PRE)
    assert mix(mix(mix(words))) == a.noise_key(seed, tick, a.PASS_POST)


@pytest.mark.parametrize(("bug", "bench"), bulk_but(BUGS[:2], BUGS), ids=named)
def test_a_seeded_bug_is_found(bug: Bug, bench: Any) -> None:
    with pytest.raises(Refuted, match="does not hold in cycle"):
        if bench is lanes_bench:
            prove_by_induction(bench(bug.seeded(Noise), "tiny"), LANES)
        else:
            prove_by_induction(bench(bug.seeded(NoiseKey)), KEY)
