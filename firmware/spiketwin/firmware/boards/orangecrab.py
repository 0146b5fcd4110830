"""OrangeCrab r0.2 in its two sizes: ECP5 in the shape of a Feather, without a USB-serial chip."""

from typing import Any

from amaranth.build import Attrs
from amaranth_boards.orangecrab_r0_2 import (
    OrangeCrabR0_2_25FPlatform,
    OrangeCrabR0_2_85FPlatform,
)
from amaranth_boards.resources import UARTResource

from spiketwin.firmware.board import EXTERNAL, Board, Programmer


def _orangecrab(size: str, platform: type[Any], params: str, clock_hz: int) -> Board:
    return Board(
        name=f"orangecrab_{size.lower()}",
        title=f"OrangeCrab r0.2 {size}",
        platform=platform,
        # Its own USB port is wired to the FPGA, with no chip between that speaks serial.
        resources=(
            UARTResource(0, rx="0", tx="1", conn=("io", 0), attrs=Attrs(IO_TYPE="LVCMOS33")),
        ),
        params=params,
        clock_hz=clock_hz,
        adapter=EXTERNAL,
        programmer=Programmer(board="orangeCrab", volatile=False, dfu=(0x1209, 0x5AF0)),
        # The rate at which its bootloader lets the FPGA read the flash.
        packing=("--compress", "--freq", "38.8"),
        sources=(
            "https://github.com/orangecrab-fpga/orangecrab-examples/blob/main/verilog/orangecrab_r0.2.1.pcf",
        ),
        notes="Connect the TX of a 3.3 V USB-serial adapter to the pin marked 0 (FPGA N17), its RX "
        "to the pin marked 1 (M18), and ground. To flash it, hold its button while plugging it in.",
    )


ORANGECRAB_25F = _orangecrab("25F", OrangeCrabR0_2_25FPlatform, "digits", 120_000_000)
ORANGECRAB_85F = _orangecrab("85F", OrangeCrabR0_2_85FPlatform, "full", 90_000_000)
