"""Tables of the latency ledgers of one or more targets."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

from spiketwin.host.ledger import ORIGINS, Ledger


def table(ledgers: Mapping[str, Ledger]) -> Table:
    """Return a table of the parts of the wall time, without those that are 0 on every target.

    Parameters
    ----------
    ledgers:
        Ledgers by the names of their targets.
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
    on_hardware = [each.on_hardware() if each.accounts else None for each in ledgers.values()]
    runs = (_time(each.seconds) if each else "–" for each in on_hardware)
    spikes = (
        _time(float(np.median(each.latency)) / each.clock_hz) if each and each.latency.size else "–"
        for each in on_hardware
    )
    shown.add_row("the run on hardware", "computed", *(f"{each}        " for each in runs))
    shown.add_row("spike in to spike out there", "computed", *(f"{one}        " for one in spikes))
    return shown


def add_hardware(table: Table, ledger: Ledger) -> None:
    """Add rows with the time of the device, and with the time of the run on hardware."""
    table.add_row("seconds of the device meanwhile", f"{ledger.device_seconds:.6f}")
    there = ledger.on_hardware()
    table.add_row("the run on hardware of this clock and line (computed)", _time(there.seconds))
    latency = there.latency
    if latency.size:
        cycles = float(np.median(latency))
        table.add_row(
            "spike in to spike out there, median (computed)",
            f"{_time(cycles / there.clock_hz)}, {cycles:,.0f} cycles",
        )


def _time(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:,.3f} s"
    return f"{1e3 * seconds:,.3f} ms" if seconds >= 1e-3 else f"{1e6 * seconds:,.2f} µs"


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:,.2f} ms"
