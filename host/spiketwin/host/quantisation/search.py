"""The search for the smallest widths with which a network loses no more than stated."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from spiketwin.hdl.spec.results import Result
from spiketwin.hdl.spec.text import shown
from spiketwin.host.errors import DoesNotFit, InvalidInput
from spiketwin.host.network import Network
from spiketwin.host.quantisation.floating import FloatRun
from spiketwin.host.quantisation.meant import Meant
from spiketwin.host.quantisation.measure import Measured, Task, beside, floating
from spiketwin.host.quantisation.report import QuantisationReport
from spiketwin.host.quantisation.rounding import V_WIDTHS, WEIGHT_WIDTHS, quantise

Loop = Literal["closed", "open"]
"""How layers are connected while spikes are compared."""


@dataclass(frozen=True)
class Tried(Result):
    """Widths that were tried.

    Attributes
    ----------
    weight_width, v_width:
        The widths.
    loss:
        What the network loses with them: right answers of a task, or else equal spikes, as a
        share.
    """

    weight_width: int
    v_width: int
    loss: float


@dataclass(frozen=True, eq=False)
class Found(Result):
    """The result of a search.

    Attributes
    ----------
    net, report:
        The network with the smallest widths, and its report.
    loss:
        What it loses.
    measured:
        What it costs otherwise.
    tried:
        All that was tried, in this order.
    """

    json_keys = ("loss", "report", "measured", "tried")

    net: Network
    report: QuantisationReport
    loss: float
    measured: Measured
    tried: list[Tried]


def search(
    meant: Meant,
    stimuli: Sequence[ArrayLike],
    ticks: int,
    *,
    loss: float = 0.01,
    labels: ArrayLike | None = None,
    readout: str = "",
    loop: Loop = "closed",
    target: str = "model:",
) -> Found:
    """Find the smallest weights, and then the smallest potentials, within a stated loss.

    Weights come first, as a core has many more of them than of neurons. From the widest potentials
    on the first width of weights within the loss is taken, from below; then the potentials become
    narrower as long as they are within it.

    Parameters
    ----------
    meant:
        The network that is meant, such as ``report.meant``.
    stimuli, ticks, labels, readout, target:
        As for `measure`.
    loss:
        The most it may lose: of the share of right answers if there are labels, and else of the
        share of equal spikes.
    loop:
        The loop in which spikes are compared: ``"closed"`` or ``"open"``.

    Raises
    ------
    InvalidInput
        An argument is wrong.
    DoesNotFit
        No widths lose as little; the message says the least.
    """
    if isinstance(loss, bool) or not isinstance(loss, int | float) or not 0 <= loss <= 1:
        raise InvalidInput(f"loss must be a share in 0…1, not {shown(loss)}")
    if loop not in ("closed", "open"):
        raise InvalidInput(f"loop must be closed or open, not {shown(loop)}")
    task = Task(stimuli, ticks, None if labels is None else np.asarray(labels), readout)
    task.check(meant)
    trial = _Trial(meant, task, floating(meant, task), loop, target)
    widest = V_WIDTHS[1]
    widths = range(WEIGHT_WIDTHS[0], WEIGHT_WIDTHS[1] + 1)
    best = trial.first(((w, widest) for w in widths), loss)
    if best is None:
        least = min(trial.tried, key=lambda each: each.loss)
        raise DoesNotFit(
            f"no widths lose {loss:g} or less: the least is {least.loss:.4g}, with weight_width "
            f"{least.weight_width}. Allow more, or compare in open loop (loop='open')"
        )
    weight_width = best.report.sizes["weight_width"]
    for v_width in range(widest - 1, V_WIDTHS[0] - 1, -1):
        narrower = trial.first([(weight_width, v_width)], loss)
        if narrower is None:
            break
        best = narrower
    return Found(best.net, best.report, best.loss, best.measured, trial.tried)


class _Trial:
    """Widths tried one after the other."""

    def __init__(
        self, meant: Meant, task: Task, ideal: list[FloatRun], loop: Loop, target: str
    ) -> None:
        self._meant, self._task, self._ideal = meant, task, ideal
        self._loop, self._target = loop, target
        self.tried: list[Tried] = []

    def first(self, widths: Iterable[tuple[int, int]], most: float) -> Found | None:
        """Return the first of some widths that lose no more than `most`; None if none does."""
        for weight_width, v_width in widths:
            net, report = quantise(self._meant, weight_width=weight_width, v_width=v_width)
            found = beside(net, report, self._task, self._ideal, self._target)
            loss = self._loss(found)
            self.tried.append(Tried(weight_width, v_width, loss))
            if loss <= most:
                return Found(net, report, loss, found, self.tried)
        return None

    def _loss(self, found: Measured) -> float:
        if found.accuracy is not None:
            return found.accuracy.meant - found.accuracy.held
        share: Any = found.closed if self._loop == "closed" else found.open
        if share is None:
            raise InvalidInput(
                "loop must be closed, as no core has an axon for each source of this network"
            )
        return 1.0 - float(share)
