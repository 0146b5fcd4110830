"""Replay of a recorded session, at the bytes of a device or at the wires of its UART."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from spiketwin.cosim.testbenches.declare import Benches
from spiketwin.cosim.testbenches.levels import SESSION_VARIABLE
from spiketwin.cosim.testbenches.link_driver import BytesDriver, PinsDriver
from spiketwin.cosim.testbenches.session import play
from spiketwin.host.recording import Recording

_LONGEST: Final = 1 << 60
"""No limit for the whole session: a device that does not answer ends the test earlier."""

bench = Benches(BytesDriver, _LONGEST)
pins_bench = Benches(PinsDriver, _LONGEST)


@bench
async def session_at_the_bytes(link: BytesDriver) -> None:
    """The device answers a recorded session alike, byte by byte at full speed."""
    await play(link, Recording.load(Path(os.environ[SESSION_VARIABLE])))


@pins_bench
async def session_at_the_pins(link: PinsDriver) -> None:
    """The device answers a recorded session alike, bit by bit at the rates that it sets."""
    await play(link, Recording.load(Path(os.environ[SESSION_VARIABLE])))
