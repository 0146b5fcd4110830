"""The controller with the unit that names the blocks of synapses it asks for."""

from typing import Any

from amaranth.hdl import Elaboratable, Module

from spiketwin.hdl.gateware.core.blocks import Blocks
from spiketwin.hdl.gateware.core.walked_blocks import WalkedBlocks
from spiketwin.hdl.spec.params import CoreParams


def states(p: CoreParams) -> dict[str, int]:
    """Return the number of each state of the controller: they are in the order of first mention."""
    probes = ["PROBES"] * (p.probe_ranges > 0)
    rows = ["ROWS", "ROW_WAIT", "UPDATE", "ROW_REPEAT", "ROW_DRAIN", "COLUMN_LEAD"]
    behind = ["END", "COLUMNS", "COLUMN_DRAIN"]
    if p.has_projections:
        repeat = ["ROW_REPEAT"] * p.learning
        rows = ["ROW_WAIT", "UPDATE", "ROWS", *repeat, "ROW_DRAIN", "COLUMN_LEAD"]
        if p.has_synapse_delays:
            rows = ["DUE", "ROWS", *repeat, "ROW_WAIT", "ROW_DRAIN", "UPDATE", "COLUMN_LEAD"]
        behind = ["END", "COLUMN_WAIT", "COLUMNS", "COLUMN_DRAIN"]
    built = ["WAIT", "LEAD", *rows, *probes, *behind]
    return {name: number for number, name in enumerate(built)}


class Ticks(Elaboratable):
    """The controller of a core with a single matrix, or with projections, and its blocks."""

    def __init__(self, controller: Any, p: CoreParams) -> None:
        self.controller = controller(p)
        self.blocks: Any = (WalkedBlocks if p.has_projections else Blocks)(p)

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        c, blocks = self.controller, self.blocks
        m.submodules.controller, m.submodules.blocks = c, blocks
        m.d.comb += blocks.in_columns.eq(c.in_columns)
        if c.params.has_projections:
            m.d.comb += [
                blocks.take_stb.eq(c.take_row_stb),
                blocks.streaming.eq(c.streaming),
                c.row_last.eq(blocks.last),
            ]
            return m
        m.d.comb += [
            blocks.take_stb.eq(c.take_axon_stb | c.take_neuron_stb),
            blocks.issue.eq(c.issue),
        ]
        for name in ("is_first", "last_of_row", "last_of_column", "word_over"):
            m.d.comb += getattr(c, name).eq(getattr(blocks, name))
        return m
