"""The report of a quantisation as a page: what was meant, what a core holds, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spiketwin.cosim.report.bars import Bar, stacked
from spiketwin.cosim.report.chart import Plot, PlotAxis, round_up
from spiketwin.cosim.report.figure import Figure, Table, TableCell
from spiketwin.cosim.report.marks import Key
from spiketwin.cosim.report.rendering import Head, write_page
from spiketwin.cosim.report.summary import origins
from spiketwin.cosim.report.svg import WIDTH, drawing
from spiketwin.host.cli.outcome import Outcome
from spiketwin.host.quantisation.measure import Measured
from spiketwin.host.quantisation.report import LayerHeld, QuantisationReport

_HEIGHT: Final = 320.0
_ABOVE: Final = 8.0
_MOST_POINTS: Final = 600
"""Most weights of a layer that are drawn."""

_OF: Final = 10_000
"""Spikes among which those that differ are drawn: a bit may change few."""

_A_ROW: Final = 2
"""Plots beside each other."""


def save(
    path: Path, heading: Head, report: QuantisationReport, measured: Measured | None = None
) -> None:
    """Write the page of a quantisation.

    Parameters
    ----------
    path:
        The file, which appears whole or not at all.
    heading:
        Head of the page.
    report:
        The report of the import.
    measured:
        What the quantisation costs (`measure`); None leaves that out.

    Raises
    ------
    ImportError
        Without the packages of the extra ``demo``.
    OSError
        The file cannot be written.
    """
    outcome = _outcome(report, measured)
    write_page(
        path,
        "quantisation.html",
        kind="spiketwin, a quantisation",
        summary=f"{len(report.layers)} layers, {len(report.scales):,} neurons",
        sign="✓" if outcome.passed else "!",
        heading=heading,
        outcome=outcome,
        layers=_layers(report),
        choices=report.choices,
        sizes=report.sizes | {"i_syn_shift": report.i_syn_shift},
        notes=report.notes,
        figures=figures_of(report, measured),
    )


def figures_of(report: QuantisationReport, measured: Measured | None) -> list[Figure]:
    """Return all figures, in the order of the page."""
    made = [_weights(report), _decays(report)]
    if measured is not None:
        made.insert(0, _spikes(measured))
        if measured.gains:
            made.insert(1, _gains(measured))
    return made


def _outcome(report: QuantisationReport, measured: Measured | None) -> Outcome:
    clipped = sum(each.clipped for each in report.layers)
    lost = sum(each.lost for each in report.layers)
    synapses = sum(each.synapses for each in report.layers)
    held = (
        f"Of {synapses:,} weights {lost:,} became 0 and {clipped:,} are clipped; the worst is off "
        f"by {_percent(max(each.weight_worst for each in report.layers))} of the largest of its "
        "neuron."
    )
    if measured is None:
        return Outcome(not clipped, "ROUNDED" if not clipped else "CLIPPED", (held,))
    sentences = [
        f"{_percent(measured.closed)} of the spikes are those of double precision in the same "
        f"tick on {measured.target}"
        + ("." if measured.open is None else f", {_percent(measured.open)} in open loop.")
    ]
    if (task := measured.accuracy) is not None:
        sentences.append(
            f"Of {task.samples:,} answers {_percent(task.held)} are right, "
            f"{_percent(task.meant)} in double precision."
        )
    saturated = sum((measured.saturated or {}).values())
    if saturated:
        sentences.append(f"{saturated:,} values saturated.")
    if measured.gains:
        sentences.append(_gains_say(measured))
    fine = not clipped and not saturated
    return Outcome(fine, "ROUNDED" if fine else "SATURATED", (*sentences, held))


def _layers(report: QuantisationReport) -> list[Table]:
    held: list[tuple[TableCell, ...]] = [
        (
            each.name, each.kind, each.size, each.lag, float(each.scales.min()),
            float(each.scales.max()), each.synapses, each.lost, each.clipped,
        )
        for each in report.layers
    ]  # fmt: skip
    errors: list[tuple[TableCell, ...]] = [
        (
            each.name, 100 * each.weight_worst, 100 * each.weight_rms, 100 * each.threshold_worst,
            100 * each.decay_worst,
        )
        for each in report.layers
    ]  # fmt: skip
    columns = (
        "layer", "kind", "neurons", "ticks late", "scale from", "scale to", "weights", "became 0",
        "clipped",
    )  # fmt: skip
    title = "Errors in per cent: of weights, of the largest of a neuron; of thresholds and decays"
    names = ("layer", "weights, worst", "weights, rms", "thresholds, worst", "decays, worst")
    return [Table("What the core holds", columns, held), Table(title, names, errors)]


# --- spikes ------------------------------------------------------------------------------------


def _spikes(measured: Measured) -> Figure:
    name, title = "spikes", "Spikes as they are meant"
    bars = [
        Bar(f"{layer.name}, {loop}: {_percent(share)}", [100 * share, 100 - 100 * share])
        for layer in measured.layers
        for loop, share in (("closed loop", layer.closed), ("open loop", layer.open))
        if share is not None
    ]
    says = (
        "Share of the spikes of each layer that double precision has of the same neuron in the "
        "same tick; in open loop each layer hears the spikes that are meant, and not those of the "
        f"core. All together {_percent(measured.closed)} in closed loop"
        + ("." if measured.open is None else f" and {_percent(measured.open)} in open loop.")
    )
    rows: list[tuple[TableCell, ...]] = [
        (
            each.name, each.meant, each.held, _hundred(each.closed), _hundred(each.open),
            _hundred(each.v_error),
        )
        for each in measured.layers
    ]  # fmt: skip
    columns = (
        "layer", "spikes in double precision", "on the core", "equal, closed loop (%)",
        "equal, open loop (%)", "last potentials off, rms (%)",
    )  # fmt: skip
    counted = measured.saturated
    note = (
        f"{measured.samples:,} stimuli of {measured.ticks:,} ticks. Spikes: "
        f"{origins([measured.target])}, and computed (double precision). "
        + (
            "Saturations were not counted."
            if counted is None
            else f"Saturated: i_syn {counted['i_syn']:,} times, v {counted['v']:,} times."
        )
    )

    def draw() -> str:
        axis = PlotAxis("share of the spikes (%)", 0.0, 100.0)
        return stacked(name, title, says, axis, " %", ("equal", "other"), bars)

    return Figure(
        name, title, says, [Table("Spikes of each layer", columns, rows)], [note],
        [Key("equal", "bar", 0), Key("other", "bar", 1)], draw if bars else None,
    )  # fmt: skip


# --- another bit -------------------------------------------------------------------------------


def _gains_say(measured: Measured) -> str:
    best = measured.gains[0]
    now, then = _shares(measured.closed, measured.open), _shares(best.closed, best.open)
    if then[0] <= now[0]:
        return "Another bit of any size gains nothing."
    return (
        f"Another bit of {best.size} would gain most: {_percent(then[0])} instead of "
        f"{_percent(now[0])} of the spikes{then[1]}."
    )


def _shares(closed: float, opened: float | None) -> tuple[float, str]:
    return (closed, "") if opened is None else (opened, " in open loop")


def _gains(measured: Measured) -> Figure:
    name, title = "gains", "Which bit would gain most"
    shares = {"as it is": (measured.closed, measured.open)}
    shares |= {f"{g.size} {g.bits}": (g.closed, g.open) for g in measured.gains}
    right = [None if measured.accuracy is None else measured.accuracy.held]
    right += [gain.accuracy for gain in measured.gains]
    off = {what: _OF * (1 - _shares(*each)[0]) for what, each in shares.items()}
    says = (
        f"Spikes that are not as double precision has them{_shares(*shares['as it is'])[1]}, as it "
        f"is and with another bit of one size. {_gains_say(measured)}"
    )
    rows: list[tuple[TableCell, ...]] = [
        (what, _hundred(closed), _hundred(opened), _hundred(answers))
        for (what, (closed, opened)), answers in zip(shares.items(), right, strict=True)
    ]
    columns = ("sizes", "equal, closed loop (%)", "equal, open loop (%)", "right answers (%)")
    most = max(off.values())
    return Figure(
        name, title, says, [Table("With another bit", columns, rows)],
        [f"Rounded anew for each. Spikes: {origins([measured.target])}."],
        [Key("other spikes", "bar", 1)],
        lambda: stacked(
            name, title, says, PlotAxis(f"other spikes of {_OF:,}", 0.0, round_up(most)), "",
            ("", "other"), [Bar(what, [0.0, each]) for what, each in off.items()],
        ),
    )  # fmt: skip


# --- weights -----------------------------------------------------------------------------------


def _weights(report: QuantisationReport) -> Figure:
    name, title = "weights", "Weights, meant and held"
    drawn = [each for each in report.layers if len(each.meant_weights)]
    says = "Each weight as it is meant, across, and by how much it is off, upwards. " + " ".join(
        f"To {each.name}: off by {_percent(each.weight_rms)} rms and {_percent(each.weight_worst)} "
        f"at worst of the largest of a neuron; {each.lost:,} became 0, {each.clipped:,} clipped."
        for each in drawn
    )
    rows = list(_weight_rows(drawn))
    note = (
        "Computed. What a spike adds to the current, in the unit of the network that is meant. Of "
        f"more than {_MOST_POINTS} weights to a layer every so many is drawn, by size."
    )
    columns = ("layer", "meant", "held", "off")
    return Figure(
        name, title, says,
        [Table.cut("Weights that are drawn", columns, iter(rows), len(rows))],
        [note],
        [Key("a weight", "point")],
        (lambda: _draw_weights(name, title, says, drawn)) if drawn else None,
    )  # fmt: skip


def _weight_rows(layers: list[LayerHeld]) -> Iterator[tuple[TableCell, ...]]:
    for each in layers:
        for meant, held in _few(each).tolist():
            yield each.name, meant, held, held - meant


def _few(layer: LayerHeld) -> NDArray[np.float64]:
    """Return weights meant and held, shape (k, 2), ascending: a few, evenly taken."""
    order = np.argsort(layer.meant_weights, kind="stable")
    chosen = order[np.unique(np.linspace(0, len(order) - 1, _MOST_POINTS).astype(int))]
    return np.stack([layer.meant_weights[chosen], layer.held_weights[chosen]], axis=1)


def _draw_weights(name: str, title: str, says: str, layers: list[LayerHeld]) -> str:
    groups = []
    for number, each in enumerate(layers):
        meant, held = _few(each).T
        least, most = min(0.0, float(meant.min())), max(0.0, float(meant.max()))
        reach = float(np.abs(held - meant).max()) or most - least
        row, column = divmod(number, _A_ROW)
        plot = Plot(
            PlotAxis("meant", least, most), PlotAxis("held − meant", -reach, reach), _HEIGHT,
            column * WIDTH / _A_ROW, WIDTH / _A_ROW,
        )  # fmt: skip
        plot.title(f"to {each.name}")
        plot.points(np.stack([meant, held - meant], axis=1), 3.0)
        plot.group.set("transform", f"translate(0 {row * (_HEIGHT + _ABOVE):g})")
        groups.append(plot.group)
    rows = -(-len(layers) // _A_ROW)
    return drawing(name, title, says, groups, rows * (_HEIGHT + _ABOVE), _ABOVE)


# --- decays ------------------------------------------------------------------------------------


def _decays(report: QuantisationReport) -> Figure:
    rows: list[tuple[TableCell, ...]] = [
        (
            layer.name, each.variable, each.neurons, each.meant, each.held, each.code, each.shift,
            100 * each.error,
        )
        for layer in report.layers
        for each in layer.decays
    ]  # fmt: skip
    columns = (
        "layer", "of", "neurons", "lost in a tick, meant", "held", "code", "shift", "off (%)",
    )  # fmt: skip
    left_out = sum(layer.decays_left_out for layer in report.layers)
    worst = max((layer.decay_worst for layer in report.layers), default=0.0)
    return Figure(
        "decays", "Decays, meant and held", "",
        [Table("Decays of each layer", columns, rows, left_out)],
        [f"Computed. The worst decay is off by {_percent(worst)} of what is lost in a tick."],
    )  # fmt: skip


def _percent(share: float) -> str:
    return f"{100 * share:.4g} %"


def _hundred(share: float | None) -> float | None:
    return None if share is None else 100 * share
