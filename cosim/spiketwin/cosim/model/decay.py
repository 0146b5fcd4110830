"""Decay and leak, compiled: equal to `arithmetic.decay` and `arithmetic.leak`."""

from __future__ import annotations

import numpy as np

from spiketwin.cosim.compilation import compiled
from spiketwin.cosim.model.hashing import Int32
from spiketwin.hdl.spec import arithmetic as a


@compiled
def least_loss(code: int) -> np.uint32:
    """Return the least that a tick of decay takes away; `DECAY_AT_ONCE` exceeds any magnitude."""
    if code == a.DECAY_NONE:
        return np.uint32(0)
    return np.uint32(1 << 24) if code == a.DECAY_AT_ONCE else np.uint32(1)


@compiled
def decayed(value: np.int32, code: np.uint32, shift: np.uint32, least: np.uint32) -> np.int32:
    """Return a value after a tick of decay; `least` is the least loss of its code."""
    magnitude = np.uint32(-value) if value < 0 else np.uint32(value)
    # (magnitude · code) >> 8 in two halves, neither of which exceeds 32 bits.
    low = np.uint32(np.uint32(np.uint32(magnitude & 0xFF) * code) >> 8)
    high = np.uint32(np.uint32(magnitude >> 8) * code)
    # The mask, which changes nothing, tells the compiler that 32 bits are enough for the shift.
    lost = np.uint32(np.uint32(np.uint32(high + low) >> np.uint32(shift + 7 & 31)) + 1) >> 1
    lost = np.uint32(lost)
    lost = lost if lost > least else least
    lost = lost if lost < magnitude else magnitude
    rest = np.int32(magnitude - lost)
    return np.int32(-rest) if value < 0 else rest


@compiled
def decay_all(values: Int32, code: int, shift: int) -> None:
    """Let every value decay for one tick (`arithmetic.decay`), in place."""
    if code == a.DECAY_NONE:
        return
    factor, divided, least = np.uint32(code), np.uint32(shift), least_loss(code)
    for k in range(values.size):
        values[k] = decayed(values[k], factor, divided, least)


@compiled
def decayed_once(value: int, code: int, shift: int) -> int:
    """Return a single value after a tick of decay."""
    return int(
        np.int64(decayed(np.int32(value), np.uint32(code), np.uint32(shift), least_loss(code)))
    )


@compiled
def leaked(value: int, units: int) -> int:
    """Return the result of `arithmetic.leak`."""
    return max(0, value - units) if value > 0 else min(0, value + units)
