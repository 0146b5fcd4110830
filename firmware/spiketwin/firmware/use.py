"""The part of an FPGA that a design uses."""

from __future__ import annotations

from dataclasses import dataclass

from spiketwin.hdl.spec.results import Result


@dataclass(frozen=True)
class Use(Result):
    """How much a core uses of one kind of cells.

    Attributes
    ----------
    used, available:
        Cells that the core uses, and cells that the FPGA has.
    """

    used: int
    available: int


def exceeded(uses: dict[str, Use]) -> dict[str, Use]:
    """Return the kinds of cells that a design uses more of than the FPGA has."""
    return {kind: use for kind, use in uses.items() if use.used > use.available}
