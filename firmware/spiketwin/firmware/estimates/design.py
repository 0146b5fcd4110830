"""The parts of an elaborated design, before any tool maps it: bits of logic, and memories."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, Self

from spiketwin.hdl.gateware import emit
from spiketwin.hdl.spec.params import DEFAULT_CLOCK_HZ, CoreParams
from spiketwin.hdl.spec.protocol import BUILD_BYTES

_GROUPS: Final = {
    "registers": ("$dff",),
    "choices": ("$mux",),
    "gates": ("$and", "$or", "$xor", "$not"),
    "sums": ("$add", "$sub", "$neg"),
    "comparisons": ("$eq", "$ne", "$lt", "$gt", "$ge", "$le"),
    "shifts": ("$shl", "$shr", "$sshr", "$shift"),
    "products": ("$mul",),
}
"""Kinds of cells that count together, each with the bits of its result; comparisons with those of
what they compare, and products with those of one factor times those of the other."""

_GROUP_OF: Final = {cell: group for group, cells in _GROUPS.items() for cell in cells}

CASES: Final = "cases"
"""Bits that are assigned in the cases of a choice, which become multiplexers."""

KINDS: Final = (*_GROUPS, CASES)
"""The kinds of logic that are counted."""

_CYCLES_PER_BIT: Final = 100

_WIRE: Final = re.compile(r"  wire width (\d+) (?:\S+ \d+ )?(\\\S+|\$\S+)$")
_MEMORY: Final = re.compile(r"  memory width (\d+) size (\d+) ")
_CELL: Final = re.compile(r"  cell (\$\w+) ")
_PARAMETER: Final = re.compile(r"    parameter \\(WIDTH|[ABY]_WIDTH) (\d+)$")
_ASSIGNED: Final = re.compile(r" +assign (\S+)(?: \[(\d+)(?::(\d+))?\])? ")


@dataclass(frozen=True)
class Design:
    """The parts of a design.

    Attributes
    ----------
    bits:
        Bits of each of `KINDS`.
    memories:
        Words and bits of a word of each memory.
    """

    bits: dict[str, int]
    memories: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, params: CoreParams) -> Self:
        """Return the parts of a device with its link and its UART, without those of a board."""
        rtlil = emit.rtlil("PinsTop", params, DEFAULT_CLOCK_HZ, "0" * BUILD_BYTES, _CYCLES_PER_BIT)
        return cls.read(rtlil)

    @classmethod
    def read(cls, rtlil: str) -> Self:
        """Return the parts of a design in Amaranth's RTLIL."""
        bits: Counter[str] = Counter(dict.fromkeys(KINDS, 0))
        memories: list[tuple[int, int]] = []
        widths: dict[str, int] = {}
        group, sizes, depth = "", dict[str, int](), 0
        for line in rtlil.splitlines():
            if line.startswith("module "):
                widths = {}
            elif found := _WIRE.match(line):
                widths[found[2]] = int(found[1])
            elif found := _MEMORY.match(line):
                memories.append((int(found[2]), int(found[1])))
            elif found := _CELL.match(line):
                group, sizes = _GROUP_OF.get(found[1], ""), {}
            elif found := _PARAMETER.match(line):
                sizes[found[1]] = int(found[2])
            elif line == "  end":
                if group:
                    bits[group] += _bits(group, sizes)
                group, depth = "", 0
            elif line.lstrip().startswith("switch "):
                depth += 1
            elif depth and (found := _ASSIGNED.match(line)):
                bits[CASES] += _assigned(found, widths)
        return cls(dict(bits), tuple(memories))

    def as_json(self) -> dict[str, Any]:
        """Return the parts as values that JSON has."""
        return {"bits": self.bits, "memories": [list(each) for each in self.memories]}

    @classmethod
    def of_json(cls, written: dict[str, Any]) -> Self:
        """Return the parts that `as_json` has given."""
        return cls(written["bits"], tuple((words, width) for words, width in written["memories"]))


def _bits(group: str, sizes: dict[str, int]) -> int:
    if group == "products":
        return sizes["A_WIDTH"] * sizes["B_WIDTH"]
    if group == "comparisons":
        return sizes["A_WIDTH"]
    return sizes.get("Y_WIDTH", sizes.get("WIDTH", 0))


def _assigned(found: re.Match[str], widths: dict[str, int]) -> int:
    if found[2] is None:
        return widths.get(found[1], 1)
    return int(found[2]) - int(found[3] or found[2]) + 1


@lru_cache(maxsize=64)
def _of(params: CoreParams) -> Design:
    return Design.of(params)


def design(params: CoreParams) -> Design:
    """Return the parts of a device, which takes some seconds the first time.

    Queues and slots count, so nothing of the sizes is left out but what no cell depends on.
    """
    return _of(replace(params))
