"""The command line, ``spiketwin``: `main` finds the commands, each module here is one of them."""

from spiketwin.host.cli.group import main

__all__ = ["main"]
