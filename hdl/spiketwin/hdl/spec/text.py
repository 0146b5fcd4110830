"""Text: whole numbers read from what people write, and values shown in a message."""

from __future__ import annotations

from reprlib import Repr
from typing import Final

MOST_DIGITS: Final = 20
"""Digits of the longest number that is read: more than any size, rate or count has. Python itself
refuses some thousands, with an error of its own."""

_MOST_BITS: Final = 256
_MOST_CHARACTERS: Final = 60


def number(text: str) -> int | None:
    """Give the whole number from 0 on that a text writes in decimal; None if it writes none.

    More digits than `MOST_DIGITS` are none.
    """
    if not (text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS):
        return None
    return int(text)


class _Short(Repr):
    """What any value looks like in a message: short, and whatever it is, without an error."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = _MOST_CHARACTERS

    def repr1(self, x: object, level: int) -> str:
        """Show one value, in a container or alone."""
        if isinstance(x, int) and x.bit_length() > _MOST_BITS:
            return f"a number of {x.bit_length()} bits"  # Python does not write thousands of digits
        if isinstance(x, int | float | complex) or _is_numpy_scalar(x):
            return str(x)  # 7 where numpy would have np.int64(7)
        return super().repr1(x, level)


def _is_numpy_scalar(x: object) -> bool:
    return type(x).__module__ == "numpy" and not hasattr(x, "__len__")


_SHORT: Final = _Short()


def shown(value: object) -> str:
    """Show a value in a message: numbers plain, of whatever type; long things short."""
    return " ".join(_SHORT.repr(value).split())
