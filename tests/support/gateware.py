"""Simulations of gateware, and the frames that they exchange."""

import binascii
from typing import Any

from amaranth.sim import Simulator
from cobs import cobs

from spiketwin.hdl.spec.protocol import (
    CRC_FINAL_XOR,
    CRC_INITIAL,
)

PERIOD = 1e-8


def framed(body: bytes) -> bytes:
    crc = binascii.crc_hqx(body, CRC_INITIAL) ^ CRC_FINAL_XOR
    frame: bytes = cobs.encode(body + crc.to_bytes(2, "big")) + b"\0"
    return frame


def unframed(frame: bytes) -> bytes:
    decoded: bytes = cobs.decode(frame)
    body, crc = decoded[:-2], int.from_bytes(decoded[-2:], "big")
    assert crc == binascii.crc_hqx(body, CRC_INITIAL) ^ CRC_FINAL_XOR
    return body


async def put(ctx: Any, port: Any, values: Any) -> None:
    """Send values into a stream, one in each cycle in which it is ready."""
    for value in values:
        ctx.set(port.payload, value)
        ctx.set(port.valid, 1)
        await ctx.tick().until(port.ready)
    ctx.set(port.valid, 0)


def simulate(design: Any, script: Any, *background: Any) -> None:
    """Simulate a design until a script ends; `background` are further processes."""
    simulator: Any = Simulator(design)
    simulator.add_clock(PERIOD)
    for process in background:
        simulator.add_testbench(process, background=True)
    simulator.add_testbench(script)
    simulator.run()
