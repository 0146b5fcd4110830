"""The weights before and after the run, and their changes."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Final

import numpy as np

from spiketwin.cosim.compare.comparison import Comparison
from spiketwin.cosim.report import picture
from spiketwin.cosim.report.chart import Plot, PlotAxis
from spiketwin.cosim.report.figure import Figure, Table
from spiketwin.cosim.report.marks import Key
from spiketwin.cosim.report.summary import origins
from spiketwin.cosim.report.svg import WIDTH, drawing
from spiketwin.host.elements import IntArray

_NAME: Final = "weights"
_HEIGHT: Final = 340.0
_ABOVE: Final = 8.0
_TITLE: Final = 24
"""Most characters of a title above a map."""
_MOST_RINGS: Final = 200
"""Up to this number of differences, each is ringed, as single pixels would be overlooked."""

Maps = dict[str, IntArray]
"""Maps of weights or of their differences, shape (n_sources, n_neurons), by title."""


def figures(found: Comparison) -> list[Figure]:
    """Make maps of each group of equal weights that targets ended with."""
    before = found.case.network.weight_sums()
    kinds: dict[str, IntArray] = {}
    having: dict[str, list[str]] = {}
    for name, one in found.devices.items():
        after = one.behaviour.held["weight"]
        kind = next((k for k, other in kinds.items() if np.array_equal(other, after)), name)
        kinds.setdefault(kind, after)
        having.setdefault(kind, []).append(name)
    first, *others = kinds
    if not before.any() and not any(after.any() for after in kinds.values()):
        sentence = "All weights are 0, before the run and after it, so there is nothing to draw."
        return [Figure(_NAME, "Weights before and after", sentence, notes=[sentence])]
    return [_learned(before, kinds[first], having[first])] + [
        _apart(number, (first, kinds[first]), (other, kinds[other]), having[other])
        for number, other in enumerate(others, start=2)
    ]


def _learned(before: IntArray, after: IntArray, names: list[str]) -> Figure:
    change = after - before
    count, where = int(np.count_nonzero(change)), ", ".join(names)
    maps = {"before": before, "after": after, "change": change}
    if not count:
        # Nothing was learned: two pictures would be equal and the third one empty.
        maps = {"before and after": before}
    says = _says(maps)
    sentence = f"{count:,} of {change.size:,} weights changed on {where}."
    if not count:
        sentence = (
            f"No weight changed on {where}: what was before is there after, the difference is 0."
        )
    return Figure(
        _NAME,
        f"Weights before and after, on {where}",
        f"{says} {sentence}",
        [_table("Weights that changed most", ("before", "after"), before, after)] if count else [],
        _notes(maps, names),
        _keys(),
        partial(_draw, _NAME, "Weights before and after", f"{says} {sentence}", maps),
    )


def _apart(
    number: int, first: tuple[str, IntArray], other: tuple[str, IntArray], names: list[str]
) -> Figure:
    apart = other[1] - first[1]
    maps = {f"on {first[0]}": first[1], f"on {other[0]}": other[1], "difference": apart}
    count, title = int(np.count_nonzero(apart)), f"Weights on {first[0]} and on {other[0]}"
    name = f"{_NAME}-{number}"
    sentence = f"{count:,} of {apart.size:,} weights differ after the run."
    says = f"{_says(maps)} {sentence}"
    return Figure(
        name,
        title,
        says,
        [_table("Weights that differ most", (first[0], other[0]), first[1], other[1])],
        _notes(maps, [first[0], *names]),
        _keys(),
        partial(_draw, name, title, says, maps),
    )


def _says(maps: Maps) -> str:
    ranges = "; ".join(
        f"{name} from {int(each.min()):,} to {int(each.max()):,}" for name, each in maps.items()
    )
    return f"Maps of the weight from each source, upwards, to each neuron, across: {ranges}."


def _keys() -> list[Key]:
    return [Key("below 0", "below"), Key("0", "zero"), Key("above 0", "above")]


def _notes(maps: Maps, names: list[str]) -> list[str]:
    notes = [f"Above each map: its full colour. Weights after the run: {origins(names)}."]
    shape = next(iter(maps.values())).shape
    if max(shape) > picture.MOST:
        notes.append(
            f"There are more than {picture.MOST:,} to a side: of some beside each other, the one "
            "furthest from 0 is drawn."
        )
    return notes


def _table(title: str, names: tuple[str, str], one: IntArray, other: IntArray) -> Table:
    change = other - one
    order = np.argsort(-np.abs(change), axis=None, kind="stable")
    count = int(np.count_nonzero(change))
    places = (divmod(int(flat), change.shape[1]) for flat in order[:count])
    rows = (
        (source, neuron, int(one[source, neuron]), int(other[source, neuron]))
        for source, neuron in places
    )
    return Table.cut(title, ("source", "neuron", *names), rows, count)


def _draw(name: str, title: str, says: str, maps: Maps) -> str:
    # The compared maps share one scale; their difference, the last of three, has its own.
    *compared, _ = maps.values()
    scales = [_largest(compared)] * len(compared) + [_largest([list(maps.values())[-1]])]
    plots = []
    width = WIDTH / max(2, len(maps))
    for column, ((what, each), largest) in enumerate(zip(maps.items(), scales, strict=True)):
        n_sources, n_neurons = each.shape
        plot = Plot(
            PlotAxis("neuron", -0.5, n_neurons - 0.5),
            PlotAxis("source", -0.5, n_sources - 0.5),
            _HEIGHT,
            column * width,
            width,
        )
        plot.picture(picture.diverging(each[::-1], largest))
        plot.title(f"{_elided(what)} (±{largest:,})")
        places = np.argwhere(each)
        if len(maps) > 1 and column == len(maps) - 1 and len(places) <= _MOST_RINGS:
            plot.rings(places[:, ::-1], 5.0)
        plots.append(plot)
    return drawing(name, title, says, [plot.group for plot in plots], _HEIGHT, _ABOVE)


def _elided(text: str) -> str:
    """Shorten a text that would run into the title beside it."""
    return text if len(text) <= _TITLE else f"{text[: _TITLE - 1]}…"


def _largest(maps: Iterable[IntArray]) -> int:
    return max([1, *(int(np.abs(each).max()) for each in maps)])
