"""Events as text: AER text and CSV, one event a line.

Columns are separated by commas, semicolons, tabs or spaces, and lines that begin with ``#`` or
``%`` are comments. A line of names says which column is what; without one four columns are time,
x, y and polarity, and two are time and unit. Times are in seconds if one of them has a decimal
point, or else in microseconds, unless a name ends in its unit: ``time_ms``.
"""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

import numpy as np

from spiketwin.hdl.spec.text import number, shown
from spiketwin.host.errors import EventFileError
from spiketwin.host.events.value import MOST_TIME, Events
from spiketwin.host.events.wanted import Format, Wanted
from spiketwin.host.inputs import bounded_lines, open_regular
from spiketwin.host.stimuli import MOST_EVENTS

_MOST_BYTES: Final = 1 << 31
_SEPARATORS: Final = re.compile(r"\s*[,;\t ]\s*")
_COMMENTS: Final = ("#", "%")
_MOST_CHARACTERS: Final = 40

_NAMES: Final = {
    "t": "t", "time": "t", "timestamp": "t", "ts": "t", "x": "x", "col": "x", "y": "y", "row": "y",
    "p": "polarity", "pol": "polarity", "polarity": "polarity", "on": "polarity",
    "unit": "unit", "neuron": "unit", "channel": "unit", "address": "unit", "addr": "unit",
}  # fmt: skip
"""What a column holds, by its name in lower case, without the unit of a time."""

_SECONDS: Final[dict[str, Decimal | int]] = {
    "s": 1_000_000,
    "ms": 1000,
    "us": 1,
    "ns": Decimal("0.001"),
}
"""Microseconds of a unit of time."""

_OF_PIXELS: Final = ("t", "x", "y", "polarity")
_OF_UNITS: Final = ("t", "unit")
_LAYOUTS: Final = {2: _OF_UNITS, 4: _OF_PIXELS}
"""The columns of lines without names, by their number."""

_OFF: Final = {"-1": 0, "false": 0, "off": 0, "true": 1, "on": 1}
"""Polarities other than 0 and 1."""


@dataclass
class _Table:
    """The events that were read so far."""

    columns: tuple[str, ...] = ()
    scale: Decimal | int | None = None
    size: tuple[int, int] | None = None
    values: dict[str, array[int]] = field(default_factory=dict)
    rounded: int = 0

    def turn_to_seconds(self) -> None:
        """Take all times for seconds, also those before, which were whole numbers."""
        self.scale, times = _SECONDS["s"], self.values["t"]
        if any(time * self.scale > MOST_TIME for time in times):
            raise EventFileError(
                f"times before this one are beyond {MOST_TIME} microseconds if they are seconds, "
                "as its decimal point says: name the column by its unit, such as t_us"
            )
        times[:] = array("q", (int(time * self.scale) for time in times))

    def begin(self, columns: tuple[str, ...], scale: Decimal | int | None = None) -> None:
        self.columns, self.scale = columns, scale
        self.values = {name: array("q") for name in columns}


def _read(path: Path, wanted: Wanted) -> Events:
    table = _Table()
    with open_regular(path, _MOST_BYTES, EventFileError) as file:
        lines = enumerate(bounded_lines(file, path, _MOST_BYTES, EventFileError), start=1)
        for count, text in lines:
            try:
                _take(table, text.strip())
            except EventFileError as error:
                raise EventFileError(f"line {count}: {error}") from error
    if not table.columns:
        raise EventFileError("it has no line with an event")
    remarks = []
    if table.rounded:
        remarks.append(f"{table.rounded} times were rounded to whole microseconds")
    if table.size is None and wanted.size is None and wanted.units is None:
        what = "the sensor is" if "x" in table.columns else "the units are"
        remarks.append(f"{what} taken to be as many as the events need: the text does not say it")
    found = {name: np.frombuffer(each, np.int64) for name, each in table.values.items()}
    size = {} if table.size is None else {"size": table.size}
    return wanted.events(**found, **size, remarks=tuple(remarks))


