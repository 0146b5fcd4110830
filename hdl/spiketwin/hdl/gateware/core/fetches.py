"""Fetches of registers that are only in the memory: the moment of each within a tick."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Final

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spiketwin.hdl.gateware.core.pipeline import Delay
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.registers import registers

FETCHED: Final = (
    "tick_period", "seed", "pre_gain", "pre_offset", "post_gain", "post_offset",
)  # fmt: skip
"""Registers without flip-flops, which are only in the memory of the register file. Each is needed
at one moment of a tick, and fetched then. Flip-flops for all of them, and a multiplexer behind,
would take as much logic as a pipeline."""


class RegisterFetches(wiring.Component):
    """The unit that fetches the registers of `FETCHED`, one a cycle, each at its moment.

    Members
    -------
    run_stb, tick_stb, update_stb, end_stb:
        In, a run begins; the first cycle of a tick, and of *Update*; the last cycle of a tick.
    <name>_stb:
        Out, fetch this register.
    <name>_fetched:
        Out, a cycle later: the register is at the output of the register file.
    fetching:
        Out, one of the registers is being fetched.
    """

    run_stb: Signal
    tick_stb: Signal
    update_stb: Signal
    end_stb: Signal
    fetching: Signal

    def __init__(self, params: CoreParams) -> None:
        self.names = [r.name for r in registers(params) if r.name in FETCHED]
        super().__init__(
            {
                "run_stb": In(1),
                "tick_stb": In(1),
                "update_stb": In(1),
                "end_stb": In(1),
                **{f"{name}_stb": Out(1) for name in self.names},
                **{f"{name}_fetched": Out(1) for name in self.names},
                "fetching": Out(1),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        began = Delay(m, "began", self.tick_stb, 2)
        updating = Delay(m, "updating", self.update_stb, 1)
        # Rows and columns begin long after tick and *Update*, which leaves time for gain and
        # offset. The seed is needed by a tick that may begin in the next cycle.
        moments: dict[str, Value] = {
            "tick_period": began[2],
            "seed": self.end_stb | self.run_stb,
            "pre_gain": began[0],
            "pre_offset": began[1],
            "post_gain": updating[0],
            "post_offset": updating[1],
        }
        for name in self.names:
            m.d.comb += getattr(self, f"{name}_stb").eq(moments[name])
            m.d.sync += getattr(self, f"{name}_fetched").eq(moments[name])
        m.d.comb += self.fetching.eq(reduce(or_, (moments[name] for name in self.names)))
        return m
