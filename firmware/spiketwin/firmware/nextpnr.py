"""nextpnr and the packer beside it: how they are called, and what their reports say."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from spiketwin.firmware.fpga import Device, Package
from spiketwin.firmware.use import Use
from spiketwin.firmware.wasm import Call
from spiketwin.hdl.builds import BuildError

LOG: Final = "routing.log"
TIMING: Final = "timing.json"

_USED: Final = re.compile(r"^Info:\s+(\w+):\s*(\d+)/\s*(\d+)\s+\d+%", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Nextpnr:
    """nextpnr of one family.

    Attributes
    ----------
    routes, packs:
        ``package.function`` of place and route, and of what makes the bitstream.
    arguments:
        Arguments of place and route that only this family has: its files and its choices.
    routed:
        The file with the routed design, which the packer reads.
    bitstream:
        The file that the packer writes.
    cells:
        What it calls the cells of each kind of `spiketwin.firmware.family.KINDS` that there are.
    """

    routes: str
    packs: str
    arguments: tuple[str, ...]
    routed: str
    bitstream: str
    cells: Mapping[str, str]

    tool: ClassVar[str] = "nextpnr"
    origin: ClassVar[str] = (
        "estimated by nextpnr's static timing analysis after routing; measured on no board"
    )
    """How figures came about of a design that was routed."""

    def routing(
        self, board: str, netlist: str, device: Device, package: Package | None,
        clock_hz: int, seed: int,
    ) -> Call:  # fmt: skip
        """Give the call of place and route.

        Parameters
        ----------
        board:
            Name of the board, for the message of an error.
        netlist:
            The file to read.
        device, package:
            The FPGA; without a package where the device says that, too.
        clock_hz, seed:
            The clock that is asked for, and the seed of the placement.
        """
        housing = ("--package", package.nextpnr) if package else ()
        speed = ("--speed", package.speed) if package and package.speed else ()
        arguments = (
            device.nextpnr, *housing, "--json", netlist, "--report", TIMING, "--seed", str(seed),
            "--freq", f"{clock_hz / 1e6:g}", "--timing-allow-fail", *speed, *self.arguments,
        )  # fmt: skip
        what = f"place and route for {board}"
        return Call(what=what, function=self.routes, arguments=arguments, log=LOG)

    def packing(self, board: str, options: tuple[str, ...]) -> Call:
        """Give the call that makes the bitstream, with options of the board's."""
        given = f", with {' '.join(options)} of the `packing` of the board," if options else ""
        return Call(
            what=f"packing the bitstream of {board}{given}",
            function=self.packs,
            arguments=(*options, self.routed, self.bitstream),
            log="packing.log",
        )

    def uses(self, folder: Path) -> dict[str, Use]:
        """Read what is used from the log: the report is not written of what does not fit."""
        counts = {
            cell: Use(int(used), int(available))
            for cell, used, available in _USED.findall((folder / LOG).read_text())
        }
        return {kind: counts[cell] for kind, cell in self.cells.items() if cell in counts}


def fmax_mhz(folder: Path, clock_hz: int) -> float:
    """Give the frequency that the slowest clock of a routed design is good for.

    Raises
    ------
    BuildError
        A clock was not constrained to that of the core, so nothing is known of it.
    """
    clocks = json.loads((folder / TIMING).read_text())["fmax"]
    for name, clock in clocks.items():
        if abs(clock["constraint"] * 1e6 / clock_hz - 1) > 0.01:
            raise BuildError(
                f"the clock {name} was routed for {clock['constraint']:g} MHz, not "
                f"{clock_hz / 1e6:g} MHz: nothing can be said of its timing; the whole log is "
                f"{folder / LOG}"
            )
    return min(float(clock["achieved"]) for clock in clocks.values())
