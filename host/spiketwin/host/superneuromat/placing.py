"""Synapses of a network without its chains, as the weights of projections."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spiketwin.host.elements import IntArray
from spiketwin.host.superneuromat.chains import Chains
from spiketwin.host.superneuromat.model import Model
from spiketwin.host.superneuromat.scale import Scale

_DENSE: Final = 0.25
"""Share of the pairs from which on a dense projection takes no more memory than a sparse one."""


@dataclass(frozen=True, eq=False)
class Placed:
    """The weights of a projection, from some neurons to all.

    Attributes
    ----------
    name:
        Its name.
    delay:
        Ticks by which it is later than a synapse of one tick.
    weights, plastic:
        Shape (sources, neurons): weights in units from the first neurons on, and which of them STDP
        changes.
    synapses, rows, columns:
        Shape (s,): numbers of the synapses in SuperNeuroMAT, and their places in the weights.
    """

    name: str
    delay: int
    weights: IntArray
    plastic: NDArray[np.bool_]
    synapses: IntArray
    rows: IntArray
    columns: IntArray

    @property
    def sparse(self) -> bool:
        """Whether only some of the pairs have a synapse."""
        return len(self.synapses) < _DENSE * self.weights.size


def placed(model: Model, chains: Chains, scale: Scale) -> list[Placed]:
    """Return the weights of all projections, one for each delay, and for those that learn or not.

    Two synapses of one pair and delay are in two projections.
    """
    groups: dict[tuple[int, bool, int], list[int]] = defaultdict(list)
    taken: dict[tuple[int, int, int], int] = defaultdict(int)
    for synapse in chains.synapses.tolist():
        pre = model.pre[synapse]
        source, lag = int(chains.origin[pre]), int(chains.lag[pre])
        pair = source, int(model.post[synapse]), lag
        learns = model.learns and bool(model.enabled[synapse])
        groups[lag, learns, taken[pair]].append(synapse)
        taken[pair] += 1
    place = chains.place
    made = []
    for (lag, learns, _), members in sorted(groups.items()):
        synapses = np.array(members)
        sources = place[chains.origin[model.pre[synapses]]]
        columns = place[model.post[synapses]]
        shape = chains.delayed if lag else len(chains.kept), len(chains.kept)
        weights, plastic = np.zeros(shape, np.int64), np.zeros(shape, np.bool_)
        weights[sources, columns] = scale.whole(model.weights[synapses])
        plastic[sources, columns] = learns
        name = f"{'plastic' if learns else 'fixed'}, delay {lag + 1}"
        made.append(Placed(name, lag, weights, plastic, synapses, sources, columns))
    return made
