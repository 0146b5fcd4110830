"""From the Verilog of a design to mutants: where each is, and the text that has all of them."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, zip_longest
from pathlib import Path
from typing import Final

from spiketwin.cosim.rtl.instrument import Instrument

_SELECTOR: Final = Path(__file__).with_name("selector.cpp")
_NUMBER: Final = "spiketwin_mutant_number"
_HEAD: Final = (
    'import "DPI-C" function int spiketwin_mutant();\n'
    f"int {_NUMBER} /*verilator public_flat_rw*/;\n"
)
_CHOICE: Final = f"  initial {_NUMBER} = spiketwin_mutant();\n"

_MODULE: Final = re.compile(r"module (\S+) ?\(")
_SOURCE: Final = re.compile(r"/gateware/(\w[\w/]*\.py):(\d+)")
_ATTRIBUTE: Final = re.compile(r"\(\* [^*]* \*\) ?")
_OPERATION: Final = re.compile(
    r"  assign (?P<to>.+?) += (?P<left>.*?)(?P<operator>[-+*&|^~!<>=?]+) "
    r'\(\* src = "(?P<source>[^"]*)" \*\) (?P<right>.+);'
)
_CONDITION: Final = re.compile(r"(?P<indent> +)if \((?P<asked>.+)\) begin")
_REPLACED: Final = {
    "+": ("-", "minus for plus"),
    "-": ("+", "plus for minus"),
    "*": ("+", "plus for times"),
    "&": ("|", "or for and"),
    "|": ("&", "and for or"),
    "^": ("|", "or for exclusive or"),
    "==": ("!=", "unequal for equal"),
    "!=": ("==", "equal for unequal"),
    "<": ("<=", "not greater for less"),
    "<=": ("<", "less for not greater"),
    ">": (">=", "not less for greater"),
    ">=": (">", "greater for not less"),
}
"""Of operators with two operands: what is taken instead, and how that is called."""

_REDUCED: Final = {"&": ("|", "any for all"), "|": ("&", "all for any")}
_NEGATED: Final = {"~": ("", "not left out"), "!": ("|", "any for none")}


@dataclass(frozen=True)
class Site:
    """A place of the Verilog of a design where a change fits.

    Attributes
    ----------
    place:
        Its line of the Verilog, from 0.
    unit:
        File of the gateware, below ``gateware/``.
    line:
        Line of the file that the changed part comes from; 0 where that is not known.
    operator:
        Kind of the change.
    text:
        The changed part as Verilog.
    instead:
        The line of Verilog that takes its place, in which ``$NUMBER`` stands for the condition
        that the change is alive.
    """

    place: int
    unit: str
    line: int
    operator: str
    text: str
    instead: str

    @property
    def origin(self) -> tuple[str, int, str]:
        """What several places share that come from one expression of the gateware."""
        return self.unit, self.line, self.operator if self.line else self.text


@dataclass(frozen=True)
class Mutation(Instrument):
    """A design with many mutants in it; one of them at most is alive.

    Attributes
    ----------
    places:
        Lines of the Verilog, from 0, that are changed: each is that of a `Site`. The mutant of the
        first one has the number 1.
    """

    places: tuple[int, ...] = ()

    @property
    def sources(self) -> tuple[Path, ...]:
        """The C++ that says which mutant is alive."""
        return (_SELECTOR,)

    def edited(self, verilog: str) -> str:
        """Return the Verilog with all mutants in it."""
        lines = verilog.splitlines(keepends=True)
        there = {site.place: site for site in sites(verilog)}
        for number, place in enumerate(self.places, 1):
            lines[place] = there[place].instead.replace("$NUMBER", f"{_NUMBER} == {number}")
        last = max(k for k, line in enumerate(lines) if line.startswith("endmodule"))
        return "".join([_HEAD, *lines[:last], _CHOICE, *lines[last:]])


def drawn(fit: Mapping[str, Iterable[Site]], count: int, seed: int) -> dict[str, list[Site]]:
    """Draw places of several designs, in turns from each unit until there are enough.

    An expression of the gateware is drawn once for each rule, in the first design that has it.

    Parameters
    ----------
    fit:
        Places of each design, by its name.
    count, seed:
        How many places, if there are as many, and the seed of the choice.
    """
    rng = random.Random(seed)
    found: dict[str, list[tuple[str, Site]]] = {}
    known = set()
    for name, places in fit.items():
        for site in rng.sample(every := list(places), len(every)):
            if site.origin not in known:
                known.add(site.origin)
                found.setdefault(site.unit, []).append((name, site))
    for at in found.values():
        rng.shuffle(at)
    turns = zip_longest(*(found[unit] for unit in sorted(found)))
    chosen = islice((each for turn in turns for each in turn if each), count)
    by_design: dict[str, list[Site]] = {name: [] for name in fit}
    for name, site in chosen:
        by_design[name].append(site)
    return {name: sorted(at, key=lambda site: site.place) for name, at in by_design.items()}


def sites(verilog: str) -> list[Site]:
    """Return all places where a change fits, in their order; at most one in a line."""
    return list(_sites(verilog.splitlines(keepends=True)))


def _sites(lines: list[str]) -> Iterator[Site]:
    begin = 0
    for place, line in enumerate(lines):
        if line.startswith("endmodule"):
            yield from _of_module(lines, begin, place)
            begin = place


def _of_module(lines: list[str], begin: int, end: int) -> Iterator[Site]:
    sources = [found.groups() for k in range(begin, end) if (found := _SOURCE.search(lines[k]))]
    if not sources:
        return
    unit = Counter(file for file, _ in sources).most_common(1)[0][0]
    for place in range(begin, end):
        line = lines[place]
        if operation := _OPERATION.fullmatch(line.rstrip("\n")):
            where = _SOURCE.search(operation["source"])
            file, number = (where[1], int(where[2])) if where else (unit, 0)
            if changed := _changed(operation):
                other, name = changed
                right = _ATTRIBUTE.sub("", line).partition("= ")[2].rstrip(";\n")
                instead = f"  assign {operation['to']} = ($NUMBER) ? ({other} ) : ({right} );\n"
                yield Site(place, file, number, name, f"{operation['to']} = {right}", instead)
        elif (asked := _CONDITION.fullmatch(line.rstrip("\n"))) and "dump_module" not in line:
            target = lines[place + 1].strip()
            condition = asked["asked"]
            text = f"if ({condition}) {target}"
            instead = f"{asked['indent']}if (!($NUMBER) && ({condition} )) begin\n"
            yield Site(place, unit, 0, "condition that never holds", text, instead)


def _changed(operation: re.Match[str]) -> tuple[str, str] | None:
    """Return the expression in the place of another one, and how the change is called."""
    left, operator, right = (operation[name].strip() for name in ("left", "operator", "right"))
    if operator == "?":
        one, colon, other = _halves(right)
        return (f"{left} ? {other} : {one}", "choice swapped") if colon else None
    if left and operator in _REPLACED:
        instead, name = _REPLACED[operator]
        return f"{left} {instead} {right}", name
    if not left and operator in {**_REDUCED, **_NEGATED}:
        instead, name = {**_REDUCED, **_NEGATED}[operator]
        return f"{instead} {right}", name
    return None


def _halves(text: str) -> tuple[str, str, str]:
    """Divide the branches of a choice at the colon outside of all brackets."""
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter in "[{(") - (letter in "]})")
        if letter == ":" and depth == 0:
            return text[:place], letter, text[place + 1 :]
    return text, "", ""
