"""Address generation: the blocks of synapses of a row or column, one after the other."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Mux, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from spiketwin.hdl.gateware.core.pipeline import times
from spiketwin.hdl.gateware.core.weights import BlockAddress
from spiketwin.hdl.spec.params import CoreParams


class Blocks(wiring.Component):
    """The unit that names the block of synapses which the lane pipeline handles next.

    Members
    -------
    take_stb:
        In, the next row or column begins.
    is_axon, axon, neuron:
        In, whether the row is that of an axon, and the number of that axon or neuron.
    in_columns:
        In, columns are handled, not rows.
    issue:
        In, the block enters the pipeline, and the next block is due.
    block, index, group:
        Out, the block, its source or neuron, and its place in the row or column.
    is_first, last_of_row, last_of_column:
        Out, the block is the first one of a row; it is the last one of a row, or of a column.
    word_over:
        Out, the next block needs another word of memory: always 1 unless weights have one port.
    once:
        Out, the block is issued for the last time: in columns of `single_port_weights` each block
        is issued twice.
    rewind_stb, phase:
        With `single_port_weights`: In, rows or columns begin in an even number of cycles; Out, the
        phase of the memory (`single_port_weights`).
    """

    def __init__(self, params: CoreParams) -> None:
        self.params = p = params
        super().__init__(
            {
                "take_stb": In(1),
                "is_axon": In(1),
                "axon": In(bits_for(p.n_axons - 1)),
                "neuron": In(range(p.n_neurons)),
                "in_columns": In(1),
                "issue": In(1),
                "block": Out(BlockAddress(p)),
                "index": Out(range(p.n_sources)),
                "group": Out(bits_for(p.column_groups - 1)),
                "is_first": Out(1),
                "last_of_row": Out(1),
                "last_of_column": Out(1),
                "word_over": Out(1),
                "once": Out(1),
                **({"rewind_stb": In(1), "phase": Out(1)} if p.single_port_weights else {}),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        p, index, group, in_columns = self.params, self.index, self.group, self.in_columns
        lane_bits = exact_log2(p.lanes)
        word = self.block.word
        next_word = word + Mux(in_columns, p.lanes, p.n_sources)
        # A memory with one port reads a word in phase 0, which is then used for two cycles.
        word_over: Value = Const(1)
        if p.single_port_weights:
            word_over = self.phase
            m.d.sync += self.phase.eq(~self.phase & ~self.rewind_stb)
            m.d.comb += self.block.half.eq(Mux(in_columns, index[lane_bits], group[0]))
        m.d.comb += [
            self.block.column.eq(in_columns),
            self.block.index.eq(index[:lane_bits]),
            self.is_first.eq(group == 0),
            self.last_of_row.eq(group == p.row_groups - 1),
            self.last_of_column.eq(word_over & (group == p.column_groups - 1)),
            self.word_over.eq(word_over),
            self.once.eq(word_over | ~in_columns),
        ]
        # No axon is active in columns any more, so `is_axon` can be tested first in both cases.
        source = self.neuron + p.n_axons
        base = times((self.neuron >> lane_bits) // p.weights_per_word, p.n_sources)
        with m.If(self.take_stb):
            m.d.sync += [
                index.eq(Mux(self.is_axon, self.axon, Mux(in_columns, self.neuron, source))),
                word.eq(Mux(self.is_axon, self.axon, Mux(in_columns, base, source))),
                group.eq(0),
            ]
        with m.Elif(self.issue):
            with m.If(word_over):
                m.d.sync += word.eq(next_word)
            with m.If(word_over | ~in_columns):
                m.d.sync += group.eq(group + 1)
        return m
