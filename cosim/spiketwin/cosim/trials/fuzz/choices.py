"""Choices read from bytes, so that whatever generates and shrinks bytes does so with inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

_Any = TypeVar("_Any")

EDGES: Final = (
    0, 1, 2, 3, 4, 7, 8, 9, 15, 16, 63, 64, 127, 128, 254, 255, 256, 1023, 2047, 2048, 2049, 4095,
    32767, 32768, 65535, 65536, (1 << 24) - 1, 1 << 24, (1 << 31) - 1, 1 << 31, (1 << 32) - 1,
    1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, 1 << 64,
)  # fmt: skip
"""Edge cases: numbers at the end of some range."""

_TOKENS: Final = (
    "-1", "1.5", "nan", "inf", "-inf", "1e400", "1e-400", "null", "true", "{}", "[]", '""', "0x10",
    "²", "٣", "\0", "\ud800", "..", "/", "%00", "[", "]", "(", "{", "'", '"', "\\", ",", "=", "&",
    "?", ":", "//", "#", "@", " ", "\t", "\n", "\r", "\ufeff", "\u2028", "é", "9" * 400, "9" * 5000,
    "[" * 2000,
)  # fmt: skip
"""Pieces of text that readers may handle wrongly."""


class Unsound(Exception):
    """The code under test did not fail, but a result is not as it must be.

    The fuzzer looks for such cases, so this must not count as an error of this package.
    """


class Choices:
    """A source of choices that consumes bytes; without any left, it makes the simplest choice.

    Parameters
    ----------
    data:
        The bytes.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    @property
    def left(self) -> int:
        """Bytes that are left."""
        return max(0, len(self._data) - self._place)

    def below(self, count: int) -> int:
        """Return a number in 0…count - 1."""
        size = 1 if count <= 256 else (count - 1).bit_length() + 7 >> 3
        return int.from_bytes(self.octets(size), "little") % count

    def octets(self, count: int) -> bytes:
        """Return so many bytes."""
        data = self._data[self._place : self._place + count]
        self._place += count
        return data.ljust(count, b"\0")

    def of(self, items: Sequence[_Any]) -> _Any:
        """Return one of several items, the first one being the simplest."""
        return items[self.below(len(items))]

    def once_in(self, count: int) -> bool:
        """Return True once in so many times."""
        return self.below(count) == count - 1

    def edge(self) -> int:
        """Return an edge case among numbers, a neighbour of one, or any other number."""
        kind = self.below(4)
        if kind == 3:
            return int.from_bytes(self.octets(self.below(9)), "little")
        return max(0, self.of(EDGES) + (0, 1, -1)[kind])

    def token(self) -> str:
        """Return a piece of text that readers may handle wrongly."""
        return str(self.edge()) if self.below(2) == 0 else self.of(_TOKENS)


def mutated(data: bytes, choices: Choices) -> bytes:
    """Change bytes in one to four places."""
    octets = bytearray(data)
    for _ in range(1 + choices.below(4)):
        place = choices.below(len(octets) + 1)
        span = 1 + choices.below(8) ** 2
        match choices.below(8):
            case 0:
                octets[place : place + 1] = choices.octets(1)
            case 1:
                del octets[place : place + span]
            case 2:
                octets[place:place] = choices.octets(1 + choices.below(4))
            case 3:
                octets[place:place] = octets[place : place + span]
            case 4:
                del octets[place:]
            case 5:
                octets[place : place + span] = bytes(choices.of((b"\0", b"\xff", b"\x7f"))) * span
            case 6:
                octets[place : place + span] = choices.token().encode("utf-8", "surrogatepass")
            case _:
                other = choices.below(len(octets) + 1)
                octets[place : place + span] = octets[other : other + span]
    return bytes(octets)


def mutated_text(text: str, separators: str, choices: Choices) -> str:
    """Change pieces of a text between separators, or its bytes."""
    if choices.once_in(3):
        return mutated(text.encode(), choices).decode("utf-8", "surrogateescape")
    pieces = [""]
    for character in text:
        if character in separators:
            pieces += [character, ""]
        else:
            pieces[-1] += character
    for _ in range(1 + choices.below(3)):
        place = choices.below(len(pieces))
        match choices.below(4):
            case 0:
                pieces[place] = choices.token()
            case 1:
                pieces[place] = ""
            case 2:
                pieces.insert(place, choices.of(pieces))
            case _:
                pieces[place] += choices.token()
    return "".join(pieces)
