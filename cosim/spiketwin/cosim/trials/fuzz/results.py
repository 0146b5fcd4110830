"""The results of a campaign, as ``spiketwin fuzz`` writes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from spiketwin.cosim.trials.fuzz.campaign import FuzzFinding, FuzzTally
from spiketwin.hdl.spec.results import Result


@dataclass(frozen=True)
class ErrorCount(Result):
    """The number of inputs that ended in one error of this package.

    Attributes
    ----------
    error:
        Name of the error.
    number:
        Number of the inputs.
    """

    error: str
    number: int


@dataclass(frozen=True)
class SurfaceResult(Result):
    """The outcomes of the inputs for one surface.

    Attributes
    ----------
    name:
        Name of the surface.
    inputs, results:
        Number of inputs, and number of those that gave a result.
    errors:
        Number of inputs that ended in each error of this package, the most frequent error first.
    untyped:
        Number of inputs that ended in any other way.
    slowest_seconds:
        The longest time that an input took.
    """

    name: str
    inputs: int
    results: int
    errors: list[ErrorCount]
    untyped: int
    slowest_seconds: float

    @classmethod
    def of(cls, name: str, tally: FuzzTally) -> Self:
        """Take the counts of one surface."""
        return cls(
            name=name,
            inputs=tally.inputs,
            results=tally.results,
            errors=[ErrorCount(*each) for each in tally.errors.most_common()],
            untyped=tally.untyped,
            slowest_seconds=tally.slowest_seconds,
        )


@dataclass(frozen=True)
class FuzzResult(Result):
    """The result of ``spiketwin fuzz``.

    Attributes
    ----------
    seed, seconds:
        Seed of the inputs, and the time that all of them took.
    surfaces:
        Outcomes of the inputs for each surface.
    findings:
        Files with the inputs that failed.
    lost:
        Parts of the inputs that ended each process they were fed to, and how.
    """

    json_keys = ("inputs", "untyped", "seed", "seconds", "surfaces", "findings", "lost")

    seed: int
    seconds: float
    surfaces: list[SurfaceResult]
    findings: list[str]
    lost: list[str]

    @classmethod
    def of(
        cls,
        tallies: Mapping[str, FuzzTally],
        seed: int,
        seconds: float,
        findings: list[str],
        lost: list[str],
    ) -> Self:
        """Take the counts of all surfaces, the files of the findings, and what was lost."""
        surfaces = [SurfaceResult.of(name, tally) for name, tally in tallies.items()]
        return cls(seed, seconds, surfaces, findings, lost)

    @property
    def inputs(self) -> int:
        """Number of inputs on all surfaces."""
        return sum(each.inputs for each in self.surfaces)

    @property
    def untyped(self) -> int:
        """Number of inputs that ended neither in a result nor in an error of this package."""
        return sum(each.untyped for each in self.surfaces)


@dataclass(frozen=True)
class KeptFinding(Result):
    """A finding as its file holds it, from which ``spiketwin fuzz --replay`` reads it.

    Attributes
    ----------
    finding:
        Version of the format.
    surface, error, place, trace:
        As in `FuzzFinding`.
    data:
        The input, in hexadecimal digits.
    """

    finding: int
    surface: str
    data: str
    error: str
    place: str
    trace: str

    @classmethod
    def of(cls, found: FuzzFinding) -> Self:
        """Convert a finding to what its file holds."""
        return cls(1, found.surface, found.data.hex(), found.error, found.place, found.trace)
