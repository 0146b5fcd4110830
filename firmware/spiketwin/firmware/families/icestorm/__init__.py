"""From a packed bitstream of an iCE40 back to its logic, with what nextpnr knows of the FPGA."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from spiketwin.firmware.families.icestorm.configuration import unpack
from spiketwin.firmware.families.icestorm.database import Database
from spiketwin.firmware.families.icestorm.logic import verilog
from spiketwin.hdl.spec.errors import TargetError

_DEVICE: Final = "8k"
"""Name of the database of the FPGAs all of whose cells are known, HX8K and HX4K."""


def write_logic(bitstream: Path, top: str, netlist: Path) -> None:
    """Write the logic that a packed bitstream configures, as Verilog.

    Parameters
    ----------
    bitstream:
        A file as the packer writes it.
    top:
        Name of the module. Its ports are ``clk``, one cycle of which is one of the core whatever
        PLL the FPGA has, ``rx`` and ``tx``.
    netlist:
        Path of the file to write; its folder also receives what the unpacker writes.

    Raises
    ------
    TargetError
        The file is no whole bitstream of an iCE40 HX4K or HX8K, or its logic is not that of a core.
    """
    found = unpack(bitstream, netlist.parent)
    if found.device != _DEVICE:
        raise TargetError(
            f"{bitstream} is for an iCE40 {found.device!r}, of which not all cells are read back: "
            "take one of a board with an HX4K or HX8K, or simulate netlist:?family=ice40"
        )
    netlist.write_text(verilog(Database(_DEVICE), found, top), encoding="ascii")
