"""What is compared: a target that plays a case from its beginning, as far as one likes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from spiketwin.cosim.compare.case import Case
from spiketwin.cosim.compare.equality import Behaviour
from spiketwin.host import Core
from spiketwin.host.elements import IntArray
from spiketwin.host.progress import Steps
from spiketwin.host.runs import joined
from spiketwin.host.spikes import Run


class Subject:
    """A connected target. From reset on it does the same each time that it plays a case.

    Parameters
    ----------
    name:
        What it is called in reports.
    url:
        Its address.
    core:
        The core there.
    """

    def __init__(self, name: str, url: str, core: Core) -> None:
        self.name = name
        self.url = url
        self.core = core

    def begin(self, case: Case, digests: bool = False) -> Playback:
        """Program the network of a case, ready to be played; raises as `Core.program`."""
        return Playback(self.core, case, digests)

    def after(
        self, case: Case, ticks: int, progress: Steps | None = None, digests: bool = False
    ) -> Behaviour:
        """Play the first `ticks` ticks of a case, 0 or more.

        Parameters
        ----------
        case, ticks:
            What is played.
        progress:
            Called with (ticks done, ticks) as the run goes on.
        digests:
            Whether each tick is to report its digest.

        Raises
        ------
        SpiketwinError
            As the methods of the core.
        """
        playback = self.begin(case, digests)
        return Behaviour(playback.to(ticks, progress), playback.held())


class Playback:
    """A case on a core, played part by part.

    Parameters
    ----------
    core, case:
        The core, which is programmed, and the case.
    digests:
        Whether each tick is to report its digest.
    """

    def __init__(self, core: Core, case: Case, digests: bool = False) -> None:
        core.program(case.network)
        self._core = core
        self._case = case
        self._digests = digests
        self._tick = 0

    def to(self, end: int, progress: Steps | None = None) -> Run:
        """Play on until `end` ticks are over, and give what they put out.

        Ticks count from the first of this part. Raises as `Core.run`.
        """
        begin, period = self._tick, self._case.clear_every or max(end, 1)
        clears = range(period, end, period)
        parts: list[Run] = []
        for first, last in pairwise(sorted({begin, end, *(c for c in clears if c > begin)})):
            if first in clears:
                self._core.clear()
            rows = np.searchsorted(self._case.spikes[:, 0], (first, last))
            events = self._case.spikes[slice(*rows)] - (first, 0)
            run = self._core.run(
                events, last - first, progress=_shifted(progress, first, end), digests=self._digests
            )
            parts.append(run)
        self._tick = end
        return joined(parts)

    def state(self) -> dict[str, IntArray]:
        """All state, as `Core.read_state` gives it."""
        return self._core.read_state()

    def held(self) -> dict[str, IntArray]:
        """All state and the weights, as `Behaviour` has them."""
        return self.state() | {"weight": self._core.read_weights()}


def _shifted(progress: Steps | None, done: int, ticks: int) -> Steps | None:
    """Return the progress of a part that begins when some ticks are done."""
    return progress and (lambda now, _part: progress(done + now, ticks))
