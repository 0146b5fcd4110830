"""NIX files as Neo writes them: a segment is a sample, and its spike trains are the units.

They are read by nixio alone. Neo would hand the texts of units, which come from the file, to a
parser of expressions.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from spiketwin.hdl.spec.text import shown
from spiketwin.host.errors import EventFileError
from spiketwin.host.events import hdf5
from spiketwin.host.events.value import Events
from spiketwin.host.events.wanted import Format, Wanted

_SEGMENT: Final = "neo.segment"
_TRAIN: Final = "neo.spiketrain"

_MICROSECONDS: Final = {"s": 1e6, "ms": 1e3, "us": 1.0, "µs": 1.0, "ns": 1e-3}
"""Microseconds of the units of time that are known."""


def _read(path: Path, wanted: Wanted) -> Events:
    import nixio

    with hdf5.damage():
        file = nixio.File.open(str(path), nixio.FileMode.ReadOnly)
        try:
            segments = [
                group for block in file.blocks for group in block.groups if group.type == _SEGMENT
            ]
            segment = segments[wanted.number(path, len(segments))]
            parts, rest = _trains(segment), _rest(segment)
        finally:
            file.close()
    t = np.concatenate([times for times, _ in parts]) if parts else np.empty(0, np.int64)
    unit = np.repeat(np.arange(len(parts)), [len(times) for times, _ in parts])
    order = np.lexsort((unit, t))
    remarks = ["spikes of all trains are merged by their times", *rest]
    rounded = sum(count for _, count in parts)
    if rounded:
        remarks.append(f"{rounded} times were rounded to whole microseconds")
    return wanted.events(
        t=t[order], unit=unit[order], units=max(1, len(parts)), remarks=tuple(remarks)
    )


def _trains(segment: Any) -> list[tuple[np.ndarray[Any, Any], int]]:
    """Return the times of every spike train, and how many of them were rounded."""
    parts, count = [], 0
    for number, train in enumerate(tag for tag in segment.multi_tags if tag.type == _TRAIN):
        positions = train.positions
        name = f"spike train {number}"
        if positions.unit not in _MICROSECONDS:
            raise EventFileError(
                f"{name} must have times in one of {', '.join(_MICROSECONDS)}, not "
                f"{shown(positions.unit)}"
            )
        count += int(np.prod(positions.shape))
        hdf5.check_count("the spike trains", count)
        scale = _MICROSECONDS[positions.unit]
        times = np.asarray(positions[:]) if len(positions) else np.empty(0)
        whole = hdf5.microseconds(name, times, scale)
        parts.append((whole, int(np.count_nonzero(np.abs(times * scale - whole) > 1e-3))))
    return parts


def _rest(segment: Any) -> list[str]:
    """Return a remark on what a segment holds beside spike trains, if anything."""
    other = len(segment.data_arrays) + sum(tag.type != _TRAIN for tag in segment.multi_tags)
    return [f"{other} signals, epochs and events are left out"] if other else []


def _recognises(path: Path, head: bytes) -> bool:
    if not head.startswith(hdf5.MARK):
        return False
    with hdf5.opened(path) as file:
        form = file.attrs.get("format")
        return form in ("nix", b"nix")


FORMAT: Final = Format("NIX", _recognises, _read)
