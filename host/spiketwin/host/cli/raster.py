"""A raster of spikes as PNG. matplotlib is an extra, so only drawing imports it."""

from __future__ import annotations

from pathlib import Path

from spiketwin.host.elements import IntArray


def save(path: Path, spikes: IntArray, ticks: int, n_neurons: int, title: str) -> None:
    """Draw spikes, shape (m, 2) of (tick, neuron), into a PNG file.

    Raises `ImportError` without matplotlib, and `OSError` if the file cannot be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(spikes[:, 0], spikes[:, 1], linestyle="", marker="|", markersize=3, color="black")
    axes.set(
        xlim=(-0.5, ticks - 0.5),
        ylim=(-0.5, n_neurons - 0.5),
        xlabel="tick",
        ylabel="neuron",
        title=title,
    )
    figure.savefig(path, format="png", dpi=150)
