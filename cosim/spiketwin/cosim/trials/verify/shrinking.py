"""The smallest case in which a sample's model and twin still differ."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Final

from spiketwin.cosim.compare.case import Case
from spiketwin.cosim.compare.difference import first_difference
from spiketwin.cosim.compare.shrink import Shrunk, shrink
from spiketwin.cosim.compare.subject import Subject
from spiketwin.cosim.trials.verify.samples import Sample
from spiketwin.cosim.trials.verify.worker import MODEL
from spiketwin.host import connect
from spiketwin.host.errors import SpiketwinError
from spiketwin.host.progress import Progress

_MOST_RUNS: Final = 300
"""Most cases that are tried; `spiketwin compare --shrink` goes on."""


def smallest(url: str, sample: Sample, progress: Progress) -> Shrunk | None:
    """Return the smallest case; None if there is none, as the twin fails, or probes alone differ.

    Parameters
    ----------
    url, sample:
        Address of the twin, and the sample in which it differs from the model.
    progress:
        Called with the number of cases tried.
    """
    biases = {"biases": sample.run["biases"]} if "biases" in sample.run else {}
    case = Case.of(sample.net, sample.params, sample.spikes, sample.ticks, **biases)
    try:
        with ExitStack() as opened:
            model, twin = (
                Subject(each, each, opened.enter_context(connect(each, params=sample.params)))
                for each in (MODEL, url)
            )
            found = first_difference(model, twin, case, case.ticks, progress)
            return shrink(model, twin, case, found, progress, _MOST_RUNS)
    except SpiketwinError:
        return None
