"""Zip archives of arrays that may come from anywhere: what is checked before they are opened."""

from __future__ import annotations

import os
import zipfile
import zlib
from typing import IO, Final

from spiketwin.host.errors import SpiketwinError

DAMAGED: Final = (
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError,
    OSError,
)  # fmt: skip
"""What zipfile and json raise for damaged, encrypted or unusually compressed members."""

_DIRECTORY_END: Final = b"PK\5\6"
_DIRECTORY_END_BYTES: Final = 22
_MOST_DIRECTORY_BYTES: Final = 1 << 12
_FAR_DIRECTORY: Final = b"PK\6\7"
_FAR_DIRECTORY_BYTES: Final = 20
"""Records at the end of a zip archive: the end of its central directory, and before that, in an
archive of more than 4 GiB, the locator of the zip64 record."""


def check_directory(file: IO[bytes], error: type[SpiketwinError]) -> None:
    """Raise `error` for an archive whose directory is longer than this package writes.

    zipfile would read a directory of any length into memory.
    """
    size = file.seek(0, os.SEEK_END)
    length = min(size, _DIRECTORY_END_BYTES + _FAR_DIRECTORY_BYTES)
    file.seek(size - length)
    tail = file.read(length)
    end = tail[-_DIRECTORY_END_BYTES:]
    if not end.startswith(_DIRECTORY_END):
        raise error("it does not end as a zip archive does: it is cut, or none of ours")
    if tail.startswith(_FAR_DIRECTORY) or (
        int.from_bytes(end[12:16], "little") > _MOST_DIRECTORY_BYTES
    ):
        raise error("its directory is longer than that of any file of ours")
