"""``rtl:``: the simulated RTL, in this process.

``rtl://?params=full&level=bytes&cycles_per_bit=4&clock=100000000``: `params` is that of
``model://``. At the level ``pins`` the UART is simulated bit by bit; at ``bytes``, the default, the
device behind its UART; at ``core`` the core alone, behind a link in software. `cycles_per_bit` is
the UART's rate at power-up, and `clock` the frequency in hertz that the device reports and that
turns its cycles into seconds. With `power_up`, a seed, memories hold anything at power-up.
"""

from __future__ import annotations

from spiketwin.cosim.rtl.build import Design
from spiketwin.cosim.rtl.engine import Engine
from spiketwin.cosim.serial import RTL
from spiketwin.cosim.serial.core_port import CorePort
from spiketwin.cosim.serial.designs import design_of
from spiketwin.cosim.serial.inprocess import InProcessSerial
from spiketwin.hdl.spec.protocol import BITS_PER_BYTE
from spiketwin.host.errors import TargetError
from spiketwin.host.kinds import Target
from spiketwin.host.timeline import Simulation
from spiketwin.host.transport import Transport


class Serial(InProcessSerial):
    """Port of the simulated RTL, opened with ``serial.serial_for_url("rtl://…")``.

    Its time is that of the device: timeouts are simulated, and `clock` returns it. Whatever rate
    it is opened with, `baudrate` is the device's own.
    """

    kind = RTL
    adapter_latency = 0.0

    _simulated: Engine | CorePort

    def design(self, target: Target) -> Design:
        """Return the design that a target means; raise `TargetError` if there is no such design."""
        return design_of(target, default_level="bytes")

    def make_device(self, target: Target) -> Engine | CorePort:
        """Make the device that a target means.

        Raises
        ------
        TargetError
            There is no such device, or it cannot be built.
        """
        wanted = self.design(target)
        self._simulated = CorePort(wanted) if wanted.level == "core" else _engine(wanted)
        self.has_line = wanted.level == "pins"
        self.baudrate = round(wanted.clock_hz / wanted.cycles_per_bit)
        self.simulation = Simulation(self.clock, self._byte_seconds, worked=None)
        return self._simulated

    def _byte_seconds(self) -> float:
        """Return the seconds that a byte takes on the line, 0 if there is no line."""
        return BITS_PER_BYTE / self.baudrate if self.has_line else 0.0

    def clock(self) -> float:
        """Return the seconds of the device since power-up."""
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
        image=design.image,
        gateware=design.gateware,
        waves=design.waves,
        power_up=design.power_up,
        instrument=design.instrument,
    )


class DesignSerial(Serial):
    """Port of the simulated RTL of a design that no address describes, open when it is made.

    Parameters
    ----------
    design:
        The design.

    Raises
    ------
    TargetError
        The design cannot be built.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        super().__init__(timeout=0)
        self._target = Target(RTL)
        self.open()

    def design(self, target: Target) -> Design:
        """Return the design, whatever the target is."""
        del target
        return self._design

    @property
    def engine(self) -> Engine:
        """The simulation behind the port; raises `TargetError` if it is of the core alone."""
        if isinstance(self._simulated, CorePort):
            raise TargetError("at level core there is no engine with a link: take another level")
        return self._simulated


def open_target(target: Target) -> Transport:
    """Build the RTL of a target and open it."""
    return Serial.of(target)
