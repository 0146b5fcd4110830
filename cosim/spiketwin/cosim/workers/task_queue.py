"""The tasks of one call: which is given next, and how often the process of each has died."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from typing import Generic

from spiketwin.cosim.workers.crew import GivenUp, Task


class TaskQueue(Generic[Task]):
    """Tasks, each with its place among all.

    Parameters
    ----------
    tasks:
        All of them, taken as they are needed.
    most_deaths:
        Deaths after which a task is given up.
    """

    def __init__(self, tasks: Iterable[Task], most_deaths: int) -> None:
        self._fresh = iter(enumerate(tasks))
        self._again = deque[tuple[int, Task]]()
        self._deaths = Counter[int]()
        self._most_deaths = most_deaths

    def next(self) -> tuple[int, Task] | None:
        """Return the one to be given next; None if there is none for now."""
        return self._again.popleft() if self._again else next(self._fresh, None)

    def once_more(self, place: int, task: Task) -> None:
        """Have a task given again, before all that were not given yet."""
        self._again.append((place, task))

    def died(self, place: int, task: Task, how: str) -> GivenUp | None:
        """Have a task whose process died given again, or return that it is given up."""
        self._deaths[place] += 1
        if self._deaths[place] >= self._most_deaths:
            return GivenUp(self._deaths[place], how)
        self.once_more(place, task)
        return None
