"""Every rounding, saturation and noise rule, once, on plain integers.

Nothing wraps: a result that does not fit saturates at the nearest value that does.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

DECAY_BITS: Final = 16
DECAY_NONE: Final = 0
DECAY_AT_ONCE: Final = (1 << DECAY_BITS) - 1
"""Decay codes with an exact meaning: the value stays, and the value becomes 0."""

STEP_BITS: Final = 16
"""Fraction bits of a weight step before it is rounded to whole weight units."""

GAIN_WIDTH: Final = 16
GAIN_BITS: Final = 8
"""Signed gains, with fraction bits: the weight units that a full-scale trace is worth."""

OFFSET_WIDTH: Final = 24
"""Signed offsets, in ``2**-STEP_BITS`` weight units."""

HALF_STEP: Final = 1 << (STEP_BITS - 1)
"""What is added before the fraction is cut off when rounding is to nearest."""


def saturate(value: int, width: int) -> int:
    """Limit `value` to a signed integer of `width` bits."""
    top = (1 << (width - 1)) - 1
    return max(-top - 1, min(top, value))


def saturate_unsigned(value: int, width: int) -> int:
    """Limit `value` to an unsigned integer of `width` bits."""
    return max(0, min((1 << width) - 1, value))


def unsigned(value: int, width: int) -> int:
    """Bits of a signed integer of `width` bits, as an unsigned one."""
    return value & ((1 << width) - 1)


def decay(value: int, code: int) -> int:
    """One tick of exponential decay towards 0.

    The part ``code / 2**16`` of the magnitude is taken away, rounded to nearest (half up), but at
    least one, so that rest is always reached. `DECAY_NONE` leaves the value, `DECAY_AT_ONCE`
    makes it 0.
    """
    if code == DECAY_NONE or value == 0:
        return value
    if code == DECAY_AT_ONCE:
        return 0
    magnitude = abs(value)
    lost = (magnitude * code + (1 << (DECAY_BITS - 1))) >> DECAY_BITS
    magnitude -= max(1, lost)
    return magnitude if value > 0 else -magnitude


def decay_code(tau: float) -> int:
    """Code for a time constant of `tau` ticks: ``1 - exp(-1 / tau)`` as a 16-bit fraction.

    ``math.inf`` gives `DECAY_NONE` and 0 gives `DECAY_AT_ONCE`. A finite `tau` gives at least 1.
    Raises `ValueError` when `tau` is negative or not a number.
    """
    try:
        tau = float(tau)
    except OverflowError:  # an integer beyond all floats
        tau = math.nan
    if math.isnan(tau) or tau < 0:
        raise ValueError(f"a time constant is 0…inf ticks as a float holds them, not {tau}")
    if math.isinf(tau):
        return DECAY_NONE
    if tau == 0:
        return DECAY_AT_ONCE
    fraction = -math.expm1(-1.0 / tau)
    return max(1, min(DECAY_AT_ONCE, round(fraction * (1 << DECAY_BITS))))


def weight_step(trace: int, gain: int, offset: int, trace_width: int) -> int:
    """Step of a weight in ``2**-16`` weight units: ``gain · trace + offset``.

    The trace counts as a fraction of its full scale ``2**trace_width`` and the gain has 8 fraction
    bits, so the product is shifted right by ``trace_width - 8`` bits (towards minus infinity).
    """
    return ((gain * trace) >> (trace_width + GAIN_BITS - STEP_BITS)) + offset


def stepped_weight(weight: int, step: int, rounding: int, w_min: int, w_max: int) -> int:
    """Apply a `weight_step`: add `rounding`, cut the fraction off, add, and hold to the bounds.

    `rounding` is `HALF_STEP` for rounding to nearest, or 16 random bits (`noise`). Should the
    bounds cross, `w_max` wins.
    """
    return min(w_max, max(w_min, weight + ((step + rounding) >> STEP_BITS)))


# --- noise -------------------------------------------------------------------------------------
# A hash, not a sequence: 16 bits from (seed, tick, pass, source, neuron). The tick is absorbed
# between add-rotate-xor rounds in the manner of Speck32 (Beaulieu et al., 2013), unkeyed. Synapses
# that are neighbours in their row or column share a hash of two words, and each takes one.

PASS_PRE: Final = 0
PASS_POST: Final = 1
"""Passes of a tick: pre-events in *Deliver*, post-events in *Learn*."""

KEY_ROUNDS: Final = 6
NOISE_ROUNDS: Final = 3
SPREAD_SPIKED: Final = (0x0011, 0x0410)
SPREAD_PAIR: Final = (0x1400, 0x8200)
"""Factors that spread an index over both words: sparse, as each bit costs an exclusive-or."""

_WORD: Final = 0xFFFF


def spread(index: int, factor: int) -> int:
    """Carry-less product of two 16-bit words, its high half folded onto the low half."""
    product = 0
    for bit in range(16):
        if factor >> bit & 1:
            product ^= index << bit
    return (product ^ (product >> 16)) & _WORD


def mix_round(x: int, y: int) -> tuple[int, int]:
    """One add-rotate-xor round on two 16-bit words."""
    x = (((x >> 7) | (x << 9)) + y) & _WORD
    y = ((y << 2) | (y >> 14)) & _WORD
    return x, y ^ x


def place(row: int, column: int) -> tuple[int, int]:
    """Two 16-bit words that stand for a place: a row of up to 14 bits, a column of up to 12."""
    x, y = (spread(row, SPREAD_SPIKED[k]) ^ spread(column, SPREAD_PAIR[k]) for k in range(2))
    return x, y


def noise_key(seed: int, tick: int, which_pass: int) -> tuple[int, int]:
    """Two 16-bit words that stand for (seed, tick, pass); `seed` and `tick` have 32 bits.

    The key of the post pass is that of the pre pass, mixed on.
    """
    x, y = seed & _WORD, seed >> 16
    for part in (tick & _WORD, tick >> 16 & _WORD):
        x, y = mix_round(x, y)
        y ^= part
    for _ in range(KEY_ROUNDS * (2 if which_pass == PASS_POST else 1)):
        x, y = mix_round(x, y)
    return x, y


def noise(key: tuple[int, int], spiked: int, other: int) -> int:
    """16 random bits for one synapse in the pass that `key` stands for.

    `spiked` is the index at the end that spiked: the source in the pre pass, the neuron in the post
    pass. `other` is the index at the other end.
    """
    pair, second = other >> 1, other & 1
    x, y = place(spiked, pair)
    x, y = x ^ key[0], y ^ key[1]
    for _ in range(NOISE_ROUNDS):
        x, y = mix_round(x, y)
    return y if second else x


# --- digest ------------------------------------------------------------------------------------
# What a tick writes, in 32 bits: the exclusive-or of a code for each neuron, source, and pair of
# synapses that was written, so that the order and the lanes do not matter. A code is a hash of
# place and values; that it is not linear keeps the same error in many places from cancelling out.

DIGEST_POST: Final = 1 << 12
DIGEST_NEURONS: Final = 2 << 12
DIGEST_SOURCES: Final = 3 << 12
"""Rows of codes: a source's number is that of its row of weights in *Deliver*; these stand, with
the neuron's number added, for its column in *Learn*, and for all neurons and all sources."""


def digest_code(row: int, column: int, words: Iterable[int], rounds: int) -> int:
    """Code of 32 bits for words of 32 bits written at a place, `rounds` after the last of them.

    Each word changes the code one to one, so a difference in one alone is never lost. Which words
    there are is in docs/tick.md.
    """
    x, y = place(row, column)
    for number, word in enumerate(words):
        if number:
            x, y = mix_round(x, y)
        x, y = x ^ word >> 16, y ^ word & _WORD
    for _ in range(rounds):
        x, y = mix_round(x, y)
    return y << 16 | x
