"""Plots as SVG: two axes, and over them marks, lines and pictures.

Colours are classes, which the page gives a value for light and for dark. Each target has a colour
and a shape of its own, so that none is told by its colour alone. All text goes through an XML
writer, which escapes it: names of targets are anybody's.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal
from xml.etree.ElementTree import Element, SubElement, tostring

import numpy as np
from numpy.typing import NDArray

from spiketwin.host.elements import IntArray

Points = NDArray[np.float64] | IntArray
"""Shape (k, 2): x and y."""

WIDTH: Final = 860.0
"""Of every drawing, in units of which one is a pixel where there is room."""

_LEFT, _RIGHT, _TOP, _BOTTOM = 64.0, 16.0, 14.0, 46.0
_COLOURS: Final = 5
_KEY: Final = 14.0

Kind = Literal["marks", "line", "area", "bar", "point", "above", "zero", "below"]


@dataclass(frozen=True)
class Key:
    """What a mark means.

    Attributes
    ----------
    text:
        The meaning.
    kind:
        ``marks`` of a target, its ``line`` or its ``area``; a ``bar``; a ``point``, which is of no
        target; or a colour of a picture: ``above``, ``zero`` or ``below``.
    series:
        Number of the target, or of the part of a bar.
    """

    text: str
    kind: Kind
    series: int = 0

    def drawing(self) -> str:
        """Draw the mark, as SVG that is hidden from who hears the text."""
        size = f"{_KEY:g}"
        svg = Element(
            "svg",
            {"width": size, "height": size, "viewBox": f"0 0 {size} {size}", "aria-hidden": "true"},
        )
        half = _KEY / 2
        if self.kind == "marks":
            _path(svg, shapes(np.array([[half, half]]), self.series, 4.5), marked(self.series))
        elif self.kind == "point":
            _path(svg, f"M{half} {half}h0", "point key")
        elif self.kind == "line":
            _path(svg, f"M0 {half}H{_KEY}", lined(self.series))
        else:
            css = f"{self.kind} {_colour(self.series)}"
            SubElement(svg, "rect", {"width": size, "height": size, "class": css})
        return _text_of(svg)


def marked(series: int) -> str:
    """Class of the marks of a target."""
    return f"marks {_colour(series)}"


def lined(series: int) -> str:
    """Class of the lines of a target."""
    return f"line dash{series % _COLOURS} {_colour(series)}"


def _colour(series: int) -> str:
    # The sixth target has the first one's shape again, and so another colour.
    return f"s{(series + series // _COLOURS) % _COLOURS}"


def shapes(centres: Points, series: int, radius: float) -> str:
    """Path of the marks of a target: circles, crosses, squares, triangles or diamonds."""
    r = _number(radius)
    d = _number(2 * radius)
    drawn = (
        f"m-{r} 0a{r} {r} 0 1 0 {d} 0a{r} {r} 0 1 0-{d} 0",
        f"m-{r}-{r}l{d} {d}m-{d} 0l{d}-{d}",
        f"m-{r}-{r}h{d}v{d}h-{d}z",
        f"m0-{r}l{r} {d}h-{d}z",
        f"m0-{r}l{r} {r}l-{r} {r}l-{r}-{r}z",
    )[series % _COLOURS]
    return "".join(f"M{_number(x)} {_number(y)}{drawn}" for x, y in centres)


@dataclass(frozen=True)
class Axis:
    """One axis.

    Attributes
    ----------
    label:
        What it is, with its unit.
    least, most:
        Its ends.
    """

    label: str
    least: float
    most: float

    def ticks(self, count: int) -> list[float]:
        """Give round numbers in its range, about so many."""
        step = round_up((self.most - self.least) / count)
        first = math.ceil(self.least / step)
        return [n * step for n in range(first, math.floor(self.most / step + 1e-9) + 1)]


def round_up(value: float) -> float:
    """Give the next round number: 1, 2 or 5 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(n * power for n in (1, 2, 5, 10) if n * power >= value * (1 - 1e-9))


