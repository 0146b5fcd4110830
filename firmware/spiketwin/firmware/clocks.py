"""PLLs, which make the clock of the core from that of the board: the part common to all families.

The search for a setting takes the one with the frequency nearest to the one wanted; frequencies are
exact fractions. Among equal ones it prefers the highest frequency at the phase detector, with least
jitter, and then the lowest frequency of the oscillator, with least power.
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
"""Largest relative difference between the nearest frequency and the one wanted."""

MHZ: Final = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Pll(ABC):
    """A setting of the PLL of one family.

    Attributes
    ----------
    hz:
        The frequency that the PLL makes with this setting.
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
            The module that the PLL is added to.
        pad:
            Port of the board's clock, as `platform.request` returns it with ``dir="-"``.
        package:
            Package of the FPGA; None if the family describes no packages.
        clock, locked:
            Signals that the PLL drives: its clock, and whether the clock is good.
        """


_Setting = TypeVar("_Setting", bound=Pll)


class Range(NamedTuple):
    """A range of frequencies in hertz, both ends included."""

    low: int
    high: int

    def holds(self, hz: Fraction) -> bool:
        """Return whether a frequency is in the range."""
        return self.low <= hz <= self.high


class Candidate(NamedTuple, Generic[_Setting]):
    """A possible setting of a PLL, with the frequencies of its phase detector and oscillator."""

    setting: _Setting
    detector: Fraction
    oscillator: Fraction


def nearest(
    family: str, candidates: Iterable[Candidate[_Setting]], input_hz: int, wanted_hz: int
) -> _Setting:
    """Return the setting with the frequency nearest to the one wanted.

    Parameters
    ----------
    family:
        Name of the family, for error messages.
    candidates:
        All possible settings.
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
    """Return the whole numbers next to a value, as far as they are in 1…most."""
    return (number for number in {floor(value), ceil(value)} if 1 <= number <= most)


def _error(hz: Fraction, wanted_hz: int) -> Fraction:
    return abs(hz / wanted_hz - 1)
