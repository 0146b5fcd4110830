"""Address generation in a core with projections: the blocks of the row that the walker prepared."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from spiketwin.hdl.gateware.core.walker import row_layout
from spiketwin.hdl.gateware.core.weights import BlockAddress
from spiketwin.hdl.spec import schedule
from spiketwin.hdl.spec.params import CoreParams


class WalkedBlocks(wiring.Component):
    """The unit that names the block of synapses which the lane pipeline handles next.

    Members
    -------
    row, take_stb:
        In, the next row or column, and that it begins.
    in_columns:
        In, columns are handled, not rows.
    streaming:
        In, a row or column is under way.
    issue:
        Out, the block enters the pipeline. A short row has cycles without one.
    block, index, group:
        Out, the block, its source or neuron, and its number in a row or column of all.
    constant, added, added_less:
        Out, of the row under way (`walker.row_layout`).
    sparse, rule:
        Out, likewise, with sparse rows, and with rules.
    bumps:
        Out, the first cycle of the first row of a source.
    last:
        Out, the last cycle of the row or column.
    once:
        Out, always 1, as for `blocks.Blocks`.
    """

    def __init__(self, params: CoreParams) -> None:
        self.params = p = params
        row = row_layout(p)
        super().__init__(
            {
                "row": In(row),
                "take_stb": In(1),
                "in_columns": In(1),
                "streaming": In(1),
                "issue": Out(1),
                "block": Out(BlockAddress(p)),
                "index": Out(range(p.n_sources)),
                "group": Out(bits_for(p.column_groups - 1)),
                "constant": Out(1),
                "added": Out(row["added"].shape),
                "added_less": Out(row["added_less"].shape),
                "bumps": Out(1),
                "last": Out(1),
                **({"sparse": Out(1)} if p.has_sparse else {}),
                "once": Out(1),
                **({"rule": Out(p.rule_width)} if p.has_rules else {}),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        p, block = self.params, self.block
        longest = max(p.column_groups, schedule.RELAY * p.max_delay)
        cycles_left = Signal(range(longest + 1))
        blocks_left = Signal(p.source_group_width)
        stride = Signal(p.weight_address_width)
        least: Value = Const(schedule.LEAST_WALKED)
        if p.n_relays:
            relays = schedule.RELAY * self.row.relay_count
            least = Mux(relays < least, least, relays)
        m.d.comb += [
            self.once.eq(1),
            block.column.eq(self.in_columns),
            block.index.eq(self.index[: exact_log2(p.lanes)]),
            self.issue.eq(self.streaming & (blocks_left != 0)),
            self.last.eq(cycles_left == 1),
        ]
        with m.If(self.take_stb):
            m.d.sync += [
                self.index.eq(self.row.index),
                block.word.eq(self.row.word),
                self.group.eq(self.row.group),
                stride.eq(self.row.stride),
                self.constant.eq(self.row.constant),
                self.added.eq(self.row.added),
                self.added_less.eq(self.row.added_less),
                blocks_left.eq(self.row.groups),
                cycles_left.eq(Mux(self.row.groups < least, least, self.row.groups)),
                self.bumps.eq(self.row.first & ~self.in_columns),
            ]
            if p.has_sparse:
                m.d.sync += self.sparse.eq(self.row.sparse)
            if p.has_rules:
                m.d.sync += self.rule.eq(self.row.rule)
        with m.Elif(self.streaming):
            m.d.sync += [
                block.word.eq(block.word + stride),
                self.group.eq(self.group + 1),
                blocks_left.eq(blocks_left - (blocks_left != 0)),
                cycles_left.eq(cycles_left - 1),
                self.bumps.eq(0),
            ]
        return m
