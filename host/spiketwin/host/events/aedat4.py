"""AEDAT 4 files of inivation's cameras, decoded by the package aedat.

The frame of the file is checked here first. That package believes the lengths in it, and does not
check the offsets in the first header.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from spiketwin.host.errors import EventFileError
from spiketwin.host.events.compressed import check_expansion
from spiketwin.host.events.value import Events
from spiketwin.host.events.wanted import Format, Wanted
from spiketwin.host.inputs import open_regular
from spiketwin.host.stimuli import MOST_EVENTS

_MARK: Final = b"#!AER-DAT4.0\r\n"
_MOST_BYTES: Final = 1 << 40
_MOST_HEADER: Final = 1 << 20
_MOST_PACKET: Final = 1 << 27
_EVENTS: Final = "events"
_LEAST: Final = 4
"""Fewest bytes of a field."""

_COMPRESSION, _DATA_TABLE, _DESCRIPTION = range(3)
"""Fields of the table in the header: how packets are compressed, the byte at which they end, and a
description of the streams."""


def _read(path: Path, wanted: Wanted) -> Events:
    import aedat

    with open_regular(path, _MOST_BYTES, EventFileError) as file:
        _check_frame(file)
    try:
        decoder = aedat.Decoder(path)
        streams = decoder.id_to_stream()
    except Exception as error:  # whatever its Rust reports
        raise EventFileError(f"its header is damaged ({error})") from error
    chosen = [number for number, each in streams.items() if each["type"] == _EVENTS]
    if len(chosen) != 1:
        raise EventFileError(f"it must have one stream of events, not {len(chosen)}")
    parts, others = _packets(decoder, chosen[0])
    columns = {
        name: np.concatenate([part[name] for part in parts]) for name in ("t", "x", "y", "on")
    }
    remarks = [f"{others} packets of frames, IMU and triggers are left out"] if others else []
    stream = streams[chosen[0]]
    t = columns["t"].astype(np.int64)
    return wanted.events(
        t=t, x=columns["x"], y=columns["y"], polarity=columns["on"].astype(np.int64),
        size=(stream["width"], stream["height"]), begin=int(t[0]) if len(t) else 0,
        remarks=tuple(remarks),
    )  # fmt: skip


def _packets(decoder: Any, chosen: int) -> tuple[list[NDArray[Any]], int]:
    """Return the events of each packet of a stream, and how many packets were of others."""
    kinds = [("t", "<u8"), ("x", "<u2"), ("y", "<u2"), ("on", "?")]
    parts, others, count = [np.empty(0, kinds)], 0, 0
    while True:
        try:
            packet = next(decoder)
        except StopIteration:
            return parts, others
        except Exception as error:
            where = f"packet {len(parts) - 1 + others}"
            raise EventFileError(f"{where} is damaged ({error})") from error
        if packet["stream_id"] != chosen or _EVENTS not in packet:
            others += 1
            continue
        parts.append(packet[_EVENTS])
        count += len(parts[-1])
        if count > MOST_EVENTS:
            raise EventFileError(f"it has more than {MOST_EVENTS} events: cut it")


def _check_frame(file: IO[bytes]) -> None:
    """Raise `EventFileError` if a length or an offset of the file leads out of it."""
    size = file.seek(0, os.SEEK_END)
    begin = len(_MARK) + 4
    file.seek(len(_MARK))
    length = _number(file.read(4), "<I", "the length of its header")
    if not 0 < length <= min(_MOST_HEADER, size - begin):
        raise EventFileError(
            f"byte {len(_MARK)} says a header of {length} bytes in a file of {size}"
        )
    table = _fields(file.read(length))
    compression = _field(table[_COMPRESSION], "<i", 0)
    end = _field(table[_DATA_TABLE], "<q", -1)
    if end != -1 and not begin + length <= end <= size:
        raise EventFileError(f"its packets end at byte {end}, and the file has {size}")
    at, stop = begin + length, size if end == -1 else end
    while at < stop:
        file.seek(at)
        length = _number(file.read(8)[4:], "<I", f"the length of the packet at byte {at}")
        if length > min(_MOST_PACKET, stop - at - 8):
            raise EventFileError(
                f"the packet at byte {at} says {length} bytes, and {stop - at - 8} are left: the "
                "file is cut, or damaged"
            )
        check_expansion(compression, file.read(length), at)
        at += 8 + length


def _number(data: bytes, kind: str, what: str) -> int:
    if len(data) != struct.calcsize(kind):
        raise EventFileError(f"it ends within {what}: the file is cut")
    (value,) = struct.unpack(kind, data)
    return int(value)


def _fields(header: bytes) -> list[bytes]:
    """Return the bytes from each field of the header's table on; empty if it is left out.

    The header is a flatbuffer: an offset to a table, which begins with the distance back to a list
    of the offsets of its fields. All of them have to lie within it.
    """
    try:
        (root,) = struct.unpack_from("<I", header, 0)
        (back,) = struct.unpack_from("<i", header, root)
        listed = root - back
        if listed < 0:
            raise struct.error("the table of fields is before its begin")
        size, _ = struct.unpack_from("<HH", header, listed)
        count = (size - 4) // 2
        offsets = struct.unpack_from(f"<{count}H", header, listed + 4)
        offsets = (*offsets, 0, 0, 0)[:3]
        found = [header[root + offset :] if offset else b"" for offset in offsets]
        if any(
            offset and len(field) < _LEAST for offset, field in zip(offsets, found, strict=True)
        ):
            raise struct.error("a field is beyond the header")
        _check_text(found[_DESCRIPTION])
    except struct.error as error:
        raise EventFileError(f"its header is damaged ({error})") from error
    return found


def _check_text(field: bytes) -> None:
    """Raise `struct.error` unless a field leads to a text within the header."""
    (step,) = struct.unpack_from("<I", field, 0)
    (length,) = struct.unpack_from("<I", field, step)
    if step + 4 + length > len(field):
        raise struct.error("its description is longer than the header")
    try:
        field[step + 4 : step + 4 + length].decode("utf-8")
    except UnicodeDecodeError as error:
        raise struct.error("its description is no text") from error


def _field(data: bytes, kind: str, default: int) -> int:
    if not data:
        return default
    return _number(data[: struct.calcsize(kind)], kind, "its header")


def _recognises(_path: Path, head: bytes) -> bool:
    return head.startswith(_MARK)


FORMAT: Final = Format("AEDAT 4", _recognises, _read)
