"""SVG drawings, written through an XML writer that escapes, as names of targets are free text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

WIDTH: Final = 860.0
"""Width of every drawing, in units that are pixels if the page is wide enough."""


def drawing(
    name: str, title: str, says: str, parts: Iterable[Element], height: float, above: float = 0.0
) -> str:
    """Put parts into one named drawing.

    Parameters
    ----------
    name:
        Name of the drawing in the page.
    title, says:
        Title, and description in sentences, which is the text alternative.
    parts:
        The parts.
    height, above:
        Height of the parts, and room above them.
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
    """Add a path with a class."""
    return SubElement(parent, "path", {"d": data, "class": css})


def rectangle(
    parent: Element, left: float, top: float, right: float, bottom: float, css: str
) -> None:
    """Add a rectangle with a class."""
    SubElement(parent, "rect", frame(left, top, right, bottom) | {"class": css})


def frame(left: float, top: float, right: float, bottom: float) -> dict[str, str]:
    """Return the attributes of an element that fills a rectangle."""
    return {
        "x": number(left),
        "y": number(top),
        "width": number(right - left),
        "height": number(bottom - top),
    }


def write(
    parent: Element, x: float, y: float, text: str, anchor: str, css: str = "small"
) -> Element:
    """Add a text whose beginning, end or middle, according to `anchor`, is at a place."""
    place = {"x": number(x), "y": number(y), "text-anchor": anchor, "class": css}
    written = SubElement(parent, "text", place)
    written.text = text
    return written


def number(value: float) -> str:
    """Return a coordinate rounded to a tenth of a unit, in as few characters as possible."""
    return f"{value:.1f}".removesuffix(".0")


def text_of(element: Element) -> str:
    """Return the SVG text of an element."""
    return tostring(element, encoding="unicode")
