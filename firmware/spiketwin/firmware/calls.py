"""Calls of tools that come in Python packages, each in a process of its own."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from spiketwin.hdl.builds import run_tool


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call of a tool, which can be run or compared.

    Attributes
    ----------
    what:
        Description of the call for error messages.
    function:
        ``module.function`` that runs the tool on a list of arguments and returns its status.
    arguments:
        The arguments of the tool.
    log:
        Name of the file to which all output of the tool is written.
    """

    what: str
    function: str
    arguments: tuple[str, ...]
    log: str

    @property
    def command(self) -> list[str]:
        """The program and its arguments, for a process of its own."""
        module, _, name = self.function.rpartition(".")
        # Scripts of the packages may be in a folder that is not on the path; modules are found.
        program = f"import sys; from {module} import {name}; sys.exit({name}(sys.argv[1:]))"
        return [sys.executable, "-c", program, *self.arguments]

    def run(self, folder: Path) -> None:
        """Run the tool in a folder, in a process of its own that ends with this call.

        A tool that comes as WebAssembly is compiled in its first run on a machine, which takes a
        minute or two; later ones take it from the user's cache.

        Raises
        ------
        BuildError
            The tool failed, or took longer than `spiketwin.hdl.builds.BUILD_SECONDS`; the message
            has the last lines of its log.
        """
        run_tool(self.what, self.command, folder / self.log, folder=folder)
