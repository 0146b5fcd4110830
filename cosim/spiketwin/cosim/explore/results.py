"""The result of a search, as ``spiketwin explore`` writes it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from spiketwin.cosim.explore.axes import Point, Value
from spiketwin.cosim.explore.engine import Goal
from spiketwin.cosim.explore.evaluation import TrialOutcome
from spiketwin.cosim.explore.front import front
from spiketwin.cosim.explore.objectives import Direction
from spiketwin.hdl.spec.results import Result


@dataclass(frozen=True)
class Beside(Result):
    """A figure of a core that was built.

    Attributes
    ----------
    estimated:
        What is estimated without a build; null if nothing can be.
    built:
        What the tools report of the build; null if they came to nothing.
    """

    estimated: float | None
    built: float | None


@dataclass(frozen=True)
class BuiltCore(Result):
    """A core that ``--build`` has built.

    Attributes
    ----------
    logic, memory, multipliers:
        Its logic cells, block RAMs and multipliers.
    max_clock:
        The clock in hertz that it is good for.
    origin:
        How what is built was found; null if the tools came to nothing.
    failed:
        Why there is no bitstream: it does not fit, is slower than its clock, or a tool failed; only
        then.
    """

    json_optional = ("failed",)

    logic: Beside
    memory: Beside
    multipliers: Beside
    max_clock: Beside
    origin: str | None
    failed: str | None

    def pairs(self) -> list[tuple[float | None, float | None]]:
        """Return what is estimated and what is built of each of `BUILT`."""
        figures: list[Beside] = [getattr(self, name) for name in BUILT]
        return [(each.estimated, each.built) for each in figures]


BUILT: Final = ("logic", "memory", "multipliers", "max_clock")
"""The figures of a core that is built."""


@dataclass(frozen=True)
class TrialResult(Result):
    """One trial.

    Attributes
    ----------
    params:
        Its values, by the names of the axes.
    objectives:
        Its figures, by name, those of bounds among them; empty if it was refused.
    origin:
        The origin of each figure: ``measured``, ``simulated``, ``estimated`` or ``computed``.
    command:
        The call that makes this trial again.
    core:
        Sizes of the core, as ``--params`` takes them; null where a script returns figures, and for
        a trial that was refused.
    refused:
        Why there is no such core, why it does not hold the network, or why the trial was given up;
        only then.
    notes:
        Warnings that came up.
    built:
        What the tools report of its core; null if it was not built.
    """

    json_optional = ("refused",)

    params: dict[str, Value]
    objectives: dict[str, float]
    origin: dict[str, str]
    command: str
    core: str | None
    refused: str | None
    notes: list[str]
    built: BuiltCore | None = None


@dataclass(frozen=True)
class Exploration(Result):
    """The result of ``spiketwin explore``.

    Attributes
    ----------
    directions:
        ``maximise`` or ``minimise``, by the name of each objective.
    trials:
        All trials, in the order in which they were asked for.
    front:
        Places of those trials that are within the bounds and that no other such trial beats.
    given_up:
        Places of those trials that ended each process that ran them.
    """

    directions: dict[str, Direction]
    trials: list[TrialResult]
    front: list[int]
    given_up: list[int]

    @classmethod
    def of(
        cls,
        trials: Sequence[tuple[Point, TrialOutcome]],
        goal: Goal,
        directions: Mapping[str, Direction],
        words: Sequence[str],
        ends: Sequence[str],
    ) -> Self:
        """Take the trials of a search.

        Parameters
        ----------
        trials:
            Points and outcomes.
        goal, directions:
            What the search was for, and the direction of each objective.
        words, ends:
            Words of the call before the values of a trial, and behind them.
        """
        within = [n for n, (_, outcome) in enumerate(trials) if goal.is_met_by(outcome)]
        values = np.array(
            [[trials[n][1].figures[name].value for name in goal.objectives] for n in within]
        ).reshape(len(within), len(goal.objectives))
        kept = front(values, [directions[name] for name in goal.objectives])
        return cls(
            dict(directions),
            [_trial(point, outcome, words, ends) for point, outcome in trials],
            [within[row] for row in kept],
            [n for n, (_, outcome) in enumerate(trials) if outcome.is_given_up],
        )


def _trial(
    point: Point, outcome: TrialOutcome, words: Sequence[str], ends: Sequence[str]
) -> TrialResult:
    varied = [word for name, value in point.items() for word in ("--vary", f"{name}={value}")]
    return TrialResult(
        params=dict(point),
        objectives={name: figure.value for name, figure in outcome.figures.items()},
        origin={name: figure.origin for name, figure in outcome.figures.items()},
        command=shlex.join(["spiketwin", "explore", *words, *varied, *ends]),
        core=outcome.core,
        refused=outcome.refused,
        notes=list(outcome.notes),
    )
