"""The description of a family of FPGAs, of which each family has one file in `families/`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
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

KINDS: Final = ("logic", "flip_flops", "memory", "dsp", "spram")
"""Kinds of cells that figures count: LUTs, with their flip-flops if both are one cell; flip-flops
that are cells of their own; block RAM; multipliers; and single-port RAM."""

Shapes = tuple[tuple[int, int], ...]
"""The shapes in which a memory can be used, each with its words and the bits of a word."""


@dataclass(frozen=True)
class VendorProject:
    """A project for the vendor's tool, for a family that no open tool routes.

    Attributes
    ----------
    tool:
        Name of the vendor's tool.
    command:
        The command that makes the bitstream, in the folder of the project.
    """

    tool: str
    command: str

    @property
    def origin(self) -> str:
        """The origin of figures of a design that was only mapped, not routed."""
        return f"estimated by Yosys' mapping; {self.tool} has not been run"


@dataclass(frozen=True)
class CellModels:
    """Verilog models of the cells that Yosys maps to, with which a netlist is simulated.

    Attributes
    ----------
    ours:
        Files of this package, whose models replace those of Yosys.
    of_yosys:
        Files of Yosys, below its folder ``share``.
    definitions:
        Macros that are defined when the files are compiled.
    """

    ours: tuple[Path, ...]
    of_yosys: tuple[str, ...]
    definitions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Image:
    """The way from what a build for a board made back to a netlist of its cells.

    Attributes
    ----------
    title:
        What such a file is, in messages.
    begins:
        Bytes with which the files begin, by which they are known.
    write:
        Function that writes the netlist. It takes the file, the name of the module, whose ports are
        ``clk``, ``rx`` and ``tx``, and the path of the Verilog file to write; it raises
        `TargetError` if the file is damaged or is not that of a core.
    sources:
        The files of this package that shape the netlist.
    models:
        Models of its cells.
    """

    title: str
    begins: bytes
    write: Callable[[Path, str, Path], None]
    sources: tuple[Path, ...]
    models: CellModels


@dataclass(frozen=True, kw_only=True, eq=False)
class Family(ABC):
    """One family of FPGAs.

    Attributes
    ----------
    name:
        Name for the command line.
    title:
        Name in messages.
    devices:
        The FPGAs of the family.
    synthesis:
        The command of Yosys that maps a design to the family.
    before_synthesis:
        Commands of Yosys on the design before that.
    mapped:
        For each kind of cells (`KINDS`) the weights with which cells of the mapped design count, by
        a pattern of their names.
    block_ram, single_port_ram:
        The shapes of a block RAM and, if there is any, of a large memory of one port.
    flow:
        The way to a bitstream: nextpnr, or a project for the vendor's tool.
    written:
        Ends of the names of those files of Amaranth's plan that are written: the design and its
        constraints. The other files would run tools that need not be installed.
    distributions:
        Python packages of the tools that only this family needs.
    models:
        Models of the cells for simulation of a netlist; None if it cannot be simulated.
    image:
        The way back from what a build made to a netlist; None if there is none.
    oscillators:
        The oscillators inside of the FPGA, by Amaranth's names.
    attributes:
        The values that attributes of a single pin can have, by the name of the attribute.
        Attributes that are not listed are not checked.
    reset:
        Whether flip-flops need a reset after power-up. If not, the core's clock is stopped until it
        is good, and `start` has to be overridden.
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
    image: Image | None = None
    oscillators: tuple[str, ...] = ()
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reset: bool = True

    @abstractmethod
    def pll(self, input_hz: int, wanted_hz: int) -> Pll:
        """Return the setting of the PLL with the frequency nearest to the one wanted.

        Raises
        ------
        ClockError
            Nothing within 2 % can be made.
        """

    def package(self, platform: Any) -> Package | None:
        """Return the package of a platform's FPGA; None if the family describes no packages.

        Raises
        ------
        BoardError
            There is no such package, or no such FPGA of its speed grade.
        """
        return None

    def start(self, m: Module, clock: Signal, held: Signal) -> None:
        """Drive the domain ``sync`` by a clock, and hold it in reset while `held` is high."""
        m.d.comb += [ClockSignal("sync").eq(clock), ResetSignal("sync").eq(held)]

    def count(self, cells: Mapping[str, int]) -> dict[str, int]:
        """Return the number of cells of each kind, from the list of Yosys' ``stat -json``."""
        return {
            kind: ceil(sum(_weight(cell, weights) * count for cell, count in cells.items()))
            for kind, weights in self.mapped.items()
        }


def _weight(cell: str, weights: Mapping[str, Fraction | int]) -> Fraction | int:
    return next((one for name, one in weights.items() if fnmatchcase(cell, name)), 0)


def input_buffer(m: Module, pad: Any) -> Signal:
    """Add the input buffer of the board's clock to a module, and return its output."""
    m.submodules.pad = buffer = io.Buffer(io.Direction.Input, pad)
    signal: Signal = buffer.i
    return signal


def families() -> dict[str, Family]:
    """Return the families of this package, by name."""
    kind: type[Any] = Family  # an abstract class, which mypy takes for no `type[Family]`
    found: Iterable[Family] = discovery.in_package("spiketwin.firmware.families", kind)
    return dict(sorted((family.name, family) for family in found))
