"""The demo on one target, recorded in full."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from spiketwin.cosim.digits.encoding import DigitReadout, Digits, load
from spiketwin.cosim.digits.recipe import LABELLING, RECIPE, TESTING, Phase, Recipe
from spiketwin.host import Core, Network, Run, Runs, connect
from spiketwin.host.elements import IntArray
from spiketwin.host.progress import Progress, Steps

Watch = Callable[[Phase, int, Run], None]
"""Callback that receives a phase, the number of a presentation in it, and its run."""

SIZES = "digits"
"""The reference size that the demo runs on."""


@dataclass(frozen=True, eq=False)
class Record:
    """The complete output of one target, and what is derived from it.

    Attributes
    ----------
    phases:
        The phases that were shown, in order.
    ticks_per_image:
        Ticks of one presentation; presentations follow each other without a gap.
    spikes:
        Shape (m, 2): tick, counted from the first of all, and neuron.
    spike_cycles:
        Shape (m,): cycle within its tick at which each spike left.
    cycles, update_cycles:
        Shape (ticks,): cycles of each tick, and the cycle in it at which *Update* began.
    weights:
        After each phase, shape (sources, neurons).
    state:
        After each phase, name to array.
    seconds:
        Time that all this took, without building the target and connecting to it.
    """

    phases: tuple[Phase, ...]
    ticks_per_image: int
    spikes: IntArray
    spike_cycles: IntArray
    cycles: IntArray
    update_cycles: IntArray
    weights: tuple[IntArray, ...]
    state: tuple[dict[str, IntArray], ...]
    seconds: float

    @property
    def ticks(self) -> int:
        """Ticks in all."""
        return len(self.cycles)

    @property
    def run(self) -> Run:
        """All that was shown as one run, whose ticks count on from presentation to presentation."""
        never = np.zeros(self.ticks, np.bool_)
        return Run(self.spikes, self.spike_cycles, self.cycles, self.update_cycles, muted=never)

    def held(self, phase: int) -> dict[str, IntArray]:
        """Return the weights and the state after a phase, as `Behaviour.held` has them."""
        return {"weight": self.weights[phase]} | self.state[phase]

    @property
    def presentations(self) -> int:
        """Presentations in all."""
        return sum(phase.presentations for phase in self.phases)

    @property
    def is_whole(self) -> bool:
        """Whether the test images were shown too, so that there is an accuracy."""
        return any(phase.name == TESTING for phase in self.phases)

    def until(self, phases: int) -> Record:
        """Return the record up to the end of so many phases, with `seconds` still of all phases."""
        ticks = sum(phase.presentations for phase in self.phases[:phases]) * self.ticks_per_image
        spikes = int(np.searchsorted(self.spikes[:, 0], ticks))
        return replace(
            self,
            phases=self.phases[:phases],
            spikes=self.spikes[:spikes],
            spike_cycles=self.spike_cycles[:spikes],
            cycles=self.cycles[:ticks],
            update_cycles=self.update_cycles[:ticks],
            weights=self.weights[:phases],
            state=self.state[:phases],
        )

    def phase(self, name: str) -> Phase:
        """Return the phase with this name."""
        return next(phase for phase in self.phases if phase.name == name)

    def first_tick(self, name: str) -> int:
        """Return the tick with which a phase begins."""
        names = [phase.name for phase in self.phases]
        before = self.phases[: names.index(name)]
        return sum(phase.presentations for phase in before) * self.ticks_per_image

    def where(self, tick: int) -> str:
        """Return a description of a tick by what was shown in it."""
        presentation, within = divmod(tick, self.ticks_per_image)
        for phase in self.phases:
            if presentation < phase.presentations:
                image = phase.order[presentation // len(phase.showings)]
                return f"{phase.name}, image {image}, tick {within}"
            presentation -= phase.presentations
        raise IndexError(f"tick must be in 0…{self.ticks - 1}, not {tick}")

    def counts(self, name: str) -> IntArray:
        """Return the spike counts of each presentation in a phase, (presentations, neurons)."""
        presentations = self.phase(name).presentations
        counts = np.zeros((presentations, self.weights[0].shape[1]), np.int64)
        presentation = (self.spikes[:, 0] - self.first_tick(name)) // self.ticks_per_image
        within = (presentation >= 0) & (presentation < presentations)
        np.add.at(counts, (presentation[within], self.spikes[within, 1]), 1)
        return counts

    def readout(self) -> DigitReadout:
        """Return the labels of the neurons, from the training half alone."""
        return DigitReadout.fit(self.counts(LABELLING), self.phase(LABELLING).images.labels)

    def predicted(self) -> IntArray:
        """Return the class found for each test image, shape (n,)."""
        return self.readout().classify(self.counts(TESTING))

    def accuracy(self) -> float:
        """Return the share of the test images whose class was found."""
        return float((self.predicted() == self.phase(TESTING).images.labels).mean())


def run(
    url: str,
    digits: Digits,
    *,
    seed: int = 0,
    recipe: Recipe = RECIPE,
) -> Record:
    """Learn the digits on a target, and then show it both halves again without learning.

    Parameters
    ----------
    url:
        A target, as for `spiketwin.host.connect`.
    digits:
        Images to learn and to test with.
    seed:
        Seed of the first weights, the order of the training images and the stochastic rounding.
    recipe:
        The recipe of learning.

    Raises
    ------
    SpiketwinError
        The target cannot be opened, has other sizes, or fails.
    """
    phases = recipe.phases(digits, seed)
    with connect(url, params=SIZES) as core:
        return learn(core, recipe.network(seed), phases, recipe.ticks)


def learn(
    core: Core,
    network: Network,
    phases: tuple[Phase, ...],
    ticks: int,
    *,
    progress: Progress | None = None,
    watch: Watch | None = None,
    threads: int | None = None,
) -> Record:
    """Show a network on a connected core the images to learn, and then those to recognise.

    Parameters
    ----------
    core:
        A core of the size `SIZES`, which is programmed.
    network, phases, ticks:
        The initial network, the phases that it is shown, and the ticks of one presentation.
    progress:
        Called with the name of the phase, the presentations done, and all presentations.
    watch:
        Called after each presentation, before `progress`, with the output of the core.
    threads:
        Most threads that presentations without learning may be spread over; by default the number
        of processors.

    Raises
    ------
    SpiketwinError
        The core fails.
    """
    parts: list[Runs] = []
    weights: list[IntArray] = []
    state: list[dict[str, IntArray]] = []
    begin = time.perf_counter()
    core.program(network)
    for number, phase in enumerate(phases):
        parts.append(
            core.run_many(
                phase.stimuli(),
                ticks,
                clear=True,
                registers=phase.registers(),
                progress=progress and _of_all(progress, phases, number),
                watch=watch and partial(watch, phase),
                threads=threads,
            )
        )
        weights.append(core.read_weights())
        state.append(core.read_state())
    return _record(phases, parts, weights, state, time.perf_counter() - begin)


def _of_all(progress: Progress, phases: tuple[Phase, ...], number: int) -> Steps:
    """Return a progress that counts the presentations of one phase among those of all phases."""
    total = sum(phase.presentations for phase in phases)
    before = sum(phase.presentations for phase in phases[:number])
    return lambda done, _: progress(phases[number].name, before + done, total)


def _record(
    phases: tuple[Phase, ...],
    parts: list[Runs],
    weights: list[IntArray],
    state: list[dict[str, IntArray]],
    seconds: float,
) -> Record:
    """Return the record of all phases, with ticks that count on from phase to phase."""
    ticks = [len(part.whole.cycles) for part in parts]
    begins = np.cumsum(ticks) - ticks
    return Record(
        phases=phases,
        ticks_per_image=parts[0].ticks,
        spikes=np.concatenate(
            [part.whole.spikes + (begin, 0) for part, begin in zip(parts, begins, strict=True)]
        ),
        spike_cycles=np.concatenate([part.whole.spike_cycles for part in parts]),
        cycles=np.concatenate([part.whole.cycles for part in parts]),
        update_cycles=np.concatenate([part.whole.update_cycles for part in parts]),
        weights=tuple(weights),
        state=tuple(state),
        seconds=seconds,
    )


def accuracy_over_seeds(seeds: Iterable[int], url: str = "model:") -> list[float]:
    """Return the test accuracy of the recipe, learned anew on a target with each seed."""
    digits = load()
    return [run(url, digits, seed=seed).accuracy() for seed in seeds]
