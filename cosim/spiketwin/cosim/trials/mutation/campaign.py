"""All mutants of all benches, spread over processes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spiketwin.cosim.rtl.build import emitted, library
from spiketwin.cosim.trials.mutation import worker
from spiketwin.cosim.trials.mutation.results import MutantFate, MutationResult
from spiketwin.cosim.trials.mutation.sites import Site, drawn, sites
from spiketwin.cosim.trials.mutation.trials import BENCHES
from spiketwin.cosim.workers.crew import GivenUp
from spiketwin.cosim.workers.workforce import Workforce
from spiketwin.hdl import builds
from spiketwin.host.errors import InvalidInput, SpiketwinError
from spiketwin.host.progress import Stages, Steps


class NotRight(SpiketwinError):
    """A design without a living mutant fails a trial, so that no mutant can be judged."""


class MutantLost(SpiketwinError):
    """A mutant has ended each process that tried it, or that looked for a proof of it."""


@dataclass(frozen=True)
class _Task:
    """A mutant of a bench, and the number that it has there."""

    bench: str
    places: tuple[int, ...]
    number: int
    site: Site

    @property
    def question(self) -> worker.Question:
        """What a process is asked."""
        return self.bench, self.places, self.number

    def fate(self, trial: str | None, why: str, equivalent: bool) -> MutantFate:
        """Return what became of the mutant."""
        return MutantFate.of(self.bench, self.site, trial, why, equivalent)


@dataclass(frozen=True)
class MutationCampaign:
    """A campaign of mutants: how many are tried, and by whom.

    Attributes
    ----------
    count, seed:
        How many mutants, and the seed of the choice among all that fit.
    workers:
        Number of processes.
    earlier:
        Fates that are known. Mutants that they call survivors are tried again.
    scheduler:
        Address of a scheduler of Dask whose workers try them instead; None for this computer.
    """

    count: int
    seed: int
    workers: int
    earlier: tuple[MutantFate, ...] = ()
    scheduler: str | None = None

    def run(self, report: Stages, progress: Steps) -> MutationResult:
        """Build all mutants, try each, and look for proofs of those that survive.

        An interrupt ends the trials; what was found by then is returned.

        Parameters
        ----------
        report:
            Called with one line before each build.
        progress:
            Called with the number of mutants that were tried, and of all.

        Raises
        ------
        NotRight
            A design fails a trial without a living mutant.
        MutantLost
            A mutant has ended each process that tried it, or that looked for a proof of it.
        WorkersLost
            There is nobody to try mutants.
        TargetError
            A design cannot be built.
        """
        begin = time.monotonic()
        tasks = self._tasks(report)
        known = {fate.place: fate for fate in self.earlier if not fate.is_survivor}
        fates = {task: known.get(task.fate(None, "", False).place) for task in tasks}
        left = [task for task, fate in fates.items() if fate is None]
        report(f"trying mutants, processes: {self.workers}")
        with suppress(KeyboardInterrupt):
            for task, found in self._answers(left, worker.tried):
                if wrong := found.get("wrong"):
                    trial, why = wrong
                    raise NotRight(f"{task.bench}, without a mutant, fails {trial!r}: {why}")
                trial, why = found["told"] or (None, "")
                fates[task] = task.fate(trial, why, False)
                progress(len(tasks) - list(fates.values()).count(None), len(tasks))
            report("looking for proofs that survivors change nothing")
            survivors = [task for task, fate in fates.items() if fate and fate.is_survivor]
            for task, proved in self._answers(survivors, worker.proved):
                fates[task] = task.fate(None, "", proved)
        tried = tuple(fate for fate in fates.values() if fate)
        untried, seconds = len(tasks) - len(tried), time.monotonic() - begin
        return MutationResult(self.seed, gateware(), tried, untried, seconds)

    def _tasks(self, report: Stages) -> list[_Task]:
        """Draw the mutants and build them."""
        fit = {}
        for name, bench in BENCHES.items():
            report(f"emitting {name}")
            every = sites(emitted(bench.mutated(())))
            fit[name] = [site for site in every if bench.is_for(site.unit)]
        tasks: list[_Task] = []
        for name, chosen in drawn(fit, self.count, self.seed).items():
            if chosen:
                report(f"building mutants of {name}")
                places = tuple(site.place for site in chosen)
                library(BENCHES[name].mutated(places))
                tasks += (_Task(name, places, k, site) for k, site in enumerate(chosen, 1))
        return tasks

    def _answers(
        self, tasks: list[_Task], work: Callable[[worker.Question], Any]
    ) -> Iterator[tuple[_Task, Any]]:
        """Yield each task with what was found; raise `MutantLost` if it ends its process."""
        with Workforce(self.workers, self.scheduler).at_work(work) as crew:
            for place, found in crew.run(task.question for task in tasks):
                if isinstance(found, GivenUp):
                    raise MutantLost(f"the mutant {tasks[place].site} {found}")
                yield tasks[place], found


def gateware() -> str:
    """Return the fingerprint of the source of the gateware."""
    return builds.fingerprint(builds.gateware_sources())


def earlier(file: Path) -> tuple[MutantFate, ...]:
    """Read the fates in a result of the same gateware.

    Raises
    ------
    InvalidInput
        The file is not such a result.
    """
    try:
        found = json.loads(file.read_text("utf-8"))
        fates = tuple(MutantFate(**each) for each in found["list"])
        same = found["gateware"] == gateware()
    except (OSError, ValueError, TypeError, LookupError) as error:
        raise InvalidInput(
            f"{file} is no result of `spiketwin bench --mutants NUMBER --json FILE`: {error}"
        ) from error
    if not same:
        raise InvalidInput(f"{file} is of another gateware: leave --since out")
    return fates
