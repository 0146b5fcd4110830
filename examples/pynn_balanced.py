"""A balanced network in PyNN: ``python examples/pynn_balanced.py``.

Excitation and inhibition hold each other in balance, so neurons fire irregularly. The name of the
simulator is all of this package: with ``pyNN.nest`` or ``pyNN.brian2`` as argument it runs there.
"""

import sys
from importlib import import_module
from typing import Any

import numpy as np
from matplotlib.figure import Figure

SIMULATOR = sys.argv[1] if len(sys.argv) > 1 else "spiketwin.host.pynn"
TIME, EXCITES, INHIBITS = 600.0, 160, 40
OPTIONS = {"target": ["model:", "float:"]} if "spiketwin" in SIMULATOR else {}
sim = import_module(SIMULATOR)
sim.setup(timestep=1.0, min_delay=1.0, spike_precision="on_grid", **OPTIONS)
rng = np.random.default_rng(1)
inputs = [np.flatnonzero(each < 0.03) + 2.0 for each in rng.random((100, int(TIME)))]
noise = sim.Population(100, sim.SpikeSourceArray(spike_times=inputs))
cell = sim.IF_curr_exp(cm=0.5, tau_refrac=2.0, tau_syn_E=5.0, tau_syn_I=10.0)
excites = sim.Population(EXCITES, cell, label="excitatory")
inhibits = sim.Population(INHIBITS, cell, label="inhibitory")
everyone = excites + inhibits
everyone.initialize(v=sim.RandomDistribution("uniform", (-65, -51), rng=sim.NumpyRNG(seed=1)))


def project(source: Any, share: float, weight: float, kind: str) -> None:
    """Connect a share of all pairs, each after 1 to 8 ms."""
    numbers = sim.NumpyRNG(seed=int(1000 * share))
    delays = sim.RandomDistribution("uniform_int", (1, 8), rng=numbers)
    synapse = sim.StaticSynapse(weight=weight, delay=delays)
    pairs = sim.FixedProbabilityConnector(share, rng=numbers)
    sim.Projection(source, everyone, pairs, synapse, receptor_type=kind)


project(noise, 0.15, 0.24, "excitatory")
project(excites, 0.05, 0.06, "excitatory")
project(inhibits, 0.1, -0.16, "inhibitory")
everyone.record("spikes")
excites[:1].record("v")
sim.run(TIME)

trains = everyone.get_data("spikes").segments[0].spiketrains
(v,) = excites.get_data("v").segments[0].analogsignals
gaps = [np.diff(train.magnitude) for train in trains if len(train) > 5]
print(f"{np.mean(list(map(len, trains))) / TIME * 1000:.1f} spikes a second of each neuron")
print(f"variation of intervals between spikes: {np.mean([g.std() / g.mean() for g in gaps]):.2f}")
if OPTIONS:
    (ideal,) = sim.report().differences
    print(f"{ideal.same_tick_share:.2%} of the spikes at the tick of the ideal network")
figure = Figure(figsize=(11, 5), layout="constrained")
top, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
top.eventplot([train.magnitude for train in trains], linelengths=2.0, colors="black")
top.set(ylabel="neuron", xlim=(0, TIME), title=f"Neurons: inhibitory from {EXCITES} on")
below.plot(v.times.magnitude, v.magnitude[:, 0], linewidth=0.8)
below.set(xlabel="ms", ylabel="mV")
figure.savefig("pynn_balanced.png", dpi=110)
