"""`QueuedModel`: a `ModelCore` with the queues, deadlines and counters around its ticks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from spiketwin.cosim.compilation import announced
from spiketwin.cosim.device.core import EVENT_TICK_PLACE, Elements
from spiketwin.cosim.model.apart import Apart
from spiketwin.cosim.model.core import NO_BIASES, ModelCore
from spiketwin.cosim.model.memory import Memory
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.protocol import WORD_BYTES, Word, count_word
from spiketwin.hdl.spec.registers import ClearMask, Space, registers
from spiketwin.host.plan import Plan
from spiketwin.host.words import Words, count, of_kind

_NO_EVENTS: Final = np.empty(0, np.int64), np.empty(0, np.int32)
_OVERDUE: Final = 1 << 62
"""Lateness in cycles that no run can make up for."""


class QueuedModel:
    """A model that can be the core of a `spiketwin.cosim.device.device.SoftwareDevice`.

    Parameters
    ----------
    params:
        Sizes of the core.

    Attributes
    ----------
    core:
        The model; `power_cycle` replaces it.
    run_until:
        The tick before which the run ends.
    """

    _events: Elements
    _biases: Elements

    def __init__(self, params: CoreParams) -> None:
        self.params = params
        self._tick_period = [r.name for r in registers(params)].index("tick_period")
        self._compiled = {(False, False)}
        self.power_cycle()

    def compile(self) -> None:
        """Compile the kernel now and not in the first run, which may be timed."""
        self.core.run((), 0)

    def power_cycle(self) -> None:
        """Set everything to its state after power-up."""
        self.core = ModelCore(self.params)
        self._memory = Memory(self.core)
        self._begin()

    def reset(self) -> None:
        """End the run, empty both queues, set state, registers, tick and counters to 0."""
        self.core.reset()
        self._begin()

    def _begin(self) -> None:
        """Set everything except the core to its state after a reset."""
        self._drop_events()
        self._words = b""
        self._taken = 0  # bytes of them
        self.run_until = 0
        self._lag = 0
        self._on_grid = False
        self._muted = 0
        self._cycles = 0
        self._missed_deadlines = 0
        self._late_events = 0
        self._muted_ticks = 0

    # --- what there is --------------------------------------------------------------------------

    @property
    def tick(self) -> int:
        """The next tick to be executed."""
        return self.core.tick

    @property
    def real_time(self) -> bool:
        """Whether ticks have a period."""
        return self.core.register["tick_period"] > 0

    @property
    def events_queued(self) -> int:
        """Events in the queue."""
        return int(self._events.size) + len(self._biases)

    @property
    def pending_groups(self) -> int:
        """Entries of `Space.PENDING` in use."""
        return len(self._memory.pending_entries())

    def counters(self) -> dict[str, int]:
        """Return the counters that the core has, not yet clipped to their widths."""
        return {
            "tick": self.core.tick,
            "run_until": self.run_until,
            "cycles": self._cycles,
            "missed_deadlines": self._missed_deadlines,
            "late_events": self._late_events,
            "muted_ticks": self._muted_ticks,
            "pending_groups": self.pending_groups,
            "events_queued": self.events_queued,
            "words_queued": self._words_queued,
            # Those that are not built cost nothing: counting brings all rows up to date.
            **(self.core.saturations if self.params.saturation_counters else {}),
        }

    # --- memory and state -----------------------------------------------------------------------

    def clear(self, mask: ClearMask) -> None:
        """Set the state that `mask` names to 0."""
        self.core.clear(mask)

    def read(self, space: Space, start: int, count: int) -> Elements:
        """Read elements of any space but the counters."""
        return self._memory.read(space, start, count)

    def write(self, space: Space, start: int, values: Elements) -> None:
        """Write elements, which have been checked."""
        self._memory.write(space, start, values)
        if space is Space.REGISTER and start <= self._tick_period < start + values.size:
            self._lag, self._on_grid = 0, False

    # --- the run --------------------------------------------------------------------------------

    def queue(self, events: Elements) -> None:
        """Queue axon events, for which there is room."""
        self._events = np.concatenate([self._events, events])
        self._drop_late_events()

    def queue_biases(self, events: Elements) -> None:
        """Queue bias events, for which there is room."""
        self._biases = np.concatenate([self._biases, events])
        self._drop_late_events()

    def run_to(self, tick: int) -> None:
        """Move `run_until` on to `tick`."""
        register = self.core.register
        reported = register["digest_en"] > 0, register["probe_period"] > 0
        if reported not in self._compiled:
            named = zip(("digests", "probes"), reported, strict=True)
            with announced(f"the model with {' and '.join(name for name, on in named if on)}"):
                self.compile()
            self._compiled.add(reported)
        self.run_until = tick

    def advance(self) -> None:
        """Execute the ticks of the run as far as the output queue has room for their words."""
        if self.core.tick < self.run_until or self._muted:
            self._advance(self.run_until)

    def take(self, count: int) -> bytes:
        """Take up to `count` output words; fewer only if the run is over."""
        size = count * WORD_BYTES
        if len(self._words) - self._taken < size:
            # Lazily, for speed: how far a run comes depends on what is taken, not on when.
            self.advance()
        words = self._words[self._taken : self._taken + size]
        self._taken += len(words)
        return words

    def take_at_once(self, count: int) -> bytes:
        """Take up to `count` output words; the queue need not hold more than those of one tick.

        Fewer only if the run is over, or if not even one more tick has room. Free-running.
        """
        parts = [self.take(min(count, self._words_queued))]
        room = count - len(parts[0]) // WORD_BYTES
        while self.core.tick < self.run_until and room >= self.core.next_words:
            words = self._run_core(self.run_until, room)
            parts.append(words.tobytes())
            room -= len(words)
        self._drop_late_events()
        return b"".join(parts)

    @property
    def _words_queued(self) -> int:
        return (len(self._words) - self._taken) // WORD_BYTES

    def _put(self, words: bytes) -> None:
        self._words, self._taken = self._words[self._taken :] + words, 0

    def stop(self) -> None:
        """End the run where it is, and drop all queued events."""
        self.run_until = self.core.tick
        self._drop_events()

    def set_tick(self, tick: int) -> None:
        """Let `tick` be the next one, and `run_until`."""
        self.core.tick = self.run_until = tick

    def fall_behind(self) -> None:
        """Let more time pass than any run at a fixed tick period can make up for."""
        if self._on_grid:
            self._lag = _OVERDUE

    def run_apart(self, plan: Plan, threads: int, report: Callable[[int], None]) -> bytes:
        """Carry out runs on several threads (`Apart`), with the result of doing so in order."""
        apart = Apart(self.core, plan)
        words = apart.carry_out(threads, report)
        self.run_until = self.core.tick
        self._cycles += apart.cycles
        return words

    def pass_ticks(self, ticks: int) -> None:
        """Let the time of up to `ticks` ticks of a run at a fixed tick period pass.

        Ticks for whose words the output queue has no room are muted.
        """
        end = min(self.core.tick + ticks, self.run_until)
        self._advance(end)
        while self.real_time and self.core.tick < end:
            before = self.core.tick
            self._run_core(end, room=self.params.spike_queue_depth + self.core.next_words)
            self._muted += self.core.tick - before
            self._muted_ticks += self.core.tick - before

    def _advance(self, end: int) -> None:
        """Execute the ticks before `end`, as far as the output queue has room."""
        depth = self.params.spike_queue_depth
        while (room := depth - self._words_queued) >= self.core.next_words:
            if self._muted and (self.core.tick < end or self.core.tick >= self.run_until):
                # Before the words of the next tick, or on its own when the run is over.
                self._put(count_word(Word.MUTED, self._muted).to_bytes(WORD_BYTES, "little"))
                self._muted = 0
                self._execute_ticks(min(end, self.core.tick + 1), room)
            elif self.core.tick < end:
                self._execute_ticks(end, room)
            else:
                break
        self._drop_late_events()

    def _execute_ticks(self, end: int, room: int) -> None:
        self._put(self._run_core(end, room).tobytes())

    def _run_core(self, end: int, room: int) -> Words:
        self._drop_late_events()
        ticks, axons = _NO_EVENTS
        if self._events.size:
            ticks = self._events >> EVENT_TICK_PLACE
            axons = (self._events & ((1 << EVENT_TICK_PLACE) - 1)).astype(np.int32)
        ran = self.core.advance(ticks, axons, end - self.core.tick, room, self._biases)
        if ran.events:
            self._events = self._events[ran.events :]
        if ran.biases:
            self._biases = self._biases[ran.biases :]
        self._cycles += ran.cycles
        if self.real_time:
            period = self.core.register["tick_period"]
            for cycles in count(ran.words[of_kind(ran.words, Word.END)]).tolist():
                self._on_grid = True
                self._missed_deadlines += self._lag > 0
                self._lag = max(0, self._lag + cycles - period)
        return ran.words

    def _drop_events(self) -> None:
        """Empty the event queue."""
        self._events, self._biases = np.empty(0, np.int64), NO_BIASES

    def _drop_late_events(self) -> None:
        begin = self.core.tick << EVENT_TICK_PLACE
        if self._events.size and int(self._events[0]) < begin:
            late = int(np.searchsorted(self._events, begin))
            self._late_events += late
            self._events = self._events[late:]
        if len(self._biases) and int(self._biases[0, 0]) < self.core.tick:
            late = int(np.searchsorted(self._biases[:, 0], self.core.tick))
            self._late_events += late
            self._biases = self._biases[late:]
