"""The command line ``spiketwin``: its commands, and what they share."""

from __future__ import annotations

# Set here rather than imported from `typing`, which takes long to import: until `start` is called,
# Ctrl-C would end the program with a traceback.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from spiketwin.host.cli.group import main

__all__ = ["main"]


def __getattr__(name: str) -> Any:
    # Lazy import, so that little is imported before `start` is called.
    if name == "main":
        from spiketwin.host.cli.group import main

        return main
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