def _take(table: _Table, line: str) -> None:
    """Add a line to the table; raise `EventFileError` if it is none of one."""
    if line.startswith(_COMMENTS):
        line = line.lstrip("#% ") if not table.columns else ""
        named = _named(_SEPARATORS.split(line)) if line else None
        if named is not None:
            table.begin(*named)
        return
    if not line:
        return
    cells = _SEPARATORS.split(line)
    if not table.columns:
        named = _named(cells)
        if named is not None:
            table.begin(*named)
            return
        strange = [cell for cell in cells if cell.lower() not in _NAMES]
        if 0 < len(strange) < len(cells):
            raise EventFileError(
                f"the column {shown(strange[0])} is not known: columns are t and unit, or t, x, y "
                "and polarity. Leave others out"
            )
        if len(cells) not in _LAYOUTS:
            raise EventFileError(
                f"{len(cells)} columns need a first line that names them, such as t,x,y,polarity "
                f"or t,unit; it is {shown(line)}"
            )
        table.begin(_LAYOUTS[len(cells)])
    elif table.columns == _OF_UNITS and len(cells) == 4 and len(table.values["t"]) == 1:
        # Some write the columns and rows of the sensor into the first line.
        table.size = table.values["t"][0], table.values["unit"][0]
        table.begin(_OF_PIXELS)
    _add(table, cells, line)


def _named(cells: list[str]) -> tuple[tuple[str, ...], Decimal | int | None] | None:
    """Return the columns that names say, and the microseconds of their unit of time, or None."""
    columns: list[str] = []
    scale: Decimal | int | None = None
    for cell in cells:
        name, _, unit = cell.strip().lower().rpartition("_")
        if name in _NAMES and _NAMES[name] == "t" and unit in _SECONDS:
            scale = _SECONDS[unit]
        else:
            name = cell.strip().lower()
        if name not in _NAMES:
            return None
        columns.append(_NAMES[name])
    if sorted(columns) not in (sorted(_OF_PIXELS), sorted(_OF_UNITS)):
        raise EventFileError(
            f"its columns are {', '.join(columns)}, and must be t and unit, or t, x, y and polarity"
        )
    return tuple(columns), scale


def _add(table: _Table, cells: list[str], line: str) -> None:
    if len(cells) != len(table.columns):
        raise EventFileError(
            f"there must be {len(table.columns)} columns, {', '.join(table.columns)}, not "
            f"{shown(line)}"
        )
    for name, cell in zip(table.columns, cells, strict=True):
        table.values[name].append(_time(table, cell) if name == "t" else _whole(name, cell))
    times = table.values["t"]
    if len(times) > 1 and times[-1] < times[-2]:
        raise EventFileError(f"the time goes back, from {times[-2]} to {times[-1]} microseconds")
    if len(times) > MOST_EVENTS:
        raise EventFileError(f"more than {MOST_EVENTS} events, the most there can be: cut the file")


def _whole(name: str, cell: str) -> int:
    value = number(cell)
    if value is None and name == "polarity":
        value = _OFF.get(cell.lower())
    if value is None:
        # Some write all columns as they write times: 17.0.
        exact = _decimal(name, cell)
        value = int(exact) if exact == exact.to_integral_value() else None
    if name == "polarity" and value == -1:
        value = 0
    if value is None or not 0 <= value <= MOST_TIME:
        raise EventFileError(f"{name} must be a whole number from 0 on, not {shown(cell)}")
    return value


def _time(table: _Table, cell: str) -> int:
    """Return a time in microseconds; count it if it had to be rounded."""
    whole = number(cell)
    if whole is not None and table.scale in (None, 1) and whole <= MOST_TIME:
        return whole
    exact = _decimal("t", cell)
    if table.scale is None and whole is None:
        table.turn_to_seconds()
    exact *= table.scale or 1
    if not 0 <= exact <= MOST_TIME:
        raise EventFileError(f"t must be in 0…{MOST_TIME} microseconds, not {shown(cell)}")
    value = int(exact.to_integral_value())
    table.rounded += value != exact
    return value


def _decimal(name: str, cell: str) -> Decimal:
    try:
        value = Decimal(cell) if len(cell) <= _MOST_CHARACTERS else Decimal("nan")
    except InvalidOperation:
        value = Decimal("nan")
    if not value.is_finite() or not -MOST_TIME <= value <= MOST_TIME:
        raise EventFileError(f"{name} must be a number from 0 on, not {shown(cell)}")
    return value


def _recognises(_path: Path, head: bytes) -> bool:
    """Return whether the first bytes are text in UTF-8; a letter may be cut at their end."""
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:
            return False
        text = head[: error.start].decode("utf-8")
    return all(letter.isprintable() or letter in "\t\r\n\ufeff" for letter in text)


FORMAT: Final = Format("text", _recognises, _read)
