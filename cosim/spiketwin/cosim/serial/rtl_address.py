"""Which RTL an address means."""

from __future__ import annotations

from typing import Final

from serial import SerialException

from spiketwin.cosim.rtl.build import BuildError, Design, DesignError, library
from spiketwin.cosim.rtl.toolchain import ToolMissing
from spiketwin.cosim.serial.address import (
    DEFAULT_PARAMS,
    AddressError,
    core_params,
    integer,
    options,
)
from spiketwin.hdl.spec.params import ParamsError

OPTIONS: Final = ("params", "level", "cycles_per_bit", "clock")


def design(url: str, level: str) -> Design:
    """Read ``…?params=full&level=pins&cycles_per_bit=4&clock=100e6`` and build what it asks for.

    Parameters
    ----------
    url:
        The address; every option may be left out.
    level:
        The level unless the address says.

    Raises
    ------
    SerialException
        It asks for something that does not exist or cannot be built.
    """
    try:
        given = options(url, OPTIONS)
        result = Design(
            params=core_params(given.get("params", DEFAULT_PARAMS)),
            level=given.get("level", level),
            cycles_per_bit=integer(
                "cycles_per_bit", given.get("cycles_per_bit", str(Design.cycles_per_bit))
            ),
            clock_hz=integer("clock", given.get("clock", str(Design.clock_hz))),
        )
        library(result)
    except (AddressError, BuildError, DesignError, ParamsError, ToolMissing) as error:
        raise SerialException(str(error)) from error
    return result
