"""The timeline of each target, as a trace that Perfetto and chrome://tracing open.

The format is the JSON of Chrome's trace events: text that a line of Python can read again, with a
layout that has not changed in ten years, and needing no package. Perfetto's own format is denser,
but a protocol buffer whose schema has a few thousand fields.

Every target is two processes of the trace, each with its own time from the beginning of the run.
One is the host's: its activity and the duration of each request, by its clock, and the busy times
of line and core, which are computed. The other is the core's, with exact, computed times: cycles
divided by the clock. The two times are aligned no better than the first one shows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from spiketwin.cosim.compare.comparison import Comparison, Findings
from spiketwin.hdl.spec import schedule
from spiketwin.hdl.spec.protocol import Opcode
from spiketwin.host.elements import IntArray
from spiketwin.host.ledger import Ledger, Seconds
from spiketwin.host.paths import readable
from spiketwin.host.replacing import replacing
from spiketwin.host.timeline import Activity

MOST_TICKS: Final = 10_000
"""Most ticks written of a run: viewers cannot open larger files."""

MOST_SPANS: Final = 20_000
"""Most spans written of a track of the host, for the same reason."""

_NANOSECONDS: Final = 1_000_000_000

_HOST_TRACKS: Final = {"host": 1, "line out": 2, "core": 3, "line back": 4, "requests": 5}
_CORE_TRACKS: Final = {"ticks": 1, "phases": 2, "axon events": 3, "spikes": 4}
"""Tracks of the two processes, in their order."""

Event = dict[str, Any]


def save(path: Path, found: Comparison) -> range:
    """Write a trace, and return its range of ticks; raise `OSError` if that is impossible.

    Parameters
    ----------
    path:
        The file, which appears whole or not at all.
    found:
        The comparison. Of a longer run, `MOST_TICKS` ticks are written, with the first difference
        in their middle, or else from the first tick on.
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
    for number, (name, one) in enumerate(found.devices.items()):
        yield from _of_host(2 * number + 1, name, one.behaviour.run.ledger)
        yield from _of_core(2 * number + 2, name, one, found.case.spikes, ticks)


def _titles(process: int, title: str, tracks: dict[str, int]) -> Iterator[Event]:
    """Return the events that name a process and its tracks."""
    yield _title("process_name", process, 0, title)
    for name, thread in tracks.items():
        yield _title("thread_name", process, thread, name)


def _title(what: str, process: int, thread: int, name: str) -> Event:
    return {
        "ph": "M",
        "name": what,
        "pid": process,
        "tid": thread,
        "args": {"name": readable(name)},
    }


def _of_host(process: int, name: str, ledger: Ledger) -> Iterator[Event]:
    """Yield laps of the host, busy times of line and core, and requests, in order of time."""
    title = f"{name} as the host saw it (measured; line and core: computed)"
    yield from _titles(process, title, _HOST_TRACKS)
    begins = np.cumsum([0.0, *(each.seconds for each in ledger.timelines)])
    for begin, timeline in zip(begins, ledger.timelines, strict=False):
        laps = timeline.laps
        names = [Activity(each).name.lower() for each in laps["activity"]]
        spans = begin + laps["begin"], begin + laps["end"]
        yield from _spans(process, "host", names, *spans, laps["bytes"].tolist())
    for part, track in (("wire_out", "line out"), ("core", "core"), ("wire_back", "line back")):
        for begin, busy in zip(begins, ledger.busy, strict=False):
            first, last = busy[part]
            yield from _spans(process, track, [part] * len(first), begin + first, begin + last)
    number = 0
    for begin, timeline in zip(begins, ledger.timelines, strict=False):
        for request in timeline.requests[:MOST_SPANS]:
            number += 1
            yield from _request(process, number, float(begin), request)


def _spans(
    process: int,
    track: str,
    names: Sequence[str],
    begins: Seconds,
    ends: Seconds,
    octets: Sequence[int] | None = None,
) -> Iterator[Event]:
    """Yield the spans of a track, which overlap at most by rounding, without empty ones."""
    until = 0
    for row in range(min(len(names), MOST_SPANS)):
        begin = max(until, round(begins[row] * _NANOSECONDS))
        end = round(ends[row] * _NANOSECONDS)
        if end <= begin:
            continue
        until = end
        yield {
            "ph": "X", "name": names[row], "pid": process, "tid": _HOST_TRACKS[track],
            "ts": begin / 1000, "dur": (end - begin) / 1000,
            "args": {"bytes": octets[row]} if octets and octets[row] else {},
        }  # fmt: skip


def _request(process: int, number: int, begin: float, request: np.void) -> Iterator[Event]:
    """Yield begin and end of a request, as several requests are pending at once."""
    values = {"bytes out": int(request["bytes_out"]), "bytes back": int(request["bytes_in"])}
    name = Opcode(request["opcode"]).name
    for phase, moment in (("b", "queued"), ("e", "answered")):
        yield {
            "ph": phase, "cat": "request", "id": f"{process}.{number}", "name": name,
            "pid": process, "tid": _HOST_TRACKS["requests"],
            "ts": round((begin + request[moment]) * _NANOSECONDS) / 1000, "args": values,
        }  # fmt: skip


def _of_core(
    process: int, name: str, one: Findings, events: IntArray, ticks: range
) -> Iterator[Event]:
    """Yield ticks, phases, events and spikes of a core, each track in the order of time."""
    clock = f"{one.identity.clock_hz / 1e6:g} MHz"
    yield from _titles(process, f"{name} core (computed: cycles at {clock})", _CORE_TRACKS)
    run, params = one.behaviour.run, one.identity.params
    begins = np.concatenate([[0], np.cumsum(run.cycles)])
    update = schedule.update_cycles(params)

    def at(cycle: int) -> int:
        """Return the time of a cycle in whole nanoseconds, so that adjacent spans meet exactly."""
        return round(cycle * _NANOSECONDS / one.identity.clock_hz)

    def event(track: str, name: str, begin: int, values: dict[str, int]) -> Event:
        # The unit of the format is the microsecond.
        place = {"pid": process, "tid": _CORE_TRACKS[track], "ts": at(begin) / 1000}
        return {"name": name, **place, "args": values}

    def span(track: str, name: str, begin: int, end: int, **values: int) -> Event:
        length = (at(end) - at(begin)) / 1000
        return event(track, name, begin, values) | {"ph": "X", "dur": length}

    def instant(track: str, name: str, begin: int, **values: int) -> Event:
        return event(track, name, begin, values) | {"ph": "i", "s": "t"}

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
    """Return the slice of ascending rows (tick, …) whose ticks are in a range."""
    first, last = np.searchsorted(spikes[:, 0], (ticks.start, ticks.stop))
    return slice(int(first), int(last))
