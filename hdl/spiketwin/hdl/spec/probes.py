"""Probes: ranges of state that a tick reports in words of its output.

The elements of all ranges follow one another as one row of nibbles (four bits), each element as its
lowest nibbles first, sign- or zero-extended to whole ones. Each word of the kind `Word.PROBE` has
`WORD_NIBBLES` of them, the first lowest; what is left of the last word is 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.variables import STATE, Per, Space, Variable

NIBBLE_BITS: Final = 4
WORD_NIBBLES: Final = 7
"""Nibbles of a word, which are all bits of its count."""

MOST_NIBBLES: Final = 6
"""Nibbles of the widest element."""

PROBED: Final = {
    v.space: v
    for v in STATE
    if v.per in (Per.NEURON, Per.SOURCE) and v.space is not Space.PENDING
}  # fmt: skip
"""The state that probes report, by its space."""


def probed(params: CoreParams) -> dict[Space, Variable]:
    """Return the state that probes of a core report, by its space."""
    return {space: array for space, array in PROBED.items() if array.is_built(params)}


def element_nibbles(array: Variable, params: CoreParams) -> int:
    """Return the nibbles of an element of some state."""
    return -(-array.width(params) // NIBBLE_BITS)


def words_of(nibbles: int) -> int:
    """Return the words that hold so many nibbles."""
    return -(-nibbles // WORD_NIBBLES)


def packed(elements: Iterable[tuple[int, int]]) -> list[int]:
    """Return the counts of the words that report elements, each with its number of nibbles."""
    nibbles = [value >> NIBBLE_BITS * k & 15 for value, count in elements for k in range(count)]
    return [
        sum(nibble << NIBBLE_BITS * k for k, nibble in enumerate(nibbles[at : at + WORD_NIBBLES]))
        for at in range(0, len(nibbles), WORD_NIBBLES)
    ]
