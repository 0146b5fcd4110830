"""N-MNIST and its like (.bin): five bytes an event, as the ATIS camera wrote them.

An event is x, y, and 24 bits of which the highest is the polarity and the others the time in
microseconds, the highest byte first. A y of 240 is no pixel: it says that the counter of the time
has wrapped, and 8192 microseconds are to be added from there on (Orchard, Jayawant, Cohen and
Thakor 2015, and the reader that came with the data).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from spiketwin.host.errors import EventFileError
from spiketwin.host.events.records import check_order, read_records
from spiketwin.host.events.value import Events
from spiketwin.host.events.wanted import Format, Wanted

_BYTES: Final = 5
_WRAPPED: Final = 240
_WRAP: Final = 1 << 13
_TIME: Final = (1 << 23) - 1
_EDGE: Final = 34
"""Columns and rows of N-MNIST itself."""

_WHOLE: Final = (256, _WRAPPED)
"""Columns and rows that the format can say."""


def _read(path: Path, wanted: Wanted) -> Events:
    raw = read_records(path, 0, _BYTES).astype(np.int64)
    if not raw.any():
        raise EventFileError("it holds nothing but zeros: it was never written, or is damaged")
    x, y, word = raw[:, 0], raw[:, 1], raw[:, 2] << 16 | raw[:, 3] << 8 | raw[:, 4]
    wraps = y == _WRAPPED
    t = (word & _TIME) + _WRAP * np.cumsum(wraps)
    wrong = np.flatnonzero(y > _WRAPPED)
    if wrong.size:
        at = int(wrong[0])
        raise EventFileError(
            f"y of event {at}, at byte {at * _BYTES}, must be in 0…{_WRAPPED - 1}, not {y[at]}: "
            "the file is damaged, or something else"
        )
    check_order(t[~wraps], 0, _BYTES)
    here = ~wraps
    small = bool((x[here] < _EDGE).all() and (y[here] < _EDGE).all())
    size = wanted.size or ((_EDGE, _EDGE) if small else _WHOLE)
    remarks = [] if wanted.size else [f"the sensor is taken to have {size[0]} × {size[1]} pixels"]
    if wraps.any():
        remarks.append(f"the counter of the time wrapped {np.count_nonzero(wraps)} times")
    return replace(wanted, size=size).events(
        t=t[here], x=x[here], y=y[here], polarity=(word >> 23)[here], remarks=tuple(remarks)
    )


def _recognises(_path: Path, _head: bytes) -> bool:
    return True


FORMAT: Final = Format("N-MNIST .bin", _recognises, _read)
