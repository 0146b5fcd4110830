"""The fates of mutants: the result of ``spiketwin bench --mutants NUMBER``."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Self

from spiketwin.cosim.trials.mutation.sites import Site
from spiketwin.hdl.spec.results import Result


@dataclass(frozen=True)
class MutantFate(Result):
    """The fate of a mutant: whether a trial or a proof told it from the design.

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
    equivalent:
        Whether it was proved to change nothing, as no trial tells it.
    """

    bench: str
    unit: str
    line: int
    operator: str
    text: str
    killed_by: str | None
    why: str
    equivalent: bool

    @classmethod
    def of(cls, bench: str, site: Site, trial: str | None, why: str, equivalent: bool) -> Self:
        """Return the fate of the mutant at a place of a design."""
        what = (site.unit, site.line, site.operator, site.text)
        return cls(bench, *what, trial, why, equivalent)

    @property
    def place(self) -> tuple[str, str, int, str, str]:
        """What tells it from other mutants of the same gateware."""
        return self.bench, self.unit, self.line, self.operator, self.text

    @property
    def is_survivor(self) -> bool:
        """Whether no trial tells it, and it is not proved to change nothing either."""
        return self.killed_by is None and not self.equivalent


@dataclass(frozen=True)
class MutationResult(Result):
    """The fates of all mutants.

    Attributes
    ----------
    seed:
        Seed of the choice of mutants.
    gateware:
        Fingerprint of the source of the gateware.
    list:
        The mutants that were tried.
    untried:
        Number of those that were drawn and not tried, as the run was broken off.
    seconds:
        Wall time of builds, trials and proofs, without those of an earlier result.
    """

    json_keys = (
        "seed", "gateware", "mutants", "killed", "equivalent", "untried", "by_trial", "units",
        "list", "seconds",
    )  # fmt: skip

    seed: int
    gateware: str
    list: tuple[MutantFate, ...]
    untried: int
    seconds: float

    @property
    def mutants(self) -> int:
        """Number of mutants that were tried."""
        return len(self.list)

    @property
    def killed(self) -> int:
        """How many of them a trial tells from the design."""
        return sum(each.killed_by is not None for each in self.list)

    @property
    def equivalent(self) -> int:
        """How many of the others were proved to change nothing."""
        return sum(each.equivalent for each in self.list)

    @property
    def by_trial(self) -> dict[str, int]:
        """How many each trial tells from the design, by its name."""
        return dict(Counter(each.killed_by for each in self.list if each.killed_by).most_common())

    @property
    def units(self) -> dict[str, dict[str, int]]:
        """Of each unit the mutants, those that were killed, and those that change nothing."""
        found: dict[str, dict[str, int]] = {}
        for each in sorted(self.list, key=lambda each: each.unit):
            unit = found.setdefault(each.unit, {"mutants": 0, "killed": 0, "equivalent": 0})
            unit["mutants"] += 1
            unit["killed"] += each.killed_by is not None
            unit["equivalent"] += each.equivalent
        return found

    @property
    def survivors(self) -> tuple[MutantFate, ...]:
        """Those that no trial tells from the design, and that may change something."""
        return tuple(each for each in self.list if each.is_survivor)
