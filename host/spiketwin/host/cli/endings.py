"""Ctrl-C and other signals that end a program: they are turned into an exception."""

from __future__ import annotations

import math
import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import Any, Final

from spiketwin.host.cli.start import at_once

ENDING: Final = tuple(
    getattr(signal, name)
    for name in ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU")
    if hasattr(signal, name)
)
"""Signals other than Ctrl-C that end a program by default, as batch systems send them.

SIGQUIT is not among them: it ends a program without cleaning up.
"""

_IMPORTING: Final = "<frozen importlib._bootstrap>"
_COMPILER: Final = f"{os.sep}llvmlite{os.sep}"
_AGAIN_SECONDS: Final = 0.02
_LONGEST_DELAY_SECONDS: Final = 10.0


class Unwinding:
    """Turns Ctrl-C and the signals of `ENDING` into `KeyboardInterrupt`, for an orderly end.

    After the first signal only Ctrl-C raises again: terminals that close and systems that shut down
    send several signals, and the results so far are still to be written. Signals that the process
    ignores, or handles in another way, are left alone.

    Attributes
    ----------
    number:
        Number of the last signal.
    """

    def __init__(self) -> None:
        self.number = int(signal.SIGINT)
        self._came = False
        self._before: dict[int, Any] = {}
        self._first = math.inf
        """Time of the first signal that was deferred; infinite if none was."""

    def begin(self) -> None:
        """Take over the handlers of the signals."""
        if threading.current_thread() is not threading.main_thread():
            return  # signals are handled in the main thread only
        for number in (signal.SIGINT, *ENDING):
            before = signal.getsignal(number)
            if before in (signal.SIG_DFL, at_once):
                self._before[number] = before
                signal.signal(number, self._end)

    def close(self) -> None:
        """Restore the handlers of the signals."""
        while self._before:
            signal.signal(*self._before.popitem())

    def _end(self, number: int, _frame: FrameType | None) -> None:
        if self._came and number != signal.SIGINT:
            return
        self._first = min(self._first, time.monotonic())
        if _would_be_lost() and time.monotonic() < self._first + _LONGEST_DELAY_SECONDS:
            main = threading.main_thread().ident
            again = threading.Timer(_AGAIN_SECONDS, signal.pthread_kill, [main, number])
            again.daemon = True
            again.start()
            return
        self._came = True
        self.number = number
        raise KeyboardInterrupt


def _would_be_lost() -> bool:
    """Return whether an exception raised now would be swallowed by other code.

    Packages catch any exception of an import, take it for a part that is not installed, and go on
    without that part. An exception in a finalizer, or in a function that LLVM calls back while it
    loads the model, is printed and dropped.
    """
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        code = frame.f_code
        if code.co_filename == _IMPORTING or code.co_name == "__del__":
            return True
        if _COMPILER in code.co_filename:
            return True
        frame = frame.f_back
    return False
