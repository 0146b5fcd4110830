"""Proofs that a mutant changes nothing: its module and the original, side by side, in all runs.

The module is taken by itself: all that comes from its ports, from parts within it and from its
memories is free, and what goes to them is compared. The two begin in the same state and hear the
same. The registers that are then always equal are found as the largest set that follows from
itself: all of them are assumed equal in some cycles, those that differ in the next one are left
out, and so on until none does (van Eijk, 2000). The mutant changes nothing if all that leaves the
module is equal as long as those registers are.

A proof holds for every input, so for every design that the module is a part of. That none is found
means nothing: the module may be in a state, or hear something, that the design rules out.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import bitwuzla

from spiketwin.cosim.trials.mutation.sites import Site, sites
from spiketwin.firmware.synthesis import yosys

_CYCLES: Final = (1, 3)
"""Cycles in which registers are assumed equal: the first number that is enough is taken."""

_SECONDS: Final = 5
"""Limit of one question to the solver."""

_ALIVE: Final = "mutant_is_alive"
_MODULE: Final = re.compile(r"^module (\S+) ?\(([^;]*)\);\n", re.MULTILINE)
_PORT: Final = re.compile(r"^  (?:input|output) .*\n", re.MULTILINE)
_ZEROS: Final = re.compile(r"^  initial begin : _zeros_\d+\n.*?^  end\n", re.MULTILINE | re.DOTALL)
"""What memories hold at power-up, which is the same in both whatever it is."""

_SCRIPT: Final = (
    "read_verilog -sv module.v",
    "hierarchy -top top",
    "proc -norom",
    "opt_expr",
    "memory_collect",
    "expose -evert top/c:*",  # ports of parts and memories become ports of the module
    "opt_clean",
    "write_smt2 module.smt2",
)
_LOG: Final = "yosys.log"

_TRANSITION: Final = "(define-fun |top_t| ((state |top_s|) (next_state |top_s|)) Bool"
_APPLIED: Final = re.compile(r"\(\|([^|]+)\| (state|next_state)\)")
_FUNCTION: Final = re.compile(r"\((declare|define)-fun \|([^|]+)\| \((?:\(state )?\|top_s\|\)?\)")


class _Undecided(Exception):
    """The solver has reached its limit."""


def changes_nothing(verilog: str, place: int) -> bool:
    """Return whether it is proved that the change at a place makes no difference in any run.

    Parameters
    ----------
    verilog:
        The Verilog of a design.
    place:
        Where the change is, as in `Site`.

    Raises
    ------
    BuildError
        Yosys failed.
    """
    site = next(site for site in sites(verilog) if site.place == place)
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "module.v").write_text(_module(verilog, site), "utf-8")
        yosys("reading a mutant", _SCRIPT, _LOG).run(folder)
        smt = (folder / "module.smt2").read_text("utf-8")
    return any(_is_decided(smt, cycles) for cycles in _CYCLES)


def _module(verilog: str, site: Site) -> str:
    """Return the module with the change as ``top``, alive by an input, and the ports of parts."""
    lines = verilog.splitlines(keepends=True)
    lines[site.place] = site.instead.replace("$NUMBER", _ALIVE)
    whole = "".join(lines)
    before = len("".join(lines[: site.place]))
    heads = list(_MODULE.finditer(whole))
    begin = max(head.start() for head in heads if head.start() <= before)
    body = whole[begin : whole.index("\nendmodule", begin)] + "\nendmodule\n"
    parts = [
        f"(* blackbox *) {head[0]}{''.join(_PORT.findall(whole, *_extent(whole, head)))}endmodule\n"
        for head in heads
        if re.search(rf"^  {re.escape(head[1])} +\S+ +\($", body, re.MULTILINE)
    ]
    top = _MODULE.sub(rf"module top(\2, {_ALIVE});\n  input {_ALIVE};\n", body, count=1)
    return "".join([*parts, _ZEROS.sub("", top)])


def _extent(whole: str, head: re.Match[str]) -> tuple[int, int]:
    return head.end(), whole.index("\nendmodule", head.end())


def _is_decided(smt: str, cycles: int) -> bool:
    """Return whether it is proved, in the time that there is."""
    with suppress(_Undecided):
        return _is_proved(smt, cycles)
    return False


def _is_proved(smt: str, cycles: int) -> bool:
    """Return whether what leaves the module follows to be equal from so many cycles."""
    pair = _Pair(smt, cycles)
    equal = pair.registers
    while True:
        held = [(name, cycle) for cycle in range(cycles) for name in equal]
        if pair.differing(held, pair.outputs, cycles - 1):
            return False
        apart = pair.differing(held, equal, cycles)
        if not apart:
            return cycles == 1 or _begins_so(smt, cycles, equal)
        equal = [name for name in equal if name not in apart]


def _begins_so(smt: str, cycles: int, equal: list[str]) -> bool:
    """Return whether these registers and all outputs are equal in the cycles after power-up."""
    pair = _Pair(smt, cycles - 1)
    pair.begin()
    held = [(name, 0) for name in pair.registers]
    names = [*equal, *pair.outputs]
    return not any(pair.differing(held, names, cycle) for cycle in range(cycles))


class _Pair:
    """The module without the change and with it, in so many cycles and the one after them.

    Each cycle of each has constants of its own in place of functions of a state, so that the solver
    can put equal ones in the place of one another, and what both compute alike is the same term.

    Attributes
    ----------
    registers, outputs:
        Names of what they keep, and of what leaves them.
    """

    def __init__(self, smt: str, cycles: int) -> None:
        terms, options = bitwuzla.TermManager(), bitwuzla.Options()
        options.set(bitwuzla.Option.PRODUCE_MODELS, True)
        options.set(bitwuzla.Option.TIME_LIMIT_PER, 1000 * _SECONDS)
        self._parser = bitwuzla.Parser(terms, options)
        self._tell("(set-logic QF_BV)")
        self.registers, self.outputs = (
            re.findall(rf"^; yosys-smt2-{kind} (\S+) \d+$", smt, re.MULTILINE)
            for kind in ("register", "output")
        )
        inputs = re.findall(r"^; yosys-smt2-input (\S+) \d+$", smt, re.MULTILINE)
        functions, _, transition = smt.partition(_TRANSITION)
        for cycle in range(cycles + 1):
            for each, alive in (("one", "false"), ("two", "true")):
                self._tell(_instance(functions, f"{each}{cycle}"))
                self._tell(f"(assert (= |top_n {_ALIVE}@{each}{cycle}| {alive}))")
                if cycle:
                    told = "(assert" + transition
                    self._tell(_instance(told, f"{each}{cycle - 1}", f"{each}{cycle}"))
            for name in inputs:
                if name != _ALIVE:
                    self._tell(f"(assert {_equal(name, cycle)})")

    def begin(self) -> None:
        """Let the first cycle be the one after power-up."""
        for each in ("one", "two"):
            self._tell(f"(assert |top_i@{each}0|)")

    def differing(self, held: list[tuple[str, int]], names: list[str], cycle: int) -> set[str]:
        """Return which of some signals can differ in a cycle, in one run; none if none ever can.

        Parameters
        ----------
        held:
            Signals that are equal, each in a cycle.

        Raises
        ------
        _Undecided
            That takes too long.
        """
        if not names:
            return set()
        equal = {name: self._parser.parse_term(_equal(name, cycle)) for name in names}
        unequal = " ".join(f"(not {_equal(name, cycle)})" for name in names)
        given = [self._parser.parse_term(_equal(*each)) for each in held]
        solver = self._parser.bitwuzla()
        # Equalities that are asserted, and not only assumed, are put into all else beforehand.
        solver.push(1)
        try:
            for term in (*given, self._parser.parse_term(f"(or false {unequal})")):
                solver.assert_formula(term)
            answer = solver.check_sat()
            if answer == bitwuzla.Result.UNKNOWN:
                raise _Undecided
            if answer == bitwuzla.Result.UNSAT:
                return set()
            return {name for name, term in equal.items() if not solver.get_value(term).value()}
        finally:
            solver.pop(1)

    def _tell(self, text: str) -> None:
        self._parser.parse(text, False, False)


def _instance(smt: str, state: str, next_state: str = "") -> str:
    """Return text with constants of a state, and of the one after it, instead of functions."""
    names = {"state": state, "next_state": next_state}
    smt = smt.replace("(declare-sort |top_s| 0)", "")
    smt = _APPLIED.sub(lambda found: f"|{found[1]}@{names[found[2]]}|", smt)
    return _FUNCTION.sub(rf"(\1-fun |\2@{state}| ()", smt)


def _equal(name: str, cycle: int) -> str:
    """Return the term that says whether a signal is the same in both."""
    return f"(= |top_n {name}@one{cycle}| |top_n {name}@two{cycle}|)"
