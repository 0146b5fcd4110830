"""A PyNN script over clocks and lines: ``python examples/explore_pynn.py``.

A population runs once, on the model; what hardware takes follows for every clock and line.
``spiketwin explore examples/explore_pynn.py --vary clock=12M --vary baud=1M,3M …`` asks the same.
"""

from functools import cache

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

import spiketwin.host.pynn as sim
from spiketwin.hdl.spec.protocol import MIN_CYCLES_PER_BIT
from spiketwin.host.ledger import Ledger
from spiketwin.host.pynn.simulator import state

CLOCKS = (12_000_000, 24_000_000, 48_000_000)
BAUDS = (500_000, 1_000_000, 3_000_000, 6_000_000, 12_000_000)


@cache
def ledger() -> Ledger:
    """Run 200 ms of 100 neurons that are driven by noise, and give the ledger of the run."""
    sim.setup(timestep=1.0, spike_precision="on_grid", target="model:")
    rng = np.random.default_rng(2)
    times = [np.flatnonzero(each < 0.05) + 1.0 for each in rng.random((50, 200))]
    noise = sim.Population(50, sim.SpikeSourceArray(spike_times=times))
    cells = sim.Population(100, sim.IF_curr_exp(cm=0.25, tau_refrac=2.0, tau_syn_E=5.0))
    pairs = sim.FixedProbabilityConnector(0.3, rng=sim.NumpyRNG(seed=3))
    sim.Projection(noise, cells, pairs, sim.StaticSynapse(weight=0.25, delay=1.0))
    sim.run(200.0)
    assert state.session is not None
    return Ledger.of(state.session.past[0].accounts)


def trial(clock: int, baud: int) -> dict[str, tuple[float, str]]:
    """Give the latency of spikes in seconds, and ticks a second, at a clock and a line."""
    there = ledger().on_hardware(baud, clock, 0.0)
    figures = {
        "latency": float(np.median(there.latency)) / clock,
        "ticks_per_second": there.ticks / there.seconds,
        "clock": float(clock),
    }
    return {name: (figure, "computed") for name, figure in figures.items()}


if __name__ == "__main__":
    panel = (figure := Figure(figsize=(7, 4), layout="constrained")).subplots()
    for size, clock in zip((14, 9, 4), CLOCKS, strict=True):
        rates = [baud for baud in BAUDS if clock >= MIN_CYCLES_PER_BIT * baud]
        speeds = [trial(clock, baud)["ticks_per_second"][0] for baud in rates]
        print(f"{clock / 1e6:.0f} MHz:", ", ".join(f"{speed:,.0f}" for speed in speeds), "ticks/s")
        panel.loglog(rates, speeds, "o-", ms=size, label=f"{clock / 1e6:.0f} MHz")
    panel.axhline(1000.0, color="0.5", linestyle=":", label="real time, ticks of 1 ms")
    panel.xaxis.set_major_formatter(EngFormatter())
    panel.set(xlabel="baud", ylabel="ticks a second (computed)", title="100 neurons of PyNN")
    panel.legend()
    figure.savefig("explore_pynn.png", dpi=110)
