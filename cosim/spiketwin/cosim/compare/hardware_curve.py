"""Latency and throughput of hardware over the rate of its line, beside software, as PNG.

matplotlib is an extra, so only drawing imports this.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import IO, Final

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, NullFormatter

from spiketwin.cosim.compare.hardware import (
    HardwarePoint,
    Study,
    TimedPlay,
    median_latency,
    seconds_of,
)
from spiketwin.host.cli.raster import plain_names

_SIZE: Final = (10.0, 7.0)
"""Size of the picture, in inches."""

_DPI: Final = 150
_Value = Callable[[TimedPlay], float | None]
_MARKERS: Final = "osD^v"


def save(file: IO[bytes], found: Study, title: str) -> None:
    """Draw both against the rate; raise `OSError` if the file cannot be written."""
    with style.context("tableau-colorblind10"):
        figure = Figure(figsize=_SIZE, layout="constrained")
        latency, throughput = figure.subplots(2, 1, sharex=True)
        if found.played[0].run.spikes.size:
            _latency(latency, found)
        _throughput(throughput, found)
        for axis in (latency, throughput):
            axis.set_xscale("log")
            axis.set_yscale("log")
            axis.yaxis.set_major_formatter(EngFormatter(sep=" "))
            axis.yaxis.set_minor_formatter(NullFormatter())
            axis.grid(visible=True, color="0.92")
            axis.spines[["top", "right"]].set_visible(False)
        for axis in (latency, throughput) if found.played[0].run.spikes.size else (throughput,):
            axis.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
        rates = sorted({point.asked_baud for point in found.points})
        throughput.set_xticks(rates, [f"{rate:,}" for rate in rates], rotation=20)
        throughput.set_xticks([], minor=True)
        throughput.set_xlabel("rate of the line (baud)")
        latency.set_ylabel("spike in to spike out,\ntick by tick, median (s)")
        throughput.set_ylabel("ticks a second")
        figure.suptitle(title, parse_math=False)  # a dollar sign in a name is no formula
        with plain_names():
            figure.savefig(file, format="png", dpi=_DPI)


def _lines(
    axis: Axes, found: Study, value: Callable[[HardwarePoint], float], how: str, line: str
) -> None:
    """Draw one line per clock."""
    for number, clock in enumerate(found.clocks):
        points = found.of_clock(clock)
        axis.plot(
            [point.asked_baud for point in points],
            [value(point) for point in points],
            line,
            color=f"C{number}",
            marker=_MARKERS[number % len(_MARKERS)],
            markersize=4,
            label=f"{clock / 1e6:g} MHz{how}, computed",
        )


def _software(axis: Axes, found: Study, value: _Value, how: str) -> None:
    for number, each in enumerate(found.in_software):
        seconds = value(each)
        if seconds is not None:
            axis.axhline(
                seconds, color="0.3", linestyle=(0, (1 + 2 * number, 1)), linewidth=1.2,
                label=f"{each.name}{how}, measured\non this computer",
            )  # fmt: skip


def _latency(axis: Axes, found: Study) -> None:
    _lines(
        axis,
        found,
        lambda point: float(np.median(point.stepped.latency)) / point.clock_hz,
        "",
        "-",
    )
    _software(axis, found, median_latency, "")
    _beside(axis, found, median_latency)


def _throughput(axis: Axes, found: Study) -> None:
    _lines(axis, found, lambda p: p.streamed.ticks / p.streamed.seconds, ", streamed", "-")
    _lines(axis, found, lambda p: p.stepped.ticks / p.stepped.seconds, ", tick by tick", "--")
    _software(axis, found, lambda each: each.ticks / seconds_of(each), ", streamed")
    _beside(axis, found, lambda each: each.ticks / seconds_of(each))
    rates = [point.asked_baud for point in found.points]
    for number, clock in enumerate(found.clocks):
        limit = found.line_limits_below(clock)
        if min(rates) <= limit <= max(rates):
            axis.axvline(limit, color=f"C{number}", linewidth=0.9, linestyle=":")
            axis.text(
                limit, 1.02, f"line limits below\n{limit:,.0f}", fontsize="x-small", ha="center",
                transform=axis.get_xaxis_transform(), color=f"C{number}",
                va="bottom" if number % 2 == 0 else "top",
            )  # fmt: skip


def _beside(axis: Axes, found: Study, value: _Value) -> None:
    """Mark the times of targets with a line."""
    for name in dict.fromkeys(each.name for each in found.with_line):
        played = [each for each in found.with_line if each.name == name]
        points = [(each.streamed.baud, value(each)) for each in played]
        known = np.array([point for point in points if point[1] is not None], np.float64)
        if known.size:
            simulated = any(each.simulated for each in played)
            kind = "simulated" if simulated else "measured"
            axis.plot(
                known[:, 0], known[:, 1], "x",
                color="k", markersize=7, label=f"{name}, {kind}",
            )  # fmt: skip
