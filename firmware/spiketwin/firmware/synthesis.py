"""Synthesis with Yosys, the same for a bitstream and for the netlist that is simulated."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from spiketwin.firmware import yosys

if TYPE_CHECKING:
    from spiketwin.firmware.calls import Call
    from spiketwin.firmware.family import Family

LOG: Final = "synthesis.log"


def script(family: Family, rtlil: str, top: str) -> list[str]:
    """Return the commands of Yosys from RTLIL to a mapped netlist.

    Parameters
    ----------
    family:
        The family to map to.
    rtlil:
        Name of the file with the design, from `emit.rtlil` or an Amaranth platform.
    top:
        Name of the top module.
    """
    return [
        f"read_rtlil {rtlil}",
        *family.before_synthesis,
        # The design never uses the result of a read-during-write collision. Without this, Yosys
        # adds logic to every memory that makes such a read return the old value: 15 % more logic,
        # on the longest paths.
        "setparam -set COLLISION_X_MASK 1'1 t:$memrd_v2 r:CLK_ENABLE=1 %i",
        # A wire with the name of a bit of a vector makes Yosys fail, since it later gives such
        # names to the bits of vectors (its issue 4349).
        "rename -hide */w:*[[]*",
        f"{family.synthesis} -top {top}",
    ]


def synthesis(family: Family, rtlil: str, top: str, writes: Iterable[str], log: str = LOG) -> Call:
    """Return the call of Yosys that maps a design.

    Parameters
    ----------
    family, rtlil, top:
        As in `script`.
    writes:
        Commands of Yosys on the mapped design, such as ``write_json netlist.json``.
    log:
        Name of the file to which all output is appended.
    """
    return yosys.call("synthesis", [*script(family, rtlil, top), *writes], log)
