"""Spikes from and for Neo, whose blocks the analysis tools of electrophysiology take."""

from __future__ import annotations

from typing import Any

import numpy as np

from spiketwin.hdl.spec.text import shown
from spiketwin.host.errors import InvalidInput
from spiketwin.host.events.value import Events


def from_neo(source: Any) -> Events:
    """Return the spikes of a segment of Neo, or of a block of one segment, as events.

    Whatever Neo reads comes in this way: read the file by Neo, and give what it returned.

    Parameters
    ----------
    source:
        A `neo.Block` with one segment, a `neo.Segment`, or a list of `neo.SpikeTrain`. Train k is
        unit k. Times are rounded to whole microseconds, which a remark counts.

    Raises
    ------
    InvalidInput
        It is none of these, has no spike train or several segments, or has times before 0.
    """
    segments = getattr(source, "segments", None)
    if segments is not None:
        if len(segments) != 1:
            raise InvalidInput(f"the block has {len(segments)} segments: give one of them")
        source = segments[0]
    trains = list(getattr(source, "spiketrains", source if isinstance(source, list) else ()))
    if not trains or not all(hasattr(train, "rescale") for train in trains):
        raise InvalidInput(
            f"source must be a block, a segment or a list of spike trains of Neo, not "
            f"{shown(source)}"
        )
    exact = [np.asarray(train.rescale("us").magnitude, np.float64) for train in trains]
    times = np.concatenate(exact)
    if not (times >= 0).all():
        raise InvalidInput("spike trains must have times from 0 on: shift them, `time_shift`")
    t, unit = np.rint(times).astype(np.int64), np.repeat(range(len(exact)), [*map(len, exact)])
    order = np.lexsort((unit, t))
    rounded = int(np.count_nonzero(np.abs(times - t) > 1e-3))
    remarks = (f"{rounded} times were rounded to whole microseconds",) if rounded else ()
    return Events(t=t[order], unit=unit[order], units=len(trains), format="Neo", remarks=remarks)


def to_neo(events: Events, name: str = "spiketwin") -> Any:
    """Return events at units as a `neo.Block` of one segment, with a spike train for each unit.

    Parameters
    ----------
    events:
        Events at units, such as those of `of_spikes`.
    name:
        Name of the block.

    Raises
    ------
    InvalidInput
        The events are at pixels, which Neo has no place for.
    ImportError
        The extra `events` is not installed.
    """
    import neo

    if events.pixels:
        raise InvalidInput("events at pixels are no spike trains: write them as .csv or .npz")
    block, segment = neo.Block(name=name), neo.Segment()
    block.segments.append(segment)
    end = events.begin + events.duration
    order = np.argsort(events.unit, kind="stable")
    ends = np.searchsorted(events.unit[order], np.arange(1, events.units or 1))
    for unit, times in enumerate(np.split(events.t[order], ends)):
        segment.spiketrains.append(
            neo.SpikeTrain(times, units="us", t_start=events.begin, t_stop=end, unit=unit)
        )
    return block
