"""A task: what a network is asked in real time, and how right its answers are.

An answer counts if it is there in time: the spikes heard while an image is shown, whichever image
they are for, are taken for the answer to it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from spiketwin.cosim.compare.case import Case
from spiketwin.host.elements import IntArray
from spiketwin.host.errors import InvalidInput


class Readout(Protocol):
    """A rule that takes the spikes of an image for an answer."""

    def classify(self, counts: IntArray) -> IntArray:
        """Return the answer to each image, shape (images,), by its spikes, (images, neurons)."""


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
