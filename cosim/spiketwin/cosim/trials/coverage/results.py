"""The result of ``spiketwin bench --coverage``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Final, Self

from spiketwin.cosim.trials.coverage.recorded import KINDS
from spiketwin.hdl.spec.results import Result

_STATE: Final = re.compile(r"^\d+'h\w+: ")
_NUMBER: Final = re.compile(r"\\\$\d+|\d+'h\w+")
"""A signal without a name, or a constant."""


@dataclass(frozen=True)
class Unit(Result):
    """The coverage of a unit.

    Attributes
    ----------
    covered, points:
        Points that were reached, and all that are not waived, by kind: ``line``, ``branch``,
        ``toggle``.
    """

    covered: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    points: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))

    def counted(self, kind: str, covered: bool) -> Unit:
        """Return it with one more point."""
        return replace(
            self,
            covered=self.covered | {kind: self.covered[kind] + covered},
            points=self.points | {kind: self.points[kind] + 1},
        )

    def plus(self, other: Unit) -> Unit:
        """Return it with all points of another one."""
        return Unit(
            {kind: self.covered[kind] + other.covered[kind] for kind in KINDS},
            {kind: self.points[kind] + other.points[kind] for kind in KINDS},
        )


@dataclass(frozen=True)
class Missed(Result):
    """A point that was not reached.

    Attributes
    ----------
    bench, unit, module:
        The design, the file of the gateware below ``gateware/``, and the last part of the name of
        the module.
    kind, what:
        ``line``, ``branch`` or ``toggle``; the branch, or the bit of a signal.
    text:
        The Verilog at that place.
    """

    bench: str
    unit: str
    module: str
    kind: str
    what: str
    text: str

    @property
    def likeness(self) -> str:
        """What a point of another design reads as that is the same: without its numbers."""
        text = _NUMBER.sub("#", _STATE.sub("", self.text))
        return " ".join([self.unit, self.kind, self.what, text])


@dataclass(frozen=True)
class Borrowed:
    """A point that was not reached, and is waived if one like it is reached in another design.

    Attributes
    ----------
    waiver:
        The name of the waiver.
    missed:
        The point.
    """

    waiver: str
    missed: Missed


@dataclass(frozen=True)
class CoverageResult(Result):
    """The coverage of the gateware by the trials.

    Attributes
    ----------
    units:
        Coverage of each unit, a file of the gateware below ``gateware/``.
    waived:
        Points that are waived, by the name of the waiver.
    list:
        Lines and branches that were not reached.
    reached:
        Of the designs that were not joined yet: the lines and branches that were reached, each as
        the name of the design and the `Missed.likeness` that it would have.
    borrowed:
        Likewise: points that are waived if others like them are reached.
    """

    json_keys = ("units", "waived", "total", "list")

    units: dict[str, Unit]
    waived: dict[str, int]
    missed: tuple[Missed, ...]
    reached: frozenset[tuple[str, str]] = frozenset()
    borrowed: tuple[Borrowed, ...] = ()

    @classmethod
    def joined(cls, parts: Iterable[CoverageResult]) -> Self:
        """Return the result of several designs together."""
        units: dict[str, Unit] = {}
        waived: Counter[str] = Counter()
        missed: list[Missed] = []
        reached: dict[str, set[str]] = {}
        parts = list(parts)
        for part in parts:
            for name, unit in part.units.items():
                units[name] = units.get(name, Unit()).plus(unit)
            waived.update(part.waived)
            missed += part.missed
            for bench, likeness in part.reached:
                reached.setdefault(likeness, set()).add(bench)
        for each in (each for part in parts for each in part.borrowed):
            point = each.missed
            if reached.get(point.likeness, set()) - {point.bench}:
                waived[each.waiver] += 1
            else:
                units[point.unit] = units.get(point.unit, Unit()).counted(point.kind, covered=False)
                missed.append(point)
        missed.sort(key=lambda each: (each.unit, each.bench))
        return cls(dict(sorted(units.items())), dict(sorted(waived.items())), tuple(missed))

    @property
    def total(self) -> Unit:
        """The coverage of all units together."""
        return reduce(Unit.plus, self.units.values(), Unit())

    @property
    def list(self) -> tuple[Missed, ...]:
        """Lines and branches that were not reached."""
        return tuple(each for each in self.missed if each.kind != "toggle")
