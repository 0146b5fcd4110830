"""The output words of a run: their kinds, and the ticks that they end or belong to."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from spiketwin.hdl.spec.protocol import (
    SPIKE_CYCLE_BITS,
    SPIKE_MASK_BITS,
    WORD_BYTES,
    WORD_COUNT_BITS,
    Word,
)
from spiketwin.host.elements import IntArray

Words = NDArray[np.uint32]

_IS_COUNT_BIT: Final = 31
_BITS_OF_LANE: Final = (SPIKE_MASK_BITS - 1).bit_length()


def of_kind(words: Words, kind: Word) -> NDArray[np.bool_]:
    """Return which words are of a kind; the kind must be one that carries a count."""
    top = 1 << (_IS_COUNT_BIT - WORD_COUNT_BITS) | kind
    found: NDArray[np.bool_] = words >> WORD_COUNT_BITS == top
    return found


def count(words: Words) -> IntArray:
    """Return the counts that words carry, shape (words,)."""
    return (words & ((1 << WORD_COUNT_BITS) - 1)).astype(np.int64)


def report_spikes(words: Words) -> NDArray[np.bool_]:
    """Return which words report spikes."""
    found: NDArray[np.bool_] = words >> _IS_COUNT_BIT == 0
    return found


def lanes_fired(reports: IntArray) -> tuple[IntArray, IntArray]:
    """Return the spikes that words report: for each, the index of its word, and its lane."""
    masks = (reports >> SPIKE_CYCLE_BITS).astype(np.uint8)
    fired = np.unpackbits(masks, bitorder="little").view(np.bool_).nonzero()[0]
    return fired >> _BITS_OF_LANE, fired & (SPIKE_MASK_BITS - 1)


def of_network(words: Words, numbers: IntArray, neuron_lanes: int) -> Words:
    """Return words without the spikes of neurons that the network does not have.

    `numbers` are the numbers in the network of the neurons of the core, or -1. The number of words
    does not change; a word may then report no spike.
    """
    inside = (numbers >= 0).reshape(-1, neuron_lanes) @ (1 << np.arange(neuron_lanes))
    group = (words >> (SPIKE_CYCLE_BITS + SPIKE_MASK_BITS)).astype(np.int64)
    lanes = inside[np.minimum(group, len(inside) - 1)]  # other words have any number there
    kept = lanes << SPIKE_CYCLE_BITS | ~(((1 << SPIKE_MASK_BITS) - 1) << SPIKE_CYCLE_BITS)
    masked: Words = np.where(report_spikes(words), words & kept, words).astype(np.uint32)
    return masked


def last_of_tick(digests: bool) -> Word:
    """Return the kind of the last word of a tick: the digest, if reported, follows the end."""
    return Word.DIGEST_HIGH if digests else Word.END


def ticks_over(words: Words, last: Word = Word.END) -> IntArray:
    """Return how many ticks each word ends, shape (words,); muted ticks count as well.

    `last` is the kind of word that counts as the end of a tick that was not muted.
    """
    over = of_kind(words, last).astype(np.int64)
    muted = of_kind(words, Word.MUTED)
    over[muted] = count(words[muted])
    return over


_KIND_OF_TOP_BYTE: Final = bytes(top >> 4 if top >> 7 else 0 for top in range(256))
COUNTED: Final = 1 << (_IS_COUNT_BIT - WORD_COUNT_BITS)
"""Top bit of the kinds that `kinds_in` returns for words that carry a count."""


def kinds_in(octets: bytes) -> bytes:
    """Return the kind of each word in some bytes, with its top bit; 0 if it reports spikes."""
    return octets[WORD_BYTES - 1 :: WORD_BYTES].translate(_KIND_OF_TOP_BYTE)


def ticks_over_in(answer: bytes, last: Word) -> int:
    """Return the number of ticks that the words in the bytes of an answer end (`ticks_over`).

    Unless a tick was muted, the top byte of each word is enough, which is many times faster.
    """
    kinds = kinds_in(answer)
    if COUNTED | Word.MUTED in kinds:
        return int(ticks_over(np.frombuffer(answer, "<u4"), last).sum())
    return kinds.count(COUNTED | last)


def tick_of(words: Words) -> IntArray:
    """Return the tick that each word of a run belongs to; a muted stretch counts as its first."""
    over = ticks_over(words)
    behind_end = of_kind(words, Word.DIGEST_LOW) | of_kind(words, Word.DIGEST_HIGH)
    return np.cumsum(over) - over - behind_end


def digests_of(words: Words, ticks: int) -> NDArray[np.uint32]:
    """Return the digest of each tick, shape (ticks,); 0 if it has none."""
    tick, found = tick_of(words), np.zeros(ticks, np.uint32)
    for kind, shift in ((Word.DIGEST_LOW, 0), (Word.DIGEST_HIGH, 16)):
        half = of_kind(words, kind)
        found[tick[half]] |= (words[half] & 0xFFFF).astype(np.uint32) << shift
    return found


def split_at_last_tick(words: Words, last: Word) -> tuple[Words, Words]:
    """Return the words up to the last that ends a tick, and the words after it."""
    ends = np.flatnonzero(ticks_over(words, last))
    end = int(ends[-1]) + 1 if ends.size else 0
    return words[:end], words[end:]
