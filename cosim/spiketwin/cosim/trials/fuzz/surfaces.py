"""The surfaces through which the project takes external input, by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from spiketwin.cosim.trials.fuzz.addresses import Addresses, Sizes
from spiketwin.cosim.trials.fuzz.choices import Choices
from spiketwin.cosim.trials.fuzz.events import EventFiles, ImportedNetworks
from spiketwin.cosim.trials.fuzz.files import NetworkFiles, Recordings, SpikeArrays, SpikeTables
from spiketwin.cosim.trials.fuzz.frames import AnswerStreams, RequestStreams


class Surface(Protocol):
    """One way by which external input enters the project."""

    def make(self, choices: Choices) -> bytes:
        """Make an input, as bytes, from choices."""
        ...

    def feed(self, data: bytes) -> None:
        """Feed an input to the project.

        The call returns, or raises a `SpiketwinError`; any other exception is a fault of the
        project.
        """
        ...


SURFACES: Final[dict[str, Callable[[Path], Surface]]] = {
    "network": NetworkFiles,
    "recording": Recordings,
    "spikes.csv": SpikeTables,
    "spikes.npy": SpikeArrays,
    "events": EventFiles,
    "imported": ImportedNetworks,
    "url": Addresses,
    "params": lambda _: Sizes(),
    "to-device": lambda _: RequestStreams(),
    "to-host": lambda _: AnswerStreams(),
}
"""The class of each surface, which is made with a folder of its own."""
