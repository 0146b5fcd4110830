"""Child processes, which end with this process, however this process ends."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

_GUARD: Final = ("/bin/sh", "-c", "read -r line; kill -KILL 0")
"""A shell that reads until the process that holds its pipe is gone, and then kills its group."""


@contextmanager
def child(command: Sequence[str], **how: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program that ends with the block, together with all processes that it started.

    The program and its children form a process group of their own, which Ctrl-C does not reach. The
    leader of the group is a guard, which reads from a pipe that only this process holds: the guard
    ends the group even if this process is killed, or interrupted before the block has begun.

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
        # The guard is not reaped yet, so no other process can have its number.
        with suppress(ProcessLookupError):
            os.killpg(guard.pid, signal.SIGKILL)
        if guard.stdin is not None:
            guard.stdin.close()
        guard.wait()
        if process is not None:
            for pipe in filter(None, (process.stdin, process.stdout, process.stderr)):
                # Closing flushes what was not written yet, to a reader that is gone.
                with suppress(OSError):
                    pipe.close()
            process.wait()
