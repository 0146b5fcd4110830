"""The layout of a network in a core: the numbers of its axons and neurons, and where weights lie.

A core with a table of projections (`spiketwin.hdl.spec.projections`) names sources and neurons by
whole groups of `lanes`. So axons and neurons are cut wherever the sources of a projection begin or
end, and the targets of one that learns or is constant, and each part begins a group; the rest of
its last group stays unused. A projection takes an entry of the table for each part of its sources,
and if it learns also for each part of its targets. A dense one that does not learn takes all groups
that have any of its targets, with weights of 0 to the other neurons in them. A constant one without
synapses of neurons to themselves takes an entry of its own for the part that is source and target.

A sparse projection has a list of synapses for each source (`spiketwin.host.sparse`). Where there is
one, neurons change places within their group, so that the lists are short.

If entries would collide (`spec.collide`), all projections are cut at the ends of all targets.

A projection with a delay is one of relays: a part of the sources has relays for each delay with
which it is used, one for each member, and those of a longer delay repeat those of the next shorter
one. So every source, and every relay, has one relay at most.

In a core without a table the weights are one matrix of all sources by all neurons.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise, permutations
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from spiketwin.hdl.spec import projections as spec
from spiketwin.hdl.spec.params import (
    MAX_PROJECTIONS,
    MAX_RELAYS,
    RELAY_DELAYS,
    RELAY_WORD,
    WEIGHT_BLOCK,
    CoreParams,
)
from spiketwin.hdl.spec.registers import Space, limits
from spiketwin.hdl.spec.variables import BY_SPACE, LAYOUT, PARAMETER_ARRAYS, Kind, Per, Variable
from spiketwin.host.elements import IntArray, integers
from spiketwin.host.errors import DoesNotFit, InvalidInput
from spiketwin.host.populations import Pairs, Population, Projection
from spiketwin.host.sparse import Rows, evened
from spiketwin.host.starts import BEGUN
from spiketwin.host.sums import NEVER_FIRES
from spiketwin.host.windows import in_core

if TYPE_CHECKING:
    from spiketwin.host.network import Network


SIZES_OF_TABLE: Final = (
    "n_projections", "weight_depth", "sparse_rows", "n_relays", "max_delay",
)  # fmt: skip
"""Sizes of a core that a network of populations decides: attributes of a `Cut`."""


@dataclass(frozen=True, eq=False)
class Piece:
    """A part of a projection that takes one entry of the table.

    Attributes
    ----------
    projection:
        Number of the projection in `Network.blocks`.
    pairs:
        Its sources and neurons, by their numbers in the network.
    arrivals:
        The numbers of the sources, or of the relays that repeat them if there is a delay.
    learns:
        Whether its weights may learn.
    constant:
        The weight of all synapses of a constant projection; None of another.
    itself:
        Whether neurons have synapses to themselves in it.
    pattern:
        Of a sparse projection: source and neuron of each synapse, as in `sparse.Rows`; else None.
    rule:
        Number of the rule by which its weights learn.
    """

    projection: int
    pairs: Pairs
    arrivals: range
    learns: bool
    constant: int | None = None
    itself: bool = True
    pattern: IntArray | None = None
    rule: int = 0


@dataclass(frozen=True)
class Relays:
    """The relays of a part of the sources for one delay, one for each.

    Attributes
    ----------
    sources:
        The sources, by their numbers in the network.
    origins:
        What is repeated: these sources, or their relays of a shorter delay.
    numbers:
        Their own numbers as sources of the network, which follow those of the neurons.
    delay:
        Ticks by which they are later than their origins.
    """

    sources: range
    origins: range
    numbers: range
    delay: int


@dataclass(frozen=True, eq=False)
class Cut:
    """A network cut into parts that are whole groups of `lanes`.

    Attributes
    ----------
    lanes:
        Size of a group.
    axons, neurons:
        Shapes (n_axons,) and (n_neurons,): the number that each has in a core. Axons ascend, and so
        do the groups of neurons.
    relay_numbers:
        Shape (relays,): the number that each has among the relays of a core.
    n_axons, n_neurons, n_relays:
        Axons, neurons and relays that a core must have.
    pieces:
        The parts of the projections, sorted by their sources.
    relays:
        The relays of the parts of sources, in the order of their numbers.
    """

    lanes: int
    axons: IntArray
    neurons: IntArray
    relay_numbers: IntArray
    n_axons: int
    n_neurons: int
    n_relays: int
    pieces: tuple[Piece, ...]
    relays: tuple[Relays, ...]

    @property
    def max_delay(self) -> int:
        """Longest delay of a relay that a core must be built for; 0 without relays."""
        longest = max((each.delay for each in self.relays), default=0)
        return next(most for most in RELAY_DELAYS if most >= longest)

    @property
    def n_projections(self) -> int:
        """Entries of the table that a core must have."""
        return max(2, len(self.pieces))

    @property
    def weight_depth(self) -> int:
        """Words of each weight bank that a core must have."""
        words = sum(self.words(piece) for piece in self.pieces)
        return max(1, -(-words // WEIGHT_BLOCK)) * WEIGHT_BLOCK

    @property
    def sparse_rows(self) -> int:
        """Rows of sparse projections that a core must have."""
        return sum(len(rows.blocks) for rows in map(self.rows, self.pieces) if rows is not None)

    def rows(self, piece: Piece) -> Rows | None:
        """Return the rows of a piece of a sparse projection."""
        if piece.pattern is None:
            return None
        sources, neurons = Pairs(piece.arrivals, piece.pairs.neurons).place
        numbers = self.sources(0, 0)[sources], self.neurons[neurons]
        return Rows(piece.pattern, *numbers, self.lanes)

    def words(self, piece: Piece) -> int:
        """Return the words of each weight bank that a piece takes."""
        if piece.constant is not None:
            return 0
        if (rows := self.rows(piece)) is not None:
            # The words of a column differ in their low bits, so a dense piece begins at a multiple.
            return _whole(rows.words, self.lanes)
        _, sources = self._groups(self.sources(0, 0), piece.arrivals)
        _, targets = self._groups(self.neurons, piece.pairs.neurons)
        return sources * targets * self.lanes

    def entry(self, piece: Piece, n_axons: int, n_neurons: int, base: int) -> spec.Projection:
        """Return the entry of a piece in a core with so many axons and neurons.

        It begins with the word `base`, or with this row if it is sparse.
        """
        numbers = self.sources(n_axons, n_neurons)
        ends = (
            *self._groups(numbers, piece.arrivals),
            *self._groups(self.neurons, piece.pairs.neurons),
        )
        if piece.constant is None:
            sparse = piece.pattern is not None
            kind = spec.ProjectionKind.SPARSE if sparse else spec.ProjectionKind.DENSE
            return spec.Projection(kind, *ends, base, rule=piece.rule)
        return spec.Projection(
            spec.ProjectionKind.CONSTANT, *ends, weight=piece.constant, itself=int(piece.itself)
        )

    def collides(self) -> bool:
        """Return whether entries collide, so that a core must not have them.

        None do in a core that has sparse rows.
        """
        if self.sparse_rows:
            return False
        targets = {
            (piece.constant is None, self._groups(self.neurons, piece.pairs.neurons)): piece
            for piece in self.pieces
        }
        entries = [self.entry(piece, 0, 0, 0) for piece in targets.values()]
        return any(a.kind == b.kind and spec.collide(a, b) for a, b in permutations(entries, 2))

    def sources(self, n_axons: int, n_neurons: int) -> IntArray:
        """Return the number of each source in a core with so many axons and neurons."""
        return np.concatenate(
            [self.axons, n_axons + self.neurons, n_axons + n_neurons + self.relay_numbers]
        )

    def _groups(self, numbers: IntArray, members: range) -> tuple[int, int]:
        """Return the first group of some members, and the number of groups."""
        first, last = numbers[[members.start, members.stop - 1]] // self.lanes
        return int(first), int(last - first + 1)


def cut(net: Network, lanes: int) -> Cut:
    """Return a network cut for a core with so many lanes."""
    parts = _cut(net, lanes, finely=False)
    # If all are cut at the ends of all, targets are the same or apart, and nothing collides.
    return _cut(net, lanes, finely=True) if parts.collides() else parts


def _cut(net: Network, lanes: int, *, finely: bool) -> Cut:
    """Return a network cut at the ends of those targets that need it, or of all targets."""
    blocks = net.blocks
    # An all-to-all network may come to learn when its flags are written.
    learns = [net.all_to_all or block.learns for block in blocks]
    used = [block.source for block in blocks]
    used += [
        block.target
        for block, each in zip(blocks, learns, strict=True)
        if each or finely or block.constant is not None
    ]
    axons = _parts(net.n_axons, (each for each in used if each.of_axons))
    neurons = _parts(net.n_neurons, (each for each in used if not each.of_axons))
    sources = [*axons, *(_moved(each, net.n_axons) for each in neurons)]
    relays = _relays(blocks, sources, net.n_sources)
    arrivals = {(part.start, 0): part for part in sources} | {
        (each.sources.start, delay): each.numbers for each, delay in relays
    }
    pieces = [
        Piece(
            number, Pairs(part, targets), arrivals[part.start, block.delay], learns[number],
            block.constant, block.itself or targets != _moved(part, -net.n_axons),
            _pattern(block, part) if block.sparse else None, block.rule,
        )
        for number, block in enumerate(blocks)
        for part in _within(block.source.sources, sources)
        for targets in (
            _within(block.target.neurons, neurons)
            if learns[number] or finely
            else _around(block.target.neurons, part, net.n_axons)
            if not block.itself
            else [block.target.neurons]
        )
    ]  # fmt: skip
    pieces.sort(key=lambda piece: piece.arrivals.start)
    numbers = [each.numbers for each, _ in relays]
    return Cut(
        lanes, _numbers(axons, lanes), _neuron_numbers(neurons, pieces, lanes),
        _numbers(numbers, lanes),
        _padded(axons, lanes), _padded(neurons, lanes),
        _whole(_padded(numbers, lanes), RELAY_WORD), tuple(pieces),
        tuple(each for each, _ in relays),
    )  # fmt: skip


def _pattern(block: Projection, part: range) -> IntArray:
    """Return the synapses from a part of the sources of a sparse projection."""
    first = part.start - block.source.sources.start
    return np.argwhere(block.weights[first : first + len(part)])


def _relays(
    blocks: Iterable[Projection], parts: list[range], first: int
) -> list[tuple[Relays, int]]:
    """Return the relays that projections need, each with its delay behind the sources."""
    made, delayed = list[tuple[Relays, int]](), [block for block in blocks if block.delay]
    for part in parts:
        origins, before = part, 0
        for delay in sorted({b.delay for b in delayed if part.start in b.source.sources}):
            numbers = range(first, first + len(part))
            made.append((Relays(part, origins, numbers, delay - before), delay))
            origins, before, first = numbers, delay, numbers.stop
    return made


def _around(targets: range, part: range, n_axons: int) -> list[range]:
    """Return targets in up to three parts, one of which is the neurons that the sources are."""
    same = _moved(part, -n_axons)
    if part.start < n_axons or same.start not in targets:
        return [targets]
    parts = [range(targets.start, same.start), same, range(same.stop, targets.stop)]
    return [each for each in parts if each]


def _parts(length: int, used: Iterable[Population]) -> list[range]:
    """Return the parts into which the bounds of populations cut axons or neurons."""
    bounds = {0, length} | {end for each in used for end in (each.first, each.first + each.size)}
    return [range(*ends) for ends in pairwise(sorted(bounds))]


def _within(members: range, parts: list[range]) -> list[range]:
    return [part for part in parts if part.start in members]


def _moved(part: range, by: int) -> range:
    return range(part.start + by, part.stop + by)


def _numbers(parts: list[range], lanes: int) -> IntArray:
    """Return the number in a core of each member of the parts."""
    begins = np.cumsum([0, *(_whole(len(part), lanes) for part in parts)])
    numbers = [begin + np.arange(len(part)) for begin, part in zip(begins, parts, strict=False)]
    return np.concatenate([np.empty(0, np.int64), *numbers])


def _neuron_numbers(parts: list[range], pieces: list[Piece], lanes: int) -> IntArray:
    """Return the number in a core of each neuron, by which sparse rows are short."""
    numbers, synapses, rows = _numbers(parts, lanes), list[IntArray](), 0
    for piece in pieces:
        if piece.pattern is not None:
            synapses.append(piece.pattern + (rows, piece.pairs.neurons.start))
            rows += len(piece.arrivals)
    return evened(numbers, np.concatenate(synapses), lanes) if synapses else numbers


def _padded(parts: list[range], lanes: int) -> int:
    return sum(_whole(len(part), lanes) for part in parts)


def _whole(size: int, lanes: int) -> int:
    return -(-size // lanes) * lanes


@dataclass(frozen=True, eq=False)
class Block:
    """A piece of a projection in a core.

    Attributes
    ----------
    piece:
        The piece.
    entry:
        Its entry of the table; None if the core has no table.
    first, words:
        Its first word, and how many it takes in each weight bank, if there is a table.
    rows:
        Its rows, if it is sparse and there is a table.
    """

    piece: Piece
    entry: spec.Projection | None
    first: int = 0
    words: int = 0
    rows: Rows | None = None

    @property
    def learns(self) -> bool:
        """Whether its weights may learn."""
        return self.piece.learns

    @property
    def is_constant(self) -> bool:
        """Whether it is of a constant projection, and so has no words."""
        return self.piece.constant is not None


@dataclass(frozen=True, eq=False)
class Layout:
    """The place of a network in a core.

    Neurons of the core that the network does not have are silent: they have no weights and a
    threshold that is never reached.

    Attributes
    ----------
    params:
        Sizes of the core.
    axons, neurons:
        Shapes (n_axons,) and (n_neurons,): the number in the core of each. Axons ascend, and so do
        the groups of neurons.
    projections:
        The projections of the network, if it is one of populations.
    pairs:
        The sources and neurons of each of `Network.blocks`.
    blocks:
        Their pieces, in the order of the table.
    all_to_all:
        Whether the network is all-to-all, and so has a single matrix of weights.
    known:
        Whether the projections are known: not those of a core that another host has programmed.
    relays:
        The relays of the parts of its sources.
    relay_numbers:
        Shape (relays,): the number of each among the relays of the core.
    """

    params: CoreParams
    axons: IntArray
    neurons: IntArray
    projections: tuple[Projection, ...]
    pairs: tuple[Pairs, ...]
    blocks: tuple[Block, ...]
    all_to_all: bool
    known: bool = True
    relays: tuple[Relays, ...] = ()
    relay_numbers: IntArray = field(default_factory=lambda: np.empty(0, np.int64))

    @property
    def n_axons(self) -> int:
        """Axons of the network."""
        return len(self.axons)

    @property
    def n_neurons(self) -> int:
        """Neurons of the network."""
        return len(self.neurons)

    @cached_property
    def sources(self) -> IntArray:
        """Shape (n_sources + relays,): number in the core of each source of the network."""
        p = self.params
        behind = p.n_axons + p.n_neurons + self.relay_numbers
        return np.concatenate([self.axons, p.n_axons + self.neurons, behind])

    @property
    def n_sources(self) -> int:
        """Axons and neurons of the network together."""
        return self.n_axons + self.n_neurons

    @cached_property
    def numbers(self) -> IntArray:
        """Shape (neurons of the core,): number in the network of each; -1 for unused ones."""
        numbers = np.full(self.params.n_neurons, -1)
        numbers[self.neurons] = np.arange(self.n_neurons)
        return numbers

    @property
    def words(self) -> list[int]:
        """Words of each weight bank that the blocks take; none without a table."""
        return [block.words for block in self.blocks if block.entry is not None]

    def shape(self, space: Space) -> tuple[int, ...]:
        """Return the shape of a space in the network's size.

        State of sources has an element for each relay behind them. That of relays, and currents on
        their way, have one for each tick of the longest delay.
        """
        variable = BY_SPACE[space]
        if variable.per is Per.NEURON_TICK:
            return self.n_neurons, 1 << self.params.synapse_delay_width
        if variable.per is Per.RELAY_WORD:
            longest = max((each.delay for each in self.relays), default=0)
            return len(self.relay_numbers), longest if self.known else self.params.max_delay
        if variable.per is Per.SOURCE and variable.kind is Kind.STATE:
            return (len(self.sources),)
        if variable.per is Per.RULE_STATE:
            return variable.shape_in(self.params)
        return variable.shape(self.n_axons, self.n_neurons)

    def embed(self, space: Space, values: IntArray) -> IntArray:
        """Return values of sources or of neurons in the shape of the core."""
        variable = BY_SPACE[space]
        low, high = variable.limits(self.params)
        fill = {Space.THRESHOLD: high, Space.BIAS: low * self.has_constants}.get(space, 0)
        embedded = np.full(variable.shape_in(self.params), fill, np.int64)
        if variable.per is Per.SOURCE and len(values) == self.n_sources:
            values = np.concatenate([values, values[self._repeated]])
        embedded[self._members(variable)] = values
        return embedded

    def extract(self, space: Space, values: IntArray) -> IntArray:
        """Return the part of values of the core's sources or neurons that is the network's."""
        variable = BY_SPACE[space]
        extracted: IntArray = values[self._members(variable)]
        return extracted[: self.shape(space)[0]]

    def _members(self, variable: Variable) -> IntArray | slice:
        if variable.per is Per.RULE_STATE:
            return slice(None)
        return self.sources if variable.per is Per.SOURCE else self.neurons

    @property
    def _repeated(self) -> IntArray:
        """Shape (relays,): the source that each relay repeats."""
        return np.array([source for each in self.relays for source in each.sources], np.int64)

    @cached_property
    def has_constants(self) -> bool:
        """Whether unused neurons get current, as those of the groups of a constant projection."""
        return any(block.is_constant for block in self.blocks)

    def places(self, block: Block) -> IntArray:
        """Return the element of the space `weight` that each synapse of a block of a table is.

        The shape is that of its pairs, or (synapses,) if it is sparse.
        """
        if block.rows is not None:
            return block.first * self.params.lanes + block.rows.places
        rows, columns = Pairs(block.piece.arrivals, block.piece.pairs.neurons).place
        sources, neurons = self.sources[rows, None], self.neurons[None, columns]
        entry: Any = block.entry  # the arithmetic of its method is that of arrays, too
        places: IntArray = entry.place(sources, neurons, self.params.lanes)
        return places

    def _in_matrix(self, block: Block, words: IntArray) -> IntArray:
        """Return the part of all words that a block has in a core without a table, as a view."""
        rows, columns = block.piece.pairs.place
        first = int(self.sources[rows.start])
        matrix = words.reshape(self.params.n_sources, self.params.n_neurons)
        return matrix[first : first + rows.stop - rows.start, columns]

    def embed_synapses(self, arrays: Mapping[int, IntArray], words: IntArray) -> None:
        """Write values of the synapses of some projections to elements of the space `weight`.

        `arrays` are the values of projections by their numbers, and `words` all elements.
        """
        for block in self.blocks:
            if block.piece.projection not in arrays or block.is_constant:
                continue
            values = arrays[block.piece.projection][self._part(block)]
            if block.entry is None:
                self._in_matrix(block, words)[...] = values
            elif block.rows is not None:
                words[self.places(block)] = values[tuple(block.rows.pattern.T)]
            else:
                words[self.places(block)] = values

    def extract_synapses(self, words: IntArray) -> list[IntArray]:
        """Return the values of the synapses of each projection: the inverse of `embed_synapses`.

        Those of constant projections are 0.
        """
        arrays = [np.zeros(each.shape, np.int64) for each in self.pairs]
        for block in self.blocks:
            if block.is_constant:
                continue
            part = arrays[block.piece.projection][self._part(block)]
            if block.entry is None:
                part[...] = self._in_matrix(block, words)
            elif block.rows is not None:
                part[tuple(block.rows.pattern.T)] = words[self.places(block)]
            else:
                part[...] = words[self.places(block)]
        return arrays

    def check_synapses(self, number: int, values: IntArray) -> None:
        """Raise `InvalidInput` if values have another than 0 where a projection has no synapse."""
        for block in self.blocks:
            if block.piece.projection == number and block.rows is not None:
                others = values[self._part(block)].copy()
                others[tuple(block.rows.pattern.T)] = 0
                for source, neuron in np.argwhere(others)[:1]:
                    row = source + self._part(block)[0].start
                    raise InvalidInput(
                        f"{self.projections[number].name} is sparse, and had no synapse at "
                        f"[{row}, {neuron}] when it was programmed: set its `weights` and program "
                        "the network again"
                    )

    def add_constants(self, arrays: Sequence[IntArray]) -> None:
        """Add the weights of constant projections to the weights of each projection."""
        for block in self.blocks:
            if block.piece.constant is not None:
                weights = arrays[block.piece.projection][self._part(block)]
                weights[...] = block.piece.constant
                if not block.piece.itself:
                    np.fill_diagonal(weights, 0)

    def entries(self, number: int) -> int:
        """Return the entries of the table that a projection takes."""
        return sum(block.piece.projection == number for block in self.blocks)

    def sparse_rows(self, number: int) -> int:
        """Return the rows of sparse projections that a projection takes."""
        return sum(
            len(block.rows.blocks)
            for block in self.blocks
            if block.rows is not None and block.piece.projection == number
        )

    def is_constant(self, number: int) -> bool:
        """Return whether a projection was placed as a constant one."""
        return any(b.is_constant for b in self.blocks if b.piece.projection == number)

    def _part(self, block: Block) -> tuple[slice, slice]:
        """Return the place of a block in the array of its projection."""
        rows, columns = block.piece.pairs.place
        sources, neurons = self.pairs[block.piece.projection]
        return (
            slice(rows.start - sources.start, rows.stop - sources.start),
            slice(columns.start - neurons.start, columns.stop - neurons.start),
        )

    def ranges(self, number: int | None) -> list[tuple[int, int]]:
        """Return the elements, first and count, that a projection has in a core with a table.

        Without a number those of all projections.
        """
        lanes = self.params.lanes
        return [
            (block.first * lanes, block.words * lanes)
            for block in self.blocks
            if block.entry is not None and block.words and number in (None, block.piece.projection)
        ]

    def rules(self) -> IntArray:
        """Return the rule of each element of the space `weight`; that of no projection is 0."""
        lanes = self.params.lanes
        rules = np.zeros(self.params.weight_depth * lanes, np.int64)
        for block in self.blocks:
            if block.entry is not None:
                rules[block.first * lanes : (block.first + block.words) * lanes] = block.entry.rule
        return rules

    def summed(self, arrays: Sequence[IntArray]) -> IntArray:
        """Return the sum of the synapses of each pair, shape (n_sources, n_neurons)."""
        sums = np.zeros((self.n_axons + self.n_neurons, self.n_neurons), np.int64)
        for pairs, array in zip(self.pairs, arrays, strict=True):
            sums[pairs.place] += array
        return sums

    def number_of(self, projection: object) -> int:
        """Return the number of a projection of the network; raise `InvalidInput` for another."""
        for number, each in enumerate(self.projections):
            if each is projection:
                return number
        raise InvalidInput(
            "projection must be one of the network that was programmed last, as `net.project` "
            "returned it: program the network again after adding projections"
        )

    def may_learn(self, number: int) -> bool:
        """Return whether a projection was placed as one that learns."""
        return all(block.learns for block in self.blocks if block.piece.projection == number)

    def check_floor(self, v_floor: int) -> None:
        """Raise `DoesNotFit` if this `v_floor` would make unused neurons of the core fire.

        They have profile 0.
        """
        v_top = limits(self.params.v_width, True)[1]
        if v_floor == v_top and self.n_neurons < self.params.n_neurons:
            raise DoesNotFit(f"v_floor must be below {v_top}, or unused neurons of the core fire")

    def _check_constants(self) -> None:
        """Raise `DoesNotFit` if constants could make unused neurons of the core fire.

        Their bias, the lowest there is, holds any current that is no wider than the potential. Of
        constant weights below 0 nothing fires.
        """
        p = self.params
        excites = any((block.piece.constant or 0) > 0 for block in self.blocks)
        if excites and p.i_syn_width > p.v_width and self.n_neurons < p.n_neurons:
            raise DoesNotFit(
                f"v_width must be at least i_syn_width ({p.i_syn_width}), not {p.v_width}, or a "
                "constant above 0 makes unused neurons of the core fire: take another core "
                "(`Network.core_params`)"
            )

    def table(self) -> dict[Space, IntArray]:
        """Return the table of projections: all `variables.LAYOUT` arrays, by their spaces."""
        p = self.params
        table = {v.space: np.zeros(v.shape_in(p), np.int64) for v in LAYOUT if v.is_built(p)}
        entries = [block.entry for block in self.blocks if block.entry is not None]
        for number, entry in enumerate(entries):
            for name, value in zip(spec.FIELDS, vars(entry).values(), strict=True):
                if BY_SPACE[Space[name.upper()]].is_built(p):
                    table[Space[name.upper()]][number] = value
        learning = [k for k, block in enumerate(self.blocks) if block.learns]
        learning.sort(key=lambda k: entries[k].target)
        table[Space.COLUMN_ORDER][: len(learning)] = learning
        _walk(table[Space.ROW_PROJECTIONS], [(each.source, each.sources) for each in entries])
        _walk(
            table[Space.COLUMN_PROJECTIONS],
            [(entries[k].target, entries[k].targets) for k in learning],
        )
        for block in self.blocks:
            if block.entry is not None and block.rows is not None:
                rows = slice(block.entry.base, block.entry.base + len(block.rows.blocks))
                blocks, first = block.rows.blocks, block.first + block.rows.first_block
                # That of a row without any could lie behind the memory.
                table[Space.SPARSE_FIRST][rows] = np.where(blocks, first, 0)
                table[Space.SPARSE_BLOCKS][rows] = blocks
                groups = block.rows.neuron // self.params.lanes
                table[Space.SPARSE_TARGET].reshape(-1)[self.places(block)] = groups
        if self.params.n_relays:
            for each in self.relays:
                origins = self.sources[each.origins]
                numbers = self.relay_numbers[np.array(each.numbers) - self.n_sources]
                table[Space.RELAY_FIRST][origins] = numbers
                table[Space.RELAY_COUNT][origins] = 1
                table[Space.RELAY_DELAY][numbers] = each.delay
        return table

    def place(self, net: Network) -> dict[Space, IntArray]:
        """Return every array of the network that this is the layout of, by its space.

        Raises `DoesNotFit` if a value is out of the core's range; registers are not checked.
        """
        self.check_floor(int(net.held("v_floor")[0]))
        self._check_constants()
        placed = self.table() if self.params.has_projections else {}
        for variable in PARAMETER_ARRAYS:
            arrays = self._checked(net, variable)
            if not variable.is_built(self.params):
                if any(np.any(array != variable.default) for array in arrays):
                    raise DoesNotFit(not_built(variable.attribute, variable.option))
            elif variable.per is Per.SYNAPSE:
                words = np.zeros(variable.shape_in(self.params), np.int64)
                self.embed_synapses(dict(enumerate(arrays)), words.reshape(-1))
                placed[variable.space] = words
            else:
                placed[variable.space] = self.embed(variable.space, arrays[0])
        if self.params.window_bits:
            placed[Space.WINDOW_TABLE] = in_core(net.windows, self.params)
            placed[Space.DRIFT_SUM] = np.zeros(self.params.n_rules, np.int64)
        return placed | self._begun(net)

    def _begun(self, net: Network) -> dict[Space, IntArray]:
        """Return the state that the network begins with, where it is not 0."""
        begun = {}
        for name, values in net.start.items():
            variable, where = BEGUN[name], f"start[{name!r}]"
            if not variable.is_built(self.params):
                raise DoesNotFit(not_built(where, variable.option))
            limits = variable.limits(self.params)
            whole = integers(where, values, values.shape, limits, DoesNotFit)
            begun[variable.space] = self.embed(variable.space, whole)
        return begun

    def _checked(self, net: Network, variable: Variable) -> list[IntArray]:
        """Return the values of an array, of one of synapses those of each projection."""
        name, p = variable.attribute, self.params
        if not variable.is_built(p):
            return net.values(name)
        if variable.per is Per.SYNAPSE and not net.all_to_all:
            return [
                integers(
                    f"projections[{number}].{name}", values, values.shape, variable.limits(p),
                    DoesNotFit,
                )
                for number, values in enumerate(net.values(name))
            ]  # fmt: skip
        given: NDArray[Any] = getattr(net, name)
        if name == "threshold":
            given = np.where(given == NEVER_FIRES, variable.limits(p)[1], given)
        whole = integers(name, given, given.shape, variable.limits(p), DoesNotFit)
        return self.split(whole) if variable.per is Per.SYNAPSE else [whole]

    def split(self, matrix: IntArray) -> list[IntArray]:
        """Return the part of each projection in a matrix of all sources by all neurons."""
        return [matrix[each.place] for each in self.pairs]


def _walk(walks: IntArray, ranges: list[tuple[int, int]]) -> None:
    """Write the walks over sorted ranges of groups, each first group and number."""
    for each in dict.fromkeys(ranges):
        begin, length = each
        walks[begin : begin + length] = spec.walk(ranges.index(each), ranges.count(each))


def layout(net: Network, params: CoreParams) -> Layout:
    """Return where a validated network lies in a core of these sizes.

    Raises `DoesNotFit`, which names everything that does not fit, and what would.
    """
    if not params.has_projections:
        if net.all_to_all:
            return in_matrix(net.n_axons, net.n_neurons, params)
        return _of_populations_in_matrix(net, params)
    parts = cut(net, params.lanes)
    _check_sizes(parts, params)
    blocks, base, row = list[Block](), 0, 0
    for piece in parts.pieces:
        rows, words = parts.rows(piece), parts.words(piece)
        begin = base if rows is None else row
        entry = parts.entry(piece, params.n_axons, params.n_neurons, begin)
        blocks.append(Block(piece, entry, base, words, rows))
        base += words
        row += 0 if rows is None else len(rows.blocks)
    pairs = tuple(each.pairs for each in net.blocks)
    return Layout(
        params, parts.axons, parts.neurons, net.projections, pairs, tuple(blocks), net.all_to_all,
        relays=parts.relays, relay_numbers=parts.relay_numbers,
    )  # fmt: skip


def bare(params: CoreParams) -> Layout:
    """Return the layout of a core that the host knows by its sizes alone."""
    if params.has_projections:
        axons, neurons = np.arange(params.n_axons), np.arange(params.n_neurons)
        relays = np.arange(params.n_relays)
        return Layout(
            params, axons, neurons, (), (), (), all_to_all=False, known=False, relay_numbers=relays
        )
    return in_matrix(params.n_axons, params.n_neurons, params)


def in_matrix(n_axons: int, n_neurons: int, params: CoreParams) -> Layout:
    """Return where an all-to-all network of these sizes lies in a core without a table.

    Raises `DoesNotFit` if the core is smaller than the network.
    """
    _check_lines(n_axons, n_neurons, params)
    numbers = np.arange(n_axons), np.arange(n_neurons)
    sources = [range(n_axons), range(n_axons, n_axons + n_neurons)]
    pairs = tuple(Pairs(each, range(n_neurons)) for each in sources if each)
    return Layout(params, *numbers, (), pairs, _rows(pairs), all_to_all=True)


def _of_populations_in_matrix(net: Network, params: CoreParams) -> Layout:
    """Return where a network of populations lies in a core without a table."""
    _check_lines(net.n_axons, net.n_neurons, params)
    for each in net.projections:
        if each.constant is not None or each.delay:
            what = "has a delay" if each.delay else "is constant"
            raise DoesNotFit(
                f"{each.name} {what}, and the core has no table of projections: connect to a core "
                "with n_projections above 1 (`params=net.core_params()` where the target is "
                "simulated)"
            )
    pairs = tuple(each.pairs for each in net.projections)
    _check_single(pairs, net.n_sources, net.n_neurons)
    numbers = np.arange(net.n_axons), np.arange(net.n_neurons)
    return Layout(params, *numbers, net.projections, pairs, _rows(pairs), all_to_all=False)


def _rows(pairs: tuple[Pairs, ...]) -> tuple[Block, ...]:
    return tuple(
        Block(Piece(number, each, each.sources, True), None) for number, each in enumerate(pairs)
    )


def _check_lines(n_axons: int, n_neurons: int, params: CoreParams) -> None:
    if n_axons > params.n_axons or n_neurons > params.n_neurons:
        raise DoesNotFit(
            f"the network has n_axons = {n_axons} and n_neurons = {n_neurons}, the "
            f"core {params.n_axons} and {params.n_neurons}: connect to a larger core "
            "(`params=net.core_params()` where the target is simulated)"
        )


def _check_single(pairs: tuple[Pairs, ...], n_sources: int, n_neurons: int) -> None:
    """Raise `DoesNotFit` if two projections have a pair of source and neuron in common."""
    synapses = np.zeros((n_sources, n_neurons), np.int64)
    for each in pairs:
        synapses[each.place] += 1
    if synapses.max(initial=0) > 1:
        source, neuron = np.argwhere(synapses > 1)[0]
        raise DoesNotFit(
            f"source {source} and neuron {neuron} have two synapses, and the core has one for each "
            "pair: connect to a core with n_projections above 1 (`params=net.core_params()` where "
            "the target is simulated)"
        )


def _check_sizes(parts: Cut, params: CoreParams) -> None:
    words = sum(parts.words(piece) for piece in parts.pieces)
    needed = {
        "n_axons": parts.n_axons, "n_neurons": parts.n_neurons,
        "n_projections": len(parts.pieces), "weight_depth": words,
        "sparse_rows": parts.sparse_rows,
        "n_relays": parts.n_relays, "max_delay": parts.max_delay,
    }  # fmt: skip
    short = {name: size for name, size in needed.items() if size > getattr(params, name)}
    if short:
        has = ", ".join(f"{name} = {getattr(params, name)}" for name in short)
        takes = ", ".join(f"{name} = {size}" for name, size in short.items())
        raise DoesNotFit(
            f"with {params.lanes} lanes the network takes {takes}, and the core has {has}: connect "
            f"to a larger core (`params=net.core_params(lanes={params.lanes})` where the target is "
            "simulated), or to one with fewer lanes, where populations fill their groups better"
        )


def check_entries(parts: Cut) -> None:
    """Raise `DoesNotFit` if a network takes more entries or relays than a core can have."""
    if len(parts.pieces) > MAX_PROJECTIONS:
        raise DoesNotFit(
            f"the network takes {len(parts.pieces)} entries of the table of projections, and a "
            f"core has at most {MAX_PROJECTIONS}: project from fewer slices, as each one that cuts "
            "a population also cuts the other projections of that population"
        )
    if parts.n_relays > MAX_RELAYS:
        raise DoesNotFit(
            f"the network takes {parts.n_relays} relays, one for each source and delay, and a core "
            f"has at most {MAX_RELAYS}: take fewer different delays of large populations"
        )


def not_built(name: str, option: str) -> str:
    """Return the text of an error: an attribute is set that a core has no memory for."""
    return (
        f"{name} is set, but the core was built without {option}: clear it, or connect to a core "
        f"with {option}"
    )
