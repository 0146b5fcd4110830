"""Discovery of the boards and families of FPGAs that the modules of a package describe."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import TypeVar

_Kind = TypeVar("_Kind")


def in_package(name: str, kind: type[_Kind]) -> Iterator[_Kind]:
    """Import all modules of a package, and return their global objects of a kind.

    There is no list of the modules: a new file in the folder is found by itself.
    """
    package = import_module(name)
    for found in pkgutil.iter_modules(package.__path__):
        yield from in_module(import_module(f"{name}.{found.name}"), kind)


def in_module(module: ModuleType, kind: type[_Kind]) -> Iterator[_Kind]:
    """Return the global objects of a kind in a module."""
    yield from (value for value in vars(module).values() if isinstance(value, kind))
