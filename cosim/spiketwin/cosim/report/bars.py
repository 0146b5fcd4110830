"""Stacked bars, one below the other, along one axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element

from spiketwin.cosim.report.chart import BOTTOM, RIGHT, PlotAxis
from spiketwin.cosim.report.marks import barred
from spiketwin.cosim.report.svg import WIDTH, drawing, rectangle, write

_HEIGHT: Final = 66.0
"""Height of a bar with the text above it."""

_SEEN: Final = 0.3
"""Width of the smallest part that is drawn."""

_LETTER: Final = 6.8
"""Approximate width of a letter."""


@dataclass(frozen=True)
class Bar:
    """One stacked bar.

    Attributes
    ----------
    title:
        Name of the bar.
    parts:
        Sizes of its parts, 0 or more, in the unit of the axis and in the same order in all bars.
    """

    title: str
    parts: list[float]


def stacked(
    name: str,
    title: str,
    says: str,
    axis: PlotAxis,
    unit: str,
    parts: Sequence[str],
    bars: list[Bar],
) -> str:
    """Draw stacked bars.

    Parameters
    ----------
    name, title, says:
        As for `drawing`.
    axis:
        The axis, from 0.
    unit:
        Unit that is written after the size of a part.
    parts:
        Names of the parts, written above each if there is room.
    bars:
        The bars.
    """
    group = Element("g")
    left, right = RIGHT, WIDTH - RIGHT
    for number, bar in enumerate(bars):
        top, begin = _HEIGHT * number, 0.0
        write(group, left, top + 16, bar.title, "start", "label")
        for part, size in enumerate(bar.parts):
            first, last = (axis.place(each, left, right) for each in (begin, begin + size))
            begin += size
            if last - first < _SEEN:
                continue
            rectangle(group, first, top + 38, last, top + 58, barred(part))
            written = f"{parts[part]} {size:,.0f}{unit}"
            if len(written) * _LETTER < last - first:
                write(group, (first + last) / 2, top + 33, written, "middle")
    height = _HEIGHT * len(bars)
    axis.below(group, left, right, height + 4)
    return drawing(name, title, says, [group], height + BOTTOM)
