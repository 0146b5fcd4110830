"""Calls of the tools that come as WebAssembly in Python packages (YoWASP)."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from spiketwin.hdl.builds import run_tool


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call of a tool, as a value.

    Attributes
    ----------
    what:
        What it does, for the message of an error.
    function:
        ``package.function`` that runs the tool on a list of arguments and returns its status.
    arguments:
        Those of the tool.
    log:
        Name of the file that everything said is written to.
    """

    what: str
    function: str
    arguments: tuple[str, ...]
    log: str

    @property
    def command(self) -> list[str]:
        """The program and its arguments."""
        package, name = self.function.split(".")
        # Their programs may lie in a folder that is not on the path; their modules are found.
        program = f"import sys; from {package} import {name}; sys.exit({name}(sys.argv[1:]))"
        return [sys.executable, "-c", program, *self.arguments]

    def run(self, folder: Path) -> None:
        """Run the tool in a folder, in a process of its own that ends with this call.

        The first run of a tool on a machine compiles it from WebAssembly, which takes minutes;
        later ones take it from the user's cache.

        Raises
        ------
        BuildError
            It failed, with the last lines of its log, or took longer than
            `spiketwin.hdl.builds.BUILD_SECONDS`.
        """
        run_tool(self.what, self.command, folder / self.log, folder=folder)
