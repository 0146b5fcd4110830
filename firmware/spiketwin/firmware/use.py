"""How much of an FPGA a design uses."""

from __future__ import annotations

from typing import NamedTuple


class Use(NamedTuple):
    """A number of cells of one kind that are used, and how many the FPGA has."""

    used: int
    available: int


def exceeded(uses: dict[str, Use]) -> dict[str, Use]:
    """Give the kinds of which more is used than there is."""
    return {kind: use for kind, use in uses.items() if use.used > use.available}
