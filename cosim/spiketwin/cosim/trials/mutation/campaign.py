"""All mutants of all benches, spread over processes."""

from __future__ import annotations

import json
import select
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from subprocess import PIPE
from typing import IO, Final, cast

from spiketwin.cosim.rtl.build import emitted
from spiketwin.cosim.trials.mutation import worker
from spiketwin.cosim.trials.mutation.results import Fate, MutationResult
from spiketwin.cosim.trials.mutation.sites import Mutant, Mutation
from spiketwin.cosim.trials.mutation.trials import BENCHES
from spiketwin.hdl.children import child
from spiketwin.host.errors import SpiketwinError
from spiketwin.host.progress import Stages

_SILENT: Final = "does not come to an end"


class NotRight(SpiketwinError):
    """A design without a living mutant fails a trial, so that no mutant can be judged."""


@dataclass(frozen=True)
class _Task:
    """A mutant of a bench; number 0 stands for the design as it is."""

    bench: str
    count: int
    but: tuple[str, ...]
    mutant: Mutant

    def line(self, seed: int) -> bytes:
        """Return the question of a worker."""
        fields = [self.bench, self.count, seed, self.but, self.mutant.number]
        return json.dumps(fields).encode() + b"\n"


@dataclass(frozen=True)
class Campaign:
    """What is to be tried.

    Attributes
    ----------
    count, seed:
        How many mutants, and the seed of the choice among all that fit.
    workers:
        Number of processes.
    """

    count: int
    seed: int
    workers: int

    def run(self, report: Stages, progress: Callable[[int, int], None]) -> MutationResult:
        """Build all mutants, and try each.

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
        TargetError
            A design cannot be built.
        """
        begin = time.monotonic()
        tasks = self._tasks(report)
        whole = [_Task(t.bench, t.count, t.but, Mutant(0, "", 0, "", "")) for t in _one_each(tasks)]
        for task, trial, why in self._tried(whole):
            if trial is not None:
                raise NotRight(f"{task.bench}, without a mutant, fails {trial!r}: {why}")
        fates = {}
        for task, trial, why in self._tried(tasks):
            fates[task] = Fate.of(task.bench, task.mutant, trial, why)
            progress(len(fates), len(tasks))
        return MutationResult(
            self.seed, tuple(fates[task] for task in tasks), time.monotonic() - begin
        )

    def _tasks(self, report: Stages) -> list[_Task]:
        """Return all mutants; a unit has them on the first bench that has the unit."""
        share = -(-self.count // len(BENCHES))
        tasks: list[_Task] = []
        but: set[str] = set()
        for number, (name, bench) in enumerate(BENCHES.items()):
            count = max(1, min(share * (number + 1), self.count) - len(tasks))
            units = tuple(sorted(but))
            report(f"building mutants of {name}")
            design = bench.mutated(count, self.seed, units)
            mutants = cast(Mutation, design.instrument).mutants(emitted(design))
            tasks += (_Task(name, count, units, mutant) for mutant in mutants)
            but |= {mutant.unit for mutant in mutants}
        return tasks

    def _tried(self, tasks: list[_Task]) -> Iterator[tuple[_Task, str | None, str]]:
        """Yield each task with the trial that told the mutant, or None, and why."""
        waiting = deque(tasks)
        with ExitStack() as opened:
            workers = [_Worker(self.seed, opened) for _ in range(min(self.workers, len(tasks)))]
            for each in workers:
                each.ask(waiting.popleft())
            while busy := [each for each in workers if each.task is not None]:
                ready, *_ = select.select(busy, [], [])
                for each in ready:
                    yield each.answer()
                    if waiting:
                        each.ask(waiting.popleft())


def _one_each(tasks: list[_Task]) -> list[_Task]:
    return list({task.bench: task for task in reversed(tasks)}.values())


class _Worker:
    """A process of `worker`, begun anew after a mutant with which it has ended."""

    task: _Task | None = None

    def __init__(self, seed: int, opened: ExitStack) -> None:
        self._seed = seed
        self._opened = opened
        self._begin()

    def _begin(self) -> None:
        self._process_stack = self._opened.enter_context(ExitStack())
        command = (sys.executable, "-m", worker.__name__)
        self._process = self._process_stack.enter_context(child(command, stdin=PIPE, stdout=PIPE))

    def fileno(self) -> int:
        """Return the descriptor that can be read once there is an answer."""
        return cast(IO[bytes], self._process.stdout).fileno()

    def ask(self, task: _Task) -> None:
        """Have it try a mutant."""
        self.task = task
        with suppress(BrokenPipeError):  # `answer` says that the process is gone
            questions = cast(IO[bytes], self._process.stdin)
            questions.write(task.line(self._seed))
            questions.flush()

    def answer(self) -> tuple[_Task, str | None, str]:
        """Return the task with what was found."""
        line = cast(IO[bytes], self._process.stdout).readline()
        task, self.task = cast(_Task, self.task), None
        if line:
            found = json.loads(line)
            return (task, None, "") if found is None else (task, *found)
        self._process_stack.close()
        self._begin()
        return task, _SILENT, ""
