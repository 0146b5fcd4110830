"""Populations and projections in a network file: in its header, and in its arrays.

The header names them and says how large they are. The weights of all dense and sparse projections
follow each other in one array, in row order, and so do their plastic flags; that of a constant one
is in the header.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spiketwin.hdl.spec.params import MAX_LINES, MAX_SYNAPSES
from spiketwin.hdl.spec.projections import ProjectionKind
from spiketwin.hdl.spec.text import shown
from spiketwin.hdl.spec.variables import Per
from spiketwin.host.errors import InvalidNetwork, NetworkFileError
from spiketwin.host.network import ARRAYS, SOURCE_ARRAYS, Network, array_types
from spiketwin.host.populations import AXONS, Population, checked_name

_NEURONS: Final = "neurons"
MOST_SYNAPSES: Final = MAX_SYNAPSES
"""Most synapses of a file: as many as the largest core has."""

_KEYS: Final[dict[ProjectionKind, tuple[str, ...]]] = {
    ProjectionKind.DENSE: ("rule",),
    ProjectionKind.CONSTANT: ("constant", "itself"),
    ProjectionKind.SPARSE: (),
}
"""What the header says of a projection besides, by its kind."""

_MOST_PARTS: Final = MAX_LINES
"""Most populations, and most projections."""


@dataclass(frozen=True)
class Range:
    """A population, or a part of one, as the header names it."""

    name: str
    of_axons: bool
    first: int
    size: int

    def of(self, net: Network) -> Population:
        """Return it as a population of a network."""
        return Population(net, self.name, self.of_axons, self.first, self.size)


@dataclass(frozen=True)
class Described:
    """A projection as the header describes it; `constant` is None if it has weights.

    `rule` is 0 if it is not dense.
    """

    name: str
    source: Range
    target: Range
    delay: int
    constant: int | None
    itself: bool
    sparse: bool
    rule: int

    @property
    def shape(self) -> tuple[int, int]:
        """Number of its sources and of its targets."""
        return self.source.size, self.target.size

    @property
    def synapses(self) -> int:
        """The synapses that the arrays of the file hold for it."""
        return 0 if self.constant is not None else self.source.size * self.target.size


@dataclass(frozen=True)
class Parts:
    """The populations and projections that a header names, checked.

    Attributes
    ----------
    populations:
        The populations of neurons.
    projections:
        The projections.
    """

    populations: tuple[Range, ...]
    projections: tuple[Described, ...]

    @classmethod
    def of_header(cls, header: dict[str, Any], n_axons: int, n_neurons: int) -> Parts:
        """Check and return what a header names; raise `NetworkFileError` if it is wrong."""
        most = {AXONS: n_axons, _NEURONS: n_neurons}
        populations = tuple(
            _range(f"populations[{k}]", each, most)
            for k, each in enumerate(_list(header, "populations"))
        )
        first = 0
        for number, population in enumerate(populations):
            if population.of_axons or population.first != first:
                raise NetworkFileError(
                    f"populations[{number}] must be of neurons, and begin with neuron {first}"
                )
            first += population.size
        if first != n_neurons:
            raise NetworkFileError(f"populations have {first} neurons, not n_neurons = {n_neurons}")
        projections = tuple(
            _projection(f"projections[{k}]", each, most)
            for k, each in enumerate(_list(header, "projections"))
        )
        parts = cls(populations, projections)
        if parts.synapses > MOST_SYNAPSES:
            raise NetworkFileError(
                f"projections have {parts.synapses} synapses, and a file at most {MOST_SYNAPSES}"
            )
        return parts

    @property
    def synapses(self) -> int:
        """Synapses of all projections together that the arrays hold."""
        return sum(each.synapses for each in self.projections)

    def add(self, net: Network, arrays: dict[str, NDArray[Any]]) -> None:
        """Add the populations and projections to a network that has none.

        `arrays` are the arrays of the file by their names. Raises `InvalidNetwork` for values out
        of range.
        """
        of_synapses = {
            name: arrays.pop(name) for name, v in ARRAYS.items()
            if v.per is Per.SYNAPSE and name in arrays
        }  # fmt: skip
        of_sources = {name: arrays.pop(name) for name in SOURCE_ARRAYS if name in arrays}
        for each in self.populations:
            part = slice(each.first, each.first + each.size)
            its: dict[str, Any] = {name: array[part] for name, array in arrays.items()}
            net.population(each.size, name=each.name, **its)
        for name, array in of_sources.items():
            setattr(net, name, array)
        begin = 0
        for made in self.projections:
            end = begin + made.synapses
            kind: dict[str, Any] = {"constant": made.constant, "itself": made.itself}
            if made.constant is None:
                kind = {
                    name: array[begin:end].reshape(made.shape)
                    for name, array in of_synapses.items()
                } | {"sparse": made.sparse, "rule": made.rule}
            net.project(
                made.source.of(net), made.target.of(net), name=made.name, delay=made.delay, **kind
            )
            begin = end


def described(net: Network) -> dict[str, Any]:
    """Return what the header says of the populations and projections of a network.

    Raises `InvalidNetwork` if there are more of them than a file holds.
    """
    synapses = sum(each.plastic.size for each in net.projections if each.constant is None)
    for what, count, most in (
        ("projections", len(net.projections), _MOST_PARTS), ("synapses", synapses, MOST_SYNAPSES),
    ):  # fmt: skip
        if count > most:
            raise InvalidNetwork(f"the network has {count} {what}, and a file at most {most}")
    return {
        "populations": [_to_json(each) for each in net.populations],
        "projections": [
            {
                "name": each.name,
                "kind": each.kind.name.lower(),
                "source": _to_json(each.source),
                "target": _to_json(each.target),
                "delay": each.delay,
            }
            | {key: getattr(each, key) for key in _KEYS[each.kind]}
            for each in net.projections
        ],
    }


def joined(net: Network) -> dict[str, NDArray[Any]]:
    """Return each array of synapses, joined for all projections with weights, by its name."""
    held = [each for each in net.projections if each.constant is None]
    return {
        name: np.concatenate(
            [np.empty(0, dtype), *(getattr(each, name).ravel() for each in held)], dtype=dtype
        )
        for name, dtype in array_types().items()
        if ARRAYS[name].per is Per.SYNAPSE
    }


def _to_json(population: Population) -> dict[str, Any]:
    return {
        "name": population.name,
        "of": AXONS if population.of_axons else _NEURONS,
        "first": population.first,
        "size": population.size,
    }


def _projection(where: str, found: Any, most: dict[str, int]) -> Described:
    more = {kind.name.lower(): keys for kind, keys in _KEYS.items()}
    kind = found.get("kind") if isinstance(found, dict) else None
    if not isinstance(kind, str) or kind not in more:
        raise NetworkFileError(f"{where}.kind must be one of {', '.join(more)}, not {shown(kind)}")
    keys = _keys(where, found, ("name", "kind", "source", "target", "delay", *more[kind]))
    source, target = (_range(f"{where}.{end}", keys[end], most) for end in ("source", "target"))
    if target.of_axons:
        raise NetworkFileError(f"{where}.target must be of neurons")
    # Their ranges are checked when the projection is made.
    for name, wanted in (("delay", int), ("constant", int), ("itself", bool), ("rule", int)):
        if name in keys and type(keys[name]) is not wanted:
            raise NetworkFileError(
                f"{where}.{name} must be {wanted.__name__}, not {shown(keys[name])}"
            )
    return Described(
        _name(where, keys["name"]), source, target, keys["delay"], keys.get("constant"),
        keys.get("itself", True), kind == ProjectionKind.SPARSE.name.lower(), keys.get("rule", 0),
    )  # fmt: skip


def _range(where: str, found: Any, most: dict[str, int]) -> Range:
    keys = _keys(where, found, ("name", "of", "first", "size"))
    of, first, size = keys["of"], keys["first"], keys["size"]
    if not isinstance(of, str) or of not in most:
        raise NetworkFileError(f"{where}.of must be 'axons' or 'neurons', not {shown(of)}")
    if type(first) is not int or type(size) is not int or not 0 <= first < first + size <= most[of]:
        raise NetworkFileError(
            f"{where} must have one or more of the {most[of]} {of}, not {shown(size)} from "
            f"{shown(first)} on"
        )
    return Range(_name(where, keys["name"]), of == AXONS, first, size)


def _name(where: str, found: object) -> str:
    try:
        return checked_name(found)
    except InvalidNetwork as error:
        raise NetworkFileError(f"{where}: {error}") from error


def _keys(where: str, found: Any, wanted: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(found, dict) or set(found) != set(wanted):
        raise NetworkFileError(f"{where} must have exactly {', '.join(wanted)}")
    return found


def _list(header: dict[str, Any], name: str) -> list[Any]:
    found = header.get(name)
    if not isinstance(found, list) or len(found) > _MOST_PARTS:
        raise NetworkFileError(f"{name} must be a list of at most {_MOST_PARTS}")
    return found
