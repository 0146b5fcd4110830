"""Benches of proofs: a component with free inputs, and what has to hold of it in every cycle."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from amaranth.back.rtlil import convert
from amaranth.hdl import (
    Assert,
    Assume,
    Cat,
    ClockDomain,
    Const,
    Module,
    Mux,
    Signal,
    Value,
)

from spiketwin.hdl.spec.protocol import CRC_BYTES, CRC_POLYNOMIAL

TOP = "top"


class Bench:
    """A design around a component, of which a prover shows that all checks hold for ever.

    A bench has a clock of its own and no reset, so that registers begin as after power-up. What
    `free` and `fixed` give is chosen by whoever looks for a counterexample.

    Attributes
    ----------
    m:
        The module to which the component and what the checks need are added.
    first:
        Whether this is the first cycle.
    shown:
        Signals that a counterexample tells, by name. Free values and checks are among them.
    checks:
        Signals that have to be 1 in every cycle, by name.
    inner_names:
        Names of signals within the component, by the names of the inputs that stand for them.
    """

    def __init__(self) -> None:
        self.m = Module()
        domain: Any = ClockDomain("sync")
        self.m.domains += domain
        self.first = Signal(init=1)
        self.m.d.sync += self.first.eq(0)
        self.shown: dict[str, Signal] = {}
        self.checks: dict[str, Signal] = {}
        self.inner_names: dict[str, str] = {}
        self._assumed: list[Value] = []
        self._inputs: list[Any] = [domain.clk]
        self._pasts = 0
        self._text = ""

    def unit(self, component: Any) -> Any:
        """Return the component, which becomes the one that is proved."""
        self.m.submodules.unit = component
        return component

    def free(self, name: str, shape: Any = 1) -> Any:
        """Return a signal with any value in any cycle."""
        assert name not in self.shown, f"two signals are called {name}"
        signal: Any = Signal(shape, name=f"free_{name}")
        self.shown[name] = signal if isinstance(signal, Signal) else signal.as_value()
        self._inputs.append(self.shown[name])
        return signal

    def fixed(self, name: str, shape: Any = 1) -> Any:
        """Return a signal with any value, which stays the same in all cycles."""
        chosen = self.free(f"{name}_chosen", shape)
        del self.shown[f"{name}_chosen"]
        held, value = Signal(shape, name=f"{name}_held"), Signal(shape, name=f"fixed_{name}")
        with self.m.If(self.first):
            self.m.d.sync += held.eq(chosen)
        self.m.d.comb += value.eq(Mux(self.first, chosen, held))
        self.shown[name] = value
        return value

    def inner(self, name: str, shape: Any) -> Any:
        """Return what is the signal of this name within the component, for an invariant.

        The name of one within a part of the component begins with that of the part and a dot.
        """
        own_name = f"inner_{name}".replace(".", "_")
        signal = self.free(own_name, shape)
        self.inner_names[f"free_{own_name}"] = f"unit.{name}"
        return signal

    def tell(self, name: str, value: Any) -> Any:
        """Return the value as a signal that counterexamples tell."""
        value = Value.cast(value)
        signal = Signal(value.shape(), name=f"told_{name}")
        self.m.d.comb += signal.eq(value)
        self.shown[name] = signal
        return signal

    def past(self, value: Any, cycles: int = 1) -> Any:
        """Return the value of so many cycles ago, which is 0 before the first cycle."""
        value = Value.cast(value)
        for _ in range(cycles):
            self._pasts += 1
            earlier = Signal(value.shape(), name=f"past_{self._pasts}")
            self.m.d.sync += earlier.eq(value)
            value = earlier
        return value

    def age(self, cycles: int) -> Signal:
        """Return the number of the cycle, from 0, which stays at `cycles` once it is reached."""
        age = Signal(range(cycles + 1), name=f"age_{cycles}")
        with self.m.If(age != cycles):
            self.m.d.sync += age.eq(age + 1)
        return age

    def assume(self, condition: Any) -> None:
        """Look only at runs in which the condition holds in every cycle."""
        self._assumed.append(Value.cast(condition).bool())

    def check(self, name: str, condition: Any) -> None:
        """Demand that the condition holds in every cycle."""
        self.checks[name] = self.tell(name, Value.cast(condition).bool())

    def text(self) -> str:
        """Return the bench, to which nothing may be added from now on, as RTLIL."""
        if self._text:
            return self._text
        for value in self._assumed:
            self.m.d.comb += Assume(value, "assumed")
        self.m.d.comb += Assert(Cat(*self.checks.values()).all(), "checked")
        outputs = [s for s in self.shown.values() if not s.name.startswith("free_")]
        ports = [*self._inputs, *outputs]
        with _without_collection():
            self._text = convert(self.m, ports=ports, name=TOP, emit_src=False)
        return self._text


@contextmanager
def _without_collection() -> Iterator[None]:
    """Search for no garbage: little of what elaboration makes is any before its end."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def implies(condition: Any, consequence: Any) -> Value:
    """Return whether the consequence holds wherever the condition does."""
    result: Value = ~Value.cast(condition).bool() | Value.cast(consequence).bool()
    return result


def crc_after(bench: Bench, crc: Any, byte: Any) -> Any:
    """Return the CRC of a frame before its last inversion, after a byte more, bit by bit."""
    value: Any = crc ^ Cat(Const(0, 8), byte)
    for _ in range(8):
        shifted = Signal(8 * CRC_BYTES, name="crc_after_a_bit")
        bench.m.d.comb += shifted.eq(value << 1 ^ Mux(value[-1], CRC_POLYNOMIAL, 0))
        value = shifted
    return value


class Traced:
    """A word of a bench on which functions of the specification can be called as on an integer.

    Each operation becomes a signal of its own: the text of a nested expression grows with its depth
    to a power.
    """

    def __init__(self, bench: Bench, value: Any) -> None:
        self._bench = bench
        value = Value.cast(value)
        self.value: Any = Signal(value.shape(), name="traced")
        bench.m.d.comb += self.value.eq(value)

    def _made(self, value: Value) -> "Traced":
        return Traced(self._bench, value)

    def __add__(self, other: Any) -> "Traced":
        return self._made(self.value + _untraced(other))

    def __and__(self, other: Any) -> "Traced":
        return self._made(self.value & _untraced(other))

    def __or__(self, other: Any) -> "Traced":
        return self._made(self.value | _untraced(other))

    def __xor__(self, other: Any) -> "Traced":
        return self._made(self.value ^ _untraced(other))

    def __rxor__(self, other: Any) -> "Traced":
        return self._made(self.value ^ other)

    def __lshift__(self, places: int) -> "Traced":
        return self._made(self.value << places)

    def __rshift__(self, places: int) -> "Traced":
        return self._made(self.value >> places)


def _untraced(value: Any) -> Any:
    return value.value if isinstance(value, Traced) else value
