"""Text: whole numbers that users type, and values that are shown in messages."""

from __future__ import annotations

from reprlib import Repr
from typing import Final

MOST_DIGITS: Final = 20
"""Digits of the longest number that is read, more than any size, rate or count has. Python itself
raises an error of its own for numbers of some thousand digits."""

_MOST_BITS: Final = 256
_MOST_CHARACTERS: Final = 60


def number(text: str) -> int | None:
    """Return the whole number, not below 0, that a text holds in decimal digits.

    None is returned for any other text, and for more digits than `MOST_DIGITS`.
    """
    if not (text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS):
        return None
    return int(text)


class _Short(Repr):
    """The representation of any value in a message: short, and never an error."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = _MOST_CHARACTERS

    def repr1(self, x: object, level: int) -> str:
        """Return the text of one value, in a container or alone."""
        if isinstance(x, int) and x.bit_length() > _MOST_BITS:
            return f"a number of {x.bit_length()} bits"  # Python does not write thousands of digits
        if isinstance(x, int | float | complex) or _is_numpy_scalar(x):
            return str(x)  # 7 where numpy would have np.int64(7)
        return super().repr1(x, level)


def _is_numpy_scalar(x: object) -> bool:
    return type(x).__module__ == "numpy" and not hasattr(x, "__len__")


_SHORT: Final = _Short()


def shown(value: object) -> str:
    """Return the text of a value for a message: numbers of any type plain, long values cut."""
    return " ".join(_SHORT.repr(value).split())
