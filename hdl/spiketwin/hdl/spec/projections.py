"""The table of projections: which synapses a core has, and where their weights lie.

A core with `n_projections` above 1 has the synapses that its table names. Sources and neurons are
named by groups of `lanes`. A *dense* projection has all synapses from its groups of sources to its
groups of neurons, and takes ``sources · targets / lanes`` words of each weight bank, from
`projection_base` on, a multiple of `lanes`. A *constant* projection has as many synapses of one
weight, `projection_weight`, and takes no memory; with `projection_itself` at 0, which needs the
same neurons as sources and as targets, no neuron has one to itself. A *sparse* projection has a row
for each source, from row `projection_base` on: a list of blocks, which are `sparse_blocks` words
from `sparse_first` on. Each word of a block is a synapse to the neuron of its lane in the group
that `sparse_target` says beside it; a weight of 0 fills a place that has no synapse.

The projections of a group of sources follow each other in the table: an element of
`row_projections` names the first of them and their number. Those of a group of neurons that learn
follow each other in `column_order`, and `column_projections` names them likewise. So the sources of
two projections are the same or have none in common, and so have the targets of two that learn. In a
core with several rules `projection_rule` names the one by which a projection learns.

A table is legal if each group that it names exists, each entry of `row_projections` names
projections from its group, each of `column_projections` dense ones to its group, and the words of
all projections lie in memory and apart, and no two dense ones collide (`collide`), and no two
constant ones. In a core with `sparse_rows` nothing collides, as it forwards currents that are not
in memory yet. The host writes legal tables (`spiketwin.host.layout`). What a core does with another
one is not defined.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.schedule import LEAST_WALKED
from spiketwin.hdl.spec.variables import WALK_FIRST_BITS


class ProjectionKind(enum.IntEnum):
    """Values of `projection_kind`."""

    NONE = 0
    """The entry has no synapses."""
    DENSE = 1
    """Every source has a synapse to every target."""
    CONSTANT = 2
    """Likewise, and all weights are the same; they are delivered after all others, at once."""
    SPARSE = 3
    """Every source has a list of synapses, none of which is plastic."""


@dataclass(frozen=True)
class Projection:
    """One entry of the table, whose fields are arrays of `variables.LAYOUT`."""

    kind: int
    source: int
    sources: int
    target: int
    targets: int
    base: int = 0
    weight: int = 0
    itself: int = 1
    rule: int = 0

    @property
    def row_blocks(self) -> int:
        """Number of blocks in the row of a source, if the projection is not sparse."""
        return self.targets if self.kind == ProjectionKind.DENSE else 0

    def sparse_row(self, source: int, lanes: int) -> int:
        """Return the number of the row of a source in a sparse projection."""
        return self.base + source - self.source * lanes

    def place(self, source: int, neuron: int, lanes: int) -> int:
        """Return the place of a synapse in the weight memory: ``word · lanes + bank``."""
        target_group = neuron // lanes - self.target
        word = self.base + target_group * self.sources * lanes + source - self.source * lanes
        return word * lanes + (source + neuron) % lanes


FIELDS: Final = tuple(f"projection_{name}" for name in Projection.__annotations__)
"""The arrays of the fields of a `Projection`, in their order; a core may lack that of rules."""


CURRENT_CYCLES: Final = 4
"""Cycles from reading the current of a neuron to reading it with what was added."""


def collide(first: Projection, second: Projection) -> bool:
    """Return whether the second would read currents that the first has not written yet.

    Their rows, or sweeps, follow each other, and both go through their targets in ascending order.
    So it is where the second begins within the last three groups of the first.
    """
    last = min(first.target + first.targets, second.target + second.targets)
    overlap = max(first.target, second.target) < last
    later = max(LEAST_WALKED, first.targets) + first.target - second.target
    return overlap and later < CURRENT_CYCLES


def whole(params: CoreParams) -> Projection:
    """Return the only projection of a core without a table: from all sources to all neurons."""
    return Projection(ProjectionKind.DENSE, 0, params.column_groups, 0, params.row_groups, 0)


def walk(first: int, count: int) -> int:
    """Return the element of `row_projections` or `column_projections` for some projections."""
    return count << WALK_FIRST_BITS | first


def walked(element: int) -> range:
    """Return the projections, or places in `column_order`, that an element names."""
    first = element & (1 << WALK_FIRST_BITS) - 1
    return range(first, first + (element >> WALK_FIRST_BITS))
