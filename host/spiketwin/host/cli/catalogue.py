"""The catalogue of commands, read from commands.toml: what each command is for and what it needs.

Reading it loads no command. A command of another package is not listed here. It works all the same,
and the help shows it by its name alone.
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
    """One command.

    Attributes
    ----------
    name, summary, example:
        What is typed, what it does, and a call that works as it stands.
    section:
        What one wants to do with it.
    function:
        Module and name of the click command, with a colon between them.
    extra:
        Extra of the package with which all that it offers is there; empty if the core installation
        will do.
    system:
        What the system must have, by its names in `SYSTEM`.
    without:
        Extra that will do where the system has not all of that; empty if none will.
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
    """Something that commands need of the system.

    Attributes
    ----------
    programs:
        Programs. One of them must be on the path.
    library, header:
        A shared library, and a header of Python.
    debian:
        Package of Debian that has it. In its name, python3 stands for the release that is used.
    also:
        What else than commands needs it.
    """

    debian: str
    programs: tuple[str, ...] = ()
    library: str = ""
    header: str = ""
    also: str = ""

    def package(self) -> str:
        """Name the package of Debian that has it for the Python that runs."""
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
"""The commands by their names, those of a section together."""

SECTIONS: Final = {
    title: tuple(entries)
    for title, entries in groupby(COMMANDS.values(), lambda entry: entry.section)
}
"""The commands by what one wants to do."""

EXTRAS: Final[dict[str, str]] = {
    name: texts.get("also", "") for name, texts in _TABLES["extras"].items()
}
"""Extras of the package, each before those that hold more, and what they add to other commands."""

SYSTEM: Final = {name: _need(name, texts) for name, texts in _TABLES["system"].items()}
"""What commands need of the system."""


def extra(name: str) -> str:
    """Give the extra that a command needs; empty if none, or if it is not listed."""
    return COMMANDS[name].extra if name in COMMANDS else ""


def installer(extra: str) -> str:
    """Name the first command with which `run` installs an extra."""
    return next(entry.name for entry in COMMANDS.values() if entry.extra == extra)


def users(extra: str) -> str:
    """Name what an extra is for, commands and whatever else; everything, if it is none."""
    if not extra:
        return "all"
    return _listed(EXTRAS[extra], (e.name for e in COMMANDS.values() if e.extra == extra))


def users_of(need: str) -> str:
    """Name what needs something of the system, commands and whatever else."""
    return _listed(SYSTEM[need].also, (e.name for e in COMMANDS.values() if need in e.system))


def _listed(also: str, commands: Iterable[str]) -> str:
    return ", ".join(filter(None, (also, *commands)))
