"""The tops of the design as Verilog."""

from __future__ import annotations

import os
from typing import Literal

from amaranth.back import verilog as backend

from spiketwin.hdl.gateware.top import BytesTop, PinsTop
from spiketwin.hdl.spec.params import CoreParams


def verilog(
    top: Literal["BytesTop", "PinsTop"],
    params: CoreParams,
    clock_hz: int,
    build: str,
    cycles_per_bit: int,
) -> str:
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
    design = (
        PinsTop(params, clock_hz, build, cycles_per_bit)
        if top == "PinsTop"
        else BytesTop(params, clock_hz, build)
    )
    return backend.convert(design, name=top, emit_src=False)
