"""What a core offers to the device before it: the seam between protocol and core."""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.registers import ClearMask, Space

Elements = npt.NDArray[np.int64]

EVENT_TICK_PLACE: Final = 16
"""Bit of an event where its tick begins, above its axon: so their order is that of numbers."""


class DeviceCore(Protocol):
    """A core with its two queues and its counters.

    The device has checked what it asks: spaces and elements are there, values are in range, and
    nothing but registers and counters is touched while a run is under way. Time passes for the
    core only in `advance`, `take` and `fall_behind`, so that no tick is ever muted because nobody
    listens.
    """

    @property
    def params(self) -> CoreParams:
        """Sizes of the core."""

    @property
    def tick(self) -> int:
        """The next tick to be executed."""

    @property
    def run_until(self) -> int:
        """The tick before which the run ends; a run is under way while `tick` is before it."""

    @property
    def real_time(self) -> bool:
        """Whether ticks have a period."""

    @property
    def events_queued(self) -> int:
        """Axon events in the queue."""

    @property
    def pending_groups(self) -> int:
        """Entries of `Space.PENDING` in use."""

    def power_cycle(self) -> None:
        """Lose everything: memory, state, registers, queues and counters."""

    def reset(self) -> None:
        """End the run, empty both queues, set state, registers, tick and counters to 0."""

    def clear(self, mask: ClearMask) -> None:
        """Set the state that `mask` names to 0; no run is under way."""

    def read(self, space: Space, start: int, count: int) -> Elements:
        """Read `count` elements of any space but the counters, rows joined, from `start` on.

        A register may come as its 32 bits without their sign. Registers can be read while a run is
        under way.
        """

    def write(self, space: Space, start: int, values: Elements) -> None:
        """Write elements from `start` on; no run is under way.

        With the register `tick_period` the ticks begin anew to be due. Written from entry 0 on,
        `Space.PENDING` holds nothing else afterwards.
        """

    def queue(self, events: Elements) -> None:
        """Queue axon events, for which there is room; ascending, also after those before.

        Each is its axon and, from bit `EVENT_TICK_PLACE` on, its tick.

        At a fixed tick period, those of ticks that have begun are dropped and counted.
        """

    def run_to(self, tick: int) -> None:
        """Move `run_until` on to `tick`; executes nothing yet."""

    def advance(self) -> None:
        """Execute the ticks of the run as far as the output queue has room for their words."""

    def take(self, count: int) -> bytes:
        """Take up to `count` output words, four bytes each.

        Fewer come only if the run is over: it advances for them as it has to.
        """

    def stop(self) -> None:
        """End the run where it is, and drop all queued events."""

    def fall_behind(self) -> None:
        """Let more time pass than any run at a fixed tick period can make up for.

        No run is under way. It means nothing before the first tick of a period that was written.
        """

    def counters(self) -> dict[str, int]:
        """Those of `registers.counters` that belong to the core, none cut to its width.

        `cycles` stands for the two that it takes.
        """
