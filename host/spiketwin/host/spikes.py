"""Spikes on both sides of a run: axon events checked, and output words decoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.protocol import SPIKE_CYCLE_BITS, SPIKE_MASK_BITS, Word
from spiketwin.hdl.spec.registers import SATURATIONS
from spiketwin.hdl.spec.text import shown
from spiketwin.host.account import Account
from spiketwin.host.elements import IntArray, as_array
from spiketwin.host.errors import InvalidInput, LinkError, warn
from spiketwin.host.ledger import Ledger
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

_MOST_FLAG_PAIRS: Final = 4
"""Different rows of two values that are 0 or 1."""


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

    Warns (`SpiketwinWarning`) where the rows look like a raster of two axons.
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
    # There are four such events, and the others would be repetitions.
    if len(events) > _MOST_FLAG_PAIRS and events.max() <= 1:
        warn(
            f"spikes holds nothing but 0 and 1 in {len(events)} rows: that looks like a raster of "
            "two axons, and is read as rows of (tick, axon). If it is one, give "
            "np.argwhere(raster)",
        )
    # Below 2**32 times 2048, a pair fits one number, and numbers sort much faster than rows.
    merged = np.unique(events[:, 0].astype(np.int64) * n_axons + events[:, 1].astype(np.int64))
    return np.stack(np.divmod(merged, n_axons), axis=1)


@dataclass(frozen=True)
class Saturations:
    """What did not fit in a run, as the core counted it (docs/tick.md).

    While the first three are 0, a core with wider state does the same to the bit. A counter of the
    core stays at 2**32 - 1: what comes after that is not seen.

    Attributes
    ----------
    i_syn:
        Weights added to a current whose sum did not fit `i_syn_width`.
    v, theta:
        Potentials and adaptive thresholds kept that did not fit `v_width` and `theta_width`.
    weights:
        Steps of weights that `w_min` or `w_max` cut short, which bounded learning does all the
        time; many tell that weights pile up at a bound.
    """

    i_syn: int = 0
    v: int = 0
    theta: int = 0
    weights: int = 0

    @classmethod
    def between(cls, before: dict[str, int], after: dict[str, int]) -> Saturations | None:
        """Take those between two readings of the counters; None from a core that has none."""
        names = [counter.name for counter in SATURATIONS]
        if names[0] not in before or names[0] not in after:
            return None
        return cls(*(after[name] - before[name] for name in names))

    @classmethod
    def of(cls, parts: Sequence[Saturations | None]) -> Saturations | None:
        """Add up those of the parts of a run; None if they were not counted in all of them."""
        counted = [asdict(part) for part in parts if part is not None]
        if len(counted) < len(parts) or not counted:
            return None
        return cls(**{name: sum(part[name] for part in counted) for name in counted[0]})


def saturations_row(saturations: Saturations | None) -> tuple[str, str]:
    """Give a title and the figures, in its order, as a table shows them."""
    counts = "not counted"
    if saturations is not None:
        counts = " / ".join(f"{count:,}" for count in asdict(saturations).values())
    return "saturated: i_syn / v / theta / weights", counts


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
    saturations:
        What saturated; None from a core that does not count it, and in parts of a run.
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
    saturations: Saturations | None = None
    accounts: tuple[Account, ...] = ()

    @cached_property
    def ledger(self) -> Ledger:
        """Where the time went: of the run, of each tick, of each spike; drawn up when asked for.

        Raises `InvalidInput` for a part of a run, whose time nobody has taken.
        """
        if not self.accounts:
            raise InvalidInput(
                "a part of a run, or one that was broken off, has no ledger: run it to its end"
            )
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
    if ended.sum() != ticks or ends.sum() != ticks or (words.size and not ended[-1]):
        raise LinkError(
            f"the device reported {ended.sum()} ticks instead of {shown(ticks)}: program the "
            "core again (`core.program`)"
        )
    tick = tick_of(words)
    if tick.size and (tick.min() < 0 or tick.max() >= ticks):
        raise LinkError(
            "the device reported the words of a tick in a wrong order: program the core again"
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
            "program the core again"
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
    if isinstance(ticks, bool) or not isinstance(ticks, int | np.integer) or ticks < 0:
        raise InvalidInput(f"ticks must be an integer from 0 on, not {shown(ticks)}")
    if not isinstance(params, CoreParams):
        raise InvalidInput(f"params must be CoreParams, not {shown(params)}")
