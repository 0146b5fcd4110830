"""Elements of the memory spaces as arrays and as bytes, and in blocks that fit one frame each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spiketwin.hdl.spec.protocol import most_elements
from spiketwin.hdl.spec.registers import SpaceFormat
from spiketwin.hdl.spec.text import shown
from spiketwin.host.errors import InvalidInput, SpiketwinError

IntArray = NDArray[np.int64]


def _dtype(fmt: SpaceFormat) -> np.dtype[np.signedinteger | np.unsignedinteger]:
    return np.dtype(f"<{'i' if fmt.signed else 'u'}{fmt.element_bytes}")


def pack(fmt: SpaceFormat, values: IntArray) -> bytes:
    """Return the bytes of elements, which must be within the limits of the space."""
    if fmt.packed:
        return np.packbits(values.astype(np.uint8), bitorder="little").tobytes()
    return values.astype(_dtype(fmt)).tobytes()


def unpack(fmt: SpaceFormat, data: bytes, count: int) -> IntArray:
    """Return the elements in a result of `READ`, shape (count,)."""
    if fmt.packed:
        bits = np.unpackbits(np.frombuffer(data, np.uint8), count=count, bitorder="little")
        return bits.astype(np.int64)
    return np.frombuffer(data, _dtype(fmt)).astype(np.int64)


def blocks(fmt: SpaceFormat, first: int, count: int) -> Iterator[tuple[int, int]]:
    """Yield the linear index and the length of blocks that fill a frame each.

    Together the blocks cover the `count` elements from the linear index `first` on.
    """
    most = most_elements(fmt)
    for index in range(first, first + count, most):
        yield index, min(most, first + count - index)


def integers(
    name: str,
    values: ArrayLike,
    shape: tuple[int, ...],
    limits: tuple[int, int],
    error: type[SpiketwinError] = InvalidInput,
) -> IntArray:
    """Return `values` as integers of the given shape; a scalar fills the shape.

    Raises `error` for a wrong type, shape or value. It names the array, the first wrong element and
    the range.
    """
    if type(values) is int and shape == () and limits[0] <= values <= limits[1]:
        return np.array(values, np.int64)
    array = as_array(name, values, error, f"of shape {shape}")
    if array.dtype.kind not in "iub":
        if array.dtype.kind == "f":
            raise error(f"{name} must hold integers, not {array.dtype}: round it yourself")
        raise error(f"{name} must hold integers in {limits[0]}…{limits[1]}, not {shown(values)}")
    if array.ndim != 0 and array.shape != shape:
        raise error(f"{name} must have the shape {shape}, not {array.shape}")
    low, high = limits
    wrong = (array < low) | (array > high)
    if wrong.any():
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        where = f"[{', '.join(map(str, index))}]" if index else ""
        raise error(f"{name}{where} must be in {low}…{high}, not {array[index]}")
    return np.broadcast_to(array.astype(np.int64), shape).copy()


def as_array(name: str, values: ArrayLike, error: type[SpiketwinError], shape: str) -> NDArray[Any]:
    """Return an argument as an array of any type; raise `error` if it cannot be converted."""
    try:
        return np.asarray(values)
    except Exception as wrong:
        # Ragged lists raise, and the conversion of a foreign class may raise any exception.
        raise error(f"{name} must be an array {shape}: {str(wrong)[:200]}") from wrong
