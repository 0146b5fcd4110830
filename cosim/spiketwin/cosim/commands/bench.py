"""``spiketwin bench``: the project's own performance figures."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click
from rich.box import SIMPLE_HEAD
from rich.table import Table

from spiketwin.cosim.commands import spreading
from spiketwin.cosim.trials import bench as figures_of
from spiketwin.cosim.trials import mutants
from spiketwin.cosim.trials.bench_figures import BenchResult, PeersResult, shown
from spiketwin.cosim.trials.coverage import campaign as coverage
from spiketwin.cosim.trials.coverage.recorded import KINDS
from spiketwin.cosim.trials.coverage.results import CoverageResult
from spiketwin.cosim.trials.mutants import MutantsResult
from spiketwin.cosim.trials.mutation.campaign import MutationCampaign, earlier
from spiketwin.cosim.trials.mutation.results import MutationResult
from spiketwin.cosim.trials.peers import measuring as peers
from spiketwin.host.cli import options, progress
from spiketwin.host.cli.outcome import end
from spiketwin.host.progress import Stages
from spiketwin.host.threads import MOST_THREADS, checked_threads

_MOST_MUTANTS: Final = 100_000
_SEED: Final = 0


@click.command(
    epilog="\b\n"
    "spiketwin bench\n"
    "spiketwin bench --json bench.json\n"
    "spiketwin bench --mutants --json mutants.json\n"
    "spiketwin bench --mutants 400 --workers 2 --json mutants.json\n"
    "spiketwin bench --mutants 400 --since mutants.json --json mutants.json\n"
    "spiketwin bench --coverage --json coverage.json\n"
    "spiketwin bench --peers --json peers.json"
)
@click.option(
    "--mutants",
    "seeded",
    is_flag=False,
    flag_value=0,
    type=click.IntRange(0, _MOST_MUTANTS),
    metavar="[NUMBER]",
    help="Instead, break the gateware in twenty places, one at a time, and see whether "
    "`spiketwin compare` names each by tick, neuron or synapse, and field. Takes some minutes; "
    "status 1 if one is missed. With a number, change so many places by rule, in all units, and "
    "see which trial is the first to tell each.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, MOST_THREADS),
    help="With a number of mutants, or with --coverage: processes that run trials. Default: the "
    "processors there are.",
)
@spreading.scheduler
@click.option(
    "--since",
    type=options.InputFile(),
    help="With a number of mutants: a result of earlier, of the same gateware. Mutants that it "
    "says are killed, or proved to change nothing, are not tried again. So a run that was broken "
    "off goes on.",
)
@click.option(
    "--peers",
    "beside",
    is_flag=True,
    help="Instead, measure the model beside Brian2 and NEST on the same networks, in turns, each "
    "on one processor. Installs them into an environment of their own, once. Takes about ten "
    "minutes.",
)
@click.option(
    "--coverage",
    "covering",
    is_flag=True,
    help="Instead, see which lines, branches and bits of the gateware the trials of mutants run "
    "through, by unit. Takes some ten minutes, and less with several --workers.",
)
@options.json_file
def bench(
    seeded: int | None,
    workers: int | None,
    scheduler: str | None,
    since: Path | None,
    beside: bool,
    covering: bool,
    json_file: Path | None,
) -> None:
    """Measure the project's own performance on this machine.

    Counts of cycles are exact and the same everywhere. What takes time is measured in turns with
    what it is compared to, so the ratios hold where the seconds do not. A busy machine spoils
    both: run nothing else.
    """
    if (seeded is not None) + beside + covering > 1:
        raise click.UsageError(
            "--mutants, --peers and --coverage are measurements of their own: call bench for each"
        )
    if workers is not None and not (seeded or covering):
        raise click.UsageError(
            "--workers is for --mutants NUMBER and --coverage: leave it out, or add one of them"
        )
    for name, value in (("--scheduler", scheduler), ("--since", since)):
        if value is not None and not seeded:
            raise click.UsageError(f"{name} is for --mutants NUMBER: leave it out, or add that")
    console = options.console()
    outputs = options.Outputs()
    measure: Callable[[Stages], Any] = figures_of.measure
    table: Callable[[Any], Table] = _table
    if beside:
        measure, table = peers.measure, _peers_table
    if seeded == 0:
        measure, table = mutants.measure, _mutants_table
    elif covering:
        table = _coverage_table
    elif seeded:
        table = _mutation_table
    with progress.shown(console) as display:
        if seeded:
            known = earlier(since) if since else ()
            campaign = MutationCampaign(seeded, _SEED, checked_threads(workers), known, scheduler)
            steps = functools.partial(display, "mutants")
            measure = functools.partial(campaign.run, progress=steps)
        elif covering:
            count, steps = checked_threads(workers), functools.partial(display, "trials")
            measure = functools.partial(coverage.measure, progress=steps, workers=count)
        found = measure(display.stage)
    outputs.json(json_file, found)
    console.print(table(found))
    outputs.check()
    end(seeded != 0 or found.mutants.named == found.mutants.seeded)


def _table(figures: BenchResult) -> Table:
    table = Table("figure", "origin", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("value", justify="right")
    for name in figures.names():
        table.add_row(name, style="bold")
        group = getattr(figures, name)
        for figure in shown(group):
            title, origin = figure.metadata["title"], figure.metadata["origin"]
            value = getattr(group, figure.name)
            for size, number in value.items() if isinstance(value, dict) else (("", value),):
                label = f"  {title}, {size}" if size else f"  {title}"
                table.add_row(label, origin, _readable(number))
    return table


def _peers_table(found: PeersResult) -> Table:
    names = ("nest", "brian2_cpp", "brian2_cpp_tuned", "kernel", "connect")
    titles = ("NEST", "Brian2 C++", "Brian2, tuned", "kernel", "connect", "kernel to Brian2")
    table = Table("network", box=SIMPLE_HEAD, pad_edge=False)
    for title in ("neurons", *titles):
        table.add_column(title, justify="right")
    for case in found.names():
        for size, rates in getattr(found, case).items():
            each = (getattr(rates, name) for name in names)
            cells = ("–" if rate is None else _readable(rate) for rate in each)
            table.add_row(case, size, *cells, f"{rates.kernel / rates.brian2_cpp:.1f}")
    table.caption = "ticks a second (measured), one processor each, medians of turns"
    return table


def _mutants_table(result: MutantsResult) -> Table:
    found = result.mutants
    table = Table("bug", "tick", "field", "source", "neuron", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("seconds", justify="right")
    for each in found.list:
        place = (each.tick, each.field, each.source, each.neuron)
        cells = ("–" if value is None else str(value) for value in place)
        style = None if each.named else "bold red"
        table.add_row(each.name, *cells, f"{each.seconds:.2f}", style=style)
    table.caption = (
        f"{found.named} of {found.seeded} named (simulated), the slowest in "
        f"{found.slowest_seconds:.2f} s (measured)"
    )
    return table


def _mutation_table(found: MutationResult) -> Table:
    table = Table("unit", box=SIMPLE_HEAD, pad_edge=False)
    columns = ("mutants", "killed", "equivalent")
    for title in columns:
        table.add_column(title, justify="right")
    for unit, counts in found.units.items():
        table.add_row(unit, *(str(counts[name]) for name in columns))
    for each in found.survivors:
        table.add_row(f"{each.unit}:{each.line} {each.operator}: {each.text}", "1", "0", "0")
    untried = f", {found.untried} not tried" if found.untried else ""
    table.caption = (
        f"{found.killed} of {found.mutants} killed (simulated), {found.equivalent} proved to "
        f"change nothing{untried}"
    )
    return table


def _coverage_table(found: CoverageResult) -> Table:
    table = Table("unit", box=SIMPLE_HEAD, pad_edge=False)
    for kind in KINDS:
        table.add_column(kind, justify="right")
    for name, unit in {**found.units, "all": found.total}.items():
        table.add_row(name, *(f"{unit.covered[kind]} of {unit.points[kind]}" for kind in KINDS))
    for each in found.list:
        table.add_row(f"{each.bench} {each.unit} {each.what}: {each.text}")
    for name, points in found.waived.items():
        if not points:
            table.add_row(f"a waiver that is for no point: {name}")
    table.caption = f"points covered (simulated); waived: {sum(found.waived.values())}"
    return table


def _readable(number: float) -> str:
    return f"{number:,.0f}" if number >= 1000 else f"{number:.3g}"
