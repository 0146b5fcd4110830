"""What Amaranth makes of a board's platform, tried out before a core is built for it."""

from __future__ import annotations

import os
from typing import Any, Final

from amaranth.hdl import Elaboratable, Module
from amaranth.lib import io

from spiketwin.firmware.board import Board
from spiketwin.firmware.checks import check, made, told

TOP: Final = "top"
"""What the top module and the files of a plan are called."""


class _Wires(Elaboratable):
    """The pins that a core takes, without a core."""

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        clock = platform.request(platform.default_clk, dir="-")
        uart = platform.request("uart", 0, dir="-")
        m.submodules.clock = io.Buffer(io.Direction.Input, clock)
        m.submodules.rx = rx_buffer = io.Buffer(io.Direction.Input, uart.rx)
        m.submodules.tx = tx_buffer = io.Buffer(io.Direction.Output, uart.tx)
        m.d.comb += tx_buffer.o.eq(rx_buffer.i)
        return m


def plan(platform: Any, top: Elaboratable) -> Any:
    """Give Amaranth's plan of a build, with the files of the design and of its constraints.

    Parameters
    ----------
    platform:
        Made for this alone.
    top:
        The design.
    """
    # The Yosys that comes with Amaranth, whatever else is installed, writes Verilog for Vivado.
    os.environ["AMARANTH_USE_YOSYS"] = "builtin"
    return platform.build(top, name=TOP, do_build=False, emit_src=False)


def fingerprint(board: Board) -> str:
    """Name all that a board's platform has to do with a build.

    That is the FPGA, the clock, and the pins and their attributes as Amaranth resolves them,
    wherever they are described.

    Raises
    ------
    BoardError
        As of `check`; or Amaranth cannot build for its platform.
    """
    check(board)
    platform = made(board)
    with told(
        f"Amaranth cannot build for the platform of {board.name}",
        "The platforms of amaranth-boards show what one has to give",
    ):
        digest: bytes = plan(platform, _Wires()).digest()
    return digest.hex()
