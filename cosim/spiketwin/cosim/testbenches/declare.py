"""The decorator that declares a cocotb test, and the driver that it passes to the test."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Final, Generic, Protocol, TypeVar

import cocotb

from spiketwin.cosim.testbenches.levels import LEVEL_VARIABLE, PARAMS_VARIABLE, SEED_VARIABLE
from spiketwin.cosim.testbenches.scoreboard import Scoreboard
from spiketwin.hdl.spec.params import CoreParams

_LONGEST: Final = 500_000_000
"""Simulation steps after which a test fails by default; far more than ours take."""


class WrongLevel(AssertionError):
    """A driver was given a top without its ports.

    It ends a test within the simulator, and is reported as any assertion is.
    """


class Driver(Protocol):
    """The argument of a test: the device under test and all that belongs to it.

    Attributes
    ----------
    drives:
        Level at which it drives (`levels.LEVELS`).
    scoreboard:
        The scoreboard that compares.
    """

    drives: ClassVar[str]
    scoreboard: Scoreboard

    def __init__(self, dut: Any, params: CoreParams, seed: int) -> None: ...

    async def start(self) -> None:
        """Start the clock."""


D = TypeVar("D", bound=Driver)


class Benches(Generic[D]):
    """Decorator for the cocotb tests of a module; a test that compares nothing fails.

    Parameters
    ----------
    driver:
        Class of the driver of the device under test, made of its top, its sizes and the seed. Its
        `start` is awaited before the test begins.
    longest:
        Simulation steps after which a test fails.

    Attributes
    ----------
    level:
        Level of the driver.
    names:
        Names of all tests declared.
    """

    def __init__(self, driver: type[D], longest: int = _LONGEST) -> None:
        self._driver = driver
        self._longest = longest
        self.level = driver.drives
        self.names: list[str] = []

    def __call__(self, test: Callable[..., Awaitable[None]]) -> Any:
        """Declare a test with a driver as argument, and those of `cocotb.parametrize` by name."""
        self.names.append(test.__name__)

        @cocotb.test(timeout_time=self._longest, timeout_unit="step")
        @functools.wraps(test)
        async def run(dut: Any, **arguments: Any) -> None:
            level = os.environ.get(LEVEL_VARIABLE, self.level)
            if level != self.level:
                raise WrongLevel(
                    f"{self._driver.__name__} drives a core at the level of {self.level}, and this "
                    f"one is built for {level}: simulate it with --level {self.level}"
                )
            params = CoreParams(**json.loads(os.environ[PARAMS_VARIABLE]))
            driver = self._driver(dut, params, int(os.environ[SEED_VARIABLE]))
            await driver.start()
            await test(driver, **arguments)
            driver.scoreboard.finish()
            cocotb.log.info("%d comparisons", driver.scoreboard.comparisons)

        return run
