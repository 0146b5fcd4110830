"""The program ``spiketwin``. What is imported before `start` is called is little, and so quick."""

from __future__ import annotations

from spiketwin.host.cli.endings import end_at_once


def start() -> None:
    """Run the command line, which ends the process.

    Whenever Ctrl-C comes, be it while packages are imported, nothing but the status tells of it.
    """
    end_at_once()
    from spiketwin.host.cli.group import main

    main()
