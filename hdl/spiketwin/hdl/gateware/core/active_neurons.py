"""Which neurons are active sources of a tick, as flags that constant projections look at."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from spiketwin.hdl.spec.params import CoreParams

FLAGS_LATENCY = 2
"""Cycles from a group to its flags: memory and a register."""


class ActiveNeurons(wiring.Component):
    """A flag for each neuron that is an active source; *Update* sets all of them to 0.

    Members
    -------
    set_stb, neuron:
        In, the neuron is an active source of this tick.
    updating:
        In, *Update* is under way, which takes longer than going over all groups.
    group, flags:
        In, a group of `lanes` neurons; Out, their flags, `FLAGS_LATENCY` cycles later.
    """

    set_stb: Signal
    updating: Signal

    def __init__(self, params: CoreParams) -> None:
        self.params = p = params
        super().__init__(
            {
                "set_stb": In(1),
                "neuron": In(range(p.n_neurons)),
                "updating": In(1),
                "group": In(bits_for(p.row_groups - 1)),
                "flags": Out(p.lanes),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        p, lane_bits = self.params, exact_log2(self.params.lanes)
        memory: Memory = Memory(shape=p.lanes, depth=p.row_groups, init=[])
        m.submodules.memory = memory
        read, write = memory.read_port(), memory.write_port(granularity=1)
        cleared = Signal(bits_for(p.row_groups - 1))
        m.d.comb += [
            read.addr.eq(self.group),
            write.addr.eq(self.neuron >> lane_bits),
            write.data.eq(~Const(0, p.lanes)),
        ]
        for lane in range(p.lanes):
            m.d.comb += write.en[lane].eq(self.set_stb & (self.neuron[:lane_bits] == lane))
        with m.If(self.updating):
            m.d.comb += [write.addr.eq(cleared), write.data.eq(0), write.en.eq(~Const(0, p.lanes))]
            m.d.sync += cleared.eq(cleared + 1)
        with m.Else():
            m.d.sync += cleared.eq(0)
        m.d.sync += self.flags.eq(read.data)
        return m
