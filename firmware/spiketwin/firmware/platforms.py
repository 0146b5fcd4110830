"""Amaranth's preparation of a build, which is also tried out before a core is built for a board."""

from __future__ import annotations

from typing import Any, Final

from amaranth.hdl import Elaboratable, Module
from amaranth.lib import io

from spiketwin.firmware import checks
from spiketwin.firmware.board import Board
from spiketwin.hdl.gateware.yosys import use_own_yosys

TOP: Final = "top"
"""Name of the top module, and of the files that Amaranth writes."""


class _Wires(Elaboratable):
    """A design that uses the pins of a core, without a core."""

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
    """Return Amaranth's plan of a build, with the files of the design and of its constraints.

    Parameters
    ----------
    platform:
        A new instance of a platform, which is used up by this call.
    top:
        The design.
    """
    use_own_yosys()  # Amaranth writes Verilog for Vivado
    return platform.build(top, name=TOP, do_build=False, emit_src=False)


def wiring(board: Board) -> str:
    """Return text for the key of a cache with all that the platform of a board tells a build.

    This is the FPGA, the clock, and the pins and their attributes as Amaranth resolves them,
    wherever they are described. The text is the same in every process.

    Raises
    ------
    BoardError
        Amaranth cannot build for the platform of the board.
    """
    platform = checks.new_platform(board)
    with checks.foreign_errors(
        f"Amaranth cannot build for the platform of {board.name}",
        "The platforms of amaranth-boards show what one has to give",
    ):
        digest: bytes = prepared(platform, _Wires()).digest()
    return digest.hex()
