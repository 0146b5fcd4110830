"""The command ``spiketwin import``: a network of another framework, saved as one of ours."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from html import escape
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import click
import numpy as np

from spiketwin.cosim.commands.calls import given as words_given
from spiketwin.cosim.report import quantisation, rendering
from spiketwin.hdl.spec.params import described
from spiketwin.hdl.spec.results import Result
from spiketwin.host import Network, files
from spiketwin.host.cli import event_file, options, stimulus
from spiketwin.host.cli.doors import door_of
from spiketwin.host.cli.event_file import Asked
from spiketwin.host.door_report import DoorReport
from spiketwin.host.files import Stimulus
from spiketwin.host.paths import readable
from spiketwin.host.quantisation.measure import Measured, measure
from spiketwin.host.quantisation.report import QuantisationReport
from spiketwin.host.rounded_for import RoundedFor
from spiketwin.host.targets import origin

_PAGE: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; }}
body {{ padding: 0 1rem; }}
pre {{ white-space: pre-wrap; }}
th {{ text-align: left; font-weight: normal; padding-right: 2rem; }}
td {{ padding-right: 2rem; }}
td {{ font-variant-numeric: tabular-nums; }}
</style>
<main>
<h1>{title}</h1>
<pre>{text}</pre>
<table>{rows}</table>
{tables}
</main>
</html>
"""


_SEED: Final = 1
_RATE: Final = 0.1
_NOISE_TICKS: Final = 200
"""The noise where no stimulus is given: its seed, share of axons active in a tick, and length."""


@dataclass(frozen=True)
class Imported(Result):
    """The result of ``spiketwin import``.

    Attributes
    ----------
    kind:
        What the file holds, as its content says.
    n_axons, n_neurons, synapses:
        Sizes of the network, and its synapses with a weight other than 0.
    start:
        Names of the state that the network begins with, where it is not 0; it is saved with it.
    params:
        The core that the network was rounded for, or else the smallest that holds it, as
        ``--params`` takes it.
    report:
        What became of the network, as its door reports it.
    stimulus:
        What was played for `measured`; null if nothing was.
    measured:
        What the rounding costs, beside double precision; null if it was not measured.
    """

    kind: str
    n_axons: int
    n_neurons: int
    synapses: int
    start: list[str]
    params: str
    report: dict[str, Any]
    stimulus: str | None
    measured: Measured | None


@click.command(
    "import",
    epilog="\b\n"
    "spiketwin import graph.nir net.npz --dt 0.0001 --report page.html\n"
    "spiketwin import graph.nir net.npz --weight-width 8 --spikes spikes.csv --json figures.json\n"
    "spiketwin import network.json net.npz --json figures.json",
)
@click.argument("network_file", metavar="FILE", type=options.InputFile())
@click.argument("net", type=options.OutputFile(".npz"))
@click.option("--weight-width", type=click.IntRange(min=1), help="Bits of a weight.")
@click.option(
    "--spikes",
    "spike_file",
    type=options.InputFile(),
    metavar="FILE",
    help="Axon events to measure with and to save with the network, one (tick, axon) a row: an "
    "integer array as .npy, or .csv. Default: those of FILE, and noise to measure with.",
)
@event_file.options
@stimulus.ticks
@click.option(
    "--report",
    "html",
    type=options.OutputFile(".html"),
    metavar="FILE",
    help="Write what was rounded and left out as a page to look at. Of a graph of NIR it also has "
    "what that costs, measured on model: beside double precision.",
)
@options.json_file
def import_network(
    network_file: Path,
    net: Path,
    weight_width: int | None,
    spike_file: Path | None,
    ticks: int | None,
    html: Path | None,
    json_file: Path | None,
    asked: Asked,
) -> None:
    """Import the network of another framework in FILE, and save it as NET.

    What FILE is follows from its content: a graph of NIR, or JSON of SuperNeuroMAT. NET also keeps
    the state that the network begins with, and a stimulus: the one that is given, or else the
    input spikes of FILE. What rounding a graph of NIR costs is measured for the page, or if a
    stimulus is given; without one by noise.
    """
    read = {"FILE": network_file, "--spikes": spike_file, "--events": asked.file}
    options.check_distinct({"NET": net, "--report": html, "--json": json_file}, read)
    door = door_of(network_file)
    # That of events may be of a network whose constants are in ticks.
    dt = asked.dt if "dt" in door.takes or asked.file is None else None
    network, report = door.load(network_file, {"dt": dt, "weight_width": weight_width})
    rounded = report if isinstance(report, QuantisationReport) else None
    given = _given(network, spike_file, ticks, asked)
    measures = rounded is not None and (html is not None or given is not None)
    if ticks is not None and given is None and not measures:
        raise click.UsageError("--ticks goes with --spikes or --events, or a page of a NIR graph")
    said, measured = None, None
    if rounded is not None and measures:
        for name in rendering.MODULES if html else ():
            import_module(name)  # fail before anything is measured if it is missing
        said, measured = _measured(network, rounded, given, ticks, gains=html is not None)
    sizes = {} if rounded is None else rounded.sizes
    found = Imported(
        door.name, network.n_axons, network.n_neurons, network.n_weights, [*network.start],
        described(network.core_params(**sizes)), report.as_json(), said, measured,
    )  # fmt: skip
    title = f"{readable(network_file.name)}, {door.name}"
    outputs = options.Outputs()
    kept = given or report.stimulus
    spikes, length = (None, None) if kept is None else (kept.spikes, kept.ticks)
    kind = None if rounded is None else RoundedFor(rounded.dt, rounded.sizes)
    outputs.attempt(lambda: files.save(net, network, spikes, length, rounded_for=kind))
    if html is not None and rounded is not None:
        noted = replace(rounded, notes=[*rounded.notes, str(said)])
        outputs.attempt(lambda: quantisation.save(html, _head(title), noted, measured))
    else:
        outputs.write(html, lambda page: page.write(_page(title, report).encode()))
    outputs.json(json_file, found)
    console = options.console()
    for line in (f"{title}:\n{report}", *_lines(net, found)):
        console.print(line, soft_wrap=True, markup=False)
    outputs.check()


