"""Ctrl-C, heeded only where nothing is half done."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType


class Interrupts:
    """A context that holds Ctrl-C back until it is asked for, or is over.

    Python raises `KeyboardInterrupt` anywhere, so also between two steps that belong together, and
    for a device in this process that is in the middle of a tick. Here the first one is held back
    until `heed`; a second one comes at once, lest something that hangs could not be ended.

    Only the main thread gets any, and only where nobody handles the signal in another way.
    """

    def __init__(self) -> None:
        self._came = False
        self._holding = False

    def __enter__(self) -> None:
        self._came = False
        self._holding = (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        )
        if self._holding:
            signal.signal(signal.SIGINT, self._hold)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._holding:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if kind is None:
            self.heed()

    def heed(self) -> None:
        """Raise `KeyboardInterrupt` if Ctrl-C came."""
        if self._came:
            self._came = False
            raise KeyboardInterrupt

    def _hold(self, number: int, frame: FrameType | None) -> None:
        if self._came:
            signal.default_int_handler(number, frame)
        self._came = True
