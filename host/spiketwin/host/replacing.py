"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import io
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from spiketwin.host.paths import path_of, stream_number


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Open a file for writing that takes the place of `path` once it is whole.

    Where writing fails, what was at `path` stays, and nothing else is left. Until then all is
    written into the same folder under a name that nobody else has. A symbolic link stays one, and
    a file that is replaced passes its permissions on. What is no regular file, such as a pipe, is
    written to as it is, and so is what ``/dev/stdout`` or ``/dev/fd/3`` goes to, where that stands.

    Raises
    ------
    InvalidInput
        `path` is none.
    OSError
        As `open`, `write` and `rename`; it names `path`.
    """
    place = path_of(path, "a file to write")
    try:
        with _opened(place) as file:
            yield file
    except OSError as error:
        if error.errno is not None and error.filename in (None, str(place)):
            raise OSError(error.errno, error.strerror, str(place)) from error
        raise


class _Stream(io.FileIO):
    """A stream that others write to as well: what is behind it has no place to go back to.

    Formats that would go back, as zip does, ask first.
    """

    def seekable(self) -> bool:
        return False

    def seek(self, _offset: int, _whence: int = 0, /) -> int:
        raise io.UnsupportedOperation("a stream is written from its beginning to its end")

    def tell(self) -> int:
        raise io.UnsupportedOperation("a stream has no place")


@contextmanager
def _opened(place: Path) -> Iterator[IO[bytes]]:
    number = stream_number(place)
    if number is not None:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()  # what was printed before comes before
        with io.BufferedWriter(_Stream(os.dup(number), "wb")) as file:
            yield file
        return
    try:
        found = place.stat()
    except FileNotFoundError:
        found = None
    if found is not None and not stat.S_ISREG(found.st_mode):
        with place.open("wb") as there:
            yield there
        return
    with _fresh(Path(os.path.realpath(place)), found, str(place)) as file:
        yield file


@contextmanager
def _fresh(whole: Path, found: os.stat_result | None, name: str) -> Iterator[IO[bytes]]:
    """Write under a name of its own, in the folder of `whole`, and rename that in the end."""
    if found is not None and not os.access(whole, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), name)
    # However long the other name is, this one is not too long. Nobody can have it: it is opened
    # exclusively, and so is no link either. The permissions are those that `open` gives.
    fresh = whole.with_name(f".spiketwin-{secrets.token_hex(8)}")
    try:
        made = fresh.open("xb")
    except OSError as error:
        raise OSError(error.errno, error.strerror, name) from error
    try:
        with made as file:
            if found is not None:
                _pass_on(found, fresh)
            yield file
        try:
            fresh.replace(whole)
        except OSError as error:
            raise OSError(error.errno, error.strerror, name) from error
    except BaseException:
        with suppress(OSError):
            fresh.unlink()
        raise


def _pass_on(found: os.stat_result, fresh: Path) -> None:
    """Give a file the owner, as far as this user may, and the permissions of another one."""
    mine = fresh.stat()
    if (found.st_uid, found.st_gid) != (mine.st_uid, mine.st_gid):
        with suppress(PermissionError):
            os.chown(fresh, found.st_uid, found.st_gid)
    fresh.chmod(stat.S_IMODE(found.st_mode) & 0o777)
