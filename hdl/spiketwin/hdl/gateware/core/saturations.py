"""Counters of what saturated: any number of lanes in a cycle, each counted.

They listen where the units write, two cycles behind, so that nothing in a tick waits for them.
"""

from __future__ import annotations

from collections.abc import Mapping

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.registers import SATURATIONS


def lanes_watched(params: CoreParams) -> Mapping[str, int]:
    """Lanes in which each counter's event can happen in one cycle; none where it never does."""
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
        In, set them to 0.
    <counter>_lanes:
        In, the lanes in which it happens in this cycle; missing where it never does.
    <counter>:
        Out.
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
