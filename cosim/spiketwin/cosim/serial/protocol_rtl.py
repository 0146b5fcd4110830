"""``rtl://``: the RTL answers, simulated in this process.

``rtl://?params=full&level=bytes&cycles_per_bit=4&clock=100000000``: `params` as of ``model://``; at
the level ``pins`` the UART is simulated bit by bit, at ``bytes``, the default, only what is behind
it; `cycles_per_bit` is the UART's rate at power-up, and `clock` the frequency in hertz that the
device reports and that its time is counted with.
"""

from __future__ import annotations

import serial

from spiketwin.cosim.rtl.build import Design
from spiketwin.cosim.rtl.engine import Engine
from spiketwin.cosim.serial import rtl_url
from spiketwin.cosim.serial.inprocess import InProcessSerial
from spiketwin.host.errors import TargetError


class Serial(InProcessSerial):
    """Port of the simulated RTL, opened with ``serial.serial_for_url("rtl://…")``.

    It lives in the time of the device: timeouts are simulated, and `clock` tells it. Whatever rate
    it is opened with, `baudrate` is the device's own.
    """

    adapter_latency = 0.0
    """Seconds that bytes are under way beside the time on the wire."""

    _engine: Engine

    def design(self, url: str) -> Design:
        """Read what `url` describes; `SerialException` if there is none such."""
        return rtl_url.design(url, default_level="bytes")

    def make_device(self, url: str) -> Engine:
        """Make the device that `url` describes.

        Raises
        ------
        SerialException
            There is none such, or it cannot be built.
        """
        wanted = self.design(url)
        try:
            self._engine = Engine(
                wanted.params,
                wanted.level,
                cycles_per_bit=wanted.cycles_per_bit,
                clock_hz=wanted.clock_hz,
                family=wanted.family,
                gateware=wanted.gateware,
                waves=wanted.waves,
            )
        except TargetError as error:
            raise serial.SerialException(str(error)) from error
        self.has_line = wanted.level == "pins"
        self.baudrate = round(wanted.clock_hz / wanted.cycles_per_bit)
        return self._engine

    def clock(self) -> float:
        """Seconds of the device since power-up."""
        return self._engine.cycles / self._engine.design.clock_hz

    def _reconfigure_port(self) -> None:
        if not self.baudrate:
            raise ValueError("baudrate must be positive, not 0")
        self._engine.set_cycles_per_bit(round(self._engine.design.clock_hz / self.baudrate))


class DesignSerial(Serial):
    """Port of the simulated RTL of a design that no address tells, open when it is made.

    Parameters
    ----------
    design:
        The design.

    Raises
    ------
    SerialException
        It cannot be built.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        super().__init__("rtl://", timeout=0)

    def design(self, url: str) -> Design:
        """Give the design, whatever `url` says."""
        return self._design

    @property
    def engine(self) -> Engine:
        """The simulation behind the port."""
        return self._engine
