"""Latency ledgers of one or more targets, as a table."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

from spiketwin.host.ledger import ORIGINS, Ledger


def table(ledgers: Mapping[str, Ledger]) -> Table:
    """Give the parts of the wall time in rows, but for those that are 0 on every target.

    Parameters
    ----------
    ledgers:
        By target.
    """
    shown = Table("where the time went", "origin", box=SIMPLE_HEAD, pad_edge=False)
    for target in ledgers:
        shown.add_column(target, justify="right", overflow="fold")
    for name, origin in ORIGINS.items():
        seconds = [each.seconds(name) for each in ledgers.values()]
        if any(seconds):
            cells = (
                f"{_milliseconds(part)} {100 * part / each.wall_seconds:5.1f} %"
                for part, each in zip(seconds, ledgers.values(), strict=True)
            )
            shown.add_row(name.replace("_", " "), origin.value, *cells)
    for title, figures in (
        ("remainder", (each.remainder for each in ledgers.values())),
        ("wall time", (each.wall_seconds for each in ledgers.values())),
    ):
        shown.add_row(title, "measured", *(f"{_milliseconds(each)}        " for each in figures))
    medians = (
        f"{_milliseconds(float(np.median(each.latency)))}        " if each.latency.size else "–"
        for each in ledgers.values()
    )
    shown.add_row("spike in to spike out, median", "measured", *medians)
    return shown


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:,.2f} ms"
