"""The catalogue of commands, read from commands.toml: what each command is for and what it needs.

Reading it imports no command. Commands of other packages are not in the catalogue; they work all
the same, and the help shows their names alone.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final


@dataclass(frozen=True)
class Entry:
    """The entry of one command in the catalogue.

    Attributes
    ----------
    name, summary, example:
        Name as it is typed, what the command does, and a call that works as it stands.
    section:
        Title of its section in the help.
    function:
        Module and name of the click command, with a colon between them.
    extra:
        Extra of the package that the command needs for all of its functions; empty if it needs
        none.
    system:
        Names in `SYSTEM` of what the system must have.
    without:
        Extra that is enough if the system does not have all of that; empty if there is none.
    """

    name: str
    summary: str
    example: str
    section: str
    function: str
    extra: str = ""
    system: tuple[str, ...] = ()
    without: str = ""


@dataclass(frozen=True)
class Need:
    """A program or file of the system that commands need.

    Attributes
    ----------
    programs:
        Programs, one of which must be on the path.
    library, header:
        A shared library, and a header of Python.
    debian:
        Package of Debian that contains them; ``python3`` in its name is the running release.
    also:
        Other things than commands that need it.
    """

    debian: str
    programs: tuple[str, ...] = ()
    library: str = ""
    header: str = ""
    also: str = ""

    def package(self) -> str:
        """Return the name of the package of Debian, for the running release of Python."""
        release = f"python{sys.version_info.major}.{sys.version_info.minor}"
        return self.debian.replace("python3", release)


_FILE: Final = Path(__file__).with_name("commands.toml")


def _entry(name: str, texts: dict[str, Any]) -> Entry:
    return Entry(name, **texts | {"system": tuple(texts.get("system", "").split())})


def _need(name: str, texts: dict[str, Any]) -> Need:
    programs = tuple(texts.pop("programs", "").split())
    return Need(**{"debian": name, **texts, "programs": programs})


_TABLES: Final[dict[str, Any]] = tomllib.loads(_FILE.read_text(encoding="utf-8"))

COMMANDS: Final = {name: _entry(name, texts) for name, texts in _TABLES["commands"].items()}
"""The commands by their names; those of a section are next to each other."""

SECTIONS: Final = {
    title: tuple(entries)
    for title, entries in groupby(COMMANDS.values(), lambda entry: entry.section)
}
"""The commands by their sections."""

EXTRAS: Final[dict[str, str]] = {
    name: texts.get("also", "") for name, texts in _TABLES["extras"].items()
}
"""Extras of the package, smaller ones before larger ones, and what they add to other commands."""

SYSTEM: Final = {name: _need(name, texts) for name, texts in _TABLES["system"].items()}
"""Programs and files of the system that commands need, by name."""


def extra(name: str) -> str:
    """Return the extra that a command needs; empty if it needs none or is not listed."""
    return COMMANDS[name].extra if name in COMMANDS else ""


DOORS_BY_EXTRA: Final[dict[str, str]] = {
    name: texts["door"] for name, texts in _TABLES["extras"].items() if "door" in texts
}
"""Extras through which networks and data of other frameworks come in, and what comes in."""


def installer(extra: str) -> str:
    """Return the first command that needs an extra, so that the script `run` installs it.

    It is empty if no command needs the extra.
    """
    return next((entry.name for entry in COMMANDS.values() if entry.extra == extra), "")


def users(extra: str) -> str:
    """Return the names of all that needs an extra, as text; ``all`` for the empty extra."""
    if not extra:
        return "all"
    return _listed(EXTRAS[extra], (e.name for e in COMMANDS.values() if e.extra == extra))


def users_of(need: str) -> str:
    """Return the names of all that needs an entry of `SYSTEM`, as text."""
    return _listed(SYSTEM[need].also, (e.name for e in COMMANDS.values() if need in e.system))


def _listed(also: str, commands: Iterable[str]) -> str:
    return ", ".join(filter(None, (also, *commands)))
