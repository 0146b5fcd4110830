"""Atomic replacement of files: a file appears complete or not at all."""

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
    """Yield a file for writing that replaces `path` atomically at the end of the block.

    The data are written to a temporary file in the same folder, which is renamed at the end. If the
    block raises, an existing file at `path` is unchanged and the temporary file is removed. A
    symbolic link stays one, and the new file gets the permissions of the old one. A `path` that is
    not a regular file, such as a pipe, is written to directly, and so is the stream of
    ``/dev/stdout`` or ``/dev/fd/3``, at its current position.

    Raises
    ------
    InvalidInput
        `path` is not a path.
    OSError
        As `open`, `write` and `rename` raise it; it names `path`.
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
    """A stream that other code writes to as well, so that seeking in it makes no sense.

    Writers of formats that seek, such as zip, ask first (`seekable`).
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
            stream.flush()  # so that earlier output comes first
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
    with _temporary(Path(os.path.realpath(place)), found, str(place)) as file:
        yield file


@contextmanager
def _temporary(whole: Path, found: os.stat_result | None, name: str) -> Iterator[IO[bytes]]:
    """Yield a temporary file in the folder of `whole`, and rename it to `whole` at the end.

    Parameters
    ----------
    whole:
        Path of the file, after all symbolic links.
    found:
        Status of the file that is replaced; None if there is none.
    name:
        Name of the file as the caller gave it, for errors.
    """
    if found is not None and not os.access(whole, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), name)
    # The name is short however long the other one is. Mode "x" fails if the name exists, also as a
    # link. The permissions are those that `open` gives by default.
    fresh = whole.with_name(f".spiketwin-{secrets.token_hex(8)}")
    try:
        made = fresh.open("xb")
    except OSError as error:
        raise OSError(error.errno, error.strerror, name) from error
    try:
        with made as file:
            if found is not None:
                _copy_permissions(found, fresh)
            yield file
        try:
            fresh.replace(whole)
        except OSError as error:
            raise OSError(error.errno, error.strerror, name) from error
    except BaseException:
        with suppress(OSError):
            fresh.unlink()
        raise


def _copy_permissions(found: os.stat_result, fresh: Path) -> None:
    """Set permissions and, if this user may, owner of `fresh` to those of the replaced file."""
    mine = fresh.stat()
    if (found.st_uid, found.st_gid) != (mine.st_uid, mine.st_gid):
        with suppress(PermissionError):
            os.chown(fresh, found.st_uid, found.st_gid)
    fresh.chmod(stat.S_IMODE(found.st_mode) & 0o777)
