"""The blocks of currents that are due: one for each group of neurons, and for each receptor."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from spiketwin.hdl.spec.params import CoreParams


class DueBlocks(wiring.Component):
    """The unit that names, one a cycle, the groups whose currents are due in a tick.

    Members
    -------
    start_stb:
        In, begin with the next cycle.
    issue, group, inhibitory:
        Out, a block enters the lane pipeline; its group; with two receptors, whether it is that of
        the second current.
    """

    start_stb: Signal

    def __init__(self, params: CoreParams) -> None:
        self.params = p = params
        super().__init__(
            {
                "start_stb": In(1),
                "issue": Out(1),
                "group": Out(bits_for(p.row_groups - 1)),
                **({"inhibitory": Out(1)} if p.has_two_receptors else {}),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        last = self.group == self.params.row_groups - 1
        with m.If(self.start_stb):
            m.d.sync += [self.issue.eq(1), self.group.eq(0)]
        with m.Elif(self.issue):
            m.d.sync += self.group.eq(self.group + 1)
            with m.If(last):
                m.d.sync += [self.issue.eq(0), self.group.eq(0)]
        if self.params.has_two_receptors:
            with m.If(self.start_stb):
                m.d.sync += self.inhibitory.eq(0)
            with m.Elif(self.issue & last):
                # The first current of all groups, then the second.
                m.d.sync += [self.inhibitory.eq(1), self.issue.eq(~self.inhibitory)]
        return m
