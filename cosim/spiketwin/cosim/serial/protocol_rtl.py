"""``rtl://``: the RTL answers, simulated in this process.

``rtl://?params=full&level=bytes&cycles_per_bit=4&clock=100000000``: `params` as of ``model://``; at
the level ``pins`` the UART is simulated bit by bit, at ``bytes``, the default, only what is behind
it, and at ``core`` the core alone, behind a link in software; `cycles_per_bit` is the UART's rate
at power-up, and `clock` the frequency in hertz that the device reports and that its time is counted
with.
"""

from __future__ import annotations

import serial

from spiketwin.cosim.rtl.build import Design
from spiketwin.cosim.rtl.engine import Engine
from spiketwin.cosim.serial import rtl_url
from spiketwin.cosim.serial.core_port import CorePort
from spiketwin.cosim.serial.inprocess import InProcessSerial
from spiketwin.host.errors import TargetError


class Serial(InProcessSerial):
    """Port of the simulated RTL, opened with ``serial.serial_for_url("rtl://…")``.

    It lives in the time of the device: timeouts are simulated, and `clock` tells it. Whatever rate
    it is opened with, `baudrate` is the device's own.
    """

    adapter_latency = 0.0
    """Seconds that bytes are under way beside the time on the wire."""

    _simulated: Engine | CorePort

    def design(self, url: str) -> Design:
        """Read what `url` describes; `SerialException` if there is none such."""
        return rtl_url.design(url, default_level="bytes")

    def make_device(self, url: str) -> Engine | CorePort:
        """Make the device that `url` describes.

        Raises
        ------
        SerialException
            There is none such, or it cannot be built.
        """
        wanted = self.design(url)
        try:
            self._simulated = CorePort(wanted) if wanted.level == "core" else _engine(wanted)
        except TargetError as error:
            raise serial.SerialException(str(error)) from error
        self.has_line = wanted.level == "pins"
        self.baudrate = round(wanted.clock_hz / wanted.cycles_per_bit)
        return self._simulated

    def clock(self) -> float:
        """Seconds of the device since power-up."""
        if isinstance(self._simulated, CorePort):
            return self._simulated.clock()
        return self._simulated.cycles / self._simulated.design.clock_hz

    def _reconfigure_port(self) -> None:
        if not self.baudrate:
            raise ValueError("baudrate must be positive, not 0")
        if isinstance(self._simulated, Engine):
            clock_hz = self._simulated.design.clock_hz
            self._simulated.set_cycles_per_bit(round(clock_hz / self.baudrate))


def _engine(design: Design) -> Engine:
    return Engine(
        design.params,
        design.level,
        cycles_per_bit=design.cycles_per_bit,
        clock_hz=design.clock_hz,
        family=design.family,
        gateware=design.gateware,
        waves=design.waves,
    )


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
        """The simulation behind the port; `TargetError` if it is of the core alone."""
        if isinstance(self._simulated, CorePort):
            raise TargetError("at level core there is no engine with a link: take another level")
        return self._simulated
