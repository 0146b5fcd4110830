"""The timer of a fixed tick period: when the next tick is due, and whether it is late."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class TickTimer(wiring.Component):
    """A down-counter to the next tick, to which a period is added as each tick begins.

    The first tick after the period was written begins at any time; the others are due whole periods
    after it. There is a single adder, which either counts down or adds the period; the cycle in
    which it adds the period, early in a tick, is counted in the next cycle.

    The register `slack` holds the cycles that the next tick has to wait, minus one: the tick is due
    if it is below 0. A simulation may write `slack`, to skip the waiting.

    Members
    -------
    period_stb, has_period:
        In, the period is written; it is not 0, which would be free-running.
    start_stb:
        In, a tick begins.
    fetched_stb, period:
        In, the period was fetched, and is to be added; its value.
    real_time:
        Out, ticks have a period.
    on_grid:
        Out, a tick has begun since the period was written: ticks are due a period apart.
    due:
        Out, the next tick may begin.
    late:
        Out, the next tick was due a cycle ago already.
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
        # The carry chain is long and the output of memory slow, so a register separates them.
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
