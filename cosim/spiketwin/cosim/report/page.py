"""The report of a comparison as a page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spiketwin.cosim.compare.comparison import Comparison
from spiketwin.cosim.compare.difference import Difference
from spiketwin.cosim.compare.equality import NO_SPIKE
from spiketwin.cosim.report import latency, ledger, nearness, raster, rates, summary, weights
from spiketwin.cosim.report.figure import Figure, Table, TableCell
from spiketwin.cosim.report.rendering import Head, write_page
from spiketwin.hdl.spec.params import described


@dataclass(frozen=True)
class Heading(Head):
    """The head of a report.

    Attributes
    ----------
    every:
        Ticks between two comparisons of all state.
    """

    every: int


def figures_of(found: Comparison) -> list[Figure]:
    """Return all figures, in the order of the page."""
    return [
        *raster.figures(found),
        latency.figure(found),
        ledger.figure(found),
        *weights.figures(found),
        rates.figure(found),
        *nearness.figures(found),
    ]


def save(path: Path, heading: Heading, found: Comparison, figures: list[Figure]) -> None:
    """Write a report.

    Parameters
    ----------
    path:
        The file, which appears whole or not at all.
    heading, found:
        Head of the report, and the comparison.
    figures:
        Figures of `figures_of`.

    Raises
    ------
    ImportError
        Without the packages of the extra ``demo``.
    OSError
        The file cannot be written.
    """
    write_page(
        path,
        "page.html",
        kind="spiketwin compare",
        summary=" · ".join(columns := summary.columns(found)),
        sign="=" if (outcome := summary.outcome(found, heading.every)).passed else "≠",
        heading=heading,
        outcome=outcome,
        columns=columns,
        differences=[(each, _around(each)) for each in found.differences],
        consequences=summary.consequences,
        figures=figures,
        played=_played(found),
    )


def _played(found: Comparison) -> dict[str, Any]:
    """Return a description of what was played, by aspect."""
    case = found.case
    network = case.network
    biases = f" and {len(case.biases):,} bias events" if len(case.biases) else ""
    return {
        "network": f"{network.n_axons:,} axons, {network.n_neurons:,} neurons, "
        f"{network.n_weights:,} weights that are not 0",
        "stimulus": f"{len(case.spikes):,} axon events{biases} in {case.ticks:,} ticks",
        "learning": f"{network.n_plastic:,} plastic synapses",
        "core": described(next(iter(found.devices.values())).identity.params),
    }


def _around(difference: Difference) -> Table | None:
    """Return the ticks around a difference as a table."""
    around = difference.around
    if around is None:
        return None
    names, what = list(difference.values), summary.what_differs(difference)
    rows: list[tuple[TableCell, ...]] = []
    for row, tick in enumerate(around.ticks):
        values: list[int | None] = [around.values[name][row] for name in names]
        if difference.field == "spike_cycle":
            values = [None if value == NO_SPIKE else value for value in values]
        fired = [" ".join(map(str, around.spikes[name][row])) or None for name in names]
        rows.append((tick, *values, *fired))
    columns = (
        "tick",
        *(f"{what} on {name}" for name in names),
        *(f"neurons that fired on {name}" for name in names),
    )
    return Table("The ticks around it", columns, rows)
