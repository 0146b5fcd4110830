"""The tables that the sequencer's program reads: identity, limits, spaces, and ranges of values.

The tables lie behind the frame in the frame buffer. An address in them has eight bits and counts
bytes, or where the tables are longer than 256 bytes, units of two or four bytes.

A range has two numbers of four bytes: a bias that is added to a value, and a mask of the bits that
have to be 0 in the sum. For signed values of `width` bits the bias is ``2 ** (width - 1)``, for
unsigned ones it is 0; the mask has all bits from `width` on. The address 0, where no range lies,
stands for a range that holds every value.
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass
from itertools import chain

from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.protocol import Identity
from spiketwin.hdl.spec.registers import (
    PENDING_MASK_BITS,
    READ_DURING_RUN,
    Space,
    SpaceFormat,
    space_formats,
)

ADDRESSES = 256
"""Number of addresses in the tables."""

UNITS = (1, 2, 4)
"""The bytes that an address can count."""

SPACE_ROW_BYTES = 4


class SpaceFlag(enum.IntFlag):
    """Flags of a space in the tables; all are 0 if a core has no space of a number."""

    KNOWN = 1
    WRITABLE = 2
    ANYTIME = 4
    """The space can be read while a run is under way."""
    MATRIX = 8
    """The space has a row for each source."""
    PACKED = 16
    """Eight elements of the space share a byte."""
    WIDE = 32
    """An element takes two or four bytes."""
    WIDEST = 64
    """An element takes four bytes."""


@dataclass(frozen=True)
class Tables:
    """The tables, and the address at which each begins. The identity is the first.

    Attributes
    ----------
    data:
        All bytes of the tables, at most `ADDRESSES` units.
    identity_bytes:
        Number of bytes of the identity.
    last_row:
        Address of the number of the last source (two bytes).
    events:
        Address of the depth of the event queue and the number of axons (four bytes each).
    biases:
        With `bias_events`: address of the depth of the event queue (four bytes), the number of
        neurons (two bytes), and the range of a bias in four bytes.
    entry_limit:
        Address of the number that all entries of `pending` are below (four bytes).
    spaces:
        Address of the rows of all spaces by number, each with its `SpaceFlag`, its columns (two
        bytes) and the address of its range; in a space of records, that of the list of the
        addresses of its columns' ranges, one at each address.
    space_rows:
        Number of these rows: the largest number of a space of the core has the last one.
    records:
        The spaces of records, each with the number of its rows.
    unit:
        Bytes that an address counts, and to a multiple of which every part of the tables is set.
    """

    data: bytes
    identity_bytes: int
    last_row: int
    events: int
    biases: int
    entry_limit: int
    spaces: int
    space_rows: int
    records: dict[Space, int]
    unit: int


def tables(params: CoreParams, identity: Identity) -> Tables:
    """Return the tables of a core, whose addresses count as few bytes as these need.

    Raises `ValueError` if the tables are too long to be addressed.
    """
    for unit in UNITS:
        found = laid_out(params, identity, unit)
        if len(found.data) <= ADDRESSES * unit:
            return found
    raise ValueError(f"{len(found.data)} bytes of tables are more than {ADDRESSES * unit}")


def laid_out(params: CoreParams, identity: Identity, unit: int) -> Tables:
    """Return the tables of a core, however long, each part of them at a multiple of the unit."""
    data = bytearray(identity.pack())
    identity_bytes = len(data)
    formats = space_formats(params)
    ranges = {
        space: _range(found.width, found.signed, found.element_bytes)
        for space, found in formats.items()
        if not found.packed and not found.record and space is not Space.PENDING
    }
    records = {
        space: [_range(c.width, c.signed, found.element_bytes) for c in found.record]
        for space, found in formats.items()
        if found.record
    }
    every = chain(ranges.values(), *records.values())
    needed = list(dict.fromkeys(each for each in every if each))
    # The range of an unsigned number begins with zeros, in which other numbers end: it lies there.
    unsigned = [each for each in needed if each.startswith(bytes(4))]

    def place(wanted: bytes) -> int:
        """Return the address of bytes, which are put over as many of the last ones as are equal."""
        places = range(0, len(data) + unit, unit)
        at = next(at for at in places if wanted.startswith(data[at : at + len(wanted)]))
        data.extend(bytes(max(0, at - len(data))))
        data.extend(wanted[len(data) - at :])
        return at // unit

    def place_number(packed: bytes) -> int:
        at = place(packed)
        if unsigned:
            place(unsigned.pop())
        return at

    if unsigned:
        place(unsigned.pop())
    last_row = place(struct.pack("<H", formats[Space.WEIGHT].rows - 1))
    events = place_number(struct.pack("<II", params.event_queue_depth, params.n_axons))
    entry_limit = place_number(struct.pack("<I", params.neuron_groups << PENDING_MASK_BITS))

    def place_range(each: bytes) -> int:
        return place(each) if each else 0

    places: dict[Space, int] = {space: place_range(each) for space, each in ranges.items()}
    for space, columns in records.items():
        listed = [place_range(each).to_bytes(unit, "little") for each in columns]
        places[space] = place(b"".join(listed))
    spaces = max(formats) + 1
    return Tables(
        last_row=last_row,
        events=events,
        biases=place(_of_biases(params)),
        entry_limit=entry_limit,
        spaces=place(b"".join(_row(formats, places, number) for number in range(spaces))),
        space_rows=spaces,
        records={space: formats[space].rows for space in records},
        identity_bytes=identity_bytes,
        data=bytes(data),
        unit=unit,
    )


def _of_biases(params: CoreParams) -> bytes:
    """Return what `BIASES` is checked by; nothing if there are no bias events."""
    if not params.bias_events:
        return b""
    sizes = struct.pack("<IH", params.event_queue_depth, params.n_neurons)
    return sizes + _range(params.v_width, signed=True, size=4)


def _row(formats: dict[Space, SpaceFormat], ranges: dict[Space, int], number: int) -> bytes:
    found = next((form for space, form in formats.items() if space == number), None)
    if found is None:
        return bytes(SPACE_ROW_BYTES)
    flags = {
        SpaceFlag.KNOWN: True,
        SpaceFlag.WRITABLE: found.writable,
        SpaceFlag.ANYTIME: found.space in READ_DURING_RUN,
        SpaceFlag.MATRIX: found.rows > 1 and not found.record,
        SpaceFlag.PACKED: found.packed,
        SpaceFlag.WIDE: found.element_bytes > 1,
        SpaceFlag.WIDEST: found.element_bytes > 2,
    }
    stated = sum(flag for flag, holds in flags.items() if holds)
    return struct.pack("<BHB", stated, found.columns, ranges.get(found.space, 0))


def _range(width: int, signed: bool, size: int) -> bytes:
    """Return the bytes of a range; none if all values of so many bytes are in it."""
    if width == 8 * size:
        return b""
    half = 1 << width - 1 if signed else 0
    return struct.pack("<II", half, (-1 << width) & 0xFFFFFFFF)
