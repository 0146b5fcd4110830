"""Searches: which points are tried, in batches that do not depend on who runs them."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from spiketwin.cosim.explore import axes
from spiketwin.cosim.explore.axes import Axis, Point
from spiketwin.cosim.explore.objectives import Direction
from spiketwin.host.errors import InvalidInput

BATCH: Final = 8
"""Points that a search asks for before it is told what came of them. It is fixed, so that the same
points are tried by one process and by many."""

MOST_POINTS: Final = 100_000
"""Most points of a grid."""

_ASKED_FOR_ONE: Final = 20
"""Times that a search may ask, for each trial, for points that it knows."""


@dataclass(frozen=True)
class Judged:
    """The judgement on a point, by which a search goes on.

    Attributes
    ----------
    values:
        A value for each objective; None if the trial was refused.
    excesses:
        By how much each bound is broken, above 0 if it is.
    """

    values: tuple[float, ...] | None
    excesses: tuple[float, ...] = ()


class Search(Protocol):
    """A search over points."""

    @property
    def size(self) -> int:
        """The number of points that are tried."""
        ...

    def batches(self) -> Iterator[list[Point]]:
        """Yield points that are new; `tell` is called for each batch before the next one."""
        ...

    def tell(self, judged: Sequence[Judged]) -> None:
        """Take what came of the last batch, in its order."""
        ...


class Grid:
    """All points of some axes.

    Parameters
    ----------
    varied:
        The axes.

    Raises
    ------
    InvalidInput
        These are too many points.
    """

    def __init__(self, varied: Sequence[Axis]) -> None:
        self.size = axes.count(varied)
        if self.size > MOST_POINTS:
            raise InvalidInput(
                f"these axes have {self.size:,} points, more than {MOST_POINTS:,}: give fewer "
                "values, or search by --trials"
            )
        self._varied = varied

    def batches(self) -> Iterator[list[Point]]:
        """Yield all points at once, as no outcome changes them."""
        yield list(axes.grid(self._varied))

    def tell(self, judged: Sequence[Judged]) -> None:
        """Take nothing: a grid does not learn."""


class Sampled:
    """A search by Optuna's tree-structured Parzen estimator, for several objectives.

    Parameters
    ----------
    varied:
        The axes.
    directions:
        The direction in which each objective is better.
    trials:
        Number of different points to try; fewer if there are not so many.
    seed:
        Seed of the search.

    Raises
    ------
    ImportError
        Without the extra ``explore``.
    """

    def __init__(
        self, varied: Sequence[Axis], directions: Sequence[Direction], trials: int, seed: int
    ) -> None:
        import optuna

        optuna.logging.set_verbosity(logging.WARNING)
        self.size = min(trials, axes.count(varied))
        self._varied = varied
        with warnings.catch_warnings():
            # Multivariate sampling counts as experimental there.
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True)
        self._study = optuna.create_study(
            sampler=sampler,
            directions=[
                "maximize" if each is Direction.MAXIMISE else "minimize" for each in directions
            ],
        )
        self._asked: list[tuple[Any, int]] = []
        self._numbers: dict[tuple[object, ...], int] = {}
        self._known: list[Judged] = []

    def batches(self) -> Iterator[list[Point]]:
        """Yield batches of new points; a point that comes up again is told as it is known."""
        patience = self.size * _ASKED_FOR_ONE
        while len(self._numbers) < self.size and patience > 0:
            before = len(self._numbers)
            fresh: list[Point] = []
            self._asked = []
            for _ in range(BATCH):
                trial = self._study.ask()
                point = {each.name: _suggested(trial, each) for each in self._varied}
                key = tuple(point.values())
                if key not in self._numbers and len(self._numbers) < self.size:
                    self._numbers[key] = len(self._numbers)
                    fresh.append(point)
                if key in self._numbers:
                    self._asked.append((trial, self._numbers[key]))
            patience -= BATCH
            if len(self._numbers) > before:
                yield fresh
            else:
                self.tell([])

    def tell(self, judged: Sequence[Judged]) -> None:
        """Tell Optuna what came of the points that it asked for, in the order in which it did."""
        from optuna.trial import TrialState

        self._known += judged
        for trial, number in self._asked:
            found = self._known[number]
            for place, excess in enumerate(found.excesses):
                trial.set_constraint(f"bound {place}", excess)
            if found.values is None:
                self._study.tell(trial, state=TrialState.FAIL)
            else:
                self._study.tell(trial, list(found.values))


def _suggested(trial: Any, varied: Axis) -> axes.Value:
    """Return the value that Optuna suggests; numbers by their place, as near ones are alike."""
    if varied.is_ordered:
        values = sorted(varied.values, key=float)
        place: int = trial.suggest_int(varied.name, 0, len(values) - 1)
        return values[place]
    value: axes.Value = trial.suggest_categorical(varied.name, varied.values)
    return value
