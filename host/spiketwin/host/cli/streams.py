"""Standard output and standard error that may be closed, be full, or have lost their reader.

None of that ends the work: its files are still written, and the exit status reports the failure.
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
"""Exit statuses if only standard output could not be written, and if its reader has gone."""


class _Stream(io.FileIO):
    """A stream that drops its data after the first error of writing.

    Attributes
    ----------
    failure:
        The first error; None as long as all data were written.
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
    """Replace the standard streams, during the block, by ones that never raise when written.

    Streams that are not files of this process are left alone. Yields a function that returns the
    exit status: 0 if standard output is complete; otherwise it prints the reason on standard error.
    Closed streams are opened to the null device, so that no file that is opened later gets their
    descriptor, and with it the output of the program.
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
            return _NO_READER  # the user has ended the reader, so no message
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
    """Open the null device as each closed standard stream, so that using the stream fails."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The system assigns the lowest free descriptor.
            os.open(os.devnull, os.O_WRONLY if number == 0 else os.O_RDONLY)


def _wrapped(stream: TextIO | None, number: int) -> tuple[io.TextIOWrapper, _Stream] | None:
    """Return a stream that drops what cannot be written; None if `stream` is not a file."""
    if stream is None:  # it was closed when Python started
        raw = _Stream(number)
        return io.TextIOWrapper(io.BufferedWriter(raw), "utf-8", line_buffering=True), raw
    # With PYTHONUNBUFFERED there is no buffer: `stream.buffer` is then the raw file.
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
