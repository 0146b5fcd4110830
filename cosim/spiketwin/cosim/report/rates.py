"""The firing rate of each neuron over its input: the f–I curve, if the input is constant."""

from __future__ import annotations

from typing import Final

import numpy as np

from spiketwin.cosim.compare.comparison import Comparison
from spiketwin.cosim.compare.trajectory import Values
from spiketwin.cosim.report.chart import Plot, PlotAxis
from spiketwin.cosim.report.figure import Figure, Table
from spiketwin.cosim.report.marks import Key
from spiketwin.cosim.report.raster import spikes_of
from spiketwin.cosim.report.summary import grouped, origins
from spiketwin.cosim.report.svg import drawing
from spiketwin.host.elements import IntArray

_NAME: Final = "rates"
_HEIGHT: Final = 320.0
_PER: Final = 1000
"""Ticks per unit of rate: a rate is a number of spikes per so many ticks."""


def figure(found: Comparison) -> Figure:
    """Make the figure of the rate of each neuron over its input."""
    case, spikes = found.case, spikes_of(found)
    unit = f"{case.unit} a tick"
    constant = not case.network.n_weights
    title = "f–I curve" if constant else "Rate of each neuron over its mean input"
    received = _input(found)
    if np.ptp(received) == 0:
        sentence = "Every neuron receives the same, so there is no curve of rates over input."
        return Figure(_NAME, title, sentence, notes=[sentence])
    rates = grouped({name: _rates(found, each) for name, each in spikes.items()})
    label = f"constant input ({unit})" if constant else f"mean input ({unit})"
    fires = np.stack(list(rates.values())).max(axis=0) > 0
    says = (
        f"Spikes in {_PER:,} ticks over the {label}, a mark a neuron. "
        f"{int(fires.sum()):,} of {fires.size:,} neurons fire"
        + (f", from {received[fires].min():.4g} {unit} on." if fires.any() else ".")
        + "".join(f" On {name} at most {each.max():.4g}." for name, each in rates.items())
    )
    notes = [f"Rates: {origins(spikes)}. Input: computed."]
    if not constant:
        first = next(iter(spikes))
        notes.append(
            "Input is the bias, and the weights before the run of the spikes that arrive, those "
            f"of the neurons as they fired on {first}. It varies from tick to tick, so neurons of "
            "one mean input may have different rates: it is no f–I curve, which "
            "`--preset fi-curve` shows."
        )
    order = np.argsort(received, kind="stable")
    table = Table.cut(
        f"Spikes in {_PER:,} ticks",
        ("neuron", label, *rates),
        (
            (
                int(neuron),
                float(received[neuron]),
                *(float(each[neuron]) for each in rates.values()),
            )
            for neuron in order
        ),
        len(order),
    )
    keys = [Key(name, "marks", number) for number, name in enumerate(rates)]
    return Figure(
        _NAME, title, says, [table], notes, keys, lambda: _draw(title, says, label, received, rates)
    )


def _input(found: Comparison) -> Values:
    """Return the mean input of each neuron per tick, shape (n_neurons,), in the case's unit."""
    network, ticks = found.case.network, found.case.ticks
    fired = next(iter(found.devices.values())).behaviour.run.spikes
    delivered = fired[fired[:, 0] < ticks - 1, 1]
    active = np.concatenate([found.case.spikes[:, 1], delivered + network.n_axons])
    counts = np.bincount(active, minlength=network.n_sources)
    received: Values = (network.bias + counts @ network.weight_sums() / ticks) / found.case.scale
    return received


def _rates(found: Comparison, spikes: IntArray) -> Values:
    counts = np.bincount(spikes[:, 1], minlength=found.case.network.n_neurons)
    return counts.astype(np.float64) * (_PER / found.case.ticks)


def _draw(title: str, says: str, label: str, received: Values, rates: dict[str, Values]) -> str:
    margin = 0.03 * float(np.ptp(received))
    most = max(float(each.max()) for each in rates.values())
    plot = Plot(
        PlotAxis(label, float(received.min()) - margin, float(received.max()) + margin),
        PlotAxis(f"spikes in {_PER:,} ticks", 0.0, 1.05 * most or 1.0),
        _HEIGHT,
    )
    for number, each in enumerate(rates.values()):
        plot.marks(np.stack([received, each], axis=1), number, 4.0 - min(number, 3) * 0.6)
    return drawing(_NAME, title, says, [plot.group], _HEIGHT)
