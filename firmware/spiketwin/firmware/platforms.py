"""What Amaranth makes of a board's platform, tried out before a core is built for it."""

from __future__ import annotations

from typing import Any, Final

from amaranth.hdl import Elaboratable, Module
from amaranth.lib import io

from spiketwin.firmware import checks
from spiketwin.firmware.board import Board
from spiketwin.hdl.gateware.yosys import use_own_yosys

TOP: Final = "top"
"""What the top module and the files that are written are called."""


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


def prepared(platform: Any, top: Elaboratable) -> Any:
    """Have Amaranth prepare a build, and give its plan: the files of the design and constraints.

    Parameters
    ----------
    platform:
        Made for this alone.
    top:
        The design.
    """
    use_own_yosys()  # which writes Verilog for Vivado
    return platform.build(top, name=TOP, do_build=False, emit_src=False)


def wiring(board: Board) -> str:
    """Name all that the platform of a board has to do with a build, in every process alike.

    That is the FPGA, the clock, and the pins and their attributes as Amaranth resolves them,
    wherever they are described.

    Raises
    ------
    BoardError
        Amaranth cannot build for its platform.
    """
    platform = checks.new_platform(board)
    with checks.foreign_errors(
        f"Amaranth cannot build for the platform of {board.name}",
        "The platforms of amaranth-boards show what one has to give",
    ):
        digest: bytes = prepared(platform, _Wires()).digest()
    return digest.hex()
