"""`DeviceCore`: the interface between the protocol and the core behind it."""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.registers import ClearMask, Space

Elements = npt.NDArray[np.int64]

EVENT_TICK_PLACE: Final = 16
"""Lowest bit of an event's tick, above its axon, so that events sort as plain integers."""


class DeviceCore(Protocol):
    """A core with its two queues and its counters.

    The device checks every request before: spaces and elements exist, values are in range, and
    only registers and counters are accessed while a run is under way. Time passes for the core
    only in `advance`, `take` and `fall_behind`, so that no tick is ever muted because the host
    reads too late.
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
        """Events in the queue."""

    @property
    def pending_groups(self) -> int:
        """Entries of `Space.PENDING` in use."""

    def power_cycle(self) -> None:
        """Turn the power off and on: memory, state, registers, queues and counters are lost."""

    def reset(self) -> None:
        """End the run, empty both queues, set state, registers, tick and counters to 0."""

    def clear(self, mask: ClearMask) -> None:
        """Set the state that `mask` names to 0; no run is under way."""

    def read(self, space: Space, start: int, count: int) -> Elements:
        """Read `count` elements from `start` on, rows joined, of any space except the counters.

        An element of a record may come as its 32 bits without their sign. Registers can be read
        while a run is under way.
        """

    def write(self, space: Space, start: int, values: Elements) -> None:
        """Write elements from `start` on; no run is under way.

        Writing the register `tick_period` restarts the deadlines of ticks. Writing `Space.PENDING`
        from entry 0 on replaces all that it held.
        """

    def queue(self, events: Elements) -> None:
        """Queue axon events, in ascending order, also after those before; there is room for them.

        Each event is its axon in the low bits and, from bit `EVENT_TICK_PLACE` on, its tick.

        At a fixed tick period, events of ticks that have begun are dropped and counted.
        """

    def queue_biases(self, events: Elements) -> None:
        """Queue bias events, shape (k, 3): tick, neuron and bias, as `queue` does axon events.

        Ticks ascend, and no axon event of the first one is queued. The core has bias events.
        """

    def run_to(self, tick: int) -> None:
        """Move `run_until` on to `tick`; executes nothing yet."""

    def advance(self) -> None:
        """Execute the ticks of the run as far as the output queue has room for their words."""

    def take(self, count: int) -> bytes:
        """Take up to `count` output words, four bytes each.

        The run advances as far as this needs; fewer words come only if it is over.
        """

    def stop(self) -> None:
        """End the run where it is, and drop all queued events."""

    def set_tick(self, tick: int) -> None:
        """Let `tick` be the next one, and `run_until`; the core is at rest, without events."""

    def fall_behind(self) -> None:
        """Let more time pass than any run at a fixed tick period can make up for.

        No run is under way. The call has no effect before the first tick after the register
        `tick_period` was written.
        """

    def counters(self) -> dict[str, int]:
        """Return the `registers.counters` that belong to the core, not clipped to their widths.

        The key `cycles` stands for both counters of cycles, the low and the high half.
        """
