"""The part of an FPGA that a design uses."""

from __future__ import annotations

from typing import NamedTuple


class Use(NamedTuple):
    """The number of cells of one kind that are used, and the number that the FPGA has."""

    used: int
    available: int


def exceeded(uses: dict[str, Use]) -> dict[str, Use]:
    """Return the kinds of cells that a design uses more of than the FPGA has."""
    return {kind: use for kind, use in uses.items() if use.used > use.available}
