"""The points of a design that can be covered, and how often each was."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spiketwin.cosim.rtl.instrument import Instrument

KINDS: Final = ("line", "branch", "toggle")
_RECORDER: Final = Path(__file__).with_name("recorder.cpp")
_HEAD: Final = 'import "DPI-C" function void spiketwin_covered();\n'
_END: Final = "  final spiketwin_covered();\n"
_POINT: Final = re.compile(r"^C '(.*)' (\d+)$", re.MULTILINE)
_NO_POINTS: Final = ("dump_module", "spiketwin_covered")
"""What Yosys writes only so that a block is evaluated, and what this module adds itself."""

_MODULE: Final = re.compile(r"module \\?(\S+) ?\(")
_NOTE: Final = re.compile(r"\(\*.*?\*\) ?")
_STATE: Final = re.compile(r"( *)(\d+'h[0-9a-f]+:)")
_SOURCE: Final = re.compile(r"/gateware/(\w[\w/]*\.py):\d+")


@dataclass(frozen=True)
class Recorded(Instrument):
    """A design that records its coverage."""

    @property
    def options(self) -> tuple[str, ...]:
        """What Verilator is to record; lines include branches."""
        return ("--coverage-line", "--coverage-toggle")

    @property
    def sources(self) -> tuple[Path, ...]:
        """The C++ that writes it to a file."""
        return (_RECORDER,)

    def edited(self, verilog: str) -> str:
        """Return the Verilog that has it written when the simulation ends."""
        lines = verilog.splitlines(keepends=True)
        last = max(k for k, line in enumerate(lines) if line.startswith("endmodule"))
        return "".join([_HEAD, *lines[:last], _END, *lines[last:]])


@dataclass(frozen=True)
class CoverPoint:
    """A place of the Verilog that can be covered, in all instances of its module.

    Attributes
    ----------
    kind:
        One of `KINDS`.
    module:
        The module.
    line:
        Line of the Verilog.
    what:
        The signal and its bit, or the branch.
    """

    kind: str
    module: str
    line: int
    what: str


def points(files: Iterable[Path], verilog: str) -> Counter[CoverPoint]:
    """Return all points of a design with the number of times that each was reached.

    What is there only for Yosys or for the recording is left out.

    Parameters
    ----------
    files:
        Files that `Recorded` wrote, of the same design.
    verilog:
        The Verilog that was built.
    """
    counts: Counter[str] = Counter()
    for file in files:
        for text, count in _POINT.findall(file.read_text("utf-8")):
            counts[text] += int(count)
    lines = verilog.splitlines()
    found: Counter[CoverPoint] = Counter()
    for text, number in counts.items():
        fields = dict(part.split("\x02", 1) for part in text.split("\x01") if part)
        kind, _, module = fields["page"].partition("/")
        kind, line = kind.removeprefix("v_"), int(fields["l"])
        if kind in KINDS and not any(word in lines[line - 1] for word in _NO_POINTS):
            found[CoverPoint(kind, module, line, fields["o"])] += number
    return found


def text_of(lines: Sequence[str], number: int) -> str:
    """Return a line of the Verilog with the one behind it, and the case that it is in before it.

    The case is most often a state: ``4'h7: if (_last) begin``.
    """
    text = _NOTE.sub("", " ".join(line.strip() for line in lines[number - 1 : number + 1]))
    line = lines[number - 1]
    inside = len(line) - len(line.lstrip())
    if _STATE.match(line) or line.startswith("  assign"):
        return text
    for before in reversed(lines[: number - 1]):
        if before.startswith(("  always", "module")):
            break
        if (state := _STATE.match(before)) and len(state[1]) < inside:
            return f"{state[2]} {text}"
    return text


def units_of(verilog: str) -> dict[str, str]:
    """Return the unit that each module of a text comes from, by the name of the module.

    A unit is a file of the gateware, below ``gateware/``: the one that most lines come from.
    """
    units: dict[str, str] = {}
    name, files = "", Counter[str]()
    for line in verilog.splitlines():
        if found := _MODULE.match(line):
            name, files = found[1], Counter()
        if source := _SOURCE.search(line):
            files[source[1]] += 1
        if line.startswith("endmodule") and files:
            units[name] = files.most_common(1)[0][0]
    return units
