"""Plots: two axes, and over them marks, lines and pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element, SubElement

import numpy as np
from numpy.typing import NDArray

from spiketwin.cosim.report.marks import Points, marked, shapes
from spiketwin.cosim.report.svg import WIDTH, frame, number, path, write

LEFT: Final = 64.0
RIGHT: Final = 16.0
TOP: Final = 14.0
BOTTOM: Final = 46.0
"""Margins of a plot, for text."""


@dataclass(frozen=True)
class PlotAxis:
    """One axis of a plot.

    Attributes
    ----------
    label:
        Name of the quantity, with its unit.
    least, most:
        Ends of its range.
    """

    label: str
    least: float
    most: float

    def ticks(self, count: int) -> list[float]:
        """Return about `count` round numbers in the range of the axis."""
        step = round_up((self.most - self.least) / count)
        first = math.ceil(self.least / step)
        return [n * step for n in range(first, math.floor(self.most / step + 1e-9) + 1)]

    def place(self, value: float, first: float, last: float) -> float:
        """Return the position of a value on a line from one end of the axis to the other."""
        return first + (value - self.least) / (self.most - self.least) * (last - first)

    def below(self, group: Element, left: float, right: float, y: float) -> None:
        """Draw the axis as a horizontal line, with its numbers and its label below."""
        path(group, f"M{number(left)} {number(y)}H{number(right)}", "axis")
        for value in self.ticks(max(2, round((right - left) / 90))):
            x = self.place(value, left, right)
            path(group, f"M{number(x)} {number(y)}v5", "axis")
            write(group, x, y + 18, _short(value), "middle")
        write(group, (left + right) / 2, y + 37, self.label, "middle", "label")

    def above(self, group: Element, left: float, right: float, y: float) -> None:
        """Draw the numbers and the label of the axis above a horizontal line."""
        for value in self.ticks(8):
            x = self.place(value, left, right)
            path(group, f"M{number(x)} {number(y)}v-4", "axis")
            write(group, x, y - 7, _short(value), "middle")
        write(group, right, y - 22, self.label, "end", "label")

    def upwards(self, group: Element, left: float, right: float, bottom: float, top: float) -> None:
        """Draw the axis as a vertical line, with its numbers and its label beside, and a grid."""
        path(group, f"M{number(left)} {number(top)}V{number(bottom)}", "axis")
        for value in self.ticks(6):
            y = self.place(value, bottom, top)
            path(group, f"M{number(left)} {number(y)}H{number(right)}", "grid")
            write(group, left - 7, y + 4, _short(value), "end")
        middle = number((top + bottom) / 2)
        beside = number(left - LEFT + 15)
        label = write(group, 0, 0, self.label, "middle", "label")
        label.set("transform", f"translate({beside} {middle}) rotate(-90)")


def round_up(value: float) -> float:
    """Return the next round number: 1, 2 or 5 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(n * power for n in (1, 2, 5, 10) if n * power >= value * (1 - 1e-9))


def _short(value: float) -> str:
    """Return a number as it is written at an axis."""
    text = f"{value:,.6f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text.replace("-", "−")


class Plot:
    """Two axes and the drawing over them.

    Parameters
    ----------
    x, y:
        The axes.
    height:
        Height of the whole drawing.
    left, width:
        Place of the plot in the drawing, by default all of it.

    Attributes
    ----------
    group:
        Element that contains all that is drawn.
    """

    def __init__(
        self, x: PlotAxis, y: PlotAxis, height: float, left: float = 0.0, width: float = WIDTH
    ) -> None:
        self._x, self._y = x, y
        self._left, self._right = left + LEFT, left + width - RIGHT
        self._top, self._bottom = TOP, height - BOTTOM
        self.group = Element("g")
        y.upwards(self.group, self._left, self._right, self._bottom, self._top)
        x.below(self.group, self._left, self._right, self._bottom)

    def marks(self, points: Points, series: int, radius: float) -> None:
        """Mark values in the shape of a target."""
        if len(points):
            path(self.group, shapes(self._places(points), series, radius), marked(series))

    def points(self, points: Points, size: float) -> None:
        """Draw values as points, which belong to no target."""
        if len(points):
            dots = "".join(f"M{number(x)} {number(y)}h0" for x, y in self._places(points))
            path(self.group, dots, "point").set("stroke-width", number(size))

    def rings(self, points: Points, radius: float) -> None:
        """Draw rings around values, which belong to no target."""
        if len(points):
            path(self.group, shapes(self._places(points), 0, radius), "ring")

    def line(self, points: Points, css: str, close: bool = False) -> None:
        """Draw a line through values."""
        pairs = " ".join(f"{number(x)} {number(y)}" for x, y in self._places(points))
        path(self.group, f"M{pairs}{'z' if close else ''}", css)

    def picture(self, uri: str) -> None:
        """Fill the plot with a picture."""
        place = frame(self._left, self._top, self._right, self._bottom)
        how = {"href": uri, "preserveAspectRatio": "none", "class": "pixels"}
        SubElement(self.group, "image", place | how)

    def title(self, text: str) -> None:
        """Write a title above the plot."""
        write(self.group, (self._left + self._right) / 2, self._top - 3, text, "middle", "panel")

    def rule(self, x: float, text: str) -> None:
        """Draw a vertical line at a value, with a text."""
        place = self._x.place(x, self._left, self._right)
        path(self.group, f"M{number(place)} {number(self._top)}V{number(self._bottom)}", "rule")
        in_left_half = place < (self._left + self._right) / 2
        beside, anchor = (place + 5, "start") if in_left_half else (place - 5, "end")
        write(self.group, beside, self._top + 13, text, anchor, "halo")

    def second_x(self, factor: float, label: str) -> None:
        """Draw a second scale above the plot, `factor` times the one below."""
        above = PlotAxis(label, self._x.least * factor, self._x.most * factor)
        above.above(self.group, self._left, self._right, self._top)

    def _places(self, points: Points) -> NDArray[np.float64]:
        """Convert values, shape (k, 2), to positions in the drawing."""
        values = points.astype(np.float64)
        ends = np.array([[self._left, self._bottom], [self._right, self._top]])
        least = np.array([self._x.least, self._y.least])
        most = np.array([self._x.most, self._y.most])
        places: NDArray[np.float64] = ends[0] + (values - least) / (most - least) * (
            ends[1] - ends[0]
        )
        return places


def steps(edges: Sequence[float], heights: Sequence[float]) -> NDArray[np.float64]:
    """Return the points of a histogram's outline, shape (k, 2), from first to last edge.

    Parameters
    ----------
    edges:
        Ascending, one more than `heights`.
    heights:
        Heights of the bars.
    """
    xs = np.repeat(np.asarray(edges, np.float64), 2)
    ys = np.concatenate([[0.0], np.repeat(np.asarray(heights, np.float64), 2), [0.0]])
    return np.stack([xs, ys], axis=1)
