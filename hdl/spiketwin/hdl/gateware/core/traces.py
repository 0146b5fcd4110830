"""`trace_pre`: bumped as a source's row begins, decayed for every source in *Update*.

So it is with `history`, which a spike marks and *Update* shifts.
"""

from __future__ import annotations

from typing import Final

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from spiketwin.hdl.gateware.core import decay
from spiketwin.hdl.gateware.core.pipeline import Delay, bump, part_enables
from spiketwin.hdl.gateware.core.profiles import Constants, TableWrites
from spiketwin.hdl.gateware.core.register_file import RegisterValues
from spiketwin.hdl.gateware.core.state_memory import READ_LATENCY
from spiketwin.hdl.gateware.core.vectors import vectors
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.registers import Space

BUMP_WRITE = READ_LATENCY + 1
DECAY_WRITE = READ_LATENCY + decay.DECAY_LATENCY


SETTINGS: Final = (
    "trace_pre_decay", "trace_pre_decay_shift", "trace_pre_bump", "trace_pre_replace",
)  # fmt: skip
"""The registers that the unit of `trace_pre` uses."""


class SourceTraces(wiring.Component):
    """The unit that bumps and decays `trace_pre`.

    In a core with profiles a bump is written a cycle later than `BUMP_WRITE`, as its size has to be
    looked up: a row takes at least four cycles, so the next bump still finds it written.

    Members
    -------
    bump_stb, source:
        In, a source spiked.
    issue, group:
        In, a group of `source_lanes` sources decays.
    settings:
        In, the registers `SETTINGS`.
    trace_pre:
        Access to the vector.
    history:
        With windows: access to the vector, which is read and written with `trace_pre`.
    profiles, source_profile:
        In a core with profiles: In, what is written to their table; access to the vector.
    """

    def __init__(self, params: CoreParams) -> None:
        self.params = p = params
        super().__init__(
            {
                "bump_stb": In(1),
                "source": In(range(p.n_sources)),
                "issue": In(1),
                "group": In(range(p.n_sources // p.source_lanes)),
                "settings": In(RegisterValues(p, SETTINGS)),
                "trace_pre": Out(vectors(p)[Space.TRACE_PRE]),
                **({"history": Out(vectors(p)[Space.HISTORY])} if p.window_bits else {}),
                **(
                    {
                        "profiles": In(TableWrites(p, Space.PROFILE_TABLE)),
                        "source_profile": Out(vectors(p)[Space.SOURCE_PROFILE]),
                    }
                    if p.has_profiles
                    else {}
                ),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        p = self.params
        memory = self.trace_pre
        parts = p.lanes // p.source_lanes
        part_bits, within_part = exact_log2(parts), exact_log2(p.source_lanes)

        # A bump is handled as a group of one source, by the same pipeline as decay.
        bump_write = BUMP_WRITE + p.has_profiles
        bumps = Delay(m, "bumps", self.bump_stb, bump_write)
        issue = Delay(m, "issue", self.issue, DECAY_WRITE)
        group = Mux(self.issue, self.group, self.source >> within_part)
        groups = Delay(m, "group", group[: len(self.group)], DECAY_WRITE)
        lane = Delay(m, "lane", self.source[:within_part], bump_write)
        m.d.comb += [
            memory.r_address.eq(groups[0][part_bits:]),
            memory.part.eq(groups[READ_LATENCY][:part_bits]),
        ]
        if p.has_profiles:
            m.d.comb += self.source_profile.r_address.eq(groups[0])
        old = memory.r_part[lane[READ_LATENCY]]
        of_bump = self._constants(m, "bump", lane[READ_LATENCY])
        bumped = Signal(p.trace_width)
        bump(
            m, Delay(m, "bumping", old, 1)[1] if p.has_profiles else old,
            of_bump.at(READ_LATENCY + 1, "trace_pre_bump"),
            replace=of_bump.at(READ_LATENCY + 1, "trace_pre_replace"), spiked=Const(1),
            result=bumped,
        )  # fmt: skip
        decayed = [self._decayed(m, k) for k in range(p.source_lanes)]
        with m.If(bumps[bump_write]):
            part = groups[bump_write][:part_bits]
            enables = part_enables(Const(1), part, parts, p.source_lanes)
            within = Const(1, p.source_lanes) << lane[bump_write]
            m.d.comb += [
                memory.w_address.eq(groups[bump_write][part_bits:]),
                memory.w_en.eq(enables & within[: p.source_lanes].replicate(parts)),
            ]
            m.d.comb += [memory.w_data[k].eq(bumped) for k in range(p.lanes)]
        with m.Elif(issue[DECAY_WRITE]):
            part = groups[DECAY_WRITE][:part_bits]
            m.d.comb += [
                memory.w_address.eq(groups[DECAY_WRITE][part_bits:]),
                memory.w_en.eq(part_enables(Const(1), part, parts, p.source_lanes)),
            ]
            m.d.comb += [memory.w_data[k].eq(decayed[k % p.source_lanes]) for k in range(p.lanes)]
        if p.window_bits:
            self._keep_history(m, lane, bumps[bump_write], issue[DECAY_WRITE])
        return m

    def _keep_history(self, m: Module, lane: Delay, marks: Value, shifts: Value) -> None:
        """Mark the history of a source that spiked, and shift all in *Update*.

        `lane` is that of the source that is marked; `marks` and `shifts` say what is written.
        """
        p, memory, traces = self.params, self.history, self.trace_pre
        m.d.comb += [
            memory.r_address.eq(traces.r_address),
            memory.part.eq(traces.part),
            memory.w_address.eq(traces.w_address),
            memory.w_en.eq(traces.w_en),
        ]
        bump_write = BUMP_WRITE + p.has_profiles
        old = Delay(m, "history", memory.r_part[lane[READ_LATENCY]], bump_write - READ_LATENCY)
        marked = old[bump_write - READ_LATENCY] | (1 << p.window_bits)
        wait = DECAY_WRITE - READ_LATENCY
        for k in range(p.lanes):
            with m.If(marks):
                m.d.comb += memory.w_data[k].eq(marked)
        for k in range(p.source_lanes):
            past = Delay(m, f"past_{k}", memory.r_part[k], wait)[wait]
            shifted = Cat(past[-1], past[: p.window_bits - 1])
            for each in range(k, p.lanes, p.source_lanes):
                with m.If(~marks & shifts):
                    m.d.comb += memory.w_data[each].eq(shifted)

    def _decayed(self, m: Module, k: int) -> Value:
        """Return the trace of one lane after its decay."""
        p = self.params
        m.submodules[f"decay_{k}"] = unit = decay.Decay(
            unsigned(p.trace_width), shifts=p.decay_shift, varies=p.has_profiles
        )
        of_source = self._constants(m, f"source_{k}", Const(k))
        late = READ_LATENCY + 1
        m.d.comb += [
            unit.value.eq(self.trace_pre.r_part[k]),
            unit.code.eq(of_source.at(late, "trace_pre_decay")),
        ]
        if p.decay_shift:
            m.d.comb += unit.shift.eq(of_source.at(late, "trace_pre_decay_shift"))
        return unit.result

    def _constants(self, m: Module, name: str, lane: Value) -> Constants:
        """Return the constants of the source in a lane of the group that has been read."""
        writes = self.profiles if self.params.has_profiles else None
        return Constants(
            m, self.params, self.settings, writes, name,
            lambda _stage: self.source_profile.r_part[lane],
        )  # fmt: skip
