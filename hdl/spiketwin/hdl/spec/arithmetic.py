"""Every rounding, saturation and noise rule, stated once, on plain integers.

No result wraps around: one that does not fit its width saturates at the nearest value that does.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final, NamedTuple

DECAY_BITS: Final = 16
DECAY_NONE: Final = 0
DECAY_AT_ONCE: Final = (1 << DECAY_BITS) - 1
"""Decay codes with an exact meaning: with the first the value stays, with the second it becomes 0
at once."""

DECAY_SHIFT_BITS: Final = 4
MAX_DECAY_SHIFT: Final = (1 << DECAY_SHIFT_BITS) - 1
"""Width and largest value of a shift, by which the unit of a code is divided by two as often."""

LEAK_WIDTH: Final = 16
"""Width of a linear leak, in units of the potential."""

STEP_BITS: Final = 16
"""Fraction bits of a weight step before it is rounded to whole weight units."""

GAIN_WIDTH: Final = 16
GAIN_BITS: Final = 8
"""Width and fraction bits of signed gains, which are the weight units that a full-scale trace is
worth."""

GAIN_SHIFT_BITS: Final = 4
MAX_GAIN_SHIFT: Final = (1 << GAIN_SHIFT_BITS) - 1
"""Width and largest value of the exponent of the gains of a rule. With 9 a gain reaches 65536
weight units, which is the whole range of 16 bits."""

OFFSET_WIDTH: Final = 24
"""Width of signed offsets, in ``2**-STEP_BITS`` weight units."""

HALF_STEP: Final = 1 << (STEP_BITS - 1)
"""One half of a weight unit, which is added before truncation to round to nearest."""


def saturate(value: int, width: int) -> int:
    """Return `value`, limited to the range of a signed integer of `width` bits."""
    top = (1 << (width - 1)) - 1
    return max(-top - 1, min(top, value))


def saturate_unsigned(value: int, width: int) -> int:
    """Return `value`, limited to the range of an unsigned integer of `width` bits."""
    return max(0, min((1 << width) - 1, value))


def unsigned(value: int, width: int) -> int:
    """Return the bits of a signed integer of `width` bits as an unsigned integer."""
    return value & ((1 << width) - 1)


def shifted(value: int, shift: int) -> int:
    """Return ``value / 2**shift``, rounded to nearest, half up."""
    return value + (1 << shift >> 1) >> shift


def decay(value: int, code: int, shift: int = 0) -> int:
    """Return `value` after one tick of exponential decay towards 0.

    The part ``code / 2**(16 + shift)`` of the magnitude is taken away, rounded to nearest (half
    up), and at least 1, so that the value always reaches 0. `DECAY_NONE` leaves the value as it is,
    `DECAY_AT_ONCE` makes it 0, whatever the shift.
    """
    if code == DECAY_NONE or value == 0:
        return value
    if code == DECAY_AT_ONCE:
        return 0
    magnitude = abs(value)
    magnitude -= max(1, shifted(magnitude * code, DECAY_BITS + shift))
    return magnitude if value > 0 else -magnitude


def leak(value: int, units: int) -> int:
    """Return `value` after one tick of a leak by so many units towards 0, and not beyond."""
    magnitude = max(0, abs(value) - units)
    return magnitude if value > 0 else -magnitude


def decay_code(tau: float) -> int:
    """Return the decay code of a time constant: ``1 - exp(-1 / tau)`` as a 16-bit fraction.

    `tau` is in ticks: ``math.inf`` gives `DECAY_NONE`, 0 gives `DECAY_AT_ONCE`, and any other value
    a code of at least 1.
    Raises `ValueError` when `tau` is negative or not a number.
    """
    return _code(_fraction(tau), 0)


def shifted_decay_code(tau: float, shifts: bool = True) -> tuple[int, int]:
    """Return the decay code of a time constant, and the largest shift with which it fits.

    `tau` is that of `decay_code`, and so are the codes of 0 and of ``math.inf``, with a shift of 0.
    A code with a shift is above 32766, and so exact to about 1/65536, unless the shift is the
    largest. Without `shifts`, for a core that has none, the shift is always 0.
    Raises `ValueError` when `tau` is negative or not a number.
    """
    fraction = _fraction(tau)
    if fraction == 0 or not shifts:
        return _code(fraction, 0), 0
    fitting = (s for s in range(MAX_DECAY_SHIFT, 0, -1) if _code(fraction, s) < DECAY_AT_ONCE)
    shift = next(fitting, 0)
    return _code(fraction, shift), shift


def _fraction(tau: float) -> float:
    """Return ``1 - exp(-1 / tau)``, which is 0 for ``math.inf`` alone."""
    try:
        tau = float(tau)
    except OverflowError:  # an integer beyond all floats
        tau = math.nan
    if math.isnan(tau) or tau < 0:
        raise ValueError(f"a time constant is 0…inf ticks as a float holds them, not {tau}")
    return 1.0 if tau == 0 else -math.expm1(-1.0 / tau)


def _code(fraction: float, shift: int) -> int:
    if fraction == 0:
        return DECAY_NONE
    return max(1, min(DECAY_AT_ONCE, round(fraction * (1 << DECAY_BITS + shift))))


def weight_step(trace: int, gain: int, offset: int, trace_width: int, gain_shift: int = 0) -> int:
    """Return the step of a weight in ``2**-16`` weight units: ``gain · trace + offset``.

    The trace counts as a fraction of its full scale ``2**trace_width`` and the gain has 8 fraction
    bits, so the product is shifted right by ``trace_width - 8`` bits (towards minus infinity). It
    is shifted left by `gain_shift` before, so that nothing of it is lost there.
    """
    return ((gain * trace << gain_shift) >> (trace_width + GAIN_BITS - STEP_BITS)) + offset


def window_step(entries: int, offset: int, gain_shift: int) -> int:
    """Return the step of a weight at a post-event of a rule over a window, as `weight_step`.

    `entries` is what the table has for the past of the source, or the sum of both if there are two.
    """
    return (entries << gain_shift) + offset


def drifted_bounds(w_min: int, w_max: int, drift: int, weight_width: int) -> tuple[int, int]:
    """Return the bounds of a stored weight that acts by `drift` units more than it is stored as.

    So what acts stays within the bounds. If they cross, `w_max` wins.
    """
    low, high = (saturate(bound - drift, weight_width) for bound in (min(w_min, w_max), w_max))
    return low, high


def stepped_weight(weight: int, step: int, rounding: int, w_min: int, w_max: int) -> int:
    """Return a weight after a `weight_step`, which is rounded, added and held to the bounds.

    `rounding` is added to the step before its fraction is cut off: `HALF_STEP` to round to nearest,
    or 16 random bits (`noise`) for stochastic rounding. If the bounds cross, `w_max` wins.
    """
    return min(w_max, max(w_min, weight + ((step + rounding) >> STEP_BITS)))


# --- noise -------------------------------------------------------------------------------------
# Noise is a hash, not a sequence: 16 bits from (seed, tick, pass, source, neuron), so that synapses
# can be handled in any order. The tick is absorbed between add-rotate-xor (ARX) rounds in the
# manner of Speck32 (Beaulieu et al., 2013), without a key. Two synapses that are neighbours in
# their row or column share a hash of two words, and each takes one of the words.

PASS_PRE: Final = 0
PASS_POST: Final = 1
"""Passes of a tick: pre-events in *Deliver*, post-events in *Learn*."""

KEY_ROUNDS: Final = 6
NOISE_ROUNDS: Final = 3
SPREAD_SPIKED: Final = (0x0011, 0x0410)
SPREAD_PAIR: Final = (0x1400, 0x8200)
"""Factors that spread an index over both words of a hash. They have few bits set, as each of them
costs an exclusive-or."""

_WORD: Final = 0xFFFF


def spread(index: int, factor: int) -> int:
    """Return the carry-less product of two 16-bit words, XOR-folded to 16 bits."""
    product = 0
    for bit in range(16):
        if factor >> bit & 1:
            product ^= index << bit
    return (product ^ (product >> 16)) & _WORD


def mix_round(x: int, y: int) -> tuple[int, int]:
    """Return two 16-bit words after one add-rotate-xor (ARX) round."""
    x = (((x >> 7) | (x << 9)) + y) & _WORD
    y = ((y << 2) | (y >> 14)) & _WORD
    return x, y ^ x


def place(row: int, column: int) -> tuple[int, int]:
    """Return two 16-bit words that stand for a row and a column of up to 16 bits each."""
    x, y = (spread(row, SPREAD_SPIKED[k]) ^ spread(column, SPREAD_PAIR[k]) for k in range(2))
    return x, y


def noise_key(seed: int, tick: int, which_pass: int) -> tuple[int, int]:
    """Return two 16-bit words that stand for (seed, tick, pass); `seed` and `tick` have 32 bits.

    The key of the post pass is that of the pre pass after as many rounds again.
    """
    x, y = seed & _WORD, seed >> 16
    for part in (tick & _WORD, tick >> 16 & _WORD):
        x, y = mix_round(x, y)
        y ^= part
    for _ in range(KEY_ROUNDS * (2 if which_pass == PASS_POST else 1)):
        x, y = mix_round(x, y)
    return x, y


def noise(key: tuple[int, int], spiked: int, other: int) -> int:
    """Return 16 random bits for one synapse in the pass that `key` stands for.

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
# The digest of a tick stands for all that it wrote, in 32 bits: the exclusive-or of one code for
# each neuron, source, and pair of synapses that was written, so that neither order nor lanes
# matter. A code is a hash of place and values. It is not linear, so that the same error in many
# places does not cancel out.


