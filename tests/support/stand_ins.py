"""What stands in for parts of a unit: decays, and tables of profiles and of rules."""

from collections.abc import Callable, Iterable
from functools import partial
from types import SimpleNamespace
from typing import Any

from amaranth.hdl import Elaboratable, Module, Shape, Signal

from spiketwin.hdl.gateware.core.decay import DECAY_LATENCY
from spiketwin.hdl.spec.arithmetic import DECAY_BITS, DECAY_SHIFT_BITS, LEAK_WIDTH
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.registers import Space, space_formats
from support.benches import Bench


class AnyDecays:
    """Decays with any results.

    Attributes
    ----------
    given:
        Value, code, shift and leak that each decay is given, by its name.
    result:
        What each decay results in.
    """

    def __init__(self, b: Bench, shapes: Iterable[tuple[str, Shape]]) -> None:
        """Take the names of the decays of a unit, in the order in which it makes them."""
        self.given: dict[str, list[Signal]] = {}
        self.result: dict[str, Any] = {}
        for name, shape in shapes:
            widths = (shape, DECAY_BITS, DECAY_SHIFT_BITS, LEAK_WIDTH)
            self.given[name] = [Signal(each) for each in widths]
            self.result[name] = b.free(f"decayed_{name}", shape)
        self._names = iter(self.given)

    def module(self) -> SimpleNamespace:
        """Return what stands in for the module of decays."""
        return SimpleNamespace(DECAY_LATENCY=DECAY_LATENCY, Decay=self._next)

    def _next(self, _shape: Shape, **_options: bool) -> Elaboratable:
        name = next(self._names)
        return _AnyDecay(self.given[name], self.result[name])


class _AnyDecay(Elaboratable):
    def __init__(self, given: list[Signal], result: Any) -> None:
        self.value, self.code, self.shift, self.leak = (Signal.like(each) for each in given)
        self.result = result
        self._given = given

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        own = (self.value, self.code, self.shift, self.leak)
        m.d.comb += [seen.eq(each) for seen, each in zip(self._given, own, strict=True)]
        return m


class Profiles:
    """A table of profiles with any contents, which stay the same; empty in a core without one."""

    def __init__(self, b: Bench, p: CoreParams) -> None:
        self._m = b.m
        self.columns: dict[str, list[Any]] = {}
        if p.has_profiles:
            form = space_formats(p)[Space.PROFILE_TABLE]
            for column in form.record:
                shape = Shape(column.width, column.signed)
                rows = range(form.rows)
                self.columns[column.name] = [b.fixed(f"{column.name}_{k}", shape) for k in rows]

    def at(self, name: str, number: Any) -> Any:
        """Return what the profile of a number has in a column."""
        return chosen(self._m, self.columns[name], number)

    def constants(self) -> Callable[..., Any]:
        """Return what stands in for `profiles.Constants`."""
        return partial(_Constants, self.columns)


class _Constants:
    def __init__(
        self, columns: dict[str, list[Any]], m: Module, _p: Any, settings: Any, *rest: Any
    ) -> None:
        self._columns, self._m, self._settings, self._number = columns, m, settings, rest[-1]

    def at(self, stage: int, name: str) -> Any:
        if name not in self._columns:
            return getattr(self._settings, name)
        now = chosen(self._m, self._columns[name], self._number(stage - 1))
        held = Signal.like(now)
        self._m.d.sync += held.eq(now)
        return held


class Rules:
    """A table of rules with any contents, which stay the same.

    Attributes
    ----------
    columns:
        What the rules have in each column, by its name.
    held:
        What the unit was given of a column a cycle after it gave a number.
    """

    def __init__(self, b: Bench, p: CoreParams) -> None:
        self._m = b.m
        self.columns: dict[str, list[Any]] = {}
        self.held: dict[str, Signal] = {}
        form = space_formats(p)[Space.RULE_TABLE]
        for column in form.record:
            shape = Shape(column.width, column.signed)
            rows = range(form.rows)
            self.columns[column.name] = [b.fixed(f"{column.name}_{k}", shape) for k in rows]

    def at(self, name: str, number: Any) -> Any:
        """Return what the rule of a number has in a column."""
        return chosen(self._m, self.columns[name], number)

    def table(self) -> Callable[..., Any]:
        """Return what stands in for `profiles.Table`."""
        return partial(_Table, self)


class _Table:
    def __init__(self, rules: Rules, m: Module, *_rest: Any) -> None:
        self._rules, self._m = rules, m

    def held(self, name: str, number: Any, _memory_name: str) -> Any:
        now = chosen(self._m, self._rules.columns[name], number)
        held = self._rules.held[name] = Signal.like(now, name=f"held_{name}")
        self._m.d.sync += held.eq(now)
        return held


def chosen(m: Module, values: list[Any], number: Any) -> Any:
    """Return the value of a number, which is in range."""
    result = Signal.like(values[0], name="chosen")
    with m.Switch(number):
        for k, value in enumerate(values):
            with m.Case(k):
                m.d.comb += result.eq(value)
    return result
