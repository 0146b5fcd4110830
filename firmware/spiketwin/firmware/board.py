"""The description of a board, and the ways to find one: by its name, or in a file."""

from __future__ import annotations

import os
import sys
import traceback
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from amaranth.build import Resource

from spiketwin.firmware import discovery
from spiketwin.firmware.errors import BoardError, ClockError
from spiketwin.hdl.spec.adapters import FT231X as FT231X_ID
from spiketwin.hdl.spec.adapters import FT2232 as FT2232_ID
from spiketwin.hdl.spec.adapters import UsbId
from spiketwin.hdl.spec.params import CoreParams, preset
from spiketwin.hdl.spec.protocol import MIN_CYCLES_PER_BIT

BAUD_TOLERANCE: Final = 0.02
"""Largest relative error of a rate of the UART, with which the last bit of a byte is still sampled
within its time."""


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """An adapter between USB and the wires of the UART.

    Attributes
    ----------
    name:
        Name of the chip.
    rates:
        Rates that it can do, in baud, fastest first.
    usb:
        Its USB vendor and product; none if the user chooses the adapter.
    """

    name: str
    rates: tuple[int, ...]
    usb: UsbId | None = None


FT2232H: Final = Adapter(
    name="FT2232H",
    rates=(12_000_000, 8_000_000, 6_000_000, 4_000_000, 3_000_000, 2_000_000, 1_000_000),
    usb=FT2232_ID,
)
"""12 MHz divided by 1, 1.5, or from 2 on in eighths (FTDI AN_120); the first channel programs."""

FT231X: Final = Adapter(
    name="FT231X", rates=(3_000_000, 2_000_000, 1_500_000, 1_000_000), usb=FT231X_ID
)
"""3 MHz divided by 1, 1.5, or from 2 on in eighths (FTDI AN_120)."""

EXTERNAL: Final = Adapter(name="a 3.3 V USB-serial adapter", rates=FT231X.rates)
"""Any adapter that the user connects to two pins of a board."""


@dataclass(frozen=True, kw_only=True)
class Programmer:
    """How openFPGALoader reaches a board.

    Attributes
    ----------
    board:
        The name of openFPGALoader for the board, which implies the cable.
    volatile:
        Whether it can load a bitstream into the FPGA, which is lost without power; if not, it
        writes the bitstream to flash.
    dfu:
        USB vendor and product of a board that is programmed over its own USB port (DFU), with no
        adapter between; none if the adapter of the board programs it.
    """

    board: str
    volatile: bool
    dfu: UsbId | None = None


@dataclass(frozen=True, kw_only=True)
class Board:
    """The description of one board.

    Attributes
    ----------
    name, title:
        Name for the command line, and name for people.
    platform:
        FPGA, clock and pins of the board: an `amaranth.build.Platform`, from `amaranth_boards` if
        that has the board. Instances are typed `Any`, as their types do not say what is on a board.
    resources:
        Pins in addition to those of the platform. The platform or these have to include ``uart`` 0,
        with ``rx`` and ``tx`` as seen from the FPGA.
    params:
        The core that fits the board, as text for `preset`.
    clock_hz:
        Clock of that core, which the PLL can make from the default clock of the platform.
    adapter:
        The adapter between USB and the pins of the UART.
    programmer:
        The way of a bitstream onto the board.
    packing:
        Options of the tool that packs the bitstream.
    sources:
        Addresses of the published documents with which its pins were checked.
    notes:
        Notes for users of the board.
    """

    name: str
    title: str
    platform: type[Any]
    resources: tuple[Resource, ...] = ()
    params: str
    clock_hz: int
    adapter: Adapter
    programmer: Programmer
    packing: tuple[str, ...] = ()
    sources: tuple[str, ...]
    notes: str = ""

    @property
    def core(self) -> CoreParams:
        """Sizes of the core that fits the board."""
        return preset(self.params)

    def new_platform(self) -> Any:
        """Return a new instance of its platform, for one build."""
        platform = self.platform()
        platform.add_resources(self.resources)
        return platform

    def max_baud(self, clock_hz: int) -> int:
        """Return the fastest rate of its adapter, in baud, that a UART at this clock can make.

        Raises
        ------
        ClockError
            The UART can make none of the rates within `BAUD_TOLERANCE`.
        """
        for rate in self.adapter.rates:
            if makes_baud(clock_hz, rate):
                return rate
        slowest = self.adapter.rates[-1]
        raise ClockError(
            f"a clock of {clock_hz / 1e6:g} MHz makes no rate of {self.adapter.name}, the slowest "
            f"of which is {slowest:,} baud, within {100 * BAUD_TOLERANCE:g} %: choose a whole "
            f"multiple of it from {MIN_CYCLES_PER_BIT * slowest / 1e6:g} MHz on"
        )


