"""The workers of a Dask cluster, each of which has a process of ours do the work.

So a task that ends its process ends no worker, and what is true of processes of this computer
(`processes`) holds there, too: one task at a time in each, which may set limits and change globals.
"""

from __future__ import annotations

import logging
import pickle
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, Generic

from spiketwin.cosim.workers.crew import (
    Answer,
    GivenUp,
    Task,
    WorkersLost,
)
from spiketwin.cosim.workers.processes import Processes
from spiketwin.cosim.workers.task_queue import TaskQueue

_CONNECTING: Final = "30s"
_WORKERLESS_SECONDS: Final = 60.0
"""Longest time for which a cluster may have no worker; they may be on their way."""

_LOOK_SECONDS: Final = 5.0
"""Time from one look at the number of workers to the next."""

_GO_ON: Final = "with --store, the same call goes on where this one ended"


class Cluster(Generic[Task, Answer]):
    """The workers of a scheduler, who are given tasks as they become free.

    Parameters
    ----------
    client:
        The client of the scheduler.
    work, deaths, seconds:
        As for `Processes`.
    """

    def __init__(
        self, client: Any, work: Callable[[Task], Answer], *, deaths: int, seconds: float | None
    ) -> None:
        self._client = client
        self._most_deaths = deaths
        self._how = pickle.dumps((work, deaths, seconds))
        self._looked, self._seen, self._count = -_LOOK_SECONDS, time.monotonic(), 0

    def run(self, tasks: Iterable[Task]) -> Generator[tuple[int, Answer | GivenUp], None, None]:
        """Do the tasks, as every `Crew` does; one whose worker dies is given to another one."""
        queue = TaskQueue(tasks, self._most_deaths)
        asked: dict[Any, tuple[int, Task]] = {}
        with _reached():
            try:
                while self._supplied(asked, queue):
                    for future in self._done(asked):
                        answer = self._answer(future, *asked.pop(future), queue)
                        if answer is not None:
                            yield answer
            finally:
                self._client.cancel(list(asked))

    def dismiss(self) -> None:
        """End the processes that workers have begun for this work, as far as they are there."""
        with suppress(WorkersLost), _reached():
            self._client.run(_dismiss, self._how)

    def _supplied(self, asked: dict[Any, tuple[int, Task]], queue: TaskQueue[Task]) -> bool:
        """Give tasks to all who have none; return whether anybody has one.

        No more are given than there is somebody for: the death of a worker is held against all
        tasks that it was given.
        """
        while len(asked) < max(1, self._threads()) and (task := queue.next()) is not None:
            # Not pure: a task that was lost is done again, and not looked up.
            asked[self._client.submit(_do, self._how, task[1], pure=False)] = task
        return bool(asked)

    def _threads(self) -> int:
        """Return how many tasks the workers do at a time; raise `WorkersLost` if none comes."""
        now = time.monotonic()
        if now - self._looked > _LOOK_SECONDS:
            self._looked, self._count = now, sum(self._client.nthreads().values())
            if self._count:
                self._seen = now
        if now - self._seen > _WORKERLESS_SECONDS:
            raise WorkersLost(
                f"the scheduler has had no worker for {_WORKERLESS_SECONDS:.0f} s: start some; "
                f"{_GO_ON}"
            )
        return self._count

    def _done(self, asked: dict[Any, tuple[int, Task]]) -> list[Any]:
        """Return which are done, as soon as there are any, or after a while to look at workers."""
        from distributed import wait

        try:
            done, _ = wait(list(asked), timeout=_LOOK_SECONDS, return_when="FIRST_COMPLETED")
        except TimeoutError:
            return []
        return list(done)

    def _answer(
        self, future: Any, place: int, task: Task, queue: TaskQueue[Task]
    ) -> tuple[int, Answer | GivenUp] | None:
        """Return the place and the answer of a task that is done with; None if it is given anew."""
        from distributed import KilledWorker

        try:
            return place, future.result()
        except KilledWorker as error:
            end = queue.died(place, task, f"ended with its worker, {error.last_worker.address}")
            return None if end is None else (place, end)


@contextmanager
def _reached() -> Iterator[None]:
    """Raise `WorkersLost` if the scheduler is gone."""
    from distributed import CancelledError
    from distributed.comm.core import CommClosedError

    try:
        yield
    except (CancelledError, CommClosedError, OSError) as error:
        raise WorkersLost(f"the scheduler of the workers is gone; {_GO_ON} ({error})") from error


# --- on a worker ---------------------------------------------------------------------------------

_begun: dict[tuple[bytes, int], Processes[Any, Any]] = {}
"""The process of each thread of this worker, by what it does."""


def _do(how: bytes, task: Any) -> Any:
    """Have the process of this thread do a task, and return its answer, or that it is given up."""
    key = how, threading.get_ident()
    if key not in _begun:
        work, deaths, seconds = pickle.loads(how)
        _begun[key] = Processes(work, 1, deaths=deaths, seconds=seconds)
    ((_, answer),) = _begun[key].run([task])
    return answer


def _dismiss(how: bytes) -> None:
    for key in [each for each in _begun if each[0] == how]:
        _begun.pop(key).close()


# --- here ----------------------------------------------------------------------------------------


@contextmanager
def connected(
    scheduler: str, work: Callable[[Task], Answer], *, deaths: int, seconds: float | None
) -> Iterator[Cluster[Task, Answer]]:
    """Yield the workers of a scheduler, and end what they have begun for it.

    Parameters
    ----------
    scheduler:
        Its address.
    work, deaths, seconds:
        As for `Processes`.

    Raises
    ------
    ImportError
        Without the extra ``explore``.
    WorkersLost
        There is no such scheduler.
    """
    from distributed import Client

    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        client = Client(scheduler, timeout=_CONNECTING)
    except (OSError, ValueError) as error:
        raise WorkersLost(f"there is no scheduler at {scheduler}: {error}") from error
    with client:
        cluster = Cluster(client, work, deaths=deaths, seconds=seconds)
        try:
            yield cluster
        finally:
            cluster.dismiss()
