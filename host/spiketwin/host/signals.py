"""Signals, whose handlers run only where nothing is half done."""

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
"""All but those of real time, which nothing sends unasked: looking at each takes time."""

_Handler = Callable[[int, FrameType | None], Any]

_unnamed: Any = import_module("_signal")
"""What `signal` wraps. Its functions do the same without looking up a name for each number, which
takes twenty times as long, and every call of the host library pays for it."""


class DeferredSignals:
    """A context in which the signal handlers of a program wait until it is their turn.

    Python runs a handler between any two steps, and many raise: that of Ctrl-C, of a test's alarm,
    of a program that is told to end. So an exception may come between two steps that belong
    together, and for a device in this process in the middle of a tick. Here a signal is only noted;
    its handler is called by `deliver`, and at the end of the context. Contexts may be nested.

    `came` holds what is to be done by `deliver`.

    Only handlers written in Python can be in the way, and only in the main thread; elsewhere this
    does nothing. One thread at a time may be in the context.
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
        """Call the handlers of the signals that came, as far as none raises; raises what it does.

        The rest has its turn later.
        """
        while self.came:
            handler, number, frame = self.came.popleft()
            handler(number, frame)

    def _call_all(self) -> None:
        """Call the handlers of all signals that came, also where some raise.

        None is kept for whoever is next in the context: that may be another thread.
        """
        try:
            self.deliver()
        finally:
            if self.came:
                self._call_all()

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Let handlers run at once until the end of the block: what is called there is not ours."""
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
                handler = _unnamed.getsignal(number)
                if callable(handler) and handler != self._note:
                    self._handlers[number] = handler
                    _unnamed.signal(number, self._note)
        except BaseException:  # a handler that had not been taken over yet
            self._give_back()
            raise

    def _give_back(self) -> None:
        """Give the handlers back; they may run, and raise, from the first one on."""
        try:
            self._give_back_some()
        finally:
            self._give_back_some()

    def _give_back_some(self) -> None:
        while self._handlers:
            number = next(iter(self._handlers))
            if (
                _unnamed.getsignal(number) == self._note
            ):  # unless somebody has set another meanwhile
                _unnamed.signal(number, self._handlers[number])
            del self._handlers[number]
