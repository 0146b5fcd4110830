"""The FPGAs that bitstreams are built for: what each is called by the tools, and what it holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from spiketwin.firmware.board import BoardError
from spiketwin.firmware.synthesis import Family


@dataclass(frozen=True)
class Device:
    """One FPGA.

    Attributes
    ----------
    family:
        What it is of.
    nextpnr:
        Option that chooses it; empty where there is no place and route.
    """

    family: Family
    nextpnr: str = ""


DEVICES: Final = {
    "iCE40HX4K": Device(Family.ICE40, "--hx8k"),
    "iCE40HX8K": Device(Family.ICE40, "--hx8k"),
    "iCE40UP5K": Device(Family.ICE40_ULTRA_PLUS, "--up5k"),
    "LFE5U-12F": Device(Family.ECP5, "--12k"),
    "LFE5U-25F": Device(Family.ECP5, "--25k"),
    "LFE5U-45F": Device(Family.ECP5, "--45k"),
    "LFE5U-85F": Device(Family.ECP5, "--85k"),
    "LFE5UM-25F": Device(Family.ECP5, "--um-25k"),
    "LFE5UM-45F": Device(Family.ECP5, "--um-45k"),
    "LFE5UM-85F": Device(Family.ECP5, "--um-85k"),
    "LFE5UM5G-25F": Device(Family.ECP5, "--um5g-25k"),
    "LFE5UM5G-45F": Device(Family.ECP5, "--um5g-45k"),
    "LFE5UM5G-85F": Device(Family.ECP5, "--um5g-85k"),
    "xc7a35t": Device(Family.XC7),
    "xc7a35ti": Device(Family.XC7),
}
"""By the platform's name of it."""


def device(platform: Any) -> Device:
    """Give the FPGA of a board.

    Raises
    ------
    BoardError
        Nothing is known of it.
    """
    try:
        return DEVICES[platform.device]
    except KeyError:
        raise BoardError(
            f"the FPGA {platform.device} is none that can be built for: {', '.join(DEVICES)}"
        ) from None
