"""`CoreEngine`: the simulated RTL of the core alone, for the software device."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np

from spiketwin.cosim.device.core import EVENT_TICK_PLACE, Elements
from spiketwin.cosim.rtl import ports
from spiketwin.cosim.rtl.build import Design, library, report_on_stderr
from spiketwin.cosim.rtl.engine import SLICE_CYCLES, EngineClosed, slices
from spiketwin.hdl.spec.protocol import MAX_FETCH_WORDS, WORD_BYTES
from spiketwin.hdl.spec.registers import SATURATIONS, ClearMask, Space, space_formats


class CoreEngine:
    """One simulated core, powered up: a `DeviceCore`.

    Every access takes clock cycles, but the tick timer counts only those of `advance` and `take`
    and is stopped during all else (`core_harness.cpp`). Several engines can exist side by side;
    one engine is for one thread at a time.

    Parameters
    ----------
    design:
        The design to simulate, at the level ``core``; built on first use.
    report:
        Called with one line before a build begins.

    Attributes
    ----------
    design, params:
        The simulated design, and the sizes of its core.

    Raises
    ------
    TargetError
        The library cannot be built.
    """

    def __init__(self, design: Design, report: Callable[[str], None] = report_on_stderr) -> None:
        self.design = design
        self.params = design.params
        self._formats = space_formats(self.params)
        names = ports.status_of(self.params)
        self._place = {name: place for place, name in enumerate(names)}
        self._status = (ctypes.c_uint64 * len(names))()
        self._words = (ctypes.c_uint32 * MAX_FETCH_WORDS)()
        self._native = _load(library(design, report))
        self._core: int | None = self._new()

    def power_cycle(self) -> None:
        """Turn the power off and on: memory, state, registers, queues and counts are lost."""
        self._native.spiketwin_delete(self._powered())
        self._core = self._new()

    def close(self) -> None:
        """Free the simulation; everything but `close` is an error from now on."""
        if self._core is not None:
            self._native.spiketwin_delete(self._core)
            self._core = None

    def __del__(self) -> None:
        # An engine whose library could not be built has nothing to free.
        if hasattr(self, "_core"):
            self.close()

    def __enter__(self) -> CoreEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _new(self) -> int:
        return int(self._native.spiketwin_new(self._status, self.design.power_up or 0))

    def _powered(self) -> int:
        if self._core is None:
            raise EngineClosed("the core was closed; make another one")
        return self._core

    # --- what there is --------------------------------------------------------------------------

    @property
    def cycles(self) -> int:
        """Clock cycles since power-up, whatever they were spent on."""
        return int(self._native.spiketwin_cycles(self._powered()))

    @property
    def tick(self) -> int:
        """The next tick to be executed."""
        return self._shown("tick")

    @property
    def run_until(self) -> int:
        """The tick before which the run ends."""
        return self._shown("run_until")

    @property
    def real_time(self) -> bool:
        """Whether ticks have a period."""
        return self._shown("real_time") != 0

    @property
    def events_queued(self) -> int:
        """Events in the queue."""
        return self._shown("event_level")

    @property
    def pending_groups(self) -> int:
        """Entries of `Space.PENDING` in use."""
        return self._shown("pending_groups")

    def counters(self) -> dict[str, int]:
        """Return the counters of the core."""
        names = ["cycles", "missed_deadlines", "late_events", "muted_ticks"]
        if self.params.saturation_counters:
            names += [counter.name for counter in SATURATIONS]
        return {
            "tick": self.tick,
            "run_until": self.run_until,
            "pending_groups": self.pending_groups,
            "events_queued": self.events_queued,
            "words_queued": self._shown("word_level"),
            **{name: self._shown(name) for name in names},
        }

    def _shown(self, port: str) -> int:
        return self._status[self._place[port]]

    # --- memory and state -----------------------------------------------------------------------

    def reset(self) -> None:
        """End the run, empty both queues, set state, registers, tick and counters to 0."""
        self._native.spiketwin_reset(self._powered(), sum(ClearMask))

    def clear(self, mask: ClearMask) -> None:
        """Set the state that `mask` names to 0."""
        self._native.spiketwin_clear(self._powered(), mask)

    def read(self, space: Space, start: int, count: int) -> Elements:
        """Read elements of any space but the counters."""
        form = self._formats[space]
        values = np.empty(count, np.int32 if form.signed else np.uint32)
        columns = form.columns
        self._native.spiketwin_read(
            self._powered(), space, start, columns, count, values.ctypes.data
        )
        return values.astype(np.int64)

    def write(self, space: Space, start: int, values: Elements) -> None:
        """Write elements, which have been checked."""
        elements = values.astype(np.int64).astype(np.int32)
        columns = self._formats[space].columns
        self._native.spiketwin_write(
            self._powered(), space, start, columns, elements.size, elements.ctypes.data
        )

    # --- the run --------------------------------------------------------------------------------

    def queue(self, events: Elements) -> None:
        """Queue axon events; the queue must have room for them."""
        self._queue(events >> EVENT_TICK_PLACE, events & ((1 << EVENT_TICK_PLACE) - 1))

    def queue_biases(self, events: Elements) -> None:
        """Queue bias events; the queue must have room for them."""
        tick, neuron, bias = events.T
        width = self.params.event_number_width
        of_width = bias & ((1 << self.params.v_width) - 1)
        self._queue(tick, neuron | 1 << width | of_width << (width + 1))

    def _queue(self, tick: Elements, above: Elements) -> None:
        """Queue events by their ticks and by what their layout has above it."""
        words = np.stack([tick, above, above >> 32], axis=1).astype(np.uint32)
        self._native.spiketwin_queue(self._powered(), words.ctypes.data, len(words))

    def run_to(self, tick: int) -> None:
        """Move `run_until` on to `tick`."""
        self._native.spiketwin_run_to(self._powered(), tick)

    def advance(self) -> None:
        """Execute the ticks of the run as far as the output queue has room for their words."""
        while not self._native.spiketwin_advance(self._powered(), SLICE_CYCLES):
            pass

    def take(self, count: int) -> bytes:
        """Take up to `count` output words; fewer only if the run is over."""
        if self._shown("word_level") < count:
            self.advance()
        taken = self._native.spiketwin_take(self._powered(), self._words, count)
        return ctypes.string_at(self._words, taken * WORD_BYTES)

    def stop(self) -> None:
        """End the run where it is, and drop all queued events."""
        self._native.spiketwin_stop(self._powered())

    def set_tick(self, tick: int) -> None:
        """Let `tick` be the next one, and `run_until`."""
        self._native.spiketwin_set_tick(self._powered(), tick)

    def fall_behind(self) -> None:
        """Let more time pass than any run at a fixed tick period can make up for."""
        self._native.spiketwin_fall_behind(self._powered())

    def bare_loop(self, cycles: int) -> float:
        """Return the wall-clock seconds of so many cycles in which only the clock toggles.

        This is the baseline for the speed of a run. At a fixed tick period the ticks of a run go
        on meanwhile, and words without room are dropped; `advance` does not notice them.
        """
        seconds = 0.0
        for part in slices(cycles):
            seconds += self._native.spiketwin_run_bare(self._powered(), part)
        return seconds


@functools.cache
def _load(path: Path) -> ctypes.CDLL:
    native = ctypes.CDLL(str(path))
    core, size, number = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint
    block = (core, number, size, size, size, ctypes.c_void_p)
    for name, result, arguments in (
        ("new", core, (ctypes.c_void_p, ctypes.c_int)),
        ("delete", None, (core,)),
        ("read", None, block),
        ("write", None, block),
        ("clear", None, (core, number)),
        ("stop", None, (core,)),
        ("reset", None, (core, number)),
        ("queue", None, (core, ctypes.c_void_p, size)),
        ("run_to", None, (core, ctypes.c_uint32)),
        ("set_tick", None, (core, ctypes.c_uint32)),
        ("advance", ctypes.c_int, (core, ctypes.c_uint64)),
        ("take", size, (core, ctypes.c_void_p, size)),
        ("fall_behind", None, (core,)),
        ("cycles", ctypes.c_uint64, (core,)),
        ("run_bare", ctypes.c_double, (core, ctypes.c_uint64)),
    ):
        function = getattr(native, f"spiketwin_{name}")
        function.restype = result
        function.argtypes = arguments
    return native
