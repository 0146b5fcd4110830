"""Tests of a whole device at the level of bytes inside the simulator."""

from __future__ import annotations

import struct

import cocotb
from cocotb.triggers import with_timeout

from spiketwin.cosim.testbenches.declare import Benches
from spiketwin.cosim.testbenches.link_driver import CYCLE, BytesDriver
from spiketwin.cosim.testbenches.requests import framed
from spiketwin.hdl.spec.protocol import Opcode
from spiketwin.hdl.spec.registers import COUNTERS, Space

bench = Benches(BytesDriver)

LONGEST_RUN = 45
"""Ticks that one request of `Requests` can set going: those that a run adds, or those that find
room when words are fetched."""


def read_counters() -> bytes:
    """Return the arguments of `READ` for all counters."""
    return struct.pack("<BIH", Space.COUNTER, 0, len(COUNTERS))


@bench
async def random_requests(link: BytesDriver) -> None:
    """Random requests, good and damaged, runs among them, are answered like by the model."""
    await link.ask(framed(link.requests.open()))
    for _ in range(120):
        link.gaps, link.stalls = link.rng.choice((0, 0.5)), link.rng.choice((0, 0, 0.5))
        await link.ask(link.requests.any(runs=True))
        await link.run_over(LONGEST_RUN)
    await link.ask(framed(link.requests.body(Opcode.READ, read_counters())))


@bench
async def noise_between_requests(link: BytesDriver) -> None:
    """Random bytes and overlong frames are dropped, and the next request is answered."""
    await link.ask(framed(link.requests.open()))
    for _ in range(40):
        noise = link.rng.randbytes(link.rng.choice((1, 3, 20, 255, 256, 257, 600)))
        await link.ask(noise + b"\0")
        await link.ask(framed(link.requests.body(Opcode.READ, read_counters())))


@bench
async def answers_wait_for_the_host(link: BytesDriver) -> None:
    """A host that reads nothing stalls the device, which loses nothing."""
    await link.ask(framed(link.requests.open()))
    link.stalls = 1.0
    # Send more than the receive buffer and the slots for answers hold.
    sent, expected = b"", b""
    for number in range(250):
        block = struct.pack("<BIH", Space.WEIGHT, 0, 1 if number % 10 else 60)
        frame = framed(link.requests.body(Opcode.READ, block))
        link.model.receive(frame)
        answer = link.model.drain(1 << 20)
        link.requests.follow(answer)
        sent += frame
        expected += answer
    sending = cocotb.start_soon(link.send(sent))
    await link.cycles(8_000)
    link.scoreboard.check("bytes taken by a host that takes none", len(link.received), 0)
    link.scoreboard.check("device ready", int(link.dut.rx_ready.value), 0)
    link.stalls = 0.7
    await with_timeout(sending, 1_000_000 * CYCLE, "step")
    await link.settle(len(expected))
    link.compare(expected, "reads")
