"""The sizes and the clock of a simulated target."""

from __future__ import annotations

from spiketwin.cosim.serial import CLOCK
from spiketwin.hdl.spec.params import DEFAULT_CLOCK_HZ, DEFAULT_PRESET, PRESETS, CoreParams
from spiketwin.hdl.spec.protocol import MAX_CLOCK_HZ
from spiketwin.hdl.spec.text import number
from spiketwin.host.errors import InvalidInput, TargetError
from spiketwin.host.kinds import Target


def core_params(target: Target) -> CoreParams:
    """Return the sizes of a target's core, the default ones if it does not name them."""
    return target.params or PRESETS[DEFAULT_PRESET]


def clock_hz(target: Target) -> int:
    """Return the clock frequency of a target; raise `TargetError` unless it is 1…2**32 - 1."""
    if CLOCK not in target.options:
        return DEFAULT_CLOCK_HZ
    try:
        return hertz_of(target.options[CLOCK])
    except InvalidInput as error:
        raise TargetError(f"{target} cannot be opened: {error}") from error


def hertz_of(text: str) -> int:
    """Return the frequency in a text; raise `InvalidInput` if a core cannot report it."""
    hertz = number(text)
    if hertz is None or not 1 <= hertz <= MAX_CLOCK_HZ:
        raise InvalidInput(f"clock={text:.60}: must be in 1…{MAX_CLOCK_HZ} (hertz)")
    return hertz
