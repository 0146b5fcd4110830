"""From a target to its RTL or netlist: ``rtl:?params=full&level=pins&cycles_per_bit=4``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from spiketwin.cosim.rtl.build import Design, DesignError
from spiketwin.cosim.serial import CYCLES_PER_BIT, FAMILY, IMAGE, LEVEL, POWER_UP
from spiketwin.cosim.serial.sizes import clock_hz, core_params
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.protocol import DEFAULT_BAUD
from spiketwin.hdl.spec.text import number, shown
from spiketwin.host.errors import TargetError
from spiketwin.host.kinds import Target

_FIGURES: Final = "figures.json"


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
    if IMAGE in options:
        return _design_in(target)
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


def _design_in(target: Target) -> Design:
    """Return the design of a target that comes out of a build for a board."""
    image = Path(target.options[IMAGE])
    others = sorted({*target.options} - {IMAGE}) + ["params"] * (target.params is not None)
    if others:
        raise TargetError(
            f"{target} cannot be opened: what comes from a build has its own sizes, clock and "
            f"rate, so leave out {' and '.join(others)}"
        )
    figures = image.with_name(_FIGURES)
    for file in (image, figures):
        if not file.is_file():
            raise TargetError(
                f"{target} cannot be opened: there is no file {file}. `spiketwin build --board "
                f"BOARD --netlist --out DIR` makes a folder with both, the design and {_FIGURES}"
            )
    try:
        found = json.loads(figures.read_text(encoding="utf-8"))
        clock_hz = round(1e6 * found["target_mhz"])
        return Design(
            params=CoreParams(**found["params"]), level="pins", clock_hz=clock_hz,
            cycles_per_bit=round(clock_hz / DEFAULT_BAUD), image=str(image.resolve()),
        )  # fmt: skip
    except (ValueError, TypeError, KeyError) as error:
        raise TargetError(
            f"{target} cannot be opened: {figures} does not describe a core: {error}"
        ) from error
