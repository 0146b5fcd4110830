"""Paths that a user gives: checked, compared, and made printable."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Final

from spiketwin.hdl.spec.text import shown
from spiketwin.host.errors import InvalidInput

_DESCRIPTORS: Final = ("/dev/fd", "/proc/self/fd", "/proc/thread-self/fd")
"""Folders of this process's file descriptors, by their names on the supported systems."""

_MOST_LINKS: Final = 40
"""Most symbolic links that are followed, as by the system."""

_NO_TEXT: Final = re.compile("[\udc80-\udcff]")
"""Bytes of a name that are not UTF-8, as Python decodes them (surrogate escapes)."""


def path_of(value: object, name: str) -> Path:
    """Return an argument as a path; raise `InvalidInput`, which calls it `name`, if it is none."""
    try:
        path = Path(value) if isinstance(value, str | os.PathLike) else None
        encoded = b"" if path is None else os.fsencode(path)
    except (TypeError, UnicodeEncodeError):  # bytes, or half of a surrogate pair
        path = None
    if path is None:
        raise InvalidInput(f"{name} must be the path of a file, not {shown(value)}")
    if b"\0" in encoded:
        raise InvalidInput(
            f"{name} must be the path of a file, and there is no NUL in one: {shown(str(path))}"
        )
    return path


def readable(text: object) -> str:
    r"""Return a name in a form that UTF-8 can encode: other bytes are escaped as ``\xff``."""
    escaped = _NO_TEXT.sub(lambda found: f"\\x{ord(found[0]) - 0xDC00:02x}", str(text))
    return escaped.encode("utf-8", "backslashreplace").decode()


def stream_number(path: Path) -> int | None:
    """Return the file descriptor that a path such as ``/dev/stdout`` names; None for other paths.

    Opening such a path anew would begin at the start of the file to which the descriptor refers.
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
    """Return whether two paths, after all links, name the same file, which may not exist yet."""
    return _identity(one) == _identity(other)


def is_behind(path: Path, descriptor: int) -> bool:
    """Return whether a path names the regular file to which a file descriptor refers."""
    try:
        opened = os.fstat(descriptor)
    except OSError:
        return False
    return stat.S_ISREG(opened.st_mode) and _identity(path) == (opened.st_dev, opened.st_ino)


def _identity(path: Path) -> tuple[int, int] | str:
    if "\0" in str(path):
        return str(path)  # no file can have this name
    try:
        found = path.stat()
    except OSError:
        return os.path.realpath(path)
    return found.st_dev, found.st_ino
