"""A task: the questions to a network in real time, and the share of correct answers.

An answer counts if it arrives in time: the spikes heard while an image is shown are taken as the
answer to it, whichever image caused them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from spiketwin.cosim.compare.case import Case
from spiketwin.host.elements import IntArray
from spiketwin.host.errors import InvalidInput


class Readout(Protocol):
    """A rule that turns the spikes of an image into an answer."""

    def scores(self, counts: IntArray) -> NDArray[np.float64]:
        """Return the score of each class for each image, shape (images, classes)."""
        ...

    def classify(self, counts: IntArray) -> IntArray:
        """Return the answer to each image, shape (images,), by its spikes, (images, neurons)."""


@dataclass(frozen=True, eq=False)
class Task:
    """A continuous sequence of images, with their labels.

    Attributes
    ----------
    case:
        The network and all images.
    ticks_per_image:
        Ticks of an image and the pause after it.
    labels:
        Shape (images,): the class of each image.
    readout:
        Rule that turns the spikes of an image into an answer.
    """

    case: Case
    ticks_per_image: int
    labels: IntArray
    readout: Readout

    def accuracy(self, heard: IntArray) -> float:
        """Return the share of the images for which the right answer was heard.

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

        Raise `InvalidInput` if there are none, or fewer ticks in the task.
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
