"""Where networks lie in cores: every synapse once, found by the walks of the table, and apart."""

import time
from collections import Counter
from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from support.populations import random_network

from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.projections import FIELDS, Projection, ProjectionKind, walked
from spiketwin.hdl.spec.registers import Space
from spiketwin.host import Network
from spiketwin.host.elements import IntArray
from spiketwin.host.errors import DoesNotFit
from spiketwin.host.layout import Layout, cut, layout

SEEDS = st.integers(0, 1 << 30)
LANES = st.sampled_from([2, 4, 8])

Found = Counter[tuple[int, int, int]]
"""Synapses as (source, neuron, weight), how often each is there."""


def numbered(seed: int) -> Network:
    """A network in which every synapse has a weight of its own; some projections are sparse."""
    rng = np.random.default_rng(seed)
    net, first = random_network(rng), 1
    for each in net.projections:
        each.weights = np.arange(first, first + each.weights.size).reshape(each.weights.shape)
        first += each.weights.size
        if not each.learns and rng.random() < 0.7:
            each.sparse = True
            each.weights *= rng.random(each.weights.shape) < rng.choice([0.1, 0.5, 1.0])
    net.w_max = first
    return net


def sizes(net: Network, lanes: int) -> CoreParams:
    assume(cut(net, lanes).n_projections <= 64)
    return net.core_params(lanes=lanes)


def entry(placed: dict[Space, IntArray], number: int) -> Projection:
    fields = {name.removeprefix("projection_"): placed.get(Space[name.upper()]) for name in FIELDS}
    return Projection(
        **{name: int(held[number]) for name, held in fields.items() if held is not None}
    )


def synapses(net: Network, *, plastic: bool) -> Found:
    return Counter(
        (each.source.sources[i], each.target.neurons[j], int(each.weights[i, j]))
        for each in net.projections
        for i, j in np.ndindex(each.weights.shape)
        if each.plastic[i, j] or (not plastic and each.weights[i, j])
    )


