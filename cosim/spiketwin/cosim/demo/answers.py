"""The share of digits recognised so far, while the demo goes on."""

from __future__ import annotations

from functools import cached_property
from typing import Final

import numpy as np

from spiketwin.cosim.digits.encoding import N_CLASSES, DigitReadout
from spiketwin.cosim.digits.recipe import LABELLING, TESTING, Phase
from spiketwin.host import Run
from spiketwin.host.elements import IntArray

LATELY: Final = 100
"""Number of last images for the share of those recognised while the network learns."""


class DigitAnswers:
    """The answers of the network to the images that it was shown without labels.

    A neuron votes for the digit that it is taught, but in the test for those that it was labelled
    with, so that the share of the whole test is the accuracy of the record.

    Parameters
    ----------
    taught:
        Digit that each neuron is taught, shape (neurons,).
    phases:
        The phases that are shown.
    parts:
        Number of parts into which the images are divided for `history`.

    Attributes
    ----------
    presentations:
        Number of presentations so far.
    right:
        For each image shown without its label, whether it was recognised.
    history:
        Share of those recognised in each part of the images, as far as they were shown.
    """

    def __init__(self, taught: IntArray, phases: tuple[Phase, ...], parts: int) -> None:
        self.presentations = 0
        self.right: list[bool] = []
        self.history: list[float] = []
        self._taught = taught
        self._each = -(-sum(len(phase.order) for phase in phases) // parts)
        self._phase = ""
        self._phase_began = 0
        self._labelled: list[IntArray] = []
        self._labels: list[int] = []

    def add(self, phase: Phase, number: int, run: Run) -> None:
        """Evaluate the output of the core at presentation `number` of a phase."""
        self.presentations += 1
        place, showing = divmod(number, len(phase.showings))
        if showing > 0:
            return  # the image was shown with its label
        if phase.name != self._phase:
            self._phase, self._phase_began = phase.name, len(self.right)
        counts = np.bincount(run.spikes[:, 1], minlength=len(self._taught))
        label = int(phase.images.labels[phase.order[place]])
        if phase.name == LABELLING:
            self._labelled.append(counts)
            self._labels.append(label)
        self.right.append(self._answer(counts) == label)
        part = (len(self.right) - 1) // self._each
        self.history[part:] = [_share(self.right[part * self._each :])]

    def _answer(self, counts: IntArray) -> int:
        if self._phase != TESTING:
            return int(np.bincount(self._taught, counts, N_CLASSES).argmax())
        return int(self._readout.classify(counts[None])[0])

    @cached_property
    def _readout(self) -> DigitReadout:
        return DigitReadout.fit(np.stack(self._labelled), np.array(self._labels))

    def summary(self) -> str:
        """Return the share recognised: recently while the network learns, else in this phase."""
        seen, suffix = self.right[self._phase_began :], "images recognised"
        if self._phase not in (LABELLING, TESTING):
            seen, suffix = seen[-LATELY:], "images recognised before they were taught"
        return f"{self._phase}: {100 * _share(seen):.1f} % of {len(seen)} {suffix}"


def _share(right: list[bool]) -> float:
    return sum(right) / len(right)
