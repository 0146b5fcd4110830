"""The scale of a network: units of the core in 1, a power of two, and what it rounds."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np

from spiketwin.host.errors import DoesNotFit, InvalidInput
from spiketwin.host.superneuromat.model import Model, Reals

_MOST_V: Final = (1 << 23) - 2
"""Highest threshold of a neuron that can fire."""

_MOST_LEAK: Final = (1 << 16) - 1
_FRACTION: Final = 1 << 16
"""Steps of a table of a window in a weight unit."""

_MOST_STEP: Final = (1 << 23) - 1
"""Largest entry of such a table."""

_FINEST, _COARSEST = 24, -16
"""Exponents of the scales that are tried."""

WEIGHT_WIDTHS: Final = (4, 16)
"""Fewest and most bits of a weight."""


@dataclass(frozen=True)
class Scale:
    """Units of the core that stand for 1.

    Attributes
    ----------
    exponent:
        The units are ``2**exponent``.
    exact:
        Whether all weights, leaks, inputs, states and steps of STDP are whole numbers of units.
    """

    exponent: int
    exact: bool

    @property
    def units(self) -> float:
        """Units of the core in 1."""
        return float(2.0**self.exponent)

    def whole(self, values: Reals) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
        """Return values as whole units, rounded to nearest; infinite ones are refused before."""
        return np.rint(values * self.units).astype(np.int64)

    def error(self, values: Reals) -> float:
        """Return by how much the worst of the values is rounded, in 1; 0 for none."""
        finite = values[np.isfinite(values)]
        return float(np.abs(self.whole(finite) / self.units - finite).max(initial=0.0))


def threshold(scale: Scale, threshold: float, reset: float) -> int:
    """Return the units that a potential above its reset has to reach, to be above a threshold.

    Potentials are whole units, so this comparison is exact whatever the threshold is.
    """
    exact = (Fraction(threshold) - Fraction(reset)) * Fraction(2) ** scale.exponent
    return exact.__floor__() + 1


def choose(model: Model, weight_width: int, table_sums: Reals) -> Scale:
    """Return the coarsest scale with which all values are whole, or else the finest that fits.

    Parameters
    ----------
    model:
        The network.
    weight_width:
        Bits of a weight, 4…16.
    table_sums:
        The largest sums of steps of the rule, in 1.

    Raises
    ------
    DoesNotFit
        No scale makes all values fit.
    InvalidInput
        `weight_width` is no number of bits.
    """
    low, high = WEIGHT_WIDTHS
    if type(weight_width) is not int or not low <= weight_width <= high:
        raise InvalidInput(f"weight_width must be an integer in {low}…{high}, not {weight_width!r}")
    leaks = model.leaks[np.isfinite(model.leaks)]
    steps = np.concatenate([model.apos, model.aneg])
    states = model.states - model.resets
    exactly = np.concatenate([model.weights, model.values, leaks, states, steps])
    limits = (
        (np.concatenate([model.weights, model.values]), (1 << weight_width - 1) - 1),
        (np.concatenate([_distances(model), states]), _MOST_V),
        (leaks, _MOST_LEAK),
        (table_sums, _MOST_STEP / _FRACTION),
    )
    finest = _FINEST
    for values, most in limits:
        largest = float(np.abs(values).max(initial=0.0))
        if largest:
            finest = min(finest, int(np.floor(np.log2(most / largest))))
    if finest < _COARSEST:
        raise DoesNotFit(
            "its values are too far apart for a core: a unit would be more than "
            f"{2**-_COARSEST}. Scale weights, thresholds and leaks down alike"
        )
    for exponent in range(min(0, finest), finest + 1):
        scaled = exactly * 2.0**exponent
        if (scaled == np.rint(scaled)).all():
            return Scale(exponent, True)
    return Scale(finest, False)


def _distances(model: Model) -> Reals:
    finite = np.isfinite(model.thresholds)
    found: Reals = model.thresholds[finite] - model.resets[finite]
    return found
