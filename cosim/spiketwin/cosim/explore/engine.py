"""The course of a search: what is known is looked up, the rest is run, and all of it is stored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from spiketwin import cosim, firmware, host
from spiketwin.cosim.explore.axes import Point
from spiketwin.cosim.explore.evaluation import TrialOutcome
from spiketwin.cosim.explore.objectives import Bound
from spiketwin.cosim.explore.search import Judged, Search
from spiketwin.cosim.explore.store import Store
from spiketwin.cosim.explore.subjects import SearchSubject
from spiketwin.cosim.workers import sources
from spiketwin.cosim.workers.crew import Crew, GivenUp
from spiketwin.hdl import spec
from spiketwin.host.progress import Steps

_SHAPE_FIGURES: Final = (
    (spec, ""), (host, ""), (firmware, "estimates"), (firmware, "families"), (firmware, "boards"),
    (cosim, "explore"), (cosim, "model"), (cosim, "device"), (cosim, "compare"), (cosim, "demo"),
    (cosim, "digits"),
)  # fmt: skip
"""Packages, and folders in them, on whose sources figures depend."""


@dataclass(frozen=True)
class Goal:
    """The goal of a search.

    Attributes
    ----------
    objectives:
        Names of the objectives.
    bounds:
        Bounds that a trial has to keep to.
    """

    objectives: tuple[str, ...]
    bounds: tuple[Bound, ...] = ()

    @property
    def wanted(self) -> tuple[str, ...]:
        """Names of all figures that a trial has to find, each once."""
        return tuple(dict.fromkeys((*self.objectives, *(bound.name for bound in self.bounds))))

    def judged(self, outcome: TrialOutcome) -> Judged:
        """Return what a search is told of an outcome."""
        if outcome.refused is not None:
            return Judged(None)
        values = {name: figure.value for name, figure in outcome.figures.items()}
        return Judged(
            tuple(values[name] for name in self.objectives),
            tuple(bound.excess(values[bound.name]) for bound in self.bounds),
        )

    def is_met_by(self, outcome: TrialOutcome) -> bool:
        """Return whether a trial was possible, and within all bounds."""
        judged = self.judged(outcome)
        return judged.values is not None and all(each <= 0 for each in judged.excesses)


def identity(subject: SearchSubject) -> str:
    """Return text that differs where the same point would give other figures."""
    return f"{subject.identity} {sources.fingerprint(_SHAPE_FIGURES)}"


def explored(
    search: Search, crew: Crew[Point, TrialOutcome], store: Store, goal: Goal, progress: Steps
) -> Iterator[list[tuple[Point, TrialOutcome]]]:
    """Yield the trials of each batch, in the order in which the search asked for them.

    Each trial is stored as soon as it is done, whatever becomes of the others. One that is given up
    is not: the next call tries it again.

    Parameters
    ----------
    search, crew, store, goal:
        What is tried, who runs it, where it is kept, and what for.
    progress:
        Called with (trials done, trials).

    Raises
    ------
    StoreError, WorkersLost
        A trial cannot be kept, or there is nobody to run it.
    """
    done = 0
    for points in search.batches():
        known = {n: store.find(point, goal.wanted) for n, point in enumerate(points)}
        found = {n: outcome for n, outcome in known.items() if outcome is not None}
        fresh = [n for n in known if n not in found]
        progress(done + len(found), search.size)
        for place, outcome in crew.run([points[n] for n in fresh]):
            number = fresh[place]
            if isinstance(outcome, GivenUp):
                found[number] = TrialOutcome(refused=f"the trial {outcome}", is_given_up=True)
            else:
                store.add(points[number], outcome, goal.wanted)
                found[number] = outcome
            progress(done + len(found), search.size)
        done += len(points)
        search.tell([goal.judged(found[n]) for n in range(len(points))])
        yield [(point, found[n]) for n, point in enumerate(points)]
