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

import enum
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from enum import Enum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import bitwuzla

from spiketwin.cosim.trials.mutation.sites import Site, sites
from spiketwin.firmware import yosys


class Scope(Enum):
    """The modules that a proof looks at together with the one that has the change."""

    NONE = enum.auto()
    PARENT = enum.auto()
    """The one that it is a part of, and all within that."""


_CYCLES: Final = {Scope.NONE: (1, 3), Scope.PARENT: (1,)}
"""Cycles in which registers are assumed equal: the first that are enough are taken."""

_SECONDS: Final = 5
"""Limit of one question to the solver."""

_STATE: Final = "fsm_state"
"""Part of the names of registers for which a search finds the values that they never have."""

_ALIVE: Final = "mutant_is_alive"
_MODULE: Final = re.compile(r"^module (\S+) ?\(([^;]*)\);\n", re.MULTILINE)
_MODULE_TEXT: Final = re.compile(
    r"^module \\?(?P<name>\S+) ?\(.*?^endmodule\n", re.MULTILINE | re.DOTALL
)
_PORT: Final = re.compile(r"^  (?:input|output) .*\n", re.MULTILINE)

_SCRIPT: Final = (
    "read_verilog -sv module.v",
    "hierarchy -top top",
    "proc -norom",
    "flatten",
    "opt_expr",
    "memory_collect",
    "expose -evert top/c:*",  # ports of parts and memories become ports of the module
    "opt_clean",
    "write_smt2 module.smt2",
)
_LOG: Final = "yosys.log"

_TRANSITION: Final = "(define-fun |top_t| ((state |top_s|) (next_state |top_s|)) Bool"
_NAMED: Final = r"^; yosys-smt2-{} (\S+) ([1-9]\d*)$"
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
    return any(
        _is_decided(smt, cycles)
        for scope, all_cycles in _CYCLES.items()
        if (family := _family(verilog, site, scope))
        for smt in [_read(family)]
        for cycles in all_cycles
    )


