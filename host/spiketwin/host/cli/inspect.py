"""The command ``spiketwin inspect``: it describes a saved network and the cores that hold it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import click
import numpy as np
from rich.table import Table

from spiketwin.hdl.spec import schedule
from spiketwin.hdl.spec.params import PRESETS, CoreParams, described
from spiketwin.hdl.spec.results import Result
from spiketwin.host import files
from spiketwin.host.cli import options
from spiketwin.host.errors import DoesNotFit
from spiketwin.host.network import Network


@dataclass(frozen=True)
class Inspection(Result):
    """The contents of a network file, and the sizes and cycles of cores for it.

    Attributes
    ----------
    n_axons, n_neurons:
        Sizes of the network.
    synapses, plastic:
        Number of synapses with a weight other than 0, and of synapses that learn.
    least_weight, most_weight:
        Least and greatest weight.
    tag:
        Number that the network carries.
    ticks, events:
        Length of the stimulus and number of its axon events; null if the file has no stimulus.
    params:
        The smallest core that holds the network and its sums, as ``--params`` takes it.
    fits:
        Reference sizes that hold the network.
    silent_cycles, most_cycles:
        Cycles of a tick on the smallest core, if no source is active and if all are.
    """

    n_axons: int
    n_neurons: int
    synapses: int
    plastic: int
    least_weight: int
    most_weight: int
    tag: int
    ticks: int | None
    events: int | None
    params: str
    fits: list[str]
    silent_cycles: int
    most_cycles: int

    @classmethod
    def of(cls, net: Network, stimulus: files.Stimulus | None) -> Self:
        """Return the inspection of a network and its stimulus."""
        params = net.core_params()
        return cls(
            n_axons=net.n_axons,
            n_neurons=net.n_neurons,
            synapses=int(np.count_nonzero(net.weights)),
            plastic=int(np.count_nonzero(net.plastic)),
            least_weight=int(net.weights.min()),
            most_weight=int(net.weights.max()),
            tag=net.tag,
            ticks=None if stimulus is None else stimulus.ticks,
            events=None if stimulus is None else len(stimulus.spikes),
            params=described(params),
            fits=[name for name, sizes in PRESETS.items() if _fits(net, sizes)],
            silent_cycles=schedule.tick_cycles(params, 0, 0, learns=False),
            most_cycles=schedule.most_cycles(params),
        )


@click.command()
@click.argument("net", type=options.InputFile())
@options.json_file
def inspect(net: Path, json_file: Path | None) -> None:
    """Say what a saved network is, and which cores hold it.

    NET is a file as `spiketwin.host.files.save` writes it. Nothing is connected or built.
    """
    found = Inspection.of(*files.load(net))
    outputs = options.Outputs()
    outputs.json(json_file, found)
    table = Table("", "", title=net.name, show_header=False)
    for name, text in _rows(found):
        table.add_row(name, text)
    options.console().print(table)
    outputs.check()


def _fits(net: Network, params: CoreParams) -> bool:
    try:
        net.check_fits(params)
    except DoesNotFit:
        return False
    return True


def _rows(found: Inspection) -> Iterator[tuple[str, str]]:
    yield "network", f"{found.n_axons:,} axons, {found.n_neurons:,} neurons"
    yield "synapses", f"{found.synapses:,}, weights {found.least_weight}…{found.most_weight}"
    yield "plastic", f"{found.plastic:,}" if found.plastic else "none"
    yield "tag", str(found.tag)
    played = found.ticks is not None
    yield "stimulus", f"{found.events:,} axon events in {found.ticks:,} ticks" if played else "none"
    yield "smallest core", f"--params {found.params}"
    yield "reference sizes", ", ".join(found.fits) or "none holds it"
    yield "cycles of a tick", f"{found.silent_cycles:,} in silence, {found.most_cycles:,} at most"
