"""``spiketwin run``: a saved network on any target."""

from __future__ import annotations

import time
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from spiketwin.host import files
from spiketwin.host.cli import options, raster
from spiketwin.host.core import Core
from spiketwin.host.elements import IntArray
from spiketwin.host.errors import InvalidInput
from spiketwin.host.spikes import Run, checked_events
from spiketwin.host.targets import connect

_BUSIEST = 5


@click.command()
@click.argument("net", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@options.on_target
@click.option(
    "--spikes",
    "spike_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Axon events, one (tick, axon) a row: an integer array as .npy, or .csv. "
    "Default: those saved with the network.",
)
@click.option(
    "--ticks",
    type=click.IntRange(min=1),
    help="Length of the run. Default: as saved; with --spikes, up to the last one.",
)
@click.option("--plot", type=options.OutputFile(), metavar="FILE", help="Draw the spikes as PNG.")
@options.json_file
@click.option(
    "--output",
    type=options.OutputFile(),
    metavar="FILE",
    help="Write spikes, cycles and the weights afterwards as arrays (.npz).",
)
def run(
    net: Path,
    url: str,
    params: str | None,
    baud: int,
    spike_file: Path | None,
    ticks: int | None,
    plot: Path | None,
    json_file: Path | None,
    output: Path | None,
) -> None:
    """Run the network in the file NET on a target and say what it did.

    \b
    spiketwin run net.npz --on model:
    spiketwin run net.npz --on rtl: --params ncx --json figures.json
    spiketwin run net.npz --on /dev/ttyUSB1 --spikes events.csv --ticks 500 --plot raster.png
    """  # noqa: D301
    if plot is not None:
        import_module("matplotlib")  # should it be missing, that is known before the run
    network, stimulus = files.load(net)
    events, length = _stimulus(stimulus, spike_file, ticks)
    # Checked before a target is opened, which may take a build.
    events = checked_events(events, length, network.n_axons)
    console = Console()
    with connect(url, params=params, baud=baud) as core:
        core.program(network)
        done, seconds = _run(console, core, events, length)
        weights = core.read_weights()
        build = core.identity.build
    figures = _figures(url, build, network.n_neurons, done, seconds)
    console.print(_table(figures, done, network.n_neurons))
    if plot is not None:
        raster.save(plot, done.spikes, length, network.n_neurons, title=f"{net.name} on {url}")
    if output is not None:
        with output.open("wb") as file:
            np.savez_compressed(
                file,
                spikes=done.spikes,
                spike_cycles=done.spike_cycles,
                cycles=done.cycles,
                update_cycles=done.update_cycles,
                weights=weights,
            )
    if json_file is not None:
        options.write_json(json_file, figures)


def _stimulus(
    saved: files.Stimulus | None, spike_file: Path | None, ticks: int | None
) -> tuple[NDArray[Any], int]:
    """Events and length of the run, of what was saved and what the options say."""
    if spike_file is not None:
        events = _read_spikes(spike_file)
        return events, ticks or (int(events[:, 0].max()) + 1 if len(events) else 1)
    if saved is None:
        if ticks is None:
            raise InvalidInput(
                "no spikes are saved with this network: give --spikes, or --ticks to run without"
            )
        return np.empty((0, 2), np.int64), ticks
    if ticks is None:
        return saved.spikes, saved.ticks
    return saved.spikes[saved.spikes[:, 0] < ticks], ticks


def _read_spikes(path: Path) -> NDArray[Any]:
    """Read a table of integers with two columns; nothing in a file can be executed."""
    try:
        if path.suffix == ".npy":
            table: NDArray[Any] = np.load(path, allow_pickle=False)
        elif path.suffix == ".csv":
            lines = path.read_text(encoding="utf-8").splitlines()
            heading = bool(lines) and not lines[0].split(",")[0].strip().lstrip("-").isdecimal()
            rows = [[int(cell) for cell in line.split(",")] for line in lines[heading:] if line]
            table = np.array(rows, np.int64).reshape(len(rows), -1)
        else:
            raise InvalidInput(f"{path} must be a .npy or a .csv file: save it as one of them")
    except (ValueError, EOFError, OverflowError) as error:
        raise InvalidInput(f"{path} is no table of (tick, axon): {error}") from error
    if table.size == 0:
        return np.empty((0, 2), np.int64)
    if table.ndim != 2 or table.shape[1] != 2 or table.dtype.kind not in "iu":
        raise InvalidInput(
            f"{path} must hold integers of shape (k, 2), (tick, axon), not {table.dtype} of "
            f"shape {table.shape}"
        )
    return table


def _run(console: Console, core: Core, events: IntArray, ticks: int) -> tuple[Run, float]:
    columns = (
        TextColumn("running"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("ticks"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=ticks)
        begin = time.perf_counter()
        done = core.run(
            events, ticks, progress=lambda now, _all: progress.update(task, completed=now)
        )
        return done, time.perf_counter() - begin


def _figures(url: str, build: str, n_neurons: int, run: Run, seconds: float) -> dict[str, Any]:
    ticks = len(run.cycles)
    counts = np.bincount(run.spikes[:, 1], minlength=n_neurons)
    return {
        "target": url,
        "build": build,
        "ticks": ticks,
        "spikes": len(run.spikes),
        "cycles": {
            "total": int(run.cycles.sum()),
            "least": int(run.cycles.min()),
            "mean": float(run.cycles.mean()),
            "most": int(run.cycles.max()),
        },
        "rates": {
            "mean_spikes_per_neuron_and_tick": len(run.spikes) / (n_neurons * ticks),
            "spikes_of_each_neuron": counts.tolist(),
        },
        "seconds": seconds,
    }


def _table(figures: dict[str, Any], run: Run, n_neurons: int) -> Table:
    cycles, counts = figures["cycles"], np.bincount(run.spikes[:, 1], minlength=n_neurons)
    table = Table(title=f"{figures['target']} (build {figures['build']})", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_row("ticks", f"{figures['ticks']:,}")
    table.add_row("spikes", f"{figures['spikes']:,}")
    rate = figures["rates"]["mean_spikes_per_neuron_and_tick"]
    table.add_row("spikes per neuron and tick", f"{rate:.4f}")
    busiest = np.argsort(-counts, kind="stable")[:_BUSIEST]
    ranking = ", ".join(f"{j} ({counts[j]:,})" for j in busiest if counts[j])
    table.add_row("busiest neurons (spikes)", ranking or "none")
    table.add_row("cycles", f"{cycles['total']:,}")
    table.add_row(
        "cycles a tick, least / mean / most",
        f"{cycles['least']:,} / {cycles['mean']:,.1f} / {cycles['most']:,}",
    )
    table.add_row("seconds (measured, link included)", f"{figures['seconds']:.3f}")
    return table
