"""The output words of a run: which of them end a tick, report spikes, and belong to which tick."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from spiketwin.hdl.spec.protocol import (
    SPIKE_CYCLE_BITS,
    SPIKE_MASK_BITS,
    WORD_COUNT_BITS,
    Word,
)
from spiketwin.host.elements import IntArray

Words = NDArray[np.uint32]

_IS_COUNT_BIT: Final = 31


def of_kind(words: Words, kind: Word) -> NDArray[np.bool_]:
    """Mark the words of a kind that carries a count."""
    top = 1 << (_IS_COUNT_BIT - WORD_COUNT_BITS) | kind
    found: NDArray[np.bool_] = words >> WORD_COUNT_BITS == top
    return found


def count(words: Words) -> IntArray:
    """Give the counts that words carry."""
    return (words & ((1 << WORD_COUNT_BITS) - 1)).astype(np.int64)


def report_spikes(words: Words) -> NDArray[np.bool_]:
    """Mark the words that report spikes."""
    found: NDArray[np.bool_] = words >> _IS_COUNT_BIT == 0
    return found


def lanes_fired(reports: IntArray) -> tuple[IntArray, IntArray]:
    """Give the spikes in words that report some: the number of the word, and the lane."""
    lanes = np.arange(SPIKE_MASK_BITS)
    which, lane = np.nonzero(reports[:, None] >> (SPIKE_CYCLE_BITS + lanes) & 1)
    return which, lane


def ticks_over(words: Words) -> IntArray:
    """Ticks that each word ends, the muted ones included."""
    over = of_kind(words, Word.END).astype(np.int64)
    muted = of_kind(words, Word.MUTED)
    over[muted] = count(words[muted])
    return over


def tick_of(words: Words) -> IntArray:
    """Tick that each word of a run belongs to; a muted stretch to its first one."""
    over = ticks_over(words)
    return np.cumsum(over) - over


def split_at_last_tick(words: Words) -> tuple[Words, Words]:
    """Give the words of the ticks that are over, and those of a tick that is not over yet."""
    ends = np.flatnonzero(ticks_over(words))
    end = int(ends[-1]) + 1 if ends.size else 0
    return words[:end], words[end:]
