"""A network of SuperNeuroMAT that learns: ``python examples/superneuromat_stdp.py``.

A random network with leaks, refractory times, delays and STDP runs on its own simulator and on the
model of a core. Spikes and weights are the same, all of them.
"""

import numpy as np
from matplotlib.figure import Figure
from superneuromat import SNN

from spiketwin.host import connect
from spiketwin.host.superneuromat import load

NEURONS, TICKS = 60, 200
rng = np.random.default_rng(3)

snn = SNN()
for _ in range(NEURONS):
    snn.create_neuron(
        threshold=float(rng.integers(1, 5)),
        leak=float(rng.choice([0.25, 0.5, 1.0])),
        refractory_period=int(rng.integers(0, 4)),
    )
for pre, post in np.argwhere(rng.random((NEURONS, NEURONS)) < 0.08).tolist():
    weight, delay = rng.integers(-4, 9) / 4, rng.integers(1, 4)
    snn.create_synapse(pre, post, float(weight), int(delay), stdp_enabled=bool(weight > 0))
for tick, neuron in np.argwhere(rng.random((TICKS, NEURONS)) < 0.05).tolist():
    snn.add_spike(tick, neuron, float(rng.integers(2, 5)))
snn.stdp_setup(Apos=[0.25, 0.125, 0.0625], Aneg=[-1 / 128, -1 / 256, -1 / 256])

net, report = load(snn)
print(report)
before = snn.weight_mat()
with connect("model:", params=net.core_params()) as core:
    core.program(net)
    found = report.run(core, TICKS)
snn.simulate(TICKS)

fired, learned = np.argwhere(found.ispikes[:, :NEURONS]), found.weight_mat
differing = np.count_nonzero(found.ispikes != snn.ispikes)
print(f"spikes: {len(fired)} of {NEURONS} neurons, {differing} of them other than the simulator's")
changed = learned != before
other = np.count_nonzero(learned != snn.weight_mat())
print(f"weights that changed: {np.count_nonzero(changed)}, {other} to other values")

figure = Figure(figsize=(11, 4.5), layout="constrained")
raster, weights = figure.subplots(1, 2, width_ratios=(2, 1))
raster.plot(*np.argwhere(snn.ispikes[:, :NEURONS]).T, "o", color="tab:orange", markersize=4)
raster.plot(*fired.T, "k.", markersize=2)
raster.set(xlabel="tick", ylabel="neuron", title="Spikes: simulator (orange), core (black)")
weights.plot(before[changed], snn.weight_mat()[changed], "o", color="tab:orange", label="simulator")
weights.plot(before[changed], learned[changed], "k.", label="core")
weights.set(xlabel="weight before", ylabel="weight after", title="Weights")
weights.legend(frameon=False)
figure.savefig("superneuromat_stdp.png", dpi=110)
