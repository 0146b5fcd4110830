"""The work of a process: samples, run on models and twins that stay connected."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache

from spiketwin.cosim.trials.verify.samples import CORES, Sample, apart, core_of
from spiketwin.host import Core, connect
from spiketwin.host.errors import SpiketwinError

MODEL = "model:"


@dataclass(frozen=True)
class SampleOutcome:
    """The outcome of a sample.

    Attributes
    ----------
    number:
        Number of the sample.
    ticks, neuron_updates, spikes:
        Ticks that were run, with their updates of neurons, and spikes of the model in them.
    options:
        Names of the options that the sample has, in alphabetical order.
    difference:
        Where model and twin first differ, in words; None if they are equal.
    """

    number: int
    ticks: int
    neuron_updates: int
    spikes: int
    options: list[str]
    difference: str | None


class Twins:
    """Models and twins of `CORES`, each connected when it is first needed.

    Parameters
    ----------
    url:
        Address of the twin.
    opened:
        Where they are closed.
    """

    def __init__(self, url: str, opened: ExitStack) -> None:
        self._url = url
        self._opened = opened
        self._cores: dict[str, tuple[Core, Core]] = {}

    def outcome(self, seed: int, number: int) -> SampleOutcome:
        """Run a sample on both; an error of the twin counts as a difference."""
        sample = Sample.drawn(seed, number)
        model, twin = self.of(core_of(number))
        expected = sample.behaviour(model)
        try:
            difference = apart(expected, sample.behaviour(twin))
        except SpiketwinError as error:
            difference = f"{type(error).__name__}: {error}"
        return SampleOutcome(
            number, sample.ticks, sample.neuron_updates, len(expected.run.spikes),
            sorted(sample.options), difference,
        )  # fmt: skip

    def of(self, name: str) -> tuple[Core, Core]:
        """Return the model and the twin of one of `CORES`; raise as `connect`."""
        if name not in self._cores:
            model, twin = (
                self._opened.enter_context(connect(url, params=CORES[name]))
                for url in (MODEL, self._url)
            )
            self._cores[name] = model, twin
        return self._cores[name]


@dataclass(frozen=True)
class Samples:
    """The samples of a seed, as a work whose tasks are their numbers.

    Attributes
    ----------
    url:
        Address of the twin.
    seed:
        The seed.
    """

    url: str
    seed: int

    def __call__(self, number: int) -> SampleOutcome:
        """Run a sample on twins that stay connected as long as the process lives."""
        return _twins(self.url).outcome(self.seed, number)


@cache
def _twins(url: str) -> Twins:
    return Twins(url, ExitStack())
