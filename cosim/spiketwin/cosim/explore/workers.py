"""Who runs the trials: this process, or workers of Dask, here or on a cluster."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Protocol

from spiketwin.cosim.explore.axes import Point
from spiketwin.cosim.explore.evaluation import Outcome, evaluate
from spiketwin.cosim.explore.subjects import Subject
from spiketwin.hdl.spec.errors import SpiketwinError

_TRIES: Final = 2
"""Times that a trial is given to Dask, which itself gives it to several workers if they die."""

_CONNECTING: Final = "30s"


class WorkersLost(SpiketwinError):
    """No worker can be reached any more, or a trial ends every worker that runs it."""


class Runner(Protocol):
    """Who runs trials."""

    def run(self, points: Sequence[Point]) -> Iterator[tuple[int, Outcome]]:
        """Run a trial for each point; yield its place and outcome as each is done."""
        ...


class Here:
    """The process itself, which runs one trial after the other.

    Parameters
    ----------
    subject, wanted:
        As `evaluate` takes them.
    """

    def __init__(self, subject: Subject, wanted: Sequence[str]) -> None:
        self._subject = subject
        self._wanted = wanted

    def run(self, points: Sequence[Point]) -> Iterator[tuple[int, Outcome]]:
        """Run one trial after the other."""
        for number, point in enumerate(points):
            yield number, evaluate(self._subject, point, self._wanted)


class Workers:
    """Workers of Dask, to whom trials are given as they become free.

    Parameters
    ----------
    client:
        The client of the scheduler.
    subject, wanted:
        As `evaluate` takes them.
    """

    def __init__(self, client: Any, subject: Subject, wanted: Sequence[str]) -> None:
        self._client = client
        self._subject = subject
        self._wanted = tuple(wanted)

    def run(self, points: Sequence[Point]) -> Iterator[tuple[int, Outcome]]:
        """Run the trials; one whose worker dies is given to another worker.

        Raises
        ------
        WorkersLost
            The scheduler is gone, or a trial ends every worker.
        """
        from distributed import CancelledError, KilledWorker, as_completed
        from distributed.comm.core import CommClosedError

        tries = dict.fromkeys(range(len(points)), 1)
        asked = {self._submit(point): number for number, point in enumerate(points)}
        waiting = as_completed(asked)
        for future in waiting:
            number = asked.pop(future)
            try:
                yield number, future.result()
            except KilledWorker as error:
                if tries[number] == _TRIES:
                    raise WorkersLost(
                        f"the trial of {points[number]} ended every worker that ran it: run it "
                        "alone, without --workers"
                    ) from error
                tries[number] += 1
                again = self._submit(points[number])
                asked[again] = number
                waiting.add(again)
            except (CancelledError, CommClosedError, OSError) as error:
                raise WorkersLost(
                    "the scheduler of the workers is gone; with --store, the same call goes on "
                    f"where this one ended ({error})"
                ) from error

    def _submit(self, point: Point) -> Any:
        # Not pure: a trial that was lost is run again, and not looked up.
        return self._client.submit(evaluate, self._subject, point, self._wanted, pure=False)


@contextmanager
def started(
    subject: Subject, wanted: Sequence[str], workers: int, scheduler: str | None
) -> Iterator[Runner]:
    """Yield who runs the trials, and end the workers that were started for it.

    Parameters
    ----------
    subject, wanted:
        As `evaluate` takes them.
    workers:
        Processes on this computer; with 1 it is this one.
    scheduler:
        Address of a scheduler whose workers are used instead.

    Raises
    ------
    ImportError
        Workers are wanted without the extra ``explore``.
    WorkersLost
        There is no such scheduler, or no workers can be started.
    """
    if scheduler is None and workers == 1:
        yield Here(subject, wanted)
        return
    from distributed import Client, LocalCluster

    logging.getLogger("distributed").setLevel(logging.ERROR)
    if scheduler is not None:
        try:
            client = Client(scheduler, timeout=_CONNECTING)
        except (OSError, ValueError) as error:
            raise WorkersLost(f"there is no scheduler at {scheduler}: {error}") from error
        with client:
            yield Workers(client, subject, wanted)
        return
    try:
        # Port 0 is any that is free: several searches may have workers at once.
        cluster = LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True,
            dashboard_address="127.0.0.1:0", silence_logs=logging.CRITICAL,
        )  # fmt: skip
    except (RuntimeError, OSError) as error:
        raise WorkersLost(f"no workers can be started here: {error}") from error
    with cluster, Client(cluster) as client:
        yield Workers(client, subject, wanted)
