"""The line at one rate after the other: which rates it carries, and the errors at each.

A target without a line, such as the model, has no rates to try.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from spiketwin.cosim.trials.selftest.echo import Echo, Losses
from spiketwin.hdl.spec.results import Result
from spiketwin.host.core import Core
from spiketwin.host.errors import InvalidInput, LinkTimeout
from spiketwin.host.progress import Steps

RATES: Final = (
    115_200, 230_400, 460_800, 500_000, 921_600, 1_000_000, 1_500_000, 2_000_000, 3_000_000,
    4_000_000, 6_000_000, 12_000_000,
)  # fmt: skip
"""Rates in bits per second that common adapters make, tried beside the rate of the link."""

EXCHANGES: Final = 40
_MOST_BYTES: Final = 32


@dataclass(frozen=True)
class Rate(Result):
    """The result at one rate.

    Attributes
    ----------
    baud:
        Requested rate, in bits per second.
    exchanges, wrong:
        Blocks written and read back at this rate, and how many of them came back different.
    losses:
        Frames and bytes damaged or lost, in either direction; all were recovered.
    trouble:
        Why the rate could not be used at all; None if it could.
    """

    json_keys = ("baud", "clean", "exchanges", "wrong", "losses", "trouble")
    json_merged = ("losses",)

    baud: int
    exchanges: int
    wrong: int
    losses: Losses
    trouble: str | None = None

    @property
    def clean(self) -> bool:
        """Whether the rate can be used without a single error."""
        return not (self.trouble or self.wrong or self.losses.damaged)


def check(core: Core, seed: int, progress: Steps) -> tuple[Rate, ...]:
    """Try the rate of the link and all of `RATES`, and return to the first; none without a line.

    Raise `SpiketwinError` as `spiketwin.cosim.trials.selftest.check`.
    """
    if not core.link.has_line:
        return ()
    first = core.link.baud
    found = []
    rates = [first, *(rate for rate in RATES if rate != first)]
    for number, baud in enumerate(rates):
        found.append(_tried(core, baud, np.random.default_rng((seed, 3, number))))
        progress(number + 1, len(rates))
    if core.link.baud != first:
        core.set_baud(first)
    return tuple(found)


def _tried(core: Core, baud: int, rng: np.random.Generator) -> Rate:
    echo = Echo(core, EXCHANGES, rng, most_bytes=_MOST_BYTES)
    before = Losses.so_far(core)
    trouble = None
    try:
        if baud != core.link.baud:
            core.set_baud(baud)
        core.link.run(echo.program())
    except (InvalidInput, LinkTimeout) as error:
        trouble = str(error)
    return Rate(baud, echo.done, echo.wrong, Losses.so_far(core) - before, trouble)
