"""A figure of the report: a drawing, its description in words, and its numbers as tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from spiketwin.cosim.report.marks import Key
from spiketwin.hdl.spec.results import Result

TableCell = str | int | float | None

MOST_ROWS: Final = 500
"""Most rows of a table; the number of those left out is shown."""


@dataclass(frozen=True)
class Table(Result):
    """A table of numbers.

    Attributes
    ----------
    title:
        Title of the table.
    columns:
        Names of the columns, with the unit.
    rows:
        Rows of as many cells; None if there is no such number.
    left_out:
        Number of further rows that were left out.
    """

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[TableCell, ...]]
    left_out: int = 0

    @classmethod
    def cut(
        cls, title: str, columns: tuple[str, ...], rows: Iterable[tuple[TableCell, ...]], count: int
    ) -> Table:
        """Make a table of `count` rows; only the first few are kept."""
        shown = [row for row, _ in zip(rows, range(MOST_ROWS), strict=False)]
        return cls(title, columns, shown, count - len(shown))


@dataclass(frozen=True, eq=False)
class Figure(Result):
    """One figure of the report.

    Attributes
    ----------
    name:
        Name of the figure in addresses.
    title:
        Title of the figure.
    says:
        Description in sentences, for readers who do not see it: the drawing and its result.
    tables:
        Numbers of the figure.
    notes:
        Origin of the numbers, and what was left out.
    keys:
        Meanings of the marks in the drawing.
    draw:
        Makes the drawing as SVG; None if there is nothing to draw, which the notes explain.
    """

    json_keys = ("name", "title", "tables")

    name: str
    title: str
    says: str
    tables: list[Table] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)
    draw: Callable[[], str] | None = None
