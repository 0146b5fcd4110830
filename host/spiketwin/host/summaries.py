"""Summaries of ledgers, which commands write as JSON."""

from __future__ import annotations

from dataclasses import dataclass

from spiketwin.hdl.spec.results import Result


@dataclass(frozen=True)
class PartSummary(Result):
    """One part of the wall time.

    Attributes
    ----------
    seconds:
        Length of the part.
    kind:
        How the length is known: ``measured``, ``computed`` or ``estimated``.
    """

    seconds: float
    kind: str


@dataclass(frozen=True)
class LatencySummary(Result):
    """Times from spike in to spike out, from host to host, over all spikes of a run.

    Attributes
    ----------
    least_seconds, median_seconds, most_seconds, mean_seconds:
        The least, the median, the greatest and the mean time.
    mean_parts:
        The mean seconds that a spike spends in each part, by the part's name.
    """

    least_seconds: float
    median_seconds: float
    most_seconds: float
    mean_seconds: float
    mean_parts: dict[str, float]


@dataclass(frozen=True)
class CycleLatencySummary(Result):
    """Times from spike in to spike out on hardware, over all spikes of a run.

    Attributes
    ----------
    least_cycles, median_cycles, most_cycles, mean_cycles:
        The least, the median, the greatest and the mean time, in clock cycles.
    median_seconds:
        The median in seconds.
    mean_parts:
        The mean cycles that a spike spends in ``adapter``, ``wire_out``, ``queue``, ``core`` and
        ``wire_back``.
    """

    least_cycles: int
    median_cycles: float
    most_cycles: int
    median_seconds: float
    mean_cycles: float
    mean_parts: dict[str, float]


@dataclass(frozen=True)
class DeviceTimeSummary(Result):
    """The time of a run on hardware, computed to the clock cycle.

    Attributes
    ----------
    clock_hz:
        Clock of the hardware in Hz.
    baud:
        Bits per second of its line; null without a line.
    cycles, seconds:
        Length of the run.
    bytes_out, bytes_in:
        Bytes of all requests, and of all answers.
    busy_cycles:
        Cycles in which ``wire_out``, ``wire_back``, ``link`` and ``core`` are busy.
    spike_latency:
        Times from spike in to spike out; null without spikes.
    """

    clock_hz: int
    baud: int | None
    cycles: int
    seconds: float
    bytes_out: int
    bytes_in: int
    busy_cycles: dict[str, int]
    spike_latency: CycleLatencySummary | None


@dataclass(frozen=True)
class LedgerSummary(Result):
    """The ledger of a run.

    Attributes
    ----------
    wall_seconds:
        Wall time of the run.
    device_seconds:
        Time of the device that passed while the host was at the port.
    hardware:
        Time of the run on hardware with the clock and the line of the run; null if nothing ran.
    total_seconds, remainder_seconds:
        Wall time that belongs to a part, and that belongs to none.
    parts:
        The parts of the wall time, by name: ``encode``, ``write``, ``wire_out``, ``adapter``,
        ``queue``, ``core``, ``target``, ``wire_back`` and ``decode``.
    spike_latency:
        Times from spike in to spike out; null without spikes.
    """

    wall_seconds: float
    device_seconds: float
    hardware: DeviceTimeSummary | None
    total_seconds: float
    remainder_seconds: float
    parts: dict[str, PartSummary]
    spike_latency: LatencySummary | None
