"""The ways into the project for what was written elsewhere, by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from spiketwin.cosim.trials.fuzz.addresses import Addresses, Sizes
from spiketwin.cosim.trials.fuzz.choices import Choices
from spiketwin.cosim.trials.fuzz.files import NetworkFiles, Recordings, SpikeArrays, SpikeTables
from spiketwin.cosim.trials.fuzz.frames import Answers, Requests


class Surface(Protocol):
    """One way in."""

    def make(self, choices: Choices) -> bytes:
        """Make an input, as bytes, from choices."""
        ...

    def feed(self, data: bytes) -> None:
        """Hand an input over.

        It returns, or raises a `SpiketwinError`; anything else is a fault of the project.
        """
        ...


SURFACES: Final[dict[str, Callable[[Path], Surface]]] = {
    "network": NetworkFiles,
    "recording": Recordings,
    "spikes.csv": SpikeTables,
    "spikes.npy": SpikeArrays,
    "url": Addresses,
    "params": lambda _: Sizes(),
    "to-device": lambda _: Requests(),
    "to-host": lambda _: Answers(),
}
"""What makes each, given a folder of its own."""
