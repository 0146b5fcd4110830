"""A strict reader of numpy's array format (.npy) for arrays of numbers from untrusted files.

Numpy's own reader evaluates the header as a Python literal and allocates the memory that it claims.
This one parses the header by a regular expression, and leaves the check of sizes to its caller.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from spiketwin.hdl.spec.errors import SpiketwinError
from spiketwin.hdl.spec.text import number

_MAGIC: Final = b"\x93NUMPY"
_LENGTH_BYTES: Final = {(1, 0): 2, (2, 0): 4, (3, 0): 4}
"""Known versions of the format, and the number of bytes of the length field of each."""

_MOST_HEADER_BYTES: Final = 10_000
_ENTRY: Final = (
    r"""['"](?:(descr)['"]\s*:\s*['"]([^'"\\]{1,40})['"]"""
    r"""|(fortran_order)['"]\s*:\s*(True|False)"""
    r"""|(shape)['"]\s*:\s*\(([0-9,\s]{0,400})\))"""
)
_ENTRIES: Final = re.compile(_ENTRY)
_HEADER: Final = re.compile(rf"\s*\{{\s*{_ENTRY}\s*,\s*{_ENTRY}\s*,\s*{_ENTRY}\s*,?\s*\}}\s*")
_NUMBERS: Final = re.compile(r"[<>|=]?(?:[biufc][0-9]{1,2}|O)")


class ArrayError(SpiketwinError, ValueError):
    """A file is not an array in numpy's format, or is a damaged one."""

    exit_status = 2


@dataclass(frozen=True, slots=True)
class ArrayHeader:
    """The header of an array.

    Attributes
    ----------
    version:
        Version of the format.
    kind:
        Type of the elements, as numpy abbreviates it: ``<i8``.
    shape, fortran_order:
        Shape of the array, and whether its elements are in column order.
    """

    version: tuple[int, int]
    kind: str
    shape: tuple[int, ...]
    fortran_order: bool

    @property
    def dtype(self) -> np.dtype[Any] | None:
        """Type of the elements; None if they are not numbers."""
        try:
            return np.dtype(self.kind) if _NUMBERS.fullmatch(self.kind) else None
        except TypeError:
            return None

    def __str__(self) -> str:
        return f"{self.dtype or self.kind} of shape {self.shape}"


def read_header(file: IO[bytes]) -> ArrayHeader:
    """Read and return the header of an array, up to the first byte of its elements.

    Raises `ArrayError` if there is no header, or a damaged one.
    """
    magic = file.read(len(_MAGIC) + 2)
    version = tuple(magic[len(_MAGIC) :])
    if not magic.startswith(_MAGIC) or version not in _LENGTH_BYTES:
        raise ArrayError("it does not begin as an array in numpy's format does")
    size = _LENGTH_BYTES[version]
    length = file.read(size)
    count = int.from_bytes(length, "little")
    text = file.read(count) if count <= _MOST_HEADER_BYTES else b""
    if len(length) < size or len(text) < count:
        raise ArrayError("its header is cut, or far too long")
    decoded = text.decode("latin-1")
    found: dict[str, str] = {}
    if _HEADER.fullmatch(decoded):
        for entry in _ENTRIES.finditer(decoded):
            name, value = (group for group in entry.groups() if group is not None)
            found[name] = value
    shape = _shape(found.get("shape", "?"))
    if len(found) != 3 or shape is None:
        raise ArrayError("its header is damaged, or names no numbers")
    return ArrayHeader(
        (version[0], version[1]), found["descr"], shape, found["fortran_order"] == "True"
    )


def _shape(text: str) -> tuple[int, ...] | None:
    """Return the tuple whose text, without its brackets, is given; None if it is not a tuple."""
    *items, last = text.split(",")
    if last.strip():
        items.append(last)
        if len(items) == 1:
            return None  # a number in brackets is not a tuple
    sizes = [number(item.strip()) for item in items]
    known = [size for size in sizes if size is not None]
    return tuple(known) if len(known) == len(sizes) else None


def read_elements(file: IO[bytes], header: ArrayHeader, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Read and return the elements; the caller has checked that the shape is not too large.

    Raises `ArrayError` if the file holds fewer elements, or more.
    """
    size = prod(header.shape) * dtype.itemsize
    data = file.read(size + 1)
    if len(data) != size:
        raise ArrayError(f"there must be {size} bytes of elements: the file is cut or padded")
    elements = np.frombuffer(data, dtype)
    if header.fortran_order:
        return elements.reshape(header.shape[::-1]).T
    return elements.reshape(header.shape)
