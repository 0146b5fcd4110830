"""Files of SQLite that outlive a call, and that others can read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from spiketwin.hdl.spec.errors import SpiketwinError

_APPLICATION: Final = 0x5457494E
"""Number by which SQLite knows files of ours."""

_VERSION: Final = 1
_SECONDS: Final = 60.0
"""Longest wait for another process that writes to the same file."""


class StoreError(SpiketwinError):
    """A file is no store of trials, is damaged, or cannot be written to."""

    exit_status = 2


class Database:
    """An open file.

    Parameters
    ----------
    connection, place:
        Its connection, and its name in messages.
    """

    def __init__(self, connection: sqlite3.Connection, place: str) -> None:
        self._connection = connection
        self._place = place

    @contextmanager
    def at_work(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection; raise `StoreError` for what goes wrong in the block."""
        try:
            yield self._connection
        except (sqlite3.Error, ValueError) as error:
            raise StoreError(
                f"{self._place}: {error}. Take another file, or move this one out of the way"
            ) from error


@contextmanager
def opened(path: Path | None, tables: str) -> Iterator[Database]:
    """Yield a file, which is made if it is not there; in memory for None.

    Parameters
    ----------
    path:
        The file.
    tables:
        The commands of SQL that make its tables if they are not there.

    Raises
    ------
    StoreError
        The file is none of ours, or of another version.
    """
    place = "the store in memory" if path is None else str(path)
    try:
        connection = sqlite3.connect(":memory:" if path is None else path, timeout=_SECONDS)
    except sqlite3.Error as error:
        raise StoreError(f"{place} cannot be opened: {error}") from error
    with closing(connection):
        _check(connection, place, tables)
        yield Database(connection, place)


def _check(connection: sqlite3.Connection, place: str, tables: str) -> None:
    """Make the tables of a file; raise `StoreError` for a file that is none of ours."""
    try:
        there = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if there and (application != _APPLICATION or version != _VERSION):
            raise StoreError(f"{place} is a database, but no store of trials of this release")
        connection.execute(f"PRAGMA application_id = {_APPLICATION}")
        connection.execute(f"PRAGMA user_version = {_VERSION}")
        connection.executescript(tables)
    except sqlite3.Error as error:
        raise StoreError(f"{place} is no store of trials: {error}") from error
