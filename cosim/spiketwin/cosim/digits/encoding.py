"""Handwritten digits as spikes, and spike counts as digits: the host's part of the task.

The digits are the 1797 images of 8×8 pixels that scikit-learn carries (a copy of the UCI ML
hand-written digits, test part). The first 898 train, the last 899 test; nothing here mixes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spiketwin.host.elements import IntArray

SIDE: Final = 8
N_PIXELS: Final = SIDE * SIDE
N_CLASSES: Final = 10
TOP: Final = 16
"""Value of the brightest pixel; the darkest is 0."""

N_TRAIN: Final = 898
"""Number of images of the training half; all later ones are the test half."""


@dataclass(frozen=True)
class Images:
    """Images with their labels.

    Attributes
    ----------
    pixels:
        Shape (n, 64), 0…16, row by row.
    labels:
        Shape (n,), 0…9.
    """

    pixels: IntArray
    labels: IntArray

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: slice | IntArray) -> Images:
        return Images(self.pixels[index], self.labels[index])


@dataclass(frozen=True)
class Digits:
    """The two halves of the data."""

    train: Images
    test: Images

    def first(self, images: int) -> Digits:
        """Take no more than `images` of each half, for a quick look."""
        return Digits(self.train[:images], self.test[:images])


def load() -> Digits:
    """Load the digits that scikit-learn contains."""
    # Imported here, as it takes a second or two, which only users of the digits should wait.
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    images = Images(pixels.astype(np.int64), labels.astype(np.int64))
    return Digits(images[:N_TRAIN], images[N_TRAIN:])


def encode(pixels: IntArray, ticks: int, most_spikes: int) -> list[IntArray]:
    """Encode images as spikes: brightness p gives a pixel ``p · most_spikes / 16`` spikes.

    The spikes of a pixel are evenly spaced: it spikes whenever the running sum of its brightness
    passes a whole number. Pixels begin their sums at different fractions (a multiple of 37 modulo
    64, so neighbours are far apart), so that they do not all spike together.

    Parameters
    ----------
    pixels:
        Shape (n, 64), 0…16.
    ticks:
        Ticks of a presentation.
    most_spikes:
        Spikes of the brightest pixel, at most `ticks`.

    Returns
    -------
    list of arrays
        For each image, shape (k, 2): tick and axon of every spike, ascending.
    """
    whole = TOP * ticks
    begin = 37 * np.arange(N_PIXELS) % N_PIXELS * whole // N_PIXELS
    sums = pixels[:, :, None] * most_spikes * np.arange(ticks + 1) + begin[:, None]
    spikes = np.diff(sums // whole, axis=2) > 0
    return [np.argwhere(image.T) for image in spikes]


def teach(spikes: IntArray, label: int, ticks: int, period: int) -> IntArray:
    """Add the label of an image to its spikes: axon ``64 + label`` spikes every `period` ticks."""
    at = np.arange(0, ticks, period)
    lesson = np.stack([at, np.full(len(at), N_PIXELS + label)], axis=1)
    both = np.concatenate([spikes, lesson])
    return both[np.lexsort((both[:, 1], both[:, 0]))]


@dataclass(frozen=True)
class DigitReadout:
    """The readout: how much each neuron speaks for each class.

    Attributes
    ----------
    share:
        Shape (10, neurons): the share of the classes in a neuron's mean counts on the training
        half. A neuron that stayed silent speaks for none.
    """

    share: NDArray[np.float64]

    @classmethod
    def fit(cls, counts: IntArray, labels: IntArray) -> DigitReadout:
        """Return the readout for spike counts, shape (n, neurons), on training images."""
        means = np.zeros((N_CLASSES, counts.shape[1]))
        for label in np.unique(labels):
            means[label] = counts[labels == label].mean(axis=0)
        total = means.sum(axis=0)
        return cls(np.divide(means, total, out=np.zeros_like(means), where=total > 0))

    def scores(self, counts: IntArray) -> NDArray[np.float64]:
        """Return the score of each class for each image, (n, 10): ``Σ count · share²``."""
        found: NDArray[np.float64] = counts.astype(np.float64) @ np.square(self.share).T
        return found

    def classify(self, counts: IntArray) -> IntArray:
        """Return the class of each image, shape (n,): that of the largest score."""
        found: IntArray = self.scores(counts).argmax(axis=1)
        return found

    def classes(self) -> IntArray:
        """Return the class that each neuron speaks for most, shape (neurons,); -1 for none."""
        return np.where(self.share.any(axis=0), self.share.argmax(axis=0), -1).astype(np.int64)
