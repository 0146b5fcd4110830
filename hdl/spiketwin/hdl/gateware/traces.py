"""`trace_pre`: bumped as a source's row begins, decayed for every source in *Update*."""

from __future__ import annotations

from amaranth.hdl import Array, Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from spiketwin.hdl.gateware import decay, state_memory
from spiketwin.hdl.gateware.pipeline import Delay, bumped, sub_word_enables
from spiketwin.hdl.spec.arithmetic import DECAY_BITS
from spiketwin.hdl.spec.params import CoreParams

READ = state_memory.READ_LATENCY
BUMP_WRITE = READ + 1
DECAY_WRITE = READ + decay.DECAY_LATENCY


class SourceTraces(wiring.Component):
    """The unit that keeps `trace_pre`.

    Members
    -------
    bump_stb, source:
        In, a source spiked.
    issue, group:
        In, a group of `source_lanes` sources decays.
    decay_code, bump_by, replace:
        In, registers.
    r_address, r_data, w_address, w_data, w_en:
        To the memory of the traces, `lanes` to a word.
    """

    def __init__(self, params: CoreParams) -> None:
        self.params = p = params
        word = data.ArrayLayout(unsigned(p.trace_width), p.lanes)
        address = bits_for(p.column_groups - 1)
        super().__init__(
            {
                "bump_stb": In(1),
                "source": In(range(p.n_sources)),
                "issue": In(1),
                "group": In(range(p.n_sources // p.source_lanes)),
                "decay_code": In(DECAY_BITS),
                "bump_by": In(p.trace_width),
                "replace": In(1),
                "r_address": Out(address),
                "r_data": In(word),
                "w_address": Out(address),
                "w_data": Out(word),
                "w_en": Out(p.lanes),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        p = self.params
        lane_bits = exact_log2(p.lanes)
        sub_bits = exact_log2(p.lanes // p.source_lanes)

        bump = Delay(m, "bump", self.bump_stb, BUMP_WRITE)
        source = Delay(m, "source", self.source, BUMP_WRITE)
        issue = Delay(m, "issue", self.issue, DECAY_WRITE)
        group = Delay(m, "group", self.group, DECAY_WRITE)
        m.d.comb += self.r_address.eq(
            Mux(self.issue, self.group >> sub_bits, self.source >> lane_bits)
        )

        old = Signal(p.trace_width)
        new = Signal(p.trace_width)
        m.d.comb += old.eq(Array(self.r_data)[source[READ][:lane_bits]])
        m.d.sync += new.eq(bumped(old, self.bump_by, self.replace))

        decayed = []
        for lane in range(p.source_lanes):
            m.submodules[f"decay_{lane}"] = unit = decay.Decay(unsigned(p.trace_width))
            choices = [self.r_data[k] for k in range(lane, p.lanes, p.source_lanes)]
            m.d.comb += [
                unit.value.eq(Array(choices)[group[READ][:sub_bits]]),
                unit.code.eq(self.decay_code),
            ]
            decayed.append(unit.result)

        with m.If(bump[BUMP_WRITE]):
            m.d.comb += [
                self.w_address.eq(source[BUMP_WRITE] >> lane_bits),
                self.w_en.eq(Const(1, p.lanes) << source[BUMP_WRITE][:lane_bits]),
            ]
            m.d.comb += [self.w_data[k].eq(new) for k in range(p.lanes)]
        with m.Else():
            m.d.comb += [
                self.w_address.eq(group[DECAY_WRITE] >> sub_bits),
                self.w_en.eq(sub_word_enables(issue, group, DECAY_WRITE, sub_bits, p.source_lanes)),
            ]
            m.d.comb += [self.w_data[k].eq(decayed[k % p.source_lanes]) for k in range(p.lanes)]
        return m
