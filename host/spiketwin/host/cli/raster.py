"""Plots of spikes and potentials as PNG. matplotlib is of an extra, so it is imported lazily."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Final

from spiketwin.host.spikes import Run

MOST_POTENTIALS: Final = 8
"""Most neurons whose potentials are drawn: more cannot be told apart."""


@dataclass(frozen=True)
class Picture:
    """The curves that a plot of a run shows beside its spikes.

    Attributes
    ----------
    title:
        Its title.
    ticks, n_neurons:
        Length of the run that was asked for, and number of neurons of the network.
    dt:
        Seconds of a tick, with which times are in milliseconds; None: they are ticks.
    drawn:
        Neurons whose potentials are drawn, in the order in which `Run.probes` has them.
    """

    title: str
    ticks: int
    n_neurons: int
    dt: float | None = None
    drawn: tuple[int, ...] = ()

    @property
    def scale(self) -> float:
        """What a tick is on the axis of time."""
        return 1.0 if self.dt is None else self.dt * 1000


def save(file: IO[bytes], run: Run, picture: Picture) -> None:
    """Draw the spikes of a run, and potentials above them, and write them as PNG to a file.

    Raises `ImportError` without matplotlib, and `OSError` if the file cannot be written.
    """
    from matplotlib.figure import Figure

    scale, shown = picture.scale, picture.drawn
    figure = Figure(figsize=(9, 6.5 if shown else 4), layout="constrained")
    axes = figure.subplots(1 + bool(shown), sharex=True, squeeze=False)[:, 0]
    for column, neuron in enumerate(shown):
        v = run.probes["v"][:, column]
        axes[0].plot(run.probe_ticks * scale, v, label=f"neuron {neuron}", linewidth=1)
    if shown:
        axes[0].set(ylabel="v")
        axes[0].legend(loc="upper right", fontsize="small")
    ticks, neurons = run.spikes[:, 0] * scale, run.spikes[:, 1]
    axes[-1].plot(ticks, neurons, linestyle="", marker="|", markersize=3, color="black")
    axes[-1].set(
        xlim=(-0.5 * scale, (picture.ticks - 0.5) * scale), ylim=(-0.5, picture.n_neurons - 0.5),
        xlabel="tick" if picture.dt is None else "time in ms", ylabel="neuron",
    )  # fmt: skip
    # A dollar in a name is not the begin of a formula.
    axes[0].set_title(picture.title, parse_math=False)
    with plain_names():
        figure.savefig(file, format="png", dpi=150)


@contextmanager
def plain_names() -> Iterator[None]:
    """Suppress the warning about letters that the font lacks; they are drawn as boxes."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        yield
