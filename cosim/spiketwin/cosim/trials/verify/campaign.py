"""Many samples, spread over processes, up to a number of neuron updates or the first difference."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from typing import Final

from spiketwin.cosim.trials.verify.samples import core_of
from spiketwin.cosim.trials.verify.worker import SampleOutcome, Samples, Twins
from spiketwin.cosim.workers import answers, sources
from spiketwin.cosim.workers.answers import AnswerFormat, Answers, answered
from spiketwin.cosim.workers.crew import Crew, GivenUp
from spiketwin.cosim.workers.workforce import Workforce
from spiketwin.host.errors import SpiketwinError
from spiketwin.host.progress import Stages

_MOST_SECONDS: Final = 1800.0
"""Longest time that a sample may take; most take about a second."""


class SampleLost(SpiketwinError):
    """A sample has ended each process that ran it, or came to no end."""


@dataclass
class VerifyTally:
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
    resumed:
        Whether the first of them, and so perhaps most, had been run by an earlier call.
    """

    next: int
    samples: Counter[str] = field(default_factory=Counter)
    ticks: int = 0
    neuron_updates: int = 0
    spikes: int = 0
    options: Counter[str] = field(default_factory=Counter)
    difference: SampleOutcome | None = None
    resumed: bool = False

    def add(self, outcome: SampleOutcome) -> None:
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
class VerifyCampaign:
    """A campaign of samples: the target that is compared with the model, and on how many of them.

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
    workforce:
        Who runs them.
    store:
        File in which their outcomes are kept, and looked up; None for none.
    """

    url: str
    seed: int
    first: int
    cores: tuple[str, ...]
    updates: int
    workforce: Workforce
    store: Path | None = None

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

    def search(self, tally: VerifyTally, progress: Callable[[int], None]) -> None:
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
        SampleLost
            A sample ended each process that ran it, or came to no end.
        StoreError, WorkersLost
            A sample cannot be kept, or there is nobody to run it.
        """
        form = AnswerFormat[int, SampleOutcome](
            str, asdict, lambda written: SampleOutcome(**written)
        )
        work = f"verify {self.url} seed {self.seed} {sources.fingerprint(sources.ALL)}"
        with (
            answers.opened(self.store, work, form) as kept,
            self.workforce.at_work(Samples(self.url, self.seed), seconds=_MOST_SECONDS) as crew,
            closing(self._in_order(crew, kept)) as outcomes,
        ):
            tally.resumed = kept.find(next(self._numbers())) is not None
            while tally.neuron_updates < self.updates and tally.difference is None:
                tally.add(next(outcomes))
                progress(tally.neuron_updates)

    def _numbers(self) -> Iterator[int]:
        """Return the numbers of the samples, without end."""
        return (number for number in count(self.first) if core_of(number) in self.cores)

    def _in_order(
        self, crew: Crew[int, SampleOutcome], kept: Answers[int, SampleOutcome]
    ) -> Generator[SampleOutcome, None, None]:
        """Yield the outcome of each sample, in the order of their numbers; nobody is ever idle."""
        asked, done = deque[int](), dict[int, SampleOutcome | GivenUp]()

        def numbers() -> Iterator[int]:
            for number in self._numbers():
                asked.append(number)
                yield number

        outcomes = answered(numbers(), crew, kept)
        with closing(outcomes):
            for number, found in outcomes:
                done[number] = found
                while asked and asked[0] in done:
                    outcome = done.pop(asked[0])
                    if isinstance(outcome, GivenUp):
                        raise SampleLost(
                            f"sample {asked[0]} of seed {self.seed} {outcome}: run that one again "
                            f"with --first {asked[0]} --updates 1"
                        )
                    asked.popleft()
                    yield outcome
