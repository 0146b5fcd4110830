"""A board whose description was checked, together with its FPGA, its clock and its PLL."""

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
    """A board that has all that a core needs.

    Attributes
    ----------
    board:
        Description of the board.
    family, device, package:
        The FPGA of the board; the package is None if the family describes no packages.
    input_hz:
        Frequency of the board's clock.
    pll:
        Setting of the PLL for `Board.clock_hz`.
    """

    board: Board
    family: Family
    device: Device
    package: Package | None
    input_hz: int
    pll: Pll


def resolve(board: Board) -> ResolvedBoard:
    """Check that a board has all that a core needs, and return it as a target.

    Raises
    ------
    BoardError
        A field has a value of a wrong kind; there is no core of the sizes; the platform cannot be
        made; the FPGA or its package is not known; there is no clock or no UART that a core can
        use; a pin is used twice, or there is none of its name; there is no place for the PLL; the
        PLL cannot make the clock; or no rate of the adapter can be made from the clock.
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
