"""The elements of memory spaces on the link: their encoding as bytes, and their ranges."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from spiketwin.cosim.device.core import DeviceCore, Elements
from spiketwin.cosim.device.session import Refusal
from spiketwin.hdl.spec.protocol import Status
from spiketwin.hdl.spec.registers import PENDING_MASK_BITS, Space, SpaceFormat


def pack(space: SpaceFormat, values: Elements) -> bytes:
    """Return the bytes of elements on the link."""
    if space.packed:
        return np.packbits(values.astype(np.uint8), bitorder="little").tobytes()
    return values.astype(f"<u{space.element_bytes}").tobytes()


def unpack(space: SpaceFormat, count: int, data: bytes) -> Elements:
    """Return elements from their bytes on the link, the number of which must be right.

    Raise `Refusal` if unused bits are not 0.
    """
    if space.packed:
        bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
        if bits[count:].any():
            raise Refusal(Status.BAD_VALUE, count)
        return bits[:count].astype(np.int64)
    kind = "i" if space.signed else "u"
    return np.frombuffer(data, f"<{kind}{space.element_bytes}").astype(np.int64)


def check_values(space: SpaceFormat, values: Elements) -> None:
    """Refuse values that do not fit the elements of a space other than those below."""
    low, high = space.limits()
    refuse_first((Status.BAD_VALUE, (values < low) | (values > high)))


class RecordRanges:
    """The ranges of the columns of a space of records.

    Parameters
    ----------
    space:
        Format of the space.
    """

    def __init__(self, space: SpaceFormat) -> None:
        self._signed = [column.signed for column in space.record]
        self._limits = [column.limits() for column in space.record]

    def checked(self, start: int, values: Elements) -> Elements:
        """Return the values of elements from `start` on with signs; refuse one out of range."""
        numbers = values.copy()
        # There are few values, usually one, so a loop is quicker than arrays of the ranges.
        for index, value in enumerate(values.tolist()):
            column = (start + index) % len(self._limits)
            low, high = self._limits[column]
            if self._signed[column] and value >> 31:
                numbers[index] = value = value - (1 << 32)
            if not low <= value <= high:
                raise Refusal(Status.BAD_VALUE, index)
        return numbers


def check_pending(core: DeviceCore, start: int, values: Elements) -> None:
    """Refuse entries that do not make a valid list of the neurons that fired."""
    params, entries = core.params, core.pending_groups
    if start not in (0, entries):
        raise Refusal(Status.BAD_RANGE, start)
    groups, masks = values >> PENDING_MASK_BITS, values & ((1 << PENDING_MASK_BITS) - 1)
    last = -1
    if start:
        last = int(core.read(Space.PENDING, start - 1, 1)[0]) >> PENDING_MASK_BITS
    refuse_first(
        (
            Status.BAD_VALUE,
            (groups >= params.neuron_groups) | (masks == 0) | (masks >> params.neuron_lanes != 0),
        ),
        (Status.BAD_ORDER, np.diff(groups, prepend=last) <= 0),
    )


def refuse_first(*checks: tuple[Status, npt.NDArray[np.bool_]]) -> None:
    """Refuse with the first index at which any check fails, and the status of that check."""
    found = [(int(np.argmax(wrong)), status) for status, wrong in checks if wrong.any()]
    if found:
        index, status = min(found, key=lambda item: item[0])
        raise Refusal(status, index)
