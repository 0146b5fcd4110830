"""Spikes on both sides of a run: axon events checked, and output words decoded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.protocol import (
    SPIKE_CYCLE_BITS,
    SPIKE_MASK_BITS,
    WORD_COUNT_BITS,
    Word,
)
from spiketwin.host.elements import IntArray
from spiketwin.host.errors import InvalidInput, LinkError

_IS_COUNT_BIT = 31
_MOST_TICKS = (1 << 32) - 1


def checked_events(spikes: ArrayLike, ticks: int, n_axons: int) -> IntArray:
    """Sort events and merge those that are equal.

    Parameters
    ----------
    spikes:
        Shape (k, 2): (tick, axon), in any order.
    ticks:
        Length of the run.
    n_axons:
        Axons there are.

    Returns
    -------
    IntArray
        Shape (m, 2), strictly ascending.

    Raises
    ------
    InvalidInput
        Wrong shape or type, or a tick or axon that does not exist.
    """
    if (
        isinstance(ticks, bool)
        or not isinstance(ticks, int | np.integer)
        or not 1 <= ticks <= _MOST_TICKS
    ):
        raise InvalidInput(f"ticks must be an integer in 1…{_MOST_TICKS}, not {ticks!r}")
    try:
        events = np.asarray(spikes)
    except ValueError as error:
        raise InvalidInput(f"spikes must be an array of shape (k, 2): {error}") from error
    if events.size == 0:
        return np.empty((0, 2), np.int64)
    if events.ndim != 2 or events.shape[1] != 2 or events.dtype.kind not in "iu":
        raise InvalidInput(
            "spikes must be integers of shape (k, 2), (tick, axon), "
            f"not {events.dtype} of {events.shape}"
        )
    for column, (name, bound) in enumerate((("tick", ticks), ("axon", n_axons))):
        wrong = np.flatnonzero((events[:, column] < 0) | (events[:, column] >= bound))
        if wrong.size:
            first = int(wrong[0])
            raise InvalidInput(
                f"spikes[{first}]: {name} must be in 0…{bound - 1}, not {events[first, column]}"
            )
    # Below 2**32 times 2048, a pair fits one number, and numbers sort much faster than rows.
    merged = np.unique(events[:, 0].astype(np.int64) * n_axons + events[:, 1].astype(np.int64))
    return np.stack(np.divmod(merged, n_axons), axis=1)


@dataclass(frozen=True, eq=False)
class Run:
    """What a run put out. Ticks count from the beginning of the run.

    Attributes
    ----------
    spikes:
        Shape (m, 2), int64: (tick, neuron), ascending.
    spike_cycles:
        Shape (m,): cycle within its tick at which each spike left.
    cycles, update_cycles:
        Shape (ticks,): cycles of each tick, and the cycle in it at which *Update* began; 0 where
        muted.
    muted:
        Shape (ticks,), bool: ticks whose output was dropped because the queue was full. Only at a
        fixed tick period.
    missed_deadlines, late_events:
        Ticks that began late and events that came too late, at a fixed tick period.
    """

    spikes: IntArray
    spike_cycles: IntArray
    cycles: IntArray
    update_cycles: IntArray
    muted: NDArray[np.bool_]
    missed_deadlines: int = 0
    late_events: int = 0


def ticks_done(words: NDArray[np.uint32]) -> int:
    """Ticks that words report as over, the muted ones included."""
    return int(_ticks_over(words).sum())


def split_at_last_tick(
    words: NDArray[np.uint32],
) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Give the words of the ticks that are over, and those of a tick that is not over yet."""
    ends = np.flatnonzero(_ticks_over(words))
    end = int(ends[-1]) + 1 if ends.size else 0
    return words[:end], words[end:]


def _counts(words: NDArray[np.uint32], kind: Word) -> NDArray[np.bool_]:
    top = 1 << (_IS_COUNT_BIT - WORD_COUNT_BITS) | kind
    found: NDArray[np.bool_] = words >> WORD_COUNT_BITS == top
    return found


def _ticks_over(words: NDArray[np.uint32]) -> IntArray:
    """Ticks that each word ends."""
    over = _counts(words, Word.END).astype(np.int64)
    muted = _counts(words, Word.MUTED)
    over[muted] = _count(words[muted])
    return over


def _count(words: NDArray[np.uint32]) -> IntArray:
    return (words & ((1 << WORD_COUNT_BITS) - 1)).astype(np.int64)


def decode(words: NDArray[np.uint32], ticks: int, params: CoreParams) -> Run:
    """Decode the output words of a whole run, or of ticks that follow each other in one.

    Raises `LinkError` when the words do not add up to so many ticks.
    """
    over = _ticks_over(words)
    tick = np.cumsum(over) - over
    if over.sum() != ticks or not over[-1:].any():
        raise LinkError(
            f"the device reported {over.sum()} ticks instead of {ticks}: reset it and run again"
        )
    cycles, update_cycles = np.zeros(ticks, np.int64), np.zeros(ticks, np.int64)
    update, end = _counts(words, Word.UPDATE), _counts(words, Word.END)
    update_cycles[tick[update]] = _count(words[update])
    cycles[tick[end]] = _count(words[end])
    muted = np.ones(ticks, np.bool_)
    muted[tick[end]] = False

    reports = (words >> _IS_COUNT_BIT) == 0
    report, report_tick = words[reports].astype(np.int64), tick[reports]
    lanes = np.arange(SPIKE_MASK_BITS)
    which, lane = np.nonzero(report[:, None] >> (SPIKE_CYCLE_BITS + lanes) & 1)
    group = report >> (SPIKE_CYCLE_BITS + SPIKE_MASK_BITS)
    neuron = group[which] * params.neuron_lanes + lane
    cycle = update_cycles[report_tick] + (report & ((1 << SPIKE_CYCLE_BITS) - 1))
    return Run(
        np.stack([report_tick[which], neuron], axis=1),
        cycle[which],
        cycles,
        update_cycles,
        muted,
    )
