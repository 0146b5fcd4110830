"""When each target did what, as a trace that Perfetto and chrome://tracing open.

The format is the JSON of Chrome's trace events: text that a line of Python can read again, of a
layout that has not changed in ten years, and for which no package is needed. Perfetto's own is
denser, but a protocol buffer whose schema is a few thousand fields long.

Every target is a process of the trace, its time counted from the beginning of the run. The core's
time is exact and computed: cycles by the clock.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from spiketwin.cosim.compare.comparison import Comparison, Played
from spiketwin.hdl.spec import schedule
from spiketwin.host.elements import IntArray
from spiketwin.host.replacing import replacing

MOST_TICKS: Final = 10_000
"""Ticks written of a longer run: with more, the file is one that no viewer opens."""

_NANOSECONDS: Final = 1_000_000_000

_TRACKS: Final = {"ticks": 1, "phases": 2, "axon events": 3, "spikes": 4}
"""Tracks of a core, in their order."""

Event = dict[str, Any]


def save(path: Path, found: Comparison) -> range:
    """Write a trace, and give the ticks that are in it; `OSError` if the file cannot be written.

    Parameters
    ----------
    path:
        The file, which appears whole or not at all.
    found:
        What was compared. Of a run longer than `MOST_TICKS` as many are written, the first
        difference in their middle, or else from the first one on.
    """
    ticks = _window(found)
    with replacing(path) as file:
        file.write(b'{"displayTimeUnit": "ns", "traceEvents": [')
        for number, event in enumerate(_events(found, ticks)):
            file.write((",\n" if number else "\n").encode() + json.dumps(event).encode())
        file.write(b"\n]}\n")
    return ticks


def _window(found: Comparison) -> range:
    ticks = found.case.ticks
    middle = next((each.tick for each in found.differences if each.tick is not None), 0)
    first = max(0, min(middle - MOST_TICKS // 2, ticks - MOST_TICKS))
    return range(first, min(ticks, first + MOST_TICKS))


def _events(found: Comparison, ticks: range) -> Iterator[Event]:
    for process, (name, one) in enumerate(found.devices.items(), start=1):
        what = f"{name} core (computed: cycles by a clock of {one.identity.clock_hz / 1e6:g} MHz)"
        yield _named("process_name", process, 0, what)
        for track, thread in _TRACKS.items():
            yield _named("thread_name", process, thread, track)
        yield from _of_core(process, one, found.case.spikes, ticks)


def _named(what: str, process: int, thread: int, name: str) -> Event:
    """Give a process or a track its name."""
    return {"ph": "M", "name": what, "pid": process, "tid": thread, "args": {"name": name}}


def _of_core(process: int, one: Played, events: IntArray, ticks: range) -> Iterator[Event]:
    """Ticks, phases, events and spikes of a core, each track in the order of time."""
    run, params = one.outcome.run, one.identity.params
    begins = np.concatenate([[0], np.cumsum(run.cycles)])
    update = schedule.update_cycles(params)

    def at(cycle: int) -> int:
        """Give the nanosecond of a cycle: whole ones, so that spans end where the next begin."""
        return round(cycle * _NANOSECONDS / one.identity.clock_hz)

    def event(track: str, name: str, begin: int, told: dict[str, int]) -> Event:
        # The unit of the format is the microsecond.
        place = {"pid": process, "tid": _TRACKS[track], "ts": at(begin) / 1000}
        return {"name": name, **place, "args": told}

    def span(track: str, name: str, begin: int, end: int, **told: int) -> Event:
        length = (at(end) - at(begin)) / 1000
        return event(track, name, begin, told) | {"ph": "X", "dur": length}

    def instant(track: str, name: str, begin: int, **told: int) -> Event:
        return event(track, name, begin, told) | {"ph": "i", "s": "t"}

    for tick in ticks:
        begin, end = map(int, begins[tick : tick + 2])
        yield span("ticks", f"tick {tick}", begin, end, cycles=end - begin)
    for tick in ticks:
        if run.muted[tick]:
            continue
        begin, end = map(int, begins[tick : tick + 2])
        updating = begin + int(run.update_cycles[tick])
        learning, ending = updating + update, end - schedule.END
        yield span("phases", "deliver", begin, updating)
        yield span("phases", "update", updating, learning)
        if learning < ending:
            yield span("phases", "learn", learning, ending)
        yield span("phases", "end", ending, end)
    for tick, axon in events[_within(events, ticks)].tolist():
        yield instant("axon events", f"axon {axon}", int(begins[tick]), tick=tick, axon=axon)
    rows = _within(run.spikes, ticks)
    spikes, cycles = run.spikes[rows], run.spike_cycles[rows]
    for row in np.lexsort((cycles, spikes[:, 0])).tolist():
        tick, neuron = map(int, spikes[row])
        cycle = int(cycles[row])
        left = int(begins[tick]) + cycle
        yield instant("spikes", f"neuron {neuron}", left, tick=tick, neuron=neuron, cycle=cycle)


def _within(spikes: IntArray, ticks: range) -> slice:
    """Rows of (tick, …), ascending, that are of some ticks."""
    first, last = np.searchsorted(spikes[:, 0], (ticks.start, ticks.stop))
    return slice(int(first), int(last))
