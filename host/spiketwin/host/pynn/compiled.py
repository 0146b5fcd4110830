"""The network of whole numbers that a model becomes on a core."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spiketwin.hdl.spec.registers import limits
from spiketwin.host.elements import IntArray
from spiketwin.host.errors import InvalidNetwork
from spiketwin.host.network import Network
from spiketwin.host.populations import MAX_DELAY, Projection
from spiketwin.host.pynn.blocks import Block
from spiketwin.host.pynn.model import EXCITATORY, INHIBITORY, Model
from spiketwin.host.pynn.scales import (
    Scales,
    bounds,
    never_fires,
    resets,
    thresholds,
    whole_weights,
)
from spiketwin.host.sums import NEVER_FIRES

Reals = NDArray[np.float64]

_FEW: Final = 0.5
"""Share of the pairs that have a synapse up to which a list of them takes less than all pairs."""

_ROOM: Final = 8.0
"""Spikes that a trace adds up in full."""

_GAIN_OF_ROOM: Final = 15.0
"""Weight units that a pair can change a weight by with that room and no exponent of the gain."""

_PROFILES: Final = 8
_MOST_LINES: Final = 4096


@dataclass(frozen=True, eq=False)
class Compiled:
    """A network for a core.

    Attributes
    ----------
    network:
        The network.
    scales:
        Its scales.
    parts:
        Each block of synapses with the projection that it became.
    """

    network: Network
    scales: Scales
    parts: tuple[tuple[Block, Projection], ...]


def compiled(
    model: Model, scales: Scales, bias: IntArray, v_width: int, has_lists: bool
) -> Compiled:
    """Return the network for a core.

    Parameters
    ----------
    model, scales:
        What is meant, and its scales.
    bias:
        Shape (n,): the biases with which it begins.
    v_width:
        Bits of the potentials of the core.
    has_lists:
        Whether the core can have lists of synapses (`CoreParams.sparse_rows`).

    Raises
    ------
    InvalidNetwork
        It needs more than any core has; the message says of what, and what would help.
    """
    if max(model.n_axons, len(model.neurons)) > _MOST_LINES:
        raise InvalidNetwork(
            f"the network has {len(model.neurons)} neurons, and {model.n_axons} sources counted "
            f"once for each of their delays, and a core has {_MOST_LINES} of both at most: make "
            "populations smaller, or give the connections of a source fewer different delays"
        )
    net = Network(n_axons=model.n_axons, v_floor=limits(v_width, signed=True)[0])
    net.i_syn_shift = scales.shift
    net.i_inh_en = model.two_currents
    profiles = _Profiles(model)
    profiles.set_in(net)
    _add_neurons(net, model, scales, bias, profiles.of_neurons)
    if any(block.pairs is not None for block in model.blocks):
        net.source_profile[:] = profiles.of_sources
    parts = tuple(
        (block, _projected(net, model, scales, block, has_lists)) for block in model.blocks
    )
    _learn(net, model, scales, parts)
    return Compiled(net, scales, parts)


class _Profiles:
    """The sets of time constants of a model, and which of them each neuron and source has.

    Traces are of profiles, so neurons that learn with other time constants have others.
    """

    def __init__(self, model: Model) -> None:
        self._columns = ("v_tau", "i_syn_tau", "i_inh_tau", "trace_pre_tau", "trace_post_tau")
        n = len(model.neurons)
        rows = np.zeros((2 * n + model.n_axons, 5))
        neurons = model.neurons
        own = np.stack([neurons.tau_m, *neurons.tau_syn.T], axis=1) / model.dt
        before, after = self._learning(model)
        # Of each neuron the profile for its state, then of each axon and neuron as a source.
        rows[:n, :3], rows[:n, 3], rows[:n, 4] = own, before[model.n_axons :], after
        rows[n + model.n_axons :] = rows[:n]
        rows[n : n + model.n_axons, :3] = own[:1]
        rows[n : n + model.n_axons, 3] = before[: model.n_axons]
        self.rows, numbers = np.unique(rows, axis=0, return_inverse=True)
        if len(self.rows) > _PROFILES:
            raise InvalidNetwork(
                f"the neurons have {len(self.rows)} different sets of tau_m, tau_syn_E, tau_syn_I "
                f"and time constants of learning, and a core has {_PROFILES}: let some have the "
                "same (other parameters may differ from cell to cell)"
            )
        self.of_neurons: IntArray = numbers.reshape(-1)[:n].astype(np.int64)
        self.of_sources: IntArray = numbers.reshape(-1)[n:].astype(np.int64)

    def _learning(self, model: Model) -> tuple[Reals, Reals]:
        """Return the time constants of learning of all sources and neurons, in ms, 0 for none."""
        n = len(model.neurons)
        before, after = np.zeros(model.n_axons + n), np.zeros(n)
        for block in model.blocks:
            if block.pairs is not None:
                first = _first_source(model, block)
                before[first : first + block.source.size] = block.pairs.tau_plus
                after[block.targets.start : block.targets.stop] = block.pairs.tau_minus
        return before, after

    def set_in(self, net: Network) -> None:
        """Set what the profiles of a network hold but the traces, which learning sets."""
        for column, name in enumerate(self._columns[:3]):
            setattr(net, name, self.rows[:, column])
        net.trace_pre_tau = np.full(len(self.rows), math.inf)


def _first_source(model: Model, block: Block) -> int:
    if block.source.is_source:
        return model.first_axon(block.source, block.late)
    return model.n_axons + model.first(block.source)


def _add_neurons(
    net: Network, model: Model, scales: Scales, bias: IntArray, profiles: IntArray
) -> None:
    neurons, first = model.neurons, 0
    threshold = np.where(never_fires(neurons), NEVER_FIRES, thresholds(neurons, scales))
    v_reset = resets(neurons, scales)
    refrac_ticks = np.rint(neurons.tau_refrac / model.dt).astype(np.int64)
    for population in model.populations:
        part = slice(first, first + population.size)
        net.population(
            population.size, name=population.label, threshold=threshold[part],
            v_reset=v_reset[part], refrac_ticks=refrac_ticks[part], bias=bias[part],
            profile=profiles[part],
        )  # fmt: skip
        first += population.size


def _projected(
    net: Network, model: Model, scales: Scales, block: Block, has_lists: bool
) -> Projection:
    column = INHIBITORY if block.inhibitory else EXCITATORY
    if model.two_currents and np.any(block.weight > 0 if block.inhibitory else block.weight < 0):
        kind, sign = ("inhibitory", "above") if block.inhibitory else ("excitatory", "below")
        raise InvalidNetwork(
            f"{block.projection.label}: an {kind} weight is {sign} 0, and a core tells excitation "
            "from inhibition by the sign of the weight: change the sign, or the receptor_type"
        )
    units = scales.weight_units[block.targets.start : block.targets.stop, column]
    shape = block.source.size, len(block.targets)
    weights, later = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    weights[block.pre, block.post] = whole_weights(block, units[block.post])
    later[block.pre, block.post] = block.later
    arguments: dict[str, Any] = {"weights": weights, "name": str(block.projection.label)}
    if block.pairs is not None:
        arguments["plastic"] = np.zeros(shape, bool)
        arguments["plastic"][block.pre, block.post] = True
        arguments |= {"current_after": True, "gain_shift": _gain_shift(block, float(units[0]))}
    else:
        # A list has no place for weights of 0, but there may be others in a later run.
        few = np.any(weights) and len(block.pre) < _FEW * weights.size
        arguments["sparse"] = has_lists and bool(few)
        arguments["synapse_delay"] = later
    target = _population_of(net, block.targets)
    if block.source.is_source:
        first = model.first_axon(block.source, block.late)
        return net.project(net.axons[first : first + block.source.size], target, **arguments)
    if block.late > MAX_DELAY:
        raise InvalidNetwork(
            f"{block.projection.label}: delays between neurons of a core can be "
            f"{(MAX_DELAY + 1) * model.dt:g} ms at most with a time step of {model.dt:g} ms, not "
            f"{(block.late + 1) * model.dt:g} ms: take a longer time step, or shorter delays"
        )
    source = net.populations[model.populations.index(block.source)]
    return net.project(source, target, delay=block.late, **arguments)


def _population_of(net: Network, targets: range) -> Any:
    return next(each for each in net.populations if each.neurons == targets)


def _gain_shift(block: Block, units: float) -> int:
    pairs = block.pairs
    amplitude = 0.0 if pairs is None else max(abs(pairs.a_plus), abs(pairs.a_minus)) * units
    return max(0, math.ceil(math.log2(max(amplitude, 1.0) / _GAIN_OF_ROOM)) + 1)


def _learn(
    net: Network, model: Model, scales: Scales, parts: tuple[tuple[Block, Projection], ...]
) -> None:
    """Let the projections learn by pairs of spikes.

    A spike arrives at the beginning of a tick and a neuron fires at its end, so they are a tick
    farther apart than `Network.stdp` counts; at an arrival, a tick less.
    """
    groups: dict[tuple[Any, float], list[Projection]] = {}
    for block, projection in parts:
        if block.pairs is not None:
            column = INHIBITORY if block.inhibitory else EXCITATORY
            units = float(scales.weight_units[block.targets.start, column])
            groups.setdefault((block.pairs, units), []).append(projection)
    for (pairs, units), projections in groups.items():
        plus, minus = pairs.tau_plus / model.dt, pairs.tau_minus / model.dt
        low, high = bounds(pairs, units)
        net.stdp(
            a_plus=pairs.a_plus * units * math.exp(-1.0 / plus),
            a_minus=pairs.a_minus * units * math.exp(1.0 / minus),
            tau_plus=plus, tau_minus=minus, room=_ROOM,
            w_min=low, w_max=high, projection=projections,
        )  # fmt: skip
