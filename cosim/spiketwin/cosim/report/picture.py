"""Small pictures of arrays, as PNG within a data URI: one pixel per number.

Zero is transparent, so that the page shows through, light or dark.
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
"""Blue and orange: visible on white and on black, and distinct for colour-blind readers."""

MOST: Final = 1024
"""Most pixels of a picture on each side."""


def diverging(values: IntArray, largest: int) -> str:
    """Return a picture of values, blue above 0 and orange below.

    Parameters
    ----------
    values:
        Shape (rows, columns). Beyond `MOST` of either, adjacent ones are reduced to the value
        furthest from 0.
    largest:
        Magnitude of the values with the full colour.

    Raise `ImportError` without Pillow.
    """
    values = _furthest(_furthest(values).T).T
    pixels = np.empty((*values.shape, 4), np.uint8)
    pixels[..., :3] = np.where((values > 0)[..., None], _ABOVE, _BELOW)
    pixels[..., 3] = np.rint(255 * np.abs(values) / max(1, largest))
    return _png(pixels)


def density(counts: IntArray, colour: tuple[int, int, int] = _POINTS) -> str:
    """Return a picture of counts; raise `ImportError` without Pillow.

    Parameters
    ----------
    counts:
        Shape (rows, columns), 0 or more.
    colour:
        Red, green and blue, 0…255, for the largest count.
    """
    pixels = np.empty((*counts.shape, 4), np.uint8)
    pixels[..., :3] = colour
    # The square root keeps small counts visible.
    pixels[..., 3] = np.ceil(255 * np.sqrt(counts / max(1, int(counts.max(initial=0)))))
    return _png(pixels)


def _furthest(values: IntArray) -> IntArray:
    """Reduce the rows to `MOST`, keeping the value furthest from 0 of adjacent ones."""
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
