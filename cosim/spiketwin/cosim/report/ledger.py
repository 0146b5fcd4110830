"""The wall time of each target, and the time of a spike on its way, part by part."""

from __future__ import annotations

from typing import Final

import numpy as np

from spiketwin.cosim.compare.comparison import Comparison
from spiketwin.cosim.report.bars import Bar, stacked
from spiketwin.cosim.report.chart import PlotAxis
from spiketwin.cosim.report.figure import Figure, Table, TableCell
from spiketwin.cosim.report.marks import Key
from spiketwin.host.ledger import ORIGINS, Ledger

_NAME: Final = "ledger"
_TITLE: Final = "Where the time went"
_REMAINDER: Final = "remainder"
_MILLISECONDS: Final = 1000
_ROUNDING: Final = 1e-9
_NOTE: Final = (
    "Measured is by the clock of the host, computed is bytes by the rate of the line, or cycles by "
    "the clock of the core; where these are simulated, as long as that took. The remainder of the "
    "wall time is in no part. What else a simulation does, and what the host waits for a target "
    "that tells nothing of its time, is the target's."
)


def figure(found: Comparison) -> Figure:
    """Make bars of the wall time of each target, and of the mean time of a spike, by parts."""
    ledgers = {name: one.behaviour.run.ledger for name, one in found.devices.items()}
    whole = {f"{name}, the run": _of_run(each) for name, each in ledgers.items()}
    each_spike = {
        f"{name}, a spike on its way, mean": _of_spikes(each)
        for name, each in ledgers.items()
        if each.latency.size
    }
    bars = {title: bar for title, bar in (whole | each_spike).items() if sum(bar.values()) > 0}
    names = [name for name in (*ORIGINS, _REMAINDER) if any(bar.get(name) for bar in bars.values())]
    sentence = "; ".join(f"{title} {_described(bar)}" for title, bar in bars.items())
    says = f"A bar of the parts of the time, in the order in which a spike passes them: {sentence}."
    keys = [Key(_spoken(name), "bar", number) for number, name in enumerate(names)]
    return Figure(
        _NAME,
        _TITLE,
        says,
        [_on_hardware(ledgers), _table(ledgers, names)],
        [_NOTE],
        keys,
        lambda: stacked(
            _NAME,
            _TITLE,
            says,
            PlotAxis("share of the time (%)", 0.0, 100.0),
            " %",
            [name.replace("_", " ") for name in names],
            [
                Bar(f"{title}: {_seconds(sum(bar.values()))}", [_percent(bar, n) for n in names])
                for title, bar in bars.items()
            ],
        ),
    )


def _on_hardware(ledgers: dict[str, Ledger]) -> Table:
    """Return a table of the time of each run on hardware with its clock and line."""
    rows: list[tuple[TableCell, ...]] = []
    for name, ledger in ledgers.items():
        if not ledger.accounts:
            continue  # no tick was run
        there = ledger.on_hardware()
        cycles = float(np.median(there.latency)) if there.latency.size else None
        microseconds = None if cycles is None else 1e6 * cycles / there.clock_hz
        rows.append(
            (
                name, there.clock_hz / 1e6, there.baud, _MILLISECONDS * there.seconds, microseconds,
                cycles, there.bytes_out, there.bytes_in,
            )
        )  # fmt: skip
    columns = (
        "target", "clock (MHz)", "line (baud)", "the run (ms)", "spike in to out, median (µs)",
        "the same (cycles)", "bytes out", "bytes in",
    )  # fmt: skip
    return Table("On hardware of this clock and line, computed", columns, rows)


def _of_run(ledger: Ledger) -> dict[str, float]:
    """Return the seconds of each part of the wall time."""
    parts = {part.name: part.seconds for part in ledger.parts}
    # A remainder of some 1e-16 is a rounding error of summing floats.
    rest = ledger.remainder if ledger.remainder > _ROUNDING * ledger.wall_seconds else 0.0
    return parts | {_REMAINDER: rest}


def _of_spikes(ledger: Ledger) -> dict[str, float]:
    """Return the mean seconds of each part of a spike's way."""
    return {name: float(seconds.mean()) for name, seconds in ledger.spikes.items()}


def _described(bar: dict[str, float]) -> str:
    """Return the largest parts of a bar in words."""
    whole = sum(bar.values())
    largest = sorted(bar, key=lambda name: -bar[name])[:3]
    shares = {name.replace("_", " "): _percent(bar, name) for name in largest}
    parts = ", ".join(f"{name} {share:.0f} %" for name, share in shares.items() if share >= 1)
    return f"{_seconds(whole)}, of it {parts}"


def _percent(bar: dict[str, float], name: str) -> float:
    return 100 * bar.get(name, 0.0) / sum(bar.values())


def _spoken(name: str) -> str:
    kind = "measured" if name == _REMAINDER else ORIGINS[name].value
    return f"{name.replace('_', ' ')} ({kind})"


def _seconds(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * _MILLISECONDS:.3g} ms"


def _table(ledgers: dict[str, Ledger], names: list[str]) -> Table:
    """Return a table with the milliseconds of each part of the run, and of a spike's way."""
    runs = [_of_run(each) for each in ledgers.values()]
    spikes = [_of_spikes(each) if each.latency.size else {} for each in ledgers.values()]
    rows: list[tuple[TableCell, ...]] = [
        (
            _spoken(name),
            *(_MILLISECONDS * run[name] for run in runs),
            *(_MILLISECONDS * spike[name] if name in spike else None for spike in spikes),
        )
        for name in names
    ]
    rows.append(
        (
            "all together",
            *(_MILLISECONDS * each.wall_seconds for each in ledgers.values()),
            *(
                _MILLISECONDS * float(np.mean(each.latency)) if each.latency.size else None
                for each in ledgers.values()
            ),
        )
    )
    columns = (
        "part",
        *(f"{name}, the run (ms)" for name in ledgers),
        *(f"{name}, a spike on its way, mean (ms)" for name in ledgers),
    )
    return Table("Milliseconds of each part", columns, rows)
