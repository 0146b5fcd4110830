"""Noise for stochastic rounding: `spec.arithmetic.noise`, a hash in every lane.

Two lanes share a hash. Spreading an index over a word is linear over GF(2), so the part that all
lanes share is formed once, and each pair of lanes then needs an exclusive-or with a constant.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from spiketwin.hdl.spec import arithmetic as a
from spiketwin.hdl.spec.params import CoreParams

ROUNDS_PER_CYCLE = 2
KEY_CYCLES = 2 + a.KEY_ROUNDS // ROUNDS_PER_CYCLE
"""Cycles in which a key is formed: the seed, the tick, and the rounds, two a cycle."""

_WORD = data.ArrayLayout(16, 2)


def spread(index: Value, factor: int) -> Value:
    """Return the carry-less product of an index and a constant, XOR-folded to 16 bits."""
    bits: list[Value] = [Const(0, 1)] * 32
    for bit in range(16):
        if factor >> bit & 1:
            for k in range(len(index)):
                bits[k + bit] = bits[k + bit] ^ index[k]
    return Cat(*bits[:16]) ^ Cat(*bits[16:])


def mix_round(x: Value, y: Value) -> tuple[Value, Value]:
    """Return two words after one add-rotate-xor (ARX) round."""
    new_x = (x.rotate_right(7) + y)[:16]
    return new_x, y.rotate_left(2) ^ new_x


class NoiseKey(wiring.Component):
    """The unit that forms the key of each pass from seed, tick and pass.

    Members
    -------
    seed_stb, seed:
        In, the key becomes the seed.
    start_stb:
        In, begin to turn the seed into the key of the pre pass.
    post_stb:
        In, begin to turn the key of the pre pass into that of the post pass.
    tick:
        In, the tick; does not change while the key is formed.
    key:
        Out, the key, from `KEY_CYCLES` cycles after a strobe until the next one.
    """

    seed_stb: Signal
    seed: Signal
    start_stb: Signal
    post_stb: Signal
    tick: Signal

    def __init__(self) -> None:
        super().__init__(
            {
                "seed_stb": In(1),
                "seed": In(32),
                "start_stb": In(1),
                "post_stb": In(1),
                "tick": In(32),
                "key": Out(_WORD),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        # Both words of the tick are absorbed in the first cycle, then the rounds follow; a one-hot
        # shift register counts the cycles.
        absorbing = Signal()
        mixing = Signal(a.KEY_ROUNDS // ROUNDS_PER_CYCLE)
        m.d.sync += [
            absorbing.eq(self.start_stb),
            mixing.eq(Cat(absorbing | self.post_stb, mixing)),
        ]
        x, y = self.key[0], self.key[1]
        for part in (self.tick[:16], self.tick[16:]):
            x, y = mix_round(x, y)
            y = y ^ Mux(absorbing, part, 0)
        with m.If(self.seed_stb):
            m.d.sync += Cat(*self.key).eq(self.seed)
        with m.Elif(absorbing | mixing.any()):
            m.d.sync += [self.key[0].eq(x), self.key[1].eq(y)]
        return m


class Noise(wiring.Component):
    """The unit that gives each lane 16 bits of rounding: random bits, or one half.

    Members
    -------
    stochastic, key:
        In, whether to round stochastically, and the key of the noise in the pass under way.
    spiked:
        In, the source of the row or the neuron of the column.
    group:
        In, the number of the group of `lanes` synapses in that row or column.
    bits:
        Out, the rounding of each lane; its latency is a cycle for the indices and one a round.
    """

    stochastic: Signal
    spiked: Signal
    group: Signal

    def __init__(self, params: CoreParams) -> None:
        self.params = params
        super().__init__(
            {
                "stochastic": In(1),
                "key": In(_WORD),
                "spiked": In(range(params.n_sources)),
                "group": In(range(params.column_groups)),
                "bits": Out(data.ArrayLayout(16, params.lanes)),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        pairs = self.params.lanes // 2
        first = self.group << exact_log2(pairs)
        shared = [Signal(16, name=f"shared_{k}") for k in range(2)]
        for k, word in enumerate(shared):
            m.d.sync += word.eq(
                self.key[k]
                ^ spread(self.spiked, a.SPREAD_SPIKED[k])
                ^ spread(first, a.SPREAD_PAIR[k])
            )
        for pair in range(pairs):
            x, y = (word ^ a.spread(pair, a.SPREAD_PAIR[k]) for k, word in enumerate(shared))
            for step in range(a.NOISE_ROUNDS):
                new_x, new_y = mix_round(x, y)
                x = Signal(16, name=f"x_{pair}_{step}")
                y = Signal(16, name=f"y_{pair}_{step}")
                m.d.sync += [x.eq(new_x), y.eq(new_y)]
            with m.If(~self.stochastic):
                m.d.sync += [x.eq(a.HALF_STEP), y.eq(a.HALF_STEP)]
            m.d.comb += [self.bits[2 * pair].eq(x), self.bits[2 * pair + 1].eq(y)]
        return m
