"""Noise for stochastic rounding: `spec.arithmetic.noise`, a hash in every lane.

Spreading an index over a word is linear over GF(2), so the part that all lanes share is formed
once, and what is left in a lane is an exclusive-or with a constant.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from spiketwin.hdl.spec import arithmetic as a
from spiketwin.hdl.spec.params import CoreParams

ROUNDS_PER_CYCLE = 2
"""Rounds of the key in a cycle; it is ready ``1 + KEY_ROUNDS / ROUNDS_PER_CYCLE`` cycles after."""

_WORD = data.ArrayLayout(16, 2)


def spread(index: Value, factor: int) -> Value:
    """Carry-less product of an index and a constant, folded to 16 bits."""
    bits: list[Value] = [Const(0, 1)] * 32
    for bit in range(16):
        if factor >> bit & 1:
            for k in range(len(index)):
                bits[k + bit] = bits[k + bit] ^ index[k]
    return Cat(*bits[:16]) ^ Cat(*bits[16:])


def mix_round(x: Value, y: Value) -> tuple[Value, Value]:
    """One add-rotate-xor round on two words."""
    new_x = (x.rotate_right(7) + y)[:16]
    return new_x, y.rotate_left(2) ^ new_x


class NoiseKey(wiring.Component):
    """The key of a pass, from seed, tick and pass.

    Members
    -------
    start_stb:
        In, begins forming the key of the tick and pass given with it.
    key:
        Out, stays until the next start.
    """

    start_stb: Signal
    seed: Signal
    tick: Signal
    which_pass: Signal

    def __init__(self) -> None:
        super().__init__(
            {
                "start_stb": In(1),
                "seed": In(32),
                "tick": In(32),
                "which_pass": In(1),
                "key": Out(_WORD),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        low, high = self.tick[:16], self.tick[16:]
        x, y = self.key[0], self.key[1]
        rounds_left = Signal(range(a.KEY_ROUNDS + 1))
        with m.If(self.start_stb):
            masked = Mux(self.which_pass == a.PASS_POST, a.PASS_MASK, 0)
            words = (self.seed[:16] ^ masked, self.seed[16:])
            for word, seed, for_low, for_high in zip(
                (x, y), words, a.SPREAD_TICK_LOW, a.SPREAD_TICK_HIGH, strict=True
            ):
                m.d.sync += word.eq(seed ^ spread(low, for_low) ^ spread(high, for_high))
            m.d.sync += rounds_left.eq(a.KEY_ROUNDS)
        with m.Elif(rounds_left != 0):
            new_x, new_y = x, y
            for _ in range(ROUNDS_PER_CYCLE):
                new_x, new_y = mix_round(new_x, new_y)
            m.d.sync += [x.eq(new_x), y.eq(new_y), rounds_left.eq(rounds_left - ROUNDS_PER_CYCLE)]
        return m


class Noise(wiring.Component):
    """16 random bits in every lane.

    Members
    -------
    key:
        In, of the pass under way.
    column:
        In, whether lanes are sources of one neuron (1) or neurons of one source (0).
    index, first:
        In, the source of the row or neuron of the column, and the first of the lanes' indices (a
        multiple of `lanes`).
    bits:
        Out, one word a lane, a cycle for the indices and one a round later.
    """

    column: Signal
    index: Signal
    first: Signal

    def __init__(self, params: CoreParams) -> None:
        self.params = params
        super().__init__(
            {
                "key": In(_WORD),
                "column": In(1),
                "index": In(range(params.n_sources)),
                "first": In(range(params.n_sources)),
                "bits": Out(data.ArrayLayout(16, params.lanes)),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        source = Mux(self.column, self.first, self.index)
        neuron = Mux(self.column, self.index, self.first)
        shared = [Signal(16, name=f"shared_{k}") for k in range(2)]
        column = Signal()
        m.d.sync += column.eq(self.column)
        for k, word in enumerate(shared):
            m.d.sync += word.eq(
                self.key[k]
                ^ spread(source, a.SPREAD_SOURCE[k])
                ^ spread(neuron, a.SPREAD_NEURON[k])
            )
        for lane in range(self.params.lanes):
            x, y = (
                word
                ^ Mux(
                    column, a.spread(lane, a.SPREAD_SOURCE[k]), a.spread(lane, a.SPREAD_NEURON[k])
                )
                for k, word in enumerate(shared)
            )
            for step in range(a.NOISE_ROUNDS):
                new_x, new_y = mix_round(x, y)
                x = Signal(16, name=f"x_{lane}_{step}")
                y = Signal(16, name=f"y_{lane}_{step}")
                m.d.sync += [x.eq(new_x), y.eq(new_y)]
            m.d.comb += self.bits[lane].eq(x)
        return m