def makes_baud(clock_hz: int, baud: int) -> bool:
    """Return whether whole cycles of a clock make a rate within `BAUD_TOLERANCE`."""
    cycles = round(clock_hz / baud)
    return cycles >= MIN_CYCLES_PER_BIT and abs(clock_hz / cycles / baud - 1) <= BAUD_TOLERANCE


def boards() -> dict[str, Board]:
    """Return the boards of this package, by name."""
    found = discovery.in_package("spiketwin.firmware.boards", Board)
    return dict(sorted((board.name, board) for board in found))


def board(name: str) -> Board:
    """Return a board by its name, or by the path of a file that describes one.

    The file is Python and is executed, so pass no file that you do not trust.

    Parameters
    ----------
    name:
        Name of a board of this package; or path of a file, ending with ``.py``, that makes one
        `Board`.

    Raises
    ------
    BoardError
        There is no such board or file, or the file does not make exactly one board.
    """
    if name.endswith(".py"):
        return _from_file(Path(name))
    found = boards()
    if name in found:
        return found[name]
    if os.path.lexists(name):
        raise BoardError(
            f"{name!r} cannot describe a board: the file has to be Python, its name ending with "
            ".py (docs/boards.md)"
        )
    raise BoardError(
        f"there is no board {name!r}: choose of {', '.join(found)}, or give the path of a file "
        "that describes yours, ending with .py (docs/boards.md)"
    )


def _from_file(path: Path) -> Board:
    if not path.is_file():
        raise BoardError(f"there is no file {str(path)!r} to describe a board")
    name = f"_board_{path.stem}"
    loader = SourceFileLoader(name, str(path))
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module  # dataclasses look their module up here, as after any import
    try:
        # Not an import, which would delay Ctrl-C until its end: the file may never end.
        exec(loader.source_to_code(path.read_bytes(), str(path)), vars(module))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever the user's own file raises, `SystemExit` too
        raise BoardError(
            f"{path} does not describe a board: {_line(path, error)}{error_text(error)}"
        ) from error
    ours = {id(known) for known in boards().values()}
    described = {id(one): one for one in discovery.in_module(module, Board) if id(one) not in ours}
    if len(described) != 1:
        names = ", ".join(repr(one.name) for one in described.values())
        raise BoardError(
            f"{path} must make one `spiketwin.firmware.board.Board`, not {len(described)}"
            + (f": {names}" if names else "; those that it imports are none of its own")
        )
    (one,) = described.values()
    return one


def _line(path: Path, error: BaseException) -> str:
    """Return text about the line of a file that raised an error; empty if it is not known."""
    if isinstance(error, SyntaxError):
        return ""  # its own text names the line
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename == str(path)]
    return f"line {own[-1].lineno}, `{own[-1].line}`: " if own else ""


def error_text(error: BaseException) -> str:
    """Return the type of a foreign error, and its message if it has one."""
    said = str(error)
    return f"{type(error).__name__}, {said}" if said else type(error).__name__
