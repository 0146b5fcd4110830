"""Provers: Yosys makes a bench into logic, of which ABC or Bitwuzla decides for all times.

`prove` is for control: property-directed reachability (Een, Mishchenko and Brayton, 2011) finds the
invariant by itself. `prove_by_induction` is for arithmetic in pipelines, where what happened more
than some cycles ago does not matter.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import bitwuzla
from amaranth.hdl import Signal

from spiketwin.firmware import yosys
from spiketwin.hdl.builds import run_tool
from support.benches import TOP, Bench

_READ = """read_rtlil bench.il
hierarchy -top top
proc
flatten"""

_CUT = """opt_expr
opt_clean
opt_dff
opt_merge
opt_expr
opt_merge
opt_clean
opt_merge
select -assert-count {} t:$mul
delete t:$mul
setundef -undriven -anyseq"""
"""The bench and the unit form the same products, so that each is left once. Their results become
free. What is undriven would be folded as x by any other step before it is made so."""

_LOGIC = """chformal -lower
opt_clean
memory_collect
memory_dff
memory_map
opt -full -fine
async2sync
dffunmap
opt -full -fine -nodffe -nosdff
write_smt2 -wires bench.smt2"""

_GATES = """setundef -undriven -anyseq
setattr -unset keep
delete -output
opt -full -fine -nodffe -nosdff
techmap
opt -fast -nodffe -nosdff
dffunmap
simplemap
opt_clean
aigmap
opt_clean
write_aiger -I -B -zinit -no-startoffset bench.aig"""

_LEAST_RUN = 12
"""Cycles in which the assumptions of a bench for reachability have to hold together."""

_SPARE = 2
"""Cycles fewer than a proof by induction is given, from which most checks follow already."""

_SECONDS = 60
"""Limit of one question to a solver; what needs as long is no test."""

_YOSYS = """import sys
from pyosys import libyosys
design = libyosys.Design()
for command in sys.argv[1:]:
    libyosys.run_pass(command, design)"""
"""What `yosys.run` does, for a process that imports nothing else: that takes longer than Yosys."""


class Refuted(AssertionError):
    """A bench has a run in which a check does not hold; the message tells it cycle by cycle."""


class Undecided(AssertionError):
    """A prover found neither a proof nor a counterexample."""


class Empty(AssertionError):
    """There is no run in which all that is assumed holds, so that nothing is proved."""


def prove(bench: Bench, *, cut: int = 0) -> None:
    """Prove the checks of a bench by property-directed reachability.

    The `cut` products that bench and unit both form may be anything that the bench assumes of them;
    a counterexample is one with the products as they are.

    Raises `Refuted` if one does not hold, `Undecided` if that takes too long, and `Empty` if the
    assumptions exclude each other.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        _make(bench, folder, _read(bench), *_cut(cut), _LOGIC, _GATES)
        found = _abc(folder, f"read_aiger bench.aig; fold; strash; pdr -v -T {_SECONDS}")
        if "Property proved" in found:
            _find_run(folder, _LEAST_RUN)
            return
        if failed := re.search(r"was asserted in frame (\d+)", found):
            # Folding the assumptions into a register can move the frame by one.
            if cut:
                _make(bench, folder, _read(bench), _LOGIC)
            _bounded(bench, _Run(folder), int(failed[1]) + 2)
        raise Undecided(found[-2000:])


