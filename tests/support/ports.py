"""Ports with a model behind them, for what stands between it and the host."""

from spiketwin.cosim.model.device import ModelDevice
from spiketwin.hdl.spec.params import CoreParams


class UnclockedPort:
    """A model that knows no clock behind a port, for a line that has one."""

    def __init__(self, params: CoreParams) -> None:
        self.device = ModelDevice(params)
        self.timeout: float | None = 0.0

    def read(self, size: int = 1, /) -> bytes:
        return self.device.drain(size)

    def write(self, data: bytes, /) -> int:
        self.device.receive(data)
        return len(data)

    def close(self) -> None:
        """Nothing is held."""
