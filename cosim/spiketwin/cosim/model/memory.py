"""The memory spaces of a `ModelCore`, read and written in blocks of elements as the link sees them.

Elements are addressed by their place in the space, rows joined.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from spiketwin.cosim.model.core import ModelCore
from spiketwin.cosim.model.link import Refused
from spiketwin.hdl.spec.protocol import Status
from spiketwin.hdl.spec.registers import (
    PENDING_MASK_BITS,
    Space,
    SpaceFormat,
    registers,
    space_formats,
)

Elements = npt.NDArray[np.int64]


def pack(space: SpaceFormat, values: Elements) -> bytes:
    """Bytes of elements on the link."""
    if space.packed:
        return np.packbits(values.astype(np.uint8), bitorder="little").tobytes()
    return values.astype(f"<u{space.element_bytes}").tobytes()


def unpack(space: SpaceFormat, count: int, data: bytes) -> Elements:
    """Elements from their bytes on the link, of which there must be as many as they take.

    Raises `Refused` if spare bits are not 0.
    """
    if space.packed:
        bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
        if bits[count:].any():
            raise Refused(Status.BAD_VALUE, count)
        return bits[:count].astype(np.int64)
    kind = "i" if space.signed else "u"
    return np.frombuffer(data, f"<{kind}{space.element_bytes}").astype(np.int64)


class Memory:
    """Every space of `core` but the counters.

    `write` checks all values before it applies any, and raises `Refused` with `Status.BAD_VALUE`,
    `Status.BAD_ORDER` or `Status.BAD_RANGE`.
    """

    def __init__(self, core: ModelCore) -> None:
        self._core = core
        self._formats = space_formats(core.params)
        self._registers = registers(core.params)

    def read(self, space: Space, start: int, count: int) -> Elements:
        """Read `count` elements from `start` on, which must be there."""
        values: Elements
        if space is Space.REGISTER:
            values = np.array(list(self._core.register.values()), np.int64)
        elif space is Space.PENDING:
            entries = self.pending_entries()
            values = np.zeros(self._formats[space].size, np.int64)
            values[: len(entries)] = entries
        else:
            values = getattr(self._core, space.name.lower()).reshape(-1)
        return values[start : start + count].astype(np.int64)

    def write(self, space: Space, start: int, values: Elements) -> None:
        """Write elements from `start` on, which must be there."""
        if space is Space.REGISTER:
            self._write_registers(start, values)
            return
        if space is Space.PENDING:
            self._write_pending(start, values)
            return
        low, high = self._formats[space].limits()
        refuse_first((Status.BAD_VALUE, (values < low) | (values > high)))
        if space is Space.PLASTIC:
            self._core.set_plastic(values, start)
        else:
            target = getattr(self._core, space.name.lower()).reshape(-1)
            target[start : start + values.size] = values

    def pending_entries(self) -> list[int]:
        """Entries of the space `pending` in use."""
        lanes = self._core.params.neuron_lanes
        masks = self._core.pending.reshape(-1, lanes) @ (1 << np.arange(lanes))
        return [
            int(group) << PENDING_MASK_BITS | int(masks[group]) for group in np.flatnonzero(masks)
        ]

    def _write_registers(self, start: int, values: Elements) -> None:
        written: dict[str, int] = {}
        for index, raw in enumerate(values.tolist()):
            register = self._registers[start + index]
            value = raw - (1 << 32) if register.signed and raw >> 31 else raw
            low, high = register.limits(self._core.params)
            if not low <= value <= high:
                raise Refused(Status.BAD_VALUE, index)
            written[register.name] = value
        self._core.register.update(written)

    def _write_pending(self, start: int, values: Elements) -> None:
        p, pending = self._core.params, self._core.pending
        entries = self.pending_entries()
        if start not in (0, len(entries)):
            raise Refused(Status.BAD_RANGE, start)
        groups, masks = values >> PENDING_MASK_BITS, values & ((1 << PENDING_MASK_BITS) - 1)
        last = entries[-1] >> PENDING_MASK_BITS if start else -1
        refuse_first(
            (
                Status.BAD_VALUE,
                (groups >= p.neuron_groups) | (masks == 0) | (masks >> p.neuron_lanes != 0),
            ),
            (Status.BAD_ORDER, np.diff(groups, prepend=last) <= 0),
        )
        if start == 0:
            pending[:] = False
        lanes = np.arange(p.neuron_lanes)
        pending.reshape(-1, p.neuron_lanes)[groups] = masks[:, None] >> lanes & 1


def refuse_first(*checks: tuple[Status, npt.NDArray[np.bool_]]) -> None:
    """Refuse with the index of the first item that is wrong in any way, the first way given."""
    found = [(int(np.argmax(wrong)), status) for status, wrong in checks if wrong.any()]
    if found:
        index, status = min(found, key=lambda item: item[0])
        raise Refused(status, index)