def prove_by_induction(bench: Bench, cycles: int, *, cut: int = 0) -> None:
    """Prove the checks of a bench by k-induction over so many cycles, with products as in `prove`.

    Raises `Refuted` if one does not hold in a run from power-up, `Undecided` if one does not follow
    from `cycles` cycles in which all hold, and `Empty` if the assumptions exclude each other.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        _make(bench, folder, _read(bench), *_cut(cut), _LOGIC)
        try:
            _induce(bench, folder, cycles)
        except Refuted as refuted:
            if cut:
                _make(bench, folder, _read(bench), _LOGIC)
                _bounded(bench, _Run(folder), cycles)
                raise Undecided("only with a product that is none") from refuted
            raise
        _find_run(folder, cycles)


def _induce(bench: Bench, folder: Path, cycles: int) -> None:
    """Raise `Refuted` or `Undecided` unless the checks hold by induction over so many cycles.

    What follows from fewer cycles follows from more, so that fewer are tried first: most benches
    are given some cycles to spare. The runs from power-up that are as long need no question then,
    and they are the dear ones, in which results have arrived. The first cycle is looked at in any
    case: `_failing` needs a state in which all checks hold, to put before one of power-up.
    """
    begun = _Run(folder)
    for enough in dict.fromkeys([max(cycles - _SPARE, 1), cycles]):
        _bounded(bench, begun, max(enough - 1, 1))
        if not _failing(folder, enough, or_begun=True).is_possible():
            return
    _bounded(bench, begun, cycles)
    run = _failing(folder, cycles, or_begun=False)
    if run.is_possible():
        raise Undecided(run.told(bench))


def _failing(folder: Path, cycles: int, *, or_begun: bool) -> "_Run":
    """Return a run from anywhere, in which a check fails after `cycles` cycles in which all hold.

    It may also be one from power-up that is a cycle shorter, whose begin is at the second place:
    the two questions are nearly the same, and together cost little more than one.
    """
    run = _Run(folder)
    for cycle in range(cycles):
        run.step(or_begins=or_begun and cycle == 1)
        run.demand("a", holds=True)
    run.step(or_begins=or_begun and cycles == 1)
    run.demand("a", holds=False)
    return run


def _find_run(folder: Path, cycles: int) -> None:
    """Raise `Empty` unless there is a run of so many cycles from power-up."""
    run = _Run(folder)
    for _ in range(cycles):
        run.step()
    run.demand("i", holds=True, cycles=1)
    if not run.is_possible():
        raise Empty("no run keeps to what is assumed")


def _bounded(bench: Bench, run: "_Run", cycles: int) -> None:
    """Go on with a run from power-up, and raise `Refuted` if a check fails in the first cycles."""
    while run.cycles < cycles:
        run.step()
        if run.cycles == 1:
            run.demand("i", holds=True)
        if run.is_possible(but="a"):
            raise Refuted(run.told(bench))
        run.demand("a", holds=True)


def _make(bench: Bench, folder: Path, *scripts: str) -> None:
    (folder / "bench.il").write_text(bench.text())
    commands = "\n".join(scripts).splitlines()
    program = [sys.executable, "-c", _YOSYS, *commands]
    run_tool("making logic of a bench", program, folder / "yosys.log", folder=folder)


def _read(bench: Bench) -> str:
    """Return the commands that read a bench, and tie its inner names to what they stand for."""
    ties = [
        f"delete -input w:{name}\nconnect -nounset -set {name} {inner}"
        for name, inner in bench.inner_names.items()
    ]
    return "\n".join([_READ, f"cd {TOP}", *ties, "cd .."]) if ties else _READ


def _cut(products: int) -> list[str]:
    return [_CUT.format(products)] if products else []


def _abc(folder: Path, command: str) -> str:
    program = yosys.folder() / "yosys-abc"
    return subprocess.run(
        [program, "-q", command],
        cwd=folder, capture_output=True, text=True, timeout=2 * _SECONDS, check=False,
    ).stdout  # fmt: skip


class _Run:
    """A run of a bench of so many cycles as `step` is called, as terms of Bitwuzla."""

    def __init__(self, folder: Path) -> None:
        terms, options = bitwuzla.TermManager(), bitwuzla.Options()
        options.set(bitwuzla.Option.PRODUCE_MODELS, True)
        # The rules of level 2 make proofs of arithmetic slower: what is alike in the bench and in
        # the unit is so no more.
        options.set(bitwuzla.Option.REWRITE_LEVEL, 1)
        options.set(bitwuzla.Option.TIME_LIMIT_PER, 1000 * _SECONDS)
        self._parser = bitwuzla.Parser(terms, options)
        self._parser.parse((folder / "bench.smt2").read_text(), False, False)
        self.cycles = 0

    def step(self, *, or_begins: bool = False) -> None:
        """Add a cycle, which follows the one before; or, if it may, the run begins with it."""
        now = self.cycles
        self._tell(f"(declare-fun s{now} () |{TOP}_s|)")
        self.demand("u", holds=True, cycles=now + 1)
        self.demand("h", holds=True, cycles=now + 1)
        if now:
            follows = f"(|{TOP}_t| s{now - 1} s{now})"
            begins = f"(|{TOP}_i| s{now})" if or_begins else "false"
            self._tell(f"(assert (or {begins} {follows}))")
        self.cycles += 1

    def demand(self, what: str, *, holds: bool, cycles: int | None = None) -> None:
        """Demand the last cycle's assumptions (u), hierarchy (h), beginning (i) or checks (a)."""
        term = f"(|{TOP}_{what}| s{(cycles or self.cycles) - 1})"
        self._tell(f"(assert {term})" if holds else f"(assert (not {term}))")

    def is_possible(self, but: str = "") -> bool:
        """Return whether there is such a run, in whose last cycle `but` does not hold."""
        others = [self._term(f"(not (|{TOP}_{but}| s{self.cycles - 1}))")] if but else []
        answer = self._parser.bitwuzla().check_sat(*others)
        if answer == bitwuzla.Result.UNKNOWN:
            raise Undecided(f"not in {_SECONDS} s")
        return bool(answer == bitwuzla.Result.SAT)

    def told(self, bench: Bench) -> str:
        """Return in words which check does not hold, and what the signals were in each cycle."""
        values = {name: list(self._values(signal)) for name, signal in bench.shown.items()}
        failed = [name for name in bench.checks if not values[name][-1]]
        lines = [f"{', '.join(failed)}: does not hold in cycle {self.cycles - 1}"]
        lines.append(f"{'cycle':>28}  " + " ".join(f"{k:>6}" for k in range(self.cycles)))
        for name, row in values.items():
            lines.append(f"{name:>28}  " + " ".join(f"{value:>6}" for value in row))
        return "\n".join(lines)

    def _values(self, signal: Signal) -> Iterator[int]:
        for cycle in range(self.cycles):
            term = self._term(f"(|{TOP}_n {signal.name}| s{cycle})")
            value = self._parser.bitwuzla().get_value(term).value(10)
            number = int(value) if not isinstance(value, bool) else value
            is_negative = signal.shape().signed and number >> len(signal) - 1 & 1
            yield int(number) - (is_negative << len(signal))

    def _term(self, text: str) -> bitwuzla.Term:
        return self._parser.parse_term(text)

    def _tell(self, text: str) -> None:
        self._parser.parse(text, False, False)
