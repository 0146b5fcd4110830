"""Paths that a user gives: whether they are any, what is behind them, and how they are written."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Final

from spiketwin.hdl.spec.text import shown
from spiketwin.host.errors import InvalidInput

_DESCRIPTORS: Final = ("/dev/fd", "/proc/self/fd", "/proc/thread-self/fd")
"""Folders of this process's descriptors, by the names that lead to them on any system."""

_MOST_LINKS: Final = 40
"""As many as the system follows."""

_NO_TEXT: Final = re.compile("[\udc80-\udcff]")
"""Bytes of a name that are no UTF-8, as Python reads them."""


def path_of(value: object, name: str) -> Path:
    """Give what was meant as a path; `InvalidInput`, which calls it `name`, if it can be none."""
    try:
        path = Path(value) if isinstance(value, str | os.PathLike) else None
        encoded = b"" if path is None else os.fsencode(path)
    except (TypeError, UnicodeEncodeError):  # of bytes; of half a character
        path = None
    if path is None:
        raise InvalidInput(f"{name} must be the path of a file, not {shown(value)}")
    if b"\0" in encoded:
        raise InvalidInput(f"{name} is no path, as there is a NUL in it: {shown(str(path))}")
    return path


def readable(text: object) -> str:
    r"""Give a name such that it can be written as UTF-8: of what is none, bytes as ``\xff``."""
    escaped = _NO_TEXT.sub(lambda found: f"\\x{ord(found[0]) - 0xDC00:02x}", str(text))
    return escaped.encode("utf-8", "backslashreplace").decode()


def stream_number(path: Path) -> int | None:
    """Give the descriptor of this process that a path names, as ``/dev/stdout`` does; else None.

    Opening such a path anew would begin at the start of the file that is behind it.
    """
    folders = {os.path.realpath(folder) for folder in _DESCRIPTORS}
    for _ in range(_MOST_LINKS):
        folder = Path(os.path.realpath(path.parent))
        if str(folder) in folders and path.name.isascii() and path.name.isdecimal():
            return int(path.name)
        try:
            path = folder / (folder / path.name).readlink()
        except OSError:
            return None
    return None


def same_file(one: Path, other: Path) -> bool:
    """Whether two paths lead to the same file, by whatever links, or will, if it is not there."""
    return _identity(one) == _identity(other)


def is_behind(path: Path, descriptor: int) -> bool:
    """Whether a path is that of the regular file that a descriptor of this process goes to."""
    try:
        opened = os.fstat(descriptor)
    except OSError:
        return False
    return stat.S_ISREG(opened.st_mode) and _identity(path) == (opened.st_dev, opened.st_ino)


def _identity(path: Path) -> tuple[int, int] | str:
    if "\0" in str(path):
        return str(path)  # of nothing
    try:
        found = path.stat()
    except OSError:
        return os.path.realpath(path)
    return found.st_dev, found.st_ino
