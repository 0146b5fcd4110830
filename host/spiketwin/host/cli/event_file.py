"""The options that name a file of events, and how its events become ticks of axons."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from spiketwin.hdl.spec.text import number
from spiketwin.host.cli.options import InputFile
from spiketwin.host.cli.raster import MOST_POTENTIALS
from spiketwin.host.errors import InvalidInput

if TYPE_CHECKING:
    from spiketwin.host.events import Events, Ticks


def _numbers(counts: tuple[int, ...], form: str) -> Callable[[str], tuple[int, ...]]:
    """Return the type of an option with so many whole numbers, with commas or an x between them."""

    def convert(text: str) -> tuple[int, ...]:
        values = [number(part.strip()) for part in text.replace("x", ",").split(",")]
        known = tuple(value for value in values if value is not None)
        if len(known) != len(values) or len(known) not in counts:
            raise click.BadParameter(f"must be {form}, not {text!r}")
        return known

    return convert


NEURONS: Final = _numbers(tuple(range(1, MOST_POTENTIALS + 1)), "numbers of neurons, as 0,5,7")
"""Option type for a few neurons."""

_READING: Final = (
    click.option(
        "--sample",
        type=click.IntRange(min=0),
        help="Number of the sample in a file of several, such as SHD.",
    ),
    click.option(
        "--size",
        type=_numbers((1, 2), "COLUMNSxROWS, or a number of units"),
        metavar="COLUMNSxROWS",
        help="Size of the sensor, or number of units, where the file does not say it.",
    ),
)
_BINNING: Final = (
    click.option(
        "--crop",
        type=_numbers((2, 4), "LEFT,TOP,RIGHT,BOTTOM, or FIRST,END of units"),
        metavar="LEFT,TOP,RIGHT,BOTTOM",
        help="Keep the events within; of units FIRST,END.",
    ),
    click.option(
        "--pool",
        type=_numbers((1, 2), "a number, or COLUMNSxROWS"),
        metavar="COLUMNSxROWS",
        help="Pixels that become one axon, or how many units do. Default: 1.",
    ),
    click.option(
        "--dt",
        type=click.FloatRange(min=0, min_open=True),
        metavar="SECONDS",
        help="Time that a tick stands for.",
    ),
)


@dataclass(frozen=True)
class Asked:
    """The statements of a call about a file of events.

    Attributes
    ----------
    file:
        The file; None if the call names none.
    dt:
        Seconds of a tick; None if the call does not say it.
    pool, crop, size, sample:
        As the options have them; None where the call does not.
    """

    file: Path | None
    dt: float | None
    pool: tuple[int, ...] | None
    crop: tuple[int, ...] | None
    size: tuple[int, ...] | None
    sample: int | None

    def check(self) -> None:
        """Raise `click.UsageError` for options that go with a file of events which is not named.

        Raises `InvalidInput` if the time of a tick is none.
        """
        from spiketwin.host.events.ticks import nanoseconds

        if self.dt is not None:
            nanoseconds(self.dt)
        if self.file is not None and self.dt is None:
            raise click.UsageError("--events needs --dt, the seconds that a tick stands for")
        for name in ("pool", "crop", "size", "sample"):
            if self.file is None and getattr(self, name) is not None:
                raise click.UsageError(f"--{name} goes with --events: name the file")

    def read(self) -> Events:
        """Return the events of the file; raise `InvalidInput` if none is named, and as `read`."""
        from spiketwin.host import events

        if self.file is None:
            raise InvalidInput("no file of events is named")
        if self.size is not None and len(self.size) == 1:
            return events.read(self.file, units=self.size[0], sample=self.sample)
        size = None if self.size is None else (self.size[0], self.size[1])
        return events.read(self.file, size=size, sample=self.sample)

    def ticks(self, found: Events) -> Ticks:
        """Return events as ticks of axons, as the options say; raise as `to_ticks`."""
        from spiketwin.host import events

        pool: Any = self.pool or 1
        if self.pool is not None and len(self.pool) == 1:
            pool = self.pool[0] if found.pixels else self.pool
        if self.dt is None:
            raise InvalidInput("--dt is missing, the seconds that a tick stands for")
        return events.to_ticks(found, self.dt, pool=pool, crop=self.crop)


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--events`` and what goes with it; the command gets all of them as `asked`."""
    named = click.option(
        "--events",
        "file",
        type=InputFile(),
        metavar="FILE",
        help="Take the events of a sensor or a recording as stimulus: AEDAT 4, N-MNIST, .dat, SHD, "
        "text, CSV, NIX or .npz, which is known by the content. It needs --dt.",
    )
    return _collected(command, (*_READING, *_BINNING, named))


def conversion(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the file of events as an argument, and all else; the command gets it as `asked`."""
    return _collected(command, (*_READING, *_BINNING, click.argument("file", type=InputFile())))


def _collected(
    command: Callable[..., Any], given: tuple[Callable[..., Any], ...]
) -> Callable[..., Any]:
    @wraps(command)
    def collected(
        *arguments: Any,
        file: Path | None,
        dt: float | None,
        pool: tuple[int, ...] | None,
        crop: tuple[int, ...] | None,
        size: tuple[int, ...] | None,
        sample: int | None,
        **others: Any,
    ) -> Any:
        return command(*arguments, asked=Asked(file, dt, pool, crop, size, sample), **others)

    for add in given:
        collected = add(collected)
    return collected
