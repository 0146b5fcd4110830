"""Finds what the modules of a package describe: the boards and the families of FPGAs."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import TypeVar

_Kind = TypeVar("_Kind")


def in_package(name: str, kind: type[_Kind]) -> Iterator[_Kind]:
    """Import all modules of a package, and give the objects of a kind that are named in them.

    Nobody lists the modules: whoever puts a file into the folder has added what it describes.
    """
    package = import_module(name)
    for found in pkgutil.iter_modules(package.__path__):
        yield from in_module(import_module(f"{name}.{found.name}"), kind)


def in_module(module: ModuleType, kind: type[_Kind]) -> Iterator[_Kind]:
    """Give the objects of a kind that a module has names for."""
    yield from (value for value in vars(module).values() if isinstance(value, kind))
