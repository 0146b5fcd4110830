"""Ctrl-C, and the signals by which others end a program."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Any, Final

ENDING: Final = tuple(
    getattr(signal, name)
    for name in ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU")
    if hasattr(signal, name)
)
"""Signals beside Ctrl-C that end a program which does not handle them, as batch systems send them.

SIGQUIT is left as it is: it is for whoever wants no tidying up.
"""


def at_once(number: int, _frame: FrameType | None) -> None:
    """End the process with the status that tells of the signal; nothing is begun, or all is over.

    An exception would come up in the middle of an import, where packages take it for their own.
    """
    os._exit(128 + number)


def end_at_once() -> None:
    """Have Ctrl-C and `ENDING` end this process `at_once`, but for those that it is to ignore."""
    for number in (signal.SIGINT, *ENDING):
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, at_once)


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

    def begin(self) -> None:
        """Begin, where there is work to lose."""
        if threading.current_thread() is not threading.main_thread():
            return  # no other one gets any
        for number in (signal.SIGINT, *ENDING):
            before = signal.getsignal(number)
            if before in (signal.SIG_DFL, at_once):
                self._before[number] = before
                handler = signal.default_int_handler if number == signal.SIGINT else self._end
                signal.signal(number, handler)

    def close(self) -> None:
        """Have signals do what they did before."""
        while self._before:
            signal.signal(*self._before.popitem())

    def _end(self, number: int, _frame: FrameType | None) -> None:
        if not self._came:
            self._came = True
            self.number = number
            raise KeyboardInterrupt
