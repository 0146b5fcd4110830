"""The clock of the core from that of the board: what the PLLs of all families have in common.

The search of every family gives the setting whose frequency is nearest to the one wanted, its
output exactly as a fraction. Of equals it takes the highest frequency at the phase detector, which
has least jitter, and then the lowest of the oscillator, which takes least power.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import Any, Final, Generic, NamedTuple, TypeVar

from amaranth.hdl import Module, Signal

from spiketwin.firmware.errors import ClockError
from spiketwin.firmware.fpga import Package

TOLERANCE: Final = Fraction(1, 50)
"""How far from the frequency wanted the nearest one may be."""

MHZ: Final = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Pll(ABC):
    """A setting of the PLL of one family.

    Attributes
    ----------
    hz:
        The frequency that it makes.
    """

    hz: Fraction

    @abstractmethod
    def instantiate(
        self, m: Module, pad: Any, package: Package | None, clock: Signal, locked: Signal
    ) -> None:
        """Add the PLL, and the buffer of its input, to a module.

        Parameters
        ----------
        m:
            What it is added to.
        pad:
            Port of the board's clock, as `platform.request` gives it with ``dir="-"``.
        package:
            That of the FPGA; None where none is known.
        clock, locked:
            What it drives: the clock that it makes, and whether that is good.
        """


_Setting = TypeVar("_Setting", bound=Pll)


class Range(NamedTuple):
    """Frequencies in hertz, both ends included."""

    low: int
    high: int

    def holds(self, hz: Fraction) -> bool:
        """Whether a frequency is in it."""
        return self.low <= hz <= self.high


class Candidate(NamedTuple, Generic[_Setting]):
    """A setting that a PLL can have, with the two frequencies inside of it."""

    setting: _Setting
    detector: Fraction
    oscillator: Fraction


def nearest(
    family: str, candidates: Iterable[Candidate[_Setting]], input_hz: int, wanted_hz: int
) -> _Setting:
    """Choose the setting that makes the frequency nearest to the one wanted.

    Parameters
    ----------
    family:
        Name of the family, for the message of an error.
    candidates:
        All settings that come into question.
    input_hz, wanted_hz:
        Frequency of the board's clock, and the one wanted.

    Raises
    ------
    ClockError
        Nothing within `TOLERANCE` can be made.
    """

    def order(candidate: Candidate[_Setting]) -> tuple[Fraction, Fraction, Fraction]:
        error = _error(candidate.setting.hz, wanted_hz)
        return error, -candidate.detector, candidate.oscillator

    best = min(candidates, key=order, default=None)
    if best is None or _error(best.setting.hz, wanted_hz) > TOLERANCE:
        raise ClockError(
            f"the PLL of an {family} FPGA cannot make {wanted_hz / MHZ:g} MHz of "
            f"{input_hz / MHZ:g} MHz: choose another clock"
        )
    return best.setting


def around(value: Fraction, most: int) -> Iterable[int]:
    """Give the whole numbers next to a value, as far as they are in 1…most."""
    return (number for number in {floor(value), ceil(value)} if 1 <= number <= most)


def _error(hz: Fraction, wanted_hz: int) -> Fraction:
    return abs(hz / wanted_hz - 1)
