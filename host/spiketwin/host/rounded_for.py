"""The time of a tick and the sizes of a core for which the network of a file was rounded."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from spiketwin.hdl.spec.text import shown
from spiketwin.host.errors import NetworkFileError

_RANGES: Final = {
    "weight_width": (4, 16), "v_width": (8, 24), "i_syn_width": (8, 24),
    "decay_shift": (False, True),
}  # fmt: skip
"""Sizes that a file may name, and their ranges."""

_LONGEST: Final = 1e6
"""Most seconds of a tick."""


@dataclass(frozen=True)
class RoundedFor:
    """The tick and sizes that a network was rounded for, which an import knows and a file may keep.

    Attributes
    ----------
    dt:
        Seconds of a tick; None if it stands for none.
    sizes:
        Sizes of the core, arguments of `Network.core_params`.
    """

    dt: float | None = None
    sizes: Mapping[str, int] = field(default_factory=dict)

    def header(self) -> dict[str, Any]:
        """Return it as the header of a file has it."""
        sizes = {
            name: type(_RANGES[name][0])(value)
            for name, value in self.sizes.items()
            if name in _RANGES
        }
        return {"sizes": sizes} | ({} if self.dt is None else {"dt": str(float(self.dt))})

    @classmethod
    def of_header(cls, given: object) -> RoundedFor:
        """Return what a header says; raise `NetworkFileError` for anything that it cannot say."""
        if not isinstance(given, dict) or not {"sizes"} <= given.keys() <= {"sizes", "dt"}:
            raise NetworkFileError(f"rounded_for must have sizes, and maybe dt, not {shown(given)}")
        sizes = given["sizes"]
        if not isinstance(sizes, dict):
            raise NetworkFileError(f"sizes of rounded_for must be by name, not {shown(sizes)}")
        for name, value in sizes.items():
            low, high = _RANGES.get(name, (1, 0))
            if type(value) is not type(low) or not low <= value <= high:
                raise NetworkFileError(
                    f"sizes of rounded_for must be some of {', '.join(_RANGES)} within their "
                    f"ranges, and not {shown(name)} of {shown(value)}"
                )
        return cls(_seconds(given["dt"]) if "dt" in given else None, sizes)


def _seconds(given: object) -> float:
    try:
        dt = float(given) if isinstance(given, str) else math.nan
    except ValueError:
        dt = math.nan
    if not 0 < dt <= _LONGEST:
        raise NetworkFileError(
            f"dt of rounded_for must be seconds above 0 as text, not {shown(given)}"
        )
    return dt
