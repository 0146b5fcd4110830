"""What Amaranth makes of a board's platform, tried out before a core is built for it."""

from __future__ import annotations

import os
from typing import Any, Final

from amaranth.hdl import Elaboratable, Module
from amaranth.lib import io

from spiketwin.firmware.board import Board, BoardError
from spiketwin.firmware.clocks import ClockError
from spiketwin.firmware.top import pll
from spiketwin.hdl.spec.params import ParamsError

TOP: Final = "top"
"""What the top module and the files of a plan are called."""


def _ports(platform: Any) -> tuple[Any, Any, Any]:
    """Request the clock of a platform, and the pins of its UART to the FPGA and from it."""
    clock = platform.request(platform.default_clk, dir="-")
    uart = platform.request("uart", 0, dir="-")
    return clock, uart.rx, uart.tx


class _Wires(Elaboratable):
    """The pins that a core takes, without a core."""

    def elaborate(self, platform: Any) -> Module:
        clock, rx, tx = _ports(platform)
        m = Module()
        m.submodules.clock = io.Buffer(io.Direction.Input, clock)
        m.submodules.rx = rx_buffer = io.Buffer(io.Direction.Input, rx)
        m.submodules.tx = tx_buffer = io.Buffer(io.Direction.Output, tx)
        m.d.comb += tx_buffer.o.eq(rx_buffer.i)
        return m


def check(board: Board) -> None:
    """See that a board has all that a core needs.

    Raises
    ------
    BoardError
        There is no core of its sizes; its platform has no clock, no UART, or pins that are taken
        twice or not there; nothing is known of its FPGA; or its PLL cannot make its clock, or its
        clock no rate of its adapter.
    """
    try:
        _ = board.core
    except ParamsError as error:
        raise BoardError(f"the params of {board.name} describe no core: {error}") from error
    try:
        platform = board.made()
        _ = platform.default_clk_frequency
        _ports(platform)
    except Exception as error:  # whatever a platform of the user's own raises
        raise BoardError(
            f"the platform of {board.name} does not give what a core needs, a `default_clk` of "
            f"known frequency and a `uart` 0 with `rx` and `tx`: {type(error).__name__}, {error}. "
            "Add what is missing to the `resources` of the board"
        ) from error
    try:
        board.max_baud(round(pll(platform, board.clock_hz).hz))
    except ClockError as error:
        raise BoardError(f"the clock_hz of {board.name} cannot be had: {error}") from error


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
        As of `check`.
    """
    check(board)
    digest: bytes = plan(board.made(), _Wires()).digest()
    return digest.hex()
