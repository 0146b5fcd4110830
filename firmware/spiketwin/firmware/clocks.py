"""The clock of the core from that of the board: what each family's PLL can make, and how.

Every function gives the setting whose frequency is nearest to the one wanted, its output exactly as
a fraction. Of equals it takes the highest frequency at the phase detector, which has least jitter,
and then the lowest of the oscillator, which takes least power.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import Final, NamedTuple, TypeVar

from spiketwin.hdl.spec.errors import SpiketwinError

TOLERANCE: Final = Fraction(1, 50)
"""How far from the frequency wanted the nearest one may be."""

_MHZ: Final = 1_000_000

_Setting = TypeVar("_Setting")


class ClockError(SpiketwinError, ValueError):
    """A frequency that the PLL of the board cannot make."""

    exit_status = 2


class _Range(NamedTuple):
    """Frequencies in hertz, both ends included."""

    low: int
    high: int

    def holds(self, hz: Fraction) -> bool:
        """Whether a frequency is in it."""
        return self.low <= hz <= self.high


@dataclass(frozen=True)
class Ice40Pll:
    """Setting of an SB_PLL40 with simple feedback (Lattice FPGA-TN-02052)."""

    divr: int
    divf: int
    divq: int
    filter_range: int
    hz: Fraction


_ICE40_OUTPUT: Final = _Range(16 * _MHZ, 275 * _MHZ)
_ICE40_DETECTOR: Final = _Range(10 * _MHZ, 133 * _MHZ)
_ICE40_OSCILLATOR: Final = _Range(533 * _MHZ, 1066 * _MHZ)
_ICE40_FILTERS: Final = (17, 26, 44, 66, 101)
"""Frequencies of the phase detector, in MHz, from which on the next loop filter is to be used."""


def ice40_pll(input_hz: int, wanted_hz: int) -> Ice40Pll:
    """Set an SB_PLL40: ``input · (DIVF + 1) / (DIVR + 1) / 2**DIVQ``.

    Raises
    ------
    ClockError
        Nothing within 2 % can be made.
    """
    settings = []
    for divr in range(16):
        detector = Fraction(input_hz, divr + 1)
        if not _ICE40_DETECTOR.holds(detector):
            continue
        filter_range = 1 + sum(detector >= limit * _MHZ for limit in _ICE40_FILTERS)
        for divq in range(1, 7):
            for factor in _around(wanted_hz * 2**divq / detector, 128):
                oscillator = detector * factor
                setting = Ice40Pll(divr, factor - 1, divq, filter_range, oscillator / 2**divq)
                if _ICE40_OSCILLATOR.holds(oscillator) and _ICE40_OUTPUT.holds(setting.hz):
                    settings.append((_error(setting.hz, wanted_hz), -detector, oscillator, setting))
    return _nearest("iCE40", settings, input_hz, wanted_hz)


@dataclass(frozen=True)
class Ecp5Pll:
    """Setting of an EHXPLLL (Lattice FPGA-DS-02012, FPGA-TN-02200).

    The first output feeds back, so that `factor` is its divider; the second one is the clock.
    """

    input_divider: int
    factor: int
    output_divider: int
    hz: Fraction


_ECP5_OUTPUT: Final = _Range(3_125_000, 400 * _MHZ)
_ECP5_DETECTOR: Final = _Range(10 * _MHZ, 400 * _MHZ)
_ECP5_OSCILLATOR: Final = _Range(400 * _MHZ, 800 * _MHZ)
_ECP5_DIVIDERS: Final = 128


def ecp5_pll(input_hz: int, wanted_hz: int) -> Ecp5Pll:
    """Set an EHXPLLL: ``input · CLKOP_DIV / CLKI_DIV / CLKOS_DIV``.

    Raises
    ------
    ClockError
        Nothing within 2 % can be made.
    """
    settings = []
    for input_divider in range(1, _ECP5_DIVIDERS + 1):
        detector = Fraction(input_hz, input_divider)
        if not _ECP5_DETECTOR.holds(detector):
            continue
        for factor in range(1, _ECP5_DIVIDERS + 1):
            oscillator = detector * factor
            if not _ECP5_OSCILLATOR.holds(oscillator):
                continue
            for output_divider in _around(oscillator / wanted_hz, _ECP5_DIVIDERS):
                setting = Ecp5Pll(
                    input_divider, factor, output_divider, oscillator / output_divider
                )
                if _ECP5_OUTPUT.holds(setting.hz):
                    settings.append((_error(setting.hz, wanted_hz), -detector, oscillator, setting))
    return _nearest("ECP5", settings, input_hz, wanted_hz)


@dataclass(frozen=True)
class Xc7Mmcm:
    """Setting of an MMCME2 of a 7-series FPGA, speed grade -1 (AMD DS181, UG472)."""

    input_divider: int
    factor: Fraction
    output_divider: Fraction
    hz: Fraction


_XC7_DETECTOR: Final = _Range(10 * _MHZ, 450 * _MHZ)
_XC7_OSCILLATOR: Final = _Range(600 * _MHZ, 1200 * _MHZ)
_XC7_OUTPUT: Final = _Range(4_690_000, 800 * _MHZ)


def xc7_mmcm(input_hz: int, wanted_hz: int) -> Xc7Mmcm:
    """Set an MMCME2: ``input · CLKFBOUT_MULT_F / DIVCLK_DIVIDE / CLKOUT0_DIVIDE_F``.

    Factor and output divider go in eighths, 2…64 and 2…128.

    Raises
    ------
    ClockError
        Nothing within 2 % can be made.
    """
    settings = []
    for input_divider in range(1, 107):
        detector = Fraction(input_hz, input_divider)
        if not _XC7_DETECTOR.holds(detector):
            continue
        for eighths in range(16, 8 * 64 + 1):
            factor = Fraction(eighths, 8)
            oscillator = detector * factor
            if not _XC7_OSCILLATOR.holds(oscillator):
                continue
            for divider_eighths in _around(8 * oscillator / wanted_hz, 8 * 128):
                output_divider = Fraction(divider_eighths, 8)
                hz = oscillator / output_divider
                setting = Xc7Mmcm(input_divider, factor, output_divider, hz)
                if output_divider >= 2 and _XC7_OUTPUT.holds(hz):
                    settings.append((_error(hz, wanted_hz), -detector, oscillator, setting))
    return _nearest("7-series", settings, input_hz, wanted_hz)


def _around(value: Fraction, most: int) -> Iterable[int]:
    """Whole numbers next to a value, in 1…most."""
    return (number for number in {floor(value), ceil(value)} if 1 <= number <= most)


def _error(hz: Fraction, wanted_hz: int) -> Fraction:
    return abs(hz / wanted_hz - 1)


def _nearest(
    family: str,
    settings: list[tuple[Fraction, Fraction, Fraction, _Setting]],
    input_hz: int,
    wanted_hz: int,
) -> _Setting:
    best = min(settings, key=lambda candidate: candidate[:3], default=None)
    if best is None or best[0] > TOLERANCE:
        raise ClockError(
            f"the PLL of an {family} FPGA cannot make {wanted_hz / _MHZ:g} MHz of "
            f"{input_hz / _MHZ:g} MHz: choose another clock"
        )
    return best[3]
