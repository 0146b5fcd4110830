"""The memory spaces of a `ModelCore`, read and written in blocks of elements as the link sees them.

The address of an element is its flat (row-major) index in the space.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from spiketwin.cosim.device.core import Elements
from spiketwin.cosim.model import kernels
from spiketwin.cosim.model.core import ModelCore
from spiketwin.hdl.spec.registers import (
    PENDING_MASK_BITS,
    Space,
    profile_columns,
    registers,
    rule_columns,
    space_formats,
)
from spiketwin.hdl.spec.variables import LAYOUT, Variable

Array = npt.NDArray[Any]

_LAYOUT: Final = frozenset(array.space for array in LAYOUT)


class Memory:
    """All spaces of `core` except the counters; the caller has checked the values it writes."""

    def __init__(self, core: ModelCore) -> None:
        self._core = core
        self._formats = space_formats(core.params)
        self._registers = [register.name for register in registers(core.params)]
        # Which columns there are of the arrays that hold the tables of records.
        self._columns: dict[Space, Array] = {
            Space.PROFILE_TABLE: _places(kernels.Profile._fields, profile_columns(core.params)),
            Space.RULE_TABLE: _places(kernels.Rule._fields, rule_columns(core.params)),
        }

    def read(self, space: Space, start: int, count: int) -> Elements:
        """Read `count` elements from `start` on, all of which must exist."""
        values: Elements
        if space is Space.REGISTER:
            values = np.array(list(self._core.register.values()), np.int64)
        elif space in self._columns:
            table, places = self._table(space), self._columns[space]
            values = table[:, places].reshape(-1).astype(np.int64)
        elif space is Space.PENDING:
            entries = self.pending_entries()
            values = np.zeros(self._formats[space].size, np.int64)
            values[: len(entries)] = entries
        else:
            values = self._core.look(space.name.lower()).reshape(-1)
        return values[start : start + count].astype(np.int64)

    def write(self, space: Space, start: int, values: Elements) -> None:
        """Write elements from `start` on, all of which must exist."""
        if space is Space.REGISTER:
            names = self._registers[start : start + values.size]
            self._core.register.update(zip(names, values.tolist(), strict=True))
            if "probe_period" in names:
                self._core.probe_left = 0
        elif space in self._columns:
            table, places = self._table(space), self._columns[space]
            rows, columns = np.divmod(np.arange(start, start + values.size), places.size)
            table[rows, places[columns]] = values
        elif space is Space.PENDING:
            self._write_pending(start, values)
        elif space is Space.PLASTIC:
            self._core.set_plastic(values, start)
        elif space in _LAYOUT:
            self._core.set_layout(space.name.lower(), values, start)
        else:
            target = getattr(self._core, space.name.lower()).reshape(-1)
            target[start : start + values.size] = values

    def _table(self, space: Space) -> Array:
        return self._core.profiles if space is Space.PROFILE_TABLE else self._core.rules

    def pending_entries(self) -> list[int]:
        """Return the entries of the space `pending` in use."""
        lanes = self._core.params.neuron_lanes
        masks = self._core.pending.reshape(-1, lanes) @ (1 << np.arange(lanes))
        return [
            int(group) << PENDING_MASK_BITS | int(masks[group]) for group in np.flatnonzero(masks)
        ]

    def _write_pending(self, start: int, values: Elements) -> None:
        lanes, pending = self._core.params.neuron_lanes, self._core.pending
        if start == 0:
            pending[:] = False
        groups, masks = values >> PENDING_MASK_BITS, values & ((1 << PENDING_MASK_BITS) - 1)
        pending.reshape(-1, lanes)[groups] = masks[:, None] >> np.arange(lanes) & 1


def _places(fields: tuple[str, ...], columns: tuple[Variable, ...]) -> Array:
    """Return the places of the columns of a table among the fields of the kernel's records."""
    return np.array([fields.index(column.name) for column in columns], np.int64)
