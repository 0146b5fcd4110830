"""Decoding of output words into spikes, cycles and digests."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.protocol import (
    SPIKE_CYCLE_BITS,
    SPIKE_MASK_BITS,
    WORD_COUNT_BITS,
    Word,
)
from spiketwin.hdl.spec.text import shown
from spiketwin.host.elements import IntArray
from spiketwin.host.errors import InvalidInput, LinkError
from spiketwin.host.words import (
    COUNTED,
    Words,
    digests_of,
    kinds_in,
    lanes_fired,
    last_of_tick,
    of_network,
    tick_of,
    ticks_over,
)


class Decoded(NamedTuple):
    """The arrays that output words decode to; `spiketwin.host.spikes.Run` describes them."""

    spikes: IntArray
    spike_cycles: IntArray
    cycles: IntArray
    update_cycles: IntArray
    muted: NDArray[np.bool_]
    digests: NDArray[np.uint32] | None
    probes: dict[str, IntArray]
    probe_ticks: IntArray


def decode(words: Words, ticks: int, params: CoreParams, digests: bool) -> Decoded:
    """Decode the output words of a whole run, or of ticks that follow each other in one.

    Words of probes are left out: what they mean, `spiketwin.host.probes.Probes` knows.

    Parameters
    ----------
    words:
        All output words of these ticks.
    ticks:
        Number of ticks.
    params:
        Sizes of the core.
    digests:
        Whether each tick reports its digest.

    Raises
    ------
    LinkError
        The words do not add up to this number of ticks, or report spikes of neurons that such a
        core does not have.
    InvalidInput
        An argument has a wrong type.
    """
    _check_words(words, ticks, params)
    if not isinstance(digests, bool | np.bool_):
        raise InvalidInput(f"digests must be True or False, not {shown(digests)}")
    kinds = words >> WORD_COUNT_BITS
    end, update = (kinds == _END).nonzero()[0], (kinds == _UPDATE).nonzero()[0]
    report = (kinds < _UPDATE).nonzero()[0]
    others = len(words) - len(report)
    if not digests and len(end) == len(update) == ticks and others == 2 * ticks:
        # Each tick has one word of either kind, in order, as long as none was muted.
        if ticks and (
            end[-1] != len(words) - 1
            or np.count_nonzero(update > end)
            or np.count_nonzero(update[1:] < end[:-1])
        ):
            raise LinkError(_DISORDERED)
        muted = np.zeros(ticks, np.bool_)
        cycles, update_cycles = _counts(words[end]), _counts(words[update])
        report_tick = np.cumsum(kinds == _END)[report]
    else:
        tick, muted = _checked_ticks(words, ticks, digests), np.ones(ticks, np.bool_)
        muted[tick[end]] = False
        cycles, update_cycles = np.zeros(ticks, np.int64), np.zeros(ticks, np.int64)
        update_cycles[tick[update]] = _counts(words[update])
        cycles[tick[end]] = _counts(words[end])
        report_tick = tick[report]
    reports = words[report].astype(np.int64)
    spikes, spike_cycles = _spikes(reports, report_tick, update_cycles, params)
    return Decoded(
        spikes, spike_cycles, cycles, update_cycles, muted,
        digests_of(words, ticks) if digests else None, {}, np.empty(0, np.int64),
    )  # fmt: skip


def decode_nothing(params: CoreParams) -> Decoded:
    """Return the decoded arrays of a run of no ticks."""
    return decode(np.empty(0, np.uint32), 0, params, digests=False)


def are_good(octets: bytes, ticks: int, params: CoreParams) -> bool:
    """Return whether words are certainly well-formed: none muted, and without digests.

    This check is much faster than decoding. Words that fail it may still be good: `decode` tells,
    and says what is wrong with them.

    Parameters
    ----------
    octets:
        The words, as bytes.
    ticks:
        Number of ticks that the words are to report.
    params:
        Sizes of the core.
    """
    kinds = kinds_in(octets)
    if not (
        # An update word begins each tick and an end word ends it, with all reports between them.
        kinds.startswith(_FIRST)
        and kinds.translate(None, _REPORT) == (_FIRST + _LAST) * ticks
        and kinds.endswith(_LAST)
        and _LAST + _REPORT not in kinds
    ):
        return False
    return len(kinds) == 2 * ticks or _reports_are_good(octets, params)


def _reports_are_good(octets: bytes, params: CoreParams) -> bool:
    """Return whether words report spikes only of neurons that the core has."""
    words = np.frombuffer(octets, "<u4")
    reports = words[words < _LEAST_COUNT]
    lanes = (1 << SPIKE_MASK_BITS) - (1 << params.neuron_lanes)
    return int(reports.max()) >> (
        SPIKE_CYCLE_BITS + SPIKE_MASK_BITS
    ) < params.neuron_groups and not np.count_nonzero(reports & (lanes << SPIKE_CYCLE_BITS))


def decode_network(
    words: Words, ticks: int, params: CoreParams, digests: bool, numbers: IntArray
) -> Decoded:
    """Decode output words as `decode` does, but with the neurons of a network.

    `numbers` are the numbers in the network of the neurons of the core; spikes of those with -1 are
    left out. Spikes ascend by tick and neuron, whatever order the numbers are in.
    """
    decoded = decode(words, ticks, params, digests)
    if decoded.spikes.size:
        neurons = numbers[decoded.spikes[:, 1]]
        # Neurons that no network has are silent unless a program has written their parameters.
        if int(neurons.min()) < 0:
            decoded = decode(
                of_network(words, numbers, params.neuron_lanes), ticks, params, digests
            )
            neurons = numbers[decoded.spikes[:, 1]]
        decoded.spikes[:, 1] = neurons
        order = order_in_network(decoded.spikes, numbers)
        return decoded._replace(
            spikes=decoded.spikes[order], spike_cycles=decoded.spike_cycles[order]
        )
    return decoded


def order_in_network(spikes: IntArray, numbers: IntArray) -> IntArray | slice:
    """Return the index by which spikes, as a core reports them, ascend by tick and neuron.

    `spikes` are those of a network, and `numbers` those of the core's neurons in it, or -1.
    """
    used = numbers[numbers >= 0]
    if not np.any(used[1:] < used[:-1]):
        return slice(None)
    # One key for both, as no neuron fires twice in a tick: many times faster than `lexsort`.
    order: IntArray = np.argsort(spikes[:, 0] * (int(used.max()) + 2) + spikes[:, 1])
    return order


def _spikes(
    reports: IntArray, ticks: IntArray, update_cycles: IntArray, params: CoreParams
) -> tuple[IntArray, IntArray]:
    """Return (tick, neuron), shape (m, 2), and the cycle, shape (m,), of each reported spike."""
    if not reports.size:
        return np.empty((0, 2), np.int64), np.empty(0, np.int64)
    which, lane = lanes_fired(reports)
    neuron = (reports >> (SPIKE_CYCLE_BITS + SPIKE_MASK_BITS))[which] * params.neuron_lanes + lane
    if neuron.size and (neuron.max() >= params.n_neurons or lane.max() >= params.neuron_lanes):
        group = int(reports.max()) >> (SPIKE_CYCLE_BITS + SPIKE_MASK_BITS)
        raise LinkError(
            f"the device reported a spike of a neuron that it has not, in group {group}: "
            "program the core again"
        )
    cycle = update_cycles[ticks] + (reports & ((1 << SPIKE_CYCLE_BITS) - 1))
    spikes = np.empty((len(which), 2), np.int64)
    spikes[:, 0] = ticks[which]
    spikes[:, 1] = neuron
    return spikes, cycle[which]


def _counts(words: Words) -> IntArray:
    return (words & _COUNT_MASK).astype(np.int64)


_UPDATE: Final = COUNTED | Word.UPDATE
_END: Final = COUNTED | Word.END
_LEAST_COUNT: Final = 1 << 31
_FIRST: Final = bytes([_UPDATE])
_LAST: Final = bytes([_END])
_REPORT: Final = b"\0"
_COUNT_MASK: Final = (1 << WORD_COUNT_BITS) - 1
_DISORDERED: Final = (
    "the device reported the words of a tick in a wrong order: program the core again"
)


def _checked_ticks(words: Words, ticks: int, digests: bool) -> IntArray:
    """Return the tick of each word; raise `LinkError` if they do not add up to `ticks` ticks."""
    ends, ended = ticks_over(words), ticks_over(words, last_of_tick(digests))
    if ended.sum() != ticks or ends.sum() != ticks or (words.size and not ended[-1]):
        raise LinkError(
            f"the device reported {ended.sum()} ticks instead of {shown(ticks)}: program the "
            "core again (`core.program`)"
        )
    tick = tick_of(words)
    if tick.size and (tick.min() < 0 or tick.max() >= ticks):
        raise LinkError(_DISORDERED)
    return tick


def _check_words(words: object, ticks: object, params: object) -> None:
    if not isinstance(words, np.ndarray) or words.ndim != 1 or words.dtype != np.uint32:
        raise InvalidInput(f"words must be a vector of uint32, not {shown(words)}")
    if isinstance(ticks, bool) or not isinstance(ticks, int | np.integer) or ticks < 0:
        raise InvalidInput(f"ticks must be an integer from 0 on, not {shown(ticks)}")
    if not isinstance(params, CoreParams):
        raise InvalidInput(f"params must be CoreParams, not {shown(params)}")
