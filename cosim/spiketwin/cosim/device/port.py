"""`DevicePort`: the adapter by which a port in this process uses a software device."""

from __future__ import annotations

from spiketwin.cosim.device.device import SoftwareDevice


class DevicePort:
    """A software device behind a port. It answers at once and never waits."""

    def __init__(self, device: SoftwareDevice) -> None:
        self._device = device

    def write(self, data: bytes) -> None:
        """Take bytes from the host."""
        self._device.receive(data)

    def read(self, max_bytes: int, seconds: float) -> bytes:
        """Return bytes to the host at once; if there are none, `seconds` count as passed."""
        del seconds
        return self._device.drain(max_bytes)

    def close(self) -> None:
        """Do nothing: the device holds no resources."""
