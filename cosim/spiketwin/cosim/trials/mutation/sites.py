"""From the Verilog of a design to mutants: where each is, and the text that has all of them."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
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
    "+": ("-", "plus for minus"),
    "-": ("+", "minus for plus"),
    "*": ("+", "times for plus"),
    "&": ("|", "and for or"),
    "|": ("&", "or for and"),
    "^": ("|", "exclusive or for or"),
    "==": ("!=", "equal for unequal"),
    "!=": ("==", "unequal for equal"),
    "<": ("<=", "less for not greater"),
    "<=": ("<", "not greater for less"),
    ">": (">=", "greater for not less"),
    ">=": (">", "not less for greater"),
}
"""Of operators with two operands: what is taken instead, and how that is called."""

_REDUCED: Final = {"&": ("|", "all for any"), "|": ("&", "any for all")}
_NEGATED: Final = {"~": ("", "not left out"), "!": ("|", "none for any")}


@dataclass(frozen=True)
class Mutant:
    """One change.

    Attributes
    ----------
    number:
        Its number in the build, from 1.
    unit:
        File of the gateware, below ``gateware/``.
    line:
        Line of the file that the changed part comes from; 0 where that is not known.
    operator:
        Kind of the change.
    text:
        The changed part as Verilog.
    """

    number: int
    unit: str
    line: int
    operator: str
    text: str


@dataclass(frozen=True)
class _Site:
    """A place of the text where a change fits: `place` is its line, `instead` takes that place."""

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
    """A design with many mutants in it, of which one at most is alive.

    Attributes
    ----------
    count, seed:
        How many mutants there are at most, and the seed of the choice among all that fit.
    but:
        Units that are left as they are.
    """

    count: int
    seed: int
    but: tuple[str, ...] = ()

    @property
    def sources(self) -> tuple[Path, ...]:
        """The C++ that says which mutant is alive."""
        return (_SELECTOR,)

    def edited(self, verilog: str) -> str:
        """Return the Verilog with all mutants in it."""
        lines = verilog.splitlines(keepends=True)
        for number, site in enumerate(self._chosen(lines), 1):
            lines[site.place] = site.instead.replace("$NUMBER", f"{_NUMBER} == {number}")
        last = max(k for k, line in enumerate(lines) if line.startswith("endmodule"))
        return "".join([_HEAD, *lines[:last], _CHOICE, *lines[last:]])

    def mutants(self, verilog: str) -> list[Mutant]:
        """Return the mutants that `edited` puts into the same text."""
        lines = verilog.splitlines(keepends=True)
        return [
            Mutant(number, site.unit, site.line, site.operator, site.text)
            for number, site in enumerate(self._chosen(lines), 1)
        ]

    def _chosen(self, lines: list[str]) -> list[_Site]:
        """Return the places, one for each expression of the gateware, spread over its units."""
        rng = random.Random(self.seed)
        found: dict[str, list[_Site]] = {}
        seen = set()
        sites = [site for site in _sites(lines) if site.unit not in self.but]
        rng.shuffle(sites)
        for site in sites:
            if site.origin not in seen:
                seen.add(site.origin)
                found.setdefault(site.unit, []).append(site)
        chosen: list[_Site] = []
        while len(chosen) < self.count and any(found.values()):
            for unit in sorted(found):
                if found[unit] and len(chosen) < self.count:
                    chosen.append(found[unit].pop())
        places = Counter(site.place for site in chosen)
        assert max(places.values(), default=1) == 1
        return sorted(chosen, key=lambda site: site.place)


def _sites(lines: list[str]) -> Iterator[_Site]:
    begin = 0
    for place, line in enumerate(lines):
        if line.startswith("endmodule"):
            yield from _of_module(lines, begin, place)
            begin = place


def _of_module(lines: list[str], begin: int, end: int) -> Iterator[_Site]:
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
                yield _Site(place, file, number, name, f"{operation['to']} = {right}", instead)
        elif (asked := _CONDITION.fullmatch(line.rstrip("\n"))) and "dump_module" not in line:
            target = lines[place + 1].strip()
            condition = asked["asked"]
            text = f"if ({condition}) {target}"
            instead = f"{asked['indent']}if (!($NUMBER) && ({condition} )) begin\n"
            yield _Site(place, unit, 0, "condition that never holds", text, instead)


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
