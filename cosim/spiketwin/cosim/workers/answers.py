"""Answers that are kept, and the course of a work that goes on where it ended."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Final, Generic

from spiketwin.cosim.workers import database
from spiketwin.cosim.workers.crew import Answer, Crew, GivenUp, Task
from spiketwin.cosim.workers.database import Database

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS answers (
    work TEXT NOT NULL, task TEXT NOT NULL, answer TEXT NOT NULL, PRIMARY KEY (work, task));
"""


@dataclass(frozen=True)
class AnswerFormat(Generic[Task, Answer]):
    """The form in which tasks and answers are kept.

    Attributes
    ----------
    key:
        Function that gives the text by which a task is known.
    written:
        Function that gives an answer as values that JSON has.
    read:
        Function that gives the answer that was written.
    """

    key: Callable[[Task], str]
    written: Callable[[Answer], Any]
    read: Callable[[Any], Answer]


class Answers(Generic[Task, Answer]):
    """Answers of one work in a file, or in memory.

    Parameters
    ----------
    database:
        The open file.
    work:
        Text that differs where the same task would have another answer.
    form:
        The form of tasks and answers.
    """

    def __init__(self, database: Database, work: str, form: AnswerFormat[Task, Answer]) -> None:
        self._database = database
        self._work = work
        self._form = form

    def find(self, task: Task) -> Answer | None:
        """Return the answer to a task, None if it is not known; raise `StoreError`."""
        with self._database.at_work() as connection:
            found = connection.execute(
                "SELECT answer FROM answers WHERE work = ? AND task = ?",
                (self._work, self._form.key(task)),
            ).fetchone()
            return None if found is None else self._form.read(json.loads(found[0]))

    def add(self, task: Task, answer: Answer) -> None:
        """Keep an answer; raise `StoreError` if that cannot be."""
        row = (self._work, self._form.key(task), json.dumps(self._form.written(answer)))
        with self._database.at_work() as connection, connection:
            connection.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?)", row)


@contextmanager
def opened(
    path: Path | None, work: str, form: AnswerFormat[Task, Answer]
) -> Iterator[Answers[Task, Answer]]:
    """Yield the answers in a file, which is made if it is not there; in memory for None.

    Raises
    ------
    StoreError
        The file is no store, or of another version.
    """
    with database.opened(path, _TABLES) as file:
        yield Answers(file, work, form)


def answered(
    tasks: Iterable[Task], crew: Crew[Task, Answer], kept: Answers[Task, Answer]
) -> Generator[tuple[Task, Answer | GivenUp], None, None]:
    """Yield each task with its answer: those that are known first, then others as they are done.

    An answer is kept as soon as it is there; a task that is given up is tried again by the next
    call. Tasks need not come to an end, and are taken as they are needed.

    Raises
    ------
    StoreError
        An answer cannot be kept.
    WorkersLost, WorkFailed
        As from the crew.
    """
    left = iter(tasks)
    for task in left:
        answer = kept.find(task)
        if answer is None:
            left = chain([task], left)
            break
        yield task, answer
    given: list[Task] = []
    known: list[tuple[Task, Answer]] = []

    def unknown() -> Iterator[Task]:
        for task in left:
            answer = kept.find(task)
            if answer is None:
                given.append(task)
                yield task
            else:
                known.append((task, answer))

    with closing(crew.run(unknown())) as done:
        for place, found in done:
            if not isinstance(found, GivenUp):
                kept.add(given[place], found)
            yield given[place], found
            yield from known
            known.clear()
    yield from known
