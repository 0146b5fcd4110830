"""Writers of event files that the package only reads: AEDAT 4, N-MNIST, .dat and SHD."""

import struct
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from spiketwin.host.events import Events

_STREAM = (
    '<node name="{number}"><attr key="typeIdentifier" type="string">{kind}</attr>'
    '<node name="info"><attr key="sizeX" type="int">{size[0]}</attr>'
    '<attr key="sizeY" type="int">{size[1]}</attr></node></node>'
)

_NEXT = struct.pack("<I", 4)
"""An offset to what follows it at once."""


def flat_table(identifier: bytes, fields: dict[int, bytes], tail: bytes) -> bytes:
    """A flatbuffer of one table: its fields by number, in the order of their bytes, and a tail."""
    vtable = 4 + 2 * len(fields)
    begin = 8 + vtable + (-(8 + vtable)) % 8
    offsets, body = [0] * len(fields), bytes(4)
    for number, field in fields.items():
        offsets[number] = 4 + len(body)
        body += field
    body = struct.pack("<i", begin - 8) + body
    head = struct.pack("<I4s", begin, identifier)
    head += struct.pack(f"<{2 + len(fields)}H", vtable, len(body), *offsets)
    return head + bytes(begin - len(head)) + body + tail


def aedat4(events: Events, *, compression: int = 0, end: int = -1, kind: str = "EVTS") -> bytes:
    """A file of one stream; packets are stored, whatever `compression` says."""
    xml = _STREAM.format(number=0, kind=kind, size=events.size)
    text = f'<dv version="2.0"><node name="outInfo">{xml}</node></dv>'.encode()
    fields = {1: struct.pack("<q", end), 0: struct.pack("<i", compression), 2: _NEXT}
    header = flat_table(b"IOHE", fields, struct.pack("<I", len(text)) + text)
    packets = b"".join(packet(events, part) for part in np.array_split(np.arange(len(events)), 3))
    return b"#!AER-DAT4.0\r\n" + struct.pack("<I", len(header)) + header + packets


def packet(events: Events, part: np.ndarray[Any, Any]) -> bytes:
    """A packet of some of the events."""
    columns = zip(*(each[part].tolist() for each in events.arrays().values()), strict=True)
    records = b"".join(struct.pack("<qhhb3x", *row) for row in columns)
    tail = struct.pack("<I", len(part)) + records
    buffer = flat_table(b"EVTS", {0: _NEXT}, tail)
    sized = struct.pack("<I", len(buffer)) + buffer
    return struct.pack("<II", 0, len(sized)) + sized


def nmnist(events: Events) -> bytes:
    """A file of five bytes an event."""
    rows = zip(*(each.tolist() for each in events.arrays().values()), strict=True)
    return b"".join(
        bytes([x, y]) + (polarity << 23 | t).to_bytes(3, "big") for t, x, y, polarity in rows
    )


def dat(events: Events, header: str = "% Version 2\n% Width 304\n% Height 240\n") -> bytes:
    """A file of eight bytes an event."""
    words = events.x | events.y << 14 | events.polarity << 28
    data = np.stack([events.t, words], axis=1).astype("<u4").tobytes()
    return header.encode() + bytes([0, 8]) + data


def shd(path: Path, samples: list[tuple[list[float], list[int]]], labels: list[int]) -> None:
    """A file of samples of (times in seconds, units)."""
    with h5py.File(path, "w") as file:
        file["labels"] = np.array(labels)
        times = file.create_dataset("spikes/times", (len(samples),), h5py.vlen_dtype(np.float32))
        units = file.create_dataset("spikes/units", (len(samples),), h5py.vlen_dtype(np.uint16))
        for number, (t, unit) in enumerate(samples):
            times[number], units[number] = t, unit
