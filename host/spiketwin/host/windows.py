"""The tables of windows of a network: what a rule does for each past of a source."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spiketwin.hdl.spec.params import N_RULES, WINDOW_BITS, WINDOW_BYTE, CoreParams
from spiketwin.hdl.spec.registers import Space
from spiketwin.hdl.spec.text import shown
from spiketwin.hdl.spec.variables import BY_SPACE
from spiketwin.host.elements import IntArray, as_array, integers
from spiketwin.host.errors import DoesNotFit, InvalidNetwork

_TABLE: Final = BY_SPACE[Space.WINDOW_TABLE]
_LIMITS: Final = _TABLE.limits(CoreParams(n_axons=64, n_neurons=64))
_LENGTHS: Final = tuple(bits // WINDOW_BYTE << WINDOW_BYTE for bits in WINDOW_BITS if bits)
_MOST: Final = N_RULES[-1]


def no_windows() -> NDArray[np.int32]:
    """Return no tables."""
    return np.zeros((0, _LENGTHS[0]), np.int32)


def checked_windows(given: ArrayLike) -> NDArray[np.int32]:
    """Return tables of windows, shape (tables, entries); raise `InvalidNetwork` if they are none.

    An error about a single table names its entry as ``windows[table, entry]``.
    """
    array: NDArray[Any] = as_array("windows", given, InvalidNetwork, "of shape (tables, entries)")
    if array.ndim != 2 or array.shape[1] not in _LENGTHS or len(array) > _MOST:
        lengths = " or ".join(f"({_MOST}, {length})" for length in _LENGTHS)
        raise InvalidNetwork(
            f"windows must have the shape {lengths}, or fewer rows, one for each table, not "
            f"{array.shape}"
        )
    return integers("windows", array, array.shape, _LIMITS, InvalidNetwork).astype(np.int32)


def with_window(windows: NDArray[np.integer[Any]], table: ArrayLike) -> tuple[IntArray, int]:
    """Return tables with one more, and its number from 1 on; one that is there is not added.

    Raises `InvalidNetwork` if it is no table, has another length, or there are too many.
    """
    entries = as_array("table", table, InvalidNetwork, "of shape (256,) or (512,)")
    lengths = {windows.shape[1]} if len(windows) else {*_LENGTHS}
    if entries.ndim != 1 or entries.size not in lengths:
        allowed = " or ".join(f"({length},)" for length in sorted(lengths))
        raise InvalidNetwork(
            f"table must have the shape {allowed}, as all tables of a network have one length, not "
            f"{entries.shape}"
        )
    checked = integers("table", entries, entries.shape, _LIMITS, InvalidNetwork)
    for number, each in enumerate(windows, 1):
        if np.array_equal(each, checked):
            return windows.astype(np.int64), number
    if len(windows) == _MOST:
        raise InvalidNetwork(f"a network has at most {_MOST} windows: let some have the same table")
    return np.concatenate([windows.reshape(-1, checked.size), checked[None]]), len(windows) + 1


def check_numbers(numbers: ArrayLike, count: int) -> None:
    """Raise `InvalidNetwork` if rules name a window that is not among so many."""
    highest = int(np.max(numbers))
    if highest > count:
        raise InvalidNetwork(
            f"window must be in 0…{count}, the number of the network's windows, not "
            f"{shown(highest)}: add one, `net.add_window(table)`"
        )


def in_core(windows: NDArray[np.integer[Any]], params: CoreParams) -> IntArray:
    """Return the elements of the space `window_table` in a core with windows.

    Past ticks that a table does not look at have entries of 0. Raises `DoesNotFit` if there are
    more tables than the core has, or they look at more ticks.
    """
    count, entries = windows.shape
    if count > params.n_rules or entries > params.window_entries and count:
        raise DoesNotFit(
            f"the network has {count} windows of {entries} entries, the core {params.n_rules} of "
            f"{params.window_entries}: take another core (`Network.core_params`)"
        )
    whole = np.zeros((params.n_rules, params.window_entries), np.int64)
    if count:
        whole[:count, :entries] = windows
    return whole.reshape(-1)


def bits_of(windows: NDArray[np.integer[Any]]) -> int:
    """Return the past ticks that tables look at, which is `window_bits` of a core for them."""
    entries: int = windows.shape[1]
    return (entries >> WINDOW_BYTE) * WINDOW_BYTE
