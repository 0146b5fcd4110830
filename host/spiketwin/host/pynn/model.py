"""The network that a script means, in real numbers: what all targets are made of.

Neurons are numbered over all populations of them, in the order in which these were made. Sources of
spikes become axons: those of a population come once for each delay with which they are used, and
the host delays what it sends to them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spiketwin.host.elements import IntArray
from spiketwin.host.errors import InvalidNetwork
from spiketwin.host.pynn import cells, synapses
from spiketwin.host.pynn.blocks import Block, blocks_of

Reals = NDArray[np.float64]

EXCITATORY: Final = 0
INHIBITORY: Final = 1
"""Columns of what each receptor has of its own."""

_MOST_WAIT: Final = 65535
"""Most ticks of a refractory period."""

_KINDS: Final = (cells.IF_curr_exp, cells.IF_curr_alpha, cells.IF_curr_delta)


@dataclass(frozen=True, eq=False)
class Neurons:
    """The parameters of all neurons, shape (n,), in PyNN's units: mV, ms, nF and nA.

    Attributes
    ----------
    tau_syn:
        Shape (n, 2): time constants of the excitatory and of the inhibitory current; 0 where
        synapses act at once.
    jumps:
        Whether synapses act at once, so that weights are in mV.
    v, isyn:
        Initial potential, and initial currents of shape (n, 2).
    """

    v_rest: Reals
    v_thresh: Reals
    v_reset: Reals
    tau_m: Reals
    cm: Reals
    tau_refrac: Reals
    i_offset: Reals
    tau_syn: Reals
    jumps: NDArray[np.bool_]
    v: Reals
    isyn: Reals

    def __len__(self) -> int:
        """Return the number of neurons."""
        return len(self.v_rest)


@dataclass(frozen=True, eq=False)
class Model:
    """A network, ready to be made for any target.

    Attributes
    ----------
    dt:
        Length of a tick in ms.
    populations:
        The populations of neurons.
    neurons:
        Their parameters.
    blocks:
        All synapses.
    axons:
        What the axons are: for each range of them the population of sources, and the ticks by which
        its spikes are late.
    two_currents:
        Whether excitatory and inhibitory currents have to be told apart.
    driven:
        Whether current sources inject into any neuron.
    """

    dt: float
    populations: tuple[Any, ...]
    neurons: Neurons
    blocks: tuple[Block, ...]
    axons: tuple[tuple[Any, int], ...]
    two_currents: bool
    driven: bool

    @property
    def n_axons(self) -> int:
        """Number of axons."""
        return sum(population.size for population, _ in self.axons)

    def first_axon(self, population: Any, late: int) -> int:
        """Return the first axon of a population of sources whose spikes are so late."""
        place = self.axons.index((population, late))
        return sum(each.size for each, _ in self.axons[:place])

    def cell(self, neuron: int) -> str:
        """Return what a neuron is called in a message: its population, and its index there."""
        for population in self.populations:
            if neuron < population.size:
                break
            neuron -= population.size
        return f"{population.label}[{neuron}]"

    def first(self, population: Any) -> int:
        """Return the number of the first neuron of a population."""
        place = self.populations.index(population)
        return sum(each.size for each in self.populations[:place])


def modelled(state: Any, span: int) -> Model:
    """Return the network of a simulation.

    Parameters
    ----------
    state:
        The state of the simulator.
    span:
        Different delays that synapses can have of their own, on all targets.

    Raises
    ------
    InvalidNetwork
        A part of it has no counterpart in a core; the message names the part, the reason and what
        would do instead.
    """
    for population in state.populations:
        _check_cells(population)
    for projection in state.projections:
        _check_synapses(projection)
    populations = tuple(each for each in state.populations if not each.is_source)
    neurons = _neurons(populations, state.dt)
    blocks = blocks_of(state, populations, neurons.jumps, span)
    axons = tuple({(each.source, each.late): None for each in blocks if each.source.is_source})
    return Model(
        state.dt, populations, neurons, blocks, axons, _two_currents(state, neurons, blocks),
        any(each.cells for each in state.currents),
    )  # fmt: skip


def _check_cells(population: Any) -> None:
    kind = population.celltype
    known = (*_KINDS, cells.SpikeSourceArray, cells.SpikeSourcePoisson)
    reason = getattr(kind, "refusal", None)
    if reason is None and not isinstance(kind, known):
        names = ", ".join(each.__name__ for each in known)
        reason = f"this back end does not know it: take one of {names}"
    if reason is not None:
        raise InvalidNetwork(
            f"{population.label}: {type(kind).__name__} cannot be run on a core: {reason}"
        )


def _check_synapses(projection: Any) -> None:
    kind = projection.synapse_type
    parts = [kind]
    if projection.learns:
        parts += [kind.timing_dependence, kind.weight_dependence, kind.voltage_dependence]
    known = (
        synapses.StaticSynapse, synapses.STDPMechanism, synapses.SpikePairRule,
        synapses.AdditiveWeightDependence, type(None),
    )  # fmt: skip
    for part in parts:
        reason = getattr(part, "refusal", None)
        if reason is None and not isinstance(part, known):
            reason = "this back end does not know it: take StaticSynapse, or STDPMechanism"
        if reason is not None:
            raise InvalidNetwork(
                f"{projection.label}: {type(part).__name__} cannot be run on a core: {reason}"
            )
    fractions = projection.held("dendritic_delay_fraction") if projection.learns else np.zeros(1)
    if np.any(fractions != 0):
        raise InvalidNetwork(
            f"{projection.label}: dendritic_delay_fraction must be 0 on a core, not "
            f"{fractions.max():g}, as its learning sees the spikes of sources where they arrive: "
            "give STDPMechanism(dendritic_delay_fraction=0), so that the delay is one of the axon"
        )


def _neurons(populations: tuple[Any, ...], dt: float) -> Neurons:
    """Return the parameters of all neurons."""

    def joined(name: str, instead: float = 0.0) -> Reals:
        parts = [
            each.parameter(name) if each.celltype.has_parameter(name)
            else np.full(each.size, instead)
            for each in populations
        ]  # fmt: skip
        return np.concatenate([*parts, np.empty(0)]).astype(float)

    def first(name: str) -> Reals:
        parts = [
            each.initial(name) if name in each.initial_values else np.zeros(each.size)
            for each in populations
        ]
        return np.concatenate([*parts, np.empty(0)])

    alike = {
        name: joined(name)
        for name in ("v_rest", "v_thresh", "v_reset", "tau_m", "cm", "tau_refrac", "i_offset")
    }
    jumps = [
        np.full(each.size, isinstance(each.celltype, cells.IF_curr_delta)) for each in populations
    ]
    neurons = Neurons(
        **alike,
        tau_syn=np.stack([joined("tau_syn_E"), joined("tau_syn_I")], axis=1),
        jumps=np.concatenate([*jumps, np.empty(0, bool)]),
        v=first("v"),
        isyn=np.stack([first("isyn_exc"), first("isyn_inh")], axis=1),
    )
    _check_numbers(populations, neurons, dt)
    return neurons


def _check_numbers(populations: tuple[Any, ...], neurons: Neurons, dt: float) -> None:
    """Raise `InvalidNetwork` for parameters that no neuron can have."""
    above = {"tau_m": neurons.tau_m, "cm": neurons.cm}
    above |= {"tau_syn": np.where(neurons.jumps, 1.0, neurons.tau_syn.min(axis=1, initial=np.inf))}
    numbers: IntArray = np.repeat(np.arange(len(populations)), [each.size for each in populations])
    for name, values in above.items():
        wrong = np.flatnonzero(~(values > 0))
        if wrong.size:
            label = populations[numbers[wrong[0]]].label
            raise InvalidNetwork(f"{name} of {label} must be above 0, not {values[wrong[0]]:g}")
    waits = neurons.tau_refrac / dt
    wrong = np.flatnonzero(np.isfinite(waits) & ((waits < 0) | (np.rint(waits) > _MOST_WAIT)))
    if wrong.size:
        label = populations[numbers[wrong[0]]].label
        raise InvalidNetwork(
            f"tau_refrac of {label} must be in 0…{_MOST_WAIT * dt:g} ms, the ticks that a core "
            f"counts, not {neurons.tau_refrac[wrong[0]]:g}"
        )
    for name in ("v_rest", "v_thresh", "v_reset", "tau_refrac", "i_offset", "v"):
        values = getattr(neurons, name)
        wrong = np.flatnonzero(~np.isfinite(values))
        if wrong.size:
            label = populations[numbers[wrong[0]]].label
            raise InvalidNetwork(f"{name} of {label} must be a number, not {values[wrong[0]]}")


def _two_currents(state: Any, neurons: Neurons, blocks: tuple[Block, ...]) -> bool:
    """Return whether some neuron has two currents that decay differently, or are recorded."""
    if any(
        name in cells.RECORDED and name != "v"
        for each in state.recorders
        for name in each.signals()
    ):
        return True
    differ = neurons.tau_syn[:, EXCITATORY] != neurons.tau_syn[:, INHIBITORY]
    inhibited = np.zeros(len(neurons), bool)
    for block in blocks:
        if block.inhibitory:
            inhibited[block.targets.start + block.post] = True
    inhibited |= neurons.isyn[:, INHIBITORY] != 0
    return bool((differ & inhibited).any())
