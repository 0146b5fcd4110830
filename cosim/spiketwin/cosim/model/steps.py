"""Steps of weights and their noise, compiled, for a row or a column at a time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from spiketwin.cosim.compilation import compiled
from spiketwin.cosim.model.hashing import Flags, Int32, Weights, mix_round, spread
from spiketwin.hdl.spec import arithmetic as a

Word16 = npt.NDArray[np.uint16]


@compiled
def noise_key(seed: int, tick: int, which_pass: int) -> tuple[np.uint16, np.uint16]:
    """Return the result of `arithmetic.noise_key`."""
    x, y = np.uint16(seed & 0xFFFF), np.uint16(seed >> 16)
    for part in (tick & 0xFFFF, (tick >> 16) & 0xFFFF):
        x, y = mix_round(x, y)
        y = np.uint16(y ^ np.uint16(part))
    for _ in range(a.KEY_ROUNDS * (2 if which_pass == a.PASS_POST else 1)):
        x, y = mix_round(x, y)
    return x, y


@compiled
def fill_noise(
    out: Word16, key_x: np.uint16, key_y: np.uint16, spiked: int, others: Word16
) -> None:
    """Write the `arithmetic.noise` of a row or column, whose indices are `others`, to `out`."""
    key_x = np.uint16(key_x ^ spread(spiked, a.SPREAD_SPIKED[0]))
    key_y = np.uint16(key_y ^ spread(spiked, a.SPREAD_SPIKED[1]))
    for k in range(out.size):
        pair = others[k] >> 1
        x = np.uint16(key_x ^ spread(pair, a.SPREAD_PAIR[0]))
        y = np.uint16(key_y ^ spread(pair, a.SPREAD_PAIR[1]))
        for _ in range(a.NOISE_ROUNDS):
            x, y = mix_round(x, y)
        out[k] = y if others[k] & 1 else x


@compiled
def fill_halves(out: Word16) -> None:
    """Write what rounds to nearest to `out`."""
    for k in range(out.size):
        out[k] = a.HALF_STEP


@compiled
def form_steps(steps: Int32, traces: Int32, gain: int, offset: int, shift: int) -> None:
    """Write the `arithmetic.weight_step` of every trace to `steps`."""
    narrow_gain, narrow_offset = np.int32(gain), np.int32(offset)
    for k in range(steps.size):
        steps[k] = np.int32(np.int32(narrow_gain * traces[k]) >> shift) + narrow_offset


@compiled
def apply_steps(
    weights: Weights, plastic: Flags, steps: Int32, rounding: Word16, w_min: int, w_max: int
) -> np.int32:
    """Apply `arithmetic.stepped_weight` to every plastic weight; return the number clamped."""
    low, high, cut = np.int32(w_min), np.int32(w_max), np.int32(0)
    for k in range(weights.size):
        old = np.int32(weights[k])
        meant = np.int32(old + (np.int32(steps[k] + np.int32(rounding[k])) >> a.STEP_BITS))
        new = meant if meant > low else low
        new = new if new < high else high
        new = new if plastic[k] else old
        meant = meant if plastic[k] else old
        weights[k] = new
        cut = np.int32(cut + (np.int32(1) if new != meant else np.int32(0)))
    return cut
