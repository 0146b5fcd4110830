"""The nearness of the targets to the ideal network: drift over time, and its causes."""

from __future__ import annotations

from typing import Final

import numpy as np

from spiketwin.cosim.compare.accuracy import Limits
from spiketwin.cosim.compare.comparison import FLOAT, Comparison
from spiketwin.cosim.compare.trajectory import Values
from spiketwin.cosim.report.bars import Bar, stacked
from spiketwin.cosim.report.chart import Plot, PlotAxis
from spiketwin.cosim.report.figure import Figure, Table, TableCell
from spiketwin.cosim.report.marks import Key, lined
from spiketwin.cosim.report.summary import grouped, origins
from spiketwin.cosim.report.svg import WIDTH, drawing
from spiketwin.host.matching import Match

_DRIFT: Final = "drift"
_DRIFT_TITLE: Final = f"Drift from {FLOAT}"
_LIMITS: Final = "limits"
_LIMITS_TITLE: Final = f"What keeps a core from {FLOAT}"
_HEIGHT: Final = 320.0
_ABOVE: Final = 8.0
_OFF: Final = ("a tick off", "missing", "extra")
"""Parts of a bar: spikes that differ from those of the ideal network."""


def figures(found: Comparison) -> list[Figure]:
    """Make the figures of drift and of its causes; none if these were not measured."""
    made = []
    if any(one.nearness and one.nearness.open_loop for one in found.devices.values()):
        made.append(_drift(found))
    if found.limits is not None:
        made.append(_limits(found.limits))
    return made


# --- drift -------------------------------------------------------------------------------------


def _drift(found: Comparison) -> Figure:
    unit = found.case.unit
    drifts = {
        name: one.nearness.open_loop.drift
        for name, one in found.devices.items()
        if one.nearness is not None and one.nearness.open_loop is not None
    }
    after = next(iter(drifts.values())).after
    # Rows: v_rms, v_largest, weights_rms, weights_largest.
    values = grouped(
        {
            name: np.stack([each.v_rms, each.v_largest, each.weights_rms, each.weights_largest])
            for name, each in drifts.items()
        }
    )
    says = (
        "Root of the mean square, over all neurons, of what the potential is off, and over all "
        f"synapses of what the weights are, in {unit}, over the ticks in open loop. "
        + " ".join(
            f"On {names} v is off by at most {each[0].max():.3g} and by {each[0, -1]:.3g} in the "
            f"end, the weights by {each[2, -1]:.3g} in the end."
            for names, each in values.items()
        )
    )
    columns = [
        f"{what} on {names} ({unit})"
        for names in values
        for what in ("v, rms,", "v, largest,", "weights, rms,", "weights, largest,")
    ]
    table = Table.cut(
        "Differences after so many ticks",
        ("ticks", *columns),
        (
            (int(ticks), *(float(value) for each in values.values() for value in each[:, row]))
            for row, ticks in enumerate(after)
        ),
        len(after),
    )
    note = (
        f"Spikes and state: {origins([*drifts, FLOAT])}. A neuron that fires a tick too late is "
        "off by a whole reset meanwhile, so single ticks stand out."
    )
    keys = [Key(names, "line", number) for number, names in enumerate(values)]
    return Figure(
        _DRIFT,
        _DRIFT_TITLE,
        says,
        [table],
        [note],
        keys,
        lambda: _draw_drift(says, unit, after.astype(np.float64), values),
    )


def _draw_drift(says: str, unit: str, after: Values, values: dict[str, Values]) -> str:
    plots = []
    for column, (what, row) in enumerate({"v": 0, "weights": 2}.items()):
        most = max(float(each[row].max()) for each in values.values())
        plot = Plot(
            PlotAxis("ticks", 0.0, float(after[-1])),
            PlotAxis(f"off by, rms ({unit})", 0.0, 1.05 * most or 1.0),
            _HEIGHT,
            column * WIDTH / 2,
            WIDTH / 2,
        )
        plot.title(what)
        for number, each in enumerate(values.values()):
            points = np.stack([after, each[row]], axis=1)
            plot.line(points, lined(number))
            plot.marks(points, number, 2.5)
        plots.append(plot)
    return drawing(_DRIFT, _DRIFT_TITLE, says, [plot.group for plot in plots], _HEIGHT, _ABOVE)


# --- what limits it ----------------------------------------------------------------------------


def _limits(limits: Limits) -> Figure:
    matches = {"none lifted": limits.all_kept}
    matches |= {f"{name} lifted": each for name, each in limits.lifted.items()}
    off = {name: _parts(each) for name, each in matches.items()}
    worst = limits.worst
    says = (
        f"Of {limits.all_kept.ideal:,} spikes in open loop, those that are not as {FLOAT} fires "
        "them, with all roundings of a core and with one of them lifted: "
        + "; ".join(f"{name} {sum(parts):,.0f}" for name, parts in off.items())
        + (f". Lifting {worst} gains most." if worst else ". Lifting one alone gains nothing.")
    )
    rows: list[tuple[TableCell, ...]] = [
        (name, 100 * each.same_tick_share, 100 * each.within_one_tick_share, *map(int, off[name]))
        for name, each in matches.items()
    ]
    columns = ("rounding", "at the same tick (%)", "within one tick (%)", *_OFF)
    notes = ["Computed, of a core of these sizes."]
    if limits.exact:
        notes.append(
            f"There is nothing to lift of {', '.join(limits.exact)}: the core holds them exactly "
            "as they are meant."
        )
    most = max(sum(parts) for parts in off.values())
    return Figure(
        _LIMITS,
        _LIMITS_TITLE,
        says,
        [Table("Spikes with a rounding lifted", columns, rows)],
        notes,
        [Key(name, "bar", number) for number, name in enumerate(_OFF)],
        lambda: stacked(
            _LIMITS,
            _LIMITS_TITLE,
            says,
            PlotAxis("spikes", 0.0, most or 1.0),
            "",
            _OFF,
            [Bar(f"{name}: {sum(parts):,.0f}", parts) for name, parts in off.items()],
        ),
    )


def _parts(match: Match) -> list[float]:
    return [match.within_one_tick - match.same_tick, match.missing, match.extra]
