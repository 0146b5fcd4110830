"""The digits as a task in real time: the network that has learned them, and the test images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from spiketwin.cosim.compare.case import Case
from spiketwin.cosim.compare.task import Task
from spiketwin.cosim.demo.run import SIZES, Record, run
from spiketwin.cosim.digits.encoding import N_CLASSES, N_PIXELS, load
from spiketwin.cosim.digits.recipe import RECIPE, TESTING, Recipe
from spiketwin.hdl.spec.params import CoreParams, preset

PAUSE_TICKS: Final = 3
"""Ticks of the pause after each image, enough for all neurons to come to rest."""


def digits(images: int | None = None) -> Task:
    """Return the demo's network after it has learned, and the test images, one after the other.

    It learns on ``model:``, with the same result as on every target. The function needs the extra
    ``demo``.

    Parameters
    ----------
    images:
        Most images taken of each half; None for all.
    """
    halves = load()
    record = run("model:", halves if images is None else halves.first(images))
    return task(record, RECIPE, 0, preset(SIZES))


def task(record: Record, recipe: Recipe, seed: int, params: CoreParams) -> Task:
    """Return what a network has learned, and the test images, one after the other.

    The demo clears all state between two images. In real time this is impossible: instead all
    teachers spike at once for `PAUSE_TICKS`, which silences every neuron, to the same effect.

    Parameters
    ----------
    record:
        The network as it learned, and was tested.
    recipe, seed:
        The recipe and the seed by which it did.
    params:
        Sizes of the core.
    """
    network = replace(recipe.network(seed), weights=record.weights[-1], learn_post=False)
    shown = record.phase(TESTING)
    pause = np.arange(recipe.ticks, recipe.ticks + PAUSE_TICKS)
    teachers = np.arange(N_PIXELS, N_PIXELS + N_CLASSES)
    silence = np.stack([np.repeat(pause, N_CLASSES), np.tile(teachers, PAUSE_TICKS)], axis=1)
    ticks = recipe.ticks + PAUSE_TICKS
    spikes = [
        np.concatenate([image, silence]) + (number * ticks, 0)
        for number, image in enumerate(shown.showings[0].spikes)
    ]
    case = Case.of(network, params, np.concatenate(spikes), ticks * len(spikes))
    return Task(case, ticks, shown.images.labels, record.readout())


TASKS: Final[dict[str, Callable[[], Task]]] = {"digits": digits}
"""Presets that are a task, by name."""
