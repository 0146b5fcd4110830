"""Counters of saturations, which can happen in several lanes in the same cycle.

The counters observe what the units write, two cycles late, so that nothing in a tick waits for
them.
"""

from __future__ import annotations

from collections.abc import Mapping

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.registers import SATURATIONS


def lanes_watched(params: CoreParams) -> Mapping[str, int]:
    """Return in how many lanes the event of each counter can happen in a cycle.

    Counters of events that never happen in a core of these sizes are missing.
    """
    p = params
    return {
        "i_syn_saturations": p.lanes,
        "v_saturations": p.neuron_lanes,
        "theta_saturations": p.neuron_lanes,
        "weight_saturations": p.lanes if p.learning else 0,
    }


class SaturationCounters(wiring.Component):
    """The counters `spec.registers.SATURATIONS`.

    Members
    -------
    clear_stb:
        In, set all counters to 0.
    <counter>_lanes:
        In, the lanes in which the event happens in this cycle; missing if it never happens.
    <counter>:
        Out, the counter.
    """

    clear_stb: Signal

    def __init__(self, params: CoreParams) -> None:
        self.lanes = lanes_watched(params)
        super().__init__(
            {
                "clear_stb": In(1),
                **{f"{name}_lanes": In(lanes) for name, lanes in self.lanes.items() if lanes},
                **{c.name: Out(c.width) for c in SATURATIONS},
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        for counter in SATURATIONS:
            lanes = self.lanes[counter.name]
            if not lanes:
                continue
            count = getattr(self, counter.name)
            happened = Signal(range(lanes + 1), name=f"{counter.name}_now")
            m.d.sync += happened.eq(sum(getattr(self, f"{counter.name}_lanes")))
            total = count + happened
            m.d.sync += count.eq(Mux(total[-1], (1 << counter.width) - 1, total))
            with m.If(self.clear_stb):
                m.d.sync += count.eq(0)
        return m
