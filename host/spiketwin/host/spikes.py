"""Spikes on both sides of a run: axon events checked, and output words decoded."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.protocol import SPIKE_CYCLE_BITS, SPIKE_MASK_BITS, Word
from spiketwin.hdl.spec.text import shown
from spiketwin.host.elements import IntArray, as_array
from spiketwin.host.errors import InvalidInput, LinkError
from spiketwin.host.ledger import Account, Ledger
from spiketwin.host.words import (
    Words,
    count,
    digests_of,
    lanes_fired,
    last_of_tick,
    of_kind,
    report_spikes,
    tick_of,
    ticks_over,
)

MOST_EVENTS: Final = 1 << 24
"""Most events that a file can hold."""

_MOST_TICKS: Final = (1 << 32) - 1


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
        raise InvalidInput(f"ticks must be an integer in 1…{_MOST_TICKS}, not {shown(ticks)}")
    events = as_array("spikes", spikes, InvalidInput, "of shape (k, 2)")
    if events.size == 0:
        return np.empty((0, 2), np.int64)
    if n_axons == 0:
        raise InvalidInput(
            "spikes must be empty: this network has no axons that could take an event"
        )
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
    digests:
        Shape (ticks,), uint32: the digest of each tick, 0 where muted (`muted` tells); None if the
        run was to have none.
    accounts:
        What the ledger is drawn up from: one of each call of `Core.run` that it is made of.
    """

    spikes: IntArray
    spike_cycles: IntArray
    cycles: IntArray
    update_cycles: IntArray
    muted: NDArray[np.bool_]
    missed_deadlines: int = 0
    late_events: int = 0
    digests: NDArray[np.uint32] | None = None
    accounts: tuple[Account, ...] = ()

    @cached_property
    def ledger(self) -> Ledger:
        """Where the time went: of the run, of each tick, of each spike; drawn up when asked for."""
        return Ledger.of(self.accounts)


def decode(words: Words, ticks: int, params: CoreParams, digests: bool) -> Run:
    """Decode the output words of a whole run, or of ticks that follow each other in one.

    Parameters
    ----------
    words:
        All of them.
    ticks:
        How many there are of.
    params:
        Sizes of the core.
    digests:
        Whether each tick reports its digest.

    Raises
    ------
    LinkError
        The words do not add up to so many ticks, or report what such a core has not.
    InvalidInput
        An argument is something else.
    """
    _check_words(words, ticks, params)
    if not isinstance(digests, bool | np.bool_):
        raise InvalidInput(f"digests must be True or False, not {shown(digests)}")
    ends, ended = ticks_over(words), ticks_over(words, last_of_tick(digests))
    if ended.sum() != ticks or ends.sum() != ticks or not ended[-1:].any():
        raise LinkError(
            f"the device reported {ended.sum()} ticks instead of {shown(ticks)}: reset it and run "
            "again"
        )
    tick = tick_of(words)
    if tick.min() < 0 or tick.max() >= ticks:
        raise LinkError(
            "the device reported the words of a tick in a wrong order: reset it and run again"
        )
    cycles, update_cycles = np.zeros(ticks, np.int64), np.zeros(ticks, np.int64)
    update, end = of_kind(words, Word.UPDATE), of_kind(words, Word.END)
    update_cycles[tick[update]] = count(words[update])
    cycles[tick[end]] = count(words[end])
    muted = np.ones(ticks, np.bool_)
    muted[tick[end]] = False

    reports = report_spikes(words)
    report, report_tick = words[reports].astype(np.int64), tick[reports]
    which, lane = lanes_fired(report)
    group = report >> (SPIKE_CYCLE_BITS + SPIKE_MASK_BITS)
    neuron = group[which] * params.neuron_lanes + lane
    if neuron.size and (neuron.max() >= params.n_neurons or lane.max() >= params.neuron_lanes):
        raise LinkError(
            f"the device reported a spike of a neuron that it has not, in group {group.max()}: "
            "reset it and run again"
        )
    cycle = update_cycles[report_tick] + (report & ((1 << SPIKE_CYCLE_BITS) - 1))
    return Run(
        np.stack([report_tick[which], neuron], axis=1),
        cycle[which],
        cycles,
        update_cycles,
        muted,
        digests=digests_of(words, ticks) if digests else None,
    )


def _check_words(words: object, ticks: object, params: object) -> None:
    if not isinstance(words, np.ndarray) or words.ndim != 1 or words.dtype != np.uint32:
        raise InvalidInput(f"words must be a vector of uint32, not {shown(words)}")
    if isinstance(ticks, bool) or not isinstance(ticks, int | np.integer) or ticks < 1:
        raise InvalidInput(f"ticks must be an integer from 1 on, not {shown(ticks)}")
    if not isinstance(params, CoreParams):
        raise InvalidInput(f"params must be CoreParams, not {shown(params)}")
