"""Detectors of motion, by delays: ``python examples/motion.py``.

A point moves along a row of axons. Each neuron hears all of them, each one so much later that the
spikes of a point of one direction and pace arrive in the same tick. Only that makes it fire.
"""

import numpy as np
from matplotlib.figure import Figure

from spiketwin.host import Network, Run, connect
from spiketwin.host.elements import IntArray

AXONS, WEIGHT, THRESHOLD = 8, 100, 700
DETECTED = (2, -2, 5, -5)  # ticks from an axon to the one on its right, less than 0 for the left
SHOWN = (2, -2, 5, -5, 3, 0)  # the last one is a flash of all axons at once
PACES = range(-8, 9)
APART = 100  # ticks from point to point, until the spikes of the slowest one have arrived


def passing(pace: int) -> IntArray:
    """Return how many ticks after it appears a point passes each axon."""
    return pace * np.arange(AXONS) - min(0, pace * (AXONS - 1))


def watch(paces: tuple[int, ...], fires: bool = True) -> Run:
    """Return the run in which points of these paces appear one after the other."""
    net = Network(n_axons=AXONS, v_tau=2.0)
    for pace in DETECTED:
        detector = net.population(1, threshold=THRESHOLD, fires=fires)
        for axon, delay in enumerate(passing(-pace).tolist()):
            net.project(net.axons[axon : axon + 1], detector, weights=WEIGHT, delay=delay)
    at = [APART * k + passing(pace) for k, pace in enumerate(paces)]
    events = np.stack([np.concatenate(at), np.tile(np.arange(AXONS), len(paces))], axis=1)
    with connect("model:", params=net.core_params()) as core:
        core.program(net)
        return core.run(events, APART * len(paces), probe={"v": range(len(DETECTED))})


fired, held = watch(SHOWN).spikes, watch(SHOWN, fires=False).probes["v"]
highest = [watch((pace,), fires=False).probes["v"].max(axis=0) for pace in PACES]
figure = Figure(figsize=(11, 5), layout="constrained")
axes = figure.subplot_mosaic("AT;VT", width_ratios=(3, 2))
for k, pace in enumerate(SHOWN):
    axes["A"].plot(APART * k + passing(pace), range(AXONS), "k|")
    who = [DETECTED[detector] for tick, detector in fired if tick // APART == k]
    print(f"{pace} ticks from axon to axon: fires {who or 'none'}")
for j, (v, peaks) in enumerate(zip(held.T, np.transpose(highest), strict=True)):
    (line,) = axes["V"].plot(v, label=f"{DETECTED[j]} ticks")
    at = fired[fired[:, 1] == j, 0]
    axes["V"].plot(at, v[at], "o", color=line.get_color())
    axes["T"].plot(PACES, peaks, ".-", label=f"{DETECTED[j]} ticks")
for each in ("V", "T"):
    axes[each].axhline(THRESHOLD, color="grey", linestyle="--")
axes["V"].legend(frameon=False, loc="center right")
axes["A"].set(ylabel="axon", title="Points that pass", xlim=axes["V"].get_xlim())
axes["V"].set(xlabel="tick", ylabel="v without firing, spikes")
axes["T"].set(xlabel="ticks from axon to axon", ylabel="highest v without firing")
figure.savefig("motion.png", dpi=110)
