"""The speed of the core under cocotb when the testbench wakes up once a tick."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

from spiketwin.cosim.testbenches.core_driver import CoreDriver
from spiketwin.cosim.testbenches.declare import Benches
from spiketwin.hdl.spec import schedule

RESULT_VARIABLE: Final = "SPIKETWIN_BENCH_RESULT"
"""Environment variable that names the file to write the cycles per second to."""

TICKS: Final = 2000

bench = Benches(CoreDriver)


@bench
async def cycles_per_second(core: CoreDriver) -> None:
    """Run ticks in which all neurons fire, with one await each, and write the rate."""
    core.dut.words_ready.value = 1
    begin = time.perf_counter()
    for tick in range(TICKS):
        core.oracle.tick = tick
        await core.run(1)
    cycles = int(core.dut.cycles.value)
    seconds = time.perf_counter() - begin
    # All thresholds are 0, so every neuron fires in every tick, and is a source in the next.
    p = core.params
    first = schedule.tick_cycles(p, 0, p.n_neurons, learns=False)
    later = schedule.tick_cycles(p, p.n_neurons, p.n_neurons, learns=False)
    core.scoreboard.check("cycles", cycles, first + (TICKS - 1) * later)
    Path(os.environ[RESULT_VARIABLE]).write_text(repr(cycles / seconds), encoding="utf-8")
