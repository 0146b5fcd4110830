"""The front: trials that no other one beats in everything."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spiketwin.cosim.explore.objectives import Direction


def costs(values: NDArray[np.float64], directions: Sequence[Direction]) -> NDArray[np.float64]:
    """Return values that are better the lower they are, shape (trials, objectives)."""
    signs = [-1.0 if each is Direction.MAXIMISE else 1.0 for each in directions]
    signed: NDArray[np.float64] = values * np.array(signs)
    return signed


def front(values: NDArray[np.float64], directions: Sequence[Direction]) -> list[int]:
    """Return the rows that no other row beats, ascending.

    A row beats another one if it is nowhere worse, and somewhere better (Pareto dominance). Equal
    rows do not beat each other.

    Parameters
    ----------
    values:
        Shape (trials, objectives).
    directions:
        The direction in which each column is better.
    """
    cost = costs(values, directions)
    kept = []
    for row, mine in enumerate(cost):
        beaten = (cost <= mine).all(axis=1) & (cost < mine).any(axis=1)
        if not beaten.any():
            kept.append(row)
    return kept
