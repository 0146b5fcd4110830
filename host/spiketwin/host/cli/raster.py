"""Raster plots of spikes as PNG. matplotlib belongs to an extra, so it is imported lazily."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from spiketwin.host.elements import IntArray


def save(file: IO[bytes], spikes: IntArray, ticks: int, n_neurons: int, title: str) -> None:
    """Draw a raster plot of spikes, shape (m, 2) of (tick, neuron), and write it as PNG to a file.

    Raises `ImportError` without matplotlib, and `OSError` if the file cannot be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(spikes[:, 0], spikes[:, 1], linestyle="", marker="|", markersize=3, color="black")
    axes.set(xlim=(-0.5, ticks - 0.5), ylim=(-0.5, n_neurons - 0.5), xlabel="tick", ylabel="neuron")
    axes.set_title(title, parse_math=False)  # a dollar in a name is not the begin of a formula
    with plain_names():
        figure.savefig(file, format="png", dpi=150)


@contextmanager
def plain_names() -> Iterator[None]:
    """Suppress the warning about letters that the font lacks; they are drawn as boxes."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        yield
