"""Small pictures of numbers, as PNG in the address itself: one pixel a number.

A value of nothing is transparent, so that the page shows through, light or dark.
"""

from __future__ import annotations

import base64
import io
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spiketwin.host.elements import IntArray

_ABOVE: Final = (26, 111, 199)
_BELOW: Final = (213, 94, 0)
_POINTS: Final = (112, 112, 112)
"""Seen on white as well as on black; whoever sees can tell blue from orange."""

MOST: Final = 1024
"""Pixels of a picture on each side, at most."""


def diverging(values: IntArray, largest: int) -> str:
    """Picture of values, blue above 0 and orange below.

    Parameters
    ----------
    values:
        Shape (rows, columns). Beyond `MOST` of either, of some beside each other the one is taken
        that is furthest from 0.
    largest:
        The value, or minus it, that has the full colour.

    Raises `ImportError` without Pillow.
    """
    values = _furthest(_furthest(values).T).T
    pixels = np.empty((*values.shape, 4), np.uint8)
    pixels[..., :3] = np.where((values > 0)[..., None], _ABOVE, _BELOW)
    pixels[..., 3] = np.rint(255 * np.abs(values) / max(1, largest))
    return _png(pixels)


def density(counts: IntArray, colour: tuple[int, int, int] = _POINTS) -> str:
    """Picture of how many there are of something; raises `ImportError` without Pillow.

    Parameters
    ----------
    counts:
        Shape (rows, columns), 0 or more.
    colour:
        Red, green and blue, 0…255, of the most there is.
    """
    pixels = np.empty((*counts.shape, 4), np.uint8)
    pixels[..., :3] = colour
    # The root, or what is rare would not be seen.
    pixels[..., 3] = np.ceil(255 * np.sqrt(counts / max(1, int(counts.max(initial=0)))))
    return _png(pixels)


def _furthest(values: IntArray) -> IntArray:
    """Of rows, more than `MOST`, take the value furthest from 0 of those beside each other."""
    if len(values) <= MOST:
        return values
    starts = np.arange(0, len(values), -(-len(values) // MOST))
    most, least = np.maximum.reduceat(values, starts), np.minimum.reduceat(values, starts)
    return np.where(most >= -least, most, least)


def _png(pixels: NDArray[np.uint8]) -> str:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="png", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
