"""Networks of populations that are legal and otherwise anything, and options of their runs.

An option is a name, what a core must have for it, and the keyword arguments that it draws. To add
one is a line in the table of the call that takes them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.probes import probed
from spiketwin.hdl.spec.variables import Per
from spiketwin.host import Network
from spiketwin.host.elements import IntArray
from spiketwin.host.populations import Population

_Rng = np.random.Generator
_Keywords = dict[str, Any]

DELAYS: Final = (1, 2, 5, 8)
_LATEST: Final = 7
"""Delays of projections, and the longest one of a synapse, in ticks."""

W_MIN: Final = -50
W_MAX: Final = 100
_WINDOWS: Final = 2
"""Tables of windows of a network."""

_MOST_MEMBERS: Final = 20
"""Most members of a population on either side of a projection."""

_BASE: Final[_Keywords] = {
    "v_tau": 20.0, "i_syn_tau": 3.0, "v_floor": -900, "theta_tau": 30.0, "theta_bump": 30,
}  # fmt: skip


@dataclass(frozen=True)
class Option:
    """Something that a network or a run may have.

    Attributes
    ----------
    built:
        Function of the sizes of a core that says whether it has what the option needs.
    draw:
        Function that draws keyword arguments from a random number generator and what else its
        table says.
    chance:
        How often it is used where it can be, 0…1; of kinds of projections each has the same.
    """

    built: Callable[[CoreParams], object]
    draw: Callable[..., _Keywords]
    chance: float = 0.5


def _everywhere(_params: CoreParams) -> bool:
    return True


def _learning(rng: _Rng) -> _Keywords:
    return {
        "learn_pre": True, "learn_post": True, "w_min": W_MIN, "w_max": W_MAX,
        "pre_gain": int(rng.integers(-9000, 3000)), "post_gain": int(rng.integers(-3000, 9000)),
        "trace_pre_tau": 10.0, "trace_pre_bump": 9000, "trace_post_tau": 10.0,
        "trace_post_bump": 9000,
    }  # fmt: skip


def _profile(rng: _Rng, _size: int) -> _Keywords:
    """Draw some of the constants of a profile that acts on neurons."""
    drawn = {
        "v_tau": float(rng.uniform(5, 60)), "i_syn_tau": float(rng.uniform(0, 9)),
        "theta_tau": float(rng.uniform(10, 90)), "theta_bump": int(rng.integers(0, 60)),
        "v_floor": int(rng.integers(-900, 0)), "reset_subtract": True, "refrac_integrates": True,
        "linear_leak": int(rng.integers(1, 9)),
    }  # fmt: skip
    return {name: value for name, value in drawn.items() if rng.random() < 0.4}


def _weights(rng: _Rng, shape: tuple[int, int]) -> IntArray:
    return rng.integers(W_MIN, W_MAX, shape)


def _plastic(rng: _Rng, shape: tuple[int, int]) -> _Keywords:
    return {"weights": _weights(rng, shape), "plastic": rng.random(shape) < rng.choice([0.5, 1.0])}


def _rules(rng: _Rng, shape: tuple[int, int]) -> _Keywords:
    """Draw a plastic projection with constants of its own, and bounds that hold its weights."""
    own = {
        "w_min": int(rng.integers(W_MIN - 20, W_MIN, endpoint=True)),
        "w_max": int(rng.integers(W_MAX, W_MAX + 28)),
        "pre_gain": int(rng.integers(-9000, 9000)),
        "post_offset": int(rng.integers(-1 << 18, 1 << 18)), "gain_shift": int(rng.integers(0, 16)),
        "current_after": bool(rng.random() < 0.5), "stochastic": bool(rng.random() < 0.5),
    }  # fmt: skip
    some = {name: value for name, value in own.items() if rng.random() < 0.7}
    return _plastic(rng, shape) | some


def _windows(rng: _Rng, shape: tuple[int, int]) -> _Keywords:
    """Draw a plastic projection whose rule goes by a window of past ticks, and may drift."""
    own = {"window": int(rng.integers(1, _WINDOWS, endpoint=True))}
    if rng.random() < 0.6:
        own["drift"] = int(rng.integers(-1 << 17, 1 << 17))
    return _rules(rng, shape) | own


def _sparse(rng: _Rng, shape: tuple[int, int]) -> _Keywords:
    there = rng.random(shape) < rng.choice([0.0, 0.1, 0.5])
    return {"weights": _weights(rng, shape) * there, "sparse": True}


def _biases(rng: _Rng, net: Network, _params: CoreParams, ticks: int) -> _Keywords:
    """Draw a bias for some neurons in some ticks."""
    count = int(rng.integers(1, 2 + ticks))
    limits = (ticks, net.n_neurons, 20)
    return {"biases": np.stack([rng.integers(0, limit, count) for limit in limits], axis=1)}


def _probes(rng: _Rng, net: Network, params: CoreParams, _ticks: int) -> _Keywords:
    """Draw a few neighbours of each state that is probed."""
    arrays = list(probed(params).values())
    chosen = rng.permutation(len(arrays))[: rng.integers(1, params.probe_ranges + 1)]
    probe = {}
    for array in (arrays[k] for k in chosen):
        members = net.n_sources if array.per is Per.SOURCE else net.n_neurons
        first = int(rng.integers(members))
        probe[array.name] = range(first, min(members, first + int(rng.integers(1, 9))))
    return {"probe": probe, "probe_every": int(rng.integers(1, 5))}


OF_NETWORKS: Final[dict[str, Option]] = {
    "learning": Option(lambda p: p.learning, _learning, 0.8),
    "noise": Option(
        lambda p: p.learning,
        lambda rng: {"stochastic": True, "seed": int(rng.integers(1 << 32))},
    ),
    "receptors": Option(
        lambda p: p.has_two_receptors,
        lambda rng: {"i_inh_en": True, "i_inh_tau": float(rng.uniform(0, 9))},
    ),
    "shifts": Option(
        lambda p: p.decay_shift,
        lambda rng: {"i_syn_shift": int(rng.integers(1, 4)), "v_tau": float(rng.uniform(20, 2000))},
    ),
    "windows": Option(
        lambda p: p.window_bits,
        lambda rng: {"windows": rng.integers(-1 << 19, 1 << 19, (_WINDOWS, 512))},
        1.0,
    ),
    "reset by subtraction": Option(_everywhere, lambda _rng: {"reset_subtract": True}),
}
"""Arguments of `Network`, drawn from a generator."""

OF_POPULATIONS: Final[dict[str, Option]] = {
    "biases": Option(_everywhere, lambda rng, size: {"bias": rng.integers(0, 20, size)}, 0.9),
    "resets": Option(_everywhere, lambda rng, size: {"v_reset": rng.integers(-60, 40, size)}),
    "profiles": Option(lambda p: p.has_profiles, _profile),
}
"""Arguments of `Network.population`, drawn from a generator and a number of neurons."""

OF_FURTHER_POPULATIONS: Final[dict[str, Option]] = {
    **OF_POPULATIONS,
    "silent": Option(_everywhere, lambda _rng, _size: {"fires": False}, 0.3),
}
"""Those of all populations but the first, in which some neuron may fire."""

KINDS: Final[dict[str, Option]] = {
    "dense": Option(_everywhere, lambda rng, shape: {"weights": _weights(rng, shape)}),
    "plastic": Option(lambda p: p.learning, _plastic),
    "rules": Option(lambda p: p.n_rules > 1, _rules),
    "windows": Option(lambda p: p.window_bits, _windows),
    "constants": Option(
        lambda p: p.has_projections, lambda rng, _shape: {"constant": int(rng.integers(-20, 40))}
    ),
    "not to itself": Option(
        lambda p: p.has_projections,
        lambda rng, _shape: {"constant": int(rng.integers(-20, 40)), "itself": False},
    ),
    "sparse": Option(lambda p: p.has_sparse, _sparse),
}
"""Arguments of `Network.project`, of which a projection has those of one, drawn from a generator
and the shape of its weights."""

OF_PROJECTIONS: Final[dict[str, Option]] = {
    "delays": Option(lambda p: p.n_relays, lambda rng, _shape: {"delay": int(rng.choice(DELAYS))}),
}
"""Further arguments of `Network.project`, drawn likewise."""

OF_SYNAPSES: Final[dict[str, Option]] = {
    "synapse delays": Option(
        lambda p: p.synapse_delay_width,
        lambda rng, shape: {"synapse_delay": rng.integers(0, _LATEST, shape, endpoint=True)},
    ),
}
"""Further arguments of `Network.project` for kinds with weights, drawn likewise."""

OF_RUNS: Final[dict[str, Option]] = {
    "digests": Option(lambda p: p.digest_rounds, lambda *_: {"digests": True}, 0.8),
    "probes": Option(lambda p: p.probe_ranges, _probes),
    "bias events": Option(lambda p: p.bias_events, _biases),
}
"""Arguments of `Core.run`, drawn from a generator, a network, the sizes of its core, and ticks."""

OVERLAPS: Final = "overlaps"
"""The option that a pair of a source and a neuron may have more than one synapse."""

_OPTIONS: Final = {
    **OF_NETWORKS, **OF_FURTHER_POPULATIONS, **KINDS, **OF_PROJECTIONS, **OF_SYNAPSES, **OF_RUNS,
    OVERLAPS: Option(lambda p: p.has_projections, lambda: {}),
}  # fmt: skip


def options_of(params: CoreParams) -> list[str]:
    """Return the names of the options that a core of these sizes has, in a fixed order."""
    return [name for name, option in _OPTIONS.items() if option.built(params)]


class Drawing:
    """A network that is drawn, and how it is run.

    Parameters
    ----------
    rng:
        Source of all that is random.
    options:
        Names of the options that may be used; one of them must be a kind of projection.

    Attributes
    ----------
    used:
        Names of those that were used so far.
    """

    def __init__(self, rng: np.random.Generator, options: Collection[str]) -> None:
        self.used = set[str]()
        self._rng = rng
        self._options = options

    def network(self, most_neurons: int = 20, fills: int = 0) -> Network:
        """Return a network that fires, with slices on both sides of its projections.

        It has up to three populations of at most `most_neurons` neurons, 1 or more, and one more of
        all that it then lacks of `fills` neurons, if it does.
        """
        rng = self._rng
        net = Network(n_axons=int(rng.integers(1, 20)), **(_BASE | self._some(OF_NETWORKS)))
        for further in range(rng.integers(1, 4)):
            size = int(rng.integers(1, most_neurons + 1))
            self._populate(net, size, OF_FURTHER_POPULATIONS if further else OF_POPULATIONS)
        if (lacking := fills - net.n_neurons) > 0:
            self._populate(net, lacking, OF_FURTHER_POPULATIONS)
        taken = np.zeros((net.n_sources, net.n_neurons), np.bool_)
        for _ in range(rng.integers(0, 6)):
            self._project(net, taken)
        return net

    def run(self, net: Network, params: CoreParams, ticks: int) -> dict[str, Any]:
        """Return arguments of `Core.run` for a network on a core of these sizes, for so long."""
        return self._some(OF_RUNS, net, params, ticks)

    def _populate(self, net: Network, size: int, options: dict[str, Option]) -> None:
        thresholds = self._rng.integers(60, 300, size)
        own = self._some(options, size)
        net.population(size, threshold=thresholds, refrac_ticks=1, **own)

    def _project(self, net: Network, taken: NDArray[np.bool_]) -> None:
        """Add a projection, unless it has a pair that is `taken` and there are no overlaps."""
        rng = self._rng
        whole = [net.axons, *net.populations]
        source = self._part(whole[rng.integers(len(whole))])
        target = self._part(net.populations[rng.integers(len(net.populations))])
        pairs = np.ix_(source.sources, target.neurons)
        if taken[pairs].any():
            if OVERLAPS not in self._options:
                return
            self.used.add(OVERLAPS)
        taken[pairs] = True
        shape = source.size, target.size
        kind = str(rng.choice([name for name in KINDS if name in self._options]))
        self.used.add(kind)
        its = KINDS[kind].draw(rng, shape)
        if its.get("itself", True):  # which cannot have a delay where a neuron is its own source
            its |= self._some(OF_PROJECTIONS, shape)
        if "weights" in its:
            its |= self._some(OF_SYNAPSES, shape)
        net.project(source, target, **its)

    def _part(self, population: Population) -> Population:
        """Return a population or a slice of it, of at most `_MOST_MEMBERS`."""
        rng = self._rng
        if rng.random() < 0.5 and population.size <= _MOST_MEMBERS:
            return population
        begin = int(rng.integers(population.size))
        most = min(population.size, begin + _MOST_MEMBERS)
        return population[begin : int(rng.integers(begin + 1, most + 1))]

    def _some(self, table: dict[str, Option], *what: object) -> dict[str, Any]:
        """Return the arguments of a part of the options in a table, by their chances."""
        drawn: dict[str, Any] = {}
        for name, option in table.items():
            if name in self._options and self._rng.random() < option.chance:
                drawn |= option.draw(self._rng, *what)
                self.used.add(name)
        return drawn
