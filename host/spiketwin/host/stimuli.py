"""Stimuli: the events of one run or of many, checked and sorted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spiketwin.hdl.spec.text import shown
from spiketwin.host.elements import IntArray, as_array
from spiketwin.host.errors import InvalidInput, warn

MOST_EVENTS: Final = 1 << 24
"""Most events that a file can hold."""

NO_BIASES: Final[IntArray] = np.empty((0, 3), np.int64)
"""No bias events."""

_MOST_TICKS: Final = (1 << 32) - 1

_MOST_UNSIGNED: Final = np.uint64((1 << 63) - 1)
_MOST_FLAG_PAIRS: Final = 4
"""Number of different rows of two values that are each 0 or 1."""


def checked_events(spikes: ArrayLike, ticks: int, n_axons: int) -> IntArray:
    """Return the events of a run, checked and sorted.

    Parameters
    ----------
    spikes:
        Shape (k, 2): (tick, axon), in any order.
    ticks:
        Length of the run in ticks.
    n_axons:
        Number of axons.

    Returns
    -------
    IntArray
        Shape (k, 2), ascending.

    Raises
    ------
    InvalidInput
        The shape or type is wrong, or a tick or axon does not exist.

    Warns
    -----
    SpiketwinWarning
        The rows look like a raster of two axons.
    """
    _check_ticks(ticks)
    events = _as_events("spikes", spikes, n_axons)
    if len(events):
        _check_range("spikes", events, ticks, n_axons)
        _warn_of_raster("spikes", events)
    return _in_order(events, n_axons)


def checked_biases(
    biases: ArrayLike, ticks: int, n_neurons: int, limits: tuple[int, int]
) -> IntArray:
    """Return the bias events of a run, checked and sorted.

    Parameters
    ----------
    biases:
        Shape (k, 3): (tick, neuron, bias), in any order; if rows name the same tick and neuron, the
        last one counts.
    ticks:
        Length of the run in ticks, which is checked.
    n_neurons:
        Number of neurons.
    limits:
        Least and largest bias.

    Returns
    -------
    IntArray
        Shape (m, 3), ascending, at most one for each tick and neuron.

    Raises
    ------
    InvalidInput
        The shape or type is wrong, a tick or neuron does not exist, or a bias is out of range.
    """
    rows = _as_rows("biases", biases, ("tick", "neuron", "bias"))
    allowed = {"tick": (0, ticks - 1), "neuron": (0, n_neurons - 1), "bias": limits}
    for column, (what, (low, high)) in enumerate(allowed.items()):
        wrong = np.flatnonzero((rows[:, column] < low) | (rows[:, column] > high))
        if wrong.size:
            first = int(wrong[0])
            raise InvalidInput(
                f"biases[{first}]: {what} must be in {low}…{high}, not {rows[first, column]}"
            )
    # Of the rows in reverse order, the first one of each tick and neuron.
    _, last = np.unique(rows[::-1, 0] * n_neurons + rows[::-1, 1], return_index=True)
    return rows[::-1][last]


def between(rows: NDArray[Any], begin: int, end: int) -> NDArray[Any]:
    """Return the rows of ticks from `begin` on before `end`, with ticks counted from `begin`.

    `rows` begin with a tick each, and ascend by it.
    """
    first, last = np.searchsorted(rows[:, 0], (begin, end))
    part = rows[first:last].copy()
    part[:, 0] -= begin
    return part


def checked_stimuli(stimuli: Sequence[ArrayLike], ticks: int, n_axons: int) -> IntArray:
    """Return the events of many runs, checked and sorted.

    Parameters
    ----------
    stimuli:
        For each run, shape (k, 2): (tick, axon), in any order.
    ticks:
        Length of each run in ticks.
    n_axons:
        Number of axons.

    Returns
    -------
    IntArray
        Shape (m, 2), ascending; ticks count on from run to run.

    Raises and warns as `checked_events`, naming the number of the stimulus, and raises if there are
    no stimuli.
    """
    _check_ticks(ticks)
    if (
        isinstance(stimuli, str | bytes)
        or not isinstance(stimuli, Sequence | np.ndarray)
        or (isinstance(stimuli, np.ndarray) and stimuli.ndim == 0)
    ):
        raise InvalidInput(
            f"stimuli must be a list of arrays of shape (k, 2), one a run, not {shown(stimuli)}"
        )
    if len(stimuli) == 0:
        raise InvalidInput("stimuli must hold the events of one run or more, not of none")
    parts = [_as_events(f"stimuli[{number}]", each, n_axons) for number, each in enumerate(stimuli)]
    events = np.concatenate(parts)
    if not _in_range(events, ticks, n_axons):
        for number, part in enumerate(parts):
            _check_range(f"stimuli[{number}]", part, ticks, n_axons)
    for number, part in enumerate(parts):
        _warn_of_raster(f"stimuli[{number}]", part)
    lengths = np.array([len(part) for part in parts])
    events[:, 0] += np.repeat(np.arange(len(parts)) * int(ticks), lengths)
    return _in_order(events, n_axons)


def _check_ticks(ticks: int) -> None:
    if (
        isinstance(ticks, bool)
        or not isinstance(ticks, int | np.integer)
        or not 1 <= ticks <= _MOST_TICKS
    ):
        raise InvalidInput(f"ticks must be an integer in 1…{_MOST_TICKS}, not {shown(ticks)}")


def _as_events(name: str, spikes: ArrayLike, n_axons: int) -> IntArray:
    """Return an argument as a new array of events; ticks and axons are not checked yet."""
    if n_axons == 0 and np.size(spikes):
        raise InvalidInput(
            f"{name} must be empty: this network has no axons that could take an event"
        )
    return _as_rows(name, spikes, ("tick", "axon"))


def _as_rows(name: str, values: ArrayLike, columns: tuple[str, ...]) -> IntArray:
    """Return an argument as a new array of rows of integers, which are not checked yet."""
    shape = f"(k, {len(columns)})"
    rows = as_array(name, values, InvalidInput, f"of shape {shape}")
    if rows.size == 0:
        return np.empty((0, len(columns)), np.int64)
    if rows.ndim != 2 or rows.shape[1] != len(columns) or rows.dtype.kind not in "iu":
        raise InvalidInput(
            f"{name} must be integers of shape {shape}, ({', '.join(columns)}), "
            f"not {rows.dtype} of {rows.shape}"
        )
    if rows.dtype == np.uint64:
        rows = np.minimum(rows, _MOST_UNSIGNED)  # larger values would become negative
    return rows.astype(np.int64, order="C")


def _in_range(events: IntArray, ticks: int, n_axons: int) -> bool:
    """Return whether all ticks and axons exist."""
    # As unsigned numbers negative ones are very large, so one comparison finds both.
    return not np.count_nonzero(events.view(np.uint64) >= np.array([ticks, n_axons], np.uint64))


def _check_range(name: str, events: IntArray, ticks: int, n_axons: int) -> None:
    """Raise `InvalidInput` for the first event whose tick or axon does not exist."""
    if _in_range(events, ticks, n_axons):
        return
    for column, (what, bound) in enumerate((("tick", ticks), ("axon", n_axons))):
        wrong = np.flatnonzero((events[:, column] < 0) | (events[:, column] >= bound))
        if wrong.size:
            first = int(wrong[0])
            raise InvalidInput(
                f"{name}[{first}]: {what} must be in 0…{bound - 1}, not {events[first, column]}"
            )


def _warn_of_raster(name: str, events: IntArray) -> None:
    # Only four different events have ticks and axons of 0 or 1, so more rows repeat some.
    if len(events) > _MOST_FLAG_PAIRS and events.max() <= 1:
        warn(
            f"{name} holds nothing but 0 and 1 in {len(events)} rows: that looks like a raster of "
            "two axons, and is read as rows of (tick, axon). If it is one, give "
            "np.argwhere(raster)",
        )


def _in_order(events: IntArray, n_axons: int) -> IntArray:
    """Return events sorted by (tick, axon)."""
    if not len(events):
        return events
    # A pair fits one number below 2**32 · 2048, and numbers sort much faster than rows.
    keys = events[:, 0] * n_axons + events[:, 1]
    if not np.count_nonzero(keys[1:] < keys[:-1]):
        return events
    keys.sort()
    return np.stack(np.divmod(keys, n_axons), axis=1)
