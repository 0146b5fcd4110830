"""The latency ledger: where the wall time of a run went, and the time of each tick and each spike.

The wall time is divided so that every instant belongs to exactly one part. While the host computes,
the instant belongs to the host. While the host is at the port, the instant belongs to the first of
these that is busy: the core, the line to the device, the line back, a core that waits for its next
tick. Of the time that is left, the adapter gets as much as its round trips take by themselves; the
rest is a remainder, which the ledger shows. A simulated device reports its own time, in which its
core and its lines are busy; the time that is left then belongs to the target, as far as the
simulation was at work.

docs/ledger.md explains the parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from spiketwin.hdl.spec.protocol import BITS_PER_BYTE, MAX_CLOCK_HZ
from spiketwin.hdl.spec.text import shown
from spiketwin.host.account import Account
from spiketwin.host.device_time import LONGEST_ROUND_TRIP, DeviceTime, cycles_per_bit
from spiketwin.host.elements import IntArray
from spiketwin.host.errors import InvalidInput
from spiketwin.host.summaries import LatencySummary, LedgerSummary, PartSummary
from spiketwin.host.timeline import Activity, Timeline
from spiketwin.host.words import ticks_over

Seconds = NDArray[np.float64]


class Origin(StrEnum):
    """The way in which the seconds of a part are known."""

    MEASURED = "measured"
    """Measured by the clock of the host."""
    COMPUTED = "computed"
    """Computed from bytes and baud, or from the cycles that the device reported and its clock; for
    a simulated device, scaled to the time that the simulation took."""
    ESTIMATED = "estimated"
    """Estimated from round trips measured before the run."""


ORIGINS: Final = {
    "encode": Origin.MEASURED,
    "write": Origin.MEASURED,
    "wire_out": Origin.COMPUTED,
    "adapter": Origin.ESTIMATED,
    "queue": Origin.COMPUTED,
    "core": Origin.COMPUTED,
    "target": Origin.MEASURED,
    "wire_back": Origin.COMPUTED,
    "decode": Origin.MEASURED,
}
"""All parts, in the order in which a spike passes them, and how each is known."""

_PRECEDENCE: Final = ("core", "wire_out", "wire_back", "queue")
"""Parts by precedence: an instant belongs to the first of them that is busy."""


@dataclass(frozen=True)
class Part:
    """A part of the wall time.

    Attributes
    ----------
    name:
        One of `ORIGINS`.
    seconds:
        Length of the part.
    kind:
        How the length is known.
    """

    name: str
    seconds: float
    kind: Origin


@dataclass(frozen=True, eq=False)
class Ledger:
    """The latency ledger of a run: where its time went.

    Attributes
    ----------
    wall_seconds:
        Wall time from the call to its return, measured.
    device_seconds:
        Time of the device that passed while the host was at the port. It is wall time as well,
        unless the device is simulated and reports its own time.
    parts:
        Parts of the wall time, in the order in which a spike passes them.
    ticks:
        By part, shape (ticks,): seconds that each tick takes of the core, of the queue (until the
        next tick is due) and, for its bytes, of the line in both directions. They are computed, and
        overlap with other ticks and with the host.
    spikes:
        By part, shape (m,): seconds that each spike of the run spent in it, from the time at which
        the axon events of its tick were queued until the spike was decoded. A spike in a tick
        without events counts from the `RUN` that started the tick.
    timelines:
        The timeline of each call of `Core.run` in the run.
    busy:
        For each call, by part: the times at which core, queue and lines began and ended to be busy,
        in seconds since the call began. They are computed; those of one part do not overlap.
    accounts:
        The account of each call, from which the ledger is computed.
    """

    wall_seconds: float
    device_seconds: float
    parts: tuple[Part, ...]
    ticks: dict[str, Seconds]
    spikes: dict[str, Seconds]
    timelines: tuple[Timeline, ...]
    busy: tuple[dict[str, tuple[Seconds, Seconds]], ...]
    accounts: tuple[Account, ...]

    @classmethod
    def of(cls, accounts: Sequence[Account]) -> Self:
        """Return the ledger of a run that consists of any number of calls."""
        calls = [_CallLedger(account) for account in accounts]
        shares = [each.shares() for each in calls]
        ticks = [each.ticks() for each in calls]
        spikes = [each.spikes() for each in calls]
        return cls(
            device_seconds=sum(each.device_seconds() for each in calls),
            wall_seconds=sum(account.timeline.seconds for account in accounts),
            parts=tuple(
                Part(name, sum(each[name] for each in shares), kind)
                for name, kind in ORIGINS.items()
            ),
            ticks={name: _joined(ticks, name) for name in ("wire_out", *_DEVICE, "wire_back")},
            spikes={name: _joined(spikes, name) for name in ORIGINS},
            timelines=tuple(account.timeline for account in accounts),
            busy=tuple(each.busy() for each in calls),
            accounts=tuple(accounts),
        )

    @property
    def total(self) -> float:
        """Sum of the seconds of all parts."""
        return sum(part.seconds for part in self.parts)

    @property
    def remainder(self) -> float:
        """Seconds of the wall time that belong to no part; 0 or more, apart from rounding."""
        return self.wall_seconds - self.total

    @property
    def latency(self) -> Seconds:
        """Shape (m,): seconds from spike in to spike out, from host to host, for each spike."""
        latency: Seconds = np.sum(list(self.spikes.values()), axis=0)
        return latency

    def seconds(self, name: str) -> float:
        """Return the seconds of the part of that name; raise `KeyError` if there is none."""
        return {part.name: part.seconds for part in self.parts}[name]

    @property
    def baud(self) -> int | None:
        """Bits per second of the line that the run used; None without a line."""
        return self.accounts[-1].line.baud if self.accounts else None

    @property
    def bytes_out(self) -> int:
        """Bytes of the frames of all requests of the run."""
        return sum(int(each.requests["bytes_out"].sum()) for each in self.accounts)

    @property
    def bytes_in(self) -> int:
        """Bytes of the frames of all answers of the run."""
        return sum(int(each.requests["bytes_in"].sum()) for each in self.accounts)

    def on_hardware(
        self,
        baud: int | None = None,
        clock_hz: int | None = None,
        round_trip: float | None = None,
    ) -> DeviceTime:
        """Compute how long the run takes on hardware, to the clock cycle.

        The result depends on bytes and cycles alone, so it is the same for every target that gives
        the same answers, on every computer and under any load (`spiketwin.host.device_time`).

        Parameters
        ----------
        baud:
            Bits per second of the line; by default those of the run, which may have had no line.
        clock_hz:
            Clock of the core in Hz; by default that of the run.
        round_trip:
            Seconds that host and adapter add to every answer; by default as measured before the
            run, or 0 if there was no real line to measure.

        Raises
        ------
        InvalidInput
            The clock cannot make the rate to within 2 %, an argument is out of range, or nothing
            was run.
        """
        if not self.accounts:
            raise InvalidInput("nothing ran, so it takes no time on hardware either: run something")
        line = self.accounts[-1].line
        clock_hz = line.clock_hz if clock_hz is None else clock_hz
        if isinstance(clock_hz, bool) or not isinstance(clock_hz, int | np.integer):
            raise InvalidInput(f"clock_hz must be an integer, not {shown(clock_hz)}")
        if not 1 <= clock_hz <= MAX_CLOCK_HZ:
            raise InvalidInput(f"clock_hz must be in 1…{MAX_CLOCK_HZ}, not {shown(clock_hz)}")
        if round_trip is None:
            round_trip = line.adapter_seconds or 0.0
        if not isinstance(round_trip, int | float) or not 0 <= round_trip <= LONGEST_ROUND_TRIP:
            raise InvalidInput(
                f"round_trip must be in 0…{LONGEST_ROUND_TRIP:g} seconds, not {shown(round_trip)}"
            )
        if baud is not None:
            bit_cycles = cycles_per_bit(int(clock_hz), baud)
        elif line.byte_seconds:
            # This rate has carried the run, so it is not checked against the clock.
            bit_cycles = max(1, round(clock_hz * line.byte_seconds / BITS_PER_BYTE))
        else:
            bit_cycles = 0
        return DeviceTime.of(self.accounts, int(clock_hz), bit_cycles, float(round_trip))

    def summary(self) -> LedgerSummary:
        """Return the summary that commands write."""
        return LedgerSummary(
            wall_seconds=self.wall_seconds,
            device_seconds=self.device_seconds,
            hardware=self.on_hardware().summary() if self.accounts else None,
            total_seconds=self.total,
            remainder_seconds=self.remainder,
            parts={part.name: PartSummary(part.seconds, part.kind.value) for part in self.parts},
            spike_latency=_summary(self.latency, self.spikes),
        )

    def as_json(self) -> dict[str, Any]:
        """Return the summary as values that JSON can hold."""
        return self.summary().as_json()


_DEVICE: Final = ("queue", "core")


def _joined(parts: list[dict[str, Seconds]], name: str) -> Seconds:
    return np.concatenate([np.empty(0), *(each[name] for each in parts)])


def _summary(latency: Seconds, parts: dict[str, Seconds]) -> LatencySummary | None:
    if latency.size == 0:
        return None
    return LatencySummary(
        least_seconds=float(latency.min()),
        median_seconds=float(np.median(latency)),
        most_seconds=float(latency.max()),
        mean_seconds=float(latency.mean()),
        mean_parts={name: float(seconds.mean()) for name, seconds in parts.items()},
    )


# --- one call ----------------------------------------------------------------------------------


class _ChunkTimes:
    """Times at which the chunks of bytes on a line begin and end.

    Parameters
    ----------
    sizes:
        Bytes of each chunk.
    base:
        For each chunk, the time at which the line would have become busy if it had been busy
        without a gap up to the chunk. It determines whether chunks are as early or as late as
        possible.
    byte_seconds:
        Seconds that a byte takes on the line.
    """

    def __init__(self, sizes: IntArray, base: Seconds, byte_seconds: float) -> None:
        self._until = np.cumsum(sizes)
        self._base = base
        self._byte_seconds = byte_seconds
        self.ends = base + byte_seconds * self._until
        self.begins = self.ends - byte_seconds * sizes

    def chunk(self, position: IntArray) -> IntArray:
        """Return the number of the chunk that contains the byte at each position."""
        found = np.searchsorted(self._until, position, side="right")
        return np.minimum(found, len(self._until) - 1)

    def time(self, position: IntArray) -> Seconds:
        """Return the time at which the byte at each position begins to pass."""
        passed: Seconds = self._base[self.chunk(position)] + self._byte_seconds * position
        return passed


class _CallLedger:
    """The ledger of one call, computed from its account."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._line = account.line
        self._laps = account.timeline.laps
        self._requests = requests = account.requests

        reads, writes = (account.timeline.of(each) for each in (Activity.READ, Activity.WRITE))
        self._reads = reads
        byte_seconds = self._line.byte_seconds
        back, out = np.cumsum(reads["bytes"]), np.cumsum(writes["bytes"])
        self._back = _ChunkTimes(
            reads["bytes"], _latest_bases(reads["device_end"] - byte_seconds * back), byte_seconds
        )
        self._out = _ChunkTimes(
            writes["bytes"],
            np.maximum.accumulate(writes["device_begin"] - byte_seconds * (out - writes["bytes"])),
            byte_seconds,
        )
        self._answer_ends = np.cumsum(requests["bytes_in"])
        self._answer_begins = self._answer_ends - requests["bytes_in"]

        self._last_words = np.flatnonzero(ticks_over(account.words))
        """Indices of the words that end a tick, or a muted stretch of ticks."""

    # --- the run ---------------------------------------------------------------------------------

    def shares(self) -> dict[str, float]:
        """Return the seconds of the wall time that belong to each part."""
        busy = self.busy()
        lap_ends = self._laps["end"]
        edges = np.unique(np.concatenate([[0.0], lap_ends, *sum(busy.values(), ())]))
        lengths = np.diff(edges)
        lap = np.searchsorted(lap_ends, edges[:-1], side="right")
        activity = self._laps["activity"][lap]

        def during(which: Activity) -> NDArray[np.bool_]:
            found: NDArray[np.bool_] = activity == which
            return found

        shares = dict.fromkeys(ORIGINS, 0.0)
        shares["encode"] = float(lengths[during(Activity.ENCODE)].sum())
        shares["decode"] = float(lengths[during(Activity.DECODE)].sum())
        free = during(Activity.READ) | during(Activity.WRITE)
        for name in _PRECEDENCE:
            taken = free & _covered(edges, *busy[name])
            shares[name] = float(lengths[taken].sum())
            free &= ~taken
        if self._line.adapter_seconds is None:
            shares["target"] = float(lengths[free].sum())
            # While the process of a simulation sleeps, none of its parts is busy.
            worked = min(1.0, self._at_port("worked") / self._at_port("end", "begin"))
            return shares | {name: worked * shares[name] for name in (*_PRECEDENCE, "target")}
        shares["write"] = float(lengths[free & during(Activity.WRITE)].sum())
        waiting = free & during(Activity.READ)
        of_each_wait = np.bincount(lap[waiting], lengths[waiting])
        shares["adapter"] = float(np.minimum(of_each_wait, self._line.adapter_seconds).sum())
        return shares

    def _at_port(self, last: str, first: str | None = None) -> float:
        """Return a column, or a difference of two, summed over the laps of the host at the port."""
        laps = self._laps[np.isin(self._laps["activity"], (Activity.READ, Activity.WRITE))]
        return float((laps[last] - (laps[first] if first else 0.0)).sum())

    def _on_the_wall(self, times: Seconds) -> Seconds:
        """Convert times of the device to times of the host, within the run."""
        device = np.concatenate([[0.0], self._laps["device_end"]])
        wall = np.concatenate([[0.0], self._laps["end"]])
        on_the_wall: Seconds = np.interp(times, device, wall)
        return on_the_wall

    def busy(self) -> dict[str, tuple[Seconds, Seconds]]:
        """Return when the core, the lines and the queue began and ended to be busy."""
        return {
            name: (self._on_the_wall(begins), self._on_the_wall(ends))
            for name, (begins, ends) in self._busy_in_device_time().items()
        }

    def _busy_in_device_time(self) -> dict[str, tuple[Seconds, Seconds]]:
        core, queue = (
            np.bincount(
                self._account.fetch_of_word[self._last_words],
                seconds[self._account.tick_of_word[self._last_words]],
                minlength=len(self._account.answers),
            )
            for seconds in (self._core(), self._queue())
        )
        # The ticks of an answer are placed as late as possible: they end when it begins to leave.
        due = self._back.time(self._answer_begins[self._account.fetch_rows])
        begins = (
            _latest_bases(due - np.cumsum(core + queue)) + np.cumsum(core + queue) - (core + queue)
        )
        return {
            "core": (begins, begins + core),
            "queue": (begins + core, begins + core + queue),
            "wire_out": (self._out.begins, self._out.ends),
            "wire_back": (self._back.begins, self._back.ends),
        }

    def device_seconds(self) -> float:
        """Return the time of the device that passed while the host was at the port."""
        return self._at_port("device_end", "device_begin")

    # --- each tick -------------------------------------------------------------------------------

    def _core(self) -> Seconds:
        return self._account.cycles / self._line.clock_hz

    def _queue(self) -> Seconds:
        idle = np.maximum(self._account.tick_period - self._account.cycles, 0)
        return idle / self._line.clock_hz

    def ticks(self) -> dict[str, Seconds]:
        """Return the seconds of each tick, by part."""
        wires = {"wire_out": self._bytes("bytes_out"), "wire_back": self._bytes("bytes_in")}
        seconds = {name: octets * self._line.byte_seconds for name, octets in wires.items()}
        return seconds | {"core": self._core(), "queue": self._queue()}

    def _bytes(self, direction: str) -> Seconds:
        """Return the bytes of each tick, in one direction.

        Each request counts in equal shares for the events, ticks or words that it carries.
        """
        account, octets = self._account, self._requests[direction]
        about = (
            (account.event_rows, np.diff(account.blocks, prepend=0), account.event_ticks),
            (account.run_rows, np.diff(account.steps, prepend=0), np.arange(len(account.cycles))),
            (self._account.fetch_rows, account.answers, self._account.tick_of_word),
        )
        total = np.zeros(len(account.cycles), np.float64)
        for rows, numbers, ticks in about:
            np.add.at(total, ticks, np.repeat(octets[rows] / np.maximum(numbers, 1), numbers))
        return total

    # --- each spike ------------------------------------------------------------------------------

    def spikes(self) -> dict[str, Seconds]:
        """Return the seconds of each spike in each part, from host to host."""
        account, line = self._account, self._line
        word = account.word_of_spike
        came = self._requests[account.entrances[self._account.tick_of_word[word]]]
        left = self._account.fetch_rows[self._account.fetch_of_word[word]]
        decoded = self._requests["answered"][left]
        arrived = self._reads["end"][self._back.chunk(self._answer_ends[left] - 1)]

        parts = {name: np.zeros(len(word)) for name in ORIGINS}
        parts["encode"] = came["sent"] - came["queued"]
        parts["decode"] = decoded - arrived
        rest = arrived - came["sent"]
        slowness = self._at_port("end", "begin") / self.device_seconds()
        computed = {
            "core": slowness * account.spike_cycles / line.clock_hz,
            "wire_out": slowness * came["bytes_out"] * line.byte_seconds,
            "wire_back": slowness * self._requests["bytes_in"][left] * line.byte_seconds,
            "adapter": np.full(len(word), line.adapter_seconds or 0.0),
        }
        for name, seconds in computed.items():
            parts[name] = np.clip(seconds, 0.0, np.maximum(rest, 0.0))
            rest = rest - parts[name]
        in_time = line.simulated or line.adapter_seconds is not None
        parts["queue" if in_time else "target"] = rest
        return parts


def _latest_bases(bases: Seconds) -> Seconds:
    """Return the latest base of each chunk that makes no later chunk late.

    It is the running minimum, taken from the last chunk to the first.
    """
    return np.minimum.accumulate(bases[::-1])[::-1]


def _covered(edges: Seconds, begins: Seconds, ends: Seconds) -> NDArray[np.bool_]:
    """Return, for each stretch between two edges, whether any of the intervals covers it."""
    change = np.zeros(len(edges), np.int64)
    np.add.at(change, np.searchsorted(edges, begins), 1)
    np.add.at(change, np.searchsorted(edges, ends), -1)
    covered: NDArray[np.bool_] = np.cumsum(change)[:-1] > 0
    return covered
