"""A synfire chain whose last layer excites the first, with delays: ``python examples/synfire.py``.

Each layer excites the next one, and arrives there a few ticks later. A volley of spikes that is
strong enough runs through all layers and closes up on the way; a weaker one dies out.
"""

import numpy as np
from matplotlib.figure import Figure

from spiketwin.host import Network, Run, connect

LAYERS, SIZE, DELAY, TICKS = 8, 20, 8, 240

net = Network(n_axons=SIZE, v_tau=6.0, i_syn_tau=2.0)
thresholds = np.random.default_rng(1).integers(600, 1100, (LAYERS, SIZE))
layers = [net.population(SIZE, threshold=its, refrac_ticks=20) for its in thresholds]
net.project(net.axons, layers[0], weights=40)
for before, after in zip(layers, layers[1:] + layers[:1], strict=True):
    net.project(before, after, weights=40, delay=DELAY)
params = net.core_params()
print(f"{params.n_relays} relays, up to {params.max_delay} ticks")


def volley(spikes: int) -> Run:
    """Return the run in which so many axons spike, spread over eight ticks."""
    axons = np.arange(spikes)
    with connect("model:", params=params) as core:
        core.program(net)
        return core.run(np.stack([5 + axons * 8 // spikes, axons], axis=1), TICKS)


figure = Figure(figsize=(11, 4), layout="constrained")
for axes, spikes in zip(figure.subplots(1, 2, sharey=True), (20, 17), strict=True):
    run = volley(spikes)
    axes.plot(*run.spikes.T, ".", markersize=3)
    axes.hlines(np.arange(1, LAYERS) * SIZE - 0.5, 0, TICKS, color="lightgrey", linewidth=0.8)
    axes.set(xlabel="tick", ylabel="neuron", xlim=(0, TICKS), title=f"A volley of {spikes} spikes")
    reached = {int(neuron) // SIZE for neuron in run.spikes[:, 1]}
    last = run.spikes[-1, 0] if len(run.spikes) else 0
    print(f"{spikes} spikes: {len(reached)} layers fire, the last spike in tick {last}")
figure.savefig("synfire.png", dpi=110)
