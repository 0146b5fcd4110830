"""The inputs of each layer of neurons: the nodes between two layers, composed to matrices.

A signal at a node is a sum of terms, one for each layer (or input) and delay that it comes from,
and a bias. Linear nodes act on all rows of a term at once; a node Delay parts terms by delay.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from spiketwin.hdl.spec.text import shown
from spiketwin.host.errors import InvalidNetwork
from spiketwin.host.nir.maps import apply, bias_of, reals
from spiketwin.host.nir.reading import FlatGraph
from spiketwin.host.populations import MAX_DELAY
from spiketwin.host.quantisation.meant import Reals

_MOST_IN_A_ROW: Final = 100
"""Most nodes between two layers."""


@dataclass(eq=False)
class Signal:
    """A signal at a node.

    Attributes
    ----------
    terms:
        For each layer and delay in ticks: shape (its neurons, …), what a spike of each makes.
    bias:
        What is there in every tick, of the shape of the signal.
    """

    terms: dict[tuple[str, int], Reals]
    bias: Reals

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the signal in one tick."""
        return self.bias.shape


class Signals:
    """The signals of a graph, each computed once.

    Parameters
    ----------
    graph:
        The graph.
    shapes:
        Shapes of the inputs and of the layers of neurons, by name: where terms come from.
    dt:
        Seconds of a tick.

    Attributes
    ----------
    delay_error:
        The largest part of a tick by which a delay was rounded.
    """

    def __init__(self, graph: FlatGraph, shapes: dict[str, tuple[int, ...]], dt: float) -> None:
        self._graph, self._shapes, self._dt = graph, shapes, dt
        self._known: dict[str, Signal] = {}
        self._under_way: list[str] = []
        self.delay_error = 0.0

    def into(self, name: str) -> Signal:
        """Return the sum of the signals that come to a node.

        Raises `InvalidNetwork` if none does, their shapes differ, or linear nodes form a circle.
        """
        arriving = [self._at(source) for source in self._graph.before(name)]
        if not arriving:
            raise InvalidNetwork(f"nothing comes to the node {shown(name)}: add an edge to it")
        terms: dict[tuple[str, int], Reals] = {}
        for each in arriving:
            if each.shape != arriving[0].shape:
                raise InvalidNetwork(
                    f"signals of the shapes {arriving[0].shape} and {each.shape} come to the node "
                    f"{shown(name)}: they must have one shape"
                )
            for key, term in each.terms.items():
                terms[key] = terms[key] + term if key in terms else term
        return Signal(terms, sum((each.bias for each in arriving), np.zeros(arriving[0].shape)))

    def _at(self, name: str) -> Signal:
        """Return the signal that leaves a node."""
        if name in self._shapes:
            shape = self._shapes[name]
            size = math.prod(shape)
            return Signal({(name, 0): np.eye(size).reshape(size, *shape)}, np.zeros(shape))
        if name in self._under_way:
            raise InvalidNetwork(
                f"the nodes {', '.join(map(shown, self._under_way))} form a circle without "
                "neurons: put some into it"
            )
        if name not in self._known:
            self._under_way.append(name)
            if len(self._under_way) > _MOST_IN_A_ROW:
                raise InvalidNetwork(
                    f"more than {_MOST_IN_A_ROW} nodes without neurons follow each other up to "
                    f"{shown(name)}: multiply their matrices"
                )
            self._known[name] = self._through(name, self.into(name))
            self._under_way.pop()
        return self._known[name]

    def _through(self, name: str, arriving: Signal) -> Signal:
        node = self._graph.nodes[name]
        kind = type(node).__name__
        if kind in ("Input", "Output"):  # of a graph within
            return arriving
        if kind == "Delay":
            return self._delayed(name, node, arriving)
        terms = {key: apply(name, node, term) for key, term in arriving.terms.items()}
        bias = apply(name, node, arriving.bias[None])[0]
        return Signal(terms, bias + bias_of(name, node, bias.shape))

    def _delayed(self, name: str, node: Any, arriving: Signal) -> Signal:
        if arriving.bias.any():
            raise InvalidNetwork(
                f"a bias comes to the node {shown(name)}, and a core delays spikes alone: put the "
                "bias behind the Delay"
            )
        ticks = reals(f"delay of {name}", node.delay) / self._dt
        if ticks.size and not -0.5 <= ticks.min() <= ticks.max() <= MAX_DELAY + 0.5:
            raise InvalidNetwork(
                f"delay of {name} must be 0…{MAX_DELAY * self._dt:g} s, which are {MAX_DELAY} "
                f"ticks of {self._dt:g} s, not {float(np.max(np.abs(node.delay))):g}: take a "
                "larger dt, or chain less delay"
            )
        whole = np.rint(ticks).astype(np.int64)
        if whole.shape != arriving.shape and whole.size != 1:
            raise InvalidNetwork(
                f"delay of {name} must have the shape {arriving.shape}, not {whole.shape}"
            )
        self.delay_error = max(self.delay_error, float(np.abs(ticks - whole).max(initial=0)))
        one = whole.reshape(()) if whole.size == 1 else whole
        each = np.broadcast_to(one, arriving.shape)
        terms: dict[tuple[str, int], Reals] = {}
        for (source, before), term in arriving.terms.items():
            for late in np.unique(each).tolist():
                key, part = (source, before + late), np.where(each == late, term, 0.0)
                terms[key] = terms[key] + part if key in terms else part
        return Signal(terms, arriving.bias)
