"""The link: what is written comes back, how often it had to be said, how long it took.

All times are measured on this computer's clock, whatever the target is.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from spiketwin.hdl.spec.protocol import MAX_ELEMENT_BYTES, WORD_BYTES
from spiketwin.hdl.spec.registers import Space, space_formats
from spiketwin.host import access
from spiketwin.host.core import Core
from spiketwin.host.elements import IntArray
from spiketwin.host.exchange import Request

_ROUND_TRIPS: Final = 200
_STREAM_TICKS: Final = 100
_WORDS_BESIDE_SPIKES: Final = 2


@dataclass(frozen=True)
class LineReport:
    """What the link did.

    Attributes
    ----------
    transactions, wrong:
        Blocks written and read back, and how many of them came back different.
    first_wrong:
        The first difference, in words; empty if there was none.
    payload_bytes:
        Bytes of elements in those blocks, in one direction.
    resent, timeouts, bad_frames:
        What the host counted meanwhile: recovered, so no failure.
    round_trips:
        Seconds of single requests, each with nothing else under way.
    upload_rate, stream_rate:
        Bytes of weights written, and of output words fetched, in a second.
    """

    transactions: int
    wrong: int
    first_wrong: str
    payload_bytes: int
    resent: int
    timeouts: int
    bad_frames: int
    round_trips: tuple[float, ...]
    upload_rate: float
    stream_rate: float

    @property
    def passed(self) -> bool:
        """Whether everything came back as it was written."""
        return self.wrong == 0

    def figures(self) -> dict[str, Any]:
        """Figures but for the latency."""
        return {
            "transactions": self.transactions,
            "wrong": self.wrong,
            "first_wrong": self.first_wrong or None,
            "payload_bytes": self.payload_bytes,
            "resent": self.resent,
            "timeouts": self.timeouts,
            "bad_frames": self.bad_frames,
            "upload_bytes_per_second": self.upload_rate,
            "stream_bytes_per_second": self.stream_rate,
        }

    def latency(self) -> dict[str, float]:
        """Seconds of a round trip."""
        return {
            "min_seconds": min(self.round_trips),
            "median_seconds": statistics.median(self.round_trips),
            "max_seconds": max(self.round_trips),
        }


def check(
    core: Core, transactions: int, seed: int, progress: Callable[[int, int], None]
) -> LineReport:
    """Write random blocks of weights and read them back; then measure times.

    Raises `SpiketwinError` as `spiketwin.cosim.selftest.check`.
    """
    echo = _Echo(core, transactions, np.random.default_rng((seed, 0)), progress)
    before = (core.statistics.resent, core.statistics.timeouts, core.statistics.bad_frames)
    core.link.run(echo.program())
    after = (core.statistics.resent, core.statistics.timeouts, core.statistics.bad_frames)
    resent, timeouts, bad_frames = (b - a for a, b in zip(before, after, strict=True))
    return LineReport(
        transactions,
        echo.wrong,
        echo.first_wrong,
        echo.payload_bytes,
        resent,
        timeouts,
        bad_frames,
        tuple(_round_trip(core) for _ in range(_ROUND_TRIPS)),
        _upload_rate(core),
        _stream_rate(core),
    )


class _Echo:
    """Transactions: a block is written, and the next request reads it back."""

    def __init__(
        self,
        core: Core,
        transactions: int,
        rng: np.random.Generator,
        progress: Callable[[int, int], None],
    ) -> None:
        self.wrong = 0
        self.first_wrong = ""
        self.payload_bytes = 0
        self._format = space_formats(core.params)[Space.WEIGHT]
        self._transactions = transactions
        self._rng = rng
        self._progress = progress
        self._done = 0

    def program(self) -> Iterator[Request]:
        """Give the requests; lengths of blocks and elements are random."""
        fmt = self._format
        low, high = fmt.limits()
        most = min(fmt.size, MAX_ELEMENT_BYTES // fmt.element_bytes)
        for _ in range(self._transactions):
            count = int(self._rng.integers(1, most, endpoint=True))
            index = int(self._rng.integers(fmt.size - count, endpoint=True))
            values = self._rng.integers(low, high, count, endpoint=True)
            self.payload_bytes += fmt.byte_length(count)
            yield access.write(fmt, index, values)
            yield access.read(fmt, index, count, self._comparison(index, values))

    def _comparison(self, index: int, expected: IntArray) -> Callable[[IntArray], None]:
        def compare(got: IntArray) -> None:
            different = np.flatnonzero(got != expected)
            if different.size:
                first = int(different[0])
                self.wrong += 1
                self.first_wrong = self.first_wrong or (
                    f"{access.place(self._format, index + first)}: "
                    f"expected {expected[first]}, got {got[first]}"
                )
            self._done += 1
            self._progress(self._done, self._transactions)

        return compare


def _round_trip(core: Core) -> float:
    counter = space_formats(core.params)[Space.COUNTER]
    request = access.read(counter, 0, 1, lambda _values: None)
    begin = time.perf_counter()
    core.link.run([request])
    return time.perf_counter() - begin


def _upload_rate(core: Core) -> float:
    fmt = space_formats(core.params)[Space.WEIGHT]
    weights = np.zeros((fmt.rows, fmt.columns), np.int64)
    begin = time.perf_counter()
    core.write_weights(weights)
    return fmt.byte_length(fmt.size) / (time.perf_counter() - begin)


def _stream_rate(core: Core) -> float:
    """Every neuron fires in every tick, which is the most output there can be."""
    core.reset()
    core.write_parameters(threshold=0, v_reset=0, refrac_ticks=0, bias=0)
    core.run([], 1)  # the first run of a model loads its compiled code
    begin = time.perf_counter()
    core.run([], _STREAM_TICKS)
    seconds = time.perf_counter() - begin
    words = _STREAM_TICKS * (core.params.neuron_groups + _WORDS_BESIDE_SPIKES)
    return words * WORD_BYTES / seconds
