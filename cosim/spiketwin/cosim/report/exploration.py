"""The page of a search: its fronts, each trial of them with the command that makes it again."""

from __future__ import annotations

import math
from itertools import combinations
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import SubElement

import numpy as np
from numpy.typing import NDArray

from spiketwin.cosim.explore.objectives import KNOWN, Direction, labelled
from spiketwin.cosim.explore.results import BUILT, Exploration, TrialResult
from spiketwin.cosim.report.chart import Plot, PlotAxis, round_up
from spiketwin.cosim.report.figure import Figure, Table, TableCell
from spiketwin.cosim.report.marks import Key, Points
from spiketwin.cosim.report.rendering import Head, write_page
from spiketwin.cosim.report.svg import drawing
from spiketwin.host.cli.outcome import Outcome

_HEIGHT: Final = 380.0
_PREFIXED: Final = ("s", "J", "Hz")
"""Units that take a prefix."""

_PREFIXES: Final = {-12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G"}

_FRONT, _OTHERS = 0, 1
"""Series of the marks of trials on the front, and of those that are beaten."""


def save(path: Path, heading: Head, found: Exploration, outcome: Outcome) -> None:
    """Write the page of a search.

    Parameters
    ----------
    path:
        The file, which appears whole or not at all.
    heading:
        What was explored, and the call.
    found, outcome:
        The result, and whether there is a front.

    Raises
    ------
    ImportError
        Without the packages of the extra ``demo``.
    OSError
        The file cannot be written.
    """
    refused = sum(trial.refused is not None for trial in found.trials)
    write_page(
        path,
        "frame.html",
        kind="spiketwin explore",
        summary=f"{len(found.trials):,} trials, {refused:,} refused, {len(found.front):,} on the "
        "front",
        sign="✓" if outcome.passed else "!",
        heading=heading,
        outcome=outcome,
        figures=figures_of(found),
    )


def figures_of(found: Exploration) -> list[Figure]:
    """Return a figure for each two objectives, and the list of the front."""
    pairs = combinations(found.directions, 2) if found.front else ()
    builds = [_builds(found)] if any(trial.built for trial in found.trials) else []
    return [*(_pair(found, *names) for names in pairs), _list(found), *builds]


def _pair(found: Exploration, x: str, y: str) -> Figure:
    front = [found.trials[place] for place in found.front]
    ends = {name: _best(front, name, found.directions[name]) for name in (x, y)}
    best = " and ".join(f"{labelled(name)}: {value:,.6g}" for name, value in ends.items())
    says = (
        f"{y} over {x}, of {len(front):,} trials on the front and of those that they beat. What "
        f"the front reaches at best is {best}."
    )
    title = f"{y} over {x}"
    name = f"front-{x}-{y}"
    return Figure(
        name=name,
        title=title,
        says=says,
        notes=[f"Better is {_way(found, x)} of {x} and {_way(found, y)} of {y}."],
        keys=[Key("on the front", "marks", _FRONT), Key("beaten, or beyond a bound", "marks", 1)],
        draw=lambda: _drawn(found, x, y, name, title, says),
    )


def _way(found: Exploration, name: str) -> str:
    return "more" if found.directions[name] is Direction.MAXIMISE else "less"


def _best(front: list[TrialResult], name: str, direction: Direction) -> float:
    values = [trial.objectives[name] for trial in front]
    return max(values) if direction is Direction.MAXIMISE else min(values)


def _drawn(found: Exploration, x: str, y: str, name: str, title: str, says: str) -> str:
    tried = {n: trial for n, trial in enumerate(found.trials) if trial.refused is None}
    pairs = np.array([[trial.objectives[each] for each in (x, y)] for trial in tried.values()])
    scales = [_scale(name, pairs[:, column]) for column, name in enumerate((x, y))]
    pairs = pairs / [factor for factor, _ in scales]
    points = dict(zip(tried, pairs, strict=True))
    across, up = (_axis(label, pairs[:, k]) for k, (_, label) in enumerate(scales))
    plot = Plot(across, up, _HEIGHT)
    others = [points[n] for n in points if n not in found.front]
    plot.marks(np.array(others).reshape(-1, 2), _OTHERS, 3.0)
    for place in found.front:
        _mark(plot, np.array([points[place]]), found.trials[place].command)
    return drawing(name, title, says, [plot.group], _HEIGHT)


def _mark(plot: Plot, point: Points, command: str) -> None:
    """Mark a trial of the front; a mouse that rests on it shows its command."""
    plot.marks(point, _FRONT, 5.0)
    SubElement(plot.group[-1], "title").text = command


def _scale(name: str, values: NDArray[np.float64]) -> tuple[float, str]:
    """Return the size of a unit in which values are near 1, and the label with that unit."""
    largest = float(np.abs(values).max())
    unit = KNOWN[name].unit if name in KNOWN else ""
    if unit not in _PREFIXED or largest == 0:
        return 1.0, labelled(name)
    power = min(9, max(-12, 3 * math.floor(math.log10(largest) / 3)))
    return 10.0**power, f"{name}, {_PREFIXES[power]}{unit}"


def _axis(label: str, values: NDArray[np.float64]) -> PlotAxis:
    least, most = float(values.min()), float(values.max())
    step = round_up((most - least) / 8 or abs(most) / 8)
    return PlotAxis(label, least - step, most + step)


def _list(found: Exploration) -> Figure:
    names = list(found.trials[0].params) if found.trials else []
    columns = (*names, *map(labelled, found.directions), "command")
    rows: list[tuple[TableCell, ...]] = [
        (
            *(str(trial.params[name]) for name in names),
            *(trial.objectives[name] for name in found.directions),
            trial.command,
        )
        for trial in (found.trials[place] for place in found.front)
    ]
    origins = dict.fromkeys(
        f"{name} is {origin}" for trial in found.trials for name, origin in trial.origin.items()
    )
    return Figure(
        name="trials",
        title="Trials of the front",
        says=f"{len(rows):,} trials that no other one beats.",
        tables=[Table.cut("Trials of the front", columns, rows, len(rows))],
        notes=[f"Origin: {', '.join(origins)}."] if origins else [],
    )


def _builds(found: Exploration) -> Figure:
    """Return the table of the cores that were built, what was estimated beside each figure."""
    trials = [trial for trial in found.trials if trial.built is not None]
    names = list(trials[0].params)
    columns = (
        *names,
        *(f"{labelled(name)}: {how}" for name in BUILT for how in ("estimated", "built")),
        "no bitstream, as",
    )
    rows: list[tuple[TableCell, ...]] = [
        (
            *(str(trial.params[name]) for name in names),
            *("–" if value is None else value for pair in trial.built.pairs() for value in pair),
            trial.built.failed or "",
        )
        for trial in trials
        if trial.built is not None
    ]
    origins = dict.fromkeys(t.built.origin for t in trials if t.built and t.built.origin)
    return Figure(
        name="builds",
        title="Builds of the front",
        says=f"{len(rows):,} cores that were built, each figure beside what was estimated of it.",
        tables=[Table.cut("Builds of the front", columns, rows, len(rows))],
        notes=[f"What is built is {each}." for each in origins],
    )
