"""A neuron is flagged as an active source from its spike until *Update*, and no other is."""

from typing import Any

import pytest
from amaranth.hdl import Const, Mux, Signal
from amaranth.utils import exact_log2
from support.benches import Bench, implies
from support.one_word import OneWord
from support.provers import Refuted, prove_by_induction
from support.seeded import Bug, named, replaced

from spiketwin.hdl.gateware.core.active_neurons import FLAGS_LATENCY, ActiveNeurons
from spiketwin.hdl.spec.params import preset

CYCLES = FLAGS_LATENCY + 3
"""Cycles after which nothing of before counts."""

SIZES = ["tiny", "tiny,n_neurons=16,lanes=4", "tiny,n_neurons=64,lanes=4"]


def bench(size: str, bug: Bug | None = None) -> Bench:
    """Follow any one neuron; spikes come at any time but in *Update*, which clears all groups."""
    b = Bench()
    p = preset(size)
    bits = exact_log2(p.lanes)
    followed = b.fixed("followed", range(p.n_neurons))
    lane, address = followed[:bits], followed[bits:]
    word, other = Signal(p.lanes, name="word"), b.free("other", p.lanes)
    b.shown["word"] = word

    def one_word(*, shape: Any, depth: int, init: Any) -> OneWord:
        return OneWord(shape, depth, here=Const(1), address=address, word=word, other=other)

    unit: Any = ActiveNeurons
    names = {"Memory": one_word}
    active = b.unit((replaced(unit, **names) if bug is None else bug.seeded(unit, **names))(p))
    sets, neuron = b.free("set_stb"), b.free("neuron", range(p.n_neurons))
    updating, group = b.free("updating"), b.free("group", len(active.group))
    b.m.d.comb += [
        active.set_stb.eq(sets), active.neuron.eq(neuron),
        active.updating.eq(updating), active.group.eq(group),
    ]  # fmt: skip
    b.assume(~(sets & updating))
    done = cleared(b, active, updating, p.row_groups)
    expected = Signal(name="expected")
    b.shown["expected"] = expected
    with b.m.If(updating):
        b.m.d.sync += expected.eq(expected & (done < address))
    with b.m.Elif(sets & (neuron == followed)):
        b.m.d.sync += expected.eq(1)
    b.check("is_kept", word.bit_select(lane, 1) == expected)
    # While its group is written, anything may be read.
    writes = (sets & (neuron[bits:] == address)) | (updating & (done == address))
    asked = b.past((group == address) & ~writes, FLAGS_LATENCY)
    flag = active.flags.bit_select(lane, 1)
    b.check("is_flagged", implies(asked, flag == b.past(expected, FLAGS_LATENCY)))
    return b


def cleared(b: Bench, active: Any, updating: Any, groups: int) -> Any:
    """Return how many cycles of *Update* were before, which has at least as many as groups."""
    done = Signal(range(groups), name="done")
    whole = Signal(name="whole")
    b.shown |= {"done": done, "whole": whole}
    b.m.d.sync += done.eq(Mux(updating, done + 1, 0))
    b.m.d.sync += whole.eq(updating & (whole | (done == groups - 1)))
    b.assume(implies(b.past(updating) & ~updating, whole))
    b.check("counts", b.inner("cleared", len(done)) == done)
    return done


BUGS = [
    Bug("the flag of another lane", "(self.neuron[:lane_bits] == lane)",
        "(self.neuron[:lane_bits] == (lane ^ 1))"),
    Bug("the last group is not cleared", "cleared.eq(cleared + 1)",
        "cleared.eq(cleared + (cleared != p.row_groups - 2))"),
    Bug("the first group is cleared first, and the others from the last on",
        "cleared.eq(cleared + 1)", "cleared.eq(cleared - 1)"),
    Bug("it goes on where it was", "m.d.sync += cleared.eq(0)", "pass"),
    Bug("what is cleared is set", "write.data.eq(0)", "write.data.eq(1)"),
    Bug("it sets in any cycle", "self.set_stb & ", ""),
]  # fmt: skip


@pytest.mark.parametrize("size", SIZES)
def test_the_flag_of_a_neuron_is_set_from_its_spike_to_update(size: str) -> None:
    prove_by_induction(bench(size), CYCLES)


@pytest.mark.parametrize("bug", BUGS, ids=named)
def test_a_seeded_bug_is_found(bug: Bug) -> None:
    with pytest.raises(Refuted, match="does not hold in cycle"):
        prove_by_induction(bench(SIZES[0], bug), 12)
