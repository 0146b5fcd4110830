"""Files that are read: regular ones, and never more of one than a sound file can have."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from spiketwin.host.errors import SpiketwinError


def open_regular(path: Path, most_bytes: int, error: type[SpiketwinError]) -> IO[bytes]:
    """Open a file to be read, having looked at what it is: nothing else is ever opened.

    A device or a pipe may give bytes for ever, or none, and opening it may do something.

    Parameters
    ----------
    path:
        The file (`paths.path_of`).
    most_bytes:
        What a sound file has at most.
    error:
        Raised where it is no regular file, or a longer one.

    Raises
    ------
    OSError
        As `open`.
    """
    found = path.stat()
    if stat.S_ISDIR(found.st_mode):
        raise error(f"{path} is a folder: name a file in it")
    if not stat.S_ISREG(found.st_mode):
        raise error(
            f"{path} is a device, a pipe or a socket, whose end nobody knows: write what it gives "
            "into a file, and name that one"
        )
    if found.st_size > most_bytes:
        raise error(
            f"{path} has {found.st_size} bytes, where {most_bytes} are the most there can be"
        )
    return path.open("rb")


def bounded_lines(
    file: IO[bytes], path: Path, most_bytes: int, error: type[SpiketwinError]
) -> Iterator[str]:
    """Give the lines of a text in UTF-8, whatever system wrote it, without a mark at its begin.

    Raises `error` where it is no such text, or longer than `most_bytes`: it may have grown.
    """
    left = most_bytes
    encoding = "utf-8-sig"
    while line := file.readline(left + 1):
        left -= len(line)
        if left < 0:
            raise error(f"{path} has more than {most_bytes} bytes, the most there can be")
        try:
            text = line.decode(encoding)
        except UnicodeDecodeError as wrong:
            raise error(f"{path} is no text in UTF-8: save it as such") from wrong
        encoding = "utf-8"
        yield from text.splitlines() or [""]
