"""Objectives: what a trial is judged by, in which direction, and where each figure comes from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from spiketwin.hdl.spec.results import Result
from spiketwin.hdl.spec.text import shown
from spiketwin.host.errors import InvalidInput

ORIGINS: Final = ("measured", "simulated", "estimated", "computed")
"""Origins of figures."""


class Direction(StrEnum):
    """The direction in which an objective is better."""

    MAXIMISE = "maximise"
    MINIMISE = "minimise"


@dataclass(frozen=True)
class TrialFigure(Result):
    """A figure of a trial.

    Attributes
    ----------
    value:
        The figure, in the unit of its objective.
    origin:
        One of `ORIGINS`.
    """

    value: float
    origin: str


@dataclass(frozen=True)
class Objective:
    """A figure by which a trial is judged.

    Attributes
    ----------
    name:
        Name for the command line.
    direction:
        The direction in which it is better.
    unit:
        Its unit; empty for shares.
    says:
        What it is.
    origin:
        Where its figures come from.
    """

    name: str
    direction: Direction
    unit: str
    says: str
    origin: str = "computed"


_UP, _DOWN = Direction.MAXIMISE, Direction.MINIMISE

KNOWN: Final = {
    each.name: each
    for each in (
        Objective("accuracy", _UP, "", "right answers of a task; in time, at a tick period"),
        Objective("answer_ticks", _DOWN, "ticks", "until an answer is sure, mean; or of an image"),
        Objective("within_a_tick", _UP, "", "spikes within a tick of those of `float:`"),
        Objective("spike_latency", _DOWN, "s", "from spike in to spike out, tick by tick, mean"),
        Objective("spike_latency_worst", _DOWN, "s", "the same, of the worst spike"),
        Objective("interval_distortion", _DOWN, "s", "intervals off at a tick period, mean"),
        Objective("disorder", _DOWN, "", "spikes that leave after a later event came"),
        Objective("lost_events", _DOWN, "", "events that find the queue full at a tick period"),
        Objective("ticks_per_second", _UP, "1/s", "ticks a second, streamed over the line"),
        Objective("tick_cycles", _DOWN, "cycles", "clock cycles of a tick, mean"),
        Objective("line_bytes", _DOWN, "bytes", "bytes on the line, both ways, a tick"),
        Objective("synaptic_events", _DOWN, "1/tick", "weights added to currents, a tick"),
        Objective("energy", _DOWN, "J", "upper end of the energy account, a tick", "estimated"),
        Objective("static_energy", _DOWN, "J", "static power of the FPGA, a tick", "estimated"),
        Objective("logic", _DOWN, "cells", "logic cells of the board", "estimated"),
        Objective("memory", _DOWN, "blocks", "block RAMs of the board", "estimated"),
        Objective("multipliers", _DOWN, "blocks", "multipliers of the board", "estimated"),
        Objective("max_clock", _UP, "Hz", "clock that the core is good for", "estimated"),
        Objective("room", _DOWN, "", "largest share of the board that is used", "estimated"),
        Objective("clock_room", _DOWN, "", "clock, of the one it is good for", "estimated"),
        Objective("bit_budget", _DOWN, "bits", "bits of a weight × ticks of an answer, or of all"),
    )
}
"""Objectives that any network has, by name."""


def labelled(name: str) -> str:
    """Return the name of an objective with its unit, if that is known."""
    unit = KNOWN[name].unit if name in KNOWN else ""
    return f"{name}, {unit}" if unit else name


def split(text: str) -> tuple[str, float]:
    """Read a bound, ``NAME=NUMBER``; raise `InvalidInput` if the text is none."""
    name, equals, number = text.partition("=")
    try:
        value = float(number)
    except ValueError:
        value = float("nan")
    if not equals or value != value or value in (float("inf"), float("-inf")):
        raise InvalidInput(f"{shown(text)} is no bound: write NAME=NUMBER, as in accuracy=0.9")
    return name, value


@dataclass(frozen=True)
class Bound:
    """A bound on a figure that a trial has to keep to.

    Attributes
    ----------
    name:
        Name of the objective.
    value:
        The bound, which is allowed.
    at_least:
        Whether the figure must not be below it; else it must not be above.
    """

    name: str
    value: float
    at_least: bool

    def excess(self, value: float) -> float:
        """Return by how much a figure breaks the bound: above 0 if it does."""
        return self.value - value if self.at_least else value - self.value


FITS: Final = (Bound("room", 1.0, at_least=False), Bound("clock_room", 1.0, at_least=False))
"""Bounds of a core that fits its board, and keeps up with its clock."""
