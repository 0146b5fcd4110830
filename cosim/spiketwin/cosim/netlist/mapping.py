"""From a design to the netlist of one family of FPGAs, and the models that simulate its cells."""

from __future__ import annotations

import shutil
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from spiketwin.firmware import yosys
from spiketwin.firmware.synthesis import script, synthesis
from spiketwin.host.errors import TargetError

if TYPE_CHECKING:
    from spiketwin.firmware.family import CellModels, Family, Image

_NETLIST: Final = "netlist.v"

_BEGIN_BYTES: Final = 64
"""Bytes of a file by which it is known."""

_SPARE_CYCLES: Final = 64
"""Cycles for the reset to reach all of a core."""

_FLAGS: Final = (
    # If a cell has two models Verilator takes the first, which is ours.
    "-Wno-MODDUP",
    # Yosys's models have delays and timing checks, and set power-up values by delayed assignment.
    "--no-timing", "--bbox-unsup", "-Wno-TIMESCALEMOD", "-Wno-INITIALDLY",
    # A netlist is generated, so that warnings about style do not apply to it.
    "-Wno-lint", "-Wno-MULTIDRIVEN",
)  # fmt: skip


def families() -> dict[str, CellModels]:
    """Return the families that can be simulated, by name, with the models of their cells."""
    return {name: family.models for name, family in _known().items() if family.models is not None}


def _known() -> dict[str, Family]:
    # Imported here, as it imports Amaranth, which is not needed to simulate the RTL.
    from spiketwin.firmware.family import families

    return families()


def sources(family: str) -> list[Path]:
    """Return our models of the cells of a family, for the key of a cache."""
    return list(families()[family].ours)


def version(family: str) -> str:
    """Return the version of all that shapes a netlist beside `sources`, for the key of a cache.

    Raises
    ------
    ToolMissing
        Yosys is not installed.
    """
    yosys.folder()
    models = families()[family]
    commands = script(_known()[family], "", "")
    return " ".join([yosys.version(), *commands, *_FLAGS, *models.definitions])


def write_netlist(family: str, rtlil: str, top: str, folder: Path, log: Path) -> list[str]:
    """Map a design to a netlist, and return the arguments with which Verilator simulates it.

    Parameters
    ----------
    family:
        One of `families`.
    rtlil:
        The design, a file in `folder`.
    top:
        Its top module.
    folder:
        Where the netlist is written.
    log:
        File in `folder` that the output of the tools is appended to.

    Raises
    ------
    BuildError
        Yosys failed.
    ToolMissing
        Yosys is not installed.
    """
    # Split vectors: bits of one that depend on each other would look like a combinational loop.
    writes = ["splitnets", f"write_verilog -noattr {_NETLIST}"]
    synthesis(_known()[family], rtlil, top, writes, log.name).run(folder)
    return _with_models(families()[family], folder)


def write_image(image: Path, top: str, folder: Path) -> list[str]:
    """Write the netlist in what a build for a board made, and return arguments as `write_netlist`.

    Parameters
    ----------
    image:
        The bitstream or the routed netlist.
    top, folder:
        As in `write_netlist`.

    Raises
    ------
    TargetError
        The file is not one from which there is a way back, or it is damaged.
    ToolMissing
        Yosys is not installed.
    """
    with image.open("rb") as file:
        begin = file.read(_BEGIN_BYTES)
    for each in _images():
        if begin.startswith(each.begins):
            each.write(image, top, folder / _NETLIST)
            return _with_models(each.models, folder)
    kinds = " or ".join(each.title for each in _images())
    raise TargetError(f"{image} is not {kinds}")


def _images() -> list[Image]:
    return [found.image for found in _known().values() if found.image is not None]


def image_version() -> str:
    """Return the version of what shapes such a netlist beside sources, for the key of a cache."""
    return " ".join([yosys.version(), *_FLAGS])


def sources_of_images() -> list[Path]:
    """Return our sources that shape the netlists of `write_image`, for the key of a cache."""
    return [file for each in _images() for file in (*each.sources, *each.models.ours)]


def start_cycles(clock_hz: int) -> int:
    """Return the cycles from the power-up of a board to the first one of its core, and some more.

    Parameters
    ----------
    clock_hz:
        The clock of the core in hertz.
    """
    from spiketwin.firmware.top import RESET_SECONDS

    return ceil(RESET_SECONDS * clock_hz) + _SPARE_CYCLES


def _with_models(models: CellModels, folder: Path) -> list[str]:
    """Return the arguments of Verilator for a netlist, with the models of its cells."""
    share = yosys.folder() / "share"
    # Copied to the folder, whose path any tool can handle.
    sources_of_cells = [*models.ours, *(share / name for name in models.of_yosys)]
    flags = [*_FLAGS, *(f"-D{name}" for name in models.definitions)]
    return [
        *flags,
        *(str(shutil.copy(model, folder)) for model in sources_of_cells),
        str(folder / _NETLIST),
    ]
