"""The cost of probes over the link of the simulated RTL, beside the same run without them."""

from __future__ import annotations

import statistics
import time
from typing import Any, Final

import numpy as np

from spiketwin.cosim.trials.bench_figures import ProbeFigures
from spiketwin.hdl.spec.results import Result
from spiketwin.host import Core, Network, Run, connect
from spiketwin.host.elements import IntArray

SIZES: Final = "full,probe_ranges=1,spike_queue_depth=512"
PROBED: Final = 83
"""Neurons whose potential every tick reports."""

TICKS: Final = 1_000
TURNS: Final = 5

SHARES: Final = {"active": 0.02, "idle": 0.0}
"""Share of the axons that are active in a tick, by the name of the load."""


def probing(ticks: int = TICKS, turns: int = TURNS) -> dict[str, Result]:
    """Measure runs of so many ticks in turns with and without probes; return ``probes``."""
    net = Network.random(n_axons=256, n_neurons=256, seed=1)
    ratios: dict[str, float] = {}
    cycles: dict[str, float] = {}
    values = 0.0
    with connect("rtl:", params=SIZES) as core:
        for load, share in SHARES.items():
            core.program(net)
            active = np.random.default_rng(1).random((ticks, net.n_axons)) < share
            events = np.argwhere(active)
            seconds = []
            for _ in range(turns):
                without, alone = _timed(core, events, ticks)
                probed, both = _timed(core, events, ticks, probe={"v": range(PROBED)})
                seconds.append(both / alone)
            ratios[load] = statistics.median(seconds)
            cycles[load] = probed.ledger.device_seconds / without.ledger.device_seconds
            values = (probed.ledger.bytes_in - without.ledger.bytes_in) / (ticks * PROBED)
    return {
        "probes": ProbeFigures(
            ratio_to_run_without=ratios, cycles_to_run_without=cycles, bytes_per_value=values
        )
    }


def _timed(core: Core, events: IntArray, ticks: int, **probe: Any) -> tuple[Run, float]:
    begin = time.perf_counter()
    run = core.run(events, ticks, **probe)
    _ = run.spikes  # which are decoded when they are looked at
    return run, time.perf_counter() - begin
