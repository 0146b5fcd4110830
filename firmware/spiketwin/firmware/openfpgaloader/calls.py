"""How openFPGALoader is called for a board."""

from __future__ import annotations

from pathlib import Path

from spiketwin.firmware.board import Board
from spiketwin.firmware.target import ResolvedBoard
from spiketwin.hdl.spec.adapters import UsbId


def detect(loader: str, board: Board, serial: str = "") -> list[str]:
    """Give the command that asks the board which FPGA it has.

    Parameters
    ----------
    loader:
        Path of openFPGALoader.
    board:
        What is asked.
    serial:
        Serial number of the FTDI chip that is meant, if there are several.
    """
    return [*_addressed(loader, board, serial), "--detect"]


def load(loader: str, board: Board, bitstream: Path, serial: str = "") -> list[str]:
    """Give the command that loads a bitstream; other parameters as of `detect`."""
    where = "--write-sram" if board.programmer.volatile else "--write-flash"
    return [*_addressed(loader, board, serial), where, str(bitstream)]


def _addressed(loader: str, board: Board, serial: str) -> list[str]:
    chosen = ["--ftdi-serial", serial] if serial else []
    return [loader, "--board", board.programmer.board, *chosen]


def tells_idcode(target: ResolvedBoard) -> bool:
    """Whether a board can be asked over JTAG which FPGA it has."""
    return target.device.idcode is not None and target.board.programmer.dfu is None


def usb_id(board: Board) -> UsbId | None:
    """Give the USB vendor and product of what programs a board; None if they are not known."""
    return board.programmer.dfu or board.adapter.usb
