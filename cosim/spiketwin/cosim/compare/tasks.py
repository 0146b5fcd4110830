"""What a network is asked in real time, and how right its answers are.

An answer counts if it is there in time: the spikes heard while an image is shown, whichever image
they are for, are taken for the answer to it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from spiketwin.cosim.compare.case import Case
from spiketwin.hdl.spec.params import preset
from spiketwin.host.elements import IntArray
from spiketwin.host.errors import InvalidInput

if TYPE_CHECKING:
    from spiketwin.cosim.digits.encoding import Readout

PAUSE_TICKS: Final = 3
"""After each image: as many as it takes for all neurons to be at rest."""


@dataclass(frozen=True, eq=False)
class Task:
    """Images shown one after the other, without end, and what they show.

    Attributes
    ----------
    case:
        The network and all images.
    ticks_per_image:
        An image and the pause behind it.
    labels:
        Shape (images,): what each shows.
    readout:
        How the spikes of an image are an answer.
    """

    case: Case
    ticks_per_image: int
    labels: IntArray
    readout: Readout

    def accuracy(self, heard: IntArray) -> float:
        """Share of the images for which the right answer was heard.

        Parameters
        ----------
        heard:
            Shape (m, 2): (slot of a tick in which the spike was heard, neuron).
        """
        counts = np.zeros((self.labels.size, self.case.network.n_neurons), np.int64)
        image = heard[:, 0] // self.ticks_per_image
        within = image < self.labels.size
        np.add.at(counts, (image[within], heard[within, 1]), 1)
        return float((self.readout.classify(counts) == self.labels).mean())

    def first(self, ticks: int) -> Task:
        """Take the images that are over within so many ticks.

        Raises `InvalidInput` if that is none, or there are not so many ticks.
        """
        if not self.ticks_per_image <= ticks <= self.case.ticks:
            raise InvalidInput(
                f"ticks must be in {self.ticks_per_image}…{self.case.ticks:,}, not {ticks:,}: from "
                "those of an image to the end of the stimulus"
            )
        images = ticks // self.ticks_per_image
        length = images * self.ticks_per_image
        spikes = self.case.spikes[self.case.spikes[:, 0] < length]
        return replace(
            self,
            case=replace(self.case, spikes=spikes, ticks=length),
            labels=self.labels[:images],
        )


def digits(images: int | None = None) -> Task:
    """Give the demo's network after it has learned, and the test images, one after the other.

    The demo clears all state between two images. In real time nobody does: all teachers speak at
    once for `PAUSE_TICKS`, which silences every neuron, and comes to the same. The network learns
    on ``model:``, as on every target. Needs the extra ``demo``.

    Parameters
    ----------
    images:
        Take no more than so many of each half; None: all.
    """
    from spiketwin.cosim.demo.run import SIZES, run
    from spiketwin.cosim.digits.encoding import N_CLASSES, N_PIXELS, load
    from spiketwin.cosim.digits.recipe import RECIPE, TESTING

    halves = load()
    record = run("model:", halves if images is None else halves.first(images))
    network = replace(RECIPE.network(seed=0), weights=record.weights[-1], learn_post=False)
    shown = record.phase(TESTING)
    pause = np.arange(RECIPE.ticks, RECIPE.ticks + PAUSE_TICKS)
    teachers = np.arange(N_PIXELS, N_PIXELS + N_CLASSES)
    silence = np.stack([np.repeat(pause, N_CLASSES), np.tile(teachers, PAUSE_TICKS)], axis=1)
    ticks = RECIPE.ticks + PAUSE_TICKS
    spikes = [
        np.concatenate([image, silence]) + (number * ticks, 0)
        for number, image in enumerate(shown.showings[0].spikes)
    ]
    case = Case.of(network, preset(SIZES), np.concatenate(spikes), ticks * len(spikes))
    return Task(case, ticks, shown.images.labels, record.readout())


TASKS: Final[dict[str, Callable[[], Task]]] = {"digits": digits}
"""Presets that are a task, by name."""
