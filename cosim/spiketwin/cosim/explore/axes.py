"""Axes of a search: what is varied, and the values that it takes."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product
from typing import Final

from spiketwin.hdl.spec.params import field_types
from spiketwin.hdl.spec.protocol import MAX_CLOCK_HZ
from spiketwin.hdl.spec.text import shown
from spiketwin.host.errors import InvalidInput
from spiketwin.host.targets import MAX_BAUD, MIN_BAUD

Value = int | float | str
"""A value of an axis: a number, or a word such as the name of a board."""

Point = dict[str, Value]
"""A value for each axis, by its name."""

MOST_VALUES: Final = 1000
"""Most values of one axis."""

CORE: Final = tuple(name for name in field_types() if name not in ("n_axons", "n_neurons"))
"""Axes that are sizes of the core. Axons and neurons are those of the network."""

HARDWARE: Final = ("board", "clock", "baud", "tick_period")
"""Axes of the hardware around the core: a board, its clock in hertz, the rate of its line in baud,
and the cycles from tick to tick."""

_MOST_PERIOD: Final = (1 << 32) - 1
_RANGES: Final = {
    "clock": (1, MAX_CLOCK_HZ),
    "baud": (MIN_BAUD, MAX_BAUD),
    "tick_period": (1, _MOST_PERIOD),
}

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_NUMBER: Final = re.compile(r"(-?[0-9]{1,18})(?:\.([0-9]{1,18}))?([kM]?)")
_SPAN: Final = re.compile(r"(-?[0-9]{1,18})\.\.(-?[0-9]{1,18})(?:\.\.([0-9]{1,18}))?")
_UNITS: Final = {"": 1, "k": 1_000, "M": 1_000_000}
_WORD: Final = re.compile(r"[A-Za-z0-9_./-]{1,200}")


@dataclass(frozen=True)
class Axis:
    """An axis of a search: the size or setting that is varied, and its values.

    Attributes
    ----------
    name:
        Name of what is varied.
    values:
        Its values, each once, in the order in which they were given.
    """

    name: str
    values: tuple[Value, ...]

    def __str__(self) -> str:
        """Return the text that `axis` reads as this one."""
        return f"{self.name}={','.join(map(str, self.values))}"

    @property
    def is_ordered(self) -> bool:
        """Whether the values are numbers, so that near ones are alike."""
        return all(not isinstance(value, str) for value in self.values)


def axis(text: str) -> Axis:
    """Read an axis: ``lanes=2,4,8``, ``weight_width=4..8``, ``clock=12M``, ``board=icebreaker``.

    A span has both ends, and may have a step: ``tick_period=200..1000..100``.

    Raises
    ------
    InvalidInput
        The text is none of these, or has too many values.
    """
    name, equals, values = text.partition("=")
    if not equals or _NAME.fullmatch(name) is None:
        raise InvalidInput(
            f"{shown(text)} is no axis: write NAME=VALUES, as in lanes=2,4,8 or weight_width=4..8"
        )
    found: dict[Value, None] = {}
    for part in values.split(","):
        found.update(dict.fromkeys(_values(name, part.strip())))
        if len(found) > MOST_VALUES:
            raise InvalidInput(f"{name} has more than {MOST_VALUES} values: give fewer")
    return Axis(name, tuple(found))


def _values(name: str, part: str) -> Iterable[Value]:
    span = _SPAN.fullmatch(part)
    if span is not None:
        first, last, step = int(span[1]), int(span[2]), int(span[3] or 1)
        if last < first or step < 1:
            raise InvalidInput(f"{name}: {part!r} must ascend, by 1 or more, as in 4..8")
        return islice(range(first, last + 1, step), MOST_VALUES + 1)
    number = _NUMBER.fullmatch(part)
    if number is not None:
        value = float(f"{number[1]}.{number[2] or 0}") * _UNITS[number[3]]
        return [round(value) if value == round(value) else value]
    if _WORD.fullmatch(part) is None:
        raise InvalidInput(
            f"{name}: {shown(part)} must be a number, a span such as 4..8, or a name"
        )
    return [part]


def checked(axes: Sequence[Axis], own: Collection[str], boards: Collection[str]) -> None:
    """Check that there is everything that axes name.

    Parameters
    ----------
    axes:
        The axes.
    own:
        Axes that what is explored has of its own.
    boards:
        Names of the boards there are.

    Raises
    ------
    InvalidInput
        There is no such axis, or it cannot have such a value; the message names the allowed ones.
    """
    names = [each.name for each in axes]
    for name in names:
        if name not in (*own, *CORE, *HARDWARE):
            raise InvalidInput(
                f"there is no axis {name!r}: choose of {', '.join((*own, *HARDWARE, *CORE))}"
            )
        if names.count(name) > 1:
            raise InvalidInput(f"{name} is varied twice: give all of its values at once")
    for each in axes:
        if each.name not in own:
            for value in each.values:
                _check_value(each.name, value, boards)


def _check_value(name: str, value: Value, boards: Collection[str]) -> None:
    if name == "board":
        if value not in boards:
            raise InvalidInput(f"there is no board {value!r}: choose of {', '.join(boards)}")
        return
    least, most = _RANGES.get(name, (0, MAX_CLOCK_HZ))
    if not isinstance(value, int) or not least <= value <= most:
        raise InvalidInput(f"{name} must be a whole number in {least}…{most}, not {shown(value)}")


def count(axes: Sequence[Axis]) -> int:
    """Return the number of points of a grid."""
    return math.prod(len(each.values) for each in axes)


def grid(axes: Sequence[Axis]) -> Iterator[Point]:
    """Yield all points, the last axis changing fastest."""
    names = [each.name for each in axes]
    for values in product(*(each.values for each in axes)):
        yield dict(zip(names, values, strict=True))
