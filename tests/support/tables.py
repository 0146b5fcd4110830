"""Tables of projections that are legal and otherwise anything."""

import numpy as np
from numpy.typing import NDArray

from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.projections import FIELDS, Projection, ProjectionKind, walk
from spiketwin.hdl.spec.registers import Space
from spiketwin.hdl.spec.variables import BY_SPACE


def random_table(
    params: CoreParams, rng: np.random.Generator, learning: float = 0.7
) -> dict[str, NDArray[np.int64]]:
    """Return the arrays of a legal table, by their names.

    The groups of sources and of neurons fall into populations of one group and more; pairs of them
    have no projection, one, or several, as far as there are entries and memory.
    """
    p = params
    axons = p.n_axons // p.lanes
    targets = _parts(p.row_groups, rng)
    # Most often the neurons are the same populations as sources.
    neurons = targets if rng.random() < 0.7 else _parts(p.row_groups, rng)
    sources = _parts(axons, rng) + [(axons + first, n) for first, n in neurons]
    if p.n_relays:
        begin = axons + p.row_groups
        sources += [(begin + first, n) for first, n in _parts(p.n_relays // p.lanes, rng)]
    chosen, used, rows = list[Projection](), 0, 0
    pairs = [(s, t) for s in sources for t in targets for _ in range(rng.integers(0, 3))]
    rng.shuffle(pairs)
    for (source, n), (target, k) in pairs:
        words = n * k * p.lanes
        if len(chosen) == p.n_projections:
            break
        if p.has_sparse and rng.random() < 0.3:
            if rows + n * p.lanes <= p.sparse_rows:
                chosen.append(Projection(ProjectionKind.SPARSE, source, n, target, k, rows))
                rows += n * p.lanes
        elif rng.random() < 0.3:
            top = 1 << (p.weight_width - 1)
            weight, same = int(rng.integers(-top, top)), (source, n) == (target + axons, k)
            itself = int(not same or rng.random() < 0.5)
            chosen.append(
                Projection(ProjectionKind.CONSTANT, source, n, target, k, 0, weight, itself)
            )
        elif used + words <= p.weight_depth:
            # Gaps, so that the words lie all over the memory.
            room = (p.weight_depth - used - words) // p.lanes
            base = used + p.lanes * int(rng.integers(0, room // 2 + 1))
            rule = int(rng.integers(p.n_rules)) if p.has_rules else 0
            chosen.append(Projection(ProjectionKind.DENSE, source, n, target, k, base, rule=rule))
            used = base + words
    chosen.sort(key=lambda each: each.source)
    dense = [k for k, each in enumerate(chosen) if each.kind == ProjectionKind.DENSE]
    learn = [k for k in dense if rng.random() < learning]
    learn.sort(key=lambda k: chosen[k].target)
    table = {name: np.zeros(p.n_projections, np.int64) for name in FIELDS}
    for k, projection in enumerate(chosen):
        for name, value in zip(FIELDS, vars(projection).values(), strict=True):
            table[name][k] = value
    table["row_projections"] = _walks(p.column_groups, [(c.source, c.sources) for c in chosen])
    table["column_projections"] = _walks(
        p.row_groups, [(chosen[k].target, chosen[k].targets) for k in learn]
    )
    table["column_order"] = np.zeros(p.n_projections, np.int64)
    table["column_order"][: len(learn)] = learn
    if p.has_sparse:
        table |= _rows(p, rng, rows, used)
    if not p.has_rules:
        del table["projection_rule"]
    if p.window_bits:
        table["window_table"] = _windows(p, rng)
    return table | (_relays(p, rng) if p.n_relays else {})


def _windows(p: CoreParams, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return tables of windows, of any steps, of which some are the largest."""
    low, high = BY_SPACE[Space.WINDOW_TABLE].limits(p)
    shape = BY_SPACE[Space.WINDOW_TABLE].shape_in(p)
    few = rng.integers(-1 << 18, 1 << 18, shape)
    return np.where(rng.random(shape) < 0.1, rng.choice([low, high], shape), few)


def _rows(
    p: CoreParams, rng: np.random.Generator, rows: int, used: int
) -> dict[str, NDArray[np.int64]]:
    """Return rows of any lengths, whose words follow each other, and whose targets are random."""
    left = p.weight_depth - used
    most = min(p.row_groups, 2 * left // max(1, rows))
    blocks = rng.integers(0, most + 1, p.sparse_rows) * (np.arange(p.sparse_rows) < rows)
    ends = np.cumsum(blocks)
    blocks[ends > left] = 0
    shape = BY_SPACE[Space.SPARSE_TARGET].shape_in(p)
    targets = rng.integers(0, p.row_groups, shape)
    near = rng.integers(0, min(3, p.row_groups), shape)
    return {
        "sparse_first": np.where(blocks, used + np.cumsum(blocks) - blocks, 0),
        "sparse_blocks": blocks,
        # Some rows lead again and again to the same few groups.
        "sparse_target": np.where(rng.random() < 0.5, targets, near),
    }


def _relays(p: CoreParams, rng: np.random.Generator) -> dict[str, NDArray[np.int64]]:
    """Return relays of random sources, relays among them, with random delays."""
    counts = np.bincount(rng.integers(0, p.n_sources, p.n_relays), minlength=p.n_sources)
    counts = np.minimum(counts * (rng.random(p.n_sources) < 0.8), p.max_delay)
    delays = rng.integers(1, p.max_delay + 1, p.n_relays)
    return {
        "relay_first": np.where(counts, np.cumsum(counts) - counts, 0),
        "relay_count": counts,
        "relay_delay": np.where(rng.random(p.n_relays) < 0.2, p.max_delay, delays),
    }


def _parts(groups: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Return some ranges of groups that follow each other: first group and number."""
    cuts = np.flatnonzero(rng.random(groups - 1) < 0.4) + 1
    ends = [0, *cuts.tolist(), groups]
    return [(a, b - a) for a, b in zip(ends, ends[1:], strict=False)]


def _walks(groups: int, ranges: list[tuple[int, int]]) -> NDArray[np.int64]:
    """Return, for each group, the walk over those of the sorted ranges that begin with it."""
    walks = np.zeros(groups, np.int64)
    for each in set(ranges):
        begin, length = each
        walks[begin : begin + length] = walk(ranges.index(each), ranges.count(each))
    return walks
