"""Winner-take-all by one constant: ``python examples/winner.py``.

Every neuron inhibits all others by the same weight, which takes no memory. The one with the
strongest input silences the rest, until the input moves on to another one.
"""

import numpy as np
from matplotlib.figure import Figure

from spiketwin.host import Network, Run, connect

NEURONS, PHASES, PHASE = 12, 4, 250
TICKS = PHASES * PHASE
STRONGEST = [3, 8, 0, 10]  # the neuron with the strongest input in each phase

rng = np.random.default_rng(2)
rates = np.full((PHASES, NEURONS), 0.2)
rates[range(PHASES), STRONGEST] = 0.45
events = np.argwhere(rng.random((TICKS, NEURONS)) < rates.repeat(PHASE, axis=0))


def run(inhibition: int) -> Run:
    """Return the run with so much inhibition of each neuron by each other one."""
    net = Network(n_axons=NEURONS, v_tau=30.0, i_syn_tau=4.0, v_floor=-2000)
    neurons = net.population(NEURONS, threshold=1000)
    net.project(net.axons, neurons, weights=np.eye(NEURONS, dtype=int) * 60)
    net.project(neurons, neurons, constant=-inhibition, itself=False)
    with connect("model:", params=net.core_params()) as core:
        core.program(net)
        return core.run(events, TICKS)


figure = Figure(figsize=(11, 4), layout="constrained")
for axes, inhibition in zip(figure.subplots(1, 2, sharey=True), (0, 250), strict=True):
    spikes = run(inhibition).spikes
    own = spikes[:, 1] == np.array(STRONGEST)[spikes[:, 0] // PHASE]
    print(f"inhibition {inhibition}: {len(spikes)} spikes, {own.mean():.0%} of the strongest")
    axes.plot(*spikes[~own].T, "|", color="grey", label="others")
    axes.plot(*spikes[own].T, "|", color="tab:red", label="strongest input")
    axes.set(xlabel="tick", ylabel="neuron", title=f"Inhibition {inhibition}")
figure.axes[1].legend(loc="upper left")
figure.savefig("winner.png", dpi=110)
