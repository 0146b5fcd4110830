"""The networks on which simulators are compared: for the model, and for others as a file.

Neurons integrate and fire, with a membrane of 20 ms and currents that decay exponentially in 5 ms.
Constant currents of their own keep them firing at some 17 Hz, and their synapses add a twentieth to
these. All sizes fire alike: the threshold grows with the number of synapses of a neuron.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from spiketwin.host import Network
from spiketwin.host.elements import IntArray

V_TAU: Final = 20.0
CURRENT_TAU: Final = 5.0
TRACE_TAU: Final = 20.0
"""Time constants, in ticks of a millisecond."""

WEIGHT: Final = 40
W_MAX: Final = 127
A_PLUS: Final = 2.0
A_MINUS: Final = 2.1
"""Weights at the beginning, their upper bound, and amplitudes of pair STDP, in weight units."""

SPARSE: Final = 0.05
"""Share of the pairs of neurons of a layer that have a synapse in the case of layers."""

LAYERS: Final = 4

DRIVE: Final = 0.99, 1.05
"""Bounds of the potential to which constant currents lead, to the threshold."""

_SYNAPSES_TO_DRIVE: Final = 0.05
_RATE: Final = 0.017


@dataclass(frozen=True)
class PeerCase:
    """A network in the two forms.

    Attributes
    ----------
    net:
        The network of the model, which begins with potentials of its own (`Network.start`).
    pairs:
        Shape (m, 2): source and target of every synapse between neurons, by source; None if there
        is one for every pair. All have the same weight.
    learns:
        Whether the synapses do.
    """

    net: Network
    pairs: IntArray | None
    learns: bool

    def save(self, path: Path) -> None:
        """Write what another simulator needs to make the same network, as ``.npz``."""
        values: dict[str, object] = {
            "threshold": self.net.threshold[0], "bias": self.net.bias, "start": self.net.start["v"],
            "weight": WEIGHT, "learns": self.learns, "v_tau": V_TAU, "current_tau": CURRENT_TAU,
            "trace_tau": TRACE_TAU, "a_plus": A_PLUS, "a_minus": A_MINUS, "w_max": W_MAX,
        }  # fmt: skip
        if self.pairs is not None:
            values["pairs"] = self.pairs
        arrays: dict[str, Any] = {name: np.asarray(value) for name, value in values.items()}
        np.savez(path, **arrays)


def _all_to_all(n: int, *, learns: bool) -> PeerCase:
    threshold, bias, start = _driven(n, synapses=n)
    weights = np.concatenate([np.zeros((8, n), int), np.full((n, n), WEIGHT)])
    net = Network(
        n_axons=8, n_neurons=n, weights=weights, threshold=np.full(n, threshold), bias=bias,
        v_tau=V_TAU, i_syn_tau=CURRENT_TAU,
    )  # fmt: skip
    if learns:
        net.stdp(
            a_plus=A_PLUS, a_minus=A_MINUS, tau_plus=TRACE_TAU, tau_minus=TRACE_TAU,
            w_min=0, w_max=W_MAX,
        )  # fmt: skip
    net.start = {"v": start}
    return PeerCase(net, None, learns)


def _layers(n: int) -> PeerCase:
    """Layers of n / 4 neurons, each leading to all of the next, and to a few of its own."""
    size = n // LAYERS
    threshold, bias, start = _driven(n, synapses=size)
    net = Network(n_axons=8, v_tau=V_TAU, i_syn_tau=CURRENT_TAU)
    layers = [
        net.population(size, threshold=threshold, bias=bias[k * size : (k + 1) * size])
        for k in range(LAYERS)
    ]
    rng = np.random.default_rng(n)
    pairs = []
    for k, layer in enumerate(layers):
        own = WEIGHT * (rng.random((size, size)) < SPARSE)
        net.project(layer, layer, weights=own, sparse=True)
        pairs.append(np.argwhere(own) + k * size)
        if k:
            net.project(layers[k - 1], layer, weights=np.full((size, size), WEIGHT))
            pairs.append(np.argwhere(np.ones((size, size))) + ((k - 1) * size, k * size))
    every = np.concatenate(pairs)
    net.start = {"v": start}
    return PeerCase(net, every[np.lexsort(every.T[::-1])], learns=False)


def _driven(n: int, synapses: int) -> tuple[int, IntArray, IntArray]:
    """Return threshold, bias and first potentials of neurons with so many synapses each."""
    decay = -math.expm1(-1 / V_TAU)
    received = synapses * _RATE * WEIGHT / -math.expm1(-1 / CURRENT_TAU)
    threshold = round(received / (_SYNAPSES_TO_DRIVE * decay))
    rng = np.random.default_rng(n)
    bias = np.rint(rng.uniform(*DRIVE, n) * threshold * decay).astype(np.int64)
    return threshold, bias, rng.integers(0, threshold, n)


CASES: Final[dict[str, Callable[[int], PeerCase]]] = {
    "learning": partial(_all_to_all, learns=True),
    "static": partial(_all_to_all, learns=False),
    "layers": _layers,
}
"""The cases by name, each made for a number of neurons."""
