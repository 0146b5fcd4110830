"""The standard measures of spike trains, against values worked out by hand."""

import math

import numpy as np
import pytest

from spiketwin.cosim.compare.measures import (
    isi_distance,
    of_each_neuron,
    spike_distance,
    van_rossum,
    victor_purpura,
)
from spiketwin.host.elements import IntArray
from spiketwin.host.errors import InvalidInput


def train(*ticks: int) -> IntArray:
    return np.array(ticks, np.int64)


def test_van_rossum() -> None:
    assert van_rossum(train(), train(), tau=5.0) == 0
    assert van_rossum(train(3), train(), tau=5.0) == pytest.approx(1)
    # The square sums exp(-distance / tau) within each train, and takes it off twice between them.
    within = 2 + 2 * math.exp(-4 / 2) + 1
    between = math.exp(-1 / 2) + math.exp(-3 / 2)
    expected = math.sqrt(within - 2 * between)
    assert van_rossum(train(1, 5), train(2), tau=2.0) == pytest.approx(expected)


def test_victor_purpura() -> None:
    assert victor_purpura(train(), train(), cost=0.25) == 0
    assert victor_purpura(train(1, 5), train(), cost=0.25) == 2  # both removed
    assert victor_purpura(train(1, 5), train(2), cost=0.25) == 1.25  # one moved, one removed
    assert victor_purpura(train(1, 5), train(2), cost=0) == 1  # only the number counts
    assert victor_purpura(train(9), train(2), cost=1.0) == 2  # removed and added is cheaper


def test_isi_distance() -> None:
    regular, half = train(0, 2, 4, 6, 8), train(0, 4, 8)
    assert isi_distance(regular, regular, ticks=8) == 0
    assert isi_distance(regular, half, ticks=8) == pytest.approx(abs(2 - 4) / 4)


def test_spike_distance() -> None:
    both, ends = train(0, 4, 8), train(0, 8)
    assert spike_distance(both, both, ticks=8) == 0
    # Up to tick 4 the nearest spike moves away from 0 to 4 ticks: t · 8 / (2 · 6²) = t / 9, whose
    # mean is 2/9; from then on the same backwards.
    assert spike_distance(both, ends, ticks=8) == pytest.approx(2 / 9)


def test_a_run_is_measured_neuron_by_neuron() -> None:
    ideal = np.array([[1, 0], [3, 2], [5, 0]])
    run = np.array([[2, 0], [3, 2], [7, 1]])
    found = of_each_neuron(lambda a, b: victor_purpura(a, b, cost=0.25), ideal, run, 4)
    assert found.tolist() == [1.25, 1, 0, 0]


def test_scales_without_a_meaning_are_refused() -> None:
    with pytest.raises(InvalidInput, match="tau must be above 0 ticks, not 0"):
        van_rossum(train(1), train(2), tau=0)
    with pytest.raises(InvalidInput, match="cost must be 0 or more per tick, not -1"):
        victor_purpura(train(1), train(2), cost=-1)
