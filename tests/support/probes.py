"""Ranges of state for probes, legal and otherwise anything."""

import numpy as np
from numpy.typing import NDArray

from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.probes import element_nibbles, probed, words_of


def random_probes(params: CoreParams, rng: np.random.Generator) -> dict[str, NDArray[np.int64]]:
    """Return the arrays of legal probes, by their names; some report nothing."""
    spaces, firsts, counts = (np.zeros(params.probe_ranges, np.int64) for _ in range(3))
    arrays = [*probed(params).values()]
    for k in range(params.probe_ranges):
        if rng.random() < 0.8:
            array = arrays[rng.integers(len(arrays))]
            (size,) = array.shape_in(params)
            spaces[k] = array.space
            firsts[k] = rng.choice(np.array([0, size - 1, rng.integers(size)]))
            most = size - int(firsts[k])
            counts[k] = rng.choice(np.array([1, most, rng.integers(most + 1)]))
    return {"probe_space": spaces, "probe_first": firsts, "probe_count": counts}


def words_reported(params: CoreParams, probes: dict[str, NDArray[np.int64]]) -> int:
    """Return the words in which a tick reports such probes."""
    arrays = probed(params)
    return words_of(
        sum(
            element_nibbles(array, params) * int(count)
            for space, count in zip(probes["probe_space"], probes["probe_count"], strict=True)
            for array in arrays.values()
            if array.space == space
        )
    )
