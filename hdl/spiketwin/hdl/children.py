"""Programs that this one starts, and that end with it, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

_GUARD: Final = ("/bin/sh", "-c", "read -r line; kill -KILL 0")
"""Reads until the process that holds the pipe is gone, and then ends its own group."""


@contextmanager
def child(command: Sequence[str], **how: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program that ends with the block, and with it all that it started.

    They are a process group of their own, so that Ctrl-C is none of their business. A second
    process leads it and reads from a pipe that only this process holds: it ends the group also
    where this process is killed, or is interrupted before the block has begun.

    Parameters
    ----------
    command:
        The program and its arguments.
    how:
        Further arguments of `subprocess.Popen`.

    Raises
    ------
    OSError
        The program cannot be started.
    """
    guard = subprocess.Popen(
        _GUARD,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        process_group=0,
    )
    process: subprocess.Popen[bytes] | None = None
    try:
        process = subprocess.Popen(command, process_group=guard.pid, **how)
        yield process
    finally:
        # Not reaped yet, so the number is its own.
        with suppress(ProcessLookupError):
            os.killpg(guard.pid, signal.SIGKILL)
        if guard.stdin is not None:
            guard.stdin.close()
        guard.wait()
        if process is not None:
            for pipe in filter(None, (process.stdin, process.stdout, process.stderr)):
                # What was not written yet, nobody reads any more.
                with suppress(OSError):
                    pipe.close()
            process.wait()
