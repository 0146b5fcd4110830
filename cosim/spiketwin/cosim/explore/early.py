"""Early stop: a run that ends when its answer is sure, by the margin of output counts.

After every tick the host adds the spikes up, and reads the score of each class out of them. Once
the best class is ahead of the second one by a margin, that is the answer, and the rest of the image
is not shown. The host decides, so what is saved is ticks, and not the cycles of deciding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spiketwin.cosim.compare.task import Task
from spiketwin.host import Core
from spiketwin.host.elements import IntArray


@dataclass(frozen=True, eq=False)
class EarlyAnswers:
    """The answers to all images of a task.

    Attributes
    ----------
    found:
        Shape (images,): the class that was answered.
    ticks:
        Shape (images,): ticks until the answer was sure, or all of the image.
    """

    found: IntArray
    ticks: IntArray

    def accuracy(self, labels: IntArray) -> float:
        """Return the share of right answers."""
        return float((self.found == labels).mean())


def answers(task: Task, spikes: IntArray, margin: float) -> EarlyAnswers:
    """Return when each answer of a run is sure, and which it is.

    Parameters
    ----------
    task:
        The task.
    spikes:
        Shape (m, 2): (tick, neuron) of a run of its whole stimulus.
    margin:
        Score by which the best class has to be ahead of the second one.
    """
    scores = _scores(task, spikes)
    best = np.sort(scores, axis=2)
    sure = best[:, :, -1] - best[:, :, -2] >= margin
    sure[:, -1] = True
    last = sure.argmax(axis=1)
    found = scores[np.arange(len(last)), last].argmax(axis=1)
    return EarlyAnswers(found.astype(np.int64), last + 1)


def accuracy_by_tick(task: Task, spikes: IntArray) -> NDArray[np.float64]:
    """Return the share of right answers if every image ends after 1, 2, … ticks.

    Parameters and errors are those of `answers`; the shape is (ticks of an image,).
    """
    found = _scores(task, spikes).argmax(axis=2)
    right: NDArray[np.float64] = (found == task.labels[:, None]).mean(axis=0)
    return right


def _scores(task: Task, spikes: IntArray) -> NDArray[np.float64]:
    """Return the score of each class after each tick, shape (images, ticks, classes)."""
    length = task.ticks_per_image
    shape = (task.labels.size, length, task.case.network.n_neurons)
    counts = np.zeros(shape, np.int64)
    image, tick = np.divmod(spikes[:, 0], length)
    np.add.at(counts, (image, tick, spikes[:, 1]), 1)
    summed = counts.cumsum(axis=1).reshape(-1, shape[2])
    return task.readout.scores(summed).reshape(*shape[:2], -1)


def ask(core: Core, task: Task, image: int, margin: float) -> EarlyAnswers:
    """Show one image to a programmed core, tick by tick, until the answer is sure.

    Parameters
    ----------
    core:
        The core, whose state is cleared first.
    task, image:
        The task, and the number of the image.
    margin:
        As in `answers`.

    Raises
    ------
    SpiketwinError
        As the methods of the core.
    """
    begin = image * task.ticks_per_image
    core.clear()
    counts = np.zeros((1, task.case.network.n_neurons), np.int64)
    for tick in range(task.ticks_per_image):
        events = task.case.spikes
        now = events[events[:, 0] == begin + tick] - (begin + tick, 0)
        np.add.at(counts[0], core.run(now, 1).spikes[:, 1], 1)
        scores = task.readout.scores(counts)[0]
        second, first = np.sort(scores)[-2:]
        if first - second >= margin:
            break
    return EarlyAnswers(np.array([int(scores.argmax())]), np.array([tick + 1]))
