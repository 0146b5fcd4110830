"""Many samples, spread over processes, up to a number of neuron updates or the first difference."""

from __future__ import annotations

import json
import select
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from itertools import count
from subprocess import PIPE
from typing import IO, Final, cast

from spiketwin.cosim.trials.verify import worker
from spiketwin.cosim.trials.verify.samples import core_of
from spiketwin.cosim.trials.verify.worker import Outcome, Twins
from spiketwin.hdl.children import child
from spiketwin.host.errors import SpiketwinError
from spiketwin.host.progress import Stages

_MOST_SECONDS: Final = 1800.0
"""Longest wait for the next answer of any process; most samples take about a second."""


class WorkerLost(SpiketwinError):
    """A process that ran a sample has ended by itself, or does not answer."""


@dataclass
class Tally:
    """The count of all samples so far.

    Attributes
    ----------
    next:
        Number of the sample with which to go on.
    samples:
        Samples that were run for each core, by its name.
    ticks, neuron_updates, spikes:
        Their ticks, updates of neurons, and spikes.
    options:
        Number of the samples that had each option, by its name.
    difference:
        The outcome of the first sample in which model and twin differ; None if none did.
    """

    next: int
    samples: Counter[str] = field(default_factory=Counter)
    ticks: int = 0
    neuron_updates: int = 0
    spikes: int = 0
    options: Counter[str] = field(default_factory=Counter)
    difference: Outcome | None = None

    def add(self, outcome: Outcome) -> None:
        """Count the outcome of the next sample."""
        self.next = outcome.number + 1
        self.samples[core_of(outcome.number)] += 1
        self.ticks += outcome.ticks
        self.neuron_updates += outcome.neuron_updates
        self.spikes += outcome.spikes
        self.options.update(outcome.options)
        if outcome.difference is not None:
            self.difference = outcome


@dataclass(frozen=True)
class Campaign:
    """What is to be compared.

    Attributes
    ----------
    url:
        Address of the twin, which takes any sizes.
    seed, first:
        Seed of the samples, and number of the first one.
    cores:
        Names of those of `CORES` whose samples are run; the numbers of others are left out.
    updates:
        Neuron updates from which on no more samples are run.
    workers:
        Number of processes.
    """

    url: str
    seed: int
    first: int
    cores: tuple[str, ...]
    updates: int
    workers: int

    def prepare(self, report: Stages) -> dict[str, str]:
        """Build and connect every twin once, so that all processes find it built.

        Return what each says of its build, by the name of the core. Raise as `connect`.
        """
        builds = {}
        for name in self.cores:
            report(f"building and connecting {name}")
            with ExitStack() as opened:
                _, twin = Twins(self.url, opened).of(name)
                builds[name] = twin.identity.build
        return builds

    def search(self, tally: Tally, progress: Callable[[int], None]) -> None:
        """Run samples until there were enough neuron updates, or until model and twin differ.

        Samples are counted in the order of their numbers, so the number of processes makes no
        difference to what is counted, and what is counted is right even if the search is broken
        off. All processes end with the call.

        Parameters
        ----------
        tally:
            Where samples are counted; empty.
        progress:
            Called with the neuron updates so far.

        Raises
        ------
        WorkerLost
            A process ended by itself, or none answers.
        """
        numbers = (number for number in count(self.first) if core_of(number) in self.cores)
        with ExitStack() as opened:
            workers = [_Worker(self.url, opened) for _ in range(self.workers)]
            outcomes = _in_order(workers, self.seed, numbers)
            while tally.neuron_updates < self.updates and tally.difference is None:
                tally.add(next(outcomes))
                progress(tally.neuron_updates)


def _in_order(workers: list[_Worker], seed: int, numbers: Iterator[int]) -> Iterator[Outcome]:
    """Yield the outcome of each sample, in the order of their numbers; no process is ever idle."""
    asked, done = deque[int](), dict[int, Outcome]()
    idle = workers
    while True:
        for each in idle:
            asked.append(next(numbers))
            each.ask(seed, asked[-1])
        idle, *_ = select.select(workers, [], [], _MOST_SECONDS)
        if not idle:
            raise WorkerLost(f"no process was done with its sample in {_MOST_SECONDS:.0f} s")
        done |= {outcome.number: outcome for outcome in (each.answer() for each in idle)}
        while asked and asked[0] in done:
            yield done.pop(asked.popleft())


class _Worker:
    """A process of `worker`, which ends when `opened` closes."""

    def __init__(self, url: str, opened: ExitStack) -> None:
        command = (sys.executable, "-m", worker.__name__, url)
        self._process = opened.enter_context(child(command, stdin=PIPE, stdout=PIPE))
        self._questions = cast(IO[bytes], self._process.stdin)
        self._answers = cast(IO[bytes], self._process.stdout)
        self._asked = ""

    def fileno(self) -> int:
        """Return the descriptor that can be read once there is an answer."""
        return self._answers.fileno()

    def ask(self, seed: int, number: int) -> None:
        """Have it run a sample."""
        self._asked = f"{seed} {number}"
        with suppress(BrokenPipeError):  # `answer` says that the process is gone
            self._questions.write(f"{self._asked}\n".encode())
            self._questions.flush()

    def answer(self) -> Outcome:
        """Return the outcome of that sample; raise `WorkerLost` if the process has ended."""
        line = self._answers.readline()
        if not line:
            seed, number = self._asked.split()
            raise WorkerLost(
                f"the process that ran sample {number} of seed {seed} ended with status "
                f"{self._process.wait()}: run that one again with --first {number} --updates 1"
            )
        return Outcome(**json.loads(line))
