"""The calls of openFPGALoader for a board."""

from __future__ import annotations

from pathlib import Path

from spiketwin.firmware.board import Board
from spiketwin.firmware.target import ResolvedBoard
from spiketwin.hdl.spec.adapters import UsbId


def detect(loader: str, board: Board, serial: str = "") -> list[str]:
    """Return the command that asks a board which FPGA it has.

    Parameters
    ----------
    loader:
        Path of openFPGALoader.
    board:
        The board that is asked.
    serial:
        Serial number of the FTDI chip of the board, if there are several.
    """
    return [*_addressed(loader, board, serial), "--detect"]


def load(loader: str, board: Board, bitstream: Path, serial: str = "") -> list[str]:
    """Return the command that loads a bitstream; the other parameters are those of `detect`."""
    where = "--write-sram" if board.programmer.volatile else "--write-flash"
    return [*_addressed(loader, board, serial), where, str(bitstream)]


def _addressed(loader: str, board: Board, serial: str) -> list[str]:
    chosen = ["--ftdi-serial", serial] if serial else []
    return [loader, "--board", board.programmer.board, *chosen]


def tells_idcode(target: ResolvedBoard) -> bool:
    """Return whether a board can be asked over JTAG which FPGA it has."""
    return target.device.idcode is not None and target.board.programmer.dfu is None


def usb_id(board: Board) -> UsbId | None:
    """Return the USB id of the programmer of a board; None if it is not known."""
    return board.programmer.dfu or board.adapter.usb
