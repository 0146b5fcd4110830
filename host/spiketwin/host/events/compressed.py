"""Bounds of the size of compressed packets, found from the headers of their blocks alone.

A block of a few bytes may stand for hundreds of thousands, so a small file could take all memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spiketwin.host.errors import EventFileError

_MOST_BYTES: Final = 1 << 28
"""Most bytes of a packet, as many as 16,777,216 events of 16 bytes take."""

_NONE, _LZ4, _LZ4_HIGH, _ZSTD, _ZSTD_HIGH = range(5)
_LZ4_MARK: Final = b"\x04\x22\x4d\x18"
_ZSTD_MARK: Final = b"\x28\xb5\x2f\xfd"
_LZ4_RATIO: Final = 255
_ZSTD_BLOCK: Final = 1 << 17
_RLE, _COMPRESSED, _RESERVED = 1, 2, 3
"""Kinds of blocks of Zstandard: of one byte that repeats, compressed, and none."""


def check_expansion(compression: int, data: bytes, at: int) -> None:
    """Raise `EventFileError` if a packet can become longer than 256 MiB, or is none.

    Parameters
    ----------
    compression:
        Number of the way in which packets are compressed, from the header of an AEDAT 4 file.
    data:
        The packet.
    at:
        Its byte in the file, for messages.
    """
    if compression == _NONE:
        return
    if compression in (_LZ4, _LZ4_HIGH):
        blocks = _lz4_blocks(data)
    elif compression in (_ZSTD, _ZSTD_HIGH):
        blocks = _zstd_blocks(data)
    else:
        raise EventFileError(f"its packets are compressed in a way, {compression}, that is unknown")
    total = 0
    try:
        for most in blocks:
            total += most
            if total > _MOST_BYTES:
                raise EventFileError(
                    f"the packet at byte {at} can grow to more than {_MOST_BYTES} bytes when it is "
                    "decompressed, the most there can be"
                )
    except IndexError as error:
        raise EventFileError(f"the packet at byte {at} is no packet, or a damaged one") from error


def _lz4_blocks(data: bytes) -> Iterator[int]:
    """Yield the most bytes that each block of an LZ4 frame can become, or raise `IndexError`.

    The layout is that of the specification of LZ4 frames, version 1.6.
    """
    if not data.startswith(_LZ4_MARK):
        raise IndexError
    flags = data[4]
    block_checksum, content_size, dictionary = flags >> 4 & 1, flags >> 3 & 1, flags & 1
    most = 1 << 8 + 2 * (data[5] >> 4 & 7)
    at = 7 + 8 * content_size + 4 * dictionary
    while True:
        _check_there(data, at + 4)
        size = int.from_bytes(data[at : at + 4], "little")
        if not size:
            _check_end(data, at + 4 + 4 * (flags >> 2 & 1))
            return
        length = size & 0x7FFF_FFFF
        at += 4 + length + 4 * block_checksum
        _check_there(data, at)
        yield min(most, length * _LZ4_RATIO)


def _zstd_blocks(data: bytes) -> Iterator[int]:
    """Yield the most bytes that each block of a Zstandard frame can become, or raise `IndexError`.

    The layout is that of RFC 8878.
    """
    if not data.startswith(_ZSTD_MARK):
        raise IndexError
    flags = data[4]
    single = flags >> 5 & 1
    of_size = (single, 2, 4, 8)[flags >> 6]
    at = 5 + (not single) + (0, 1, 2, 4)[flags & 3] + of_size
    last = False
    while not last:
        _check_there(data, at + 3)
        header = int.from_bytes(data[at : at + 3], "little")
        last, kind, size = bool(header & 1), header >> 1 & 3, header >> 3
        if kind == _RESERVED:
            raise IndexError
        at += 3 + (1 if kind == _RLE else size)
        _check_there(data, at)
        yield _ZSTD_BLOCK if kind == _COMPRESSED else min(size, _ZSTD_BLOCK)
    _check_end(data, at + 4 * (flags >> 2 & 1))


def _check_there(data: bytes, end: int) -> None:
    if end > len(data):
        raise IndexError


def _check_end(data: bytes, end: int) -> None:
    """Raise `IndexError` unless the frame is the whole packet: another one could follow it."""
    if end != len(data):
        raise IndexError
