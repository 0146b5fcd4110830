"""Chains of neurons that make a delay: found, and left out of the network.

SuperNeuroMAT makes a synapse of d ticks by d - 1 neurons in a row, which repeat what they get. The
last synapse of the row says so, by a delay of -d. Here relays do that.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Final

import numpy as np

from spiketwin.hdl.spec.params import MAX_RELAYS
from spiketwin.host.elements import IntArray
from spiketwin.host.superneuromat.model import Model

_LONGEST: Final = 256
"""Ticks of the longest delay of a projection."""


@dataclass(frozen=True, eq=False)
class Chains:
    """The rest of a network without its chains.

    Attributes
    ----------
    kept:
        Shape (k,): neurons that are no members of a chain, in the order in which the core has them.
    delayed:
        How many of them, from the first one on, are sources of synapses with a delay.
    origin:
        Shape (neurons,): the neuron that a member of a chain repeats, and for others they
        themselves.
    lag:
        Shape (neurons,): ticks by which it repeats it; 0 for others.
    synapses:
        Shape (s,): synapses that do not lead into a member of a chain.
    """

    kept: IntArray
    delayed: int
    origin: IntArray
    lag: IntArray
    synapses: IntArray

    @property
    def place(self) -> IntArray:
        """The place of each neuron among those that are kept, shape (neurons,); -1 of others."""
        places = np.full(len(self.origin), -1)
        places[self.kept] = np.arange(len(self.kept))
        return places


def find_chains(model: Model) -> Chains:
    """Return which neurons only make delays, and of what.

    A neuron is a member of a chain if it fires a tick after its one source does, and never else.
    A chain that is longer than a relay can be, or of which a member does more, stays as it is.
    """
    repeats = _repeaters(model)
    into = {int(model.post[each]): each for each in np.flatnonzero(repeats[model.post])}
    origin, lag = np.arange(model.n_neurons), np.zeros(model.n_neurons, np.int64)
    for last in np.flatnonzero(model.delays < -1).tolist():
        length = -int(model.delays[last]) - 1
        row: list[int] = []
        at = int(model.pre[last])
        while at in into and len(row) < length:
            row.append(at)
            at = int(model.pre[into[at]])
        if len(row) == length < _LONGEST + 1 and at not in row:
            for place, member in enumerate(reversed(row), start=1):
                origin[member], lag[member] = at, place
    # The origin of a chain may itself be a member of another one, which a hand has joined to it.
    joined = lag[origin] > 0
    origin[joined], lag[joined] = np.flatnonzero(joined), 0
    synapses = np.flatnonzero(lag[model.post] == 0)
    kept = np.flatnonzero(lag == 0)
    late = synapses[lag[model.pre[synapses]] > 0]
    sources = np.unique(origin[model.pre[late]])
    count = len(kept)
    if count * len(np.unique(lag[model.pre[late]])) > MAX_RELAYS:
        # Relays are for all sources of a projection, so these are made fewer; but where one begins
        # or ends it cuts others into parts, which cost entries of the table.
        kept, count = np.concatenate([sources, np.setdiff1d(kept, sources)]), len(sources)
    return Chains(kept, count, origin, lag, synapses)


def _repeaters(model: Model) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return which neurons fire a tick after their one source, and never else."""
    sources: dict[int, list[int]] = defaultdict(list)
    for number, post in enumerate(model.post.tolist()):
        sources[post].append(number)
    driven = set(model.inputs[:, 1].tolist())
    found = np.zeros(model.n_neurons, np.bool_)
    for neuron, synapses in sources.items():
        weight = model.weights[synapses[0]]
        found[neuron] = (
            len(synapses) == 1
            and neuron not in driven
            and not model.enabled[synapses[0]]
            and np.isinf(model.leaks[neuron])
            and not model.refractory[neuron]
            and not model.countdown[neuron]
            and model.resets[neuron] <= model.thresholds[neuron]
            and model.resets[neuron] + weight > model.thresholds[neuron]
        )
    return found
