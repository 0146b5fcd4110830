"""What several pipelines need: values some cycles late, saturation, parts of wide words."""

from __future__ import annotations

from functools import reduce
from operator import add

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib.memory import Memory
from amaranth.utils import bits_for


class Delay:
    """Shift register: item k is the value as it was k cycles ago."""

    def __init__(self, m: Module, name: str, value: Value, length: int) -> None:
        self._taps = [value]
        for k in range(1, length + 1):
            tap = value
            # Verilog has no signals without bits.
            if len(value):
                tap = Signal(value.shape(), name=f"{name}_{k}")
                m.d.sync += tap.eq(self._taps[-1])
            self._taps.append(tap)

    def __getitem__(self, cycles: int) -> Value:
        return self._taps[cycles]


def delay_line(m: Module, name: str, value: Value, cycles: int) -> Value:
    """Return a value as it was two or more cycles ago.

    The value goes through a small memory, which for a wide one takes less than a `Delay`, with its
    register for each bit and cycle.
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
    """`spec.arithmetic.saturate` of a signed value."""
    sign = value[-1]
    edge = Cat((~sign).replicate(width - 1), sign)
    return Mux(beyond(value, width), edge, value[:width]).as_signed()


def above(value: Value, width: int) -> Value:
    """Return whether a signed value is more than the largest of `width` bits."""
    found: Value = ~value[-1] & value[width - 1 : -1].any()
    return found


def capped(value: Value, width: int) -> Value:
    """Hold a signed value that is not too small to the largest of `width` bits."""
    top = (1 << (width - 1)) - 1
    return Mux(above(value, width), top, value[:width]).as_signed()


def bump(
    m: Module, trace: Value, by: Value, *, replace: Value, spiked: Value, result: Signal
) -> Value:
    """Register a trace, to which a spike of its owner adds the bump, or which it sets to the bump.

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
    """Multiply by a constant with adders.

    Multipliers lie far away in an FPGA, so that one would take most of a cycle.
    """
    terms = [value << bit for bit in range(factor.bit_length()) if factor >> bit & 1]
    return reduce(add, terms)


def part_enables(valid: Value, part: Value, parts: int, lanes: int) -> Value:
    """Return the write enables of a word of `parts` parts of `lanes` elements, for one part."""
    return Cat(*((valid & (part == k)).replicate(lanes) for k in range(parts)))
