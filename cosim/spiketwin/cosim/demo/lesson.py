"""The live view of the demo: neurons by their digit, and the share of digits recognised."""

from __future__ import annotations

from typing import Final

import numpy as np

from spiketwin.cosim.demo.answers import DigitAnswers
from spiketwin.cosim.demo.run import Watch
from spiketwin.cosim.digits.recipe import Phase
from spiketwin.host import Core, Run
from spiketwin.host.cli.dots import bars
from spiketwin.host.cli.view import View
from spiketwin.host.elements import IntArray
from spiketwin.host.targets import origin

_HISTORY: Final = 60
"""Number of bars for the share recognised over the whole demo."""


def lesson(
    core: Core, target: str, taught: IntArray, phases: tuple[Phase, ...]
) -> tuple[View, Watch]:
    """Return the view of `spiketwin.cosim.demo.run.learn`, and the function that updates it.

    Parameters
    ----------
    core, target:
        The core, and the name of its target.
    taught:
        Digit that each neuron is taught, shape (neurons,).
    phases:
        The phases that are shown.
    """
    answers = DigitAnswers(taught, phases, _HISTORY)
    order = np.argsort(taught, kind="stable")
    view = View(
        f"handwritten digits on {target}",
        identity=core.identity,
        statistics=core.statistics,
        origin=origin(target),
        n_neurons=len(taught),
        total=sum(phase.presentations for phase in phases),
        unit="images",
        order=order,
        names=[str(digit) for digit in taught[order]],
    )

    def watch(phase: Phase, number: int, part: Run) -> None:
        answers.add(phase, number, part)
        notes = {"hits": bars(answers.history, 1.0), "": answers.summary()}
        view.add(part, answers.presentations, notes)

    return view, watch
