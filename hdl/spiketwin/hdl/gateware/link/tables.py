"""The tables that the sequencer's program reads: identity, limits, spaces, and ranges of values.

The tables lie behind the frame in the frame buffer, where a byte has an address of eight bits.

A range has two numbers of four bytes: a bias that is added to a value, and a mask of the bits that
have to be 0 in the sum. For signed values of `width` bits the bias is ``2 ** (width - 1)``, for
unsigned ones it is 0; the mask has all bits from `width` on. The address 0, where no range lies,
stands for a range that holds every value.
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass

from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.protocol import Identity
from spiketwin.hdl.spec.registers import (
    PENDING_MASK_BITS,
    READ_DURING_RUN,
    Space,
    SpaceFormat,
    registers,
    space_formats,
)

MOST_BYTES = 256

SPACE_ROW_BYTES = 4
SPACES = max(Space) + 1


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
        All bytes of the tables.
    identity_bytes:
        Number of bytes of the identity.
    last_row:
        Address of the number of the last source (two bytes).
    events:
        Address of the depth of the event queue and the number of axons (four bytes each).
    entry_limit:
        Address of the number that all entries of `pending` are below (four bytes).
    spaces:
        Address of the rows of all spaces by number, each with its `SpaceFlag`, its columns (two
        bytes) and the address of its range.
    registers:
        Address of a list of the addresses of all registers' ranges.
    """

    data: bytes
    identity_bytes: int
    last_row: int
    events: int
    entry_limit: int
    spaces: int
    registers: int


def tables(params: CoreParams, identity: Identity) -> Tables:
    """Return the tables of a core; raises `ValueError` if they are too long to be addressed."""
    data = bytearray(identity.pack())
    identity_bytes = len(data)
    formats = space_formats(params)
    ranges = {
        space: _range(found.width, found.signed, found.element_bytes)
        for space, found in formats.items()
        if not found.packed and space not in (Space.REGISTER, Space.PENDING)
    }
    register_ranges = [_range(r.width(params), r.signed, 4) for r in registers(params)]
    needed = list(dict.fromkeys(each for each in (*ranges.values(), *register_ranges) if each))
    # The range of an unsigned number begins with zeros, and a number ends with some: it lies over
    # them.
    unsigned = [each for each in needed if each.startswith(bytes(4))]

    def append(more: bytes, then: bytes = b"") -> int:
        data.extend(more)
        at = len(data) - len(more)
        _place(data, then)
        return at

    def unsigned_range() -> bytes:
        return unsigned.pop() if unsigned else b""

    def place_of(wanted: bytes) -> int:
        return data.index(wanted) if wanted else 0

    _place(data, unsigned_range())
    last_row = append(struct.pack("<H", params.n_sources - 1))
    events = append(struct.pack("<II", params.event_queue_depth, params.n_axons), unsigned_range())
    entry_limit = append(
        struct.pack("<I", params.neuron_groups << PENDING_MASK_BITS), unsigned_range()
    )
    for each in needed:
        _place(data, each)
    places: dict[Space, int] = {space: place_of(each) for space, each in ranges.items()}
    register_places = bytes(place_of(each) for each in register_ranges)
    result = Tables(
        last_row=last_row,
        events=events,
        entry_limit=entry_limit,
        spaces=append(b"".join(_row(formats, places, number) for number in range(SPACES))),
        registers=append(register_places),
        identity_bytes=identity_bytes,
        data=bytes(data),
    )
    if len(result.data) > MOST_BYTES:
        raise ValueError(f"{len(result.data)} bytes of tables are more than {MOST_BYTES}")
    return result


def _row(formats: dict[Space, SpaceFormat], ranges: dict[Space, int], number: int) -> bytes:
    found = formats.get(Space(number))
    if found is None:
        return bytes(SPACE_ROW_BYTES)
    flags = {
        SpaceFlag.KNOWN: True,
        SpaceFlag.WRITABLE: found.writable,
        SpaceFlag.ANYTIME: found.space in READ_DURING_RUN,
        SpaceFlag.MATRIX: found.rows > 1,
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


def _place(data: bytearray, wanted: bytes) -> None:
    """Append bytes that are not there yet, over as many of the last ones as are equal."""
    if wanted not in data:
        shared = next(n for n in range(len(wanted), -1, -1) if data.endswith(wanted[:n]))
        data += wanted[shared:]
