"""Bits of a design that never change, whatever it is asked: no trial can have them change."""

from __future__ import annotations

import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from spiketwin.cosim.trials.coverage.recorded import Point
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
    "simplemap",  # bit by bit from here on
    *_FOLDING,
    "opt_expr",
    "delete t:*",
    "write_json design.json",
)
_LOG: Final = "yosys.log"
_KNOWN: Final = ("0", "1")
_ESCAPED: Final = re.compile(r"__0([0-9a-f]{2})")
_SIGNAL: Final = re.compile(r"(.*?)(?:\[(\d+)\])?:(?:0->1|1->0)")


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

    def __contains__(self, point: Point) -> bool:
        """Return whether a point is the change of a bit that never changes."""
        found = _SIGNAL.fullmatch(point.what) if point.kind == "toggle" else None
        if found is None:
            return False
        inside = point.module.removeprefix(self._top).removeprefix(".")
        bits = self._bits.get(f"{inside}.{_unescaped(found[1])}".removeprefix("."), [])
        place = int(found[2] or 0)
        return place < len(bits) and bits[place] in _KNOWN


def _unescaped(name: str) -> str:
    """Return the name of a signal in Verilog, from the one that Verilator gives it in C++."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), name.replace("___05F", "__"))
