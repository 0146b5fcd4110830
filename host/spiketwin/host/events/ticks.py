"""Events as ticks of axons: cropped, pooled, numbered and binned; and spikes as events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spiketwin.hdl.spec.params import MAX_LINES
from spiketwin.hdl.spec.text import shown
from spiketwin.host.elements import IntArray, as_array, integers
from spiketwin.host.errors import InvalidInput
from spiketwin.host.events.value import MOST_EDGE, MOST_TIME, MOST_UNITS, Events

_NANOSECONDS: Final = 1_000_000_000
_OF_A_MICROSECOND: Final = 1000
_MOST_TICKS: Final = (1 << 32) - 1
_LONGEST: Final = 1000.0
"""Seconds of the longest tick."""


@dataclass(frozen=True, eq=False)
class Ticks:
    """Events as rows of (tick, axon), and what became of them.

    Attributes
    ----------
    rows:
        Shape (k, 2), int64: (tick, axon), ascending; an axon is named as often as it had events.
    ticks:
        Ticks up to the last event, 1 at least.
    n_axons:
        Axons that events can have, whether they do or not.
    shared:
        Events that share their tick with an earlier one of the same axon.
    left_out:
        Events outside of the crop, or that the map leaves out, or before the begin.
    dt:
        Seconds that a tick stands for.
    """

    rows: IntArray = field(repr=False)
    ticks: int
    n_axons: int
    shared: int
    left_out: int
    dt: float


def to_ticks(
    events: Events,
    dt: float,
    *,
    pool: int | tuple[int, int] = 1,
    crop: Sequence[int] | None = None,
    map: ArrayLike | None = None,  # noqa: A002 (the word of the field)
    begin: int | None = None,
) -> Ticks:
    """Return events as rows of (tick, axon), which `Core.run` takes.

    An event at t microseconds is in tick ``floor((t - begin) / dt)``, exactly. Events are cropped
    first, then pooled, then numbered: an event at the pixel (x, y) has the axon
    ``(polarity · rows + y) · columns + x``, with the columns and rows that are left, and one at a
    unit has the number of the unit. Events that come to share a tick and an axon count as often as
    they occur.

    Parameters
    ----------
    events:
        The events.
    dt:
        Seconds that a tick stands for, a whole number of nanoseconds up to 1000 s.
    pool:
        Columns and rows that become one, as two numbers or as one for both; of units how many
        become one. What is left over at the edge becomes one of its own.
    crop:
        ``(left, top, right, bottom)``: the pixels that are kept, those of right and bottom not
        among them; of units ``(first, end)``. By default all.
    map:
        The axon of each place after crop and pool, -1 for those that are left out: shape
        (2, rows, columns) by polarity, (rows, columns) for both polarities alike, or (units,). By
        default as above.
    begin:
        Microsecond at which tick 0 begins; by default that at which the recording does.

    Raises
    ------
    InvalidInput
        An argument is wrong, there would be more axons than a core can have (4096), or an event is
        later than the last tick.
    """
    if not isinstance(events, Events):
        raise InvalidInput(f"events must be Events, not {shown(events)}: `read` returns them")
    places, shape, kept = _places(events, pool, crop)
    start = events.begin if begin is None else int(integers("begin", begin, (), (0, MOST_TIME)))
    kept &= events.t >= start
    axons, n_axons = _mapped(places, shape, map)
    kept &= axons >= 0
    if n_axons > MAX_LINES:
        raise InvalidInput(
            f"the events have {n_axons} places, and a core at most {MAX_LINES} axons: pool more "
            "(`pool`), take a part (`crop`), or say which axon each place has (`map`)"
        )
    ticks = _ticks(events.t[kept] - start, dt)
    keys = np.sort(ticks * n_axons + axons[kept])
    rows = np.stack(np.divmod(keys, n_axons), axis=1)
    shared = int(np.count_nonzero(keys[1:] == keys[:-1]))
    length = int(ticks.max(initial=0)) + 1
    return Ticks(rows, length, n_axons, shared, len(events) - len(rows), float(dt))


def of_spikes(spikes: ArrayLike, dt: float, n_neurons: int | None = None) -> Events:
    """Return the spikes of a run as events at units: neuron j is unit j.

    A spike of tick t is at ``t · dt``, the begin of its tick, so that `to_ticks` with the same `dt`
    gives the spikes again.

    Parameters
    ----------
    spikes:
        Shape (m, 2), integers: (tick, neuron), ascending, such as `Run.spikes`.
    dt:
        Seconds that a tick stands for, a whole number of microseconds, as events are in these.
    n_neurons:
        Number of neurons; by default as many as the spikes need.

    Raises
    ------
    InvalidInput
        An argument is wrong, or `dt` is no whole number of microseconds.
    """
    step, rest = divmod(nanoseconds(dt), _OF_A_MICROSECOND)
    if rest:
        raise InvalidInput(
            f"dt must be a whole number of microseconds, as events are in these, not {dt} s: take "
            "another one to name the ticks by"
        )
    rows = as_array("spikes", spikes, InvalidInput, "of shape (m, 2)")
    if not rows.size:
        rows = np.empty((0, 2), np.int64)
    if rows.ndim != 2 or rows.shape[1] != 2:
        raise InvalidInput(f"spikes must have the shape (m, 2), not {rows.shape}")
    ticks = integers("spikes[:, 0]", rows[:, 0], (len(rows),), (0, MOST_TIME // step))
    return Events(t=ticks * step, unit=rows[:, 1], units=n_neurons, format="spikes")


def _ticks(since: IntArray, dt: float) -> IntArray:
    """Return the ticks of times, in microseconds since the begin of the first tick.

    The latest time there can be has fewer than 2**63 nanoseconds.
    """
    step = nanoseconds(dt)
    if int(since.max(initial=0)) * _OF_A_MICROSECOND // step >= _MOST_TICKS:
        raise InvalidInput(
            f"an event would be later than tick {_MOST_TICKS - 1}, the last one: take another "
            "begin, or a longer dt"
        )
    ticks: IntArray = since * _OF_A_MICROSECOND // step
    return ticks


def nanoseconds(dt: object) -> int:
    """Return the nanoseconds of a tick; raise `InvalidInput` unless they are a whole number."""
    seconds = 0.0
    if isinstance(dt, int | float | np.integer | np.floating) and not isinstance(dt, bool):
        seconds = float(dt)
    if not 0 < seconds <= _LONGEST:
        raise InvalidInput(f"dt must be above 0 and at most {_LONGEST} seconds, not {shown(dt)}")
    whole = round(seconds * _NANOSECONDS)
    if whole < 1 or abs(whole - seconds * _NANOSECONDS) > 1e-6 * whole:
        raise InvalidInput(
            f"dt must be a whole number of nanoseconds, not {dt} seconds: ticks would drift"
        )
    return whole


def _places(
    events: Events, pool: object, crop: object
) -> tuple[IntArray, tuple[int, ...], NDArray[np.bool_]]:
    """Return the place of each event, the shape of all places, and which events are kept.

    Places are numbered in the order of their shape: (2, rows, columns), or (units,).
    """
    edges: tuple[int, ...] = events.size or (events.units or 1,)
    columns = (events.unit,) if events.size is None else (events.x, events.y)
    low, high = _crop(crop, edges)
    pools = _pools(pool, len(edges))
    kept = np.ones(len(events), np.bool_)
    parts, shape = [], []
    for column, first, end, step in zip(columns, low, high, pools, strict=True):
        kept &= (column >= first) & (column < end)
        parts.append((column.astype(np.int64) - first) // step)
        shape.append(-(-(end - first) // step))
    if events.size is None:
        return parts[0], tuple(shape), kept
    (x, y), (width, height) = parts, shape
    return (events.polarity * height + y) * width + x, (2, height, width), kept


def _crop(crop: Any, edges: tuple[int, ...]) -> tuple[list[int], list[int]]:
    """Return the first and the end of what is kept, in each direction."""
    if crop is None:
        return [0] * len(edges), list(edges)
    form = "(left, top, right, bottom)" if len(edges) == 2 else "(first, end)"
    if not isinstance(crop, Sequence | np.ndarray) or len(crop) != 2 * len(edges):
        raise InvalidInput(f"crop must be {form}, not {shown(crop)}")
    values = [int(integers("crop", each, (), (0, MOST_UNITS))) for each in crop]
    low, high = values[: len(edges)], values[len(edges) :]
    for first, end, edge in zip(low, high, edges, strict=True):
        if not 0 <= first < end <= edge:
            raise InvalidInput(
                f"crop must be {form} within {' × '.join(map(str, edges))}, not {shown(crop)}"
            )
    return low, high


def _pools(pool: Any, count: int) -> list[int]:
    given = [pool] * count if isinstance(pool, int | np.integer) else pool
    if not isinstance(given, Sequence) or len(given) != count:
        raise InvalidInput(f"pool must be a number, or {count} of them, not {shown(pool)}")
    return [int(integers("pool", each, (), (1, MOST_EDGE))) for each in given]


def _mapped(
    places: IntArray, shape: tuple[int, ...], axons: ArrayLike | None
) -> tuple[IntArray, int]:
    """Return the axon of each event, -1 for none, and the number of axons."""
    count = int(np.prod(shape))
    if axons is None:
        return places, count
    array = as_array("map", axons, InvalidInput, f"of shape {shape}")
    both = len(shape) == 3 and array.shape == shape[1:]
    if not both and array.shape != shape:
        other = f" or {shape[1:]}" if len(shape) == 3 else ""
        raise InvalidInput(
            f"map must have the shape {shape}{other}, that of the places, not {array.shape}"
        )
    table = integers("map", array, array.shape, (-1, MAX_LINES - 1)).reshape(-1)
    if (table < 0).all():
        raise InvalidInput("map leaves all places out: give at least one an axon")
    # Places outside of the crop are left out in any case, and may be beyond the table.
    return table[places % len(table)], int(table.max()) + 1