def by_rows(place: Layout, placed: dict[Space, IntArray]) -> Found:
    """Walk the rows of all sources as a core does; what is 0 is no synapse."""
    lanes, words = place.params.lanes, placed[Space.WEIGHT].reshape(-1)
    found: Found = Counter()
    for number, source in enumerate(place.sources.tolist()):
        for k in walked(int(placed[Space.ROW_PROJECTIONS][source // lanes])):
            its = entry(placed, k)
            if its.kind == ProjectionKind.SPARSE:
                row = sparse_row(placed, its, source, lanes)
            else:
                targets = range(its.target * lanes, (its.target + its.targets) * lanes)
                row = [(neuron, its.place(source, neuron, lanes)) for neuron in targets]
            for neuron, at in row:
                if words[at]:
                    found[number, int(place.numbers[neuron]), int(words[at])] += 1
    return found


def sparse_row(
    placed: dict[Space, IntArray], its: Projection, source: int, lanes: int
) -> list[tuple[int, int]]:
    """Neuron and element of each place in the row of a source."""
    number = its.sparse_row(source, lanes)
    first, count = (int(placed[s][number]) for s in (Space.SPARSE_FIRST, Space.SPARSE_BLOCKS))
    groups = placed[Space.SPARSE_TARGET].reshape(-1)
    return [
        (int(groups[at]) * lanes + lane, at)
        for word in range(first, first + count)
        for lane in range(lanes)
        for at in [word * lanes + (source + lane) % lanes]
    ]


def by_columns(place: Layout, placed: dict[Space, IntArray]) -> Found:
    """Walk the columns of all neurons as a core does, over the synapses with a flag."""
    lanes, words = place.params.lanes, placed[Space.WEIGHT].reshape(-1)
    flags = placed[Space.PLASTIC].reshape(-1)
    numbers = {int(source): number for number, source in enumerate(place.sources)}
    found: Found = Counter()
    for number, neuron in enumerate(place.neurons.tolist()):
        for k in walked(int(placed[Space.COLUMN_PROJECTIONS][neuron // lanes])):
            its = entry(placed, int(placed[Space.COLUMN_ORDER][k]))
            for source in range(its.source * lanes, (its.source + its.sources) * lanes):
                at = its.place(source, neuron, lanes)
                if flags[at]:
                    found[numbers[source], number, int(words[at])] += 1
    return found


@given(SEEDS, LANES)
def test_a_core_finds_every_synapse_once_and_no_other(seed: int, lanes: int) -> None:
    net = numbered(seed)
    params = replace(sizes(net, lanes), learning=True)
    place = layout(net, params)
    placed = place.place(net)
    assert by_rows(place, placed) == synapses(net, plastic=False)
    assert by_columns(place, placed) == synapses(net, plastic=True)


@given(SEEDS, LANES)
def test_a_table_is_legal(seed: int, lanes: int) -> None:
    net = random_network(np.random.default_rng(seed), kinds=True)
    params = sizes(net, lanes)
    place = layout(net, params)
    table = place.table()
    entries = [entry(table, k) for k in range(len(place.blocks))]
    for one, other in permutations(entries, 2):
        # The second reads a group 4 cycles after the first, which has 8 cycles at least.
        both = {*range(one.target, one.target + one.targets)}
        both &= {*range(other.target, other.target + other.targets)}
        # With sparse rows the core forwards what is not in memory yet.
        if both and one.kind == other.kind and not params.sparse_rows:
            cycles = max(8, one.targets) - (min(both) - one.target) + min(both) - other.target
            assert cycles >= 4
    assert [each.source for each in entries] == sorted(each.source for each in entries)
    used, rows = np.zeros(params.weight_depth, np.int64), np.zeros(params.sparse_rows, np.int64)
    for each, block in zip(entries, place.blocks, strict=True):
        if each.kind == ProjectionKind.SPARSE:
            its = slice(each.base, each.base + each.sources * lanes)
            rows[its] += 1
            words = zip(
                table[Space.SPARSE_FIRST][its], table[Space.SPARSE_BLOCKS][its], strict=True
            )
            for first, count in words:
                used[first : first + count] += 1
        else:
            assert each.base % lanes == 0
            used[each.base : each.base + each.sources * each.row_blocks * lanes] += 1
        assert block.words == 0 or block.first + block.words <= params.weight_depth
        assert 0 < each.sources
        assert each.source + each.sources <= params.column_groups
        assert 0 < each.targets
        assert each.target + each.targets <= params.row_groups
        if not each.itself:
            assert each.source - params.n_axons // lanes == each.target
            assert each.sources == each.targets
    assert used.max(initial=0) <= 1
    assert 0 <= sum(place.words) - used.sum() <= lanes * len(entries)
    assert (rows == 1).all()
    if params.n_relays:
        named = table[Space.RELAY_FIRST][table[Space.RELAY_COUNT] > 0]
        assert table[Space.RELAY_COUNT].max() == 1
        assert len(set(named)) == len(named) == len(place.relay_numbers)
        assert 0 < table[Space.RELAY_DELAY][named].min() <= params.max_delay
        assert table[Space.RELAY_DELAY].max() <= params.max_delay
    else:
        assert not any(each.delay for each in net.projections)
    for group, walk in enumerate(table[Space.ROW_PROJECTIONS].tolist()):
        from_here = [k for k, e in enumerate(entries) if e.source <= group < e.source + e.sources]
        assert list(walked(walk)) == from_here
    for group, walk in enumerate(table[Space.COLUMN_PROJECTIONS].tolist()):
        order = [int(table[Space.COLUMN_ORDER][k]) for k in walked(walk)]
        learning = [e for e, block in zip(entries, place.blocks, strict=True) if block.learns]
        to_here = [e for e in learning if e.target <= group < e.target + e.targets]
        assert [entries[k] for k in order] == to_here


def test_targets_are_cut_only_where_rows_would_collide() -> None:
    def entries(begin: int, plastic: bool = False) -> int:
        net = Network(n_axons=2)
        cells = net.population(40)
        net.project(net.axons, cells, weights=1)
        net.project(net.axons, cells[begin:], weights=1, plastic=plastic)
        return len(cut(net, 4).pieces)

    # Ten groups of 4: a second row may begin with group 6, and not with group 7.
    assert [entries(begin) for begin in (0, 4, 24, 27, 28, 36, 39)] == [2, 2, 2, 2, 3, 3, 3]
    assert [entries(begin, plastic=True) for begin in (24, 28)] == [2, 3]


@given(SEEDS, LANES)
def test_the_words_of_a_core_are_the_arrays_of_the_projections_again(seed: int, lanes: int) -> None:
    net = numbered(seed)
    place = layout(net, sizes(net, lanes))
    arrays = place.extract_synapses(place.place(net)[Space.WEIGHT].reshape(-1))
    for projection, array in zip(net.projections, arrays, strict=True):
        assert np.array_equal(array, projection.weights)
    assert np.array_equal(place.summed(arrays), net.weight_sums())
    for number, projection in enumerate(net.projections):
        places = [p for first, n in place.ranges(number) for p in range(first, first + n)]
        own = [place.places(b) for b in place.blocks if b.piece.projection == number]
        assert set(np.concatenate([each.ravel() for each in own])) <= set(places)
        assert place.number_of(projection) == number


@given(SEEDS, LANES, st.integers(0, 3), st.integers(0, 3))
def test_a_larger_core_holds_a_network_in_the_same_order(
    seed: int, lanes: int, axons: int, neurons: int
) -> None:
    net = numbered(seed)
    least = sizes(net, lanes)
    larger = replace(
        least, n_axons=least.n_axons + axons * lanes, n_neurons=least.n_neurons + neurons * lanes,
        n_projections=64, weight_depth=least.weight_depth + 64,
    )  # fmt: skip
    place = layout(net, larger)
    assert by_rows(place, place.place(net)) == synapses(net, plastic=False)
    assert (np.diff(place.axons) > 0).all()
    # Sparse rows move neurons within their groups, and nothing moves them out of these.
    assert (np.diff(place.neurons // lanes) >= 0).all()
    assert len(set(place.neurons.tolist())) == len(place.neurons)
    top = (1 << larger.v_width - 1) - 1
    unused = place.numbers < 0
    assert unused.sum() == larger.n_neurons - net.n_neurons
    assert (place.place(net)[Space.THRESHOLD][unused] == top).all()


def two_layers(**changes: Any) -> tuple[Network, CoreParams]:
    net = Network(n_axons=24)
    hidden = net.population(16)
    output = net.population(9)
    net.project(net.axons, hidden, weights=1)
    net.project(hidden, output, weights=2)
    return net, replace(net.core_params(lanes=4), **changes)


def test_what_a_network_takes_follows_from_whole_groups() -> None:
    _, params = two_layers()
    assert (params.n_axons, params.n_neurons) == (24, 16 + 12)
    assert (params.n_projections, params.weight_depth) == (
        2,
        192,
    )  # 24 · 4 + 16 · 3, to a whole number of rows


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_axons": 20}, "takes n_axons = 24, and the core has n_axons = 20: connect to a larger"),
        ({"n_neurons": 24}, "with 4 lanes the network takes n_neurons = 28, .* n_neurons = 24"),
        (
            {"weight_depth": 128, "n_axons": 20},
            "takes n_axons = 24, weight_depth = 144, and the core has n_axons = 20, .* = 128",
        ),
    ],
)
def test_what_does_not_fit_is_named_with_what_would(changes: dict[str, int], message: str) -> None:
    net, params = two_layers(**changes)
    with pytest.raises(DoesNotFit, match=message):
        layout(net, params)


def test_entries_that_a_core_lacks_are_named() -> None:
    net, _ = two_layers()
    hidden, _ = net.populations
    params = net.core_params()
    net.project(hidden[2:4], hidden, weights=1)
    with pytest.raises(DoesNotFit, match="takes n_projections = 5, .* has n_projections = 2"):
        layout(net, replace(params, n_neurons=32, weight_depth=1600))
    for begin in range(15):
        net.project(hidden[begin : begin + 1], hidden, weights=1)
        net.project(net.axons[begin : begin + 2], hidden, weights=1)
    with pytest.raises(DoesNotFit, match="takes [0-9]+ entries .* at most 64: project from fewer"):
        net.core_params()


def test_a_pair_with_two_synapses_needs_a_table() -> None:
    net, _ = two_layers()
    matrix = CoreParams(n_axons=24, n_neurons=32)
    assert layout(net, matrix).place(net)[Space.WEIGHT].sum() == 24 * 16 + 2 * 16 * 9
    net.project(net.axons[3:5], net.populations[0][6:7], weights=1)
    with pytest.raises(DoesNotFit, match="source 3 and neuron 6 have two synapses, .* above 1"):
        layout(net, matrix)


def test_a_weight_that_a_core_does_not_hold_is_named_with_its_projection() -> None:
    net, params = two_layers()
    net.projections[1].weights[3, 4] = 128
    with pytest.raises(DoesNotFit, match=r"projections\[1\].weights\[3, 4\] must be in -128…127"):
        layout(net, params).place(net)


def test_a_large_projection_is_laid_out_in_milliseconds() -> None:
    net = Network(n_axons=784)
    hidden = net.population(400)
    net.project(net.axons, hidden, weights=np.ones((784, 400), np.int64))
    params = net.core_params()
    spent = []
    for _ in range(5):
        begin = time.process_time()
        layout(net, params).place(net)
        spent.append(time.process_time() - begin)
    assert min(spent) < 0.2
