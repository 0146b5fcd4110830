"""ULX3S in its four sizes: ECP5 of 12 to 84 thousand LUTs."""

from typing import Any

from amaranth_boards.ulx3s import (
    ULX3S_12F_Platform,
    ULX3S_25F_Platform,
    ULX3S_45F_Platform,
    ULX3S_85F_Platform,
)

from spiketwin.firmware.board import FT231X, Board, Programmer


def _ulx3s(size: str, platform: type[Any], params: str, clock_hz: int) -> Board:
    return Board(
        name=f"ulx3s_{size.lower()}",
        title=f"ULX3S {size}",
        platform=platform,
        params=params,
        clock_hz=clock_hz,
        adapter=FT231X,
        programmer=Programmer(board="ulx3s", volatile=True),
        packing=("--compress",),
        sources=("https://github.com/emard/ulx3s/blob/master/doc/constraints/ulx3s_v20.lpf",),
    )


ULX3S_12F = _ulx3s("12F", ULX3S_12F_Platform, "digits", 95_000_000)
ULX3S_25F = _ulx3s("25F", ULX3S_25F_Platform, "digits", 95_000_000)
ULX3S_45F = _ulx3s("45F", ULX3S_45F_Platform, "full", 80_000_000)
ULX3S_85F = _ulx3s("85F", ULX3S_85F_Platform, "full", 80_000_000)
