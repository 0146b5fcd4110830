"""The result of a run: its spikes, cycles and counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from spiketwin.hdl.spec.registers import SATURATIONS
from spiketwin.hdl.spec.results import Result
from spiketwin.host.account import Account
from spiketwin.host.decoding import Decoded
from spiketwin.host.elements import IntArray
from spiketwin.host.errors import InvalidInput
from spiketwin.host.ledger import Ledger

_NAMES: Final = tuple(counter.name for counter in SATURATIONS)


@dataclass(frozen=True)
class Saturations(Result):
    """Counts of the values that saturated in a run, as the core counted them (docs/tick.md).

    As long as `i_syn`, `v` and `theta` are 0, a core with wider state gives the same results to the
    bit. A counter of the core stays at 2**32 - 1; later saturations are not counted.

    Attributes
    ----------
    i_syn:
        Weights added to a current whose sum did not fit `i_syn_width`.
    v, theta:
        Potentials and adaptive thresholds kept that did not fit `v_width` and `theta_width`.
    weights:
        Steps of weights that were clipped to `w_min` or `w_max`. That is normal for bounded
        learning; a large count says that weights pile up at a bound.
    """

    i_syn: int = 0
    v: int = 0
    theta: int = 0
    weights: int = 0

    @classmethod
    def between(cls, before: dict[str, int], after: dict[str, int]) -> Saturations | None:
        """Return the counts between two readings of the counters; None if the core has none."""
        if _NAMES[0] not in before or _NAMES[0] not in after:
            return None
        return cls(*[after[name] - before[name] for name in _NAMES])

    @classmethod
    def of(cls, parts: Sequence[Saturations | None]) -> Saturations | None:
        """Return the sums over the parts of a run; None if any part was not counted."""
        counted = [asdict(part) for part in parts if part is not None]
        if len(counted) < len(parts) or not counted:
            return None
        return cls(**{name: sum(part[name] for part in counted) for name in counted[0]})


def saturations_row(saturations: Saturations | None) -> tuple[str, str]:
    """Return a title and the counts, in the order of the title, as a row of a table."""
    counts = "not counted"
    if saturations is not None:
        counts = " / ".join(f"{count:,}" for count in asdict(saturations).values())
    return "saturated: i_syn / v / theta / weights", counts


@dataclass(frozen=True, eq=False)
class Run:
    """The result of a run. Ticks count from the beginning of the run.

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
        Shape (ticks,), bool: ticks whose output was dropped because the queue was full, which
        happens only at a fixed tick period.
    probes:
        The state that was probed, by name: shape (rows, n), int64, a row for each tick that
        reports and is not muted, and a column for each element asked for.
    probe_ticks:
        Shape (rows,): the tick of each row of `probes`.
    missed_deadlines, late_events:
        Ticks that began late and events that came too late, at a fixed tick period.
    digests:
        Shape (ticks,), uint32: the digest of each tick, 0 where muted; None if no digests were
        asked for.
    saturations:
        Counts of values that saturated; None from a core that does not count them, and in parts of
        a run.
    accounts:
        The account of each call of `Core.run` in the run, for the ledger.
    """

    spikes: IntArray
    spike_cycles: IntArray
    cycles: IntArray
    update_cycles: IntArray
    muted: NDArray[np.bool_]
    digests: NDArray[np.uint32] | None = None
    probes: dict[str, IntArray] = field(default_factory=dict)
    probe_ticks: IntArray = field(default_factory=lambda: np.empty(0, np.int64))
    missed_deadlines: int = 0
    late_events: int = 0
    saturations: Saturations | None = None
    accounts: tuple[Account, ...] = ()

    @classmethod
    def undecoded(cls, decode: Callable[[], Decoded], **others: Any) -> Run:
        """Return a run that is decoded lazily, from words that are known to be good.

        Decoding takes longer than a run of one tick, and often the arrays are never used.

        Parameters
        ----------
        decode:
            Function that decodes the words, which have no digests.
        others:
            The attributes that are not decoded from words.
        """
        run = cls.__new__(cls)
        run.__dict__.update(others, _decode=decode)
        return run

    if not TYPE_CHECKING:  # or every misspelt attribute would seem to be there

        def __getattr__(self, name: str) -> Any:
            """Decode the words when an attribute is first used that is decoded from them."""
            decode = self.__dict__.get("_decode")
            if decode is not None and name in Decoded._fields:
                # Safe for two threads: the attributes are set before `_decode` is removed.
                self.__dict__.update(decode()._asdict())
                self.__dict__.pop("_decode", None)
            if name not in self.__dict__:
                raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
            return self.__dict__[name]

    def __getstate__(self) -> dict[str, Any]:
        """Return the attributes to copy or pickle, decoded."""
        _ = self.spikes
        return {name: value for name, value in self.__dict__.items() if name != "_decode"}

    @cached_property
    def ledger(self) -> Ledger:
        """The latency ledger of the run, its ticks and its spikes, computed at the first use.

        Raises `InvalidInput` for a part of a run, which was not timed.
        """
        if not self.accounts:
            raise InvalidInput(
                "a part of a run, or one that was broken off, has no ledger: run it to its end. "
                "Nor have runs that were spread over threads: give threads=1"
            )
        return Ledger.of(self.accounts)
