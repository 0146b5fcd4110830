"""The command ``spiketwin run``: it runs a saved network on any target."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from spiketwin.hdl.spec.results import Result
from spiketwin.host import files
from spiketwin.host.cautions import warn_of_repeats
from spiketwin.host.cli import event_file, live, options, progress, raster, stimulus
from spiketwin.host.cli import ledger as ledger_table
from spiketwin.host.cli import written as written_files
from spiketwin.host.cli.event_file import Asked
from spiketwin.host.cli.view import View
from spiketwin.host.cli.written import Written
from spiketwin.host.core import Core
from spiketwin.host.errors import LinkError
from spiketwin.host.files import Stimulus
from spiketwin.host.paths import readable
from spiketwin.host.rounded_for import RoundedFor
from spiketwin.host.spikes import Run, Saturations, saturations_row
from spiketwin.host.summaries import LedgerSummary
from spiketwin.host.targets import connect, origin, takes_sizes

_BUSIEST: Final = 5


@dataclass(frozen=True)
class Cycles(Result):
    """Cycles of the ticks of a run.

    Attributes
    ----------
    total, least, mean, most:
        Cycles of all ticks together, and the least, the mean and the most of one tick.
    """

    total: int
    least: int
    mean: float
    most: int


@dataclass(frozen=True)
class Rates(Result):
    """The rates at which neurons fired in a run.

    Attributes
    ----------
    mean_spikes_per_neuron_and_tick:
        The mean over all neurons and ticks.
    spikes_of_each_neuron:
        Number of spikes, for each neuron.
    """

    mean_spikes_per_neuron_and_tick: float
    spikes_of_each_neuron: list[int]


@dataclass(frozen=True)
class RunResult(Result):
    """The result of ``spiketwin run``.

    Attributes
    ----------
    target, build:
        Address of the target, and the build that it reports.
    baud:
        Bits per second of the line; null without a line.
    ticks, spikes:
        Ticks that were executed, and spikes that were fired.
    cycles:
        Cycles of the ticks.
    rates:
        How often neurons fired.
    saturations:
        Counts of values that saturated (docs/tick.md); null from a core that does not count them.
    broken_off:
        Whether the run ended early.
    seconds:
        Wall time of the run; null if it ended early.
    ledger:
        Where the wall time went; null if the run ended early.
    """

    target: str
    build: str
    baud: int | None
    ticks: int
    spikes: int
    cycles: Cycles
    rates: Rates
    saturations: Saturations | None
    broken_off: bool
    seconds: float | None
    ledger: LedgerSummary | None


@click.command(
    epilog="\b\n"
    "spiketwin run net.npz --on model:\n"
    "spiketwin run net.npz --on rtl: --params ncx --json figures.json\n"
    "spiketwin run net.npz --on rtl: --live\n"
    "spiketwin run net.npz --on /dev/ttyUSB1 --spikes events.csv --ticks 500 --plot raster.png"
)
@click.argument("net", type=options.InputFile())
@options.on_target("Default: the smallest core that holds the network.")
@stimulus.spike_file
@event_file.options
@stimulus.ticks
@live.option
@written_files.options
@click.option("--ledger", is_flag=True, help="Show where the wall time of the run went.")
@options.json_file
def run(
    net: Path,
    url: str,
    params: str | None,
    baud: int | None,
    retries: int,
    record: Path | None,
    spike_file: Path | None,
    ticks: int | None,
    is_live: bool,
    ledger: bool,
    json_file: Path | None,
    asked: Asked,
    written: Written,
) -> None:
    """Run the network in the file NET on a target and say what it did."""
    options.check_distinct(
        {"--json": json_file, **written.files, "--record": record},
        {"NET": net, "--spikes": spike_file, "--events": asked.file},
        [url],
    )
    network, saved = files.load(net)
    known = files.rounded_for_of(net) or RoundedFor()
    dt = known.dt if asked.dt is None else asked.dt
    written.check(dt)
    played = stimulus.chosen(saved, network.n_axons, spike_file, ticks, asked)
    warn_of_repeats(played.spikes, network)
    needed = network.core_params(**known.sizes, **_sizes(len(played.biases), written))
    console = options.console()
    screen = live.terminal() if is_live else None
    sizes = needed if params is None and takes_sizes(url) else params
    with connect(url, params=sizes, baud=baud, retries=retries, record=record) as core:
        name, size = f"{net.name} on {url}", network.n_neurons
        view = None if screen is None else _view(core, name, url, size, played.ticks)
        ended_by = None
        try:
            with options.needing(needed):
                core.program(network)
                done = _run(core, played, screen or console, view, written)
        except (KeyboardInterrupt, LinkError) as error:
            ended_by = error
            done = _part(error)
        # After an error of the link the weights cannot be read.
        weights = None if isinstance(ended_by, LinkError) else core.read_weights()
        build, rate = core.identity.build, core.link.line.baud
    found = _result(url, build, rate, network.n_neurons, done)
    title = f"{readable(net.name)} on {readable(url)}"
    outputs = options.Outputs()
    drawn = written.drawn or ()
    picture = raster.Picture(title, played.ticks, network.n_neurons, dt, drawn)
    written.save(outputs, done, weights, picture)
    outputs.json(json_file, found)
    console.print(_table(found, done))
    if ledger and ended_by is None:
        console.print(ledger_table.table({url: done.ledger}))
    outputs.check()
    if ended_by is not None:
        click.echo(
            f"spiketwin: broken off after {len(done.cycles)} of {played.ticks} ticks", err=True
        )
        raise ended_by


def _sizes(biases: int, written: Written) -> dict[str, Any]:
    """Return what a simulated core must have beside what the network needs."""
    sizes: dict[str, Any] = {"bias_events": biases > 0}
    return sizes if written.probe is None else sizes | {"probe_ranges": 1}


def _part(error: BaseException) -> Run:
    """Return the part of a run that an error has broken off; raise the error if it is empty."""
    part: Run | None = error.__dict__.get("run")
    if part is None or not len(part.cycles):
        raise error
    return part


def _view(core: Core, title: str, url: str, n_neurons: int, ticks: int) -> View:
    return View(
        title,
        identity=core.identity,
        statistics=core.statistics,
        origin=origin(url),
        n_neurons=n_neurons,
        total=ticks,
        unit="ticks",
    )


def _run(
    core: Core,
    played: Stimulus,
    console: Console,
    view: View | None,
    written: Written,
) -> Run:
    """Run the network, and show on the console how far it is, or the view if there is one."""
    run = partial(
        core.run, played.spikes, played.ticks, biases=played.biases,
        probe=written.probe,
    )  # fmt: skip
    if view is None:
        with progress.shown(console, "ticks") as show:
            return run(progress=partial(show, "running"))

    def watch(first: int, part: Run) -> None:
        view.add(part, first + len(part.cycles))

    with live.drawn(view, console):
        return run(watch=watch)


def _result(url: str, build: str, baud: int | None, n_neurons: int, run: Run) -> RunResult:
    ticks = len(run.cycles)
    counts = np.bincount(run.spikes[:, 1], minlength=n_neurons)
    return RunResult(
        target=url,
        build=build,
        baud=baud,
        ticks=ticks,
        spikes=len(run.spikes),
        cycles=Cycles(
            total=int(run.cycles.sum()),
            least=int(run.cycles.min()),
            mean=float(run.cycles.mean()),
            most=int(run.cycles.max()),
        ),
        rates=Rates(len(run.spikes) / (n_neurons * ticks), counts.tolist()),
        saturations=run.saturations,
        broken_off=not run.accounts,
        seconds=run.ledger.wall_seconds if run.accounts else None,
        ledger=run.ledger.summary() if run.accounts else None,
    )


def _table(found: RunResult, run: Run) -> Table:
    cycles, counts = found.cycles, np.array(found.rates.spikes_of_each_neuron)
    table = Table(title=f"{found.target} (build {found.build})", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_row("ticks", f"{found.ticks:,}")
    table.add_row("spikes", f"{found.spikes:,}")
    rate = found.rates.mean_spikes_per_neuron_and_tick
    table.add_row("spikes per neuron and tick", f"{rate:.4f}")
    busiest = np.argsort(-counts, kind="stable")[:_BUSIEST]
    ranking = ", ".join(f"{j} ({counts[j]:,})" for j in busiest if counts[j])
    table.add_row("busiest neurons (spikes)", ranking or "none")
    table.add_row("cycles", f"{cycles.total:,}")
    table.add_row(
        "cycles a tick, least / mean / most",
        f"{cycles.least:,} / {cycles.mean:,.1f} / {cycles.most:,}",
    )
    table.add_row(*saturations_row(run.saturations))
    baud = found.baud
    table.add_row("line", "none: bytes take no time" if baud is None else f"{baud:,} baud")
    if found.seconds is not None:
        table.add_row("seconds (measured, link included)", f"{found.seconds:.3f}")
        ledger_table.add_hardware(table, run.ledger)
    return table
