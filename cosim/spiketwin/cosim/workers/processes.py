"""Processes of this computer that do a work, each begun anew when it has died."""

from __future__ import annotations

import pickle
import select
import sys
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack, suppress
from subprocess import PIPE, TimeoutExpired
from types import TracebackType
from typing import IO, Any, Final, Generic, Self, cast

from spiketwin.cosim.workers import child, frames
from spiketwin.cosim.workers.crew import (
    MOST_DEATHS,
    Answer,
    GivenUp,
    Task,
    WorkersLost,
    WorkFailed,
)
from spiketwin.cosim.workers.task_queue import TaskQueue
from spiketwin.hdl import children

_MOST_FALSE_STARTS: Final = 20
"""Processes that may die before they are ready, one after the other."""

_ENDING_SECONDS: Final = 5.0

_FALSE_START: Final = "false start"
"""What is heard of one, beside what `child` says."""


class Process:
    """A process that does one task after the other, and ends with this one at the latest.

    Parameters
    ----------
    work:
        The function of a task, pickled.
    """

    def __init__(self, work: bytes) -> None:
        self._opened = ExitStack()
        command = (sys.executable, "-m", child.__name__)
        self._process = self._opened.enter_context(children.child(command, stdin=PIPE, stdout=PIPE))
        self._write(work)

    def fileno(self) -> int:
        """Return the descriptor that can be read once the process has something to say."""
        return cast(IO[bytes], self._process.stdout).fileno()

    def ask(self, task: object) -> None:
        """Have it do a task."""
        self._write(pickle.dumps(task))

    def _write(self, octets: bytes) -> None:
        with suppress(BrokenPipeError):  # `heard` says that the process is gone
            frames.write(cast(IO[bytes], self._process.stdin).fileno(), octets)

    def heard(self) -> tuple[str, Any] | None:
        """Return what it says next, as `child` does; None if it says nothing any more."""
        try:
            said: tuple[str, Any] = pickle.loads(frames.read(self.fileno()))
        except frames.NoMore:
            with suppress(TimeoutExpired):  # it is about to end, unless it has closed its pipe
                self._process.wait(_ENDING_SECONDS)
            return None
        return said

    def close(self) -> str:
        """End it, whatever it does; return how it ended, if it has done so by itself."""
        status = self._process.poll()
        self._opened.close()
        return child.how_ended(self._process.wait() if status is None else status)


class _Member(Generic[Task]):
    """One of the processes, which is begun when it is given a task, and the task that it has."""

    def __init__(self, work: bytes) -> None:
        self._work = work
        self._process: Process | None = None
        self._is_ready = False
        self._begin = 0.0
        self.task: tuple[int, Task] | None = None

    def fileno(self) -> int:
        return cast(Process, self._process).fileno()

    def give(self, place: int, task: Task) -> None:
        if self._process is None:
            self._process, self._is_ready = Process(self._work), False
        self.task, self._begin = (place, task), time.monotonic()
        self._process.ask(task)

    def seconds_left(self, seconds: float) -> float:
        """Return how much is left of the time that a task may take."""
        return self._begin + seconds - time.monotonic()

    def heard(self) -> tuple[str, Any]:
        """Return what its process says, or how it died: before it was ready, or later."""
        said = cast(Process, self._process).heard()
        if said is None:
            return child.DIED if self._is_ready else _FALSE_START, self.end()
        self._is_ready = True
        return said

    def end(self) -> str:
        """End its process, whatever it does; return how that ended."""
        how = "" if self._process is None else self._process.close()
        self._process = None
        return how


class Processes(Generic[Task, Answer]):
    """Processes that take tasks as they become free. All end with the block.

    Parameters
    ----------
    work:
        The function of a task.
    count:
        Number of processes; no more are begun than there are tasks.
    deaths:
        Deaths of its process after which a task is given up.
    seconds:
        Longest time that a task may take, after which its process is ended; None for any time.
    """

    def __init__(
        self, work: Callable[[Task], Answer], count: int, *,
        deaths: int = MOST_DEATHS, seconds: float | None = None,
    ) -> None:  # fmt: skip
        self._work = pickle.dumps(work)
        self._count = count
        self._most_deaths = deaths
        self._seconds = seconds
        self._members: list[_Member[Task]] = []
        self._false_starts = 0

    def __enter__(self) -> Self:
        """Begin no process yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        """End all processes."""
        self.close()

    def close(self) -> None:
        """End all processes, and do no more tasks."""
        self._count = 0
        while self._members:
            self._members.pop().end()

    def run(self, tasks: Iterable[Task]) -> Generator[tuple[int, Answer | GivenUp], None, None]:
        """Do the tasks, as every `Crew` does."""
        queue = TaskQueue(tasks, self._most_deaths)
        try:
            while busy := self._supplied(queue):
                for member in self._awaited(busy):
                    answer = self._answer(member, queue)
                    if answer is not None:
                        yield answer
        finally:  # what is under way if the caller takes no more
            for each in self._members:
                if each.task is not None:
                    each.task = None
                    each.end()

    def _supplied(self, queue: TaskQueue[Task]) -> list[_Member[Task]]:
        """Give tasks to all who have none, and return who has one."""
        idle = [each for each in self._members if each.task is None]
        while idle or len(self._members) < self._count:
            task = queue.next()
            if task is None:
                break
            if not idle:
                idle = [_Member(self._work)]
                self._members += idle
            idle.pop().give(*task)
        return [each for each in self._members if each.task is not None]

    def _awaited(self, busy: list[_Member[Task]]) -> list[_Member[Task]]:
        """Return who has something to say, or has taken too long, as soon as there is anybody."""
        if self._seconds is None:
            return select.select(busy, [], [])[0]
        left = {each: each.seconds_left(self._seconds) for each in busy}
        ready, *_ = select.select(busy, [], [], max(0.0, min(left.values())))
        return ready or [each for each in busy if each.seconds_left(self._seconds) <= 0]

    def _answer(
        self, member: _Member[Task], queue: TaskQueue[Task]
    ) -> tuple[int, Answer | GivenUp] | None:
        """Return the place and the answer of a task that is done with; None if there is none."""
        kind, what = self._heard(member)
        if kind == child.READY:
            self._false_starts = 0
            return None
        place, task = cast(tuple[int, Task], member.task)
        member.task = None
        if kind == child.FAILED:
            raise WorkFailed(f"{task}: {what}")
        if kind == child.DIED:
            end = queue.died(place, task, what)
            return None if end is None else (place, end)
        if kind == _FALSE_START:
            self._check_starts(what)
            queue.once_more(place, task)
            return None
        return place, what

    def _heard(self, member: _Member[Task]) -> tuple[str, Any]:
        """Return what a member says, or that it has died as it took too long."""
        if self._seconds is None or member.seconds_left(self._seconds) > 0:
            return member.heard()
        member.end()
        return child.DIED, f"was ended, as it took longer than {self._seconds:,g} s"

    def _check_starts(self, how: str) -> None:
        """Count a process that died before it was ready; raise `WorkersLost` if they only die."""
        self._false_starts += 1
        if self._false_starts >= _MOST_FALSE_STARTS:
            raise WorkersLost(
                f"no process for the work can be started here: the last one {how}. What it says "
                "is above"
            )
