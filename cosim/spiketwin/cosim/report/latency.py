"""The latency of spikes: the cycles from the beginning of its tick until each spike leaves."""

from __future__ import annotations

from typing import Final

import numpy as np

from spiketwin.cosim.compare.comparison import Comparison
from spiketwin.cosim.report.chart import Plot, PlotAxis, round_up, steps
from spiketwin.cosim.report.figure import Figure, Table, TableCell
from spiketwin.cosim.report.marks import Key, lined
from spiketwin.cosim.report.summary import grouped, origins
from spiketwin.cosim.report.svg import drawing
from spiketwin.host.elements import IntArray

_NAME: Final = "latency"
_TITLE: Final = "Latency of a spike within its tick"
_BARS: Final = 60
_HEIGHT: Final = 320.0


def figure(found: Comparison) -> Figure:
    """Make the histogram of the cycles from the beginning of a tick to each spike in it."""
    cycles = {name: one.behaviour.run.spike_cycles for name, one in found.devices.items()}
    clocks = {name: one.identity.clock_hz for name, one in found.devices.items()}
    spread = _spread(cycles, clocks)
    fired = {name: each for name, each in cycles.items() if each.size}
    if not fired:
        return Figure(_NAME, _TITLE, "", [spread], ["No neuron fired on any target."])
    least = min(int(each.min()) for each in fired.values())
    most = max(int(each.max()) for each in fired.values())
    width = max(1, round(round_up((most - least + 1) / _BARS)))
    edges = np.arange(least // width * width, most + width + 1, width)
    counts = grouped({name: np.histogram(each, edges)[0] for name, each in cycles.items()})
    says = (
        f"Histogram of the clock cycles from the beginning of a tick to each spike in it, "
        f"{width} a bar: from {least:,} to {most:,} cycles. "
        + " ".join(
            f"On {names} half of the spikes leave within {int(np.median(each)):,} cycles."
            for names, each in grouped(fired).items()
        )
    )
    one_clock = clocks[next(iter(clocks))] if len(set(clocks.values())) == 1 else None
    bars = Table.cut(
        "Spikes in each bar",
        ("from cycle", "to cycle", *counts),
        (
            (int(begin), int(begin) + width - 1, *map(int, row))
            for begin, row in zip(edges[:-1], np.stack(list(counts.values()), 1), strict=True)
        ),
        len(edges) - 1,
    )
    return Figure(
        _NAME,
        _TITLE,
        says,
        [spread, bars],
        [f"Cycles: {origins(cycles)}. Microseconds: computed, cycles by the clock."],
        [Key(name, "line" if number else "area", number) for number, name in enumerate(counts)],
        lambda: _draw(says, edges, counts, one_clock),
    )


def _spread(cycles: dict[str, IntArray], clocks: dict[str, int]) -> Table:
    rows: list[tuple[TableCell, ...]] = []
    for name, each in cycles.items():
        shares = np.percentile(each, (0, 50, 99, 100)).tolist() if each.size else [None] * 4
        least, median, late, most = shares
        longest = None if most is None else 1e6 * most / clocks[name]
        rows.append((name, clocks[name] / 1e6, least, median, late, most, longest))
    columns = (
        "target", "clock (MHz)", "least (cycles)", "median (cycles)", "99 % within (cycles)",
        "most (cycles)", "most (µs)",
    )  # fmt: skip
    return Table("Latency on each target", columns, rows)


def _draw(says: str, edges: IntArray, counts: dict[str, IntArray], clock_hz: int | None) -> str:
    most = max(int(each.max()) for each in counts.values())
    x = PlotAxis("clock cycles since the tick began", float(edges[0]), float(edges[-1]))
    plot = Plot(x, PlotAxis("spikes", 0.0, 1.05 * most), _HEIGHT)
    for number, each in enumerate(counts.values()):
        outline = steps(edges.tolist(), each.tolist())
        if number == 0:
            plot.line(outline, f"area s{number}", close=True)
        plot.line(outline, lined(number))
    above = 0.0
    if clock_hz is not None:
        plot.second_x(1e6 / clock_hz, f"µs at {clock_hz / 1e6:g} MHz")
        above = 30.0
    return drawing(_NAME, _TITLE, says, [plot.group], _HEIGHT, above)
