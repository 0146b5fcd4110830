"""Events as ticks of axons, and spikes as events: counted by hand, and against a slow loop."""

from __future__ import annotations

import math
from typing import Any

import neo
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiketwin.host import Network, connect
from spiketwin.host.errors import InvalidInput
from spiketwin.host.events import Events, from_neo, of_spikes, read, to_neo, to_ticks, write

FEW = Events(
    t=[0, 999, 1000, 1999, 2000, 5000], x=[0, 1, 2, 3, 4, 5], y=[0, 0, 1, 1, 2, 2],
    polarity=[0, 1, 0, 1, 0, 1], size=(6, 3),
)  # fmt: skip
CHANNELS = Events(t=[0, 10, 10, 10, 25], unit=[1, 6, 6, 2, 0], units=7)


def test_an_event_has_the_axon_of_its_pixel_in_the_tick_of_its_time() -> None:
    ticks = to_ticks(FEW, 0.001)
    assert ticks.rows.tolist() == [[0, 0], [0, 19], [1, 8], [1, 27], [2, 16], [5, 35]]
    assert (ticks.ticks, ticks.n_axons, ticks.shared, ticks.left_out) == (6, 36, 0, 0)


def test_events_that_share_a_tick_count_as_often_as_they_occur() -> None:
    ticks = to_ticks(CHANNELS, 10e-6)
    assert ticks.rows.tolist() == [[0, 1], [1, 2], [1, 6], [1, 6], [2, 0]]
    assert (ticks.shared, ticks.n_axons) == (1, 7)
    pooled = to_ticks(CHANNELS, 10e-6, pool=4)
    assert pooled.rows.tolist() == [[0, 0], [1, 0], [1, 1], [1, 1], [2, 0]]
    assert (pooled.n_axons, pooled.shared) == (2, 1)


def test_a_core_takes_them_as_they_are() -> None:
    net = Network(n_axons=7, n_neurons=8, threshold=np.full(8, 2))
    net.weights[:7] = 1
    with connect("model:", params=net.core_params()) as core:
        core.program(net)
        run = core.run(to_ticks(CHANNELS, 10e-6).rows, ticks=3)
    assert set(run.spikes[:, 0].tolist()) == {1}


def test_pooled_pixels_at_the_edge_are_a_place_of_their_own() -> None:
    ticks = to_ticks(FEW, 0.001, pool=(4, 2))
    assert ticks.n_axons == 2 * 2 * 2
    assert ticks.rows[:, 1].tolist() == [0, 4, 0, 4, 3, 7]


def test_what_is_cropped_is_left_out_and_counted() -> None:
    ticks = to_ticks(FEW, 0.001, crop=(1, 0, 4, 2))
    assert ticks.rows.tolist() == [[0, 6], [1, 4], [1, 11]]
    assert (ticks.n_axons, ticks.left_out) == (12, 3)
    some = to_ticks(CHANNELS, 10e-6, crop=(2, 7))
    assert some.rows.tolist() == [[1, 0], [1, 4], [1, 4]]
    assert (some.n_axons, some.left_out) == (5, 2)


def test_a_map_gives_places_their_axons_and_leaves_some_out() -> None:
    both = np.full((3, 6), -1)
    both[0, 1], both[2] = 4, 1
    ticks = to_ticks(FEW, 0.001, map=both)
    assert ticks.rows.tolist() == [[0, 4], [2, 1], [5, 1]]
    assert (ticks.n_axons, ticks.left_out) == (5, 3)
    by_polarity = np.stack([both, np.full((3, 6), -1)])
    assert to_ticks(FEW, 0.001, map=by_polarity).rows.tolist() == [[2, 1]]
    assert to_ticks(CHANNELS, 10e-6, map=[0, 1, 2, 0, 0, 0, -1]).rows.tolist() == [
        [0, 1], [1, 2], [2, 0],
    ]  # fmt: skip


def test_ticks_begin_with_the_recording_or_where_they_are_told_to() -> None:
    late = Events(t=[1000, 1500, 3000], unit=[0, 0, 0], begin=1000)
    assert to_ticks(late, 0.0005).rows[:, 0].tolist() == [0, 1, 4]
    assert to_ticks(late, 0.0005, begin=0).rows[:, 0].tolist() == [2, 3, 6]
    from_there = to_ticks(late, 0.0005, begin=1500)
    assert (from_there.rows[:, 0].tolist(), from_there.left_out) == ([0, 3], 1)