def _read(module: str) -> str:
    """Return a module in the language of the solver."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "module.v").write_text(module, "utf-8")
        yosys.call("reading a mutant", _SCRIPT, _LOG).run(folder)
        return (folder / "module.smt2").read_text("utf-8")


def _family(verilog: str, site: Site, scope: Scope) -> str | None:
    """Return the module with the change, and its kin, as one module ``top``; None without a parent.

    The change is alive by an input. Parts outside of the family are their ports.
    """
    lines = verilog.splitlines(keepends=True)
    lines[site.place] = site.instead.replace("$NUMBER", _ALIVE)
    before = len("".join(lines[: site.place]))
    found = list(_MODULE_TEXT.finditer("".join(lines)))
    modules = {module["name"]: module[0] for module in found}
    changed = next(module["name"] for module in found if before < module.end())
    eldest = changed.rpartition(".")[0] if scope is Scope.PARENT else changed
    if eldest not in modules:
        return None
    family = {
        name: text
        for name, text in modules.items()
        if name == eldest or (scope is not Scope.NONE and name.startswith(f"{eldest}."))
    }
    family[changed] = _alive(family[changed])
    if eldest != changed:
        given = rf"^  \\?{re.escape(changed)} +\S+ +\(\n"
        passed = rf"\g<0>    .{_ALIVE}({_ALIVE}),\n"
        family[eldest] = re.sub(given, passed, _alive(family[eldest]), flags=re.MULTILINE)
    family[eldest] = _MODULE.sub(r"module top (\2);\n", family[eldest], count=1)
    whole = "".join(family.values())
    others = (text for name, text in modules.items() if name not in family and _has(whole, name))
    return "".join([*map(_box, others), whole])


def _has(text: str, name: str) -> bool:
    return re.search(rf"^  \\?{re.escape(name)} +\S+ +\($", text, re.MULTILINE) is not None


def _box(module: str) -> str:
    """Return a module with its ports and nothing else."""
    head = module[: module.index(";") + 2]
    return f"(* blackbox *) {head}{''.join(_PORT.findall(module))}endmodule\n"


def _alive(module: str) -> str:
    """Return a module that is told by an input whether the change is alive."""
    return _MODULE.sub(rf"module \1 (\2, {_ALIVE});\n  input {_ALIVE};\n", module, count=1)


def _is_decided(smt: str, cycles: int) -> bool:
    """Return whether it is proved, in the time that there is."""
    with suppress(_Undecided):
        return _is_proved(smt, cycles)
    return False


def _is_proved(smt: str, cycles: int) -> bool:
    """Return whether what leaves the module follows to be equal from so many cycles."""
    pair = _Pair(smt, cycles)
    pair.rule_out(_never_held(smt))
    equal = pair.registers
    while True:
        held = [_equal(name, cycle) for cycle in range(cycles) for name in equal]
        if pair.broken(held, pair.equalities(pair.outputs, cycles - 1)):
            return False
        apart = pair.broken(held, pair.equalities(equal, cycles))
        if not apart:
            return cycles == 1 or _begins_so(smt, cycles, equal)
        equal = [name for name in equal if name not in apart]


def _begins_so(smt: str, cycles: int, equal: list[str]) -> bool:
    """Return whether these registers and all outputs are equal in the cycles after power-up."""
    pair = _Pair(smt, cycles - 1)
    pair.begin()
    held = [_equal(name, 0) for name in pair.registers]
    names = [*equal, *pair.outputs]
    return not any(pair.broken(held, pair.equalities(names, cycle)) for cycle in range(cycles))


def _never_held(smt: str) -> list[_Value]:
    """Return values that state machines never have in the module without the change.

    They are the largest set that follows from itself: none is there at power-up, and as long as
    none is there, none comes up.
    """
    run = _Pair(smt, 1, copies=("one",))
    few = {name: width for name, width in run.widths.items() if _STATE in name}
    values = [_Value(name, width, k) for name, width in few.items() for k in range(1 << width)]
    begun = _Pair(smt, 0, copies=("one",))
    begun.begin()
    while found := begun.broken([], {value: value.is_not("one0") for value in values}):
        values = [value for value in values if value not in found]
    while True:
        given = [value.is_not("one0") for value in values]
        found = run.broken(given, {value: value.is_not("one1") for value in values})
        if not found:
            return values
        values = [value for value in values if value not in found]


class _Value(NamedTuple):
    """A value of a register."""

    name: str
    width: int
    value: int

    def is_not(self, state: str) -> str:
        """Return the term that says that the register has another one in a state."""
        wanted = f"#b{self.value:0{self.width}b}"
        if self.width == 1:
            wanted = "true" if self.value else "false"
        return f"(not (= |top_n {self.name}@{state}| {wanted}))"


class _Pair:
    """The module without the change and with it, in so many cycles and the one after them.

    Each cycle of each has constants of its own in place of functions of a state, so that the solver
    can put equal ones in the place of one another, and what both compute alike is the same term.

    Attributes
    ----------
    registers, outputs:
        Names of what they keep, and of what leaves them.
    widths:
        Bits of each register.
    """

    def __init__(self, smt: str, cycles: int, copies: Sequence[str] = ("one", "two")) -> None:
        terms, options = bitwuzla.TermManager(), bitwuzla.Options()
        options.set(bitwuzla.Option.PRODUCE_MODELS, True)
        options.set(bitwuzla.Option.TIME_LIMIT_PER, 1000 * _SECONDS)
        self._parser = bitwuzla.Parser(terms, options)
        self._tell("(set-logic QF_BV)")
        self.widths, inputs, outputs = (
            {name: int(width) for name, width in re.findall(_NAMED.format(kind), smt, re.MULTILINE)}
            for kind in ("register", "input", "output")
        )
        self.registers, self.outputs = [*self.widths], [*outputs]
        self._copies, self._cycles = copies, cycles
        functions, _, transition = smt.partition(_TRANSITION)
        for cycle in range(cycles + 1):
            for each in copies:
                alive = "true" if each == "two" else "false"
                self._tell(_instance(functions, f"{each}{cycle}"))
                self._tell(f"(assert (= |top_n {_ALIVE}@{each}{cycle}| {alive}))")
                if cycle:
                    told = "(assert" + transition
                    self._tell(_instance(told, f"{each}{cycle - 1}", f"{each}{cycle}"))
            for name in inputs:
                if name != _ALIVE and len(copies) > 1:
                    self._tell(f"(assert {_equal(name, cycle)})")

    def begin(self) -> None:
        """Let the first cycle be the one after power-up."""
        for each in self._copies:
            self._tell(f"(assert |top_i@{each}0|)")

    def rule_out(self, values: Iterable[_Value]) -> None:
        """Tell values that registers never have without the change."""
        for value in values:
            for cycle in range(self._cycles + 1):
                self._tell(f"(assert {value.is_not(f'one{cycle}')})")

    def equalities(self, names: Iterable[str], cycle: int) -> dict[Any, str]:
        """Return, by name, the terms that say that signals are equal in a cycle."""
        return {name: _equal(name, cycle) for name in names}

    def broken(self, given: Iterable[str], wanted: Mapping[Any, str]) -> set[Any]:
        """Return which of some terms can be false, in one run; none if none ever can.

        Parameters
        ----------
        given:
            Terms that hold.

        Raises
        ------
        _Undecided
            That takes too long.
        """
        if not wanted:
            return set()
        terms = {name: self._parser.parse_term(term) for name, term in wanted.items()}
        some = self._parser.parse_term(f"(not (and true {' '.join(wanted.values())}))")
        solver = self._parser.bitwuzla()
        # Equalities that are asserted, and not only assumed, are put into all else beforehand.
        solver.push(1)
        try:
            for term in (*map(self._parser.parse_term, given), some):
                solver.assert_formula(term)
            answer = solver.check_sat()
            if answer == bitwuzla.Result.UNKNOWN:
                raise _Undecided
            if answer == bitwuzla.Result.UNSAT:
                return set()
            return {name for name, term in terms.items() if not solver.get_value(term).value()}
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
