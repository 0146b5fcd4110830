"""The interface of every crew, and the crew of this process alone."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from spiketwin.hdl.spec.errors import SpiketwinError

Task = TypeVar("Task")
Answer = TypeVar("Answer")
_Task = TypeVar("_Task", contravariant=True)
_Answer = TypeVar("_Answer", covariant=True)

MOST_DEATHS: Final = 3
"""Deaths of its process after which a task is given up."""


class WorkersLost(SpiketwinError):
    """No process for a task can be had any more."""


class WorkFailed(SpiketwinError):
    """A task has ended in an exception, in a process of its own."""


@dataclass(frozen=True)
class GivenUp:
    """The end of a task that has no answer, because its process died each time.

    Attributes
    ----------
    deaths:
        How often.
    how:
        How the last one died: ``was killed by signal 9``.
    """

    deaths: int
    how: str

    def __str__(self) -> str:
        """Return how it ended, as the end of a sentence that begins with the task."""
        times = "" if self.deaths == 1 else f", {self.deaths} times"
        return f"ended its process{times}; the last one {self.how}"


class Crew(Protocol[_Task, _Answer]):
    """A crew: the processes that do the tasks of a work."""

    def run(self, tasks: Iterable[_Task]) -> Generator[tuple[int, _Answer | GivenUp], None, None]:
        """Do the tasks; yield the place of each among them with its answer, as each is done.

        Tasks are taken as there is somebody for them, so there may be any number of them. What is
        under way when the caller closes the generator is broken off; only then it calls again.

        Raises
        ------
        WorkersLost
            There is nobody for the tasks any more.
        WorkFailed
            A task ended in an exception, which is a fault of the work.
        """
        ...


class Alone(Generic[Task, Answer]):
    """The process of the call, which does one task after the other, and dies where one ends it.

    Parameters
    ----------
    work:
        The function of a task.
    """

    def __init__(self, work: Callable[[Task], Answer]) -> None:
        self._work = work

    def run(self, tasks: Iterable[Task]) -> Generator[tuple[int, Answer | GivenUp], None, None]:
        """Do one task after the other, with whatever exception one ends in."""
        for place, task in enumerate(tasks):
            yield place, self._work(task)
