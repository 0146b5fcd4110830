"""The process that does a work: ``python -m spiketwin.cosim.workers.child``.

It loads the work, says that it is ready, and forks a process that answers the tasks. When that dies
it says how and forks the next one, which has all that the work imports at once.
"""

from __future__ import annotations

import mmap
import os
import pickle
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NoReturn

from spiketwin.cosim.workers import frames

READY: Final = "ready"
DONE: Final = "done"
FAILED: Final = "failed"
DIED: Final = "died"
"""The first items of what it says: the second ones are an answer, or texts."""


def main() -> None:
    """Have tasks answered until there are no more of them."""
    tasks, answers = sys.stdin.fileno(), os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a task prints
    work: Callable[[Any], Any] = pickle.loads(frames.read(tasks))
    _say(answers, READY, "")
    is_saying = mmap.mmap(-1, 1)  # shared with the processes that are forked
    while True:
        pid = os.fork()
        if pid == 0:
            _answer_all(work, tasks, answers, is_saying)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if status == 0 or is_saying[0]:  # there are no more tasks, or half of an answer was said
            os._exit(status)
        _say(answers, DIED, how_ended(status))


def how_ended(status: int) -> str:
    """Return in words how a process ended, by its status as `subprocess` has it."""
    what = "was killed by signal" if status < 0 else "ended with status"
    return f"{what} {abs(status)}"


def _answer_all(
    work: Callable[[Any], Any], tasks: int, answers: int, is_saying: mmap.mmap
) -> NoReturn:
    try:
        while True:
            said = _done(work, pickle.loads(frames.read(tasks)))
            octets = pickle.dumps(said)
            is_saying[0] = 1
            frames.write(answers, octets)
            is_saying[0] = 0
    except frames.NoMore:
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def _say(answers: int, kind: str, what: object) -> None:
    frames.write(answers, pickle.dumps((kind, what)))


def _done(work: Callable[[Any], Any], task: object) -> tuple[str, Any]:
    """Return that a task is done, with its answer, or that it failed, with what went wrong."""
    try:
        return DONE, work(task)
    except Exception as error:  # a fault of the work, which whoever gave it has to hear of
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(frame.filename).name}, line {frame.lineno}, in {frame.name}"
        return FAILED, f"{type(error).__name__}: {error} ({place})"


if __name__ == "__main__":
    main()
