"""The store of trials: a file of SQLite that outlives the search, and that others can read.

Two tables are for readers: ``settings`` has a row for each value of each trial, and ``figures`` one
for each figure. ``trials`` has one for each trial. A trial is written in one transaction.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from spiketwin.cosim.explore.axes import Point
from spiketwin.cosim.explore.evaluation import TrialOutcome
from spiketwin.cosim.explore.objectives import TrialFigure
from spiketwin.cosim.workers import database
from spiketwin.cosim.workers.database import Database

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS trials (
    trial TEXT PRIMARY KEY, subject TEXT NOT NULL, refused TEXT, wanted TEXT NOT NULL,
    notes TEXT NOT NULL, core TEXT);
CREATE TABLE IF NOT EXISTS settings (
    trial TEXT NOT NULL REFERENCES trials, name TEXT NOT NULL, value, PRIMARY KEY (trial, name));
CREATE TABLE IF NOT EXISTS figures (
    trial TEXT NOT NULL REFERENCES trials, name TEXT NOT NULL, value REAL NOT NULL,
    origin TEXT NOT NULL, PRIMARY KEY (trial, name));
"""


class Store:
    """Trials in a file, or in memory.

    Parameters
    ----------
    database:
        The open file.
    identity:
        Text that differs where the same point would be another trial.
    """

    def __init__(self, database: Database, identity: str) -> None:
        self._database = database
        self._identity = identity

    def find(self, point: Point, wanted: Sequence[str]) -> TrialOutcome | None:
        """Return the outcome of a point; None if it, or one of the figures, is not known.

        Raises
        ------
        StoreError
            The file is damaged.
        """
        key = self._key(point)
        with self._database.at_work() as connection:
            found = connection.execute(
                "SELECT refused, wanted, notes, core FROM trials WHERE trial = ?", (key,)
            ).fetchone()
            rows = connection.execute(
                "SELECT name, value, origin FROM figures WHERE trial = ?", (key,)
            ).fetchall()
        if found is None:
            return None
        refused, wanted_then, notes, core = found
        figures = {name: TrialFigure(value, origin) for name, value, origin in rows}
        with self._database.at_work():
            told, asked = tuple(map(str, json.loads(notes))), set(json.loads(wanted_then))
        if set(wanted) <= set(figures):
            return TrialOutcome({name: figures[name] for name in wanted}, notes=told, core=core)
        if refused is not None and asked <= set(wanted):
            return TrialOutcome(refused=refused)
        return None

    def add(self, point: Point, outcome: TrialOutcome, wanted: Sequence[str]) -> None:
        """Write a trial, or further figures of one, in one transaction.

        What was wanted counts where it was refused: with other figures, the same point may be well.

        Raises
        ------
        StoreError
            The file cannot be written.
        """
        key = self._key(point)
        settings = [(key, name, value) for name, value in point.items()]
        figures = [(key, n, each.value, each.origin) for n, each in outcome.figures.items()]
        with self._database.at_work() as connection, connection:
            connection.execute(
                "INSERT OR REPLACE INTO trials VALUES (?, ?, ?, ?, ?, ?)",
                (
                    key,
                    self._identity,
                    outcome.refused,
                    json.dumps(list(wanted)),
                    json.dumps(outcome.notes),
                    outcome.core,
                ),
            )
            connection.executemany("INSERT OR REPLACE INTO settings VALUES (?,?,?)", settings)
            connection.executemany("INSERT OR REPLACE INTO figures VALUES (?,?,?,?)", figures)

    def _key(self, point: Point) -> str:
        text = json.dumps([self._identity, sorted(point.items())])
        return hashlib.sha256(text.encode()).hexdigest()


@contextmanager
def opened(path: Path | None, identity: str) -> Iterator[Store]:
    """Yield the store in a file, which is made if it is not there; in memory for None.

    Raises
    ------
    StoreError
        The file is no store of trials, or of another version.
    """
    with database.opened(path, _TABLES) as file:
        yield Store(file, identity)