class Plot:
    """Two axes and what is drawn over them.

    Parameters
    ----------
    x, y:
        The axes.
    height:
        Of the whole drawing.
    left, width:
        Where in the drawing it stands; all of it if nothing is said.
    """

    def __init__(
        self, x: Axis, y: Axis, height: float, left: float = 0.0, width: float = WIDTH
    ) -> None:
        self.axes = x, y
        self._box = left + _LEFT, _TOP, left + width - _RIGHT, height - _BOTTOM
        self.group = Element("g")
        self._frame()

    def place(self, points: Points) -> NDArray[np.float64]:
        """Turn values, shape (k, 2), into places in the drawing."""
        left, top, right, bottom = self._box
        x, y = self.axes
        return np.stack(
            [
                left + (points[:, 0] - x.least) / (x.most - x.least) * (right - left),
                bottom - (points[:, 1] - y.least) / (y.most - y.least) * (bottom - top),
            ],
            axis=1,
        )

    def marks(self, points: Points, series: int, radius: float) -> None:
        """Mark values in the shape of a target."""
        if len(points):
            _path(self.group, shapes(self.place(points), series, radius), marked(series))

    def points(self, points: Points, size: float) -> None:
        """Draw values as points, which are of no target."""
        if len(points):
            dots = "".join(f"M{_number(x)} {_number(y)}h0" for x, y in self.place(points))
            _path(self.group, dots, "point").set("stroke-width", _number(size))

    def rings(self, points: Points, radius: float) -> None:
        """Draw rings around values, which are of no target."""
        if len(points):
            _path(self.group, shapes(self.place(points), 0, radius), "ring")

    def line(self, points: Points, css: str, close: bool = False) -> None:
        """Draw a line through values."""
        pairs = " ".join(f"{_number(x)} {_number(y)}" for x, y in self.place(points))
        _path(self.group, f"M{pairs}{'z' if close else ''}", css)

    def picture(self, uri: str) -> None:
        """Fill the plot with a picture."""
        left, top, right, bottom = self._box
        SubElement(
            self.group,
            "image",
            _rectangle(left, top, right, bottom)
            | {"href": uri, "preserveAspectRatio": "none", "class": "pixels"},
        )

    def title(self, text: str) -> None:
        """Write a title above the plot."""
        left, top, right, _ = self._box
        _label(self.group, (left + right) / 2, top - 3, text, "middle").set("class", "panel")

    def rule(self, x: float, text: str) -> None:
        """Draw an upright line at a value, and say what is there."""
        left, top, right, bottom = self._box
        place = float(self.place(np.array([[x, 0.0]]))[0, 0])
        _path(self.group, f"M{_number(place)} {_number(top)}V{_number(bottom)}", "rule")
        beside, anchor = (place + 5, "start") if place < (left + right) / 2 else (place - 5, "end")
        _label(self.group, beside, top + 13, text, anchor).set("class", "halo")

    def second_x(self, factor: float, label: str) -> None:
        """Write a second scale above the plot, so many times the one below."""
        x = self.axes[0]
        left, top, right, _ = self._box
        above = Axis(label, x.least * factor, x.most * factor)
        for value in above.ticks(8):
            place = float(self.place(np.array([[value / factor, 0.0]]))[0, 0])
            _path(self.group, f"M{_number(place)} {_number(top)}v-4", "axis")
            _label(self.group, place, top - 7, _short(value), "middle")
        _label(self.group, right, top - 22, label, "end").set("class", "label")

    def _frame(self) -> None:
        left, top, right, bottom = self._box
        x, y = self.axes
        for value in y.ticks(6):
            place = float(self.place(np.array([[x.least, value]]))[0, 1])
            _path(self.group, f"M{_number(left)} {_number(place)}H{_number(right)}", "grid")
            _label(self.group, left - 7, place + 4, _short(value), "end")
        for value in x.ticks(max(2, round((right - left) / 90))):
            place = float(self.place(np.array([[value, y.least]]))[0, 0])
            _path(self.group, f"M{_number(place)} {_number(bottom)}v5", "axis")
            _label(self.group, place, bottom + 18, _short(value), "middle")
        frame = f"M{_number(left)} {_number(top)}V{_number(bottom)}H{_number(right)}"
        _path(self.group, frame, "axis")
        below = _label(self.group, (left + right) / 2, bottom + 37, x.label, "middle")
        below.set("class", "label")
        middle = _number((top + bottom) / 2)
        beside = _number(left - _LEFT + 15)
        turned = SubElement(
            self.group,
            "text",
            {
                "transform": f"translate({beside} {middle}) rotate(-90)",
                "text-anchor": "middle",
                "class": "label",
            },
        )
        turned.text = y.label


def svg(
    name: str, title: str, says: str, parts: Iterable[Plot], height: float, above: float = 0.0
) -> str:
    """Put plots into one drawing with a name.

    Parameters
    ----------
    name:
        Of the drawing in the page.
    title, says:
        What it is, and the same in sentences: its text alternative.
    parts:
        The plots.
    height, above:
        Of the plots, and room above them.
    """
    root = Element(
        "svg",
        {
            "viewBox": f"0 {-above:g} {WIDTH:g} {height + above:g}",
            "role": "img",
            "aria-labelledby": f"{name}-title {name}-says",
        },
    )
    SubElement(root, "title", {"id": f"{name}-title"}).text = title
    SubElement(root, "desc", {"id": f"{name}-says"}).text = says
    for part in parts:
        root.append(part.group)
    return _text_of(root)


def steps(edges: Sequence[float], heights: Sequence[float]) -> NDArray[np.float64]:
    """Points of a histogram's outline, shape (k, 2), from its first edge on the axis to the last.

    Parameters
    ----------
    edges:
        Ascending, one more than `heights`.
    heights:
        Of the bars.
    """
    xs = np.repeat(np.asarray(edges, np.float64), 2)
    ys = np.concatenate([[0.0], np.repeat(np.asarray(heights, np.float64), 2), [0.0]])
    return np.stack([xs, ys], axis=1)


def _rectangle(left: float, top: float, right: float, bottom: float) -> dict[str, str]:
    return {
        "x": _number(left),
        "y": _number(top),
        "width": _number(right - left),
        "height": _number(bottom - top),
    }


def _path(parent: Element, data: str, css: str) -> Element:
    return SubElement(parent, "path", {"d": data, "class": css})


def _label(parent: Element, x: float, y: float, text: str, anchor: str) -> Element:
    place = {"x": _number(x), "y": _number(y), "text-anchor": anchor}
    label = SubElement(parent, "text", place)
    label.text = text
    return label


def _number(value: float) -> str:
    """Write a place to a tenth of a unit, which no eye resolves, in as few characters as can be."""
    return f"{value:.1f}".removesuffix(".0")


def _short(value: float) -> str:
    """Write a number at an axis."""
    text = f"{value:,.6f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text.replace("-", "−")


def _text_of(element: Element) -> str:
    return tostring(element, encoding="unicode")
