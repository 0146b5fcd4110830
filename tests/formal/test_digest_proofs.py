"""The digest is the exclusive-or of the codes of all that is written, each in its cycle."""

from functools import reduce
from operator import and_, xor
from typing import Any

import pytest
from amaranth.hdl import Cat, Const, Mux, Signal, Value
from support.benches import Bench, Traced
from support.provers import Refuted, prove_by_induction
from support.rungs import bulk_but
from support.seeded import Bug, named

from spiketwin.hdl.gateware.core import weights
from spiketwin.hdl.gateware.core.digest import Digest, source_layout, written_layout
from spiketwin.hdl.gateware.core.neurons import WRITE_STAGES
from spiketwin.hdl.gateware.core.synapses import WEIGHT_WRITE_STAGE
from spiketwin.hdl.spec import arithmetic as a
from spiketwin.hdl.spec.params import CoreParams, preset
from spiketwin.hdl.spec.registers import Space

SIZE = "tiny,digest_rounds=1"
LAST = WRITE_STAGES[Space.THETA]
CYCLES = 18
"""Cycles after which nothing of before counts."""


def bench(unit: Any, kind: str) -> Bench:
    """One kind of what is written, with any values, in any cycle; the others are silent.

    The sums of all kinds are combined by nothing but an exclusive-or.
    """
    b, params = Bench(), preset(SIZE)
    digest = b.unit(unit(params))
    end = b.free("end_stb")
    b.m.d.comb += digest.end_stb.eq(end)
    rounds = params.digest_rounds
    codes = {"neurons": neurons, "sources": sources, "synapses": synapses}[kind](b, digest, params)
    later = Signal(32, name="later")
    b.m.d.comb += later.eq(reduce(xor, (b.past(code, 2 + rounds) for code in codes)))
    # What ends leaves the digest at 0, also in the cycle in which it is over.
    gone = b.past(end, 3 + rounds)
    value = b.tell("digest", digest.value)
    expected = b.tell("specified", Mux(gone, 0, b.past(value) ^ b.past(later)))
    ready = b.age(CYCLES - 1) == CYCLES - 1
    b.check("as_specified", ~ready | (value == expected))
    return b


def code(b: Bench, valid: Any, row: Any, column: Any, words: list[Any]) -> Value:
    """The code of what was written at a place, if anything was."""
    rounds = preset(SIZE).digest_rounds
    traced = [Traced(b, word) for word in words]
    found = a.digest_code(row, Traced(b, column), traced, rounds)  # type: ignore[arg-type]
    result: Value = Mux(valid, Value.cast(getattr(found, "value", 0)), 0)[:32]
    return result


def counted(b: Bench, strobe: Any, groups: int) -> Signal:
    """The number of the group that comes with a strobe; behind the last one there is a pause."""
    group = Signal(range(groups), name="counted")
    b.m.d.sync += group.eq(Mux(strobe, group + 1, 0))
    before = reduce(and_, (b.past(strobe, k) for k in range(1, groups + 1)))
    b.assume(~(before & strobe))
    return group


def neurons(b: Bench, digest: Any, p: CoreParams) -> list[Value]:
    """The strobe comes with the counters, and a neuron is complete with its `theta`."""
    ago = {space: LAST - stage for space, stage in WRITE_STAGES.items()}
    stb = b.free("neurons_stb")
    b.m.d.comb += digest.neurons_stb.eq(stb)
    begun = ago[Space.REFRAC_COUNT]
    group = b.past(counted(b, stb, p.neuron_groups), begun)
    codes = []
    for lane in range(p.neuron_lanes):
        written = b.free(f"neuron_{lane}", written_layout(p))
        b.m.d.comb += digest.neurons_written[lane].eq(written)
        words = [
            b.past(written.i_syn, ago[Space.I_SYN]),
            b.past(Mux(written.v_moves, written.v, 0), ago[Space.V]),
            b.past(Cat(written.trace_post, Const(0, 16 - p.trace_width)), ago[Space.TRACE_POST])
            | b.past(written.refrac_count, begun) << 16,
            written.theta,
        ]
        place = 2 * 4096, group * p.neuron_lanes + lane
        codes.append(code(b, b.past(stb, begun), *place, words))
    return codes


def sources(b: Bench, digest: Any, p: CoreParams) -> list[Value]:
    stb = b.free("sources_stb")
    b.m.d.comb += digest.sources_stb.eq(stb)
    group = counted(b, stb, p.n_sources // p.source_lanes)
    codes = []
    for lane in range(p.source_lanes):
        written = b.free(f"source_{lane}", source_layout(p))
        b.m.d.comb += digest.sources_written[lane].eq(written)
        place = 3 * 4096, group * p.source_lanes + lane
        codes.append(code(b, stb, *place, [written.trace_pre]))
    return codes


def synapses(b: Bench, digest: Any, p: CoreParams) -> list[Value]:
    """The place is that of the block as it was issued."""
    stb = b.free("synapses_stb")
    late = WEIGHT_WRITE_STAGE - weights.WRITE_LATENCY
    issued = {}
    for name in ("once", "column", "index", "group"):
        port = getattr(digest, name)
        value = b.free(name, port.shape())
        b.m.d.comb += port.eq(value)
        issued[name] = b.past(value, late)
    b.m.d.comb += digest.synapses_stb.eq(stb)
    row = Traced(b, issued["index"] + Mux(issued["column"], 4096, 0))
    codes = []
    for pair in range(p.lanes // 2):
        both = [b.free(f"synapse_{2 * pair + k}", weights.synapse_layout(p)) for k in range(2)]
        for k, synapse in enumerate(both):
            b.m.d.comb += digest.synapses_written[2 * pair + k].eq(synapse)
        first, second = (Mux(s.plastic, s.weight.as_unsigned(), 0) for s in both)
        valid = stb & issued["once"] & (both[0].plastic | both[1].plastic)
        column = issued["group"] * (p.lanes // 2) + pair
        codes.append(code(b, valid, row, column, [first | second << 16]))
    return codes


BUGS = [
    (Bug("v of a held neuron counts", "Mux(written.v_moves, value, 0)", "value"), "neurons"),
    (Bug("halves are swapped", "x ^ words[step][16:], y ^ words[step][:16]",
         "x ^ words[step][:16], y ^ words[step][16:]"), "sources"),
    (Bug("a pair with one plastic synapse has no code",
         "(synapses[0].plastic | synapses[1].plastic)",
         "(synapses[0].plastic & synapses[1].plastic)"), "synapses"),
    (Bug("columns count as rows", "- len(index)), column)", "- len(index)), 0)"), "synapses"),
    (Bug("groups are not counted from the first", "Mux(self.sources_stb, group + 1, 0)",
         "Mux(self.sources_stb, group + 1, group)"), "sources"),
    (Bug("the digest of a tick is that of all before, too", "Mux(over[settled + 1], 0, ",
         "Mux(0, 0, "), "sources"),
]  # fmt: skip


@pytest.mark.parametrize(
    "kind", bulk_but(["sources", "synapses"], ["neurons", "sources", "synapses"])
)
def test_a_digest_is_that_of_the_specification(kind: str) -> None:
    prove_by_induction(bench(Digest, kind), CYCLES)


@pytest.mark.parametrize(("bug", "kind"), bulk_but(BUGS[1:3], BUGS), ids=named)
def test_a_seeded_bug_is_found(bug: Bug, kind: str) -> None:
    with pytest.raises(Refuted, match="as_specified"):
        prove_by_induction(bench(bug.seeded(Digest), kind), CYCLES)
