"""Independent runs on several threads, each with a copy of the core.

A run is one or a few calls of the compiled kernel, which releases Python's global interpreter
lock. Its words are those that the device would have sent, produced without any request.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Final

import numpy as np

from spiketwin.cosim.model.core import ModelCore
from spiketwin.hdl.spec.registers import ClearMask
from spiketwin.host.plan import Plan

_ROOM: Final = 1 << 16
"""Output words that one call of the kernel may produce, beyond one tick: some milliseconds."""

_LOOK_SECONDS: Final = 0.05
"""Seconds that the handler of a signal, such as Ctrl-C, waits at most while threads work."""


class Apart:
    """The runs of a plan, carried out on several threads.

    Parameters
    ----------
    core:
        The core as it is before the first run. It is left unchanged until `carry_out` ends.
    plan:
        The runs; all state is cleared before each one, and nothing learns in them.

    Attributes
    ----------
    cycles:
        Clock cycles of all runs together.
    """

    def __init__(self, core: ModelCore, plan: Plan) -> None:
        self.cycles = 0
        self._core = core
        self._plan = plan
        self._ends = np.searchsorted(
            plan.events[:, 0], np.arange(plan.runs + 1) * plan.ticks
        ).tolist()
        self._event_tick = plan.events[:, 0] + core.tick
        self._event_axon = plan.events[:, 1].astype(np.int32)
        self._registers = {"tick_period": 0} | (
            {"digest_en": int(plan.digests)} if core.params.digest_rounds else {}
        )
        if core.params.probe_ranges:
            self._registers["probe_period"] = 0
        self._values = {name: values.tolist() for name, values in plan.registers.items()}
        self._numbers = itertools.count()  # each run is taken by the next free thread
        self._words: list[bytes] = [b""] * plan.runs
        self._done = 0
        self._broken_off = False
        self._lock = threading.Lock()

    def carry_out(self, threads: int, report: Callable[[int], None]) -> bytes:
        """Carry out the runs, and return all their words; the core is left as after the last.

        Parameters
        ----------
        threads:
            Number of threads.
        report:
            Called now and then with the number of runs done. If it raises an exception the runs
            end, and the core is left unchanged.
        """
        threads = min(threads, self._plan.runs)
        cores = [ModelCore(self._core.params) for _ in range(threads)]
        for core in cores:
            core.take_over(self._core)
            core.forget_counts()
        with ThreadPoolExecutor(threads) as pool:
            waiting = {pool.submit(self._work, core) for core in cores}
            try:
                while waiting:
                    done, waiting = wait(waiting, _LOOK_SECONDS)
                    for each in done:
                        each.result()
                    report(self._done)
            except BaseException:
                self._broken_off = True
                raise
        counted = [core.saturations for core in (self._core, *cores)]
        end = self._core.tick + self._plan.runs * self._plan.ticks
        (last,) = (core for core in cores if core.tick == end)
        self._core.take_over(last)
        self._core.forget_counts()
        for saturations in counted:
            self._core.add_counts(saturations)
        return b"".join(self._words)

    def _work(self, core: ModelCore) -> None:
        begin = self._core.tick
        cycles = 0
        for number in self._numbers:
            if number >= self._plan.runs or self._broken_off:
                break
            core.clear(~ClearMask(0))
            core.tick = begin + number * self._plan.ticks
            core.register.update(self._registers)
            core.register.update({name: v[number] for name, v in self._values.items()})
            cycles += self._run(core, number)
        with self._lock:
            self.cycles += cycles

    def _run(self, core: ModelCore, number: int) -> int:
        first, last = self._ends[number], self._ends[number + 1]
        end, cycles = core.tick + self._plan.ticks, 0
        words: list[bytes] = []
        while core.tick < end and not self._broken_off:
            ran = core.advance(
                self._event_tick[first:last], self._event_axon[first:last], end - core.tick, _ROOM
            )
            words.append(ran.words.tobytes())
            first += ran.events
            cycles += ran.cycles
        self._words[number] = b"".join(words)
        with self._lock:
            self._done += 1
        return cycles
