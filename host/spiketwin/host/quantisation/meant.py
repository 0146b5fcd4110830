"""A network that is meant: layers of neurons and projections in real numbers, tick by tick.

It says what a core is to come near to. In every tick of a layer the current of a neuron takes the
weights of the spikes that arrive, ``v`` becomes ``(1 - v_loss)·v + i + v_loss·rest + drift``, the
current loses the part ``i_loss``, and the neuron fires where ``v > threshold``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spiketwin.hdl.spec.results import Result
from spiketwin.host.errors import InvalidNetwork

Reals = NDArray[np.float64]

NEVER = math.inf
"""Threshold of a neuron that never fires."""


@dataclass(frozen=True)
class Choice(Result):
    """A choice between things that the description of a network leaves open.

    Attributes
    ----------
    name, value:
        Name of the option, and what was chosen.
    others:
        What else there is.
    means:
        What the choice means, in a sentence.
    """

    name: str
    value: str
    others: tuple[str, ...]
    means: str


@dataclass(frozen=True, eq=False)
class MeantLayer:
    """Neurons that are meant to do the same, in real numbers.

    Attributes
    ----------
    name, kind:
        Name of the layer, and what its description calls its neurons.
    threshold:
        Shape (n,): a neuron fires above it; `NEVER` for neurons that never fire.
    v_reset:
        Shape (n,): potential after a spike; without effect with `reset_subtract`.
    v_loss, i_loss:
        Shape (n,), 0…1: part of the potential and of the current that is lost in a tick.
    rest:
        Shape (n,): potential to which a neuron comes without input, where it has a `v_loss`.
    drift:
        Shape (n,): what is added to the potential in every tick besides.
    i_start:
        Shape (n,): current with which a neuron begins.
    reset_subtract:
        Whether a spike takes the threshold off the potential.
    lag:
        Ticks by which the layer is later than the first one: it begins so many ticks late.
    """

    name: str
    kind: str
    threshold: Reals
    v_reset: Reals
    v_loss: Reals
    i_loss: Reals
    rest: Reals
    drift: Reals
    i_start: Reals
    reset_subtract: bool = False
    lag: int = 0

    @property
    def size(self) -> int:
        """Number of neurons."""
        return len(self.threshold)

    @property
    def fires(self) -> bool:
        """Whether its neurons fire."""
        return bool(np.isfinite(self.threshold).all())

    @property
    def moves_alone(self) -> bool:
        """Whether its neurons leave 0 without any input."""
        return bool(np.any(self.rest * self.v_loss) or self.drift.any() or self.i_start.any())


@dataclass(frozen=True, eq=False)
class MeantProjection:
    """Synapses that are meant.

    Attributes
    ----------
    source, target:
        Names of the layers; an empty `source` is that of the axons.
    first:
        First axon of the source, if it is one of axons.
    weights:
        Shape (sources, targets): what a spike adds to the current.
    delay:
        Ticks by which the spikes arrive later than without one.
    """

    source: str
    target: str
    weights: Reals
    delay: int = 0
    first: int = 0


@dataclass(frozen=True, eq=False)
class Meant:
    """A network that is meant.

    Attributes
    ----------
    n_axons:
        Number of axons.
    layers, projections:
        Its parts; layers in the order of their neurons.
    choices:
        What its description left open, and what was chosen.
    notes:
        What else its reader has to know, in sentences.

    Raises
    ------
    InvalidNetwork
        A value is not a finite number; it is named.
    """

    n_axons: int
    layers: tuple[MeantLayer, ...]
    projections: tuple[MeantProjection, ...]
    choices: tuple[Choice, ...] = ()
    notes: tuple[str, ...] = ()
    places: dict[str, range] = field(init=False)

    def __post_init__(self) -> None:
        places, first = {}, 0
        for layer in self.layers:
            for name in ("v_reset", "v_loss", "i_loss", "rest", "drift", "i_start"):
                check_finite(f"{name} of {layer.name}", getattr(layer, name))
            places[layer.name] = range(first, first + layer.size)
            first += layer.size
        for each in self.projections:
            check_finite(f"weights to {each.target}", each.weights)
        object.__setattr__(self, "places", places)  # frozen for users

    @property
    def n_neurons(self) -> int:
        """Number of neurons."""
        return sum(layer.size for layer in self.layers)

    def gather(self, name: str) -> NDArray[Any]:
        """Return an attribute of all layers, shape (n_neurons,)."""
        parts = [np.broadcast_to(getattr(layer, name), layer.size) for layer in self.layers]
        return np.concatenate(parts) if parts else np.zeros(0)


def check_finite(name: str, values: NDArray[Any]) -> None:
    """Raise `InvalidNetwork` if a value is not a finite number."""
    finite = np.isfinite(values)
    if finite.all():
        return
    first = tuple(np.argwhere(~finite)[0].tolist())
    where = f"[{', '.join(map(str, first))}]" if first else "it"
    raise InvalidNetwork(
        f"{name} must be finite numbers, and {where} is {values[first]}: mend the network that is "
        "imported"
    )