@given(
    seed=st.integers(0, 1 << 31), dt=st.sampled_from([1e-3, 1e-4, 1e-6, 3e-7, 0.1, 7e-9]),
    pool=st.tuples(st.integers(1, 5), st.integers(1, 5)),
)  # fmt: skip
def test_ticks_are_those_of_a_slow_loop(seed: int, dt: float, pool: tuple[int, int]) -> None:
    rng = np.random.default_rng(seed)
    width, height, count = (int(n) for n in rng.integers(1, 12, 3))
    t = np.sort(rng.integers(0, 4000, count))
    x, y, p = (rng.integers(0, end, count) for end in (width, height, 2))
    events = Events(t=t, x=x, y=y, polarity=p, size=(width, height))
    found = to_ticks(events, dt, pool=pool)
    columns, rows = math.ceil(width / pool[0]), math.ceil(height / pool[1])
    wanted = sorted(
        [a * 1000 // round(dt * 1e9), (d * rows + c // pool[1]) * columns + b // pool[0]]
        for a, b, c, d in zip(t.tolist(), x.tolist(), y.tolist(), p.tolist(), strict=True)
    )
    assert found.rows.tolist() == wanted
    assert found.shared == len(wanted) - len({tuple(row) for row in wanted})


WRONG: list[tuple[Events, dict[str, Any], str]] = [
    (FEW, {"dt": 0}, "dt must be above 0"),
    (FEW, {"dt": math.nan}, "dt must be above 0"),
    (FEW, {"dt": True}, "dt must be above 0"),
    (FEW, {"dt": 1.5e-9}, "whole number of nanoseconds"),
    (FEW, {"pool": 0}, "pool must be in 1…16384"),
    (FEW, {"pool": (1, 2, 3)}, "pool must be a number, or 2"),
    (CHANNELS, {"pool": (1, 2)}, "pool must be a number, or 1"),
    (FEW, {"crop": (0, 0, 7, 3)}, "within 6 × 3"),
    (FEW, {"crop": (2, 0, 2, 3)}, "within 6 × 3"),
    (CHANNELS, {"crop": (0, 0, 7, 3)}, r"crop must be \(first, end\)"),
    (FEW, {"map": np.zeros((6, 3), int)}, r"shape \(2, 3, 6\) or \(3, 6\)"),
    (FEW, {"map": np.full((3, 6), 4096)}, r"map\[0, 0\] must be in -1…4095"),
    (FEW, {"map": np.full((3, 6), -1)}, "leaves all places out"),
    (FEW, {"begin": -1}, "begin must be in 0…"),
    (Events(t=[0], unit=[0], units=4097), {}, "4097 places, and a core at most 4096"),
    (Events(t=[1 << 43], unit=[0]), {}, "later than tick 4294967294"),
]


@pytest.mark.parametrize(("events", "arguments", "message"), WRONG)
def test_a_wrong_argument_is_named(events: Events, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        to_ticks(events, **({"dt": 0.001} | arguments))


def test_what_are_no_events_is_named() -> None:
    made: Any = Events
    for arguments, message in (
        ({"t": [0, 1]}, "either unit, or x, y and polarity"),
        ({"t": [0], "x": [0], "y": [0]}, "either unit, or x, y and polarity"),
        ({"t": [0, 1], "unit": [0]}, r"unit must have the shape \(2,\)"),
        ({"t": [1, 0], "unit": [0, 0]}, r"t\[1\] goes back"),
        ({"t": [0.5], "unit": [0]}, "t must hold integers"),
        ({"t": [0], "unit": [3], "units": 3}, r"unit\[0\] must be in 0…2"),
        ({"t": [0], "unit": [0], "size": (1, 1)}, "size is for events at pixels"),
        ({"t": [0], "x": [0], "y": [0], "polarity": [2]}, r"polarity\[0\] must be in 0…1"),
        ({"t": [0], "x": [0], "y": [0], "polarity": [0], "size": 5}, "size must be"),
    ):
        with pytest.raises(InvalidInput, match=message):
            made(**arguments)
    wrong: Any = [(0, 0)]
    with pytest.raises(InvalidInput, match="must be Events"):
        to_ticks(wrong, 0.001)


def test_spikes_are_events_and_ticks_again() -> None:
    spikes = np.array([[0, 3], [2, 1], [2, 5], [9, 0]])
    events = of_spikes(spikes, 1e-4, 8)
    assert events.t.tolist() == [0, 200, 200, 900]
    assert (events.units, events.unit.tolist()) == (8, [3, 1, 5, 0])
    np.testing.assert_array_equal(to_ticks(events, 1e-4).rows, spikes)
    assert len(of_spikes([], 1e-4, 8)) == 0
    with pytest.raises(InvalidInput, match="whole number of microseconds"):
        of_spikes(spikes, 5e-7)
    with pytest.raises(InvalidInput, match=r"spikes must have the shape"):
        of_spikes([1, 2, 3], 1e-3)


def test_neo_gives_back_what_it_was_given(tmp_path: Any) -> None:
    events = of_spikes([[0, 3], [2, 1], [2, 5], [9, 0]], 1e-3, 8)
    block = to_neo(events, "mine")
    assert block.name == "mine"
    trains = block.segments[0].spiketrains
    assert [len(train) for train in trains] == [1, 1, 0, 1, 0, 1, 0, 0]
    assert trains[5].rescale("ms").magnitude.tolist() == [2.0]
    for source in (block, block.segments[0], list(trains)):
        again = from_neo(source)
        assert again.t.tolist() == events.t.tolist()
        assert again.unit.tolist() == events.unit.tolist()
        assert again.units == 8
    write(tmp_path / "made.nix", events)
    with neo.io.NixIO(str(tmp_path / "made.nix"), mode="ro") as file:
        (stored,) = file.read_all_blocks()
        assert from_neo(stored).t.tolist() == events.t.tolist()
    assert read(tmp_path / "made.nix").unit.tolist() == events.unit.tolist()


def test_what_is_not_of_neo_is_named() -> None:
    for wrong in (3, [], neo.Block(), [1]):
        with pytest.raises(InvalidInput, match="segment|source must be"):
            from_neo(wrong)
    early = neo.SpikeTrain([-1.0], units="s", t_start=-2.0, t_stop=1.0)
    with pytest.raises(InvalidInput, match="times from 0 on"):
        from_neo([early])
    late = neo.SpikeTrain([0.0000015], units="s", t_stop=1.0)
    assert from_neo([late]).remarks == ("1 times were rounded to whole microseconds",)
