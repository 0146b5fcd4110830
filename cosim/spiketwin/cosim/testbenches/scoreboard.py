"""Exact comparison of what a device did with what it should have done, number by number."""

from __future__ import annotations

from collections.abc import Sequence


class Mismatch(AssertionError):
    """The device differs from its reference; the message says where.

    It ends a test within the simulator, and is reported as any assertion is.
    """


class NothingCompared(AssertionError):
    """A test ended without a comparison, and so has proved nothing.

    It ends a test within the simulator, and is reported as any assertion is.
    """


class Scoreboard:
    """Compares numbers, and counts the comparisons.

    Parameters
    ----------
    seed:
        Seed of the test, for the message.

    Attributes
    ----------
    tick:
        Tick that the compared numbers belong to, for the message.
    comparisons:
        Numbers compared so far.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.tick = 0
        self.comparisons = 0

    def check(self, field: str, got: int, expected: int, place: str = "") -> None:
        """Compare one number.

        Raises
        ------
        Mismatch
            The numbers differ.
        """
        self.comparisons += 1
        if got != expected:
            where = place and f"{place}, "
            raise Mismatch(
                f"seed {self.seed}, tick {self.tick}, {where}{field}: "
                f"expected {expected}, got {got}"
            )

    def check_vector(
        self, field: str, got: Sequence[int], expected: Sequence[int], item: str = "neuron"
    ) -> None:
        """Compare two vectors, one number per `item`; raise `Mismatch` at the first difference."""
        self.check(f"number of {field}", len(got), len(expected))
        if self._all_equal(got, expected):
            return
        for place, (one, other) in enumerate(zip(got, expected, strict=True)):
            self.check(field, one, other, f"{item} {place}")

    def check_matrix(
        self, field: str, got: Sequence[Sequence[int]], expected: Sequence[Sequence[int]]
    ) -> None:
        """Compare two matrices of synapses, ``[source][neuron]``; raise `Mismatch` as `check`."""
        self.check(f"sources of {field}", len(got), len(expected))
        for i, (row, wanted) in enumerate(zip(got, expected, strict=True)):
            self.check(f"neurons of {field}", len(row), len(wanted), f"source {i}")
            if self._all_equal(row, wanted):
                continue
            for j, (one, other) in enumerate(zip(row, wanted, strict=True)):
                self.check(field, one, other, f"synapse (source {i}, neuron {j})")

    def _all_equal(self, got: Sequence[int], expected: Sequence[int]) -> bool:
        """Compare all numbers at once, and count them if all are equal.

        So the place of a number is put into words only where one differs.
        """
        equal = list(got) == list(expected)
        if equal:
            self.comparisons += len(expected)
        return equal

    def finish(self) -> None:
        """End the test.

        Raises
        ------
        NothingCompared
            Nothing was compared.
        """
        if self.comparisons == 0:
            raise NothingCompared("the test compared nothing: it proves nothing")
