"""What several pipelines need: values some cycles late, saturation, parts of wide words."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value


class Delay:
    """Taps of a value, 0, 1, 2 … cycles late."""

    def __init__(self, m: Module, name: str, value: Value, length: int) -> None:
        self._taps = [value]
        for k in range(1, length + 1):
            tap = Signal(value.shape(), name=f"{name}_{k}")
            m.d.sync += tap.eq(self._taps[-1])
            self._taps.append(tap)

    def __getitem__(self, cycles: int) -> Value:
        return self._taps[cycles]


def saturated(value: Value, width: int) -> Value:
    """`spec.arithmetic.saturate` of a signed value."""
    top = (1 << (width - 1)) - 1
    return Mux(value > top, top, Mux(value < -top - 1, -top - 1, value))


def bumped(trace: Value, bump: Value, replace: Value) -> Value:
    """Trace of one that spiked: the bump alone, or added and held to the trace's width."""
    total = trace + bump
    return Mux(replace, bump, Mux(total[-1], (1 << len(trace)) - 1, total[:-1]))


def sub_word_enables(issue: Delay, group: Delay, stage: int, sub_bits: int, lanes: int) -> Value:
    """Write enables of the part of a wide word that a group of `lanes` elements is in."""
    one_hot = Const(1, 1 << sub_bits) << group[stage][:sub_bits]
    return Cat(*((one_hot[k] & issue[stage]).replicate(lanes) for k in range(1 << sub_bits)))
