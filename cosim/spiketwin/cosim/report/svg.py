"""Writes drawings as SVG, through an XML writer that escapes: names of targets are anybody's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

WIDTH: Final = 860.0
"""Width of every drawing, in units that are pixels where there is room."""


def drawing(
    name: str, title: str, says: str, parts: Iterable[Element], height: float, above: float = 0.0
) -> str:
    """Put parts into one drawing with a name.

    Parameters
    ----------
    name:
        Of the drawing in the page.
    title, says:
        What it is, and the same in sentences: its text alternative.
    parts:
        The parts.
    height, above:
        Of the parts, and room above them.
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
        root.append(part)
    return text_of(root)


def path(parent: Element, data: str, css: str) -> Element:
    """Add a path of a class."""
    return SubElement(parent, "path", {"d": data, "class": css})


def rectangle(
    parent: Element, left: float, top: float, right: float, bottom: float, css: str
) -> None:
    """Add a rectangle of a class."""
    SubElement(parent, "rect", frame(left, top, right, bottom) | {"class": css})


def frame(left: float, top: float, right: float, bottom: float) -> dict[str, str]:
    """Attributes of what fills a rectangle."""
    return {
        "x": number(left),
        "y": number(top),
        "width": number(right - left),
        "height": number(bottom - top),
    }


def write(
    parent: Element, x: float, y: float, text: str, anchor: str, css: str = "small"
) -> Element:
    """Add a text that begins, ends or has its middle at a place, as `anchor` says."""
    place = {"x": number(x), "y": number(y), "text-anchor": anchor, "class": css}
    written = SubElement(parent, "text", place)
    written.text = text
    return written


def number(value: float) -> str:
    """Write a place to a tenth of a unit, which no eye resolves, in as few characters as can be."""
    return f"{value:.1f}".removesuffix(".0")


def text_of(element: Element) -> str:
    """Return the text of an element."""
    return tostring(element, encoding="unicode")
