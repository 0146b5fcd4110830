"""Signals and memories, read as plain numbers.

The value that cocotb gives of a signal is an array of bits. Making one takes several times as long
as asking the simulator, and a comparison after every tick asks for hundreds. Here the simulator is
asked by the handles below those of cocotb, which are private, and stable in one minor release.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


def number(signal: Any) -> int:
    """Return the value of a signal; `ValueError` if a bit of it is neither 0 nor 1."""
    return int(signal._handle.get_signal_val_binstr(), 2)


@dataclass(frozen=True, slots=True)
class Element:
    """An element of a vector or of a row, and the bits of a memory's word that hold it.

    Attributes
    ----------
    values, place:
        The vector or row, and the place of the element in it.
    shift, width, signed:
        The lowest of the bits, their number, and whether the highest of them is a sign.
    """

    values: list[int]
    place: int
    shift: int
    width: int
    signed: bool

    def take(self, word: int) -> None:
        """Take the element from a word."""
        value = word >> self.shift & (1 << self.width) - 1
        negative = self.signed and value >> self.width - 1
        self.values[self.place] = value - (1 << self.width) if negative else value


class DeviceMemory:
    """A memory of the device, and the elements that are in its words.

    Parameters
    ----------
    array:
        The memory, as cocotb finds it.
    elements:
        The elements in each of its words.

    Attributes
    ----------
    words:
        The words, as cocotb finds them.
    """

    def __init__(self, array: Any, elements: Sequence[Sequence[Element]]) -> None:
        self.words = [array[place] for place in range(len(array))]
        self._elements = elements
        self._reads = [word._handle.get_signal_val_binstr for word in self.words]
        self._known = [""] * len(self.words)

    def read(self) -> None:
        """Read every word, and take the elements from those that are not as they were last time."""
        for place, read in enumerate(self._reads):
            bits = read()
            if bits != self._known[place]:
                self._known[place] = bits
                word = int(bits, 2)
                for element in self._elements[place]:
                    element.take(word)
