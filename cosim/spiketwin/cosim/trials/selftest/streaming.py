"""Sustained transfers, the longest possible in each direction: their speed and losses."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from spiketwin.hdl.spec.params import LEAST_WORDS_PER_TICK
from spiketwin.hdl.spec.protocol import BITS_PER_BYTE, WORD_BYTES
from spiketwin.hdl.spec.registers import Space, space_formats
from spiketwin.hdl.spec.results import Result
from spiketwin.host.core import Core

_TICKS: Final = 100


@dataclass(frozen=True)
class Stream:
    """One long transfer.

    Attributes
    ----------
    payload_bytes:
        Bytes of elements or output words, without the overhead of frames.
    seconds:
        Measured on this computer's clock.
    share_of_line:
        Payload as a share of the line's capacity at its rate, in device time for a simulated
        target; ``None`` without a line.
    """

    payload_bytes: int
    seconds: float
    share_of_line: float | None

    @property
    def rate(self) -> float:
        """Bytes of payload per second."""
        return self.payload_bytes / self.seconds


@dataclass(frozen=True)
class StreamReport(Result):
    """The weights to the core, and spikes from it.

    Attributes
    ----------
    upload, stream:
        The two transfers.
    stream_spikes, stream_spikes_expected:
        Spikes that came out in the second one, and spikes that every neuron fires in every tick.
    """

    json_keys = (
        "upload_bytes_per_second", "upload_share_of_line", "stream_bytes_per_second",
        "stream_share_of_line", "stream_spikes", "stream_spikes_expected",
    )  # fmt: skip

    upload: Stream
    stream: Stream
    stream_spikes: int
    stream_spikes_expected: int

    @property
    def passed(self) -> bool:
        """Whether nothing was lost."""
        return self.stream_spikes == self.stream_spikes_expected

    @property
    def upload_bytes_per_second(self) -> float:
        """Bytes of weights written per second."""
        return self.upload.rate

    @property
    def upload_share_of_line(self) -> float | None:
        """Share of the line's capacity that these weights use; null without a line."""
        return self.upload.share_of_line

    @property
    def stream_bytes_per_second(self) -> float:
        """Bytes of output words received per second."""
        return self.stream.rate

    @property
    def stream_share_of_line(self) -> float | None:
        """Share of the line's capacity that these words use; null without a line."""
        return self.stream.share_of_line


def check(core: Core) -> StreamReport:
    """Write all weights, then have every neuron fire in every tick: the most output there can be.

    Raise `SpiketwinError` as `spiketwin.cosim.trials.selftest.check`.
    """
    fmt = space_formats(core.params)[Space.WEIGHT]
    weights = np.zeros((fmt.rows, fmt.columns), np.int64)
    upload = _timed(core, fmt.byte_length(fmt.size), lambda: core.write_weights(weights))
    core.reset()
    core.write_parameters(**dict.fromkeys(core.read_parameters(), 0))
    core.run([], 1)  # the first run of a model loads its compiled code
    runs = []
    words = _TICKS * (core.params.neuron_groups + LEAST_WORDS_PER_TICK)
    stream = _timed(core, words * WORD_BYTES, lambda: runs.append(core.run([], _TICKS)))
    return StreamReport(upload, stream, len(runs[0].spikes), _TICKS * core.params.n_neurons)


def _timed(core: Core, payload_bytes: int, transfer: Callable[[], None]) -> Stream:
    link = core.link
    begin, device_begin = time.perf_counter(), link.clock()
    transfer()
    seconds, device_seconds = time.perf_counter() - begin, link.clock() - device_begin
    share = payload_bytes * BITS_PER_BYTE / link.baud / device_seconds if link.has_line else None
    return Stream(payload_bytes, seconds, share)
