"""Logic that several pipelines use: delays, saturation, bumps, and parts of wide words."""

from __future__ import annotations

from functools import reduce
from operator import add

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib.memory import Memory
from amaranth.utils import bits_for


class Delay:
    """A shift register: item k is the value as it was k cycles ago."""

    def __init__(self, m: Module, name: str, value: Value, length: int) -> None:
        self._taps = [value]
        for k in range(1, length + 1):
            tap = value
            # Verilog has no signals of width 0.
            if len(value):
                tap = Signal(value.shape(), name=f"{name}_{k}")
                m.d.sync += tap.eq(self._taps[-1])
            self._taps.append(tap)

    def __getitem__(self, cycles: int) -> Value:
        return self._taps[cycles]


def delay_line(m: Module, name: str, value: Value, cycles: int) -> Value:
    """Return a value delayed by `cycles`, which are two or more.

    The value goes through a small memory used as a ring buffer. For wide values this takes less
    logic than a `Delay`, which has a register for each bit and cycle.
    """
    depth = 1 << bits_for(cycles - 1)
    memory: Memory = Memory(shape=len(value), depth=depth, init=[])
    m.submodules[name] = memory
    write, read = memory.write_port(), memory.read_port()
    place = Signal(range(depth), name=f"{name}_place")
    m.d.sync += place.eq(place + 1)
    m.d.comb += [
        write.addr.eq(place),
        write.data.eq(value),
        write.en.eq(1),
        read.addr.eq(place - (cycles - 1)),
    ]
    late: Value = read.data
    return late


def beyond(value: Value, width: int) -> Value:
    """Return whether a signed value does not fit `width` bits."""
    found: Value = (value[width - 1 : -1] ^ value[-1].replicate(len(value) - width)).any()
    return found


def saturated(value: Value, width: int) -> Value:
    """Return a signed value saturated to `width` bits, as `spec.arithmetic.saturate`."""
    if len(value) <= width:
        return value
    sign = value[-1]
    edge = Cat((~sign).replicate(width - 1), sign)
    return Mux(beyond(value, width), edge, value[:width]).as_signed()


def above(value: Value, width: int) -> Value:
    """Return whether a signed value is above the largest signed one of `width` bits."""
    found: Value = ~value[-1] & value[width - 1 : -1].any()
    return found


def capped(value: Value, width: int) -> Value:
    """Return a signed value saturated from above to `width` bits; it has to fit from below."""
    top = (1 << (width - 1)) - 1
    return Mux(above(value, width), top, value[:width]).as_signed()


def bump(
    m: Module, trace: Value, by: Value, *, replace: Value, spiked: Value, result: Signal
) -> Value:
    """Register a trace in `result`, after a spike of its owner has added the bump or set it.

    Returns whether the sum saturates.
    """
    total = Mux(replace, 0, trace) + by
    with m.If(spiked & total[-1]):
        m.d.sync += result.eq((1 << len(result)) - 1)
    with m.Elif(spiked):
        m.d.sync += result.eq(total)
    with m.Else():
        m.d.sync += result.eq(trace)
    return spiked & total[-1]


def times(value: Value, factor: int) -> Value:
    """Return the product with a constant, from shifts and adders.

    The way to a multiplier block and back would take most of a cycle.
    """
    terms = [value << bit for bit in range(factor.bit_length()) if factor >> bit & 1]
    return reduce(add, terms)


def part_enables(valid: Value, part: Value, parts: int, lanes: int) -> Value:
    """Return the write enables of all elements of a word, with those of one part set.

    A word has `parts` parts of `lanes` elements.
    """
    return Cat(*((valid & (part == k)).replicate(lanes) for k in range(parts)))
