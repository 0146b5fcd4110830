"""Pair STDP, measured on a core beside the curve that was asked for: ``python examples/stdp.py``.

Every row of weights belongs to one axon and so to one train of spikes; the neuron fires once.
Points are changes of weights that were read back, lines are the formula.
"""

import numpy as np
from matplotlib.figure import Figure

from spiketwin.host import Network, connect
from spiketwin.host.elements import IntArray
from spiketwin.host.stdp import Pairing, StdpWindow

FIRES_AT = 60  # the tick of the neuron's spike
DELTAS = np.arange(-FIRES_AT, FIRES_AT + 1)  # t_post - t_pre
NUMBERS = np.arange(1, 13)  # spikes of the source before the one of the neuron


def measure(
    trains: list[list[int]], a_plus: float, pairing: Pairing
) -> tuple[StdpWindow, IntArray]:
    """Return the window that was set, and the change of the weight of each train of spikes."""
    driver = len(trains)  # the axon that makes the neuron fire
    net = Network(n_axons=driver + 1, n_neurons=8, v_tau=0.0)
    net.threshold[:], net.weights[driver], net.weights[:driver, 0] = 20_000, 32_000, 1_000
    learning = np.zeros(net.weights.shape, np.bool_)
    learning[:driver, 0] = True
    window = net.stdp(
        a_plus=a_plus, a_minus=12, tau_plus=15, tau_minus=30, w_min=-32768, w_max=32767,
        pairing=pairing, synapses=learning,
    )  # fmt: skip
    events = [(tick, axon) for axon, train in enumerate(trains) for tick in train]
    with connect("model:", params=net.core_params()) as core:
        core.program(net)
        core.run([*events, (FIRES_AT, driver)], ticks=2 * FIRES_AT + 1)
        return window, (core.read_weights() - net.weights)[:driver, 0]


figure = Figure(figsize=(11, 4), layout="constrained")
left, right = figure.subplots(1, 2)
window, found = measure([[FIRES_AT - delta] for delta in DELTAS.tolist()], 20, "nearest")
asked = np.array([window.change(delta) for delta in DELTAS.tolist()])
print(f"one pair, {len(DELTAS)} delays: off by {np.abs(found - asked).max():.2f} units at most")
left.plot(DELTAS, np.where(DELTAS == 0, np.nan, asked), color="grey", label="asked for")
left.plot(DELTAS, found, ".", label="measured")
left.set(xlabel="Δt = t_post - t_pre, ticks", ylabel="Δw, weight units", title="One pair")
right.set(xlabel="spikes before one of the neuron, one a tick", title="Many pairs")
trains = [[FIRES_AT - k for k in range(n, 0, -1)] for n in NUMBERS.tolist()]
for a_plus in (8, 20):
    window, found = measure(trains, a_plus, "all")
    asked = np.cumsum([window.change(delta) for delta in NUMBERS.tolist()])
    print(f"a_plus {a_plus}: room for {window.room_plus:.1f} spikes, 12 of them bring {found[-1]}")
    right.plot(NUMBERS, asked, color="grey")
    right.plot(NUMBERS, found, "o", label=f"a_plus {a_plus}: room for {window.room_plus:.1f}")
for axes in (left, right):
    axes.legend(frameon=False)
figure.savefig("stdp.png", dpi=110)
