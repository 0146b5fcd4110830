"""The one form of results: dataclasses, written as JSON with a key for each of their attributes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, ClassVar


class Result:
    """A base of what a command finds, which is written as JSON by `as_json`.

    A subclass is a frozen dataclass. What its attributes mean is said in its docstring, under
    *Attributes*, and in the docstrings of its properties; docs/generate.py makes the tables of
    the keys from there.

    Attributes
    ----------
    json_keys:
        Names of the attributes and properties that are written, in this order; None: all fields.
    json_merged:
        Those that are results themselves, and whose keys are written among the keys of this one;
        nothing is written for one that is None.
    json_optional:
        Those that are not written if they are None; all others are written as null then.
    """

    json_keys: ClassVar[tuple[str, ...] | None] = None
    json_merged: ClassVar[tuple[str, ...]] = ()
    json_optional: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the names of the attributes that are written, in their order."""
        if cls.json_keys is not None:
            return cls.json_keys
        if not is_dataclass(cls):
            raise TypeError(f"{cls.__name__} must be a dataclass")
        return tuple(each.name for each in fields(cls))

    def as_json(self) -> dict[str, Any]:
        """Return the result as values that JSON has: numbers, text, lists and dictionaries."""
        written: dict[str, Any] = {}
        for name in self.names():
            value = getattr(self, name)
            if name in self.json_merged:
                written |= {} if value is None else value.as_json()
            elif value is not None or name not in self.json_optional:
                written[name] = _plain(value)
        return written


def _plain(value: Any) -> Any:
    """Return a value as JSON has it; arrays of numbers become lists."""
    if isinstance(value, Result):
        return value.as_json()
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value.tolist() if hasattr(value, "tolist") else value
