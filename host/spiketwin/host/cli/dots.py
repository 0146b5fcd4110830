"""Pictures made of characters: dots of braille, and bars of eighths of a block."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

ROWS: Final = 4
"""Dots that one character has above each other."""

COLUMNS: Final = 2
"""Dots that one character has beside each other."""

_FIRST: Final = 0x2800
_BITS: Final = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
"""What each dot adds to the number of the character (Unicode, Braille Patterns)."""

_BARS: Final = " ▁▂▃▄▅▆▇█"


def braille(dots: NDArray[np.bool_]) -> list[str]:
    """Draw dots, shape (4 · lines, 2 · characters), first row on top, as lines of characters.

    A character without a dot is a space: some fonts draw rings for the dots that are not there.
    """
    lines, columns = dots.shape[0] // ROWS, dots.shape[1] // COLUMNS
    cells = dots.reshape(lines, ROWS, columns, COLUMNS)
    numbers = np.einsum("lrcd,rd->lc", cells.astype(np.int64), _BITS)
    return [
        "".join(chr(_FIRST + number) if number else " " for number in line)
        for line in numbers.tolist()
    ]


def bars(values: ArrayLike, top: float) -> str:
    """Draw values from 0 to `top` as bars, a character each; what is not 0 is not drawn as 0."""
    parts = np.clip(np.asarray(values) / (top or 1.0), 0.0, 1.0)
    eighths = np.maximum(np.rint(parts * (len(_BARS) - 1)), parts > 0).astype(np.int64)
    return "".join(_BARS[n] for n in eighths.tolist())
