"""Draws docs/images/stdp.png, the STDP that a core does: ``python docs/stdp.py``.

Every point is a change of a weight on the model, read back; every line is the formula.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spiketwin.host import Network, connect
from spiketwin.host.elements import IntArray
from spiketwin.host.stdp import Pairing, StdpWindow

PICTURE: Final = Path(__file__).parent / "images/stdp.png"
A_PLUS, A_MINUS, TAU_PLUS, TAU_MINUS = 20.0, 12.0, 15.0, 30.0
FIRES_AT: Final = 60
"""Tick in which the neuron fires, once."""
MOST_SPIKES: Final = 12

_BLUE, _RED, _GREY = "#0072B2", "#D55E00", "#777777"


def changes(
    trains: list[list[int]], a_plus: float, pairing: Pairing
) -> tuple[StdpWindow, IntArray]:
    """Change of a weight for each train of a source's spikes, by one spike of the neuron."""
    driver = len(trains)
    net = Network(n_axons=driver + 1, n_neurons=8, v_tau=0.0)
    net.threshold[:], net.weights[driver], net.weights[:driver, 0] = 20_000, 32_000, 1_000
    learning = np.zeros(net.weights.shape, np.bool_)
    learning[:driver, 0] = True
    window = net.stdp(
        a_plus=a_plus, a_minus=A_MINUS, tau_plus=TAU_PLUS, tau_minus=TAU_MINUS,
        w_min=-32768, w_max=32767, pairing=pairing, synapses=learning,
    )  # fmt: skip
    events = [(tick, axon) for axon, train in enumerate(trains) for tick in train]
    with connect("model:", params=net.core_params()) as core:
        core.program(net)
        core.run(np.array([*events, (FIRES_AT, driver)]), ticks=2 * FIRES_AT + 1)
        return window, (core.read_weights() - net.weights)[:driver, 0]


def draw_sums(axes: Axes, a_plus: float, pairing: Pairing, colour: str) -> None:
    """Draw what trains of 1, 2, … spikes change before one spike of the neuron."""
    numbers = np.arange(1, MOST_SPIKES + 1)
    window, found = changes(
        [[FIRES_AT - k for k in range(n, 0, -1)] for n in numbers], a_plus, pairing
    )
    pairs = [window.change(k) for k in range(1, MOST_SPIKES + 1)]
    meant = np.cumsum(pairs) if pairing == "all" else np.full(MOST_SPIKES, pairs[0])
    room = "all there can be" if math.isinf(window.room_plus) else f"{window.room_plus:.1f}"
    axes.plot(numbers, meant, color=colour, linewidth=1)
    axes.plot(numbers, found, "o", color=colour, markersize=4,
              label=f"a_plus {a_plus:g}, {pairing}: room for {room}")  # fmt: skip


def main() -> None:
    """Measure, and draw."""
    figure = Figure(figsize=(12.0, 4.6), layout="constrained", facecolor="white")
    left, right = figure.subplots(1, 2)
    deltas = np.arange(-FIRES_AT, FIRES_AT + 1)
    window, found = changes([[FIRES_AT - int(delta)] for delta in deltas], A_PLUS, "nearest")
    left.axhline(0, color=_GREY, linewidth=0.8)
    for part, colour in ((deltas < 0, _RED), (deltas >= 0, _BLUE)):
        meant = [window.change(float(delta)) for delta in deltas[part]]
        left.plot(deltas[part], meant, color=colour, linewidth=1)
        left.plot(deltas[part], found[part], ".", color=colour, markersize=5)
    left.set(
        xlabel="Δ = t_post - t_pre, ticks", ylabel="change of the weight, weight units",
        title=f"One pair: a_plus {A_PLUS:g}, a_minus {A_MINUS:g}, "
        f"tau_plus {TAU_PLUS:g}, tau_minus {TAU_MINUS:g}",
    )  # fmt: skip

    draw_sums(right, 8.0, "all", _BLUE)
    draw_sums(right, A_PLUS, "all", _RED)
    draw_sums(right, A_PLUS, "nearest", _GREY)
    right.set(
        xlabel="spikes of the source, one a tick, before one of the neuron",
        ylabel="change of the weight, weight units", title="Many pairs: what a trace has room for",
    )  # fmt: skip
    right.legend(frameon=False)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(PICTURE, dpi=110)


if __name__ == "__main__":
    main()
