"""What a run put out: spikes, cycles and digests, decoded from its output words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.protocol import (
    SPIKE_CYCLE_BITS,
    SPIKE_MASK_BITS,
    WORD_COUNT_BITS,
    Word,
)
from spiketwin.hdl.spec.registers import SATURATIONS
from spiketwin.hdl.spec.text import shown
from spiketwin.host.account import Account
from spiketwin.host.elements import IntArray
from spiketwin.host.errors import InvalidInput, LinkError
from spiketwin.host.ledger import Ledger
from spiketwin.host.words import (
    Words,
    digests_of,
    lanes_fired,
    last_of_tick,
    tick_of,
    ticks_over,
)


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
    kinds = words >> WORD_COUNT_BITS
    end, update = np.flatnonzero(kinds == _END), np.flatnonzero(kinds == _UPDATE)
    report = np.flatnonzero(kinds < _UPDATE)
    counts = (words & _COUNT_MASK).astype(np.int64)
    if digests or len(end) != ticks or len(update) != ticks or (kinds > _END).any():
        tick, muted = _checked_ticks(words, ticks, digests), np.ones(ticks, np.bool_)
        muted[tick[end]] = False
        cycles, update_cycles = np.zeros(ticks, np.int64), np.zeros(ticks, np.int64)
        update_cycles[tick[update]] = counts[update]
        cycles[tick[end]] = counts[end]
        report_tick = tick[report]
    else:
        # Nothing was muted: each tick has one word of each of these, in order.
        if ticks and (
            end[-1] != len(words) - 1 or (update > end).any() or (update[1:] < end[:-1]).any()
        ):
            raise LinkError(_DISORDERED)
        muted = np.zeros(ticks, np.bool_)
        cycles, update_cycles = counts[end], counts[update]
        report_tick = np.searchsorted(end, report)

    reports = words[report].astype(np.int64)
    which, lane = lanes_fired(reports)
    neuron = (reports >> (SPIKE_CYCLE_BITS + SPIKE_MASK_BITS))[which] * params.neuron_lanes + lane
    if neuron.size and (neuron.max() >= params.n_neurons or lane.max() >= params.neuron_lanes):
        group = int(reports.max()) >> (SPIKE_CYCLE_BITS + SPIKE_MASK_BITS)
        raise LinkError(
            f"the device reported a spike of a neuron that it has not, in group {group}: "
            "program the core again"
        )
    cycle = update_cycles[report_tick] + (reports & ((1 << SPIKE_CYCLE_BITS) - 1))
    spikes = np.empty((len(which), 2), np.int64)
    spikes[:, 0] = report_tick[which]
    spikes[:, 1] = neuron
    return Run(
        spikes,
        cycle[which],
        cycles,
        update_cycles,
        muted,
        digests=digests_of(words, ticks) if digests else None,
    )


_COUNTED: Final = 1 << (31 - WORD_COUNT_BITS)
_UPDATE: Final = _COUNTED | Word.UPDATE
_END: Final = _COUNTED | Word.END
_COUNT_MASK: Final = (1 << WORD_COUNT_BITS) - 1
_DISORDERED: Final = (
    "the device reported the words of a tick in a wrong order: program the core again"
)


def _checked_ticks(words: Words, ticks: int, digests: bool) -> IntArray:
    """Give the tick of each word; raise `LinkError` if they are not words of so many ticks."""
    ends, ended = ticks_over(words), ticks_over(words, last_of_tick(digests))
    if ended.sum() != ticks or ends.sum() != ticks or (words.size and not ended[-1]):
        raise LinkError(
            f"the device reported {ended.sum()} ticks instead of {shown(ticks)}: program the "
            "core again (`core.program`)"
        )
    tick = tick_of(words)
    if tick.size and (tick.min() < 0 or tick.max() >= ticks):
        raise LinkError(_DISORDERED)
    return tick


def _check_words(words: object, ticks: object, params: object) -> None:
    if not isinstance(words, np.ndarray) or words.ndim != 1 or words.dtype != np.uint32:
        raise InvalidInput(f"words must be a vector of uint32, not {shown(words)}")
    if isinstance(ticks, bool) or not isinstance(ticks, int | np.integer) or ticks < 0:
        raise InvalidInput(f"ticks must be an integer from 0 on, not {shown(ticks)}")
    if not isinstance(params, CoreParams):
        raise InvalidInput(f"params must be CoreParams, not {shown(params)}")
