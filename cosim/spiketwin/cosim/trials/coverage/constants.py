"""Bits of a design that never change, whatever it is asked: no trial can have them change.

Nor can one have a side taken of a choice among two whose condition is such a bit.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from spiketwin.cosim.trials.coverage.recorded import CoverPoint
from spiketwin.firmware import yosys

_FOLDING: Final = ("opt_expr", "opt_clean", "opt_dff") * 3
"""Once more for each register behind another one that is constant."""

_SCRIPT: Final = (
    "read_verilog -sv design.v",
    "hierarchy -top {top}",
    "proc -norom",
    "flatten -noscopeinfo",
    "setattr -set keep 1 w:*",  # a signal that nothing reads changes as well
    "memory_collect",
    "wreduce",  # upper bits of sums
    "opt_expr",
    "setattr -set flag 1 t:$dff r:WIDTH=1 %i",
    "simplemap",  # bit by bit from here on
    *_FOLDING,
    "opt_dff -sat a:flag=1",  # by a proof, which would take long for all registers
    *_FOLDING,
    "opt_expr",
    "delete t:*",
    "write_json design.json",
)
_LOG: Final = "yosys.log"
_KNOWN: Final = ("0", "1")
_ESCAPED: Final = re.compile(r"__0([0-9a-f]{2})")
_SIGNAL: Final = re.compile(r"(.*?)(?:\[(\d+)\])?:(?:0->1|1->0)")
_CHOICE: Final = re.compile(
    r"(?:if \(|= |, )(?:\\?(?P<name>[\w$.]+) ?(?:\[(?P<bit>\d+)\])?|1'h(?P<value>[01])) ?"
    r"(?:\) begin| \? )"
)
"""A condition that is one bit."""

_TAKEN_AT: Final = {
    "if": "1", "elsif": "1", "cond_then": "1", "else": "0", "cond_else": "0"
}  # fmt: skip
"""Value of the condition with which each side of a choice is taken."""


class Constants:
    """The bits of a design that Yosys finds to be constant, also those behind other constants.

    Parameters
    ----------
    verilog:
        The Verilog of the design, without an instrument.
    top:
        Its outermost module.

    Raises
    ------
    BuildError
        Yosys failed.
    """

    def __init__(self, verilog: str, top: str) -> None:
        self._top = top
        with TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "design.v").write_text(verilog, "utf-8")
            script = [command.format(top=top) for command in _SCRIPT]
            yosys.call("looking for constants", script, _LOG).run(folder)
            written = json.loads((folder / "design.json").read_text("utf-8"))
        nets: dict[str, dict[str, Any]] = written["modules"][top]["netnames"]
        self._bits = {name: net["bits"] for name, net in nets.items()}

    def __contains__(self, point: CoverPoint) -> bool:
        """Return whether a point is the change of a bit that never changes."""
        found = _SIGNAL.fullmatch(point.what) if point.kind == "toggle" else None
        if found is None:
            return False
        return self._value(point.module, _unescaped(found[1]), found[2]) is not None

    def forbid(self, point: CoverPoint, text: str) -> bool:
        """Return whether a point is the side of a choice that is never taken.

        Parameters
        ----------
        point:
            The point.
        text:
            The Verilog, which begins with the choice.
        """
        found = _CHOICE.search(text) if point.what in _TAKEN_AT else None
        if found is None:
            return False
        name, bit, value = found.groups()
        if name is not None:
            value = self._value(point.module, name, bit)
        return value is not None and value != _TAKEN_AT[point.what]

    def _value(self, module: str, name: str, bit: str | None) -> str | None:
        """Return what a bit of a signal, or a signal of one bit, always is; None if it changes."""
        inside = module.removeprefix(self._top).removeprefix(".")
        bits = self._bits.get(f"{inside}.{name}".removeprefix("."), [])
        place = int(bit or 0)
        is_there = place < len(bits) if bit is not None else len(bits) == 1
        return bits[place] if is_there and bits[place] in _KNOWN else None


def _unescaped(name: str) -> str:
    """Return the name of a signal in Verilog, from the one that Verilator gives it in C++."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), name.replace("___05F", "__"))
