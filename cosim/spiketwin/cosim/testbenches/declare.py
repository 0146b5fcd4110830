"""How a test is declared, and what it is told from outside the simulator."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Awaitable, Callable
from typing import Any, Final, Generic, Protocol, TypeVar

import cocotb

from spiketwin.cosim.testbenches.scoreboard import Scoreboard
from spiketwin.hdl.spec.params import CoreParams

PARAMS_VARIABLE: Final = "SPIKETWIN_BENCH_PARAMS"
"""Environment variable with the sizes, as JSON."""

SEED_VARIABLE: Final = "COCOTB_RANDOM_SEED"

_LONGEST: Final = 500_000_000
"""Simulation steps that a test may take; far above all of them."""


class Driver(Protocol):
    """What a test is given: the device under test and all that belongs to it."""

    scoreboard: Scoreboard

    async def start(self) -> None:
        """Start the clock."""


D = TypeVar("D", bound=Driver)


class Benches(Generic[D]):
    """Decorator for the cocotb tests of a module; a test that compares nothing fails.

    Parameters
    ----------
    driver:
        Makes the driver of the device under test, from its top, its sizes and the seed.

    Attributes
    ----------
    names:
        Of all tests declared.
    """

    def __init__(self, driver: Callable[[Any, CoreParams, int], D]) -> None:
        self._driver = driver
        self.names: list[str] = []

    def __call__(self, test: Callable[[D], Awaitable[None]]) -> Any:
        """Declare a test."""
        self.names.append(test.__name__)

        @cocotb.test(timeout_time=_LONGEST, timeout_unit="step")
        @functools.wraps(test)
        async def run(dut: Any) -> None:
            params = CoreParams(**json.loads(os.environ[PARAMS_VARIABLE]))
            driver = self._driver(dut, params, int(os.environ[SEED_VARIABLE]))
            await driver.start()
            await test(driver)
            driver.scoreboard.finish()
            cocotb.log.info("%d comparisons", driver.scoreboard.comparisons)

        return run
