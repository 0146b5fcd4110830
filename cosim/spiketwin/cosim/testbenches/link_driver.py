"""Drivers of a device's line, with the model that must answer the same bytes beside it."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Final

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge, Timer

from spiketwin.cosim.model.device import ModelDevice
from spiketwin.cosim.testbenches.requests import Requests
from spiketwin.cosim.testbenches.scoreboard import Scoreboard
from spiketwin.hdl.spec import schedule
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.protocol import BITS_PER_BYTE, MAX_FRAME, MIN_CYCLES_PER_BIT

CYCLE: Final = 200
"""Simulation steps per clock cycle: many, so that bits of a UART need not begin at clock edges."""

_SILENCE: Final = 12
"""Silence, in byte times beside the time to execute, after which no answer follows."""


class LinkDriver(ABC):
    """A device on its line, and the model that it must equal.

    Attributes
    ----------
    drives:
        Level of the top.
    dut, params, rng, scoreboard:
        The top, the sizes of its core, the source of random choices, and the scoreboard.
    model, requests:
        The model that must give the same answers, and the source of random requests.
    received:
        Bytes from the device that have not been compared yet.
    """

    drives: ClassVar[str]

    def __init__(self, dut: Any, params: CoreParams, seed: int) -> None:
        self.dut = dut
        self.params = params
        self.scoreboard = Scoreboard(seed)
        self.rng = random.Random(seed)
        self.model = ModelDevice(params)
        self.requests = Requests(params, self.rng)
        self.received = bytearray()

    async def start(self) -> None:
        """Start the clock, let the reset of power-up pass, and listen."""
        self.dut.rst.value = 0
        self._quiet()
        Clock(self.dut.clk, CYCLE, "step", impl="gpi").start()
        await self.cycles(4)
        cocotb.start_soon(self._listen())

    async def cycles(self, count: int) -> None:
        """Let so many cycles pass."""
        await Timer(count * CYCLE, "step")

    async def ask(self, frame: bytes, heard: bytes | None = None) -> bytes:
        """Send bytes, and compare the answers of the device with those of the model.

        Parameters
        ----------
        frame:
            The bytes to send.
        heard:
            The part of them that the device should receive; by default all.

        Returns
        -------
        The answers.
        """
        self.scoreboard.tick += 1
        self.model.receive(frame if heard is None else heard)
        expected = self.model.drain(1 << 20)
        await self.send(frame)
        await self.settle(len(expected))
        self.compare(expected, f"request {frame.hex(' ')}")
        self.requests.follow(expected)
        return expected

    async def settle(self, expected: int) -> None:
        """Wait for so many bytes, and then for any run to end and any further byte to arrive."""
        for _ in range(expected + _SILENCE + MAX_FRAME):
            if len(self.received) >= expected:
                break
            await self.cycles(self.byte_cycles)
        await self.cycles(_SILENCE * self.byte_cycles)

    def compare(self, expected: bytes, what: str) -> None:
        """Compare the bytes received with those expected."""
        got = bytes(self.received)
        self.received.clear()
        for place, (one, other) in enumerate(zip(got, expected, strict=False)):
            self.scoreboard.check(f"answer to {what}", one, other, f"byte {place}")
        self.scoreboard.check(f"bytes of the answer to {what}", len(got), len(expected))

    async def run_over(self, ticks: int) -> None:
        """Let the time of so many ticks pass."""
        await self.cycles(ticks * schedule.most_cycles(self.params))

    def set_cycles_per_bit(self, _cycles: int) -> None:
        """Follow a change of the rate, if the level has a rate."""
        return

    @property
    @abstractmethod
    def byte_cycles(self) -> int:
        """Cycles that a byte takes."""

    @abstractmethod
    async def send(self, data: bytes) -> None:
        """Send bytes to the device."""

    @abstractmethod
    def _quiet(self) -> None:
        """Set the inputs of the device to their idle levels."""

    @abstractmethod
    async def _listen(self) -> None:
        """Receive bytes for ever."""


class BytesDriver(LinkDriver):
    """A `BytesTop`: bytes with back-pressure in both directions.

    Attributes
    ----------
    gaps, stalls:
        How often a cycle passes without a byte being offered, and without one being taken.
    """

    drives = "bytes"
    gaps = 0.0
    stalls = 0.0
    byte_cycles = 64  # most of them are taken by the link's program

    async def send(self, data: bytes) -> None:
        """Send bytes, each as soon as the device takes it."""
        dut = self.dut
        await FallingEdge(dut.clk)
        for byte in data:
            while self.rng.random() < self.gaps:
                await FallingEdge(dut.clk)
            dut.rx_data.value = byte
            dut.rx_valid.value = 1
            if not int(dut.rx_ready.value):
                await RisingEdge(dut.rx_ready)
                await FallingEdge(dut.clk)
            await FallingEdge(dut.clk)
            dut.rx_valid.value = 0

    def _quiet(self) -> None:
        self.dut.rx_valid.value = 0
        self.dut.tx_ready.value = 0

    async def _listen(self) -> None:
        dut = self.dut
        while True:
            if not int(dut.tx_valid.value):
                await RisingEdge(dut.tx_valid)
            await FallingEdge(dut.clk)
            while self.rng.random() < self.stalls:
                await FallingEdge(dut.clk)
            self.received.append(int(dut.tx_data.value))
            dut.tx_ready.value = 1
            await FallingEdge(dut.clk)
            dut.tx_ready.value = 0


class PinsDriver(LinkDriver):
    """A `PinsTop`: two wires.

    Attributes
    ----------
    cycles_per_bit:
        The rate of both ends.
    error:
        Relative error of the host's clock: the part by which its bits are longer.
    """

    drives = "pins"
    cycles_per_bit = MIN_CYCLES_PER_BIT
    error = 0.0

    @property
    def byte_cycles(self) -> int:
        """Cycles that a byte takes."""
        return BITS_PER_BYTE * self.cycles_per_bit

    def set_cycles_per_bit(self, cycles: int) -> None:
        """Follow a change of the rate, from the next byte in each direction on."""
        self.cycles_per_bit = cycles

    async def level(self, value: int, bits: float) -> None:
        """Hold the wire to the device at a level for the time of so many bits."""
        self.dut.rx.value = value
        await Timer(round(bits * self.cycles_per_bit * (1 + self.error) * CYCLE), "step")

    async def send_byte(self, byte: int, stop: int = 1) -> None:
        """Send one byte, with a good stop bit or, if `stop` is 0, a bad one."""
        for bit in (0, *(byte >> place & 1 for place in range(8)), stop):
            await self.level(bit, 1)

    async def send(self, data: bytes) -> None:
        """Send bytes without a pause between them."""
        for byte in data:
            await self.send_byte(byte)

    def _quiet(self) -> None:
        self.dut.rx.value = 1

    async def _listen(self) -> None:
        while True:
            await FallingEdge(self.dut.tx)
            bit = round(self.cycles_per_bit * CYCLE)
            await Timer(bit + bit // 2, "step")
            byte = 0
            for place in range(8):
                byte |= int(self.dut.tx.value) << place
                await Timer(bit, "step")
            self.scoreboard.check("stop bit", int(self.dut.tx.value), 1)
            self.received.append(byte)
