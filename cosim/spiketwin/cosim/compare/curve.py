"""The curve of a network from "keeps up" to "falls behind", as PNG.

matplotlib is an extra, so only drawing imports this.
"""

from __future__ import annotations

from typing import IO, Final

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

from spiketwin.cosim.compare.sweep import Sweep
from spiketwin.host.cli.raster import plain_names

_WIDTH: Final = 10.0
_PANEL: Final = 2.4
"""Width of the picture and height of each panel, in inches."""

_DPI: Final = 150
_SUBS: Final = (1.0, 2.0, 3.0, 4.0, 5.0, 7.0)
"""Multiples of a power of ten that an axis labels."""


def save(file: IO[bytes], found: Sweep, title: str) -> None:
    """Draw throughput, latency, losses and accuracy against the tick period.

    Periods become shorter from left to right. Raise `OSError` if the file cannot be written.
    """
    panels = [_throughput, _times, _shares, *([_accuracy] if found.accuracy is not None else [])]
    with style.context("tableau-colorblind10"):
        figure = Figure(figsize=(_WIDTH, 0.9 + _PANEL * len(panels)), layout="constrained")
        axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
        for axis, draw in zip(axes, panels, strict=True):
            draw(axis, found)
            _regions(axis, found)
            axis.spines[["top", "right"]].set_visible(False)
            axis.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
        axes[0].set_xscale("log")
        axes[0].invert_xaxis()
        periods = found.values("tick_period")
        ticks = _round_periods(float(periods.min()), float(periods.max()))
        axes[-1].set_xticks(ticks, [f"{each:,.0f}" for each in ticks])
        axes[-1].set_xticks([], minor=True)
        axes[-1].set_xlabel(
            f"tick period in cycles (1,000 are {found.microseconds(1000):.4g} µs at "
            f"{found.clock_hz / 1e6:g} MHz)"
        )
        _name_regions(axes[0], found)
        figure.suptitle(title, parse_math=False)  # a dollar sign in a name is no formula
        with plain_names():
            figure.savefig(file, format="png", dpi=_DPI)


def _throughput(axis: Axes, found: Sweep) -> None:
    periods = found.values("tick_period")
    asked = found.clock_hz / periods
    reached = [point.ticks_per_second for point in found.points]
    axis.plot(periods, asked, linestyle="--", label="asked for")
    axis.plot(periods, reached, marker="o", markersize=3, label="reached")
    axis.set_yscale("log")
    axis.yaxis.set_major_locator(LogLocator(subs=_SUBS))
    axis.yaxis.set_major_formatter(EngFormatter(sep=" "))
    axis.yaxis.set_minor_formatter(NullFormatter())
    axis.set_ylabel("ticks a second")


def _times(axis: Axes, found: Sweep) -> None:
    for name, label in (
        ("latency_max", "longest latency"),
        ("latency_mean", "mean latency"),
        ("interval_distortion_mean", "intervals off by, mean"),
    ):
        times = found.microseconds(1) * found.values(name)
        axis.plot(found.values("tick_period"), times, marker="o", markersize=3, label=label)
    axis.set_yscale("log")  # zeros are not shown
    axis.set_ylabel("µs")


def _shares(axis: Axes, found: Sweep) -> None:
    fired = np.maximum(found.values("spikes"), 1)
    for name, of, label in (
        ("missed_deadlines", found.ticks, "ticks that begin late"),
        ("late_spikes", fired, "spikes that leave late"),
        ("disordered_spikes", fired, "spikes out of order"),
        ("missing_spikes", max(found.spikes, 1), "spikes missing"),
        ("dropped_events", max(found.events, 1), "axon events dropped"),
    ):
        share = 100 * found.values(name) / of
        axis.plot(found.values("tick_period"), share, marker="o", markersize=3, label=label)
    axis.set_ylim(-4, 104)
    axis.set_ylabel("%")


def _accuracy(axis: Axes, found: Sweep) -> None:
    free_running = 100 * (found.accuracy or 0)
    axis.axhline(free_running, linestyle="--", color="0.4", label="all in time")
    share = 100 * found.values("accuracy")
    axis.plot(found.values("tick_period"), share, marker="o", markersize=3, label="right answers")
    axis.set_ylim(-4, 104)
    axis.set_ylabel("%")


def _borders(found: Sweep) -> tuple[float, float]:
    return float(found.keeps_up_from), found.falls_behind_below


def _regions(axis: Axes, found: Sweep) -> None:
    keeps, falls = _borders(found)
    for border in (keeps, falls):
        axis.axvline(border, color="0.4", linewidth=0.9, linestyle=":")
    axis.axvspan(keeps, falls, color="0.93", zorder=0)


def _name_regions(axis: Axes, found: Sweep) -> None:
    """Write the names of the regions above the picture, and the periods at their borders."""
    keeps, falls = _borders(found)
    periods = found.values("tick_period")
    edges = (max(float(periods.max()), keeps), keeps, falls, min(float(periods.min()), falls))
    names = ("keeps up", "late at times", "falls behind")
    across = axis.get_xaxis_transform()
    for name, left, right in zip(names, edges[:-1], edges[1:], strict=True):
        axis.text(
            float(np.sqrt(left * right)), 1.16, name, transform=across, ha="center", style="italic"
        )
    for border in (keeps, falls):
        axis.text(border, 1.03, f"{border:,.0f}", transform=across, ha="center", fontsize="small")


def _round_periods(low: float, high: float) -> list[float]:
    """Return the round numbers within the limits, or else the lower limit."""
    decades = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    rounded = np.outer(decades, _SUBS).ravel()
    within = rounded[(rounded >= low) & (rounded <= high)]
    return [float(each) for each in within] or [low]
