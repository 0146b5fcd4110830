"""The check of the link: errors of blocks written and read back, rates, speed and latency."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from spiketwin.cosim.trials.selftest import streaming, sweep
from spiketwin.cosim.trials.selftest.echo import Echo, Losses
from spiketwin.hdl.spec.registers import Space, space_formats
from spiketwin.hdl.spec.results import Result
from spiketwin.host import access
from spiketwin.host.core import Core
from spiketwin.host.progress import Steps

_ROUND_TRIPS: Final = 200


@dataclass(frozen=True)
class RoundTrips(Result):
    """Times of single requests, each with nothing else under way, by this computer's clock.

    Attributes
    ----------
    min_seconds, median_seconds, max_seconds:
        The least, the median and the greatest of them.
    """

    min_seconds: float
    median_seconds: float
    max_seconds: float

    @classmethod
    def measured(cls, core: Core) -> RoundTrips:
        """Send single requests, and wait for the answer to each."""
        seconds = [_round_trip(core) for _ in range(_ROUND_TRIPS)]
        return cls(min(seconds), statistics.median(seconds), max(seconds))


@dataclass(frozen=True)
class LineReport(Result):
    """The result of the check of the link.

    Attributes
    ----------
    transactions, wrong:
        Blocks written and read back, and how many of them came back different.
    first_wrong:
        The first difference, in words; null if there was none.
    payload_bytes:
        Bytes of elements in those blocks, in one direction.
    losses:
        Frames and bytes that were damaged or lost meanwhile; all were recovered.
    baud:
        Bits per second of the line; null without a line.
    rates:
        Every rate tried, that of the link first; none without a line.
    streams:
        The longest transfers there are.
    round_trips:
        How long single requests take.
    """

    json_keys = (
        "transactions", "wrong", "first_wrong", "payload_bytes", "losses", "baud",
        "fastest_clean_baud", "rates", "streams",
    )  # fmt: skip
    json_merged = ("losses", "streams")

    transactions: int
    wrong: int
    first_wrong: str | None
    payload_bytes: int
    losses: Losses
    baud: int | None
    rates: tuple[sweep.Rate, ...]
    streams: streaming.StreamReport
    round_trips: RoundTrips

    @property
    def passed(self) -> bool:
        """Whether everything came back as it was written, and no frame was damaged on the way."""
        return next(self.troubles(), None) is None

    @property
    def fastest_clean_baud(self) -> int | None:
        """The highest rate without an error; null if there is none, or no line."""
        return max((rate.baud for rate in self.rates if rate.clean), default=None)

    def troubles(self) -> Iterator[str]:
        """Yield what is wrong. Rates other than that of the link may be too high for the line."""
        if self.first_wrong:
            yield self.first_wrong
        at = f" at {self.baud} baud" if self.baud else ""
        if self.losses.damaged:
            yield (
                f"the line is lossy{at}: of {self.transactions} blocks, {self.losses.bad_frames} "
                f"frames came damaged to the host and {self.losses.frame_errors} to the device, "
                f"which lost {self.losses.rx_overflows} bytes more. Take a shorter cable or a "
                "lower --baud, and check the ground between the two"
            )
        elif self.rates and not self.rates[0].clean:
            what = self.rates[0].trouble or f"{self.rates[0].losses.damaged} frames were damaged"
            yield f"the line is lossy{at}: {what}"
        if not self.streams.passed:
            found, expected = self.streams.stream_spikes, self.streams.stream_spikes_expected
            yield (
                f"{found} of {expected} spikes came out of a core in which every neuron fires in "
                "every tick"
            )


def check(
    core: Core,
    transactions: int,
    seed: int,
    progress: Steps,
    rates_progress: Steps,
) -> LineReport:
    """Write random blocks of weights and read them back, try the rates, then measure times.

    Raise `SpiketwinError` as `spiketwin.cosim.trials.selftest.check`.
    """
    echo = Echo(core, transactions, np.random.default_rng((seed, 0)), progress=progress)
    before = Losses.so_far(core)
    core.link.run(echo.program())
    losses = Losses.so_far(core) - before
    return LineReport(
        transactions,
        echo.wrong,
        echo.first_wrong,
        echo.payload_bytes,
        losses,
        core.link.baud if core.link.has_line else None,
        sweep.check(core, seed, rates_progress),
        streaming.check(core),
        RoundTrips.measured(core),
    )


def _round_trip(core: Core) -> float:
    counter = space_formats(core.params)[Space.COUNTER]
    request = access.read(counter, 0, 1, lambda _values: None)
    begin = time.perf_counter()
    core.link.run([request])
    return time.perf_counter() - begin
