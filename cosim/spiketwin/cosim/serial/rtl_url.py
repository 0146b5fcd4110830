"""Which RTL a URL means: ``?params=full&level=pins&cycles_per_bit=4&clock=100000000``."""

from __future__ import annotations

from typing import Final

from spiketwin.cosim.rtl.build import Design, DesignError
from spiketwin.cosim.serial import target_url

_OPTIONS: Final = ("params", "level", "cycles_per_bit", "clock")


def design(url: str, default_level: str) -> Design:
    """Read a URL; options that it leaves out have the defaults of `Design`, but for the level.

    Raises
    ------
    TargetUrlError
        It asks for something that does not exist.
    """
    given = target_url.options(url, _OPTIONS)
    rate = given.get("cycles_per_bit", str(Design.cycles_per_bit))
    if not (rate.isascii() and rate.isdecimal()):
        raise target_url.TargetUrlError(f"cycles_per_bit must be a number, not {rate!r}")
    try:
        return Design(
            params=target_url.core_params(given.get("params", target_url.DEFAULT_PARAMS)),
            level=given.get("level", default_level),
            cycles_per_bit=int(rate),
            clock_hz=target_url.clock_hz(given.get("clock", target_url.DEFAULT_CLOCK)),
        )
    except DesignError as error:
        raise target_url.TargetUrlError(str(error)) from error
