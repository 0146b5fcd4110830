"""The trajectory of a network: its spikes, and its potential and weights at intervals."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spiketwin.host import Core, Network
from spiketwin.host.elements import IntArray
from spiketwin.host.errors import InvalidInput
from spiketwin.host.progress import Steps
from spiketwin.host.stimuli import NO_BIASES, between, checked_events

Values = NDArray[np.float64]
Rows = IntArray | Values


@dataclass(frozen=True, eq=False)
class Trajectory:
    """The run of a network, on a target or as the ideal network.

    Attributes
    ----------
    spikes:
        Shape (m, 2): (tick, neuron), ascending.
    after:
        Shape (k,): numbers of ticks after which state was read; the last is the length of the run.
    v:
        Shape (k, n_neurons): potential, in the units of the network that ran.
    weights:
        Shape (k, n_sources, n_neurons); without learning, k is 1 and these are the final weights.
    """

    spikes: IntArray
    after: IntArray
    v: Values
    weights: Values


class RunningNetwork(Protocol):
    """A network whose runs each continue from its present state."""

    n_axons: int
    learns: bool

    def run(self, events: IntArray, ticks: int, biases: Rows) -> IntArray:
        """Execute ticks; return the spikes, (tick, neuron), with ticks counted from the first.

        `biases` are the bias events, (tick, neuron, bias), ascending by tick.
        """

    def clear(self) -> None:
        """Set all state to 0."""

    def v(self) -> ArrayLike:
        """Return the potential, shape (n_neurons,)."""

    def weights(self) -> ArrayLike:
        """Return the weights, shape (n_sources, n_neurons)."""


def record(
    network: RunningNetwork,
    spikes: ArrayLike,
    ticks: int,
    every: int | None,
    clear_every: int | None,
    progress: Steps | None = None,
    biases: Rows = NO_BIASES,
) -> Trajectory:
    """Run a network and record it.

    Parameters
    ----------
    network:
        The network, at rest.
    spikes, ticks:
        The stimulus, shape (k, 2) of (tick, axon), and its length.
    every:
        Ticks between two records of potential and weights; None for a record only at the end.
    clear_every:
        Ticks between two clears of state, each before the next tick begins; None for no clears.
    progress:
        Called with (ticks done, ticks) at each record and each clear.
    biases:
        Shape (m, 3): bias events (tick, neuron, bias), ascending by tick, in the unit of the
        network.

    Raises
    ------
    InvalidInput
        The stimulus is wrong, or `every` or `clear_every` is below 1.
    """
    events = checked_events(spikes, ticks, network.n_axons)
    for name, period in (("every", every), ("clear_every", clear_every)):
        if period is not None and period < 1:
            raise InvalidInput(f"{name} must be 1 or more ticks, not {period}")
    clears = range(0, ticks, clear_every or ticks)[1:]
    records = [*range(0, ticks, every or ticks)[1:], ticks]
    fired: list[IntArray] = []
    v: list[ArrayLike] = []
    weights: list[ArrayLike] = []
    for begin, end in pairwise(sorted({0, *clears, *records})):
        if begin in clears:
            network.clear()
        parts = between(events, begin, end), end - begin, between(biases, begin, end)
        fired.append(network.run(*parts) + (begin, 0))
        if end in records:
            v.append(network.v())
            if network.learns or end == ticks:
                weights.append(network.weights())
        if progress is not None:
            progress(end, ticks)
    return Trajectory(
        spikes=np.concatenate(fired),
        after=np.array(records),
        v=np.array(v, np.float64),
        weights=np.array(weights, np.float64),
    )


class NetworkOnCore:
    """A network on a connected core, which is programmed with it."""

    def __init__(self, core: Core, network: Network) -> None:
        core.program(network)
        self._core = core
        self.n_axons = network.n_axons
        self.learns = network.learns

    def run(self, events: IntArray, ticks: int, biases: Rows) -> IntArray:
        """Execute ticks, as `RunningNetwork.run`."""
        return self._core.run(events, ticks, biases=biases).spikes

    def clear(self) -> None:
        """Set all state to 0."""
        self._core.clear()

    def v(self) -> IntArray:
        """Return the potential."""
        return self._core.read_state()["v"]

    def weights(self) -> IntArray:
        """Return the weights."""
        return self._core.read_weights()
