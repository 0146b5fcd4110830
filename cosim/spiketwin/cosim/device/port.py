"""`DevicePort`: a software device as what a port in this process needs."""

from __future__ import annotations

from spiketwin.cosim.device.device import SoftwareDevice


class DevicePort:
    """A device behind a port. It never waits: what it has to say it says at once."""

    def __init__(self, device: SoftwareDevice) -> None:
        self._device = device

    def write(self, data: bytes) -> None:
        """Take bytes from the host."""
        self._device.receive(data)

    def read(self, max_bytes: int, seconds: float) -> bytes:
        """Bytes to the host, at once: when there are none, `seconds` have in effect passed."""
        del seconds
        return self._device.drain(max_bytes)

    def close(self) -> None:
        """Nothing is held."""
