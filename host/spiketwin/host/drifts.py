"""Plastic weights that drift: what is stored of them, and what acts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spiketwin.hdl.spec.arithmetic import STEP_BITS, drifted_bounds
from spiketwin.host.elements import IntArray
from spiketwin.host.errors import InvalidInput


@dataclass(frozen=True, eq=False)
class Drifts:
    """By what the plastic weights of each rule act more than they are stored as.

    Attributes
    ----------
    drift:
        Shape (n_rules,): the difference in weight units; 0 where weights act as they are stored.
    low, high:
        Shape (n_rules,): the bounds of what is stored.
    weight_width:
        Bits of what is stored.
    """

    drift: IntArray
    low: IntArray
    high: IntArray
    weight_width: int

    @classmethod
    def of(
        cls, drift_sum: IntArray, w_min: IntArray, w_max: IntArray, weight_width: int
    ) -> Drifts | None:
        """Return the drifts of a core with these sums and bounds; None if nothing has drifted."""
        drift = drift_sum >> STEP_BITS
        if not drift.any():
            return None
        bounds = [
            drifted_bounds(low, high, by, weight_width)
            for low, high, by in zip(w_min.tolist(), w_max.tolist(), drift.tolist(), strict=True)
        ]
        low, high = np.array(bounds, np.int64).T
        return cls(drift, low, high, weight_width)

    def acting(self, stored: IntArray, plastic: NDArray[np.bool_], rule: IntArray) -> IntArray:
        """Return the weights that act; all arrays have one shape."""
        moved = plastic & (self.drift[rule] != 0)
        held = np.clip(stored, self.low[rule], self.high[rule]) + self.drift[rule]
        return np.where(moved, held, stored)

    def stored(self, acting: IntArray, plastic: NDArray[np.bool_], rule: IntArray) -> IntArray:
        """Return what is stored of weights that are to act.

        Raises `InvalidInput` if it does not fit its width.
        """
        stored = np.where(plastic, acting - self.drift[rule], acting)
        top = (1 << (self.weight_width - 1)) - 1
        if wrong := stored[(stored < -top - 1) | (stored > top)].tolist():
            raise InvalidInput(
                f"a plastic weight that has drifted would be stored as {wrong[0]}, which is not in "
                f"{-top - 1}…{top}: set the sum of drifts to 0 first, "
                "`core.write_state(drift_sum=0)`"
            )
        return stored