class DigestRows(NamedTuple):
    """Rows of codes beside those of the weights in *Deliver*, whose row is their source's number.

    `post` plus the number of a neuron is the row of its weights in *Learn*. The others are the rows
    of the state of all neurons, of the traces of all sources, of the relays whose sources were
    active, of the biases that events rewrote, and of what rules have drifted by.
    """

    post: int
    neurons: int
    sources: int
    relays: int
    biases: int
    drifts: int


def digest_rows(n_sources: int) -> DigestRows:
    """Return the rows of a core with so many sources."""
    step = 1 << (12 if n_sources <= 1 << 12 else 14)
    return DigestRows(step, 2 * step, *range(3 * step, 3 * step + 4))


def digest_code(row: int, column: int, words: Iterable[int], rounds: int) -> int:
    """Return the 32-bit code of the 32-bit words that were written at a place.

    One round follows each word, and `rounds` the last one. The code is a one-to-one function of
    each word, so a difference in a single word is never lost. The words are listed in docs/tick.md.
    """
    x, y = place(row, column)
    for number, word in enumerate(words):
        if number:
            x, y = mix_round(x, y)
        x, y = x ^ word >> 16, y ^ word & _WORD
    for _ in range(rounds):
        x, y = mix_round(x, y)
    return y << 16 | x
