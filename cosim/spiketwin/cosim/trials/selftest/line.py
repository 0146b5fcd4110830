"""The link: what is written comes back, undamaged, at which rates, how fast and how soon."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from spiketwin.cosim.trials.selftest import streaming, sweep
from spiketwin.cosim.trials.selftest.echo import Echo, Losses
from spiketwin.hdl.spec.registers import Space, space_formats
from spiketwin.host import access
from spiketwin.host.core import Core

_ROUND_TRIPS: Final = 200


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
    losses:
        What was damaged or lost meanwhile; it was recovered.
    baud:
        Bits per second of the line; 0 if there is no line.
    rates:
        Every rate tried, that of the link first; empty if there is no line.
    streams:
        Long transfers.
    round_trips:
        Seconds of single requests, each with nothing else under way, measured on this computer's
        clock whatever the target is.
    """

    transactions: int
    wrong: int
    first_wrong: str
    payload_bytes: int
    losses: Losses
    baud: int
    rates: tuple[sweep.Rate, ...]
    streams: streaming.StreamReport
    round_trips: tuple[float, ...]

    @property
    def passed(self) -> bool:
        """Whether everything came back as it was written, and no frame was damaged on the way."""
        return next(self.troubles(), None) is None

    @property
    def fastest_clean(self) -> int | None:
        """The highest rate without an error; ``None`` if there is none or no line."""
        return max((rate.baud for rate in self.rates if rate.clean), default=None)

    def troubles(self) -> Iterator[str]:
        """Say what is wrong. Rates beside that of the link may well be too high for the line."""
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
            yield (
                f"{self.streams.spikes} of {self.streams.expected_spikes} spikes came out of a "
                "core in which every neuron fires in every tick"
            )

    def figures(self) -> dict[str, Any]:
        """Figures but for the latency."""
        return {
            "transactions": self.transactions,
            "wrong": self.wrong,
            "first_wrong": self.first_wrong or None,
            "payload_bytes": self.payload_bytes,
            **self.losses.figures(),
            "baud": self.baud or None,
            "fastest_clean_baud": self.fastest_clean,
            "rates": [rate.figures() for rate in self.rates],
            **self.streams.figures(),
        }

    def latency(self) -> dict[str, float]:
        """Seconds of a round trip."""
        return {
            "min_seconds": min(self.round_trips),
            "median_seconds": statistics.median(self.round_trips),
            "max_seconds": max(self.round_trips),
        }


def check(
    core: Core,
    transactions: int,
    seed: int,
    progress: Callable[[int, int], None],
    rates_progress: Callable[[int, int], None],
) -> LineReport:
    """Write random blocks of weights and read them back, try the rates, then measure times.

    Raises `SpiketwinError` as `spiketwin.cosim.trials.selftest.check`.
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
        core.link.baud if core.link.has_line else 0,
        sweep.check(core, seed, rates_progress),
        streaming.check(core),
        tuple(_round_trip(core) for _ in range(_ROUND_TRIPS)),
    )


def _round_trip(core: Core) -> float:
    counter = space_formats(core.params)[Space.COUNTER]
    request = access.read(counter, 0, 1, lambda _values: None)
    begin = time.perf_counter()
    core.link.run([request])
    return time.perf_counter() - begin
