"""How near a core comes to the ideal network: matching, open loop, figures of the presets."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.checkout import ROOT
from support.rungs import bulk_but, examples

from spiketwin.cosim.compare.accuracy import OpenLoop, in_open_loop, limits
from spiketwin.cosim.compare.case import Case
from spiketwin.cosim.compare.presets import FI_DRIVE, PRESETS, preset
from spiketwin.host import Network, connect
from spiketwin.host.elements import IntArray
from spiketwin.host.errors import InvalidInput
from spiketwin.host.matching import Match, match, parting_tick


def open_on_model(case: Case, every: int | None = None) -> OpenLoop:
    opened = case.open_loop()
    with connect("model:", params=opened.params) as core:
        return in_open_loop(opened, opened.run_on(core, every))


def closed_on_model(case: Case) -> IntArray:
    with connect("model:", params=case.params) as core:
        return case.run_on(core).spikes


# --- matching ----------------------------------------------------------------------------------


def spikes(*rows: tuple[int, int]) -> IntArray:
    return np.array(rows, np.int64).reshape(-1, 2)


@pytest.mark.parametrize(
    ("ideal", "run", "same_tick", "within"),
    [
        (spikes((3, 0), (5, 1)), spikes((3, 0), (5, 1)), 2, 2),
        (spikes((3, 0), (5, 1)), spikes((4, 0), (7, 1)), 0, 1),
        (spikes((3, 0)), spikes((3, 1)), 0, 0),  # another neuron's is none of mine
        (spikes((3, 0)), spikes((2, 0), (4, 0)), 0, 1),  # one to one
        (spikes((1, 0), (2, 0), (3, 0)), spikes((2, 0), (3, 0), (4, 0)), 2, 3),
        (spikes((9, 0)), spikes((0, 1)), 0, 0),  # last tick and first tick of the next neuron
        (spikes(), spikes((3, 0)), 0, 0),
        (spikes(), spikes(), 0, 0),
    ],
)
def test_spikes_are_matched_one_to_one(
    ideal: IntArray, run: IntArray, same_tick: int, within: int
) -> None:
    found = match(ideal, run)
    assert found == Match(len(ideal), len(run), same_tick, within)
    assert (found.missing, found.extra) == (len(ideal) - within, len(run) - within)


def test_shares_are_of_the_ideal_spikes() -> None:
    found = match(spikes((0, 0), (2, 0), (5, 0), (8, 0)), spikes((0, 0), (3, 0), (11, 0)))
    assert (found.same_tick_share, found.within_one_tick_share) == (0.25, 0.5)
    assert match(spikes(), spikes()).within_one_tick_share == 1


def most_pairs(a: list[int], b: list[int]) -> int:
    """All ways to pair, tried."""
    if not a or not b:
        return 0
    skipped = max(most_pairs(a[1:], b), most_pairs(a, b[1:]))
    return max(skipped, 1 + most_pairs(a[1:], b[1:])) if abs(a[0] - b[0]) <= 1 else skipped


TRAINS = st.lists(st.sets(st.integers(0, 9), max_size=5).map(sorted), min_size=2, max_size=2)


@given(TRAINS, TRAINS)
@settings(max_examples=examples(60), deadline=None)
def test_there_are_as_many_pairs_as_can_be(ideal: list[list[int]], run: list[list[int]]) -> None:
    def together(trains: list[list[int]]) -> IntArray:
        return spikes(*sorted((t, j) for j, train in enumerate(trains) for t in train))

    expected = sum(most_pairs(a, b) for a, b in zip(ideal, run, strict=True))
    assert match(together(ideal), together(run)).within_one_tick == expected


@pytest.mark.parametrize(
    ("ideal", "run", "tick"),
    [
        (spikes((3, 0), (5, 1)), spikes((3, 0), (5, 1)), None),
        (spikes((3, 0), (5, 1)), spikes((3, 0), (4, 2), (5, 1)), 4),
        (spikes((3, 0), (5, 1)), spikes((3, 0)), 5),
        (spikes((3, 0)), spikes((3, 0), (8, 1)), 8),
        (spikes(), spikes(), None),
    ],
)
def test_runs_part_where_other_neurons_fire(
    ideal: IntArray, run: IntArray, tick: int | None
) -> None:
    assert parting_tick(ideal, run) == tick


# --- open loop ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PRESETS)
def test_open_loop_plays_exactly_what_the_ideal_network_hears(name: str) -> None:
    case = preset(name)
    opened = case.open_loop()
    np.testing.assert_array_equal(opened.run_ideal().spikes, case.run_ideal().spikes)
    assert not opened.network.weights[opened.network.n_axons :].any()
    assert opened.params.n_axons == case.params.n_axons + case.params.n_neurons


def test_a_difference_does_not_spread_in_open_loop() -> None:
    weights = np.zeros((4, 3), np.int32)
    weights[0, 0] = weights[1, 1] = weights[2, 2] = 100  # axon, neuron 0, neuron 1, neuron 2
    net = Network(n_axons=1, n_neurons=3, weights=weights, threshold=np.full(3, 100, np.int32))
    case = Case.of(net, net.core_params(), spikes((2, 0)), 10)
    weaker = replace(net, weights=weights - (weights > 0) * (np.arange(4) == 0)[:, None])
    weak = replace(case, network=weaker)
    found, closed = open_on_model(weak), closed_on_model(weak)
    assert case.run_ideal().spikes.tolist() == [[2, 0], [3, 1], [4, 2]]
    assert found.match == Match(ideal=3, run=2, same_tick=2, within_one_tick=2)
    assert closed.size == 0
    assert parting_tick(case.run_ideal().spikes, closed) == 2
    assert found.drift.v_largest.tolist() == [99]
    assert found.drift.weights_largest.tolist() == [1]


def test_a_network_without_decay_or_learning_is_exact() -> None:
    case = preset("digits")
    still = replace(case.network, learn_post=False)
    case = replace(Case.of(still, case.params, case.spikes, case.ticks), clear_every=6)
    found = open_on_model(case)
    assert found.match.ideal > 1000
    assert found.match.same_tick_share == 1
    assert found.match.extra == 0
    assert closed_on_model(case).tolist() == case.run_ideal().spikes.tolist()
    assert found.drift.v_largest.max() == 0


# --- presets -----------------------------------------------------------------------------------


def test_neurons_of_the_fi_curve_fire_as_the_closed_form_says() -> None:
    case = preset("fi-curve")
    fired = case.run_ideal().spikes
    for neuron, drive in enumerate(FI_DRIVE):
        ticks: list[int] = []
        if drive > 20:
            # After n ticks v = RI · (1 - exp(-n / tau)); it fires at the first n that suffices.
            rise = math.ceil(-20 * math.log1p(-20 / drive))
            ticks = list(range(rise - 1, case.ticks, rise + 2))  # 2 refractory ticks
        assert fired[fired[:, 1] == neuron, 0].tolist() == ticks


def test_the_balanced_network_fires_irregularly() -> None:
    fired = preset("balanced").run_ideal().spikes
    intervals = [np.diff(fired[fired[:, 1] == neuron, 0]) for neuron in range(256)]
    variation = [each.std() / each.mean() for each in intervals if len(each) > 10]
    assert len(variation) > 150
    assert np.mean(variation) > 0.7


def test_volleys_run_along_the_chain() -> None:
    fired = preset("chain").run_ideal().spikes
    assert np.bincount(fired[:, 1]).tolist() == [5] * 256  # one for each volley
    middles = [np.median(fired[fired[:, 1] // 16 == pool, 0] % 200) for pool in range(16)]
    assert (np.diff(middles) > 0).all()


def test_presets_are_named() -> None:
    with pytest.raises(InvalidInput, match="'chains': choose one of fi-curve, balanced, chain"):
        preset("chains")


@pytest.mark.parametrize("name", bulk_but(set(PRESETS) - {"digits"}, PRESETS))
def test_the_figures_of_a_preset_are_those_documented(name: str) -> None:
    case = preset(name)
    found, limited = open_on_model(case, every=100), limits(case.open_loop())
    parted = parting_tick(case.run_ideal().spikes, closed_on_model(case))
    m = found.match
    assert limited.all_kept == m
    row = (
        f"| `{name}` | {m.ideal:,} | {100 * m.same_tick_share:.2f} % "
        f"| {100 * m.within_one_tick_share:.2f} % | {m.missing} | {m.extra} | {limited.worst} "
        f"| tick {parted} |"
    )
    d = found.drift
    drifts = " | ".join(f"{v:.3g}" for v in (*d.v_rms[[0, 4, 9]], d.weights_rms[-1]))
    page = (ROOT / "docs/compare.md").read_text().splitlines()
    assert row in page
    assert f"| `{name}` | {case.unit} | {drifts} |" in page
    assert m.within_one_tick_share >= 0.99
    assert d.after.tolist() == [*range(100, case.ticks, 100), case.ticks]
