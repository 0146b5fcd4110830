"""What is to be known of a family of FPGAs; each family is one file in `families/`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any, Final

from amaranth.hdl import ClockSignal, Module, ResetSignal, Signal
from amaranth.lib import io

from spiketwin.firmware import discovery
from spiketwin.firmware.clocks import Pll
from spiketwin.firmware.fpga import Device, Package
from spiketwin.firmware.nextpnr import Nextpnr

KINDS: Final = ("logic", "memory", "dsp", "spram")
"""Kinds of cells of which figures are given: LUTs, with their flip-flop where both are one cell;
block RAM; multipliers; and single-port RAM."""

Shapes = tuple[tuple[int, int], ...]
"""Words and their bits as which a memory can be used."""


@dataclass(frozen=True)
class VendorProject:
    """A project for the vendor's tool, of a family that no open tool routes.

    Attributes
    ----------
    tool:
        Name of the vendor's tool.
    command:
        What makes the bitstream, in the folder of the project.
    """

    tool: str
    command: str

    @property
    def origin(self) -> str:
        """How figures came about of a design that was only mapped."""
        return f"estimated by Yosys' mapping; {self.tool} has not been run"


@dataclass(frozen=True)
class CellModels:
    """Models in Verilog of the cells that Yosys maps to, with which a netlist is simulated.

    Attributes
    ----------
    ours:
        Those of this package, which count before those of Yosys.
    of_yosys:
        Files of Yosys, below its folder ``share``.
    definitions:
        What is defined where these are compiled.
    """

    ours: tuple[Path, ...]
    of_yosys: tuple[str, ...]
    definitions: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Family(ABC):
    """One family of FPGAs.

    Attributes
    ----------
    name:
        What is typed.
    title:
        What it is called in messages.
    devices:
        The FPGAs of it.
    synthesis:
        The command of Yosys that maps to it.
    before_synthesis:
        Commands of Yosys on the design before that.
    mapped:
        For each kind of cells how much each cell counts that Yosys maps to, by a pattern of its
        name: the kinds are those of `KINDS`, and ``flip_flops``.
    block_ram, single_port_ram:
        What a block RAM and, where there is any, a large memory of one port can be used as.
    flow:
        What makes the bitstream: nextpnr, or a project for the vendor's tool.
    written:
        Ends of the names of those files of Amaranth's plan that are kept: the design and its
        constraints. The others would run tools that need not be there.
    distributions:
        Python packages of the tools that only this family needs.
    models:
        With which its netlist is simulated; None if it cannot be.
    oscillators:
        The oscillators inside of the FPGA, by what Amaranth calls them.
    attributes:
        What a single pin can be: values by the name of the attribute. What is not listed is not
        checked.
    reset:
        Whether flip-flops need a reset after power-up. If not, the core's clock only begins when it
        is good, for which `start` has to be overridden.
    """

    name: str
    title: str
    devices: tuple[Device, ...]
    synthesis: str
    before_synthesis: tuple[str, ...] = ()
    mapped: Mapping[str, Mapping[str, Fraction | int]]
    block_ram: Shapes
    single_port_ram: Shapes = ()
    flow: Nextpnr | VendorProject
    written: tuple[str, ...]
    distributions: tuple[str, ...] = ()
    models: CellModels | None = None
    oscillators: tuple[str, ...] = ()
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reset: bool = True

    @abstractmethod
    def pll(self, input_hz: int, wanted_hz: int) -> Pll:
        """Choose the setting of the PLL that makes the frequency nearest to the one wanted.

        Raises
        ------
        ClockError
            Nothing within 2 % can be made.
        """

    def package(self, platform: Any) -> Package | None:
        """Give the package of the FPGA of a platform; None where nothing is known of packages.

        Raises
        ------
        BoardError
            There is none such, or no such FPGA of its speed grade.
        """
        return None

    def start(self, m: Module, clock: Signal, held: Signal) -> None:
        """Drive the domain ``sync`` by a clock, not before a signal falls that holds it back."""
        m.d.comb += [ClockSignal("sync").eq(clock), ResetSignal("sync").eq(held)]

    def count(self, cells: Mapping[str, int]) -> dict[str, int]:
        """Count the cells of each kind, of those that ``stat -json`` of Yosys lists."""
        return {
            kind: ceil(sum(_weight(cell, weights) * count for cell, count in cells.items()))
            for kind, weights in self.mapped.items()
        }


def _weight(cell: str, weights: Mapping[str, Fraction | int]) -> Fraction | int:
    return next((one for name, one in weights.items() if fnmatchcase(cell, name)), 0)


def input_buffer(m: Module, pad: Any) -> Signal:
    """Add the buffer of the board's clock to a module, and give what comes out of it."""
    m.submodules.pad = buffer = io.Buffer(io.Direction.Input, pad)
    signal: Signal = buffer.i
    return signal


def families() -> dict[str, Family]:
    """Find the families of this package, by name."""
    kind: type[Any] = Family  # an abstract class, which mypy takes for no `type[Family]`
    found: Iterable[Family] = discovery.in_package("spiketwin.firmware.families", kind)
    return dict(sorted((family.name, family) for family in found))
