"""The evidence that ``spiketwin verify`` writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from spiketwin.cosim.trials.verify.campaign import VerifyCampaign, VerifyTally
from spiketwin.cosim.trials.verify.networks import options_of
from spiketwin.cosim.trials.verify.samples import CORES
from spiketwin.hdl.spec.params import described
from spiketwin.hdl.spec.results import Result


@dataclass(frozen=True)
class VerifiedCore(Result):
    """The samples of one size of core.

    Attributes
    ----------
    name, params:
        Name of the core, and its sizes as ``--params`` takes them.
    build:
        What the twin says of its build.
    samples:
        Number of samples that were run on it.
    """

    name: str
    params: str
    build: str
    samples: int


@dataclass(frozen=True)
class OptionUse(Result):
    """The samples that had an option.

    Attributes
    ----------
    name:
        Name of the option.
    samples:
        Number of the samples that had it.
    """

    name: str
    samples: int


@dataclass(frozen=True)
class SampleDifference(Result):
    """The first sample in which model and twin differ.

    Attributes
    ----------
    number, core:
        Number of the sample, and name of its core.
    what:
        Where they differ, in words.
    network:
        File with its network and stimulus.
    small:
        File with the smallest case in which they still differ; null if only probes differ, or the
        twin fails.
    repeat:
        Commands that run the sample again, and that trace the difference to its cause.
    """

    number: int
    core: str
    what: str
    network: str
    small: str | None
    repeat: list[str]


@dataclass(frozen=True)
class VerifyResult(Result):
    """The result of ``spiketwin verify``.

    Attributes
    ----------
    on:
        Address of the twin.
    seed, first, next:
        Seed of the samples, number of the first one, and of the one with which to go on.
    updates:
        Neuron updates that were asked for.
    neuron_updates, ticks, spikes:
        Updates of the neurons of all networks, ticks and spikes that were compared.
    workers, seconds:
        Number of processes, and the wall time of the samples, those that were known at once.
    scheduler:
        Address of the scheduler of Dask whose workers ran them instead; null for none.
    options:
        Number of the samples that had each option of the cores, by its name.
    cores:
        The cores that samples were drawn for.
    difference:
        The first difference; null if there is none.
    """

    json_keys = (
        "equal", "on", "seed", "first", "next", "updates", "samples", "neuron_updates", "ticks",
        "spikes", "workers", "scheduler", "seconds", "options", "cores", "difference",
    )  # fmt: skip

    on: str
    seed: int
    first: int
    next: int
    updates: int
    neuron_updates: int
    ticks: int
    spikes: int
    workers: int
    scheduler: str | None
    seconds: float
    options: list[OptionUse]
    cores: list[VerifiedCore]
    difference: SampleDifference | None

    @classmethod
    def of(
        cls,
        campaign: VerifyCampaign,
        tally: VerifyTally,
        builds: Mapping[str, str],
        seconds: float,
        difference: SampleDifference | None,
    ) -> Self:
        """Take what was counted, and the builds of the twins by the names of their cores."""
        # Each once, in the order in which they come first.
        names = dict.fromkeys(n for core in campaign.cores for n in options_of(CORES[core]))
        return cls(
            on=campaign.url,
            seed=campaign.seed,
            first=campaign.first,
            next=tally.next,
            updates=campaign.updates,
            neuron_updates=tally.neuron_updates,
            ticks=tally.ticks,
            spikes=tally.spikes,
            workers=campaign.workforce.processes,
            scheduler=campaign.workforce.scheduler,
            seconds=seconds,
            options=[OptionUse(name, tally.options[name]) for name in names],
            cores=[
                VerifiedCore(name, described(CORES[name]), builds[name], tally.samples[name])
                for name in campaign.cores
            ],
            difference=difference,
        )

    @property
    def equal(self) -> bool:
        """Whether model and twin were equal in all samples that were run."""
        return self.difference is None

    @property
    def samples(self) -> int:
        """Number of the samples that were compared."""
        return sum(core.samples for core in self.cores)
