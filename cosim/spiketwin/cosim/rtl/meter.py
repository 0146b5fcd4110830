"""What a simulation in a process of its own lets the host see of its time, in shared memory."""

from __future__ import annotations

import mmap
from typing import IO, Final

from spiketwin.host.timeline import Simulation

_NUMBERS: Final = 3
_BYTES: Final = 8 * _NUMBERS


class Meter:
    """Three numbers in a file that two processes have in their memory; one writes, one reads.

    Each is written as a whole, so neither process ever waits for the other.

    Parameters
    ----------
    fd:
        Descriptor of the file; it may be closed afterwards.
    """

    def __init__(self, fd: int) -> None:
        self._numbers = memoryview(mmap.mmap(fd, _BYTES)).cast("d")

    @classmethod
    def in_file(cls, file: IO[bytes]) -> Meter:
        """Make one in an empty file."""
        file.truncate(_BYTES)
        return cls(file.fileno())

    def note(self, clock: float, byte_seconds: float, worked: float) -> None:
        """Show how far the simulation is: see `Simulation`, but for the seconds worked just now."""
        self._numbers[0] = clock
        self._numbers[1] = byte_seconds
        self._numbers[2] += worked

    def simulation(self) -> Simulation:
        """Give what is shown, to the host."""
        return Simulation(
            clock=lambda: self._numbers[0],
            byte_seconds=lambda: self._numbers[1],
            worked=lambda: self._numbers[2],
        )
