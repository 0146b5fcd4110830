"""`CorePort`: the RTL of a core behind the software device, for a port in this process."""

from __future__ import annotations

from spiketwin.cosim.device.device import SoftwareDevice
from spiketwin.cosim.device.port import DevicePort
from spiketwin.cosim.rtl.build import Design
from spiketwin.cosim.rtl.core_engine import CoreEngine


class CorePort(DevicePort):
    """A device with the simulated core of a design.

    Parameters
    ----------
    design:
        The design to simulate, at the level ``core``.

    Attributes
    ----------
    engine:
        The simulation.

    Raises
    ------
    TargetError
        The design cannot be built.
    """

    def __init__(self, design: Design) -> None:
        self.engine = CoreEngine(design)
        self._waited = 0.0
        super().__init__(SoftwareDevice(self.engine, design.clock_hz, design.digest()))

    def read(self, max_bytes: int, seconds: float) -> bytes:
        """Return bytes to the host at once; if there are none, `seconds` have passed."""
        data = super().read(max_bytes, seconds)
        if not data:
            self._waited += seconds
        return data

    def clock(self) -> float:
        """Return the seconds since power-up: those simulated, and those waited without result."""
        return self.engine.cycles / self.engine.design.clock_hz + self._waited

    def close(self) -> None:
        """Free the simulation."""
        self.engine.close()
