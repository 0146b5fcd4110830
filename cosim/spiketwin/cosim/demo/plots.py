"""Pictures of the demo: rasters, learned weights, confusions and latencies.

The caption of each names the origin of its data (`origin`). Colours are those of Okabe and Ito
(2008), and the ends of colour maps are distinct for colour-blind readers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from spiketwin.cosim.demo.run import Record
from spiketwin.cosim.digits.encoding import N_CLASSES, N_PIXELS, SIDE
from spiketwin.cosim.digits.recipe import TESTING
from spiketwin.host.cli.raster import plain_names
from spiketwin.host.elements import IntArray
from spiketwin.host.paths import readable
from spiketwin.host.replacing import replacing
from spiketwin.host.targets import origin

Records = Mapping[str, Record]
"""Records by the name of their target; the first is drawn where one is enough."""

_COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
_SHADE: Final = "#F0E442"
_BIN: Final = 16
"""Cycles per bar of a histogram, about those that the row of one source takes."""

_DPI: Final = 150
_WIDTH: Final = 12.0
"""Width of every picture, in inches."""


def save_all(records: Records, folder: Path) -> list[Path]:
    """Write all pictures as PNG into a folder and return their paths; raises `OSError`."""
    records = {_drawn(name): record for name, record in records.items()}

    def new(height: float) -> Figure:
        return Figure(figsize=(_WIDTH, height), layout="constrained", facecolor="white")

    written = []

    def save(figure: Figure, name: str) -> None:
        path = folder / f"{name}.png"
        with replacing(path) as file, plain_names():
            figure.savefig(file, format="png", dpi=_DPI)
        written.append(path)

    for name, (height, draw) in _PICTURES.items():
        figure = new(height)
        draw(figure, records)
        save(figure, name)
    save(_combined(new(11.75), records), _COMBINED)
    return written


def _drawn(name: str) -> str:
    """Return a name with its dollars escaped, so that matplotlib draws them as dollars."""
    return readable(name).replace("$", r"\$")


def rasters(figure: Figure | SubFigure, records: Records) -> None:
    """Draw the spikes of all targets over each other, for one test image of each class."""
    first = next(iter(records.values()))
    phase, ticks = first.phase(TESTING), first.ticks_per_image
    labels = phase.images.labels
    shown = [int(np.flatnonzero(labels == c)[0]) for c in range(N_CLASSES) if (labels == c).any()]
    order = np.argsort(first.readout().classes(), kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    classes = first.readout().classes()[order]

    top, main = figure.subplots(
        2, 1, sharex=True, gridspec_kw={"height_ratios": (1, 6), "hspace": 0.02}
    )
    _thumbnails(top, phase.images.pixels[shown], ticks)
    main.spines[["top", "right"]].set_visible(False)
    for column, image in enumerate(shown):
        left = column * ticks
        band = np.flatnonzero(classes == labels[image])
        if len(band):
            main.fill_between(
                (left, left + ticks), band[0] - 0.5, band[-1] + 0.5, color=_SHADE, alpha=0.35,
                linewidth=0,
            )  # fmt: skip
        main.axvline(left, color="0.8", linewidth=0.6, zorder=0)
    # A ring for the first target and smaller and smaller dots for the others: a ring without its
    # dot, or a dot without its ring, is a difference.
    for number, (name, record) in enumerate(records.items()):
        begin = record.first_tick(TESTING)
        xs, ys = [], []
        for column, image in enumerate(shown):
            tick = record.spikes[:, 0] - begin - image * ticks
            within = (tick >= 0) & (tick < ticks)
            xs.append(tick[within] + column * ticks + 0.5)
            ys.append(place[record.spikes[within, 1]])
        colour = _COLOURS[number % len(_COLOURS)]
        main.scatter(
            np.concatenate(xs), np.concatenate(ys), label=name, s=34 if number == 0 else 9 / number,
            facecolors="none" if number == 0 else colour, edgecolors=colour,
            linewidths=1.2 if number == 0 else 0, zorder=2 + number,
        )  # fmt: skip
    borders = np.flatnonzero(np.diff(classes)) + 0.5
    for border in borders:
        main.axhline(border, color="0.9", linewidth=0.6, zorder=0)
    edges = np.concatenate([[-0.5], borders, [len(order) - 0.5]])
    names = [_class_name(c) for c in np.unique(classes)]
    main.set_yticks((edges[:-1] + edges[1:]) / 2, names)
    # Room for the rings of the first and the last neuron.
    main.set_ylim(-2.5, len(order) + 1.5)
    main.set_xlabel(f"tick ({ticks} an image)")
    main.set_ylabel("neurons, by the digit they stand for")
    main.legend(
        loc="upper right", bbox_to_anchor=(1, -0.06), ncols=len(records), frameon=False,
        title="spikes on", title_fontsize="medium", alignment="right",
    )  # fmt: skip
    figure.suptitle("Test images and the spikes they cause; the right digit's neurons are shaded")
    _caption(figure, *records)


def _thumbnails(axis: Axes, pixels: IntArray, ticks: int) -> None:
    """Draw images in a row, each in the middle of the ticks in which it is shown."""
    axis.axis("off")
    axis.set_xlim(0, ticks * len(pixels))
    axis.set_ylim(0, 1)
    for column, image in enumerate(pixels):
        axis.imshow(
            image.reshape(SIDE, SIDE), cmap="Greys", aspect="auto", interpolation="nearest",
            extent=((column + 0.25) * ticks, (column + 0.75) * ticks, 0.1, 0.9),
        )  # fmt: skip


def weight_maps(figure: Figure | SubFigure, records: Records) -> None:
    """Draw the learned weights of each neuron's pixels, neurons grouped by class."""
    first = next(iter(records.values()))
    weights = first.weights[-1][:N_PIXELS]
    classes = first.readout().classes()
    groups = [np.flatnonzero(classes == c) for c in np.unique(classes)]
    columns = max(len(group) for group in groups)
    gap = 1
    canvas = np.full((len(groups) * (SIDE + gap) - gap, columns * (SIDE + gap) - gap), np.nan)
    for row, group in enumerate(groups):
        for column, neuron in enumerate(group):
            y, x = row * (SIDE + gap), column * (SIDE + gap)
            canvas[y : y + SIDE, x : x + SIDE] = weights[:, neuron].reshape(SIDE, SIDE)
    axis = figure.subplots()
    limit = max(1, int(np.abs(weights).max()))
    image = axis.imshow(canvas, cmap="PuOr_r", vmin=-limit, vmax=limit, interpolation="nearest")
    middles = [row * (SIDE + gap) + (SIDE - 1) / 2 for row in range(len(groups))]
    axis.set_yticks(middles, [_class_name(c) for c in np.unique(classes)])
    axis.set_xticks([])
    axis.spines[:].set_visible(False)
    axis.tick_params(length=0)
    axis.set_ylabel("digit the neuron stands for")
    axis.set_xlabel("neurons: weights of their 8 × 8 pixels")
    figure.colorbar(
        image, ax=axis, label="weight", location="bottom", shrink=0.6, aspect=40, pad=0.02
    )
    figure.suptitle("What the neurons learned")
    _caption(figure, next(iter(records)))


