"""The one form of results: dataclasses, written as JSON with a key for each of their attributes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, ClassVar


class Result:
    """Base of the results of commands, which `as_json` writes as JSON.

    A subclass is a frozen dataclass. Its docstring says under *Attributes* what its attributes
    mean, and the docstrings of its properties say what these mean; docs/generate.py makes the
    tables of the keys from them.

    Attributes
    ----------
    json_keys:
        Names of the attributes and properties that are written, in this order; None: all fields.
    json_merged:
        Names of the attributes that are results themselves, and whose keys are written among the
        keys of this result; for one that is None nothing is written.
    json_optional:
        Names of the attributes that are not written if they are None; all others are written as
        null then.
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
