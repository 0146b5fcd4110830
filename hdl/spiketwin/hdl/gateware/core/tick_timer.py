"""Real time: when the next tick is due, and whether it is late."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class TickTimer(wiring.Component):
    """Counts down to the next tick, and adds a period as one begins.

    The first tick after the period was written is when it likes; the others follow it. A single
    adder does it all: the cycle in which the period is added, early in a tick, is counted with the
    next one.

    The register `slack` holds the cycles that the next tick has yet to wait, less one: the tick is
    due below 0. A simulation may write it, to pass over the waiting.

    Members
    -------
    period_stb, has_period:
        In, the period is written, and whether it is one: 0 is free-running.
    start_stb:
        In, a tick begins.
    fetched_stb, period:
        In, the period was fetched, and is to be added.
    real_time:
        Out, ticks have a period.
    on_grid:
        Out, a tick has begun since the period was written: ticks are due a period apart.
    due:
        Out, the next tick may begin.
    late:
        Out, it was due before.
    """

    period_stb: Signal
    has_period: Signal
    start_stb: Signal
    fetched_stb: Signal
    period: Signal
    real_time: Signal
    on_grid: Signal
    due: Signal
    late: Signal

    def __init__(self) -> None:
        super().__init__(
            {
                "period_stb": In(1),
                "has_period": In(1),
                "start_stb": In(1),
                "fetched_stb": In(1),
                "period": In(32),
                "real_time": Out(1),
                "on_grid": Out(1),
                "due": Out(1),
                "late": Out(1),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        slack = Signal(signed(40), init=-1)
        most_late = slack[-2:] == 0b10
        # The sum is long, and memory slow to come out: a register is between.
        adding = Signal()
        waited = Cat(~adding, Const(-1, len(slack) - 1))
        step = Signal(len(slack), init=-1)
        m.d.comb += self.due.eq(slack < 0)
        m.d.sync += [
            self.late.eq(self.due & self.on_grid & ~self.period_stb),
            adding.eq(self.fetched_stb),
            step.eq(Mux(self.fetched_stb, self.period, waited)),
        ]
        with m.If(self.period_stb):
            m.d.sync += [
                self.real_time.eq(self.has_period),
                self.on_grid.eq(0),
                slack.eq(-1),
            ]
        with m.Elif(self.start_stb | adding | (self.on_grid & ~most_late)):
            m.d.sync += [self.on_grid.eq(1), slack.eq(slack + step)]
        return m
