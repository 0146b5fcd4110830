"""Reading of event files: what a file is follows from its content, never from its name."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Final

from spiketwin.host.errors import EventFileError
from spiketwin.host.events import aedat4, archive, dat, nix, nmnist, shd, text
from spiketwin.host.events.value import Events
from spiketwin.host.events.wanted import Format, Wanted
from spiketwin.host.inputs import open_regular
from spiketwin.host.npy import ArrayError
from spiketwin.host.paths import path_of

FORMATS: Final = (aedat4.FORMAT, nix.FORMAT, shd.FORMAT, archive.FORMAT, dat.FORMAT)
"""The formats that begin with a mark of their own."""

UNMARKED: Final = (text.FORMAT, nmnist.FORMAT)
"""The formats without a mark. What is no text is taken for the last one, and has to stand its
checks: a random file has times that go back."""

_OTHERS: Final = {
    b"#!AER-DAT": "an AEDAT file of another version than 4: save it as AEDAT 4, or as text",
    b"\x89HDF\r\n\x1a\n": "an HDF5 file without spikes/times and spikes/units, and no NIX file; a "
    "graph of NIR is read by `spiketwin import`",
}
"""What files are that begin with a mark of something else."""

_HEAD_BYTES: Final = 4096
_MOST_BYTES: Final = (1 << 63) - 1
"""Any length: what is read of a file is bounded by each format."""


def read(
    path: str | os.PathLike[str],
    *,
    size: tuple[int, int] | None = None,
    units: int | None = None,
    sample: int | None = None,
) -> Events:
    """Return the events in a file: AEDAT 4, N-MNIST, .dat, SHD, AER text, CSV, NIX or .npz.

    What the file is follows from its content. Nothing in it is executed, and the memory taken is
    bounded by what the file really holds, up to 16,777,216 events.

    Parameters
    ----------
    path:
        Path of the file.
    size:
        Columns and rows of the sensor, 1…16384, of a format that does not say it. By default as
        many as the events need, which may differ from file to file; 34 × 34 of N-MNIST.
    units:
        Number of units, 1…16777216, of a format that does not say it. By default as many as the
        events need; 700 of SHD.
    sample:
        Number of the sample, from 0 on, in a file that holds several.

    Returns
    -------
    Events
        The events, in microseconds, and in `remarks` what was left out, sorted or assumed.

    Raises
    ------
    EventFileError
        The file is of no known format, is cut, damaged or contradicts itself, or has an event out
        of range; the message names the place and the allowed range.
    InvalidInput
        An argument is wrong, or the file needs one that is not given.
    ImportError
        A package of the extra `events` is not installed.
    OSError
        As `open` raises it.
    """
    whole = path_of(path, "path")
    wanted = Wanted(size, units, sample)
    wanted.check()
    with open_regular(whole, _MOST_BYTES, EventFileError) as file:
        head = file.read(_HEAD_BYTES)
    if not head:
        raise EventFileError(f"{whole} is empty: it holds no events")
    found = _format(whole, head)
    try:
        return replace(found.read(whole, wanted), format=found.name)
    except (EventFileError, ArrayError) as error:
        raise EventFileError(f"{whole}, read as {found.name}: {error}") from error


def _format(path: Path, head: bytes) -> Format:
    """Return the format of a file that begins with `head`; raise `EventFileError` if unknown."""
    for each in FORMATS:
        if each.recognises(path, head):
            return each
    for mark, what in _OTHERS.items():
        if head.startswith(mark):
            raise EventFileError(f"{path} is {what}")
    return next(each for each in UNMARKED if each.recognises(path, head))
