"""Tests of a whole device on the wires of its UART, inside the simulator."""

from __future__ import annotations

import struct

from spiketwin.cosim.testbenches.declare import Benches
from spiketwin.cosim.testbenches.link_driver import PinsDriver
from spiketwin.cosim.testbenches.requests import framed
from spiketwin.hdl.spec.protocol import BAUD_TRIAL_CYCLES, BITS_PER_BYTE, Opcode
from spiketwin.hdl.spec.registers import COUNTERS, Space

bench = Benches(PinsDriver)

RATES = (4, 5, 16)
"""Rates, in clock cycles per bit."""

ERRORS = (0.0, 0.02, -0.02)
"""Relative errors of the host's clock."""


def counters(link: PinsDriver) -> bytes:
    """Return a frame that reads all counters, including those of the link's errors."""
    block = struct.pack("<BIH", Space.COUNTER, 0, len(COUNTERS))
    return framed(link.requests.body(Opcode.READ, block))


@bench
async def rates_and_clocks(link: PinsDriver) -> None:
    """Random requests are answered at several rates, to hosts with faster and slower clocks."""
    await link.ask(framed(link.requests.open()))
    for rate in RATES:
        await link.ask(framed(link.requests.body(Opcode.SET_BAUD, struct.pack("<H", rate))))
        link.cycles_per_bit = rate
        for error in ERRORS:
            link.error = error
            for _ in range(5):
                await link.ask(link.requests.any(runs=False))
            await link.ask(counters(link))


@bench
async def glitches(link: PinsDriver) -> None:
    """Pulses too short for a start bit are ignored."""
    await link.ask(framed(link.requests.open()))
    for _ in range(20):
        await link.level(0, link.rng.uniform(0.02, 0.24))
        await link.level(1, link.rng.uniform(1, 12))
        await link.ask(counters(link))


@bench
async def breaks(link: PinsDriver) -> None:
    """A line held low is no byte, however long; the first byte after it is received."""
    await link.ask(framed(link.requests.open()))
    for bits in (9.5, 10.5, 30, 200):
        await link.level(0, bits)
        await link.level(1, 2)
        await link.ask(counters(link))


@bench
async def bytes_without_a_stop_bit(link: PinsDriver) -> None:
    """A byte without a stop bit is lost with its frame, which is counted; the next is good."""
    await link.ask(framed(link.requests.open()))
    for _ in range(10):
        frame = counters(link)
        place = link.rng.randrange(len(frame) - 1)
        await link.send(frame[:place])
        await link.send_byte(frame[place], stop=0)
        await link.level(1, 2)
        await link.ask(frame[place + 1 :], heard=frame[:place] + frame[place + 1 :])
        await link.ask(counters(link))


@bench
async def a_new_rate_is_on_trial(link: PinsDriver) -> None:
    """A new rate is given up if no good frame arrives in time, and kept if one does."""
    slow, before = 16, link.cycles_per_bit
    counted = link.dut.rate.cycle
    change = struct.pack("<H", slow)
    await link.ask(framed(link.requests.open()))
    await link.ask(framed(link.requests.body(Opcode.SET_BAUD, change)))
    link.cycles_per_bit = slow
    # A damaged frame does not confirm the rate: the trial goes on to its end.
    spoilt = bytearray(counters(link))
    spoilt[-2] ^= 1
    await link.ask(bytes(spoilt))
    link.scoreboard.check(
        "cycles on trial", int(int(counted.value) > len(spoilt) * BITS_PER_BYTE * slow), 1
    )
    counted.value = BAUD_TRIAL_CYCLES - 100
    await link.cycles(200)
    link.cycles_per_bit = before
    await link.ask(counters(link))
    await link.ask(framed(link.requests.body(Opcode.SET_BAUD, change)))
    link.cycles_per_bit = slow
    await link.ask(counters(link))
    counted.value = BAUD_TRIAL_CYCLES - 100
    await link.cycles(200)
    await link.ask(counters(link))
