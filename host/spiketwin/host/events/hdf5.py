"""HDF5 files that may come from anywhere: opened for reading, with errors of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spiketwin.host.errors import EventFileError, SpiketwinError
from spiketwin.host.events.value import MOST_TIME
from spiketwin.host.stimuli import MOST_EVENTS

MARK: Final = b"\x89HDF\r\n\x1a\n"
"""The first bytes of a file."""

_RAISED: Final = (OSError, KeyError, RuntimeError, ValueError, TypeError, AttributeError)
"""What h5py and nixio raise for damaged files."""


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Yield the file as h5py has it; turn what h5py raises in the block into `EventFileError`."""
    import h5py

    with damage(), h5py.File(path, "r") as file:
        yield file


@contextmanager
def damage() -> Iterator[None]:
    """Turn what the libraries raise for damaged files into `EventFileError`."""
    try:
        yield
    except SpiketwinError:
        raise
    except _RAISED as error:
        raise EventFileError(f"it is damaged ({str(error)[:200]}): get it again") from error


def check_count(name: str, count: int) -> None:
    """Raise `EventFileError` if a table says that it has more events than there can be."""
    if count > MOST_EVENTS:
        raise EventFileError(f"{name} says {count} events, where {MOST_EVENTS} are the most")


def microseconds(name: str, times: NDArray[Any], scale: float) -> NDArray[np.int64]:
    """Return times as microseconds, rounded to nearest; `scale` is how many there are in a unit.

    Raises `EventFileError` for times that are no numbers, negative, or too late.
    """
    if times.ndim != 1 or times.dtype.kind not in "iuf":
        raise EventFileError(f"{name} must be a list of numbers, not {times.dtype} {times.shape}")
    exact = times.astype(np.float64) * scale
    wrong = np.flatnonzero(~((exact >= 0) & (exact <= MOST_TIME)))
    if wrong.size:
        at = int(wrong[0])
        raise EventFileError(f"{name}[{at}] must be a time from 0 on, not {times[at]}")
    return np.rint(exact).astype(np.int64)
