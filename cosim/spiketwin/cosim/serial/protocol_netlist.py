"""``netlist://``: what Yosys maps the gateware to answers, simulated in this process.

``netlist://?family=ice40&params=ncx``: `family` is ``ecp5``, the default, or ``ice40``; the other
options are those of ``rtl://``.
"""

from __future__ import annotations

from spiketwin.cosim.rtl.build import Design
from spiketwin.cosim.serial import protocol_rtl, rtl_url


class Serial(protocol_rtl.Serial):
    """Port of the simulated netlist, opened with ``serial.serial_for_url("netlist://…")``."""

    def design(self, url: str) -> Design:
        """Read what `url` describes; `SerialException` if there is none such."""
        return rtl_url.design(url, default_level="bytes", default_family="ecp5")
