"""Reading of files: only regular ones, and at most as many bytes as a good file can have."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from spiketwin.host.errors import SpiketwinError


def open_regular(path: Path, most_bytes: int, error: type[SpiketwinError]) -> IO[bytes]:
    """Open a regular file for reading; anything else is refused without opening it.

    A device or a pipe may deliver bytes without end, or none, and opening it may have effects.

    Parameters
    ----------
    path:
        Path of the file (`paths.path_of`).
    most_bytes:
        Most bytes that a good file has.
    error:
        Class of the error that is raised for a longer file, or one that is not regular.

    Raises
    ------
    OSError
        As `open` raises it.
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
    """Yield the lines of a UTF-8 text, with any line ends, and without a byte-order mark.

    Raises `error` if the text is not UTF-8, or longer than `most_bytes`: the file may have grown
    since it was opened.
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
