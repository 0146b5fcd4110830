"""A target under comparison, which plays a case from its beginning up to any tick."""

from __future__ import annotations

from itertools import pairwise

from spiketwin.cosim.compare.case import Case
from spiketwin.cosim.compare.equality import Behaviour
from spiketwin.host import Core
from spiketwin.host.elements import IntArray
from spiketwin.host.progress import Steps
from spiketwin.host.runs import joined
from spiketwin.host.spikes import Run
from spiketwin.host.stimuli import between


class Subject:
    """A connected target that behaves identically each time it plays a case after a reset.

    Parameters
    ----------
    name:
        Name of the target in reports.
    url:
        Address of the target.
    core:
        The connected core.
    """

    def __init__(self, name: str, url: str, core: Core) -> None:
        self.name = name
        self.url = url
        self.core = core

    def begin(self, case: Case, digests: bool = False) -> Playback:
        """Program the network of a case, ready to be played; raise as `Core.program`."""
        return Playback(self.core, case, digests)

    def after(
        self, case: Case, ticks: int, progress: Steps | None = None, digests: bool = False
    ) -> Behaviour:
        """Play the first `ticks` ticks of a case, 0 or more.

        Parameters
        ----------
        case, ticks:
            The case, and the number of its ticks to play.
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
        """Play on until `end` ticks are over, and return the run of this part.

        Ticks count from the first of this part. The errors are those of `Core.run`.
        """
        begin, period = self._tick, self._case.clear_every or max(end, 1)
        clears = range(period, end, period)
        parts: list[Run] = []
        for first, last in pairwise(sorted({begin, end, *(c for c in clears if c > begin)})):
            if first in clears:
                self._core.clear()
            run = self._core.run(
                between(self._case.spikes, first, last), last - first,
                progress=_shifted(progress, first, end), digests=self._digests,
                biases=between(self._case.biases, first, last),
            )  # fmt: skip
            parts.append(run)
        self._tick = end
        return joined(parts)

    def state(self) -> dict[str, IntArray]:
        """Return all state, as `Core.read_state` does."""
        return self._core.read_state()

    def held(self) -> dict[str, IntArray]:
        """Return all state and the weights, in the form of `Behaviour.held`."""
        return self.state() | {"weight": self._core.read_weights()}


def _shifted(progress: Steps | None, done: int, ticks: int) -> Steps | None:
    """Return the progress of a part that begins after some ticks."""
    return progress and (lambda now, _part: progress(done + now, ticks))
