"""A comparison as a result: the keys of what ``spiketwin compare`` writes as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from spiketwin.cosim.compare.accuracy import Drift, Limits, OpenLoop
from spiketwin.cosim.compare.comparison import FLOAT, Comparison, Findings, Nearness
from spiketwin.cosim.compare.difference import Difference
from spiketwin.cosim.report.figure import Figure
from spiketwin.cosim.report.summary import limited_by
from spiketwin.hdl.spec.results import Result
from spiketwin.host.matching import Match
from spiketwin.host.spikes import Saturations
from spiketwin.host.summaries import LedgerSummary


@dataclass(frozen=True)
class MatchResult(Result):
    """The match of the spikes of a run with those of the ideal network, in open loop.

    Attributes
    ----------
    within_one_tick, same_tick:
        Shares of the ideal spikes that the run has within one tick, and at the same tick.
    missing, extra:
        Ideal spikes without a partner in the run, and spikes of the run without one.
    """

    within_one_tick: float
    same_tick: float
    missing: int
    extra: int

    @classmethod
    def of(cls, match: Match) -> Self:
        """Take the shares and the counts of a match."""
        shares = match.within_one_tick_share, match.same_tick_share
        return cls(*shares, match.missing, match.extra)


@dataclass(frozen=True)
class LiftedResult(Result):
    """The match that is reached if one rounding of a core is lifted.

    Attributes
    ----------
    rounding:
        Name of the rounding.
    match:
        The match without it.
    """

    json_merged = ("match",)

    rounding: str
    match: MatchResult


@dataclass(frozen=True)
class LimitsResult(Result):
    """The limits of the accuracy of a core.

    Attributes
    ----------
    all_kept:
        The match with all roundings of a core.
    lifted:
        The match without one of them, for each.
    exact:
        Roundings that there is nothing to lift of, as the values are whole already.
    """

    all_kept: MatchResult
    lifted: list[LiftedResult]
    exact: tuple[str, ...]

    @classmethod
    def of(cls, limits: Limits) -> Self:
        """Take the matches of `Limits`."""
        lifted = [LiftedResult(name, MatchResult.of(each)) for name, each in limits.lifted.items()]
        return cls(MatchResult.of(limits.all_kept), lifted, limits.exact)


@dataclass(frozen=True)
class DriftResult(Result):
    """The drift of potential and weights from the ideal ones, in open loop.

    Attributes
    ----------
    unit:
        Unit of the differences.
    drift:
        The differences.
    """

    json_merged = ("drift",)

    unit: str
    drift: Drift


@dataclass(frozen=True)
class NearnessResult(Result):
    """The nearness of a target to the ideal network; null if it has too few axons.

    Attributes
    ----------
    same_tick_as_float:
        Share of the ideal spikes at the same tick, in open loop.
    missing, extra:
        Spikes without a partner, of the ideal network and of the target, in open loop.
    drift:
        How far potential and weights are from the ideal ones, in open loop.
    limited_by:
        The rounding whose lifting brings the target nearest; null if none explains it.
    parts_from_float_at_tick:
        First tick in which, in closed loop, other neurons fired; null if none did.
    """

    same_tick_as_float: float | None
    missing: int | None
    extra: int | None
    drift: DriftResult | None
    limited_by: str | None
    parts_from_float_at_tick: int | None

    @classmethod
    def of(cls, found: Comparison, nearness: Nearness) -> Self:
        """Take the nearness of one target."""
        near, tick = nearness.open_loop, nearness.parting_tick
        if near is None:
            return cls(None, None, None, None, None, tick)
        return cls(
            same_tick_as_float=near.match.same_tick_share,
            missing=near.match.missing,
            extra=near.match.extra,
            drift=DriftResult(found.case.unit, near.drift),
            limited_by=limited_by(found, near),
            parts_from_float_at_tick=tick,
        )


@dataclass(frozen=True)
class TargetResult(Result):
    """The results of one target.

    Attributes
    ----------
    build, clock_hz:
        Build and clock that the target reports.
    equal_to:
        Whether it equals each of the other targets, by address.
    within_one_tick_of_float:
        Share of the ideal spikes within one tick, in open loop; null without ``float:``.
    spikes, cycles:
        Spikes that were fired, and cycles of all ticks.
    saturations:
        Values that did not fit; null from a core that does not count them.
    wall_seconds:
        Wall time of the run.
    ledger:
        Where the wall time went.
    nearness:
        Its nearness to the ideal network; only with ``float:``.
    """

    json_merged = ("nearness",)

    build: str
    clock_hz: int
    equal_to: dict[str, bool]
    within_one_tick_of_float: float | None
    spikes: int
    cycles: int
    saturations: Saturations | None
    wall_seconds: float
    ledger: LedgerSummary
    nearness: NearnessResult | None

    @classmethod
    def of(cls, found: Comparison, one: Findings) -> Self:
        """Take the results of a comparison for one target."""
        run, nearness = one.behaviour.run, one.nearness
        near: OpenLoop | None = None if nearness is None else nearness.open_loop
        return cls(
            build=one.identity.build,
            clock_hz=one.identity.clock_hz,
            equal_to=one.equal_to,
            within_one_tick_of_float=None if near is None else near.match.within_one_tick_share,
            spikes=len(run.spikes),
            cycles=int(run.cycles.sum()),
            saturations=run.saturations,
            wall_seconds=run.ledger.wall_seconds,
            ledger=run.ledger.summary(),
            nearness=None if nearness is None else NearnessResult.of(found, nearness),
        )


@dataclass(frozen=True)
class IdealResult(Result):
    """The run of the ideal network.

    Attributes
    ----------
    equal_to, within_one_tick_of_float:
        Always empty and null, as these keys are for targets.
    spikes, wall_seconds:
        Its spikes, and the wall time of its run.
    """

    spikes: int
    wall_seconds: float
    equal_to: dict[str, bool]
    within_one_tick_of_float: None = None


@dataclass(frozen=True)
class ComparisonResult(Result):
    """The result of ``spiketwin compare``.

    Attributes
    ----------
    ticks:
        Ticks that were run.
    digests:
        Whether there were several targets and they were compared by their digests.
    limits:
        Limits of the accuracy of a core of these sizes; null without ``float:``.
    targets:
        Results of each target, by its address; of ``float:`` only these keys:
        ``equal_to``, ``within_one_tick_of_float``, ``spikes`` and ``wall_seconds``.
    first_difference:
        The first difference of two targets ([its meaning](compare.md#the-first-difference)); null
        if there is none.
    figures:
        The drawings of the report, each with its tables.
    """

    ticks: int
    digests: bool
    limits: LimitsResult | None
    targets: dict[str, TargetResult | IdealResult]
    first_difference: Difference | None
    figures: Sequence[Figure]

    @classmethod
    def of(cls, found: Comparison, figures: Sequence[Figure]) -> Self:
        """Take the results, and the drawings of the report."""
        targets: dict[str, Any] = {
            name: TargetResult.of(found, one) for name, one in found.devices.items()
        }
        if found.ideal is not None:
            targets[FLOAT] = IdealResult(len(found.ideal.spikes), found.ideal.seconds, {})
        return cls(
            ticks=found.case.ticks,
            digests=found.digests,
            limits=None if found.limits is None else LimitsResult.of(found.limits),
            targets=targets,
            first_difference=found.differences[0] if found.differences else None,
            figures=figures,
        )
