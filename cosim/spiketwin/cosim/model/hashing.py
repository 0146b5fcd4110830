"""The hash behind noise and digests, and the codes that a digest combines, compiled."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from spiketwin.cosim.compilation import compiled, entry
from spiketwin.hdl.spec import arithmetic as a

Int32 = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]
Weights = npt.NDArray[np.int8] | npt.NDArray[np.int16]


@compiled
def mix_round(x: np.uint16, y: np.uint16) -> tuple[np.uint16, np.uint16]:
    """Return the result of `arithmetic.mix_round`."""
    wide_x, wide_y = np.uint32(x), np.uint32(y)
    x = np.uint16((((wide_x >> 7) | (wide_x << 9)) + wide_y) & 0xFFFF)
    y = np.uint16(((wide_y << 2) | (wide_y >> 14)) & 0xFFFF)
    return x, np.uint16(y ^ x)


@compiled
def spread(index: int, factor: int) -> int:
    """Return the result of `arithmetic.spread`."""
    wide, product = int(index), 0
    for bit in range(16):
        if (factor >> bit) & 1:
            product ^= wide << bit
    return (product ^ (product >> 16)) & 0xFFFF


@compiled
def place(row: int, column: int) -> tuple[np.uint16, np.uint16]:
    """Return the result of `arithmetic.place`."""
    x = spread(row, a.SPREAD_SPIKED[0]) ^ spread(column, a.SPREAD_PAIR[0])
    y = spread(row, a.SPREAD_SPIKED[1]) ^ spread(column, a.SPREAD_PAIR[1])
    return np.uint16(x), np.uint16(y)


@compiled
def _with_word(x: np.uint16, y: np.uint16, word: np.uint32) -> tuple[np.uint16, np.uint16]:
    return np.uint16(x ^ np.uint16(word >> 16)), np.uint16(y ^ np.uint16(word & 0xFFFF))


@compiled
def _finished(x: np.uint16, y: np.uint16, rounds: int) -> np.uint32:
    for _ in range(rounds):
        x, y = mix_round(x, y)
    return np.uint32(np.uint32(y) << 16 | np.uint32(x))


@compiled
def digest_neurons(
    row: int, i_syn: Int32, i_inh: Int32, v: Int32, held: Flags, trace_post: Int32,
    refrac_count: Int32, theta: Int32, has_two_receptors: bool, i_syn_mask: int, v_mask: int,
    rounds: int,
) -> np.uint32:  # fmt: skip
    """Return the exclusive-or of the codes of all neurons; held (refractory) ones leave out `v`."""
    digest = np.uint32(0)
    for j in range(v.size):
        x, y = place(row, j)
        x, y = _with_word(x, y, np.uint32(i_syn[j] & i_syn_mask))
        x, y = mix_round(x, y)
        if has_two_receptors:
            x, y = _with_word(x, y, np.uint32(i_inh[j] & i_syn_mask))
            x, y = mix_round(x, y)
        x, y = _with_word(x, y, np.uint32(0 if held[j] else v[j] & v_mask))
        x, y = mix_round(x, y)
        x, y = _with_word(
            x, y, np.uint32(np.uint32(refrac_count[j]) << 16 | np.uint32(trace_post[j]))
        )
        x, y = mix_round(x, y)
        x, y = _with_word(x, y, np.uint32(theta[j]))
        digest ^= _finished(x, y, rounds)
    return digest


@entry
def digest_sources(row: int, trace_pre: Int32, history: Int32, rounds: int) -> np.uint32:
    """Return the exclusive-or of the codes of all sources; `history` is 0 if it is not built."""
    digest = np.uint32(0)
    for i in range(trace_pre.size):
        x, y = place(row, i)
        x, y = _with_word(x, y, np.uint32(np.uint32(history[i]) << 16 | np.uint32(trace_pre[i])))
        digest ^= _finished(x, y, rounds)
    return digest


@entry
def digest_synapses(
    row: int, begin: int, weights: Weights, plastic: Flags, mask: int, rounds: int
) -> np.uint32:
    """Return the exclusive-or of the codes of a row's or column's plastic synapses, two a code.

    `begin` is the number, at the other end, of the first synapse.
    """
    digest = np.uint32(0)
    for pair in range(weights.size // 2):
        first, second = 2 * pair, 2 * pair + 1
        if plastic[first] or plastic[second]:
            low = np.uint32(np.int32(weights[first]) & mask if plastic[first] else 0)
            high = np.uint32(np.int32(weights[second]) & mask if plastic[second] else 0)
            x, y = place(row, begin // 2 + pair)
            x, y = _with_word(x, y, np.uint32(high << 16 | low))
            digest ^= _finished(x, y, rounds)
    return digest


@compiled
def digest_word(row: int, column: int, word: int, rounds: int) -> np.uint32:
    """Return the code of one word: of a relay that was set, or of a bias that was rewritten."""
    x, y = place(row, column)
    x, y = _with_word(x, y, np.uint32(word))
    return _finished(x, y, rounds)


@compiled
def list_flags(flags: Flags, numbers: Int32) -> int:
    """List the numbers of the flags that are set; return how many there are."""
    count, together = int(np.int64(0)), flags[: flags.size // 8 * 8].view(np.uint64)
    for group in range(together.size):
        if together[group]:
            # Without a branch, which would be guessed wrong: what is not counted is overwritten.
            for j in range(8 * group, 8 * group + 8):
                numbers[count] = j
                count += int(np.int64(flags[j]))
    for j in range(8 * together.size, flags.size):
        if flags[j]:
            numbers[count] = j
            count += 1
    return count
