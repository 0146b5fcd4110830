"""A figure of the report: a drawing, what it says in words, and its numbers as tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from spiketwin.cosim.report.marks import Key
from spiketwin.hdl.spec.results import Result

TableCell = str | int | float | None

MOST_ROWS: Final = 500
"""Rows of a table, at most; what is left out is said."""


@dataclass(frozen=True)
class Table(Result):
    """Numbers in rows.

    Attributes
    ----------
    title:
        What they are.
    columns:
        Their names, with the unit.
    rows:
        As many cells each; None where there is no such number.
    left_out:
        Rows that there are beyond these.
    """

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[TableCell, ...]]
    left_out: int = 0

    @classmethod
    def cut(
        cls, title: str, columns: tuple[str, ...], rows: Iterable[tuple[TableCell, ...]], count: int
    ) -> Table:
        """Make a table of the first rows of `count` that there are."""
        shown = [row for row, _ in zip(rows, range(MOST_ROWS), strict=False)]
        return cls(title, columns, shown, count - len(shown))


@dataclass(frozen=True, eq=False)
class Figure(Result):
    """One figure.

    Attributes
    ----------
    name:
        Its name in addresses.
    title:
        What it shows.
    says:
        The same in sentences, for who does not see it: what is drawn, and what comes of it.
    tables:
        Its numbers.
    notes:
        How the numbers came about, and what was left out.
    keys:
        What the marks in the drawing mean.
    draw:
        Makes the drawing, SVG; None if there is nothing to draw, as the notes say.
    """

    json_keys = ("name", "title", "tables")

    name: str
    title: str
    says: str
    tables: list[Table] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)
    draw: Callable[[], str] | None = None
