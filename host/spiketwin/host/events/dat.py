"""Files of Prophesee (.dat), such as N-CARS: a header of comments, and eight bytes an event.

Behind the lines that begin with ``%`` are a byte for the kind of the events, and one for their
length. An event is a time in microseconds, 32 bits, and 32 bits with x in the lowest 14, y in the
next 14 and the polarity above them, the lowest byte first. Before version 2 x had 9 bits, y 8 and
the polarity one.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from spiketwin.hdl.spec.text import number
from spiketwin.host.errors import EventFileError
from spiketwin.host.events.records import check_order, read_records
from spiketwin.host.events.value import Events
from spiketwin.host.events.wanted import Format, Wanted
from spiketwin.host.inputs import open_regular

_BYTES: Final = 8
_KINDS: Final = (0, 12)
"""Kinds of events that are at pixels; the other ones are triggers and the like."""

_MOST_HEADER: Final = 1 << 16
_MOST_HEADER_LINES: Final = 200
_LINE: Final = re.compile(r"%\s*(version|width|height)\s*:?\s*([0-9]+)\s*", re.IGNORECASE)


class _Bits(NamedTuple):
    """The place of a field in the word of an event."""

    first: int
    width: int


_LAYOUTS: Final = {
    1: {"x": _Bits(0, 9), "y": _Bits(9, 8), "polarity": _Bits(17, 1)},
    2: {"x": _Bits(0, 14), "y": _Bits(14, 14), "polarity": _Bits(28, 4)},
}


def _read(path: Path, wanted: Wanted) -> Events:
    begin, said = _header(path)
    raw = read_records(path, begin, _BYTES)
    words = np.ascontiguousarray(raw).view("<u4").reshape(-1, 2).astype(np.int64)
    t = words[:, 0]
    check_order(t, begin, _BYTES)
    layout = _LAYOUTS[2 if said.get("version", 2) >= 2 else 1]
    found = {
        name: words[:, 1] >> bits.first & (1 << bits.width) - 1 for name, bits in layout.items()
    }
    remarks: tuple[str, ...] = ()
    size = (said["width"], said["height"]) if {"width", "height"} <= said.keys() else None
    if size is None and wanted.size is None:
        remarks = ("the sensor is taken to be as large as the events need: its header has no size",)
    return wanted.events(t=t, **found, size=size, remarks=remarks)


def _header(path: Path) -> tuple[int, dict[str, int]]:
    """Return the byte at which events begin, and the numbers that the header says.

    Raises `EventFileError` if the header has no end, or its events are no pixels.
    """
    said: dict[str, int] = {}
    with open_regular(path, (1 << 63) - 1, EventFileError) as file:
        for _ in range(_MOST_HEADER_LINES):
            begin = file.tell()
            if file.read(1) != b"%":
                break
            line = "%" + file.readline(_MOST_HEADER).decode("latin-1")
            if match := _LINE.fullmatch(line.strip()):
                said[match[1].lower()] = number(match[2]) or 0
        else:
            raise EventFileError(f"its header has more than {_MOST_HEADER_LINES} lines")
        file.seek(begin)
        mark = file.read(2)
    if len(mark) < 2:
        raise EventFileError(f"it ends at byte {begin}, behind its header: the file is cut")
    kind, length = mark
    if kind not in _KINDS or length != _BYTES:
        raise EventFileError(
            f"byte {begin} must be one of {_KINDS}, events at pixels, and the next one {_BYTES}, "
            f"their length, not {kind} and {length}"
        )
    return begin + 2, said


def _recognises(_path: Path, head: bytes) -> bool:
    """Return whether a comment is followed by something that is no text."""
    return head.startswith(b"%") and any(byte < 9 for byte in head)


FORMAT: Final = Format("Prophesee .dat", _recognises, _read)
