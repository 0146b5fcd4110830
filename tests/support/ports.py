"""Ports with a model behind them, for tests of what stands between model and host."""

from spiketwin.cosim.model.device import ModelDevice
from spiketwin.hdl.spec.params import CoreParams


class UnclockedPort:
    """A port to a model without a clock; the line before it has its own."""

    def __init__(self, params: CoreParams) -> None:
        self.device = ModelDevice(params)
        self.timeout: float | None = 0.0

    def read(self, size: int = 1, /) -> bytes:
        return self.device.drain(size)

    def write(self, data: bytes, /) -> int:
        self.device.receive(data)
        return len(data)

    def close(self) -> None:
        """Do nothing: the port holds no resources."""
