"""What the URL of a target in this process says: ``model://?params=full&clock=100000000``."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final
from urllib.parse import parse_qsl, urlsplit

import serial

from spiketwin.hdl.spec.errors import SpiketwinError
from spiketwin.hdl.spec.params import (
    DEFAULT_CLOCK_HZ,
    DEFAULT_PRESET,
    CoreParams,
    ParamsError,
    preset,
)
from spiketwin.hdl.spec.protocol import MAX_CLOCK_HZ
from spiketwin.hdl.spec.text import number, shown

DEFAULT_PARAMS: Final = DEFAULT_PRESET
DEFAULT_CLOCK: Final = str(DEFAULT_CLOCK_HZ)
"""What an option says that is not given."""


class TargetUrlError(SpiketwinError, serial.SerialException):
    """The URL of a target is wrong; the message says what is allowed."""

    exit_status = 2


def options(url: str, allowed: Collection[str]) -> dict[str, str]:
    """Options of `url` by name; `TargetUrlError` if one is unknown or given twice."""
    try:
        parts = urlsplit(url)
    except ValueError as error:  # a bracket that is not closed, for instance
        raise TargetUrlError(f"it is no address ({error}): write SCHEME://?NAME=VALUE&…") from error
    if parts.netloc or parts.path or parts.fragment:
        raise TargetUrlError(
            "it names a place, but this target is in the process: "
            f"write {parts.scheme}://?NAME=VALUE&…"
        )
    found: dict[str, str] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in allowed:
            raise TargetUrlError(
                f"there is no option {shown(name)}: choose of {', '.join(sorted(allowed))}"
            )
        if name in found:
            raise TargetUrlError(f"it gives {shown(name)} twice: give it once")
        found[name] = value
    return found


def core_params(value: str) -> CoreParams:
    """Sizes for the option ``params`` (`preset`); `TargetUrlError` if it means none."""
    try:
        return preset(value)
    except ParamsError as error:
        raise TargetUrlError(f"params={value:.60}: {error}") from error


def clock_hz(value: str) -> int:
    """Clock frequency for the option ``clock``; `TargetUrlError` unless 1…2**32 - 1."""
    hertz = number(value)
    if hertz is None or not 1 <= hertz <= MAX_CLOCK_HZ:
        raise TargetUrlError(f"clock={value:.60}: must be in 1…{MAX_CLOCK_HZ} (hertz)")
    return hertz
