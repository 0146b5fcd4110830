"""The provers find what is wrong, and take nothing for a proof that is none."""

from collections.abc import Callable

import pytest
from amaranth.hdl import Mux, Signal
from support.benches import Bench
from support.provers import Empty, Refuted, Undecided, prove, prove_by_induction

PROVERS: list[Callable[[Bench], None]] = [prove, lambda bench: prove_by_induction(bench, 4)]


def counter(most: int, impossible: bool = False) -> Bench:
    """A counter from 0 to 3, of which it is said that it is `most` at most."""
    b = Bench()
    counted = Signal(3)
    b.m.d.sync += counted.eq(Mux(counted == 3, 0, counted + 1))
    b.tell("counted", counted)
    b.check("stays_below", counted <= most)
    if impossible:
        b.assume(b.past(counted) == counted)  # true in the first cycle, and never again
    return b


@pytest.mark.parametrize("prover", PROVERS, ids=["reachability", "induction"])
def test_what_holds_is_proved(prover: Callable[[Bench], None]) -> None:
    prover(counter(5))


@pytest.mark.parametrize("most", [0, 2])
def test_what_does_not_hold_is_told(most: int) -> None:
    for prover in PROVERS:
        with pytest.raises(Refuted) as refuted:
            prover(counter(most))
        first, *rows = str(refuted.value).splitlines()
        assert first == f"stays_below: does not hold in cycle {most + 1}"
        told = {row.split()[0]: row.split()[1:] for row in rows}
        assert told["counted"] == [str(k) for k in range(most + 2)]
    with pytest.raises(Refuted, match="cycle 0"):  # which never holds, so that nothing precedes it
        prove_by_induction(counter(-1), most + 1)


def test_what_does_not_follow_is_no_proof() -> None:
    """The counter is never 5, but would be 6 after that."""
    with pytest.raises(Undecided, match="stays_below"):
        prove_by_induction(counter(5), 1)


@pytest.mark.parametrize("prover", PROVERS, ids=["reachability", "induction"])
def test_assumptions_that_exclude_each_other_are_seen(prover: Callable[[Bench], None]) -> None:
    with pytest.raises(Empty):
        prover(counter(5, impossible=True))
