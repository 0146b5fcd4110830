"""What an answer may report of the device: counters, output words, and what a refusal is about."""

from __future__ import annotations

from typing import Final

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from spiketwin.hdl.spec.registers import COUNTERS

NAMES: Final = (
    *(counter.name for counter in COUNTERS),
    "word",  # the oldest one queued
    "index",  # of an item
    "given",  # bytes of arguments
    "room",  # for events
    "session",
    "expected",  # number of a request
)


def number(name: str) -> int:
    """Number of what is looked at; that of a counter is its element in the space `counter`."""
    return NAMES.index(name)


def add_lookup(
    m: Module, values: dict[str, Value], looked_at: Signal, step: Signal, looked_up: Signal
) -> None:
    """Give a byte, the lowest for step 0, of one of the values, a cycle later.

    A byte at a time takes a quarter of the logic. What changes meanwhile has to be read again.
    """
    select = Cat(step[:2], looked_at)
    leaves = {
        4 * k + byte: _byte(values[name], byte) for k, name in enumerate(NAMES) for byte in range(4)
    }
    m.d.sync += looked_up.eq(_chosen(leaves, select))


def _byte(value: Value, byte: int) -> Value:
    return value[8 * byte : 8 * byte + 8] if 8 * byte < len(value) else Const(0, 8)


def _chosen(leaves: dict[int, Value], select: Value) -> Value:
    """Choose by two-way multiplexers, none where there is but one to choose from."""
    if len(select) == 0 or len(leaves) == 1:
        return next(iter(leaves.values()))
    half = 1 << len(select) - 1
    low = {k: v for k, v in leaves.items() if k < half}
    high = {k - half: v for k, v in leaves.items() if k >= half}
    if not high:
        return _chosen(low, select[:-1])
    return Mux(select[-1], _chosen(high, select[:-1]), _chosen(low, select[:-1]))
