"""The statements of a caller about a file of events that the file itself may not make."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from spiketwin.host.errors import EventFileError, InvalidInput
from spiketwin.host.events.value import Events

_NONE: Final[Any] = np.empty(0, np.int64)


@dataclass(frozen=True)
class Wanted:
    """The statements of a caller about a file; None for what is left to the file.

    Attributes
    ----------
    size:
        Columns and rows of the sensor.
    units:
        Number of units.
    sample:
        Number of the sample in a file of several.
    """

    size: tuple[int, int] | None = None
    units: int | None = None
    sample: int | None = None

    def check(self) -> None:
        """Raise `InvalidInput` if the size or the number of units is none."""
        Events(t=_NONE, unit=_NONE, units=self.units)
        Events(t=_NONE, x=_NONE, y=_NONE, polarity=_NONE, size=self.size)

    def events(self, **found: Any) -> Events:
        """Return what was found in a file as events.

        What the caller says about size and units has to agree with what the file says of them, and
        is used where the file says nothing. Raises `EventFileError` if something is wrong.
        """
        name, other = ("units", "size") if "unit" in found else ("size", "units")
        said, wanted = found.get(name), getattr(self, name)
        if getattr(self, other) is not None:
            raise EventFileError(f"its events have no {other}: give {name}, or nothing")
        if None not in (said, wanted) and said != wanted:
            raise EventFileError(f"its {name} is {said}, and {wanted} was asked for")
        try:
            return Events(**found | {name: said or wanted})
        except InvalidInput as error:
            raise EventFileError(str(error)) from error

    def number(self, path: Path, count: int) -> int:
        """Return the number of the sample in a file of `count`.

        Raises `InvalidInput` if it is out of range, or not given where there are several, and
        `EventFileError` if there is none.
        """
        if not count:
            raise EventFileError(f"{path} holds no sample: its tables are empty")
        if self.sample is None and count > 1:
            raise InvalidInput(f"{path} holds {count} samples: give sample, 0…{count - 1}")
        chosen = self.sample or 0
        if type(chosen) is not int or not 0 <= chosen < count:
            raise InvalidInput(f"sample must be an integer in 0…{count - 1}, not {self.sample!r}")
        return chosen


@dataclass(frozen=True)
class Format:
    """A format of event files.

    Attributes
    ----------
    name:
        Its name in messages, and `Events.format`.
    recognises:
        Function that returns whether a file is of this format, from its path and its first bytes.
    read:
        Function that reads the events of a file. It raises `EventFileError`, or `InvalidInput` for
        what the caller left out.
    """

    name: str
    recognises: Callable[[Path, bytes], bool]
    read: Callable[[Path, Wanted], Events]
