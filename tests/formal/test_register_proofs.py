"""Every register is what the link wrote to it last, where it is used and where it is read."""

from typing import Any

import pytest
from amaranth.hdl import Const, Mux, Signal
from support.benches import Bench, implies
from support.one_word import OneWord
from support.provers import Refuted, prove_by_induction
from support.seeded import Bug, named, replaced

from spiketwin.hdl.gateware.core.fetches import FETCHED
from spiketwin.hdl.gateware.core.register_file import RegisterFile
from spiketwin.hdl.spec.params import CoreParams, preset
from spiketwin.hdl.spec.registers import registers

CYCLES = 3
"""Cycles after which nothing of before counts."""

SIZES = ["tiny", "tiny,decay_shift=1,receptors=2,probe_ranges=2"]


def bench(size: str, bug: Bug | None = None) -> Bench:
    """Follow any one register, while the link writes and reads, and a fetch comes at any time."""
    b = Bench()
    p = preset(size)
    table = registers(p)
    followed = b.fixed("followed", range(len(table)))
    b.assume(followed < len(table))
    word, other = Signal(32, name="word"), b.free("other", 32)
    b.shown["word"] = word

    def one_word(*, shape: Any, depth: int, init: Any) -> OneWord:
        return OneWord(shape, depth, here=Const(1), address=followed, word=word, other=other)

    unit: Any = RegisterFile
    names = {"Memory": one_word}
    file = b.unit((replaced(unit, **names) if bug is None else bug.seeded(unit, **names))(p))
    address, value = b.free("address", range(len(table))), b.free("value", 32)
    stores = b.free("write_stb")
    b.assume(address < len(table))
    b.m.d.comb += [
        file.link.address.eq(address), file.link.value.eq(value), file.link.write_stb.eq(stores),
    ]  # fmt: skip
    last = Signal(32, name="last")
    b.shown["last"] = last
    with b.m.If(stores & (address == followed)):
        b.m.d.sync += last.eq(value)
    b.check("is_kept", word == last)
    are_used(b, file, p, followed, last)
    place = fetched(b, file, p, address)
    asked = b.past((place == followed) & ~(stores & (address == followed)))
    b.check("is_stored", implies(asked, file.link.stored == b.past(last)))
    b.check("is_fetched", implies(asked, file.fetched == b.past(last)))
    return b


def are_used(b: Bench, file: Any, p: CoreParams, followed: Any, last: Any) -> None:
    """The register that is followed has its value, as far as its width goes."""
    for number, register in enumerate(registers(p)):
        if register.name not in FETCHED:
            used = getattr(file, register.name)
            held = last[: len(used)]
            same = used.as_unsigned() == held
            b.check(f"{register.name}_is_used", implies(followed == number, same))


def fetched(b: Bench, file: Any, p: CoreParams, address: Any) -> Any:
    """Return the number of the register that is read: one that is fetched comes first."""
    place: Any = address
    fetches: list[Any] = []
    for number, register in enumerate(registers(p)):
        if register.name in FETCHED:
            fetches.append(b.free(f"{register.name}_stb"))
            b.m.d.comb += getattr(file, f"{register.name}_stb").eq(fetches[-1])
            place = Mux(fetches[-1], number, place)
    b.assume(sum(fetches, start=Const(0)) <= 1)
    return b.tell("place", place)


BUGS = [
    Bug("any write writes all", "link.write_stb & (link.address == address)", "link.write_stb"),
    Bug("a fetch waits for the link", 'Mux(getattr(self, f"{register.name}_stb"), address, place)',
        'Mux(getattr(self, f"{register.name}_stb") & ~link.write_stb, address, place)'),
    Bug("the memory forgets", "write.en.eq(link.write_stb)",
        "write.en.eq(link.write_stb & (link.address != 2))"),
    Bug("a register is that of before", "held.eq(link.value)", "held.eq(held)"),
]  # fmt: skip


@pytest.mark.parametrize("size", SIZES)
def test_a_register_is_what_was_written_last(size: str) -> None:
    prove_by_induction(bench(size), CYCLES)


@pytest.mark.parametrize("bug", BUGS, ids=named)
def test_a_seeded_bug_is_found(bug: Bug) -> None:
    with pytest.raises(Refuted, match="does not hold in cycle"):
        prove_by_induction(bench(SIZES[0], bug), 4)
