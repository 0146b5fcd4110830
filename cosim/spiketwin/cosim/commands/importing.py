"""The command ``spiketwin import``: a network of another framework, saved as one of ours."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Final

import click

from spiketwin.hdl.spec.params import described
from spiketwin.hdl.spec.results import Result
from spiketwin.host import files
from spiketwin.host.cli import options
from spiketwin.host.cli.doors import door_of
from spiketwin.host.paths import readable

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
td {{ font-variant-numeric: tabular-nums; }}
</style>
<main>
<h1>{title}</h1>
<pre>{text}</pre>
<table>{rows}</table>
</main>
</html>
"""


@dataclass(frozen=True)
class Imported(Result):
    """The result of ``spiketwin import``.

    Attributes
    ----------
    kind:
        What the file holds, as its content says.
    n_axons, n_neurons, synapses:
        Sizes of the network, and its synapses with a weight other than 0.
    params:
        The smallest core that holds it, as ``--params`` takes it.
    report:
        What became of the network, as its door reports it.
    """

    kind: str
    n_axons: int
    n_neurons: int
    synapses: int
    params: str
    report: dict[str, Any]


@click.command(
    "import",
    epilog="\b\n"
    "spiketwin import graph.nir net.npz --dt 0.0001 --report page.html\n"
    "spiketwin import network.json net.npz --json figures.json",
)
@click.argument("file", type=options.InputFile())
@click.argument("net", type=options.OutputFile(".npz"))
@click.option(
    "--dt",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Time that a tick stands for, of a network whose constants are in seconds.",
)
@click.option("--weight-width", type=click.IntRange(min=1), help="Bits of a weight.")
@click.option(
    "--report",
    "html",
    type=options.OutputFile(".html"),
    metavar="FILE",
    help="Write what was rounded and left out as a page to look at.",
)
@options.json_file
def import_network(
    file: Path,
    net: Path,
    dt: float | None,
    weight_width: int | None,
    html: Path | None,
    json_file: Path | None,
) -> None:
    """Import the network of another framework in FILE, and save it as NET.

    What FILE is follows from its content: a graph of NIR, or JSON of SuperNeuroMAT. Input spikes
    that it has are saved with the network.
    """
    options.check_distinct({"NET": net, "--report": html, "--json": json_file}, {"FILE": file})
    door = door_of(file)
    network, report = door.load(file, {"dt": dt, "weight_width": weight_width})
    stimulus = getattr(report, "stimulus", None)
    played = {} if stimulus is None else {"spikes": stimulus.spikes, "ticks": stimulus.ticks}
    found = Imported(
        door.name, network.n_axons, network.n_neurons, network.n_weights,
        described(network.core_params()), report.as_json(),
    )  # fmt: skip
    outputs = options.Outputs()
    outputs.attempt(lambda: files.save(net, network, **played))
    title = f"{readable(file.name)}, {door.name}"
    outputs.write(html, lambda page: page.write(_page(title, report).encode()))
    outputs.json(json_file, found)
    console = options.console()
    console.print(f"{title}:\n{report}", soft_wrap=True)
    size = f"{found.n_axons:,} axons, {found.n_neurons:,} neurons, {found.synapses:,} synapses"
    console.print(f"{readable(net)}: {size}, --params {found.params}", soft_wrap=True)
    outputs.check()


def _page(title: str, report: Any) -> str:
    """Return the page of a report: its own, or its text and its figures."""
    if (page := getattr(report, "page", None)) is not None:
        return str(page(title))
    rows = "".join(
        f"<tr><th>{escape(name)}<td>{escape(str(value))}" for name, value in _flat(report.as_json())
    )
    return _PAGE.format(title=escape(title), text=escape(str(report)), rows=rows)


def _flat(figures: dict[str, Any], path: str = "") -> list[tuple[str, Any]]:
    """Return figures that may be in groups as pairs of a path and a value."""
    found: list[tuple[str, Any]] = []
    for name, value in figures.items():
        whole = f"{path}{name}"
        found += _flat(value, f"{whole}.") if isinstance(value, dict) else [(whole, value)]
    return found
