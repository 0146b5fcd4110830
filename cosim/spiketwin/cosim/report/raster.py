"""The spikes of all targets over each other, with their differences marked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Final

import numpy as np

from spiketwin.cosim.compare.comparison import FLOAT, Comparison
from spiketwin.cosim.report import picture
from spiketwin.cosim.report.chart import Plot, PlotAxis
from spiketwin.cosim.report.figure import Figure, Table, TableCell
from spiketwin.cosim.report.marks import Key
from spiketwin.cosim.report.summary import grouped, origins
from spiketwin.cosim.report.svg import drawing
from spiketwin.host.elements import IntArray

MOST_POINTS: Final = 30_000
"""Most spikes drawn one by one: with more, a browser would be slow to show the page."""

_MOST_MARKS: Final = 1_000
"""Most differences marked by shape if the rest is a picture of densities."""

_HEIGHT: Final = 380.0
_AROUND: Final = 25
"""Ticks shown before a difference, and after it."""

_ACROSS: Final = 780
_PIXELS: Final = 2 * _ACROSS
"""Width from the first tick to the last, in units of a drawing and pixels of a density picture."""


@dataclass(frozen=True, eq=False)
class _Spikes:
    """The spikes in a range of ticks, divided into those of all targets and those of some.

    Attributes
    ----------
    first, last:
        The range of ticks, without `last`.
    n_neurons:
        Number of neurons.
    shared:
        Spikes of all targets, shape (m, 2): (tick, neuron).
    own:
        Spikes that another target lacks, likewise, for each group of targets with equal spikes.
    """

    first: int
    last: int
    n_neurons: int
    shared: IntArray
    own: dict[str, IntArray]

    @classmethod
    def of(cls, found: Comparison, first: int, last: int) -> _Spikes:
        """Divide the spikes of all targets into shared and own ones."""
        n = found.case.network.n_neurons
        spikes = grouped(spikes_of(found))
        keys = {names: _keys(each, first, last, n) for names, each in spikes.items()}
        shared = reduce(lambda a, b: np.intersect1d(a, b, assume_unique=True), keys.values())
        own = {
            name: _spikes(np.setdiff1d(each, shared, assume_unique=True), n)
            for name, each in keys.items()
        }
        return cls(first, last, n, _spikes(shared, n), own)

    def count(self) -> int:
        """Return the number of marks that drawing them all takes."""
        return len(self.shared) + sum(map(len, self.own.values()))

    def differences(self) -> IntArray:
        """Return the spikes that some target has and another lacks, shape (m, 2), ascending."""
        both = np.concatenate(list(self.own.values()))
        return np.unique(both, axis=0)


def spikes_of(found: Comparison) -> dict[str, IntArray]:
    """Return the spikes of all targets, shape (m, 2) of (tick, neuron), by name."""
    spikes = {name: one.behaviour.run.spikes for name, one in found.devices.items()}
    return spikes if found.ideal is None else spikes | {FLOAT: found.ideal.spikes}


def figures(found: Comparison) -> list[Figure]:
    """Make the figure of the whole run and, if targets part, one of the ticks around that."""
    whole = _Spikes.of(found, 0, found.case.ticks)
    drawn = [_figure("spikes", "Spikes of all targets", found, whole, None)]
    parting = _parting(found, whole)
    if parting is not None:
        first, last = max(0, parting - _AROUND), min(found.case.ticks, parting + _AROUND + 1)
        title = f"Spikes around tick {parting:,}, where targets part"
        around = _Spikes.of(found, first, last)
        drawn.append(_figure("parting", title, found, around, parting))
    return drawn


def _parting(found: Comparison, whole: _Spikes) -> int | None:
    """Return the tick at which targets part: at the first difference, or else in spikes."""
    ticks = [each.tick for each in found.differences if each.tick is not None]
    if ticks:
        return min(ticks)
    differences = whole.differences()
    return int(differences[0, 0]) if len(differences) else None


def _figure(
    name: str, title: str, found: Comparison, spikes: _Spikes, parting: int | None
) -> Figure:
    names = list(spikes_of(found))
    apart = len(spikes.differences())
    says = (
        f"Raster of ticks {spikes.first:,} to {spikes.last - 1:,}, tick across and neuron upwards. "
        f"{len(spikes.shared):,} spikes are on all of {', '.join(names)}; {apart:,} are not."
    )
    notes = [f"Spikes: {origins(names)}."]
    if spikes.count() > MOST_POINTS:
        notes.append(
            f"{spikes.count():,} spikes are too many to be drawn one by one: the stronger the "
            "grey, the more there are."
            + (
                f" The first {_MOST_MARKS:,} of each target's that differ are marked."
                if apart
                else ""
            )
        )
    keys = [Key("on all targets", "point")]
    keys += [
        Key(f"not on all, but on {each}", "marks", number)
        for number, (each, own) in enumerate(spikes.own.items())
        if len(own)
    ]
    return Figure(
        name,
        title,
        says,
        tables=[_counts(spikes), _differences(spikes)] if apart else [_counts(spikes)],
        notes=notes,
        keys=keys,
        draw=lambda: _draw(name, title, says, spikes, parting),
    )


def _draw(name: str, title: str, says: str, spikes: _Spikes, parting: int | None) -> str:
    x = PlotAxis("tick", spikes.first - 0.5, spikes.last - 0.5)
    plot = Plot(x, PlotAxis("neuron", -0.5, spikes.n_neurons - 0.5), _HEIGHT)
    room = _ACROSS / (spikes.last - spikes.first)  # width of a tick
    own = spikes.own
    if spikes.count() > MOST_POINTS:
        every = np.concatenate([spikes.shared, *own.values()])
        plot.picture(picture.density(_density(every, spikes)))
        own = {each: some[:_MOST_MARKS] for each, some in own.items()}
    else:
        plot.points(spikes.shared, min(3.5, max(1.5, room / 2)))
    few = sum(map(len, own.values())) <= _MOST_MARKS
    radius = min(4.0, max(room / 4, 3.0 if few else 1.6))
    for number, some in enumerate(own.values()):
        plot.marks(some, number, radius)
    if parting is not None:
        plot.rule(parting, f"tick {parting:,}")
    return drawing(name, title, says, [plot.group], _HEIGHT)


def _density(spikes: IntArray, shown: _Spikes) -> IntArray:
    """Return the number of spikes in each pixel of a picture, neuron 0 at the bottom."""
    rows = min(shown.n_neurons, picture.MOST)
    columns = min(shown.last - shown.first, _PIXELS)
    counts, _, _ = np.histogram2d(
        shown.n_neurons - 1 - spikes[:, 1],
        spikes[:, 0],
        bins=(rows, columns),
        range=((-0.5, shown.n_neurons - 0.5), (shown.first - 0.5, shown.last - 0.5)),
    )
    return counts.astype(np.int64)


def _counts(spikes: _Spikes) -> Table:
    rows: list[tuple[TableCell, ...]] = [
        (name, len(spikes.shared) + len(own), len(spikes.shared), len(own))
        for name, own in spikes.own.items()
    ]
    columns = ("targets", "spikes", "on all targets", "not on all targets")
    return Table("Spikes of each target", columns, rows)


def _differences(spikes: _Spikes) -> Table:
    """Return a table of the first spikes that differ, with the targets that have them."""
    differences = spikes.differences()
    having = {name: set(map(tuple, own.tolist())) for name, own in spikes.own.items()}
    rows = (
        (tick, neuron, ", ".join(name for name, some in having.items() if (tick, neuron) in some))
        for tick, neuron in differences.tolist()
    )
    columns = ("tick", "neuron", "fired on")
    return Table.cut("Spikes that are not on all targets", columns, rows, len(differences))


def _keys(spikes: IntArray, first: int, last: int, n_neurons: int) -> IntArray:
    """Return a unique number for each spike of a range of ticks."""
    some = spikes[(spikes[:, 0] >= first) & (spikes[:, 0] < last)]
    keys: IntArray = some[:, 0] * n_neurons + some[:, 1]
    return keys


def _spikes(keys: IntArray, n_neurons: int) -> IntArray:
    """Return the spikes of such numbers."""
    return np.stack(np.divmod(keys, n_neurons), axis=1)
