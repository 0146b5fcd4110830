"""A recorded session, played to the bytes of a device or to the wires of its UART."""

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
"""A session lasts as long as it does; what does not answer is given up within it."""

bench = Benches(BytesDriver, _LONGEST)
pins_bench = Benches(PinsDriver, _LONGEST)


@bench
async def session_at_the_bytes(link: BytesDriver) -> None:
    """Byte for byte, as fast as the device takes them."""
    await play(link, Recording.load(Path(os.environ[SESSION_VARIABLE])))


@pins_bench
async def session_at_the_pins(link: PinsDriver) -> None:
    """Bit for bit, at the rates that the session asks for."""
    await play(link, Recording.load(Path(os.environ[SESSION_VARIABLE])))
