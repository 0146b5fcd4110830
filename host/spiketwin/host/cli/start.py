"""The entry point of the program ``spiketwin``; little is imported before it handles Ctrl-C."""

from __future__ import annotations

import os
import signal


def at_once(number: int, _frame: object) -> None:
    """End the process at once, with the status of a program that a signal has ended.

    It is used before and after the work, when there is nothing to clean up. An exception could be
    swallowed by a package that is being imported.
    """
    os._exit(128 + number)


def start() -> None:
    """Run the command line, which ends the process.

    Ctrl-C ends the program without a traceback, even while packages are imported.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, at_once)
    from spiketwin.host.cli.group import main

    main()