def _given(
    network: Network, spike_file: Path | None, ticks: int | None, asked: Asked
) -> Stimulus | None:
    """Return the stimulus that a call names, or None; raise as `stimulus.chosen`."""
    if spike_file is None and asked.file is None:
        replace(asked, dt=None).check()  # that of a graph need not be whole nanoseconds
        return None
    return stimulus.chosen(None, network.n_axons, spike_file, ticks, asked)


def _measured(
    network: Network,
    report: QuantisationReport,
    given: Stimulus | None,
    ticks: int | None,
    gains: bool,
) -> tuple[str, Measured]:
    """Measure what a quantisation costs; return also what was played, as a sentence."""
    if given is None:
        length = ticks or _NOISE_TICKS
        active = np.random.default_rng(_SEED).random((length, network.n_axons)) < _RATE
        spikes, what = np.argwhere(active), f"noise of seed {_SEED}, as no stimulus was given:"
        what += f" each axon is active in a tick with a probability of {_RATE:g}"
    else:
        length, spikes, what = given.ticks, given.spikes, "the one that was given"
    found = measure(network, report, [spikes], length, gains=gains)
    said = f"The stimulus is {what}; {len(spikes):,} axon events in {length:,} ticks."
    if not any(layer.meant or layer.held for layer in found.layers):
        said += " No neuron fired, so that it says little: give --spikes or --events."
    return said, found


def _head(title: str) -> rendering.Head:
    """Return the head of the page, with the call that makes it again."""
    context = click.get_current_context()
    call = [word for each in context.command.params for word in words_given(context, each)]
    return rendering.Head(title, shlex.join(["spiketwin", "import", *call]))


def _lines(net: Path, found: Imported) -> Iterator[str]:
    """Yield what is printed behind the report of a door."""
    if found.measured is not None:
        shares = [f"{found.measured.closed:.2%} in closed loop"]
        if found.measured.open is not None:
            shares.append(f"{found.measured.open:.2%} in open loop")
        how = f"{found.measured.target}, {origin(found.measured.target)}"
        yield f"spikes as in double precision: {', '.join(shares)} ({how})"
        yield str(found.stimulus)
    size = f"{found.n_axons:,} axons, {found.n_neurons:,} neurons, {found.synapses:,} synapses"
    yield f"{readable(net)}: {size}; the core for it is --params {found.params}"
    if found.start:
        yield (
            f"It begins with {', '.join(found.start)} other than 0, which is saved with it. "
            "Programming a core writes it, and clearing the state of a core loses it."
        )


def _page(title: str, report: DoorReport) -> str:
    """Return a page with the text and the figures of a report."""
    rows = "".join(
        f"<tr><th>{escape(name)}<td>{escape(str(value))}" for name, value in _flat(report.as_json())
    )
    tables = "".join(_table(name, each) for name, each in report.tables.items())
    return _PAGE.format(title=escape(title), text=escape(str(report)), rows=rows, tables=tables)


def _table(title: str, rows: list[tuple[Any, ...]]) -> str:
    """Return a table of a page, whose first row is its head."""
    head, *others = rows
    lines = ["".join(f'<th scope="col">{escape(str(each))}' for each in head)]
    lines += [
        "".join(
            f"<td>{escape(f'{each:g}' if isinstance(each, float) else str(each))}" for each in row
        )
        for row in others
    ]
    body = "".join(f"<tr>{line}" for line in lines)
    return f"<h2>{escape(title)}</h2>\n<table>{body}</table>\n"


def _flat(figures: dict[str, Any], path: str = "") -> list[tuple[str, Any]]:
    """Return figures that may be in groups as pairs of a path and a value."""
    found: list[tuple[str, Any]] = []
    for name, value in figures.items():
        whole = f"{path}{name}"
        found += _flat(value, f"{whole}.") if isinstance(value, dict) else [(whole, value)]
    return found
