"""From a target to its RTL or netlist: ``rtl:?params=full&level=pins&cycles_per_bit=4``."""

from __future__ import annotations

from spiketwin.cosim.rtl.build import Design, DesignError
from spiketwin.cosim.serial import CYCLES_PER_BIT, FAMILY, LEVEL, POWER_UP
from spiketwin.cosim.serial.sizes import clock_hz, core_params
from spiketwin.hdl.spec.text import number, shown
from spiketwin.host.errors import TargetError
from spiketwin.host.kinds import Target


def design_of(target: Target, default_level: str, default_family: str | None = None) -> Design:
    """Return the design that a target means.

    Parameters
    ----------
    target:
        The target. Options that it leaves out have the defaults of `Design`.
    default_level:
        The level if the target names none.
    default_family:
        The family of the netlist if the target names none; None stands for the RTL itself.

    Raises
    ------
    TargetError
        The target asks for something that does not exist.
    """
    options = target.options
    cycles_per_bit = _number(target, CYCLES_PER_BIT)
    try:
        return Design(
            params=core_params(target),
            level=options.get(LEVEL, default_level),
            cycles_per_bit=Design.cycles_per_bit if cycles_per_bit is None else cycles_per_bit,
            clock_hz=clock_hz(target),
            family=options.get(FAMILY, default_family),
            power_up=_number(target, POWER_UP),
        )
    except DesignError as error:
        raise TargetError(f"{target} cannot be opened: {error}") from error


def _number(target: Target, option: str) -> int | None:
    """Return the value of an option; None if it is left out."""
    text = target.options.get(option)
    value = None if text is None else number(text)
    if text is not None and value is None:
        raise TargetError(
            f"{target} cannot be opened: {option} must be a number, not {shown(text)}"
        )
    return value
