"""Ctrl-C, and the signals by which others end a program."""

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
"""Signals beside Ctrl-C that end a program which does not handle them, as batch systems send them.

SIGQUIT is left as it is: it ends a program that is not to tidy up.
"""

_IMPORTING: Final = "<frozen importlib._bootstrap>"
_COMPILER: Final = f"{os.sep}llvmlite{os.sep}"
_AGAIN_SECONDS: Final = 0.02
_LONGEST_DELAY_SECONDS: Final = 10.0


class Unwinding:
    """Has Ctrl-C and `ENDING` raise `KeyboardInterrupt` meanwhile, so that work is tidied up.

    After the first one only Ctrl-C does so again: terminals that close and systems that go down
    send several, and what came in until then is to be written. What the process ignores, or
    handles in another way, stays so.

    Attributes
    ----------
    number:
        The signal that came last.
    """

    def __init__(self) -> None:
        self.number = int(signal.SIGINT)
        self._came = False
        self._before: dict[int, Any] = {}
        self._first = math.inf
        """When the first of those came that were put off."""

    def begin(self) -> None:
        """Begin, where there is work to lose."""
        if threading.current_thread() is not threading.main_thread():
            return  # no other one gets any
        for number in (signal.SIGINT, *ENDING):
            before = signal.getsignal(number)
            if before in (signal.SIG_DFL, at_once):
                self._before[number] = before
                signal.signal(number, self._end)

    def close(self) -> None:
        """Have signals do what they did before."""
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
    """Return whether an exception raised here would be caught by other code, which then goes on.

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
