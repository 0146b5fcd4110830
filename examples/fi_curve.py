"""A leaky integrate-and-fire neuron, and its f–I curve: ``python examples/fi_curve.py``.

Every neuron of the network has a bias of its own, and no input. What the core counts is drawn on
the closed form of the neuron in discrete time, which is derived in examples/README.md.
"""

import math

import numpy as np
from matplotlib.figure import Figure

from spiketwin.hdl.spec.arithmetic import DECAY_BITS, decay_code
from spiketwin.host import Network, connect

THRESHOLD, TAU, REFRACTORY, TICKS = 1_000_000, 20.0, 2, 10_000
KEPT = 1 - decay_code(TAU) / 2**DECAY_BITS  # part of v that a tick leaves
RHEOBASE = THRESHOLD * (1 - KEPT)  # the bias with which v settles at the threshold
BIASES = np.round(RHEOBASE * np.linspace(0.9, 4.0, 125)).astype(int)
TRACED = 40  # the neuron whose potential is drawn


def interval(bias: float) -> float:
    """Return the ticks between two spikes of a neuron, infinitely many below rheobase."""
    if bias <= RHEOBASE:
        return math.inf
    return math.ceil(math.log(1 - RHEOBASE / bias) / math.log(KEPT)) + REFRACTORY


net = Network(n_axons=0, n_neurons=len(BIASES), bias=BIASES, v_tau=TAU)
net.threshold[:], net.refrac_ticks[:] = THRESHOLD, REFRACTORY
with connect("model:", params=net.core_params()) as core:
    core.program(net)
    potential = []
    for _ in range(80):
        core.run([], ticks=1)
        potential.append(core.read_state()["v"][TRACED])
    core.program(net)  # from tick 0 again
    run = core.run([], ticks=TICKS)
counted = np.bincount(run.spikes[:, 1], minlength=len(BIASES))
expected = [math.floor((TICKS + REFRACTORY) / interval(bias)) for bias in BIASES]
print(f"rheobase: {RHEOBASE:,.0f} units a tick")
print(f"spikes counted: {counted.sum():,}, of the closed form: {sum(expected):,}")
print(f"neurons of which they differ: {np.count_nonzero(counted != expected)}")

figure = Figure(figsize=(11, 4), layout="constrained")
left, right = figure.subplots(1, 2)
left.step(range(80), np.array(potential) / THRESHOLD, where="post", label="v")
left.axhline(1, color="grey", linestyle="--", label="threshold")
left.set(xlabel="tick", ylabel="v ÷ threshold", ylim=(-0.05, 1.25))
relative = BIASES / RHEOBASE
left.set_title(f"Bias {relative[TRACED]:.2f} × rheobase")
right.plot(relative, [1 / interval(bias) for bias in BIASES], color="grey", label="closed form")
right.plot(relative, counted / TICKS, ".", label=f"{TICKS:,} ticks of the core")
right.set(xlabel="bias ÷ rheobase", ylabel="spikes a tick", title="f–I curve")
left.legend(frameon=False, loc="upper right")
right.legend(frameon=False, loc="upper left")
figure.savefig("fi_curve.png", dpi=110)
