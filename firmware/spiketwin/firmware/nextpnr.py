"""nextpnr and the packer behind it: their calls, and what their reports say."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from spiketwin.firmware.calls import Call
from spiketwin.firmware.fpga import Device, Package
from spiketwin.firmware.use import Use
from spiketwin.hdl.builds import BuildError

LOG: Final = "routing.log"
TIMING: Final = "timing.json"

NETLIST: Final = "routed.json"
"""The cells of a routed design and their connections, if they are kept."""

_USED: Final = re.compile(r"^Info:\s+(\w+):\s*(\d+)/\s*(\d+)\s+\d+%", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Nextpnr:
    """nextpnr and the packer of one family.

    Attributes
    ----------
    routes, packs:
        ``package.function`` of place and route, and of the packer that makes the bitstream.
    arguments:
        Arguments of place and route for this family: its files and its options.
    routed:
        The file with the routed design, which the packer reads.
    bitstream:
        The file that the packer writes.
    cells:
        Names of nextpnr for the kinds of cells (`spiketwin.firmware.family.KINDS`) of the family.
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
    """The origin of figures of a design that was routed."""

    def routing(
        self, board: str, netlist: str, device: Device, package: Package | None,
        clock_hz: int, seed: int, keep_netlist: bool,
    ) -> Call:  # fmt: skip
        """Return the call of place and route.

        Parameters
        ----------
        board:
            Name of the board, for error messages.
        netlist:
            File of the mapped design.
        device, package:
            The FPGA; the package is None if the device implies it.
        clock_hz, seed:
            The clock that is asked for, and the seed of the placement.
        keep_netlist:
            Whether `NETLIST` is written, too.
        """
        housing = ("--package", package.nextpnr) if package else ()
        speed = ("--speed", package.speed) if package and package.speed else ()
        kept = ("--write", NETLIST) if keep_netlist else ()
        arguments = (
            device.nextpnr, *housing, "--json", netlist, "--report", TIMING, "--seed", str(seed),
            "--freq", f"{clock_hz / 1e6:g}", "--timing-allow-fail", *speed, *kept, *self.arguments,
        )  # fmt: skip
        what = f"place and route for {board}"
        return Call(what=what, function=self.routes, arguments=arguments, log=LOG)

    def packing(self, board: str, options: tuple[str, ...]) -> Call:
        """Return the call of the packer that makes the bitstream, with options of the board."""
        given = f", with {' '.join(options)} of the `packing` of the board," if options else ""
        return Call(
            what=f"packing the bitstream of {board}{given}",
            function=self.packs,
            arguments=(*options, self.routed, self.bitstream),
            log="packing.log",
        )

    def uses(self, folder: Path) -> dict[str, Use]:
        """Return the use of cells from the log, as there is no report if a design does not fit."""
        counts = {
            cell: Use(int(used), int(available))
            for cell, used, available in _USED.findall((folder / LOG).read_text())
        }
        return {kind: counts[cell] for kind, cell in self.cells.items() if cell in counts}


def fmax_mhz(folder: Path, clock_hz: int) -> float:
    """Return the frequency, in MHz, that the slowest clock of a routed design can have.

    Raises
    ------
    BuildError
        A clock was routed for another frequency than that of the core, so nothing is known of it.
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