def confusion(figure: Figure | SubFigure, records: Records) -> None:
    """Draw the confusion matrix of the digits."""
    first = next(iter(records.values()))
    labels = first.phase(TESTING).images.labels
    table = np.zeros((N_CLASSES, N_CLASSES), np.int64)
    np.add.at(table, (labels, first.predicted()), 1)
    axis = figure.subplots()
    axis.imshow(table, cmap="Blues", vmin=0, vmax=max(1, table.max()))
    for row, column in np.argwhere(table):
        number = table[row, column]
        axis.text(
            column, row, number, ha="center", va="center", fontsize=9,
            color="white" if number > table.max() / 2 else "black",
        )  # fmt: skip
    axis.set_xticks(range(N_CLASSES))
    axis.set_yticks(range(N_CLASSES))
    axis.set_xlabel("digit recognised")
    axis.set_ylabel("digit shown")
    figure.suptitle(f"{100 * first.accuracy():.1f} % of {len(labels)} test images recognised")
    _caption(figure, next(iter(records)))


def latencies(figure: Figure | SubFigure, records: Records) -> None:
    """Draw the histogram of clock cycles per tick."""
    axis = figure.subplots()
    top = max(int(record.cycles.max()) for record in records.values())
    bins = list(range(0, top + 2 * _BIN, _BIN))
    for number, (name, record) in enumerate(records.items()):
        axis.hist(
            record.cycles, bins=bins, label=f"{name}, mean {record.cycles.mean():.1f}",
            histtype="stepfilled" if number == 0 else "step", alpha=0.45 if number == 0 else 1,
            color=_COLOURS[number % len(_COLOURS)], linewidth=1.4,
        )  # fmt: skip
    low = min(int(record.cycles.min()) for record in records.values())
    axis.set_xlim(low - _BIN, top + _BIN)
    axis.spines[["top", "right"]].set_visible(False)
    axis.set_xlabel("clock cycles a tick")
    axis.set_ylabel("ticks")
    axis.legend(frameon=False)
    figure.suptitle("Latency of a tick")
    _caption(figure, *records)


def _caption(figure: Figure | SubFigure, *names: str) -> None:
    """Write below the picture the origin of the data of the targets shown."""
    text = ", ".join(f"{name} {origin(name)}" for name in names)
    figure.supxlabel(text, x=0.01, ha="left", fontsize="small", color="0.35")


def _class_name(number: int) -> str:
    return "none" if number < 0 else str(number)


_PICTURES: Final[dict[str, tuple[float, Callable[[Figure | SubFigure, Records], None]]]] = {
    "rasters": (6.0, rasters),
    "weights": (11.0, weight_maps),
    "confusion": (8.0, confusion),
    "latency": (5.0, latencies),
}
"""Height in inches and contents of each picture, by the name of its file."""

_COMBINED: Final = "demo"

PICTURES: Final = tuple(f"{name}.png" for name in (*_PICTURES, _COMBINED))
"""Files that `save_all` writes."""


def _combined(figure: Figure, records: Records) -> Figure:
    """Draw all pictures into one."""
    rows = figure.add_gridspec(2, 1, height_ratios=(5, 6.75))
    columns = rows[1].subgridspec(1, 2, width_ratios=(7, 5))
    corner = columns[1].subgridspec(2, 1, height_ratios=(5, 3))
    for place, draw in (
        (rows[0], rasters),
        (columns[0], weight_maps),
        (corner[0], confusion),
        (corner[1], latencies),
    ):
        draw(figure.add_subfigure(place), records)
    return figure
