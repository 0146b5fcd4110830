"""The results of the demo, as ``spiketwin demo`` writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from spiketwin.cosim.demo.compare import COMPARED, DemoComparison
from spiketwin.cosim.demo.run import Record
from spiketwin.cosim.digits.encoding import Digits
from spiketwin.hdl.spec.results import Result
from spiketwin.host.targets import origin


@dataclass(frozen=True)
class Dataset(Result):
    """The images.

    Attributes
    ----------
    train, test:
        Images to learn, and images to recognise.
    """

    train: int
    test: int


@dataclass(frozen=True)
class Clocked(Result):
    """The cycles of a target with a clock, which is any but the model.

    Attributes
    ----------
    cycles, cycles_per_second:
        Cycles of all ticks, and how many of them passed in a second of wall time; not for the
        model.
    """

    cycles: int
    cycles_per_second: float

    @classmethod
    def of(cls, name: str, record: Record) -> Self | None:
        """Take the cycles of a target; None for one whose cycles are computed."""
        if origin(name) == "computed":
            return None
        cycles = int(record.cycles.sum())
        return cls(cycles, cycles / record.seconds)


@dataclass(frozen=True)
class Learned(Result):
    """The results of a target that learned everything.

    Attributes
    ----------
    accuracy:
        Share of the test images that it recognised.
    ticks, seconds:
        Ticks of the whole, and the wall time that they took.
    clocked:
        Its cycles; not for the model.
    """

    json_merged = ("clocked",)

    accuracy: float
    ticks: int
    seconds: float
    clocked: Clocked | None


@dataclass(frozen=True)
class Compared(Result):
    """The amounts that were compared.

    Attributes
    ----------
    ticks, spikes, weights:
        Ticks, spikes and weights.
    """

    ticks: int
    spikes: int
    weights: int

    @classmethod
    def of(cls, comparisons: Sequence[DemoComparison]) -> Self:
        """Add up the amounts of several comparisons."""
        return cls(
            sum(each.ticks for each in comparisons),
            sum(each.spikes for each in comparisons),
            sum(each.weights for each in comparisons),
        )


@dataclass(frozen=True)
class Equal(Result):
    """The parts that were equal.

    Attributes
    ----------
    spikes, weights, state, cycles:
        Whether all spikes, weights, state and cycles were equal.
    """

    spikes: bool
    weights: bool
    state: bool
    cycles: bool

    @classmethod
    def of(cls, comparisons: Sequence[DemoComparison]) -> Self:
        """Combine several comparisons: a part is equal if it is in all of them."""
        return cls(
            **{
                name: all(name not in comparison.differences for comparison in comparisons)
                for name in COMPARED
            }
        )


@dataclass(frozen=True)
class LearnedPart(Result):
    """The results of a target that learned only the first images.

    Attributes
    ----------
    presentations, of:
        Presentations that it was shown, and how many the others were shown.
    ticks, seconds:
        Ticks of its part, and the wall time that they took.
    clocked:
        Its cycles; not for the model.
    compared, equal:
        Amounts that were compared, and the parts that were equal.
    """

    json_merged = ("clocked",)

    presentations: int
    of: int
    ticks: int
    seconds: float
    clocked: Clocked | None
    compared: Compared
    equal: Equal


@dataclass(frozen=True)
class DemoResult(Result):
    """The result of ``spiketwin demo``.

    Attributes
    ----------
    dataset:
        The images.
    targets:
        Results of each target that learned everything, by its address.
    compared:
        Amounts of these that were compared; only if there are several targets.
    equal:
        Parts that were equal in all comparisons; only if there were any comparisons.
    parts:
        Results of each target that learned only the first images, by its address; only if there
        is one.
    """

    json_optional = ("compared", "equal", "parts")

    dataset: Dataset
    targets: dict[str, Learned]
    compared: Compared | None
    equal: Equal | None
    parts: dict[str, LearnedPart] | None

    @classmethod
    def of(
        cls,
        digits: Digits,
        records: Mapping[str, Record],
        comparisons: Mapping[str, DemoComparison],
    ) -> Self:
        """Take what was done, and what was found in comparing it, by address of the target.

        The first target is the one that the others are compared with.
        """
        whole = {name: record for name, record in records.items() if record.is_whole}
        compared = [comparisons[name] for name in whole if name in comparisons]
        presentations = next(iter(records.values())).presentations
        parts = {
            name: _part(name, record, presentations, comparisons[name])
            for name, record in records.items()
            if name not in whole
        }
        return cls(
            dataset=Dataset(len(digits.train), len(digits.test)),
            targets={
                name: Learned(
                    record.accuracy(), record.ticks, record.seconds, Clocked.of(name, record)
                )
                for name, record in whole.items()
            },
            compared=Compared.of(compared) if compared else None,
            equal=Equal.of(list(comparisons.values())) if comparisons else None,
            parts=parts or None,
        )


def _part(name: str, record: Record, of: int, comparison: DemoComparison) -> LearnedPart:
    return LearnedPart(
        presentations=record.presentations,
        of=of,
        ticks=record.ticks,
        seconds=record.seconds,
        clocked=Clocked.of(name, record),
        compared=Compared.of([comparison]),
        equal=Equal.of([comparison]),
    )
