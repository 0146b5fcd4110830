"""The weight matrix in skewed banks, so that rows and columns both stream at `lanes` a cycle.

Weight (i, j) is in bank ``(i + j) mod lanes`` at address ``(j ÷ lanes) · n_sources + i`` (skewed
banking). Lane k of a row or column is in bank ``(k + index) mod lanes``, where the index is that of
the row's source or the column's neuron: a rotation brings words from banks to lanes, the inverse
rotation brings them back.
"""

from __future__ import annotations

from typing import NamedTuple

from amaranth.hdl import Cat, Module, Mux, Shape, Signal, Value, ValueLike
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from spiketwin.hdl.gateware.core.deep_memory import PART_DEPTH, DeepMemory
from spiketwin.hdl.gateware.core.pipeline import times
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.registers import Space
from spiketwin.hdl.spec.variables import ARRAYS, BY_SPACE, Per

READ_LATENCY = 4
"""Cycles from an address to the words in their lanes: memory, two registers, rotation."""

WRITE_LATENCY = 1
"""Cycles from words in their lanes to the write port, for the rotation."""


LINK_LATENCY = 5
"""Cycles from the link's address to its word: a register, and `READ_LATENCY`."""


def synapse_layout(params: CoreParams) -> data.StructLayout:
    """Return the layout of a stored weight, with its plastic flag if learning is built."""
    return data.StructLayout(
        {
            array.name: Shape(array.width(params), array.signed)
            for array in ARRAYS
            if array.per is Per.SYNAPSE and array.is_built(params)
        }
    )


def rotate(words: list[Value], amount: Value) -> list[Value]:
    """Return the words rotated by a barrel shifter: place k has word ``(k + amount) mod n``."""
    for bit in range(len(amount)):
        words = [
            Mux(amount[bit], words[(k + (1 << bit)) % len(words)], word)
            for k, word in enumerate(words)
        ]
    return words


class BlockAddress(wiring.Signature):
    """The address of a block: the `lanes` synapses that are handled in one cycle.

    Members
    -------
    column:
        Whether the block is part of the column of a neuron (1) or of the row of a source (0).
    index:
        Low bits of the number of that neuron or source, which are the rotation.
    word:
        Address in every bank; in a column each bank forms its own low bits.
    half:
        With `single_port_weights`, the half of the word (0 or 1).
    """

    def __init__(self, params: CoreParams) -> None:
        members = {
            "column": Out(1),
            "index": Out(exact_log2(params.lanes)),
            "word": Out(bits_for(params.bank_depth - 1)),
        }
        if params.single_port_weights:
            members["half"] = Out(1)
        super().__init__(members)


class SynapsePort(wiring.Signature):
    """Access of the link to one synapse.

    Members
    -------
    owned:
        The link owns the memory.
    row, column:
        Place of the synapse in the space: its source and its neuron, or with projections what
        `variables.Variable.shape_in` says.
    value, store_stb:
        Write `value`.
    stored:
        The word, `LINK_LATENCY` cycles after its address.
    """

    def __init__(self, params: CoreParams) -> None:
        layout = synapse_layout(params)
        rows, columns = BY_SPACE[Space.WEIGHT].shape_in(params)
        super().__init__(
            {
                "owned": Out(1),
                "row": Out(bits_for(rows - 1)),
                "column": Out(range(columns)),
                "value": Out(layout),
                "store_stb": Out(1),
                "stored": In(layout),
            }
        )


class WeightSignature(wiring.Signature):
    """The members that both weight memories have, with one port and with two.

    Members
    -------
    read, words:
        Address of a block; its words, `READ_LATENCY` cycles later.
    write, w_en, w_words:
        Write a block: its address, the strobe and its words.
    link:
        Access of the link.
    """

    def __init__(self, params: CoreParams) -> None:
        words = data.ArrayLayout(synapse_layout(params), params.lanes)
        super().__init__(
            {
                "read": In(BlockAddress(params)),
                "words": Out(words),
                "write": In(BlockAddress(params)),
                "w_en": In(1),
                "w_words": In(words),
                "link": In(SynapsePort(params)),
            }
        )


