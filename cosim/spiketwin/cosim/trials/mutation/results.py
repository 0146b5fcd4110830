"""What became of mutants: the result of ``spiketwin bench --mutants NUMBER``."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Self

from spiketwin.cosim.trials.mutation.sites import Mutant
from spiketwin.hdl.spec.results import Result


@dataclass(frozen=True)
class Fate(Result):
    """What became of a mutant.

    Attributes
    ----------
    bench:
        The design that has it.
    unit:
        File of the gateware, below ``gateware/``.
    line:
        Line of the file that the changed part comes from; 0 where that is not known.
    operator:
        Kind of the change.
    text:
        The changed part as Verilog.
    killed_by:
        The cheapest trial that tells it; null if none does.
    why:
        What that trial found.
    """

    bench: str
    unit: str
    line: int
    operator: str
    text: str
    killed_by: str | None
    why: str

    @classmethod
    def of(cls, bench: str, mutant: Mutant, trial: str | None, why: str) -> Self:
        """Return the fate of a mutant."""
        return cls(bench, mutant.unit, mutant.line, mutant.operator, mutant.text, trial, why)


@dataclass(frozen=True)
class MutationResult(Result):
    """The fates of all mutants.

    Attributes
    ----------
    seed:
        Seed of the choice of mutants.
    list:
        The mutants.
    seconds:
        Wall time of builds and trials.
    """

    json_keys = ("seed", "mutants", "killed", "by_trial", "units", "list", "seconds")

    seed: int
    list: tuple[Fate, ...]
    seconds: float

    @property
    def mutants(self) -> int:
        """Number of mutants."""
        return len(self.list)

    @property
    def killed(self) -> int:
        """How many of them a trial told."""
        return sum(each.killed_by is not None for each in self.list)

    @property
    def by_trial(self) -> dict[str, int]:
        """How many each trial told, by its name."""
        return dict(Counter(each.killed_by for each in self.list if each.killed_by).most_common())

    @property
    def units(self) -> dict[str, dict[str, int]]:
        """Mutants of each unit, and how many of them were killed."""
        found: dict[str, dict[str, int]] = {}
        for each in sorted(self.list, key=lambda each: each.unit):
            unit = found.setdefault(each.unit, {"mutants": 0, "killed": 0})
            unit["mutants"] += 1
            unit["killed"] += each.killed_by is not None
        return found

    @property
    def survivors(self) -> tuple[Fate, ...]:
        """Those that no trial told."""
        return tuple(each for each in self.list if each.killed_by is None)
