"""The synapses of a core with projections, in the order in which ticks go through them.

In the banks of a core neighbours in a row lie apart, so that a row and a column can both be fetched
in few cycles. A processor is fastest where they lie side by side. So the model works on copies: the
row of a source in a dense projection is a piece of them, the targets ascending, and that in a
sparse projection is a list of its synapses. Both take the places in the copies that their words
take in the banks.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from spiketwin.cosim.model.hashing import Flags, Int32, Weights
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.projections import ProjectionKind, walked

Array = npt.NDArray[Any]
Int8 = npt.NDArray[np.int8]

COPIED: Final = ("weight", "plastic", "synapse_delay")
"""The arrays of synapses that are copied."""

_OF_LISTS: Final = (*COPIED, "sparse_target")


class Rows(NamedTuple):
    """The copies, and what follows from them.

    `row_weight`, `row_plastic` and `row_delay` have ``weight_depth · lanes`` elements each, or none
    if there are no delays. The row of source i in a dense projection of t targets begins at
    ``projection_base · lanes + (i - its first source) · t``; that of row r in a sparse one at
    ``sparse_first[r] · lanes``, and has `list_size[r]` synapses, whose targets are `list_target`.

    `row_kind` is, for each projection, its kind, or `ProjectionKind.NONE` if it does not fit into
    the core. `row_learns` flags those with any plastic synapse. `reach` is, for each source, at
    least the number of its synapses to the same neuron, constant ones apart.
    """

    row_weight: Weights
    row_plastic: Flags
    row_delay: Int8
    list_target: npt.NDArray[np.uint16]
    list_size: Int32
    row_kind: Int32
    row_learns: Flags
    reach: Int32


class _Dense(NamedTuple):
    """The places of a dense projection: its elements, groups of targets, sources, and lanes."""

    places: slice
    targets: int
    sources: int
    lanes: int

    def rows(self, copy: Array) -> Array:
        """Return a view of copied rows, of shape (groups of targets, sources, lanes)."""
        shape = self.sources, self.targets, self.lanes
        return copy[self.places].reshape(shape).transpose(1, 0, 2)

    def banks(self, array: Array) -> Array:
        """Return a view of what lies in banks, of the same shape: each row is rotated."""
        return array.reshape(-1)[self.places].reshape(self.targets, self.sources, self.lanes)

    def rotation(self, direction: int) -> Array:
        """Return where each lane of each source lies in the other order, broadcast."""
        source, lane = np.arange(self.sources)[:, None], np.arange(self.lanes)
        return ((lane + direction * source) % self.lanes)[None]


class Arranged:
    """The copies of the synapses of a core.

    Parameters
    ----------
    params:
        Sizes of the core, which has projections.
    arrays:
        The arrays of the core by their names.

    Attributes
    ----------
    rows:
        The copies. Ticks change the weights in them.
    """

    def __init__(self, params: CoreParams, arrays: dict[str, Array]) -> None:
        p, size = params, arrays["weight"].size
        self._params = params
        self._arrays = arrays
        self.rows = Rows(
            row_weight=np.zeros(size, arrays["weight"].dtype),
            row_plastic=np.zeros(size, np.bool_),
            row_delay=np.zeros(arrays["synapse_delay"].size, np.int8),
            list_target=np.zeros(size if p.has_sparse else 0, np.uint16),
            list_size=np.zeros(p.sparse_rows, np.int32),
            row_kind=np.zeros(p.n_projections, np.int32),
            row_learns=np.zeros(p.n_projections, np.bool_),
            reach=np.zeros(p.n_sources, np.int32),
        )

    def take(self) -> None:
        """Copy all synapses out of the arrays of the core."""
        r = self.rows
        copies = dict(zip(COPIED, (r.row_weight, r.row_plastic, r.row_delay), strict=True))
        r.row_kind[:] = ProjectionKind.NONE
        r.row_learns[:] = False
        most = np.zeros(len(r.list_size), np.int32)  # synapses of a list to the same neuron
        for k, kind in enumerate(self._arrays["projection_kind"].tolist()):
            dense = self._dense(k)
            if kind == ProjectionKind.CONSTANT:
                r.row_kind[k] = kind
            elif kind == ProjectionKind.SPARSE:
                r.row_kind[k] = kind
                self._take_lists(k, most)
            elif dense is not None:
                r.row_kind[k] = ProjectionKind.DENSE
                for name, copy in copies.items():
                    if copy.size:
                        banks = dense.banks(self._arrays[name])
                        dense.rows(copy)[...] = np.take_along_axis(banks, dense.rotation(1), 2)
                r.row_learns[k] = r.row_plastic[dense.places].any()
        self._find_reach(most)

    def give_back(self) -> None:
        """Copy the weights that may have changed back."""
        for k in np.flatnonzero(self.rows.row_learns).tolist():
            dense = self._dense(k)
            if dense is not None:
                rows = dense.rows(self.rows.row_weight)
                banks = dense.banks(self._arrays["weight"])
                banks[...] = np.take_along_axis(rows, dense.rotation(-1), 2)

    def _dense(self, k: int) -> _Dense | None:
        """Return the places of a projection if it is dense and fits into the core."""
        p, at = self._params, self._entry(k)
        sources = at["sources"] * p.lanes
        end = at["base"] + at["targets"] * sources
        fits = (
            end <= p.weight_depth
            and (at["source"] * p.lanes + sources) <= p.n_sources
            and (at["target"] + at["targets"]) * p.lanes <= p.n_neurons
        )
        if at["kind"] != ProjectionKind.DENSE or not fits:
            return None
        return _Dense(slice(at["base"] * p.lanes, end * p.lanes), at["targets"], sources, p.lanes)

    def _entry(self, k: int) -> dict[str, int]:
        names = "kind", "source", "sources", "target", "targets", "base"
        return {name: int(self._arrays[f"projection_{name}"][k]) for name in names}

    def _take_lists(self, k: int, most: Int32) -> None:
        """Copy the rows of a sparse projection, without what only fills places in words.

        The synapses of a row keep their order, in which those to one neuron are added to it.
        """
        p, at, r = self._params, self._entry(k), self.rows
        lanes, flat = p.lanes, {name: self._arrays[name].reshape(-1) for name in _OF_LISTS}
        numbers = np.arange(at["base"], min(at["base"] + at["sources"] * lanes, p.sparse_rows))
        first = self._arrays["sparse_first"][numbers]
        blocks = np.minimum(self._arrays["sparse_blocks"][numbers], p.weight_depth - first)
        # All words of all rows, one behind the other, and the row of each.
        row = np.repeat(np.arange(len(numbers)), blocks)
        words = np.arange(len(row)) + (first - np.cumsum(blocks) + blocks)[row]
        lane = np.arange(lanes)
        places = words[:, None] * lanes + (row[:, None] + lane) % lanes
        targets = flat["sparse_target"][places] * lanes + lane
        real = (flat["weight"][places] != 0) & (targets < p.n_neurons)
        row, places, targets = np.repeat(row, lanes)[real.reshape(-1)], places[real], targets[real]
        sizes = np.bincount(row, minlength=len(numbers))
        into = np.arange(len(row)) + (first * lanes - np.cumsum(sizes) + sizes)[row]
        r.row_weight[into], r.list_target[into] = flat["weight"][places], targets
        if r.row_delay.size:
            r.row_delay[into] = flat["synapse_delay"][places]
        r.list_size[numbers] = sizes
        pairs, counts = np.unique(row * p.n_neurons + targets, return_counts=True)
        np.maximum.at(most, numbers[pairs // p.n_neurons], counts)

    def _find_reach(self, most: Int32) -> None:
        """Add up the synapses that a source may have to the same neuron."""
        p, r = self._params, self.rows
        r.reach[:] = 0
        for group, walk in enumerate(self._arrays["row_projections"].tolist()):
            sources = np.arange(group * p.lanes, (group + 1) * p.lanes)
            for k in (k for k in walked(walk) if k < p.n_projections):
                if r.row_kind[k] == ProjectionKind.DENSE:
                    r.reach[sources] += 1
                elif r.row_kind[k] == ProjectionKind.SPARSE:
                    at = self._entry(k)
                    rows = at["base"] + sources - at["source"] * p.lanes
                    exists = (rows >= 0) & (rows < p.sparse_rows)
                    r.reach[sources[exists]] += most[rows[exists]]
