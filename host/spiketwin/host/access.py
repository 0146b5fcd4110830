"""Requests that read and write blocks of the elements of a memory space.

A block begins at a linear index into the space, whose rows are counted through one after the other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from spiketwin.hdl.spec.protocol import Opcode, counted
from spiketwin.hdl.spec.registers import SpaceFormat
from spiketwin.host.elements import IntArray, pack, unpack
from spiketwin.host.exchange import Request, arguments

_CYCLES_PER_ELEMENT: Final = 256
"""Most cycles that the device takes for an element; writing a register takes this long."""


def read(
    fmt: SpaceFormat, index: int, count: int, on_values: Callable[[IntArray], None]
) -> Request:
    """Return the request that reads a block; `on_values` is called with the elements."""
    return Request(
        Opcode.READ,
        arguments(Opcode.READ, fmt.space, fmt.address(index), count),
        result_bytes=fmt.byte_length(count),
        cycles=count * _CYCLES_PER_ELEMENT,
        on_result=lambda data: on_values(unpack(fmt, data, count)),
    )


def write(fmt: SpaceFormat, index: int, values: IntArray) -> Request:
    """Return the request that writes a block."""
    head = arguments(Opcode.WRITE, fmt.space, fmt.address(index)) + counted(fmt, values.size)
    return Request(Opcode.WRITE, head + pack(fmt, values), cycles=values.size * _CYCLES_PER_ELEMENT)


def place(fmt: SpaceFormat, index: int) -> str:
    """Return the name of an element by its place in the space: ``weight[3, 7]`` or ``v[7]``."""
    row, column = divmod(index, fmt.columns)
    inside = f"{row}, {column}" if fmt.rows > 1 else f"{column}"
    return f"{fmt.space.name.lower()}[{inside}]"
