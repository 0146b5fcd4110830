"""``spiketwin compare``: one stimulus on several targets, up to the first difference."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Final

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from spiketwin.cosim.commands import played
from spiketwin.cosim.commands.calls import given
from spiketwin.cosim.compare import comparison, waves
from spiketwin.cosim.compare.comparison import FLOAT, Comparison
from spiketwin.cosim.compare.difference import Difference
from spiketwin.cosim.compare.equality import NO_SPIKE
from spiketwin.cosim.compare.shrink import shrink
from spiketwin.cosim.compare.subject import Subject
from spiketwin.cosim.report import page, rendering, summary
from spiketwin.cosim.report import trace as trace_file
from spiketwin.cosim.report.result import ComparisonResult
from spiketwin.hdl.spec.params import MAX_DIGEST_ROUNDS, described
from spiketwin.host import files
from spiketwin.host.cli import event_file, options, progress
from spiketwin.host.cli import ledger as ledger_table
from spiketwin.host.cli.event_file import Asked
from spiketwin.host.cli.outcome import Outcome, end
from spiketwin.host.targets import takes_sizes

_COMMAND: Final = ("spiketwin", "compare")
_SHRUNK: Final = "shrunk.npz"

_HOW: Final = ("baud", "retries", "every", "digests")
"""Parameters of the comparison itself, which hold whatever is played."""


@click.command(
    epilog="\b\n"
    "spiketwin compare net.npz --on model: --on rtl:\n"
    "spiketwin compare net.npz --on rtl: --on /dev/ttyUSB1 --shrink small.npz\n"
    "spiketwin compare --preset balanced --on model: --on float: --report balanced.html"
)
@played.net
@click.option(
    "--on",
    "urls",
    multiple=True,
    required=True,
    metavar="URL",
    help=f"Target, given twice or more: {options.TARGETS}, or {FLOAT}, the ideal network.",
)
@played.arguments
@event_file.options
@click.option(
    "--shrink",
    "small",
    type=options.OutputFile(".npz"),
    is_flag=False,
    flag_value=_SHRUNK,
    metavar="[FILE]",
    help="Look for the smallest network and stimulus that still make a difference, and save them "
    f"here ({_SHRUNK} if nothing is said).",
)
@click.option(
    "--waves",
    "vcd",
    type=options.OutputFile(".vcd"),
    metavar="FILE",
    help="Write the signals of the simulated RTL around the first difference as VCD, and beside it "
    "a save file for GTKWave.",
)
@click.option(
    "--every",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="TICKS",
    help="Ticks between two comparisons of all state. More is faster, but what differs in between "
    "and heals without a trace is not seen. Cores with digests need none.",
)
@click.option(
    "--digests",
    is_flag=True,
    help="Build simulated targets with digests. Targets that have them are compared by the digest "
    "of all that each tick writes, weights included, instead of by reading state.",
)
@click.option(
    "--report",
    "html",
    type=options.OutputFile(".html"),
    metavar="FILE",
    help="Write all of it as a page to look at, with rasters, latencies, weights and rates.",
)
@click.option(
    "--trace",
    type=options.OutputFile(".json"),
    metavar="FILE",
    help="Write when each target did what, as a trace that Perfetto opens.",
)
@options.json_file
def compare(
    net: Path | None,
    urls: tuple[str, ...],
    preset_name: str | None,
    spike_file: Path | None,
    ticks: int | None,
    params: str | None,
    baud: int | None,
    retries: int,
    small: Path | None,
    vcd: Path | None,
    every: int,
    digests: bool,
    html: Path | None,
    trace: Path | None,
    json_file: Path | None,
    asked: Asked,
) -> None:
    """Run the network in the file NET on several targets, and find the first difference.

    Spikes, cycles of every tick and of every spike, state or digest of every tick, and in the end
    all weights are compared. What differs is traced to the first tick, and there to the neuron or
    synapse and the variable that the rest follows from.

    float: is the network in double precision, nothing rounded. No core equals it; how near each
    one comes is said as the share of spikes within one tick, while every neuron receives the ideal
    network's own spikes.

    Exits with status 1 if two targets other than float: differ.
    """
    written = {"--shrink": small, "--json": json_file, "--report": html, "--trace": trace}
    read = {"NET": net, "--spikes": spike_file, "--events": asked.file}
    _check_files({**written, "--waves": vcd}, read, urls)
    devices = _devices(urls)
    options.rates(list(devices.values()), baud)
    if vcd is not None:
        _check_waves(devices.values())
    for name in rendering.MODULES if html else ():
        import_module(name)  # fail before the run if it is missing
    console = options.console()
    rounds = MAX_DIGEST_ROUNDS if digests else 0
    what = played.played(net, preset_name, spike_file, ticks, rounds, asked)
    with (
        options.needing(what.sizes),
        comparison.subjects(devices, params, what.sizes, baud, retries) as subjects,
    ):
        if digests:
            _check_digests(subjects)
        case = what.on(subjects[0].core.params)
        with progress.shown(console) as display:
            found = comparison.compare(case, subjects, FLOAT in urls, every, display)
        outputs = options.Outputs()
        traced = _save(outputs, json_file, html, trace, _heading(net, preset_name, every), found)
        _say(console, found, every)
        if traced is not None and len(traced) < found.case.ticks:
            _say_what_is_traced(console, trace, traced)
        _look_into(console, outputs, subjects, found, vcd, small)
    outputs.check()
    end(not found.differences)


def _check_files(
    writes: dict[str, Path | None], reads: dict[str, Path | None], urls: tuple[str, ...]
) -> None:
    """Refuse a call that names a file twice; ``--waves`` writes a second file beside its own."""
    vcd = writes["--waves"]
    beside = vcd and vcd.with_suffix(waves.VIEW_SUFFIX)
    options.check_distinct({**writes, "the save file of --waves": beside}, reads, urls)


def _check_waves(urls: Iterable[str]) -> None:
    """Refuse ``--waves`` where no target has signals."""
    if not any(map(waves.can_have, urls)):
        raise click.UsageError("--waves needs a simulated RTL: give --on rtl: as well")


def _check_digests(subjects: list[Subject]) -> None:
    """Refuse ``--digests`` where a device was built without them."""
    without = [each.name for each in subjects if not each.core.params.digest_rounds]
    if without:
        raise click.UsageError(
            f"--digests: {without[0]} was built without; build it with digest_rounds="
            f"{MAX_DIGEST_ROUNDS}, or leave --digests out"
        )


def _look_into(
    console: Console,
    outputs: options.Outputs,
    subjects: list[Subject],
    found: Comparison,
    vcd: Path | None,
    small: Path | None,
) -> None:
    """Write the signals around the first difference and the smallest case with it, if wanted."""
    if found.differences:
        if vcd is not None:
            outputs.attempt(lambda: _waves(console, subjects, found, vcd))
        if small is not None:
            outputs.attempt(lambda: _shrink(console, subjects, found, small))
        return
    for option, path in {"--waves": vcd, "--shrink": small}.items():
        if path is not None:
            line = f"{option}: no two targets but {FLOAT} differ, so {path} is not written."
            console.print(line, soft_wrap=True, markup=False)


def _save(
    outputs: options.Outputs,
    json_file: Path | None,
    html: Path | None,
    trace: Path | None,
    heading: page.Heading,
    found: Comparison,
) -> range | None:
    """Write the result to the files that are wanted; return the ticks of the trace, if any."""
    if json_file is not None or html is not None:
        figures = page.figures_of(found)
    if json_file is not None:
        outputs.json(json_file, ComparisonResult.of(found, figures))
    if html is not None:
        outputs.attempt(lambda: page.save(html, heading, found, figures))
    if trace is not None:
        return outputs.attempt(lambda: trace_file.save(trace, found))
    return None


def _heading(net: Path | None, preset_name: str | None, every: int) -> page.Heading:
    """Return the head of the page: name of the network, and the call that plays it again."""
    context = click.get_current_context()
    call = [*_COMMAND]
    for parameter in context.command.params:
        if not isinstance(parameter.type, options.OutputFile):
            call += given(context, parameter)
    return page.Heading(played.name(net, preset_name), shlex.join(call), every)


def _devices(urls: tuple[str, ...]) -> dict[str, str]:
    """Return the addresses of all targets except the ideal network, by name."""
    devices = [url for url in urls if url != FLOAT]
    if len(urls) - len(devices) > 1:
        raise click.UsageError(f"--on {FLOAT} is given twice: it is the same each time")
    if not devices:
        raise click.UsageError(f"nothing to compare {FLOAT} with: give another --on, say model:")
    if len(urls) < 2:
        raise click.UsageError(
            f"nothing to compare {urls[0]} with: give --on twice, say --on model: --on {urls[0]}"
        )
    return dict(zip(options.told_apart(devices), devices, strict=True))


def _waves(console: Console, subjects: list[Subject], found: Comparison, path: Path) -> None:
    """Write the signals around the first difference that involves the simulated RTL."""
    for difference in found.differences:
        for subject in subjects:
            if subject.name in difference.values and waves.can_have(subject.url):
                waves.save(path, subject, found.case, difference)
                saved = f"{path} and {path.with_suffix('.gtkw')}: the signals of {subject.name}"
                console.print(saved, soft_wrap=True, markup=False)
                return
    console.print("No waves: no rtl: target differs from the first one.", markup=False)


def _shrink(console: Console, subjects: list[Subject], found: Comparison, path: Path) -> None:
    """Save the smallest case in which the targets of the first difference differ."""
    difference = found.differences[0]
    first, other = (each for each in subjects if each.name in difference.values)
    with progress.shown(console) as display:
        shrunk = shrink(first, other, found.case, difference, display)
    case, network = shrunk.case, shrunk.case.network
    biases = case.biases if len(case.biases) else None
    files.save(path, network, case.spikes, case.ticks, biases)
    rewritten = f"{len(case.biases):,} bias events, " if len(case.biases) else ""
    console.print(
        f"{path}: {case.ticks:,} ticks, {len(case.spikes):,} axon events, {rewritten}"
        f"{network.n_axons} axons, {network.n_neurons} neurons, {network.n_weights:,} weights, "
        f"after {shrunk.runs:,} runs{'' if shrunk.whole else ', the most: shrink it once more'}",
        soft_wrap=True,
        markup=False,
    )
    _say_difference(console, shrunk.difference)
    again = [*_COMMAND, str(path), "--on", first.url, "--on", other.url]
    if takes_sizes(first.url) or takes_sizes(other.url):
        again += ["--params", described(first.core.params)]
    context = click.get_current_context()
    for parameter in context.command.params:
        if parameter.name in _HOW:
            again += given(context, parameter)
    console.print(f"Again: {shlex.join(again)}", soft_wrap=True, markup=False)


# --- output ------------------------------------------------------------------------------------


def _table(found: Comparison) -> Table:
    """Return a table with one column per target, which fits a narrow terminal."""
    table = Table(box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    columns = summary.columns(found)
    table.add_column("", overflow="fold")
    for name in columns:
        table.add_column(name, justify="right", overflow="fold")
    for title in next(iter(columns.values())):
        table.add_row(title, *(texts[title] for texts in columns.values()))
    return table


def _say(console: Console, found: Comparison, every: int) -> None:
    """Print the figures of each target, where its time was spent, and the verdict."""
    console.print(_table(found))
    ledgers = {name: one.behaviour.run.ledger for name, one in found.devices.items()}
    console.print(ledger_table.table(ledgers))
    for difference in found.differences:
        _say_difference(console, difference)
    outcome = summary.outcome(found, every)
    if outcome.passed:
        outcome.say(console)


def _say_what_is_traced(console: Console, trace: Path | None, ticks: range) -> None:
    line = f"{trace}: ticks {ticks[0]:,} to {ticks[-1]:,} alone, for more are too many"
    console.print(line, soft_wrap=True, markup=False)


def _say_difference(console: Console, difference: Difference) -> None:
    """Print a difference in one line, and the ticks around it."""
    Outcome(False, "DIFFERENT", (summary.sentence(difference),)).say(console)
    console.print(summary.consequences(difference), markup=False, soft_wrap=True)
    if difference.around is None:
        return
    names, what = list(difference.values), summary.what_differs(difference)
    table = Table("tick", box=SIMPLE_HEAD, pad_edge=False)
    for name in names:
        table.add_column(f"{what}\n{name}", justify="right", overflow="fold")
    for name in names:
        table.add_column(f"neurons that fired\n{name}", overflow="fold")
    around = difference.around
    for row, tick in enumerate(around.ticks):
        values_then = [around.values[name][row] for name in names]
        fired = [around.spikes[name][row] for name in names]
        cells = ["–" if _no_spike(difference, each) else f"{each:,}" for each in values_then]
        table.add_row(
            f"{tick:,}",
            *cells,
            *(" ".join(map(str, each)) or "–" for each in fired),
            style="bold red" if tick == difference.tick else None,
        )
    console.print(table)


def _no_spike(difference: Difference, value: int) -> bool:
    return difference.field == "spike_cycle" and value == NO_SPIKE
