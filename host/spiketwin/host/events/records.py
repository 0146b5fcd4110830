"""Files that are a sequence of records of one length: read, and checked for what is left over."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spiketwin.host.elements import IntArray
from spiketwin.host.errors import EventFileError
from spiketwin.host.inputs import open_regular
from spiketwin.host.stimuli import MOST_EVENTS


def read_records(path: Path, begin: int, length: int) -> NDArray[np.uint8]:
    """Return the records of `length` bytes each from byte `begin` on, shape (n, length).

    Raises `EventFileError` if the last one is cut, or if there are more than 16,777,216.
    """
    with open_regular(path, begin + length * MOST_EVENTS, EventFileError) as file:
        size = file.seek(0, os.SEEK_END) - begin
        if size % length:
            raise EventFileError(
                f"it ends within event {size // length}: {size % length} of its {length} bytes are "
                "there, so the file is cut, or something else"
            )
        file.seek(begin)
        data = file.read(size)
    return np.frombuffer(data, np.uint8).reshape(-1, length)


def check_order(t: IntArray, begin: int, length: int) -> None:
    """Raise `EventFileError` if times go back; it names the event and its byte."""
    back = np.flatnonzero(t[1:] < t[:-1])
    if back.size:
        at = int(back[0]) + 1
        raise EventFileError(
            f"the time of event {at}, at byte {begin + at * length}, goes back from {t[at - 1]} to "
            f"{t[at]} microseconds: the file is damaged, or something else"
        )
