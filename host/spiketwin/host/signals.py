"""Deferred signals: handlers run only at points where an exception does no harm."""

from __future__ import annotations

import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from types import FrameType, TracebackType
from typing import Any, Final

_NUMBERS: Final = tuple(
    sorted(number for number in signal.valid_signals() if number < getattr(signal, "SIGRTMIN", 32))
)
"""All signals except the real-time ones, which only a program that expects them gets sent. Fewer
signals take less time to look at."""

_Handler = Callable[[int, FrameType | None], Any]

_c_signal: Any = import_module("_signal")
"""The C module that `signal` wraps. Its functions do not look up an enum member for each number,
which would take twenty times as long, in every call of the host library."""


class DeferredSignals:
    """A context in which the signal handlers of a program are deferred.

    Python runs a handler between any two bytecode instructions, and many handlers raise: that of
    Ctrl-C, of a test's alarm, of a request to terminate. So an exception could separate two steps
    that belong together, or come in the middle of a tick of a device in this process. In this
    context a signal is only recorded; `deliver` calls its handler, and so does the end of the
    context. Contexts may be nested.

    Only handlers written in Python raise exceptions, and only in the main thread; in other threads
    the context does nothing. One thread at a time may be in the context.

    Attributes
    ----------
    came:
        Calls of handlers that `deliver` is to make: handler, signal number and frame.
    """

    def __init__(self) -> None:
        self._depth = 0
        self._passing = 0
        self._handlers: dict[int, _Handler] = {}
        self.came: deque[tuple[_Handler, int, FrameType | None]] = deque()

    def __enter__(self) -> DeferredSignals:
        if self._depth == 0 and threading.current_thread() is threading.main_thread():
            self._take_over()
        self._depth += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._depth -= 1
        if self._depth == 0:
            self._give_back()
            self._call_all()

    def deliver(self) -> None:
        """Call the handlers of the recorded signals, until one raises.

        The exception of a handler is raised; the handlers after it stay recorded.
        """
        while self.came:
            handler, number, frame = self.came.popleft()
            handler(number, frame)

    def _call_all(self) -> None:
        """Call the handlers of all recorded signals, even if some raise.

        None stays recorded, because the next use of the context may be in another thread.
        """
        try:
            self.deliver()
        finally:
            if self.came:
                self._call_all()

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Let handlers run at once in the block, which calls a function of the user."""
        self._passing += 1
        try:
            self.deliver()
            yield
        finally:
            self._passing -= 1

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._passing:
            self._handlers[number](number, frame)
        else:
            self.came.append((self._handlers[number], number, frame))

    def _take_over(self) -> None:
        try:
            for number in _NUMBERS:
                handler = _c_signal.getsignal(number)
                if callable(handler) and handler != self._note:
                    self._handlers[number] = handler
                    _c_signal.signal(number, self._note)
        except BaseException:  # raised by a handler that was not replaced yet
            self._give_back()
            raise

    def _give_back(self) -> None:
        """Restore the handlers; each may run, and raise, as soon as it is restored."""
        try:
            self._give_back_some()
        finally:
            self._give_back_some()

    def _give_back_some(self) -> None:
        while self._handlers:
            number = next(iter(self._handlers))
            if (
                _c_signal.getsignal(number) == self._note
            ):  # unless another handler was set meanwhile
                _c_signal.signal(number, self._handlers[number])
            del self._handlers[number]
