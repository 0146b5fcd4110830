"""The settings of PLLs: exact, within the data sheets, and the nearest there is."""

from collections.abc import Callable
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray
from support.rungs import bulk_but

from spiketwin.firmware.clocks import TOLERANCE
from spiketwin.firmware.errors import ClockError
from spiketwin.firmware.families.ecp5 import ECP5, Ecp5Pll
from spiketwin.firmware.families.ice40 import ICE40_HX, Ice40Pll
from spiketwin.firmware.families.xc7 import XC7, Xc7Mmcm
from spiketwin.firmware.family import Family, families

Floats = NDArray[np.float64]
Every = Callable[[int], Floats]

MHZ = 1_000_000
INPUTS = [12 * MHZ, 25 * MHZ, 48 * MHZ, 100 * MHZ]
WANTED = [round(mhz * MHZ) for mhz in (*range(1, 21), *range(25, 301, 5), 12.5, 33.333, 66.6667)]


def every(
    hz: int,
    dividers: Floats,
    factors: Floats,
    outputs: Floats,
    detector: tuple[float, float],
    oscillator: tuple[float, float],
    output: tuple[float, float],
) -> Floats:
    """All frequencies that a PLL makes within its ranges in MHz, ascending."""
    detectors = within(hz / dividers, detector)
    oscillators = within(np.outer(detectors, factors), oscillator)
    return within(np.outer(oscillators, 1 / outputs), output)


def within(hz: Floats, span: tuple[float, float]) -> Floats:
    low, high = span
    return np.unique(hz[(hz >= low * MHZ * (1 - 1e-12)) & (hz <= high * MHZ * (1 + 1e-12))])


KINDS: dict[str, tuple[Family, Every]] = {
    # FPGA-TN-02052
    "ice40": (
        ICE40_HX,
        partial(
            every,
            dividers=np.arange(1.0, 17),
            factors=np.arange(1.0, 129),
            outputs=np.array([2.0, 4, 8, 16, 32, 64]),
            detector=(10, 133),
            oscillator=(533, 1066),
            output=(16, 275),
        ),
    ),
    # FPGA-DS-02012, the first output feeding back undivided
    "ecp5": (
        ECP5,
        partial(
            every,
            dividers=np.arange(1.0, 129),
            factors=np.arange(1.0, 129),
            outputs=np.arange(1.0, 129),
            detector=(10, 400),
            oscillator=(400, 800),
            output=(3.125, 400),
        ),
    ),
    # DS181, speed grade -1
    "xc7": (
        XC7,
        partial(
            every,
            dividers=np.arange(1.0, 107),
            factors=np.arange(2, 64.01, 0.125),
            outputs=np.arange(2, 128.01, 0.125),
            detector=(10, 450),
            oscillator=(600, 1200),
            output=(4.69, 800),
        ),
    ),
}


def test_every_family_is_tried() -> None:
    assert {type(family) for family, _ in KINDS.values()} == set(map(type, families().values()))


@pytest.mark.parametrize("hz", bulk_but(INPUTS[:1], INPUTS))
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_nearer_can_be_made(kind: str, hz: int) -> None:
    family, every_one = KINDS[kind]
    made = every_one(hz)
    for wanted in WANTED:
        best = np.abs(made / wanted - 1).min()
        if best > TOLERANCE:
            with pytest.raises(ClockError, match=f"{wanted / MHZ:g} MHz of {hz / MHZ:g} MHz"):
                family.pll(hz, wanted)
        else:
            assert abs(family.pll(hz, wanted).hz / wanted - 1) <= best + 1e-9


@pytest.mark.parametrize("hz", INPUTS)
def test_an_ice40_setting_makes_its_frequency_within_the_data_sheet(hz: int) -> None:
    made = 0
    for wanted in range(16 * MHZ, 276 * MHZ, MHZ):
        try:
            pll = ICE40_HX.pll(hz, wanted)
        except ClockError:
            continue
        assert isinstance(pll, Ice40Pll)
        detector = Fraction(hz, pll.divr + 1)
        oscillator = detector * (pll.divf + 1)
        assert pll.hz == oscillator / 2**pll.divq
        assert 0 <= pll.divr < 16
        assert 0 <= pll.divf < 128
        assert 1 <= pll.divq <= 6
        assert 10 * MHZ <= detector <= 133 * MHZ
        assert 533 * MHZ <= oscillator <= 1066 * MHZ
        # What icepll of Project IceStorm chooses.
        bounds = [17, 26, 44, 66, 101, 134]
        assert pll.filter_range == 1 + next(i for i, m in enumerate(bounds) if detector < m * MHZ)
        made += 1
    assert made > 100


@pytest.mark.parametrize("hz", INPUTS)
def test_an_ecp5_setting_makes_its_frequency_within_the_data_sheet(hz: int) -> None:
    made = 0
    for wanted in range(4 * MHZ, 400 * MHZ, 6 * MHZ):
        try:
            pll = ECP5.pll(hz, wanted)
        except ClockError:
            continue
        assert isinstance(pll, Ecp5Pll)
        detector = Fraction(hz, pll.input_divider)
        oscillator = detector * pll.factor
        assert pll.hz == oscillator / pll.output_divider
        assert all(1 <= n <= 128 for n in (pll.input_divider, pll.factor, pll.output_divider))
        assert 10 * MHZ <= detector <= 400 * MHZ
        assert 400 * MHZ <= oscillator <= 800 * MHZ
        made += 1
    assert made > 20


@pytest.mark.parametrize("hz", INPUTS)
def test_a_7_series_setting_makes_its_frequency_within_the_data_sheet(hz: int) -> None:
    for wanted in range(5 * MHZ, 300 * MHZ, 15 * MHZ):
        mmcm = XC7.pll(hz, wanted)
        assert isinstance(mmcm, Xc7Mmcm)
        detector = Fraction(hz, mmcm.input_divider)
        oscillator = detector * mmcm.factor
        assert mmcm.hz == oscillator / mmcm.output_divider
        assert 1 <= mmcm.input_divider <= 106
        assert 2 <= mmcm.factor <= 64
        assert 2 <= mmcm.output_divider <= 128
        assert (8 * mmcm.factor).denominator == (8 * mmcm.output_divider).denominator == 1
        assert 10 * MHZ <= detector <= 450 * MHZ
        assert 600 * MHZ <= oscillator <= 1200 * MHZ
