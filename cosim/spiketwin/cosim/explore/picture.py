"""The fronts of a search as PNG: each further objective over the first one.

matplotlib is an extra, so only drawing imports this.
"""

from __future__ import annotations

from typing import IO, Final

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from spiketwin.cosim.explore.objectives import Direction, labelled
from spiketwin.cosim.explore.results import Exploration
from spiketwin.host.cli.raster import plain_names

_WIDTH: Final = 8.0
_PANEL: Final = 3.2
"""Width of the picture and height of each panel, in inches."""

_DPI: Final = 150


def save(file: IO[bytes], found: Exploration, title: str) -> None:
    """Draw the fronts of a search with two objectives or more.

    Raises `OSError` if the file cannot be written.
    """
    first, *others = found.directions
    with style.context("tableau-colorblind10"):
        figure = Figure(figsize=(_WIDTH, 0.8 + _PANEL * len(others)), layout="constrained")
        axes = figure.subplots(len(others), 1, sharex=True, squeeze=False)[:, 0]
        for axis, name in zip(axes, others, strict=True):
            _panel(axis, found, first, name)
        axes[-1].set_xlabel(_label(found, first))
        axes[0].legend(frameon=False, fontsize="small")
        figure.suptitle(title, parse_math=False)  # a dollar sign in a name is no formula
        with plain_names():
            figure.savefig(file, format="png", dpi=_DPI)


def _panel(axis: Axes, found: Exploration, x: str, y: str) -> None:
    tried = [trial.objectives for trial in found.trials if trial.refused is None]
    front = sorted((found.trials[place].objectives for place in found.front), key=lambda v: v[x])
    axis.plot(
        [each[x] for each in tried], [each[y] for each in tried], ".", color="0.75",
        label="trials",
    )  # fmt: skip
    style = "o-" if len(found.directions) == 2 else "o"
    axis.plot([v[x] for v in front], [v[y] for v in front], style, label="front")
    axis.yaxis.set_major_formatter(EngFormatter(sep=" "))
    axis.set_ylabel(_label(found, y))
    axis.grid(visible=True, color="0.92")
    axis.spines[["top", "right"]].set_visible(False)


def _label(found: Exploration, name: str) -> str:
    """Return the name of an objective with its unit and origin, and which way is better."""
    origin = next((t.origin[name] for t in found.trials if name in t.origin), "")
    way = "more" if found.directions[name] is Direction.MAXIMISE else "less"
    return f"{labelled(name)}\n({origin}; {way} is better)"
