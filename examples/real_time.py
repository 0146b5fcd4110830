"""A core in real time, at ever shorter tick periods: ``python examples/real_time.py``.

The stimulus does not wait. Down to the longest tick the core keeps up; between that and the mean
tick some ticks begin late, and are made up for; below it, the core falls behind for good.
"""

import numpy as np
from matplotlib.figure import Figure

from spiketwin.cosim.compare.case import Case
from spiketwin.cosim.compare.subject import Subject
from spiketwin.cosim.compare.sweep import sweep
from spiketwin.host import Network, connect

TICKS = 400
rng = np.random.default_rng(1)
net = Network(n_axons=64, n_neurons=64, v_tau=20.0)
net.threshold[:], net.weights[:64] = 300, rng.integers(20, 60, (64, 64))
loud = np.arange(TICKS) % 100 < 10  # bursts, in which there is more to do
spikes = np.argwhere(rng.random((TICKS, 64)) < np.where(loud, 0.3, 0.03)[:, np.newaxis])


def say_nothing(_what: str, _done: int, _of: int) -> None:
    """Take the progress of the sweep, which is over in a second."""


with connect("model:", params=net.core_params()) as core:
    case = Case.of(net, core.params, spikes, TICKS)
    subject = Subject("model:", "model:", core)
    found = sweep(subject, case, range(100, 1001, 25), say_nothing, distances=False)
keeps, falls = found.keeps_up_from, found.falls_behind_below
print(f"keeps up from {keeps} cycles on, falls behind below {falls:.2f}")
for point in found.points[::6]:
    print(
        f"{point.tick_period:4} cycles: {point.missed_deadlines} ticks and {point.late_spikes} of "
        f"{point.spikes} spikes late, {point.dropped_events} events lost"
    )

figure = Figure(figsize=(11, 4), layout="constrained")
left, right = figure.subplots(1, 2)
periods = found.values("tick_period")
left.plot(periods, found.values("missed_deadlines") / TICKS, ".-", label="ticks that begin late")
left.plot(periods, found.values("late_spikes") / found.values("spikes"), ".-", label="late spikes")
left.plot(periods, found.values("dropped_events") / found.events, ".-", label="lost events")
left.set(ylabel="share", title="What is late or lost")
right.semilogy(periods, found.microseconds(1) * found.values("latency_mean"), ".-", label="mean")
right.semilogy(periods, found.microseconds(1) * found.values("latency_max"), ".-", label="longest")
right.set(ylabel="µs", title=f"Latency of spikes, at {found.clock_hz / 1e6:g} MHz")
for axes in (left, right):
    axes.axvline(keeps, color="grey", linestyle="--", label="keeps up from here on")
    axes.axvline(falls, color="grey", linestyle=":", label="falls behind below")
    axes.set_xlabel("tick period, cycles")
    axes.legend(frameon=False)
figure.savefig("real_time.png", dpi=110)
