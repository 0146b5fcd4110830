"""The drift of plastic weights: a sum for each rule instead of a pass over all synapses."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spiketwin.hdl.gateware.core.pipeline import Delay, beyond, saturated
from spiketwin.hdl.gateware.core.profiles import Table, TableWrites
from spiketwin.hdl.gateware.core.state_memory import READ_LATENCY
from spiketwin.hdl.gateware.core.vectors import vectors
from spiketwin.hdl.spec.arithmetic import STEP_BITS
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.registers import Space


class Drifts(wiring.Component):
    """The unit that lets a tick of drift pass, one rule a cycle, while neurons are updated.

    Members
    -------
    rule:
        In, the rule of a block.
    drift:
        Out, `READ_LATENCY` cycles later: by what its plastic weights act more than they are stored
        as. Not while neurons are updated, when no block needs it.
    start_stb:
        In, the first cycle of *Update*, in a tick that learns.
    rules:
        In, what is written to the table of rules.
    drift_sum:
        Access to the array.
    summed_stb, summed_rule, total, saturates:
        Out, the sum of this rule becomes the total, which is cut to its width.
    """

    def __init__(self, params: CoreParams) -> None:
        self.params = p = params
        super().__init__(
            {
                "rule": In(p.rule_width),
                "drift": Out(signed(p.weight_width)),
                "start_stb": In(1),
                "rules": In(TableWrites(p, Space.RULE_TABLE)),
                "drift_sum": Out(vectors(p)[Space.DRIFT_SUM]),
                "summed_stb": Out(1),
                "summed_rule": Out(p.rule_width),
                "total": Out(signed(p.drift_width)),
                "saturates": Out(1),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        p, memory = self.params, self.drift_sum
        # *Update* takes `schedule.NEURON_DRAIN` cycles at least, which are enough for eight rules.
        number, busy = Signal(range(p.n_rules)), Signal()
        with m.If(self.start_stb):
            m.d.sync += [number.eq(0), busy.eq(1)]
        with m.Elif(busy):
            m.d.sync += [number.eq(number + 1), busy.eq(number != p.n_rules - 1)]
        numbers = Delay(m, "number", number, READ_LATENCY + 1)
        valid = Delay(m, "valid", busy, READ_LATENCY + 1)
        table = Table(m, p, Space.RULE_TABLE, self.rules)
        step = table.held("drift", numbers[READ_LATENCY - 1], "drift_of_rule")
        total = Signal(signed(p.drift_width + 1))
        m.d.sync += total.eq(memory.r_part[0] + step)
        m.d.comb += [
            memory.r_address.eq(Mux(busy, number, self.rule)),
            self.drift.eq(memory.r_part[0] >> STEP_BITS),
            self.summed_stb.eq(valid[READ_LATENCY + 1]),
            self.summed_rule.eq(numbers[READ_LATENCY + 1]),
            self.total.eq(saturated(total, p.drift_width)),
            self.saturates.eq(self.summed_stb & beyond(total, p.drift_width)),
            memory.w_address.eq(self.summed_rule),
            memory.w_en.eq(self.summed_stb),
        ]
        with m.If(self.summed_stb):
            m.d.comb += memory.w_data[0].eq(self.total)
        return m
