"""The marks, lines and bars of each target, and the keys that explain them.

Colours are CSS classes, for which the page defines values for light and dark. Each target has its
own colour and shape, so that no mark is distinguished by its colour alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from spiketwin.cosim.report.svg import number, path, rectangle, text_of
from spiketwin.host.elements import IntArray

Points = NDArray[np.float64] | IntArray
"""Shape (k, 2): x and y."""

_COLOURS: Final = 5
_KEY: Final = 14.0

Kind = Literal["marks", "line", "area", "bar", "point", "above", "zero", "below"]


@dataclass(frozen=True)
class Key:
    """The meaning of a mark.

    Attributes
    ----------
    text:
        The meaning in words.
    kind:
        ``marks`` of a target, its ``line`` or its ``area``; a ``bar``; a ``point``, which belongs
        to no target; or a colour of a picture: ``above``, ``zero`` or ``below``.
    series:
        Number of the target, or of the part of a bar.
    """

    text: str
    kind: Kind
    series: int = 0

    def drawing(self) -> str:
        """Return the mark as SVG that is hidden from screen readers."""
        size = f"{_KEY:g}"
        svg = Element(
            "svg",
            {"width": size, "height": size, "viewBox": f"0 0 {size} {size}", "aria-hidden": "true"},
        )
        half = _KEY / 2
        if self.kind == "marks":
            path(svg, shapes(np.array([[half, half]]), self.series, 4.5), marked(self.series))
        elif self.kind == "point":
            path(svg, f"M{half} {half}h0", "point key")
        elif self.kind == "line":
            path(svg, f"M0 {half}H{_KEY}", lined(self.series))
        elif self.kind == "bar":
            rectangle(svg, 0.5, 0.5, _KEY - 0.5, _KEY - 0.5, barred(self.series))
        else:
            rectangle(svg, 0.5, 0.5, _KEY - 0.5, _KEY - 0.5, f"{self.kind} {_colour(self.series)}")
        return text_of(svg)


def marked(series: int) -> str:
    """Return the class of the marks of a target."""
    return f"marks {_colour(series)}"


def lined(series: int) -> str:
    """Return the class of the lines of a target."""
    return f"line dash{series % _COLOURS} {_colour(series)}"


def barred(part: int) -> str:
    """Return the class of a part of a bar: full colours first, then pale ones."""
    pale = " pale" if part // _COLOURS % 2 else ""
    return f"bar{pale} s{part % _COLOURS}"


def _colour(series: int) -> str:
    # The sixth target has the shape of the first, and therefore another colour.
    return f"s{(series + series // _COLOURS) % _COLOURS}"


def shapes(centres: Points, series: int, radius: float) -> str:
    """Return the path of a target's marks: circles, crosses, squares, triangles or diamonds."""
    r = number(radius)
    d = number(2 * radius)
    drawn = (
        f"m-{r} 0a{r} {r} 0 1 0 {d} 0a{r} {r} 0 1 0-{d} 0",
        f"m-{r}-{r}l{d} {d}m-{d} 0l{d}-{d}",
        f"m-{r}-{r}h{d}v{d}h-{d}z",
        f"m0-{r}l{r} {d}h-{d}z",
        f"m0-{r}l{r} {r}l-{r} {r}l-{r}-{r}z",
    )[series % _COLOURS]
    return "".join(f"M{number(x)} {number(y)}{drawn}" for x, y in centres)
