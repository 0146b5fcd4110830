"""A case: the ideal network, its rounded form for a core, and one stimulus for both."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from spiketwin.cosim.compare.ideal import Ideal
from spiketwin.cosim.compare.quantisation import Quantisation
from spiketwin.cosim.compare.trajectory import NetworkOnCore, Trajectory, record
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.host import Core, Network
from spiketwin.host.elements import IntArray
from spiketwin.host.layout import SIZES_OF_TABLE, cut
from spiketwin.host.progress import Steps
from spiketwin.host.stimuli import NO_BIASES


@dataclass(frozen=True, eq=False, kw_only=True)
class Case:
    """A network and its stimulus, for comparison.

    Attributes
    ----------
    ideal:
        The network before it is rounded.
    network:
        The rounded network, for a core.
    params:
        Sizes of that core.
    scale:
        Units of the core per unit of the ideal network (1 if both use the core's).
    unit:
        Name of the ideal network's unit.
    spikes, ticks:
        The stimulus: shape (k, 2), (tick, axon), and its length.
    biases:
        Its bias events, ascending by tick: shape (m, 3), (tick, neuron, bias), in units of the
        core.
    clear_every:
        Ticks between two clears of all state; None for no clears.
    """

    ideal: Ideal
    network: Network
    params: CoreParams
    scale: float
    unit: str
    spikes: IntArray
    ticks: int
    biases: IntArray = field(default_factory=lambda: NO_BIASES)
    clear_every: int | None = None

    @classmethod
    def rounded(
        cls, ideal: Ideal, scale: float, unit: str, params: CoreParams, spikes: IntArray, ticks: int
    ) -> Self:
        """Round an ideal network; parameters and errors are those of `Ideal.quantised`."""
        return cls(
            ideal=ideal, network=ideal.quantised(scale, params), params=params, scale=scale,
            unit=unit, spikes=spikes, ticks=ticks,
        )  # fmt: skip

    @classmethod
    def of(
        cls, network: Network, params: CoreParams, spikes: IntArray, ticks: int,
        biases: IntArray = NO_BIASES,
    ) -> Self:  # fmt: skip
        """Take the integers of a network as ideal, so that only decays and steps are rounded."""
        return cls(
            ideal=Ideal.of(network, params), network=network, params=params, scale=1.0,
            unit="units", spikes=spikes, ticks=ticks, biases=biases,
        )  # fmt: skip

    def run_ideal(
        self, every: int | None = None, keeping: Quantisation | None = None
    ) -> Trajectory:
        """Run the ideal network; parameters and errors are those of `Ideal.run`."""
        return self.ideal.run(
            self.spikes, self.ticks, every=every, clear_every=self.clear_every, keeping=keeping,
            biases=self.biases / (1.0, 1.0, self.scale),
        )  # fmt: skip

    def run_on(
        self, core: Core, every: int | None = None, progress: Steps | None = None
    ) -> Trajectory:
        """Run the network on a connected core.

        Parameters and errors are those of `record` and of the methods of the core.
        """
        network = NetworkOnCore(core, self.network)
        return record(
            network, self.spikes, self.ticks, every, self.clear_every, progress, self.biases
        )

    def open_loop(self) -> Self:
        """Return the case in which every neuron receives the ideal network's own spikes.

        The weights of the neurons as sources move to as many additional axons. These play the
        spikes of the ideal network, each a tick later, as the neurons themselves would (open
        loop). So no difference spreads from neuron to neuron. The ideal network fires the same
        spikes as before; the core has as many more axons.

        Raise `ParamsError` if no core has so many axons.
        """
        played = self.run_ideal().spikes + (1, self.ideal.n_axons)
        cleared = played[:, 0] % (self.clear_every or self.ticks) == 0
        played = played[~cleared & (played[:, 0] < self.ticks)]
        events = np.concatenate([self.spikes.reshape(-1, 2), played])
        network = self.network
        network = _played_in(network) if network.all_to_all else _of_populations_in(network)
        return replace(
            self,
            ideal=_played_in(self.ideal),
            network=network,
            params=_with_played(self.params, network),
            spikes=events[np.lexsort((events[:, 1], events[:, 0]))],
        )


def _with_played(params: CoreParams, network: Network) -> CoreParams:
    """Return sizes with as many more axons as there are neurons, for this network."""
    p, sizes = params, dict[str, Any]()
    n_axons = p.n_axons + p.n_neurons
    if p.has_projections:
        parts = cut(network, p.lanes)
        n_axons = max(n_axons, parts.n_axons)
        for name in ("n_neurons", *SIZES_OF_TABLE):
            sizes[name] = max(getattr(p, name), getattr(parts, name))
    in_tick = n_axons + p.n_neurons * p.bias_events
    queue = max(p.event_queue_depth, 1 << (in_tick - 1).bit_length())
    return replace(p, n_axons=n_axons, event_queue_depth=queue, **sizes)


def _of_populations_in(net: Network) -> Network:
    """Move the projections of neurons as sources to as many axons after the others."""
    moved = net.copy()
    moved.n_axons, moved.source_profile = net.n_sources, _played_profiles(net)
    for each in moved.projections:
        if not each.source.of_axons:
            source = each.source
            if not each.itself:  # only a neuron is its own source, so it needs its weights
                each.own_weights, each.constant, each.itself = each.weights, None, True
                each.plastic = np.zeros(each.pairs.shape, np.bool_)
            each.source = replace(source, of_axons=True, first=net.n_axons + source.first)
    return moved


def _played_profiles(net: Network | Ideal) -> NDArray[Any]:
    """Return the profile of each source if neurons are played by as many more axons."""
    return np.concatenate([net.source_profile, net.source_profile[net.n_axons :]])


_Net = TypeVar("_Net", Ideal, Network)


def _played_in(net: _Net) -> _Net:
    """Move what the neurons are as sources to as many axons after the others."""
    n_axons = net.n_axons + net.n_neurons
    no_rows = np.zeros((net.n_neurons, net.n_neurons), np.bool_)
    # An all-to-all network has a single rule.
    rules: dict[str, Any] = {}
    if isinstance(net, Ideal):
        rules["rule"] = np.insert(net.rule, [n_axons] * net.n_neurons, no_rows, axis=0)
    return replace(
        net,
        **rules,
        n_axons=n_axons,
        source_profile=_played_profiles(net),
        # The rows of relays stay behind those of the neurons.
        weights=np.insert(net.weights, [n_axons] * net.n_neurons, no_rows, axis=0),
        plastic=np.insert(net.plastic, [n_axons] * net.n_neurons, no_rows, axis=0),
        synapse_delay=np.insert(net.synapse_delay, [n_axons] * net.n_neurons, no_rows, axis=0),
    )
