"""Yosys, as it comes in a Python package: calls of it, and the models that it has of cells."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from spiketwin.firmware.calls import Call
from spiketwin.hdl.spec.errors import ToolMissing
from spiketwin.hdl.spec.installation import install_command

_PACKAGE: Final = "pyosys"


def call(what: str, commands: Iterable[str], log: str) -> Call:
    """Return a call of Yosys.

    Parameters
    ----------
    what:
        Description of the call for error messages.
    commands:
        Commands of Yosys.
    log:
        Name of the file to which all output is appended.
    """
    return Call(what=what, function=f"{__name__}.run", arguments=tuple(commands), log=log)


def run(commands: Iterable[str]) -> int:
    """Carry out commands on an empty design, and return 0; one that fails ends this process."""
    from pyosys import libyosys

    design = libyosys.Design()
    for command in commands:
        libyosys.run_pass(command, design)
    return 0


def folder() -> Path:
    """Return the folder of the package.

    Raises
    ------
    ToolMissing
        Yosys is not installed.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise ToolMissing(
            "the netlist needs Yosys, which is not installed in this Python; "
            f"run: {install_command('boards')}"
        )
    return Path(spec.origin).parent


def version() -> str:
    """Return the package with its version, for the key of a cache."""
    return f"{_PACKAGE} {importlib.metadata.version(_PACKAGE)}"
