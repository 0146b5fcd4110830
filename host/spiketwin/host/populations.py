"""Populations and projections: the parts of a network that is not all-to-all."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spiketwin.hdl.spec.params import MAX_SYNAPSE_DELAY_WIDTH, N_RULES, RELAY_DELAYS
from spiketwin.hdl.spec.projections import ProjectionKind
from spiketwin.hdl.spec.text import shown
from spiketwin.host.elements import integers
from spiketwin.host.errors import InvalidNetwork

if TYPE_CHECKING:
    from spiketwin.host.network import Network

AXONS: Final = "axons"
"""Name of the population of all axons."""

MAX_DELAY: Final = max(RELAY_DELAYS)
"""Longest delay of a projection in ticks."""

MAX_SYNAPSE_DELAY: Final = (1 << MAX_SYNAPSE_DELAY_WIDTH) - 1
"""Longest delay of a synapse in ticks."""

_LONGEST_NAME: Final = 500


class Pairs(NamedTuple):
    """All pairs of some sources and some neurons, by their numbers in a network."""

    sources: range
    neurons: range

    @property
    def shape(self) -> tuple[int, int]:
        """Number of sources and of neurons."""
        return len(self.sources), len(self.neurons)

    @property
    def place(self) -> tuple[slice, slice]:
        """Their place in a matrix of all sources by all neurons."""
        return (
            slice(self.sources.start, self.sources.stop),
            slice(self.neurons.start, self.neurons.stop),
        )

    def loops(self, n_axons: int) -> tuple[range, range]:
        """Return row and column, in an array of the pairs, of those of a neuron with itself."""
        first = max(self.sources.start, n_axons + self.neurons.start)
        end = max(first, min(self.sources.stop, n_axons + self.neurons.stop))
        row, column = first - self.sources.start, first - n_axons - self.neurons.start
        return range(row, row + end - first), range(column, column + end - first)


@dataclass(frozen=True)
class Population:
    """A range of the axons or of the neurons of a network.

    `Network.population` makes one of new neurons, and `Network.axons` is that of all axons. A slice
    of a population, ``hidden[10:20]``, is one too.

    Attributes
    ----------
    network:
        The network that it belongs to.
    name:
        Its name in messages.
    of_axons:
        Whether it is one of axons; else it is one of neurons.
    first, size:
        Number of its first axon or neuron, and how many it has.
    """

    network: Network = field(repr=False)
    name: str
    of_axons: bool
    first: int
    size: int

    def __len__(self) -> int:
        """Return the number of axons or neurons."""
        return self.size

    def __getitem__(self, part: slice) -> Population:
        """Return a part, without steps; raise `InvalidNetwork` for any other index."""
        if not isinstance(part, slice):
            raise InvalidNetwork(
                f"a part of {self.name} must be a slice such as [2:5], not {shown(part)}: [2:3] is "
                "that of one alone"
            )
        try:
            begin, end, step = part.indices(self.size)
        except (TypeError, ValueError) as error:
            raise InvalidNetwork(
                f"a slice of {self.name} must have integers in 0…{self.size}: {error}"
            ) from error
        if step != 1 or begin >= end:
            raise InvalidNetwork(
                f"a slice of {self.name} must have one or more of its {self.size} and no steps, "
                f"not {shown(part)}: take [first:last + 1]"
            )
        name = self.name if end - begin == self.size else f"{self.name}[{begin}:{end}]"
        return Population(self.network, name, self.of_axons, self.first + begin, end - begin)

    @property
    def sources(self) -> range:
        """Numbers of its members as sources: axons first, then neurons."""
        first = self.first if self.of_axons else self.network.n_axons + self.first
        return range(first, first + self.size)

    @property
    def neurons(self) -> range:
        """Numbers of its neurons, as in `Run.spikes`; raise `InvalidNetwork` if it has axons."""
        if self.of_axons:
            raise InvalidNetwork(f"{self.name} has axons and no neurons: name a population of them")
        return range(self.first, self.first + self.size)


@dataclass(eq=False, slots=True)
class Projection:
    """The synapses from one population to another. `Network.project` makes them.

    Attributes
    ----------
    source, target:
        The populations; the target is one of neurons.
    own_weights:
        The weights of a dense or sparse projection, its `weights`; None of a constant one.
    plastic:
        Shape (len(source), len(target)), bool: whether learning may change the weight; the scalar
        True stands for every synapse whose weight is not 0 at that moment. None of a constant or
        sparse projection may.
    name:
        Its name in messages.
    constant:
        The weight of all synapses of a constant projection; None of another.
    itself:
        Whether neurons have synapses to themselves in a constant projection.
    delay:
        Ticks by which its spikes arrive later than without one.
    sparse:
        Whether it is sparse: only weights other than 0 are synapses, and take memory and cycles.
    synapse_delay:
        Shape (len(source), len(target)), int32: ticks, 0…31, by which the current of each synapse
        is later yet. Those of a constant projection are 0.
    rule:
        Number of the rule by which it learns; 0 of one that is constant or sparse.
    """

    source: Population
    target: Population
    own_weights: NDArray[np.integer[Any]] | None = field(repr=False)
    plastic: NDArray[np.bool_] = field(repr=False)
    name: str
    constant: int | None = None
    itself: bool = True
    delay: int = 0
    sparse: bool = False
    synapse_delay: NDArray[np.integer[Any]] = field(
        default_factory=lambda: np.zeros((), np.int32), repr=False
    )
    rule: int = 0

    @property
    def kind(self) -> ProjectionKind:
        """Its kind: dense, constant or sparse."""
        if self.constant is not None:
            return ProjectionKind.CONSTANT
        return ProjectionKind.SPARSE if self.sparse else ProjectionKind.DENSE

    @property
    def weights(self) -> NDArray[np.integer[Any]]:
        """The weight of each synapse, int32, shape (len(source), len(target)).

        Those of a constant projection are a new array, in which 0 stands for no synapse. They
        cannot be set: setting them raises `InvalidNetwork`.
        """
        if self.own_weights is not None:
            return self.own_weights
        made = np.full(self.pairs.shape, self.constant, np.int32)
        if not self.itself:
            rows, columns = self.pairs.loops(self.source.network.n_axons)
            made[rows, columns] = 0
        return made

    @weights.setter
    def weights(self, weights: NDArray[np.integer[Any]]) -> None:
        if self.own_weights is None:
            raise InvalidNetwork(
                f"{self.name} is constant and has one weight: set its `constant` instead"
            )
        self.own_weights = weights

    @property
    def pairs(self) -> Pairs:
        """The pairs of a source and a neuron that have a synapse."""
        return Pairs(self.source.sources, self.target.neurons)

    @property
    def learns(self) -> bool:
        """Whether any synapse is plastic."""
        return bool(self.plastic.any())

    def keywords(self) -> dict[str, Any]:
        """Return the arguments of `Network.project` that make the like, besides both ends."""
        if self.constant is None:
            its: dict[str, Any] = {
                "weights": self.weights, "sparse": self.sparse, "rule": self.rule,
                "synapse_delay": self.synapse_delay,
            }  # fmt: skip
            its |= {} if self.sparse else {"plastic": self.plastic}
        else:
            its = {"constant": self.constant, "itself": self.itself}
        return its | {"delay": self.delay, "name": self.name}


def no_plastic(pairs: Pairs) -> NDArray[np.bool_]:
    """Return the plastic flags of a constant projection, which take no memory."""
    return np.broadcast_to(np.False_, pairs.shape)


def checked_synapse_delay(where: str, made: Projection) -> NDArray[np.int32]:
    """Return the delays of the synapses of a projection; raise `InvalidNetwork` if wrong."""
    name, allowed = f"{where}synapse_delay", (0, MAX_SYNAPSE_DELAY)
    delays = integers(name, made.synapse_delay, made.pairs.shape, allowed, InvalidNetwork)
    if made.constant is not None and delays.any():
        raise InvalidNetwork(
            f"{name} must be 0, as a constant projection has no synapses of its own: give weights, "
            "or a `delay` of all"
        )
    return delays.astype(np.int32)


def checked_weights(
    name: str, given: ArrayLike, shape: tuple[int, ...], limits: tuple[int, int]
) -> NDArray[np.int32]:
    """Return weights as an array of this shape; raise `InvalidNetwork` if they are wrong."""
    return integers(name, given, shape, limits, InvalidNetwork).astype(np.int32)


def checked_plastic(
    name: str, given: ArrayLike, weights: NDArray[np.integer[Any]]
) -> NDArray[np.bool_]:
    """Return plastic flags of these weights as an array; raise `InvalidNetwork` if they are wrong.

    The scalar True stands for all weights that are not 0.
    """
    flags = integers(name, given, weights.shape, (0, 1), InvalidNetwork).astype(np.bool_)
    if np.ndim(given) == 0 and flags.any():
        flags = weights != 0
        if not flags.any():
            raise InvalidNetwork(
                f"{name}=True stands for the synapses there are, and no weight is other "
                "than 0: give the weights with it, or plastic as an array"
            )
    return flags


def checked_population(name: str, given: object, network: Network) -> Population:
    """Return an argument that must be a population of this network, or raise `InvalidNetwork`."""
    if not isinstance(given, Population):
        raise InvalidNetwork(
            f"{name} must be a population, not {shown(given)}: `net.axons`, or what "
            "`net.population` returned, or a slice of it"
        )
    if given.network is not network:
        raise InvalidNetwork(
            f"{name} must be a population of this network, and {given.name} is of another: make it "
            "by `population` of this one"
        )
    there = network.n_axons if given.of_axons else network.n_neurons
    if not 0 <= given.first < given.first + given.size <= there:
        what = "axons" if given.of_axons else "neurons"
        raise InvalidNetwork(
            f"{name} must have one or more of the {there} {what} of the network, and {given.name} "
            f"has {what} {given.first}…{given.first + given.size - 1}: take another population"
        )
    return given


def checked_target(name: str, given: object, network: Network) -> Population:
    """Return an argument that must be a population of neurons, or raise `InvalidNetwork`."""
    target = checked_population(name, given, network)
    if target.of_axons:
        raise InvalidNetwork(f"{name} must be a population of neurons, not {target.name}")
    return target


def checked_kind(where: str, projection: Projection, limits: tuple[int, int]) -> None:
    """Check kind and delay of a projection; raise `InvalidNetwork` if they are wrong.

    `limits` are those of a constant weight, and `where` begins the names in messages.
    """
    made = projection
    for name, allowed in (
        ("delay", (0, MAX_DELAY)),
        ("itself", (0, 1)),
        ("sparse", (0, 1)),
        ("rule", (0, max(N_RULES) - 1)),
        ("constant", limits),
    ):
        given = getattr(made, name)
        if name != "constant" or given is not None:
            value = int(integers(f"{where}{name}", given, (), allowed, InvalidNetwork))
            setattr(made, name, bool(value) if allowed == (0, 1) else value)
    made.synapse_delay = checked_synapse_delay(where, made)
    if (made.constant is None) != (made.own_weights is not None):
        raise InvalidNetwork(
            f"{where}constant must stay a number in a constant projection, and None in another: "
            "make a new projection"
        )
    if made.constant is not None and made.sparse:
        raise InvalidNetwork(
            f"{where}sparse must be False, as a constant projection has no weights: give weights"
        )
    what = "a sparse projection" if made.sparse else "a constant weight"
    if made.kind is not ProjectionKind.DENSE and made.plastic.any():
        raise InvalidNetwork(
            f"{where}plastic must be False, as {what} does not learn: give weights, and no "
            "`sparse=True`"
        )
    if made.kind is not ProjectionKind.DENSE and made.rule:
        raise InvalidNetwork(f"{where}rule must be left out, as {what} does not learn")
    if made.itself:
        return
    if made.constant is None:
        raise InvalidNetwork(
            f"{where}itself=False is of a constant projection: set the weights of neurons to "
            "themselves to 0"
        )
    if made.delay and made.pairs.loops(made.source.network.n_axons)[0]:
        raise InvalidNetwork(
            f"{where}itself=False must not have a delay where a neuron is source and target: give "
            f"weights, of {made.constant} and with 0 for each neuron to itself"
        )


def checked_name(given: object) -> str:
    """Return an argument that must be a name, of 1 to 500 letters, or raise `InvalidNetwork`."""
    if not isinstance(given, str) or not 1 <= len(given) <= _LONGEST_NAME:
        raise InvalidNetwork(
            f"name must be a text of 1…{_LONGEST_NAME} letters, not {shown(given)}"
        )
    return given
