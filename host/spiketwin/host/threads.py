"""The number of threads that a call may use."""

from __future__ import annotations

import os
from typing import Final

import numpy as np

from spiketwin.hdl.spec.text import shown
from spiketwin.host.errors import InvalidInput

MOST_THREADS: Final = 256


def checked_threads(threads: int | None) -> int:
    """Return a checked number of threads; the default is the processors that this program may use.

    Raises `InvalidInput` for a wrong type or a number out of range.
    """
    if threads is None:
        return min(MOST_THREADS, processors())
    if (
        isinstance(threads, bool)
        or not isinstance(threads, int | np.integer)
        or not 1 <= threads <= MOST_THREADS
    ):
        raise InvalidInput(f"threads must be an integer in 1…{MOST_THREADS}, not {shown(threads)}")
    return int(threads)


def processors() -> int:
    """Return the number of processors that this process may use, 1 or more."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
