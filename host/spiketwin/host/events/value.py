"""Events: when, and at which pixel or unit, something happened, in microseconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spiketwin.hdl.spec.text import shown
from spiketwin.host.elements import IntArray, as_array, integers
from spiketwin.host.errors import InvalidInput
from spiketwin.host.stimuli import MOST_EVENTS

MOST_TIME: Final = (1 << 53) - 1
"""Latest time in microseconds, 285 years, which also is exact as a floating-point number."""

MOST_EDGE: Final = 1 << 14
"""Most columns and rows of a sensor: coordinates of .dat files have 14 bits."""

MOST_UNITS: Final = 1 << 24
"""Most units that events can name."""

_PIXELS: Final = ("x", "y", "polarity")


@dataclass(frozen=True, eq=False, init=False)
class Events:
    """Events of a sensor or of a recording, in the order of their times.

    They are at pixels, and then have `x`, `y` and `polarity`, or at units, such as channels or
    neurons, and then have `unit`. Arrays may be given as anything that numpy takes.

    Attributes
    ----------
    t:
        Shape (n,), int64: times in microseconds, ascending, 0 or more.
    x, y:
        Shape (n,), int32: column and row, from 0 on; None of units.
    polarity:
        Shape (n,), int32: 1 where it grew brighter, 0 where darker; None of units.
    unit:
        Shape (n,), int32: number of the unit, from 0 on; None of pixels.
    size:
        Columns and rows of the sensor, 1…16384 each; by default as many as the events need. None of
        units.
    units:
        Number of units, 1…16777216; by default as many as the events need. None of pixels.
    begin:
        Time in microseconds at which the recording begins, which is tick 0 (`to_ticks`).
    format:
        Name of the format that they were read from; empty if they were made otherwise.
    label:
        Number of the class of the sample, if the file says one.
    remarks:
        Sentences about what was left out, sorted, rounded or assumed; empty if nothing was.

    Raises
    ------
    InvalidInput
        An array has another length or type, a time goes back, or a value is out of range; the
        message names the array and the first wrong element.
    """

    t: IntArray
    x: NDArray[np.int32]
    y: NDArray[np.int32]
    polarity: NDArray[np.int32]
    unit: NDArray[np.int32]
    size: tuple[int, int] | None
    units: int | None
    begin: int
    format: str
    label: int | None
    remarks: tuple[str, ...]

    def __init__(
        self,
        *,
        t: ArrayLike,
        x: ArrayLike | None = None,
        y: ArrayLike | None = None,
        polarity: ArrayLike | None = None,
        unit: ArrayLike | None = None,
        size: tuple[int, int] | None = None,
        units: int | None = None,
        begin: int = 0,
        format: str = "",
        label: int | None = None,
        remarks: tuple[str, ...] = (),
    ) -> None:
        given = {"x": x, "y": y, "polarity": polarity, "unit": unit}
        there = {name for name, each in given.items() if each is not None}
        if there != {"unit"} and there != set(_PIXELS):
            raise InvalidInput(
                "events have either unit, or x, y and polarity, and here they have "
                f"{', '.join(sorted(there)) or 'none of them'}: give one of both"
            )
        others = {"size": size, "units": units, "format": format, "label": label}
        for name, value in (given | others | {"remarks": remarks}).items():
            self._set(name, value)
        self._set("t", _times(t))
        self._set("begin", int(integers("begin", begin, (), (0, MOST_TIME))))
        if self.pixels:
            self._check_pixels()
        else:
            self._check_units()

    def _check_pixels(self) -> None:
        if self.units is not None:
            raise InvalidInput("units is for events at units, and these are at pixels: give size")
        size = _edges(self.size)
        for name, edge in (("x", size[0]), ("y", size[1])):
            self._set(name, self._column(name, edge or MOST_EDGE))
        self._set("polarity", self._column("polarity", 2))
        least = tuple(int(each.max(initial=0)) + 1 for each in (self.x, self.y))
        self._set("size", tuple(edge or found for edge, found in zip(size, least, strict=True)))

    def _check_units(self) -> None:
        if self.size is not None:
            raise InvalidInput("size is for events at pixels, and these are at units: give units")
        most = self.units
        if most is not None:
            most = int(integers("units", most, (), (1, MOST_UNITS)))
        self._set("unit", self._column("unit", most or MOST_UNITS))
        self._set("units", most or int(self.unit.max(initial=0)) + 1)

    def _column(self, name: str, end: int) -> NDArray[np.int32]:
        given = getattr(self, name) if np.size(getattr(self, name)) else np.empty(0, np.int32)
        array = as_array(name, given, InvalidInput, f"of shape {self.t.shape}")
        if array.shape != self.t.shape:
            raise InvalidInput(f"{name} must have the shape {self.t.shape}, not {array.shape}")
        return integers(name, array, array.shape, (0, end - 1)).astype(np.int32)

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.t)

    def __repr__(self) -> str:
        where = f"{self.size} pixels" if self.pixels else f"{self.units} units"
        return f"Events({len(self)} events, {where}, {self.duration} µs)"

    @property
    def pixels(self) -> bool:
        """Whether the events are at pixels, and not at units."""
        return self.unit is None

    @property
    def duration(self) -> int:
        """Microseconds from `begin` to the last event; 0 without events."""
        return max(0, int(self.t[-1]) - self.begin) if len(self) else 0

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays that there are, by name."""
        names = ("t", *(_PIXELS if self.pixels else ("unit",)))
        return {name: getattr(self, name) for name in names}


def _times(given: ArrayLike) -> IntArray:
    array = as_array("t", given, InvalidInput, "of shape (n,)")
    if array.ndim != 1 or len(array) > MOST_EVENTS:
        raise InvalidInput(
            f"t must have the shape (n,), with at most {MOST_EVENTS} events, not {array.shape}"
        )
    if not array.size:
        return np.empty(0, np.int64)
    times = integers("t", array, array.shape, (0, MOST_TIME))
    back = np.flatnonzero(times[1:] < times[:-1])
    if back.size:
        at = int(back[0]) + 1
        raise InvalidInput(
            f"t[{at}] goes back, from {times[at - 1]} to {times[at]} microseconds: sort the events"
        )
    return times


def _edges(size: object) -> tuple[int | None, int | None]:
    if size is None:
        return None, None
    if not isinstance(size, tuple | list) or len(size) != 2:
        raise InvalidInput(f"size must be (columns, rows), not {shown(size)}")
    columns, rows = (int(integers("size", each, (), (1, MOST_EDGE))) for each in size)
    return columns, rows
