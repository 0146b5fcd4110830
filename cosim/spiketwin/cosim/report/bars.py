"""Bars of parts, one below the other, each as long as the others, so that shares are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element

from spiketwin.cosim.report.chart import BOTTOM, RIGHT, Axis
from spiketwin.cosim.report.marks import barred
from spiketwin.cosim.report.svg import WIDTH, drawing, rectangle, write

_HEIGHT: Final = 66.0
"""Of a bar and what is written above it."""

_SEEN: Final = 0.3
"""Width of the smallest part that is drawn."""

_LETTER: Final = 6.8
"""Width of a letter, about."""


@dataclass(frozen=True)
class Bar:
    """A bar.

    Attributes
    ----------
    title:
        What it is of.
    parts:
        Their sizes, 0 or more, in one order in all bars; one at least is above 0.
    """

    title: str
    parts: list[float]


def stacked(
    name: str, title: str, says: str, label: str, parts: Sequence[str], bars: list[Bar]
) -> str:
    """Draw bars.

    Parameters
    ----------
    name, title, says:
        As for `drawing`.
    label:
        Of the axis, which is in percent.
    parts:
        Names of the parts, written above each where there is room.
    bars:
        The bars.
    """
    group, axis = Element("g"), Axis(label, 0.0, 100.0)
    left, right = RIGHT, WIDTH - RIGHT
    for number, bar in enumerate(bars):
        top, whole, begin = _HEIGHT * number, sum(bar.parts), 0.0
        write(group, left, top + 16, bar.title, "start", "label")
        for part, size in enumerate(bar.parts):
            share = 100 * size / whole
            first, last = (axis.place(each, left, right) for each in (begin, begin + share))
            begin += share
            if last - first < _SEEN:
                continue
            rectangle(group, first, top + 38, last, top + 58, barred(part))
            written = f"{parts[part]} {share:.0f} %"
            if len(written) * _LETTER < last - first:
                write(group, (first + last) / 2, top + 33, written, "middle")
    height = _HEIGHT * len(bars)
    axis.below(group, left, right, height + 4)
    return drawing(name, title, says, [group], height + BOTTOM)
