"""Which RTL or netlist a URL means: ``?params=full&level=pins&cycles_per_bit=4&clock=100000``."""

from __future__ import annotations

from typing import Final

from spiketwin.cosim.rtl.build import Design, DesignError
from spiketwin.cosim.serial import target_url
from spiketwin.hdl.spec.text import number, shown

_OPTIONS: Final = ("params", "level", "cycles_per_bit", "clock")


def design(url: str, default_level: str, default_family: str | None = None) -> Design:
    """Read a URL; options that it leaves out have the defaults of `Design`, but for those here.

    With a family by default it means a netlist, and has an option for another family.

    Raises
    ------
    TargetUrlError
        It asks for something that does not exist.
    """
    given = target_url.options(url, _OPTIONS if default_family is None else (*_OPTIONS, "family"))
    rate = given.get("cycles_per_bit", str(Design.cycles_per_bit))
    cycles_per_bit = number(rate)
    if cycles_per_bit is None:
        raise target_url.TargetUrlError(f"cycles_per_bit must be a number, not {shown(rate)}")
    try:
        return Design(
            params=target_url.core_params(given.get("params", target_url.DEFAULT_PARAMS)),
            level=given.get("level", default_level),
            cycles_per_bit=cycles_per_bit,
            clock_hz=target_url.clock_hz(given.get("clock", target_url.DEFAULT_CLOCK)),
            family=given.get("family", default_family),
        )
    except DesignError as error:
        raise target_url.TargetUrlError(str(error)) from error
