"""The figures of a build: the keys of ``figures.json`` and of what ``spiketwin build`` writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from spiketwin.firmware.family import KINDS
from spiketwin.firmware.use import Use
from spiketwin.hdl.spec.results import Result


@dataclass(frozen=True)
class BuildFigures(Result):
    """The result of ``spiketwin build``.

    Attributes
    ----------
    board:
        Name of the board.
    params:
        Every size of the core, by its name.
    logic, memory, dsp:
        Use of logic cells, block RAMs and multipliers.
    flip_flops:
        Use of flip-flops; only where they are routed as cells of their own.
    spram:
        Use of single-port RAMs; only where there are any.
    target_mhz:
        Clock of the core.
    fmax_mhz:
        Clock that the routed design is good for; null where nothing was routed.
    max_baud:
        Rate of the fastest line.
    seed:
        Seed of the placement.
    seconds:
        Wall time of the build.
    origin:
        How the figures were found.
    """

    json_optional = ("flip_flops", "spram")

    board: str
    params: dict[str, int]
    logic: Use
    memory: Use
    dsp: Use
    flip_flops: Use | None
    spram: Use | None
    target_mhz: float
    fmax_mhz: float | None
    max_baud: int
    seed: int
    seconds: float
    origin: str

    @classmethod
    def of(cls, written: Mapping[str, Any]) -> Self:
        """Return the figures that are written in a file."""
        uses = {kind: Use(**written[kind]) if kind in written else None for kind in KINDS}
        return cls(**{**written, **uses})
