"""`Meter`: the progress of a simulation in another process, in shared memory."""

from __future__ import annotations

import mmap
from typing import IO, Final

from spiketwin.host.timeline import Simulation

_NUMBERS: Final = 3
_BYTES: Final = 8 * _NUMBERS


class Meter:
    """Three numbers in a file that two processes map into memory; one writes, one reads.

    Each number is written atomically, so neither process ever waits for the other.

    Parameters
    ----------
    fd:
        Descriptor of the file; it may be closed afterwards.
    """

    def __init__(self, fd: int) -> None:
        self._numbers = memoryview(mmap.mmap(fd, _BYTES)).cast("d")

    @classmethod
    def in_file(cls, file: IO[bytes]) -> Meter:
        """Make a meter in an empty file."""
        file.truncate(_BYTES)
        return cls(file.fileno())

    def note(self, clock: float, byte_seconds: float, worked: float) -> None:
        """Write the progress (`Simulation`), and add `worked` to the seconds worked so far."""
        self._numbers[0] = clock
        self._numbers[1] = byte_seconds
        self._numbers[2] += worked

    def simulation(self) -> Simulation:
        """Return the numbers as the host reads them."""
        return Simulation(
            clock=lambda: self._numbers[0],
            byte_seconds=lambda: self._numbers[1],
            worked=lambda: self._numbers[2],
        )