class WeightMemory(wiring.Component):
    """All weights and plastic flags, in memories with one read port and one write port.

    The members are those of `WeightSignature`; words that are written are in memory
    `WRITE_LATENCY` + 1 cycles later.
    """

    w_en: Signal

    def __init__(self, params: CoreParams) -> None:
        self.params = params
        self.layout = synapse_layout(params)
        super().__init__(WeightSignature(params))

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        p, link = self.params, self.link
        lanes, lane_bits = p.lanes, exact_log2(p.lanes)

        link_word, link_bank = self._link_place(m)

        def bank_address(block: wiring.FlippedInterface, bank: int) -> Value:
            low = (bank - block.index)[:lane_bits]
            return Mux(block.column, block.word | low, block.word)

        # Lane k goes to bank (k + index), which is a rotation by -index.
        w_words = [Signal(self.layout, name=f"w_word_{k}") for k in range(lanes)]
        w_address = [
            Signal(bits_for(p.bank_depth - 1), name=f"w_address_{k}") for k in range(lanes)
        ]
        w_en = Signal()
        m.d.sync += w_en.eq(self.w_en)
        to_banks = rotate([w.as_value() for w in self.w_words], (-self.write.index)[:lane_bits])
        outputs: list[Value] = []
        for bank in range(lanes):
            memory = self._bank(m, bank)
            m.d.comb += memory.r_address.eq(
                Mux(link.owned, link_word, bank_address(self.read, bank))
            )
            m.d.sync += [
                w_words[bank].eq(to_banks[bank]),
                w_address[bank].eq(bank_address(self.write, bank)),
            ]
            with m.If(link.owned):
                m.d.comb += [
                    memory.w_address.eq(link_word),
                    memory.w_word.eq(link.value),
                    memory.w_en.eq(link.store_stb & (link_bank == bank)),
                ]
            with m.Else():
                m.d.comb += [
                    memory.w_address.eq(w_address[bank]),
                    memory.w_word.eq(w_words[bank]),
                    memory.w_en.eq(w_en),
                ]
            second = Signal(self.layout, name=f"r_word_{bank}_1")
            m.d.sync += second.eq(memory.r_word)
            outputs.append(second.as_value())

        index = self.read.index
        for stage in range(READ_LATENCY - 1):
            delayed = Signal(lane_bits, name=f"r_index_{stage}")
            m.d.sync += delayed.eq(index)
            index = delayed
        in_lanes = rotate(outputs, index)
        m.d.sync += [self.words[k].eq(word) for k, word in enumerate(in_lanes)]
        m.d.sync += link.stored.eq(_pick(outputs, link_bank))
        return m

    def _link_place(self, m: Module) -> tuple[Signal, Signal]:
        """Return word and bank of the synapse that the link names, a cycle later."""
        p, link, lane_bits = self.params, self.link, exact_log2(self.params.lanes)
        link_word = Signal(bits_for(p.bank_depth - 1))
        link_bank = Signal(lane_bits)
        if p.has_projections:
            m.d.sync += [
                link_word.eq(Cat(link.column[lane_bits:], link.row)),
                link_bank.eq(link.column),
            ]
        else:
            m.d.sync += [
                link_word.eq(times(link.column >> lane_bits, p.n_sources) + link.row),
                link_bank.eq(link.row + link.column),
            ]
        return link_word, link_bank

    def _bank(self, m: Module, number: int) -> _Bank:
        """Make the memory of a bank, with a register behind it."""
        depth = self.params.bank_depth
        name = f"bank_{number}"
        # The banks of a core without projections are left as they are.
        if self.params.has_projections and depth > PART_DEPTH:
            m.submodules[name] = deep = DeepMemory(self.layout, depth)
            return _Bank(deep.r_address, deep.r_word, deep.w_address, deep.w_word, deep.w_en)
        memory: Memory = Memory(shape=self.layout, depth=depth, init=[])
        m.submodules[name] = memory
        read, write = memory.read_port(), memory.write_port()
        word = Signal(self.layout, name=f"r_word_{number}_0")
        m.d.sync += word.eq(read.data)
        return _Bank(read.addr, word, write.addr, write.data, write.en)


class _Bank(NamedTuple):
    """The ports of the memory of a bank, as those of `deep_memory.DeepMemory`."""

    r_address: Value
    r_word: Value | data.View
    w_address: Value
    w_word: Value | data.View
    w_en: Value


def _pick(words: list[Value], number: Value) -> ValueLike:
    """Return the word with the given number."""
    return rotate(words, number)[0]
