"""The crew of a call, as its options say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from spiketwin.cosim.workers import cluster
from spiketwin.cosim.workers.crew import MOST_DEATHS, Alone, Answer, Crew, Task
from spiketwin.cosim.workers.processes import Processes


@dataclass(frozen=True)
class Workforce:
    """The processes that do the work of a call, or the scheduler whose workers do it.

    Attributes
    ----------
    processes:
        Processes on this computer.
    scheduler:
        Address of a scheduler of Dask whose workers do it instead; None for this computer.
    """

    processes: int
    scheduler: str | None = None

    def __str__(self) -> str:
        """Return who they are, as the end of a line."""
        return f"processes: {self.processes}" if self.scheduler is None else f"at {self.scheduler}"

    @contextmanager
    def at_work(
        self, work: Callable[[Task], Answer], *,
        deaths: int = MOST_DEATHS, seconds: float | None = None, may_be_here: bool = False,
    ) -> Iterator[Crew[Task, Answer]]:  # fmt: skip
        """Yield the crew for a work; all that was started for it ends with the block.

        Parameters
        ----------
        work:
            The function of a task.
        deaths:
            Deaths of its process after which a task is given up.
        seconds:
            Longest time that a task may take, after which its process is ended; None for any time.
        may_be_here:
            Whether one process may be that of the call, which begins at once, and dies where a task
            ends it.

        Raises
        ------
        ImportError
            A scheduler is named without the extra ``explore``.
        WorkersLost
            There is no such scheduler.
        """
        if self.scheduler is not None:
            with cluster.connected(
                self.scheduler, work, deaths=deaths, seconds=seconds
            ) as connected:
                yield connected
        elif may_be_here and self.processes == 1:
            yield Alone(work)
        else:
            with Processes(work, self.processes, deaths=deaths, seconds=seconds) as here:
                yield here
