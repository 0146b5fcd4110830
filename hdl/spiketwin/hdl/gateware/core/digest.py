"""The digest of a tick: a hash of all that the tick writes, XOR-folded into 32 bits.

The unit observes what the other units write, and forms the codes of `spec.arithmetic.digest_code`
in pipelines of its own, one for each lane. The last code is finished before the next tick can
report anything, so no tick waits for its digest.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import or_, xor

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from spiketwin.hdl.gateware.core import weights
from spiketwin.hdl.gateware.core.neurons import WRITE_STAGES
from spiketwin.hdl.gateware.core.noise import mix_round, spread
from spiketwin.hdl.gateware.core.pipeline import Delay, delay_line
from spiketwin.hdl.gateware.core.synapses import WEIGHT_WRITE_STAGE
from spiketwin.hdl.spec import arithmetic as a
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.registers import Space
from spiketwin.hdl.spec.variables import BY_SPACE


def neuron_words(params: CoreParams) -> tuple[tuple[Space, ...], ...]:
    """Return the spaces whose elements make up each word of the code of a neuron, low half first.

    Words are hashed in this order, one a cycle, the last one in the cycle in which it is written.
    """
    currents = (Space.I_SYN, Space.I_INH)[: params.receptors]
    return (
        *((space,) for space in currents),
        (Space.V,),
        (Space.TRACE_POST, Space.REFRAC_COUNT),
        (Space.THETA,),
    )


_LAST_STAGE = WRITE_STAGES[Space.THETA]
_WRITE_STAGE = WEIGHT_WRITE_STAGE - weights.WRITE_LATENCY


def written_layout(params: CoreParams) -> data.StructLayout:
    """Return the layout of what *Update* writes for one neuron.

    Each element is valid in the cycle in which it is written. `v` is only written with `v_moves`;
    without learning `trace_post` is 0.
    """
    widths = {
        space.name.lower(): BY_SPACE[space].width(params)
        for spaces in neuron_words(params)
        for space in spaces
    }
    return data.StructLayout({**widths, "v_moves": 1})


def source_layout(params: CoreParams) -> data.StructLayout:
    """Return the layout of what *Update* writes for one source."""
    history = {"history": params.window_bits} if params.window_bits else {}
    return data.StructLayout({"trace_pre": params.trace_width, **history})


class Digest(wiring.Component):
    """The unit that computes the digest of each tick.

    Members
    -------
    neurons_written, neurons_stb:
        In, the elements that *Update* writes for `neuron_lanes` neurons; the strobe comes with
        the space `first_written`.
    sources_written, sources_stb:
        In, the decayed `trace_pre` of `source_lanes` sources, and their `history` if there is one
        (`source_layout`). Groups of neurons and of sources come one a cycle, from the first on.
    column, index, group, once:
        In, the block of synapses that is issued, as in `synapses.Synapses`, and whether it is
        issued for the last time.
    synapses_written, synapses_stb:
        In, the synapses of a block after a learning rule.
    relay_stb, relay, relay_word:
        In, with relays: the flag of a relay is set in this word of the ring.
    bias_stb, bias_neuron, bias:
        In, with bias events: the bias of this neuron is rewritten.
    drift_stb, drift_rule, drift_total:
        In, with windows: the sum of the drifts of this rule becomes the total.
    end_stb, reported:
        In, a tick ends, and whether its digest is to be reported.
    value:
        Out, the digest.
    low_stb, high_stb:
        Out, report the low half, or the high half.
    pending:
        Out, a digest is not reported yet.
    """

    neurons_stb: Signal
    sources_stb: Signal
    column: Signal
    index: Signal
    group: Signal
    once: Signal
    synapses_stb: Signal
    end_stb: Signal
    reported: Signal
    value: Signal
    low_stb: Signal
    high_stb: Signal
    pending: Signal

    def __init__(self, params: CoreParams) -> None:
        self.params = p = params
        self._rows = a.digest_rows(p.n_sources)
        # Two currents make a word more, so the first one is hashed before counters are written.
        self.first_written = Space.I_SYN if p.has_two_receptors else Space.REFRAC_COUNT
        members = {
            "neurons_written": In(data.ArrayLayout(written_layout(p), p.neuron_lanes)),
            "neurons_stb": In(1),
            "end_stb": In(1),
            "reported": In(1),
            "value": Out(32),
            "low_stb": Out(1),
            "high_stb": Out(1),
            "pending": Out(1),
        }
        if p.n_relays:
            members |= {
                "relay_stb": In(1),
                "relay": In(range(p.n_relays)),
                "relay_word": In(bits_for(p.max_delay * p.relay_words - 1)),
            }
        if p.bias_events:
            members |= {
                "bias_stb": In(1),
                "bias_neuron": In(range(p.n_neurons)),
                "bias": In(p.v_width),
            }
        if p.window_bits:
            members |= {
                "drift_stb": In(1),
                "drift_rule": In(p.rule_width),
                "drift_total": In(signed(p.drift_width)),
            }
        if p.learning:
            members |= {
                "sources_written": In(data.ArrayLayout(source_layout(p), p.source_lanes)),
                "sources_stb": In(1),
                "column": In(1),
                "index": In(range(p.n_sources)),
                "group": In(range(p.column_groups)),
                "once": In(1),
                "synapses_written": In(data.ArrayLayout(weights.synapse_layout(p), p.lanes)),
                "synapses_stb": In(1),
            }
        super().__init__(members)

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        folded = [self._neurons(m)]
        if self.params.n_relays:
            written = self.relay_stb, self._rows.relays, self.relay, self.relay_word
            folded.append(self._single(m, "relays", *written))
        if self.params.bias_events:
            written = self.bias_stb, self._rows.biases, self.bias_neuron, self.bias
            folded.append(self._single(m, "biases", *written))
        if self.params.learning:
            folded += [self._sources(m), self._synapses(m)]
        if self.params.window_bits:
            written = self.drift_stb, self._rows.drifts, self.drift_rule, self.drift_total
            folded.append(self._single(m, "drifts", *written))
        # Cycles from the end of a tick until its last code has arrived: one for each round, and
        # one for the sum over the lanes.
        settled = 1 + self.params.digest_rounds
        reported = Delay(m, "reported", self.end_stb & self.reported, settled + 1)
        over = Delay(m, "over", self.end_stb, settled + 1)
        m.d.sync += self.value.eq(Mux(over[settled + 1], 0, reduce(xor, folded, self.value)))
        m.d.comb += [
            self.low_stb.eq(reported[settled]),
            self.high_stb.eq(reported[settled + 1]),
            self.pending.eq(reduce(or_, (reported[k] for k in range(1, settled + 2)))),
        ]
        return m

    def _neurons(self, m: Module) -> Value:
        p = self.params
        lane_bits = exact_log2(p.neuron_lanes)
        word_spaces = neuron_words(p)
        first_stage = _LAST_STAGE - len(word_spaces) + 1
        late = first_stage - WRITE_STAGES[self.first_written]
        begun = Delay(m, "neurons", self.neurons_stb, late)[late]
        group = Signal(range(p.neuron_groups))
        m.d.sync += group.eq(Mux(begun, group + 1, 0))
        codes = []
        for lane in range(p.neuron_lanes):
            words = _neuron_words(m, lane, self.neurons_written[lane], word_spaces)
            place = _place(Const(self._rows.neurons), Cat(Const(lane, lane_bits), group))
            codes.append((begun, _code(m, f"neuron_{lane}", place, words, p.digest_rounds)))
        return _sum(m, "neurons", codes, len(word_spaces) + p.digest_rounds)

    def _sources(self, m: Module) -> Value:
        p = self.params
        lane_bits = exact_log2(p.source_lanes)
        group = Signal(range(p.n_sources // p.source_lanes), name="source_group")
        m.d.sync += group.eq(Mux(self.sources_stb, group + 1, 0))
        codes = []
        for lane in range(p.source_lanes):
            place = _place(Const(self._rows.sources), Cat(Const(lane, lane_bits), group))
            written = self.sources_written[lane]
            word: Value = written.trace_pre
            if p.window_bits:
                word = Cat(word, Const(0, 16 - p.trace_width), written.history)
            code = _code(m, f"source_{lane}", place, [word], p.digest_rounds)
            codes.append((self.sources_stb, code))
        return _sum(m, "sources", codes, 1 + p.digest_rounds)

    def _single(
        self, m: Module, name: str, valid: Value, row: int, column: Value, value: Value
    ) -> Value:
        """Return the codes of single words, of which one at most is written in a cycle."""
        rounds = self.params.digest_rounds
        place = _place(Const(row), column)
        word = Signal(32, name=f"{name}_word")
        m.d.comb += word.eq(value)  # extended as its sign has it
        return _sum(m, name, [(valid, _code(m, name, place, [word], rounds))], 1 + rounds)

    def _synapses(self, m: Module) -> Value:
        p = self.params
        pair_bits = exact_log2(p.lanes // 2)
        issued = Cat(self.once, self.column, self.index, self.group)
        late = delay_line(m, "issued", issued, _WRITE_STAGE - 1)
        once, column = Signal(), late[1]
        index, group = late[2 : 2 + len(self.index)], late[2 + len(self.index) :]
        row = Cat(index, Const(0, exact_log2(self._rows.post) - len(index)), column)
        # `spread` is linear, so the words of a place differ between lanes by constants only.
        shared = [Signal(16, name=f"shared_{k}") for k in range(2)]
        first = Cat(Const(0, pair_bits), group)
        m.d.sync += [
            once.eq(late[0]),
            *(word.eq(part) for word, part in zip(shared, _place(row, first), strict=True)),
        ]
        codes = []
        for pair in range(p.lanes // 2):
            synapses = [self.synapses_written[2 * pair], self.synapses_written[2 * pair + 1]]
            weight = [Mux(s.plastic, s.weight.as_unsigned(), 0) for s in synapses]
            place = tuple(word ^ a.spread(pair, a.SPREAD_PAIR[k]) for k, word in enumerate(shared))
            word = Cat(weight[0], Const(0, 16 - p.weight_width), weight[1])
            code = _code(m, f"pair_{pair}", place, [word], p.digest_rounds)
            valid = self.synapses_stb & once & (synapses[0].plastic | synapses[1].plastic)
            codes.append((valid, code))
        return _sum(m, "pairs", codes, 1 + p.digest_rounds)


def _neuron_words(
    m: Module, lane: int, written: data.View, word_spaces: Sequence[Sequence[Space]]
) -> list[Value]:
    """Return the words of the code of a neuron, each one cycle later than the one before."""
    words: list[Value] = []
    for stage, spaces in enumerate(word_spaces, _LAST_STAGE - len(word_spaces) + 1):
        halves: list[Value] = []
        for space in spaces:
            name, late = space.name.lower(), stage - WRITE_STAGES[space]
            value = Value.cast(getattr(written, name))
            if space is Space.V:
                value = Mux(written.v_moves, value, 0)
            half = Delay(m, f"{name}_{lane}", value, late)[late]
            halves.append(Cat(half, Const(0, max(0, 16 - len(half)))))
        words.append(Cat(*halves))
    return words


def _place(row: Value, column: Value) -> tuple[Value, Value]:
    """Return the two words of `spec.arithmetic.place`, as logic."""
    x, y = (spread(row, a.SPREAD_SPIKED[k]) ^ spread(column, a.SPREAD_PAIR[k]) for k in range(2))
    return x, y


def _code(
    m: Module, name: str, place: tuple[Value, ...], words: Sequence[Value], rounds: int
) -> Value:
    """Return `spec.arithmetic.digest_code` as a pipeline, with a stage for each word and round.

    Each word comes a cycle later than the one before.
    """
    x, y = place
    for step in range(len(words) + rounds):
        if step:
            x, y = mix_round(x, y)
        if step < len(words):
            x, y = x ^ words[step][16:], y ^ words[step][:16]
        next_x, next_y = (Signal(16, name=f"{name}_{half}_{step}") for half in "xy")
        m.d.sync += [next_x.eq(x), next_y.eq(y)]
        x, y = next_x, next_y
    return Cat(x, y)


def _sum(m: Module, name: str, codes: Sequence[tuple[Value, Value]], cycles: int) -> Value:
    """Return the registered exclusive-or of the codes whose first words were valid `cycles` ago."""
    total = Signal(32, name=f"{name}_sum")
    kept = [
        Mux(Delay(m, f"{name}_valid_{k}", valid, cycles)[cycles], code, 0)
        for k, (valid, code) in enumerate(codes)
    ]
    m.d.sync += total.eq(reduce(xor, kept))
    return total
