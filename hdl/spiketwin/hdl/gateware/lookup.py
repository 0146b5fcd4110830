"""What an answer may report of the device: counters, output words, and what a refusal is about."""

from __future__ import annotations

from typing import Final

from amaranth.hdl import Array, Const, Module, Signal, Value

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
    Of the values, those not looked at are held at 0, so that all can share the choice of the byte.
    """
    lanes: list[Value] = [Const(0, 8)] * 4
    for name, value in values.items():
        chosen = Signal(name=f"looking_at_{name}")
        m.d.comb += chosen.eq(looked_at == number(name))
        for byte in range(0, len(value), 8):
            part = value[byte : byte + 8]
            lanes[byte // 8] |= part & chosen.replicate(len(part))
    m.d.sync += looked_up.eq(Array(lanes)[step[:2]])
