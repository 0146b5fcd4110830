"""The program ``spiketwin``. Little is imported before `start` is called, so that it is soon."""

from __future__ import annotations

import os
import signal


def at_once(number: int, _frame: object) -> None:
    """End the process with the status that tells of a signal; nothing is begun, or all is over.

    An exception would come up in the middle of an import, where packages take it for their own.
    """
    os._exit(128 + number)


def start() -> None:
    """Run the command line, which ends the process.

    Whenever Ctrl-C comes, be it while packages are imported, nothing but the status tells of it.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, at_once)
    from spiketwin.host.cli.group import main

    main()
