"""The command line, ``spiketwin``: `main` finds the commands, each module here is one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spiketwin.host.cli.group import main

__all__ = ["main"]


def __getattr__(name: str) -> Any:
    # Not before it is asked for: until then a program that starts is to be quick (`start`).
    if name == "main":
        from spiketwin.host.cli.group import main

        return main
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
