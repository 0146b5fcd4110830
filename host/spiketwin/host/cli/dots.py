"""Pictures made of characters: braille patterns for dots, and block elements for bars."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

ROWS: Final = 4
"""Rows of dots in a character."""

COLUMNS: Final = 2
"""Columns of dots in a character."""

_FIRST: Final = 0x2800
_BITS: Final = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
"""Bit of each dot in the code point of the character (Unicode, Braille Patterns)."""

_BARS: Final = " ▁▂▃▄▅▆▇█"


def braille(dots: NDArray[np.bool_]) -> list[str]:
    """Return dots, shape (4 · lines, 2 · characters), drawn as lines of characters, from the top.

    A character without dots is a space, because some fonts draw rings for missing dots.
    """
    lines, columns = dots.shape[0] // ROWS, dots.shape[1] // COLUMNS
    cells = dots.reshape(lines, ROWS, columns, COLUMNS)
    numbers = np.einsum("lrcd,rd->lc", cells.astype(np.int64), _BITS)
    return [
        "".join(chr(_FIRST + number) if number else " " for number in line)
        for line in numbers.tolist()
    ]


def bars(values: ArrayLike, top: float) -> str:
    """Return values from 0 to `top` drawn as bars, one character each; only 0 is drawn as 0."""
    parts = np.clip(np.asarray(values) / (top or 1.0), 0.0, 1.0)
    eighths = np.maximum(np.rint(parts * (len(_BARS) - 1)), parts > 0).astype(np.int64)
    return "".join(_BARS[n] for n in eighths.tolist())
