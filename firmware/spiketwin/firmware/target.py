"""What the description of a board means: its FPGA, and what was found out about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from spiketwin.firmware import checks
from spiketwin.firmware.board import Board
from spiketwin.firmware.clocks import Pll
from spiketwin.firmware.errors import BoardError, ClockError
from spiketwin.firmware.family import Family, families
from spiketwin.firmware.fpga import Device, Package


@dataclass(frozen=True, kw_only=True)
class ResolvedBoard:
    """A board that was found to have all that a core needs.

    Attributes
    ----------
    board:
        Its description.
    family, device, package:
        Its FPGA; no package where nothing is known of that.
    input_hz:
        Frequency of its clock.
    pll:
        Setting of the PLL for the clock of the board's own core.
    """

    board: Board
    family: Family
    device: Device
    package: Package | None
    input_hz: int
    pll: Pll


def resolve(board: Board) -> ResolvedBoard:
    """Check that a board has all that a core needs, and give what was found out about it.

    Raises
    ------
    BoardError
        A field has a value of a wrong kind; there is no core of its sizes; its platform cannot be
        made; nothing is known of its FPGA or the package of that; it has no clock or no UART that
        a core can use; a pin is used twice, or there is none of its name; no place is left for its
        PLL; or that cannot make its clock, or its clock no rate of its adapter.
    """
    checks.check_fields(board)
    platform = checks.new_platform(board)
    with checks.foreign_errors(
        f"the FPGA of {board.name} cannot be told", "See `device` and `package` of it"
    ):
        family, device = _fpga(platform)
        package = family.package(platform)
    input_hz = checks.check_ports(board, platform, family, package)
    try:
        pll = family.pll(input_hz, board.clock_hz)
        board.max_baud(round(pll.hz))
    except ClockError as error:
        raise BoardError(f"the clock_hz of {board.name} cannot be had: {error}") from error
    return ResolvedBoard(
        board=board, family=family, device=device, package=package, input_hz=input_hz, pll=pll
    )


def _fpga(platform: Any) -> tuple[Family, Device]:
    known = {
        device.name: (family, device) for family in families().values() for device in family.devices
    }
    try:
        return known[platform.device]
    except KeyError:
        raise BoardError(
            f"the FPGA {platform.device} is none that can be built for: {', '.join(known)}"
        ) from None
