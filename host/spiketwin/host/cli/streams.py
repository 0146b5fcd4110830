"""Standard output and standard error, which may be closed, full, or have no reader any more.

None of that ends the work: its files are written, and the status tells of it in the end.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, TextIO

import click

_UNWRITTEN: Final = 2
_NO_READER: Final = 1
"""Statuses where standard output alone could not be written, and where its reader has gone."""


class _Stream(io.FileIO):
    """A stream of this process. What it does not take is dropped, as is all that comes after.

    Attributes
    ----------
    failure:
        Why; None as long as all was written.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number, "w", closefd=False)
        self.failure: OSError | None = None

    def write(self, data: Any, /) -> int:
        if self.failure is None:
            try:
                return super().write(data)
            except OSError as error:
                self.failure = error
        return memoryview(data).nbytes


@contextmanager
def kept_going() -> Iterator[Callable[[], int]]:
    """Have output that cannot be written end nothing, where this process has it of its own.

    Gives what says on standard error why standard output is incomplete, if it is, and gives the
    status that tells of it; 0 if it is whole. A stream that was closed is one that takes nothing,
    so that no file that is opened later gets its number, and with it what others print.
    """
    _fill_gaps()
    before = sys.stdout, sys.stderr
    out, err = _wrapped(sys.stdout, 1), _wrapped(sys.stderr, 2)

    def status() -> int:
        if out is None:
            return 0
        text, raw = out
        text.flush()
        if raw.failure is None:
            return 0
        if raw.failure.errno == errno.EPIPE:
            return _NO_READER  # the user has ended the reader, and knows
        click.echo(f"Error: standard output: {raw.failure.strerror}", err=True)
        return _UNWRITTEN

    sys.stdout = before[0] if out is None else out[0]
    sys.stderr = before[1] if err is None else err[0]
    try:
        yield status
    finally:
        for each in filter(None, (out, err)):
            each[0].flush()
        sys.stdout, sys.stderr = before


def _fill_gaps() -> None:
    """Open the null device, the wrong way round, as each standard stream that is closed."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The system gives the lowest number that is free.
            os.open(os.devnull, os.O_WRONLY if number == 0 else os.O_RDONLY)


def _wrapped(stream: TextIO | None, number: int) -> tuple[io.TextIOWrapper, _Stream] | None:
    """Give a stream that drops what cannot be written; None where it is none of the process."""
    if stream is None:  # it was closed as Python began
        raw = _Stream(number)
        return io.TextIOWrapper(io.BufferedWriter(raw), "utf-8", line_buffering=True), raw
    # Without a buffer, as PYTHONUNBUFFERED has it, the buffer is what else is below it.
    if not isinstance(stream, io.TextIOWrapper) or not isinstance(
        getattr(stream.buffer, "raw", stream.buffer), io.FileIO
    ):
        return None
    raw = _Stream(number)
    with suppress(OSError):
        stream.flush()
    text = io.TextIOWrapper(
        io.BufferedWriter(raw),
        stream.encoding,
        stream.errors,
        line_buffering=stream.line_buffering or stream.write_through,
    )
    return text, raw
