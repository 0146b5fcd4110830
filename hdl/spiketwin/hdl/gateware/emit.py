"""The tops of the design as text: Verilog for simulators, RTLIL for synthesis."""

from __future__ import annotations

import os
import re
from typing import Final, Literal

from amaranth.back import rtlil as rtlil_backend
from amaranth.back import verilog as verilog_backend

from spiketwin.hdl.gateware.top import BytesTop, PinsTop
from spiketwin.hdl.spec.params import CoreParams

Top = Literal["BytesTop", "PinsTop"]

_YOSYS_NAME: Final = re.compile(r"\\\$(auto\$\S+)")
"""What Yosys adds of its own, escaped: after ``$auto$`` stands where it comes from."""


def verilog(top: Top, params: CoreParams, clock_hz: int, build: str, cycles_per_bit: int) -> str:
    """Give the Verilog of a device; the top module is called as its class.

    Parameters
    ----------
    top:
        Which of the tops. Its ports are its members, and ``clk`` and ``rst``.
    params, clock_hz, build:
        As of `Device`.
    cycles_per_bit:
        Rate of the UART after power-up; `BytesTop` has none.
    """
    # The Yosys that comes with Amaranth, whatever else is installed.
    os.environ["AMARANTH_USE_YOSYS"] = "builtin"
    design = _component(top, params, clock_hz, build, cycles_per_bit)
    text: str = verilog_backend.convert(design, name=top, emit_src=False)
    # Dots and colons in a name break viewers of waves; what begins with _ Verilator leaves out.
    return _YOSYS_NAME.sub(lambda name: "_" + re.sub(r"\W", "_", name[1]), text)


def rtlil(top: Top, params: CoreParams, clock_hz: int, build: str, cycles_per_bit: int) -> str:
    """Give the RTLIL of a device, what Yosys reads as it is; arguments as of `verilog`.

    Much smaller and read much faster than Verilog, in which every word of every memory has an
    initial value of its own.
    """
    design = _component(top, params, clock_hz, build, cycles_per_bit)
    text: str = rtlil_backend.convert(design, name=top, emit_src=False)
    return text


def _component(
    top: Top, params: CoreParams, clock_hz: int, build: str, cycles_per_bit: int
) -> BytesTop | PinsTop:
    if top == "PinsTop":
        return PinsTop(params, clock_hz, build, cycles_per_bit)
    return BytesTop(params, clock_hz, build)
