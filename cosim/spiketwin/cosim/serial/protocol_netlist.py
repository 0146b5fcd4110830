"""``netlist:``: the simulated netlist that Yosys maps the gateware to, in this process.

``netlist://?family=ice40&params=ncx``: `family` is ``ecp5``, the default, or ``ice40``; the other
options are those of ``rtl://``. ``netlist://?from=DIR/top.bin`` is what a packed bitstream of an
iCE40 configures, and ``netlist://?from=DIR/routed.json`` what was placed and routed for an ECP5, as
``spiketwin build --netlist --out DIR`` leaves them; `docs/testbenches.md` tells more.
"""

from __future__ import annotations

from spiketwin.cosim.rtl.build import Design
from spiketwin.cosim.serial import NETLIST, protocol_rtl
from spiketwin.cosim.serial.designs import design_of
from spiketwin.host.kinds import Target
from spiketwin.host.transport import Transport


class Serial(protocol_rtl.Serial):
    """Port of the simulated netlist, opened with ``serial.serial_for_url("netlist://…")``."""

    kind = NETLIST

    def design(self, target: Target) -> Design:
        """Return the design that a target means; raise `TargetError` if there is no such design."""
        return design_of(target, default_level="bytes", default_family="ecp5")


def open_target(target: Target) -> Transport:
    """Build the netlist of a target and open it."""
    return Serial.of(target)
