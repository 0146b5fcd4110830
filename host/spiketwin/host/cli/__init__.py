"""The command line, ``spiketwin``: `main` finds the commands, each module here is one of them."""

from __future__ import annotations

# As `typing` has it, which takes long to import: until `start` is called, Ctrl-C ends the program
# with a traceback.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from spiketwin.host.cli.group import main

__all__ = ["main"]


def __getattr__(name: str) -> Any:
    # Not before it is asked for: until then a program that starts is to be quick (`start`).
    if name == "main":
        from spiketwin.host.cli.group import main

        return main
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
