"""Traces by which some projections of a network learn: those of the profiles of their ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from spiketwin.host.errors import InvalidNetwork
from spiketwin.host.populations import Projection

if TYPE_CHECKING:
    from spiketwin.host.network import Network


class LearnedTrace:
    """`trace_pre` of the sources of some projections, or `trace_post` of their neurons.

    Parameters
    ----------
    net, chosen:
        A validated network, and those of its projections that are to learn by the trace.
    end:
        ``"pre"`` for the trace of sources, ``"post"`` for that of neurons.
    """

    def __init__(
        self, net: Network, chosen: Sequence[Projection], end: Literal["pre", "post"]
    ) -> None:
        self._net, self._end = net, end
        self._profiles = set[int]().union(*map(self._of, chosen))
        self._others = [
            each
            for each in net.projections
            if each.learns and not any(each is one for one in chosen)
        ]

    def _of(self, projection: Projection) -> set[int]:
        """Return the profiles of the sources, or the neurons, of a projection."""
        if self._end == "pre":
            return set(self._net.source_profile[projection.source.sources].tolist())
        return set(self._net.profile[projection.target.neurons].tolist())

    def bump_in_use(self, tau: float, replace: bool) -> int | None:
        """Return the bump by which other projections learn already; None if none does.

        Raises `InvalidNetwork` if their time constant or their way to bump is another one.
        """
        found = None
        for other in self._others:
            for profile in sorted(self._of(other) & self._profiles):
                its_tau, bump, its_replace = (
                    self._net.held(f"trace_{self._end}_{name}")[profile].item()
                    for name in ("tau", "bump", "replace")
                )
                if not bump:
                    continue
                if (its_tau, its_replace) != (tau, replace) or found not in (None, bump):
                    ends = "sources" if self._end == "pre" else "neurons"
                    raise InvalidNetwork(
                        f"trace_{self._end} of the {ends} has another time constant, bump or "
                        f"pairing in {other.name}, which learns by it too: give the {ends} of "
                        "both populations of their own, or name both in one call"
                    )
                found = bump
        return found

    def set(self, tau: float, bump: int, replace: bool) -> None:
        """Set the trace of all these profiles."""
        for name, value in (("tau", tau), ("bump", bump), ("replace", replace)):
            attribute = f"trace_{self._end}_{name}"
            held: Any = self._net.held(attribute).copy()
            held[list(self._profiles)] = value
            setattr(self._net, attribute, value if np.all(held == value) else held)
