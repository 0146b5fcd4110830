"""The store of trials: a file of SQLite that outlives the search, and that others can read.

Two tables are for readers: ``settings`` has a row for each value of each trial, and ``figures`` one
for each figure. ``trials`` has one for each trial. A trial is written in one transaction.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from spiketwin.cosim.explore.axes import Point
from spiketwin.cosim.explore.evaluation import Outcome
from spiketwin.cosim.explore.objectives import Figure
from spiketwin.hdl.spec.errors import SpiketwinError

_APPLICATION: Final = 0x5457494E
"""Number by which SQLite knows files of ours."""

_VERSION: Final = 1
_SECONDS: Final = 60.0
"""Longest wait for another process that writes to the same file."""

_TABLES: Final = f"""
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {_VERSION};
CREATE TABLE IF NOT EXISTS trials (
    trial TEXT PRIMARY KEY, subject TEXT NOT NULL, refused TEXT, wanted TEXT NOT NULL,
    notes TEXT NOT NULL, core TEXT);
CREATE TABLE IF NOT EXISTS settings (
    trial TEXT NOT NULL REFERENCES trials, name TEXT NOT NULL, value, PRIMARY KEY (trial, name));
CREATE TABLE IF NOT EXISTS figures (
    trial TEXT NOT NULL REFERENCES trials, name TEXT NOT NULL, value REAL NOT NULL,
    origin TEXT NOT NULL, PRIMARY KEY (trial, name));
"""


class StoreError(SpiketwinError):
    """A file is no store of trials, is damaged, or cannot be written to."""

    exit_status = 2


class Store:
    """Trials in a file, or in memory.

    Parameters
    ----------
    connection:
        The open file.
    place:
        Its name in messages.
    identity:
        Text that differs where the same point would be another trial.
    """

    def __init__(self, connection: sqlite3.Connection, place: str, identity: str) -> None:
        self._connection = connection
        self._place = place
        self._identity = identity

    def find(self, point: Point, wanted: Sequence[str]) -> Outcome | None:
        """Return the outcome of a point; None if it, or one of the figures, is not known.

        Raises
        ------
        StoreError
            The file is damaged.
        """
        key = self._key(point)
        with self._faults():
            found = self._connection.execute(
                "SELECT refused, wanted, notes, core FROM trials WHERE trial = ?", (key,)
            ).fetchone()
            rows = self._connection.execute(
                "SELECT name, value, origin FROM figures WHERE trial = ?", (key,)
            ).fetchall()
        if found is None:
            return None
        refused, wanted_then, notes, core = found
        figures = {name: Figure(value, origin) for name, value, origin in rows}
        with self._faults():
            told, asked = tuple(map(str, json.loads(notes))), set(json.loads(wanted_then))
        if set(wanted) <= set(figures):
            return Outcome({name: figures[name] for name in wanted}, notes=told, core=core)
        if refused is not None and asked <= set(wanted):
            return Outcome(refused=refused)
        return None

    def add(self, point: Point, outcome: Outcome, wanted: Sequence[str]) -> None:
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
        with self._faults(), self._connection:
            self._connection.execute(
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
            self._connection.executemany("INSERT OR REPLACE INTO settings VALUES (?,?,?)", settings)
            self._connection.executemany("INSERT OR REPLACE INTO figures VALUES (?,?,?,?)", figures)

    def _key(self, point: Point) -> str:
        text = json.dumps([self._identity, sorted(point.items())])
        return hashlib.sha256(text.encode()).hexdigest()

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, ValueError) as error:
            raise StoreError(
                f"{self._place}: {error}. Take another file, or move this one out of the way"
            ) from error


@contextmanager
def opened(path: Path | None, identity: str) -> Iterator[Store]:
    """Yield the store in a file, which is made if it is not there; in memory for None.

    Raises
    ------
    StoreError
        The file is no store of trials, or of another version.
    """
    place = "the store in memory" if path is None else str(path)
    try:
        connection = sqlite3.connect(":memory:" if path is None else path, timeout=_SECONDS)
    except sqlite3.Error as error:
        raise StoreError(f"{place} cannot be opened: {error}") from error
    with closing(connection):
        _check(connection, place)
        yield Store(connection, place, identity)


def _check(connection: sqlite3.Connection, place: str) -> None:
    """Make the tables of a new file; raise `StoreError` for a file that is none of ours."""
    try:
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if tables and (application != _APPLICATION or version != _VERSION):
            raise StoreError(f"{place} is a database, but no store of trials of this release")
        connection.executescript(_TABLES)
    except sqlite3.Error as error:
        raise StoreError(f"{place} is no store of trials: {error}") from error
