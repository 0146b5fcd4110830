"""The files that ``spiketwin run`` writes beside its figures: pictures, spikes and arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import IO, Any, Final

import click
import numpy as np

from spiketwin.host.cli import raster
from spiketwin.host.cli.event_file import NEURONS
from spiketwin.host.cli.options import OutputFile, Outputs
from spiketwin.host.elements import IntArray
from spiketwin.host.events import of_spikes, write
from spiketwin.host.events.writing import check_name
from spiketwin.host.spikes import Run

_OPTIONS: Final = (
    click.option(
        "--output",
        type=OutputFile(),
        metavar="FILE",
        help="Write spikes, cycles and the weights afterwards as arrays (.npz).",
    ),
    click.option(
        "--spikes-to",
        type=OutputFile(),
        metavar="FILE",
        help="Write the spikes in microseconds, as .csv, .npz or .nix. It needs --dt.",
    ),
    click.option(
        "--plot-v",
        "drawn",
        type=NEURONS,
        metavar="NEURON,…",
        help=f"Draw the potentials of these neurons, {raster.MOST_POTENTIALS} at most, as well.",
    ),
    click.option(
        "--plot",
        type=OutputFile(".png"),
        metavar="FILE",
        help="Draw the spikes as PNG; with --dt over milliseconds.",
    ),
)


@dataclass(frozen=True)
class Written:
    """The files that a call has written of its run.

    Attributes
    ----------
    plot, spikes_to, output:
        The files; None for those that the call does not name.
    drawn:
        Neurons whose potentials are drawn; None for none.
    """

    plot: Path | None
    drawn: tuple[int, ...] | None
    spikes_to: Path | None
    output: Path | None

    @property
    def files(self) -> dict[str, Path | None]:
        """The files by the names of their options."""
        return {"--plot": self.plot, "--spikes-to": self.spikes_to, "--output": self.output}

    @property
    def probe(self) -> dict[str, tuple[int, ...]] | None:
        """What the run has to report for the plot."""
        return None if self.drawn is None else {"v": self.drawn}

    def check(self, dt: float | None) -> None:
        """Refuse what could not be drawn or written after the run; `dt` is None if not given."""
        if self.plot is not None:
            import_module("matplotlib")  # so that a missing package is reported
        elif self.drawn is not None:
            raise click.UsageError("--plot-v goes with --plot: name the picture")
        if self.spikes_to is not None:
            check_name(self.spikes_to)
            if dt is None:
                raise click.UsageError("--spikes-to needs --dt, the seconds that a tick stands for")
            of_spikes([], dt)

    def save(
        self, outputs: Outputs, run: Run, weights: IntArray | None, picture: raster.Picture
    ) -> None:
        """Write the files of a run; the weights after it are None if they are not known."""
        outputs.write(self.plot, lambda file: raster.save(file, run, picture))
        path, dt = self.spikes_to, picture.dt
        if path is not None and dt is not None:
            spikes = of_spikes(run.spikes, dt, picture.n_neurons)
            outputs.attempt(lambda: write(path, spikes))
        outputs.write(self.output, lambda file: _save_arrays(file, run, weights))


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of what is written; the command gets all of them as `written`."""

    @wraps(command)
    def collected(
        *arguments: Any,
        plot: Path | None,
        drawn: tuple[int, ...] | None,
        spikes_to: Path | None,
        output: Path | None,
        **others: Any,
    ) -> Any:
        return command(*arguments, written=Written(plot, drawn, spikes_to, output), **others)

    for add in _OPTIONS:
        collected = add(collected)
    return collected


def _save_arrays(file: IO[bytes], run: Run, weights: IntArray | None) -> None:
    """Write the arrays of a run to a file, and the weights after it if they are known."""
    arrays = {
        "spikes": run.spikes,
        "spike_cycles": run.spike_cycles,
        "cycles": run.cycles,
        "update_cycles": run.update_cycles,
    }
    if weights is not None:
        arrays["weights"] = weights
    np.savez_compressed(file, allow_pickle=False, **arrays)
