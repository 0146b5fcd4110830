"""The words of the output stream (`spiketwin.hdl.spec.protocol.Word`) for ticks of the model."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from spiketwin.cosim.model.core import Run
from spiketwin.hdl.spec.params import DIGEST_WORDS, CoreParams
from spiketwin.hdl.spec.protocol import (
    SPIKE_CYCLE_BITS,
    SPIKE_MASK_BITS,
    WORD_COUNT_BITS,
    Word,
)

Words = npt.NDArray[np.int64]


def count_word(kind: Word, count: npt.ArrayLike) -> Words:
    """Word of `kind` with a count, which stays at its largest value rather than wrap."""
    top = (1 << WORD_COUNT_BITS) - 1
    return 1 << 31 | kind << WORD_COUNT_BITS | np.minimum(np.asarray(count, np.int64), top)


def words_of(params: CoreParams, first_tick: int, run: Run) -> Words:
    """All words of the ticks of `run`, of which `first_tick` is the first."""
    ticks = run.cycles.size
    groups, bits = np.divmod(run.spikes[:, 1], params.neuron_lanes)
    # One word for each run of spikes that share tick and group; spikes ascend.
    key = (run.spikes[:, 0] - first_tick) * params.neuron_groups + groups
    head = np.flatnonzero(np.diff(key, prepend=-1))
    masks = np.bitwise_or.reduceat(1 << bits, head) if head.size else head
    tick = key[head] // params.neuron_groups
    others = 2 if run.digests is None else 2 + DIGEST_WORDS
    words_before = others * np.arange(ticks + 1)
    words_before[1:] += np.cumsum(np.bincount(tick, minlength=ticks))
    words = np.empty(words_before[-1], np.int64)
    words[words_before[:-1]] = count_word(Word.UPDATE, run.update_cycles)
    end = words_before[1:] + 1 - others
    words[end] = count_word(Word.END, run.cycles)
    if run.digests is not None:
        words[end + 1] = count_word(Word.DIGEST_LOW, run.digests & 0xFFFF)
        words[end + 2] = count_word(Word.DIGEST_HIGH, run.digests >> 16)
    # Before a spike word lie those of earlier groups, and the others of a tick with one UPDATE more
    words[np.arange(head.size) + others * tick + 1] = (
        groups[head] << SPIKE_MASK_BITS | masks
    ) << SPIKE_CYCLE_BITS | run.spike_cycles[head]
    return words
